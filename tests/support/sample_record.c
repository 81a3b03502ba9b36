// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "sample_record.h"

void sample_device(struct skm_record *record)
{
	record->has_device = true;
	struct skm_device *device = &record->device;
	snprintf(device->port, sizeof(device->port), "1-2.3");
	device->bus_number = 1;
	device->device_number = 7;
	device->vendor_id = 0x0781;
	device->product_id = 0x5567;
	device->connect_type = SKM_CONNECT_HOTPLUG;
	snprintf(device->manufacturer, sizeof(device->manufacturer), "SanDisk");
	snprintf(device->product, sizeof(device->product), "Cruzer Blade");
	snprintf(device->serial, sizeof(device->serial), "4C530001");
	for (size_t i = 0; i < SKM_DESCRIPTOR_HASH_BYTES; i++)
		device->descriptor_hash[i] = (uint8_t)(0xa0 + i);
	device->interface_count = 2;
	device->interfaces[0] = (struct skm_usb_interface){1, 0, 0x03, 0x01, 0x01};
	device->interfaces[1] = (struct skm_usb_interface){1, 1, 0x08, 0x06, 0x50};

	struct skm_decision *decision = &record->decision;
	decision->verdict = SKM_VERDICT_PARTIAL;
	decision->interface_allowed[0] = true;
	snprintf(decision->rule, sizeof(decision->rule), "builtin:default-deny");
	snprintf(decision->reason, sizeof(decision->reason), "a device with a recording function");
	snprintf(decision->allow_rule, sizeof(decision->allow_rule), "builtin:office");
	decision->kind = SKM_KIND_STORAGE;
}

void sample_auth(struct skm_record *record)
{
	record->has_auth = true;
	record->stream = "auth";
	struct skm_auth_facts *auth = &record->auth;
	snprintf(auth->subject, sizeof(auth->subject), "sato");
	auth->subject_uid = 1002;
	snprintf(auth->service, sizeof(auth->service), "sshd");
	snprintf(auth->tty, sizeof(auth->tty), "ssh");
	snprintf(auth->rhost, sizeof(auth->rhost), "192.0.2.7");
	snprintf(auth->ruser, sizeof(auth->ruser), "tanaka");
	snprintf(auth->factor, sizeof(auth->factor), "token");
	snprintf(auth->token, sizeof(auth->token), "携帯電話");
	record->caller_uid = 0;
	record->caller_pid = 4711;
}

/* What became of the attempt, which factor it was, and who asked for the administrative acts. */
static void sample_auth_event(struct skm_record *record)
{
	struct skm_auth_facts *auth = &record->auth;
	sample_auth(record);
	if (record->event == SKM_EVENT_SUBSTITUTE_USED)
		snprintf(auth->factor, sizeof(auth->factor), "substitute");
	if (record->event == SKM_EVENT_AUTH_ERROR || record->event == SKM_EVENT_AUTH_DENIED)
		auth->factor[0] = '\0';
	if (record->event == SKM_EVENT_AUTH_LOCKED)
		record->count = 3;
	if (record->event < SKM_EVENT_SUBSTITUTE_ISSUED || record->event == SKM_EVENT_SUBSTITUTE_USED)
		return;
	record->caller_uid = 1001;
	auth->service[0] = auth->tty[0] = auth->rhost[0] = auth->ruser[0] = auth->factor[0] = '\0';
	snprintf(auth->reason, sizeof(auth->reason), "携帯電話の紛失");
}

bool sample_is_about_person(enum skm_event event)
{
	return event >= SKM_EVENT_AUTH_OK && event <= SKM_EVENT_MFA_LOGIN_OFF;
}

