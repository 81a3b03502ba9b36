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
	};
	return event >= SKM_EVENT_UEVENT_OVERFLOW ? SKM_OUTCOME_LOGGED : outcomes[event];
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
	snprintf(ret_record->rule, sizeof(ret_record->rule), "builtin:agent");
	snprintf(ret_record->object, sizeof(ret_record->object), "usb1");
	snprintf(ret_record->detail, sizeof(ret_record->detail), "what was found and done");
	if (event == SKM_EVENT_LOG_RESUMED)
		ret_record->count = 3;
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
	FILL(record->rule);
	FILL(record->object);
	FILL(record->detail);
	FILL(record->previous_hash);
	FILL(record->mac);
	record->time = (struct skm_timestamp){INT64_MIN, UINT64_MAX, UINT64_MAX, false, INT64_MIN, INT32_MIN};
	record->sequence = record->count = UINT64_MAX;
	record->user_uid = record->caller_uid = INT64_MAX;
	record->caller_pid = INT32_MAX;
	record->has_device = true;
	record->device.vendor_id = record->device.product_id = UINT16_MAX;
	record->device.connect_type = SKM_CONNECT_HARDWIRED;
	record->device.descriptor_state = SKM_DESCRIPTOR_CONTRADICTION;
	record->device.interface_count = SKM_USB_INTERFACES_MAX;
	for (size_t i = 0; i < SKM_USB_INTERFACES_MAX; i++)
		record->device.interfaces[i] = (struct skm_usb_interface){255, 255, 0x0d, 255, 255};
	record->decision.kind = SKM_KIND_CONTENT_SECURITY;
}
