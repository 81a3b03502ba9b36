// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/config.h"
#include "sekimori/control.h"

#define MESSAGE_MAX (SKM_CONTROL_MESSAGE_MAX - SKM_CONTROL_HEADER_BYTES)

static void fill(char *text, size_t size, char letter)
{
	memset(text, letter, size - 1);
	text[size - 1] = '\0';
}

/* Every member at its largest, so that a forgotten one shows and the size is the worst. */
static struct skm_status full_status(void)
{
	static struct skm_status status;
	memset(&status, 0, sizeof(status));
	fill(status.version, sizeof(status.version), 'v');
	status.pid = -7;
	status.started_realtime_usec = UINT64_MAX - 1;
	status.gate_is_closed = true;
	status.gate = (struct skm_gate_state){.has_module_parameter = true,
		.module_default = -1,
		.controller_count = SKM_CONTROLLERS_MAX,
		.has_more = true};
	for (unsigned i = 0; i < SKM_CONTROLLERS_MAX; i++) {
		struct skm_controller *controller = &status.gate.controllers[i];
		fill(controller->name, sizeof(controller->name), 'u');
		controller->authorized_default = (int)i - 1;
		controller->interface_authorized_default = -1;
	}
	status.mode = SKM_MODE_AUDIT;
	status.audit_until_sec = -2;
	fill(status.policy_version, sizeof(status.policy_version), 'f');
	status.rule_count = 200000;
	status.config_is_broken = true;
	fill(status.config_error, sizeof(status.config_error), 'e');
	status.log_is_failing = true;
	fill(status.log_error, sizeof(status.log_error), 'l');
	status.log_pending = 1;
	status.log_lost = 2;
	status.log_sequence = UINT64_C(0x0102030405060708);
	status.device_count = 3;
	status.refused_count = 4;
	status.partial_count = 5;
	status.hung_count = 6;
	status.overflow_count = 7;
	status.last_reconcile_realtime_usec = 8;
	status.system_disk_count = 12; /* more than can be named */
	for (unsigned i = 0; i < SKM_SYSTEM_DISKS_NAMED_MAX; i++)
		fill(status.system_disks[i], sizeof(status.system_disks[i]), 'd');
	return status;
}

static struct skm_device_report full_report(void)
{
	static struct skm_device_report report;
	memset(&report, 0, sizeof(report));
	struct skm_device *device = &report.device;
	fill(device->port, sizeof(device->port), '1');
	device->bus_number = 0x0102;
	device->device_number = 0x0304;
	device->vendor_id = 0x0781;
	device->product_id = 0x5581;
	device->release = 0xfffe;
	device->device_class = 0xef;
	device->connect_type = SKM_CONNECT_NOT_USED;
	device->descriptor_state = SKM_DESCRIPTOR_TOO_LARGE;
	fill(device->manufacturer, sizeof(device->manufacturer), '\x1b');
	fill(device->product, sizeof(device->product), '\xff');
	fill(device->serial, sizeof(device->serial), 's');
	memset(device->descriptor_hash, 0xa5, sizeof(device->descriptor_hash));
	device->interface_count = SKM_USB_INTERFACES_MAX;
	for (unsigned i = 0; i < SKM_USB_INTERFACES_MAX; i++) {
		device->interfaces[i] =
			(struct skm_usb_interface){(uint8_t)i, (uint8_t)(i + 1), (uint8_t)(i + 2), 6, 80};
		report.decision.interface_allowed[i] = i % 3 == 0;
	}
	report.decision.verdict = SKM_VERDICT_PARTIAL;
	fill(report.decision.rule, sizeof(report.decision.rule), 'r');
	fill(report.decision.reason, sizeof(report.decision.reason), 'w');
	fill(report.decision.allow_rule, sizeof(report.decision.allow_rule), 'a');
	report.decision.kind = SKM_KIND_VENDOR;
	report.state = SKM_DEVICE_STATE_FAILED;
	report.is_system_disk = true;
	report.is_observed = true;
	return report;
}

Test(control, a_header_is_eight_little_endian_bytes)
{
	const uint8_t expected[SKM_CONTROL_HEADER_BYTES + 3] = {1, 2, 0, 0, 3, 0, 0, 0, 'a', 'b', 'c'};
	struct skm_control_header header = {.version = 1, .code = 2, .body_bytes = 3};
	uint8_t buf[SKM_CONTROL_HEADER_BYTES];
	cr_assert_eq(skm_control_header_encode(&header, buf, sizeof(buf)), 0);
	cr_expect_arr_eq(buf, expected, sizeof(buf));
	cr_expect_eq(skm_control_header_encode(&header, buf, sizeof(buf) - 1), -ENOBUFS);
	struct skm_control_header decoded = {0};
	cr_assert_eq(skm_control_header_decode(expected, sizeof(expected), &decoded), 0);
	cr_expect_eq(decoded.version, 1);
	cr_expect_eq(decoded.code, 2);
	cr_expect_eq(decoded.body_bytes, 3u);
}