/* What the agent says became of it; the rest are facts. */
static enum skm_outcome outcome_of(enum skm_event event)
{
	static const enum skm_outcome outcomes[SKM_EVENT_COUNT_] = {
		[SKM_EVENT_DEVICE_ALLOWED] = SKM_OUTCOME_ALLOWED,
		[SKM_EVENT_DEVICE_PARTIAL] = SKM_OUTCOME_PARTIAL,
		[SKM_EVENT_EXPORT_DENIED] = SKM_OUTCOME_BLOCKED,
		[SKM_EVENT_NETDEV_DENIED] = SKM_OUTCOME_BLOCKED,
		[SKM_EVENT_DEVICE_OBSERVED] = SKM_OUTCOME_OBSERVED,
		[SKM_EVENT_DEVICE_CHANGED] = SKM_OUTCOME_BLOCKED,
		[SKM_EVENT_DEVICE_REMOVED] = SKM_OUTCOME_LOGGED,
		[SKM_EVENT_DEVICE_HUNG] = SKM_OUTCOME_ERROR,
		[SKM_EVENT_DEVICE_ERROR] = SKM_OUTCOME_ERROR,
		[SKM_EVENT_SYSTEM_DISK] = SKM_OUTCOME_OBSERVED,
		[SKM_EVENT_CONTROLLER_CLOSED] = SKM_OUTCOME_BLOCKED,
		[SKM_EVENT_CONTROLLER_OPEN] = SKM_OUTCOME_ERROR,
		[SKM_EVENT_AUTH_OK] = SKM_OUTCOME_ALLOWED,
		[SKM_EVENT_AUTH_FAIL] = SKM_OUTCOME_BLOCKED,
		[SKM_EVENT_AUTH_LOCKED] = SKM_OUTCOME_BLOCKED,
		[SKM_EVENT_AUTH_REPLAY] = SKM_OUTCOME_BLOCKED,
		[SKM_EVENT_AUTH_CLOCK] = SKM_OUTCOME_BLOCKED,
		[SKM_EVENT_AUTH_ERROR] = SKM_OUTCOME_ERROR,
		[SKM_EVENT_AUTH_DENIED] = SKM_OUTCOME_BLOCKED,
		[SKM_EVENT_SUBSTITUTE_USED] = SKM_OUTCOME_ALLOWED,
	};
	bool is_fact = (event >= SKM_EVENT_UEVENT_OVERFLOW && event < SKM_EVENT_AUTH_OK) ||
		       event == SKM_EVENT_AUTH_DEGRADED || event == SKM_EVENT_SUBSTITUTE_ISSUED ||
		       event >= SKM_EVENT_MFA_ENROLLED;
	return is_fact ? SKM_OUTCOME_LOGGED : outcomes[event];
}

void sample_record(enum skm_event event, struct skm_record *ret_record)
{
	skm_record_init(ret_record, event);
	ret_record->outcome = outcome_of(event);
	ret_record->time = (struct skm_timestamp){
		.realtime_usec = 1795219200123456,
		.boottime_usec = 5000000,
		.monotonic_usec = 4000000,
		.is_synchronised = true,
		.offset_usec = -42,
		.utc_offset_sec = 32400,
	};
	ret_record->sequence = 17;
	snprintf(ret_record->boot_id, sizeof(ret_record->boot_id), "0123456789abcdef0123456789abcdef");
	snprintf(ret_record->chain_id, sizeof(ret_record->chain_id), "00112233445566778899aabbccddeeff");
	ret_record->boot_number = 3;
	snprintf(ret_record->terminal_number, sizeof(ret_record->terminal_number), "PC-042");
	snprintf(ret_record->section, sizeof(ret_record->section), "市民課");
	snprintf(ret_record->policy_version, sizeof(ret_record->policy_version), "89abcdef01234567");
	snprintf(ret_record->user, sizeof(ret_record->user), "tanaka");
	snprintf(ret_record->login_user, sizeof(ret_record->login_user), "tanaka");
	ret_record->user_uid = 1001;
	if (event <= SKM_EVENT_SYSTEM_DISK) {
		sample_device(ret_record);
		return;
	}
	if (sample_is_about_person(event)) {
		sample_auth_event(ret_record);
		snprintf(ret_record->detail, sizeof(ret_record->detail), "what was found and done");
		return;
	}
	snprintf(ret_record->rule, sizeof(ret_record->rule), "builtin:agent");
	snprintf(ret_record->object, sizeof(ret_record->object), "usb1");
	snprintf(ret_record->detail, sizeof(ret_record->detail), "what was found and done");
	if (event == SKM_EVENT_CHECKPOINT) {
		ret_record->has_checkpoint = true;
		memset(ret_record->checkpoint.signature, 0x5a, sizeof(ret_record->checkpoint.signature));
		ret_record->checkpoint.lost = 2;
		snprintf(ret_record->checkpoint.reason, sizeof(ret_record->checkpoint.reason), "time");
	}
	if (event == SKM_EVENT_LOG_RESUMED)
		ret_record->count = 3;
	if (event == SKM_EVENT_LOG_DELETED) {
		snprintf(ret_record->object, sizeof(ret_record->object), "00000001.jsonl");
		snprintf(ret_record->detail, sizeof(ret_record->detail),
			"collected and past its retention: chain %032d, records 1 to 812, hash of the last %064d",
			0, 0);
		ret_record->count = 812;
	}
	if (event == SKM_EVENT_FLOOD_COUNTED) {
		sample_device(ret_record);
		ret_record->rule[0] = '\0';
		ret_record->count = 812;
	}
	if (event == SKM_EVENT_POLICY_CHANGED) {
		ret_record->caller_uid = 0;
		ret_record->caller_pid = 4711;
	}
}

static void fill(char *text, size_t size, const char *unit)
{
	size_t len = strlen(unit), at = 0;
	for (; at + len < size; at += len)
		memcpy(text + at, unit, len);
	text[at] = '\0';
}
#define FILL(array) fill((array), sizeof(array), unit)

void sample_fill(struct skm_record *record, const char *unit)
{
	FILL(record->boot_id);
	FILL(record->terminal_number);
	FILL(record->section);
	FILL(record->policy_version);
	FILL(record->user);
	FILL(record->login_user);
	FILL(record->operator_id);
	FILL(record->device.port);
	FILL(record->device.manufacturer);
	FILL(record->device.product);
	FILL(record->device.serial);
	FILL(record->decision.rule);
	FILL(record->decision.reason);
	FILL(record->decision.allow_rule);
	FILL(record->auth.subject);
	FILL(record->auth.service);
	FILL(record->auth.tty);
	FILL(record->auth.rhost);
	FILL(record->auth.ruser);
	FILL(record->auth.token);
	FILL(record->auth.reason);
	FILL(record->rule);
	FILL(record->object);
	FILL(record->detail);
	FILL(record->checkpoint.reason);
	FILL(record->chain_id);
	FILL(record->previous_hash);
	FILL(record->mac);
	record->time = (struct skm_timestamp){INT64_MIN, UINT64_MAX, UINT64_MAX, false, INT64_MIN, INT32_MIN};
	record->sequence = record->count = record->boot_number = record->checkpoint.lost = UINT64_MAX;
	record->user_uid = record->caller_uid = record->auth.subject_uid = INT64_MAX;
	record->caller_pid = INT32_MAX;
	snprintf(record->auth.factor, sizeof(record->auth.factor), "substitute");
	record->has_device = true;
	record->device.vendor_id = record->device.product_id = UINT16_MAX;
	record->device.connect_type = SKM_CONNECT_HARDWIRED;
	record->device.descriptor_state = SKM_DESCRIPTOR_CONTRADICTION;
	record->device.interface_count = SKM_USB_INTERFACES_MAX;
	for (size_t i = 0; i < SKM_USB_INTERFACES_MAX; i++)
		record->device.interfaces[i] = (struct skm_usb_interface){255, 255, 0x0d, 255, 255};
	record->decision.kind = SKM_KIND_CONTENT_SECURITY;
}