Test(control, a_packet_that_does_not_agree_with_its_header_is_refused)
{
	const uint8_t packet[] = {1, 2, 0, 0, 3, 0, 0, 0, 'a', 'b', 'c', 'd'};
	struct skm_control_header header = {.version = 99};
	for (size_t len = 0; len <= sizeof(packet); len++)
		if (len != SKM_CONTROL_HEADER_BYTES + 3)
			cr_expect_eq(
				skm_control_header_decode(packet, len, &header), -EBADMSG, "%zu bytes", len);
	const uint8_t reserved[] = {1, 2, 1, 0, 0, 0, 0, 0};
	cr_expect_eq(skm_control_header_decode(reserved, sizeof(reserved), &header), -EBADMSG);
	const uint8_t huge[] = {1, 2, 0, 0, 0xff, 0xff, 0xff, 0xff};
	cr_expect_eq(skm_control_header_decode(huge, sizeof(huge), &header), -EBADMSG);
	static uint8_t large[SKM_CONTROL_MESSAGE_MAX + 1] = {1, 2, 0, 0, 0xf9, 0x3f, 0, 0};
	cr_expect_eq(skm_control_header_decode(large, sizeof(large), &header), -EBADMSG);
	cr_expect_eq(header.version, 99, "outputs stay untouched on failure");
}

Test(control, the_fullest_status_survives_the_round_trip)
{
	struct skm_status status = full_status();
	struct skm_status decoded;
	uint8_t buf[MESSAGE_MAX];
	size_t len = 0;
	memset(&decoded, 0, sizeof(decoded));
	cr_assert_eq(skm_status_encode(&status, buf, sizeof(buf), &len), 0);
	cr_assert_eq(skm_status_decode(buf, len, &decoded), 0);
	cr_expect_str_eq(decoded.config_error, status.config_error);
	cr_expect_eq(decoded.pid, -7);
	cr_expect_eq(decoded.audit_until_sec, -2);
	cr_expect_eq(decoded.log_sequence, UINT64_C(0x0102030405060708));
	cr_expect_eq(decoded.system_disk_count, 12u);
	cr_expect_eq(decoded.gate.controllers[63].authorized_default, 62);
	/* what was decoded encodes to the same bytes, so no member was lost on either side */
	uint8_t again[MESSAGE_MAX];
	size_t again_len = 0;
	cr_assert_eq(skm_status_encode(&decoded, again, sizeof(again), &again_len), 0);
	cr_assert_eq(again_len, len);
	cr_expect_arr_eq(again, buf, len);
}

Test(control, the_fullest_device_fits_one_message_and_survives)
{
	struct skm_device_report report = full_report();
	struct skm_device_report decoded;
	uint8_t buf[MESSAGE_MAX];
	uint8_t again[MESSAGE_MAX];
	size_t len = 0;
	size_t again_len = 0;
	cr_assert_eq(skm_device_report_encode(&report, buf, sizeof(buf), &len), 0);
	cr_assert_eq(skm_device_report_decode(buf, len, &decoded), 0);
	cr_expect(skm_device_equal(&decoded.device, &report.device));
	cr_expect_arr_eq(decoded.decision.interface_allowed, report.decision.interface_allowed,
		SKM_USB_INTERFACES_MAX);
	cr_expect_eq(decoded.decision.verdict, SKM_VERDICT_PARTIAL);
	cr_expect_eq(decoded.decision.kind, SKM_KIND_VENDOR);
	cr_expect_eq(decoded.device.connect_type, SKM_CONNECT_NOT_USED);
	cr_expect_eq(decoded.state, SKM_DEVICE_STATE_FAILED);
	cr_expect(decoded.is_system_disk && decoded.is_observed);
	cr_assert_eq(skm_device_report_encode(&decoded, again, sizeof(again), &again_len), 0);
	cr_assert_eq(again_len, len);
	cr_expect_arr_eq(again, buf, len);
}

Test(control, every_truncation_and_every_trailing_byte_is_refused)
{
	struct skm_status status = full_status();
	struct skm_device_report report = full_report();
	uint8_t buf[MESSAGE_MAX] = {0};
	size_t len = 0;
	cr_assert_eq(skm_status_encode(&status, buf, sizeof(buf), &len), 0);
	for (size_t cut = 0; cut <= len + 1; cut++) {
		uint8_t *exact = malloc(cut + 1); /* AddressSanitizer sees a read past the end */
		memcpy(exact, buf, cut);
		cr_expect_eq(skm_status_decode(exact, cut, &status), cut == len ? 0 : -EBADMSG, "%zu of %zu",
			cut, len);
		free(exact);
	}
	memset(buf, 0, sizeof(buf));
	cr_assert_eq(skm_device_report_encode(&report, buf, sizeof(buf), &len), 0);
	for (size_t cut = 0; cut <= len + 1; cut++) {
		uint8_t *exact = malloc(cut + 1);
		memcpy(exact, buf, cut);
		cr_expect_eq(skm_device_report_decode(exact, cut, &report), cut == len ? 0 : -EBADMSG,
			"%zu of %zu", cut, len);
		free(exact);
	}
}

Test(control, a_buffer_that_is_too_small_is_never_overrun)
{
	struct skm_device_report report = full_report();
	uint8_t buf[MESSAGE_MAX];
	size_t len = 0;
	cr_assert_eq(skm_device_report_encode(&report, buf, sizeof(buf), &len), 0);
	for (size_t size = 0; size < len; size++) {
		uint8_t *exact = malloc(size + 1);
		size_t untouched = 77;
		cr_expect_eq(skm_device_report_encode(&report, exact, size, &untouched), -ENOBUFS);
		cr_expect_eq(untouched, 77u);
		free(exact);
	}
}

/* Whatever a decoder accepts is the one encoding of what it gave: no byte is ignored, no number out of its
 * enumeration, no boolean of 2, no NUL in a string. */
Test(control, a_changed_byte_is_refused_or_means_something)
{
	struct skm_device_report report = full_report();
	report.device.interface_count = 3;
	uint8_t buf[MESSAGE_MAX];
	uint8_t again[MESSAGE_MAX];
	size_t len = 0;
	cr_assert_eq(skm_device_report_encode(&report, buf, sizeof(buf), &len), 0);
	unsigned refused = 0;
	for (size_t i = 0; i < len; i++) {
		for (unsigned value = 0; value < 256; value += 5) {
			uint8_t was = buf[i];
			struct skm_device_report decoded;
			size_t again_len = 0;
			buf[i] = (uint8_t)value;
			if (skm_device_report_decode(buf, len, &decoded) == 0) {
				cr_assert_eq(
					skm_device_report_encode(&decoded, again, sizeof(again), &again_len),
					0, "at %zu", i);
				cr_assert_eq(again_len, len);
				cr_assert_arr_eq(again, buf, len, "at %zu", i);
			} else {
				refused++;
			}
			buf[i] = was;
		}
	}
	cr_expect_gt(refused, 500u);
}

struct bad_member {
	const char *what;
	size_t offset; /* into struct skm_device_report */
	size_t bytes;
	unsigned value;
};

#define MEMBER(member, bad)                                                  \
	{                                                                    \
#member, offsetof(struct skm_device_report, member),         \
			sizeof(((struct skm_device_report *)0)->member), bad \
	}

/* The encoder does not send what no decoder would take. */
Test(control, our_own_impossible_values_are_not_sent)
{
	const struct bad_member members[] = {
		MEMBER(device.connect_type, SKM_CONNECT_TYPE_COUNT_),
		MEMBER(device.descriptor_state, SKM_DESCRIPTOR_STATE_COUNT_),
		MEMBER(decision.verdict, SKM_VERDICT_COUNT_),
		MEMBER(decision.kind, SKM_KIND_COUNT_),
		MEMBER(state, SKM_DEVICE_STATE_COUNT_),
		MEMBER(device.interface_count, SKM_USB_INTERFACES_MAX + 1),
	};
	uint8_t buf[MESSAGE_MAX];
	size_t len = 0;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(members); i++) {
		struct skm_device_report report = full_report();
		memcpy((char *)&report + members[i].offset, &members[i].value, members[i].bytes);
		cr_expect_eq(skm_device_report_encode(&report, buf, sizeof(buf), &len), -EINVAL, "%s",
			members[i].what);
	}
	struct skm_device_report report = full_report();
	memset(report.device.serial, 'x', sizeof(report.device.serial));
	cr_expect_eq(
		skm_device_report_encode(&report, buf, sizeof(buf), &len), -EINVAL, "string without an end");
	struct skm_status status = full_status();
	status.gate.controller_count = SKM_CONTROLLERS_MAX + 1;
	cr_expect_eq(skm_status_encode(&status, buf, sizeof(buf), &len), -EINVAL);
}

Test(control, every_device_state_has_its_own_word)
{
	for (int i = 0; i < SKM_DEVICE_STATE_COUNT_; i++) {
		cr_assert_not_null(skm_device_state_to_string((enum skm_device_state)i));
		cr_expect_str_neq(skm_device_state_to_string((enum skm_device_state)i), "unknown");
	}
	cr_expect_str_eq(skm_device_state_to_string(SKM_DEVICE_STATE_COUNT_), "unknown");
}

Test(control, asking_where_nobody_listens_says_so)
{
	cr_expect_eq(skm_control_ask("/nonexistent/control", SKM_CONTROL_STATUS, 100, NULL, NULL), -ENOENT);
	char long_path[300];
	fill(long_path, sizeof(long_path), '/');
	cr_expect_eq(skm_control_ask(long_path, SKM_CONTROL_STATUS, 100, NULL, NULL), -ENAMETOOLONG);
}
