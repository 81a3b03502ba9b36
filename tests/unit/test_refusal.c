// SPDX-License-Identifier: Apache-2.0
/* What of a record leaves the agent for the person at the machine, and its form on the wire. */
#include <criterion/criterion.h>
#include <string.h>

#include "refusal.h"

#define TARO 1000

static struct skm_record refused(void)
{
	struct skm_record record;
	skm_record_init(&record, SKM_EVENT_EXPORT_DENIED);
	record.outcome = SKM_OUTCOME_BLOCKED;
	record.sequence = 1234;
	record.user_uid = TARO;
	(void)strcpy(record.user, "taro");
	record.has_device = true;
	record.device.vendor_id = 0x0781;
	record.device.product_id = 0x5581;
	(void)strcpy(record.device.product, "Ultra");
	(void)strcpy(record.device.serial, "SECRET-SERIAL");
	(void)strcpy(record.device.port, "1-2");
	record.decision.kind = SKM_KIND_STORAGE;
	(void)strcpy(record.decision.rule, "builtin:default-deny");
	(void)strcpy(record.decision.reason, "mass storage (08:06:50) is not on the list");
	return record;
}

Test(refusal, tells_the_person_at_the_machine_what_they_hold_in_their_hand)
{
	struct skm_record record = refused();
	struct skm_refusal refusal = {0};
	uid_t uid = 0;
	cr_assert(skm_refusal_from_record(&record, &uid, &refusal));
	cr_expect_eq(uid, TARO);
	cr_expect_eq(refusal.receipt, 1234);
	cr_expect_eq(refusal.kind, SKM_KIND_STORAGE);
	cr_expect_eq(refusal.vendor_id, 0x0781);
	cr_expect_eq(refusal.product_id, 0x5581);
	cr_expect_str_eq(refusal.product, "Ultra");
	cr_expect_not(refusal.is_partial);
	cr_expect_str_eq(refusal.reason, "", "a built-in rule's reason is not for people");
}

Test(refusal, nothing_of_the_policy_nor_of_the_serial_number_is_on_the_wire)
{
	static const char *const hidden[] = {"SECRET", "builtin", "not on the list", "1-2", "taro"};
	struct skm_record record = refused();
	struct skm_refusal refusal;
	uint8_t wire[1024];
	size_t len = 0;
	uid_t uid = 0;
	cr_assert(skm_refusal_from_record(&record, &uid, &refusal));
	cr_assert_eq(skm_refusal_encode(&refusal, wire, sizeof(wire), &len), 0);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(hidden); i++)
		cr_expect_null(memmem(wire, len, hidden[i], strlen(hidden[i])), "%s", hidden[i]);
}

Test(refusal, a_reason_of_the_configuration_is_passed_on)
{
	struct skm_record record = refused();
	struct skm_refusal refusal;
	uid_t uid = 0;
	(void)strcpy(record.decision.rule, "no-cameras");
	(void)strcpy(record.decision.reason, "カメラは\x1b[31m使用しない");
	cr_assert(skm_refusal_from_record(&record, &uid, &refusal));
	cr_expect_str_eq(refusal.reason, "カメラは\uFFFD[31m使用しない");
}

Test(refusal, only_what_a_person_did_while_they_sat_there)
{
	static const enum skm_event others[] = {SKM_EVENT_DEVICE_ALLOWED, SKM_EVENT_DEVICE_OBSERVED,
		SKM_EVENT_SYSTEM_DISK, SKM_EVENT_DEVICE_REMOVED, SKM_EVENT_AUTH_FAIL, SKM_EVENT_CHECKPOINT};
	static const enum skm_event refusals[] = {
		SKM_EVENT_EXPORT_DENIED, SKM_EVENT_NETDEV_DENIED, SKM_EVENT_DEVICE_PARTIAL};
	struct skm_refusal refusal = {.receipt = 77};
	uid_t uid = 77;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(others); i++) {
		struct skm_record record = refused();
		record.event = others[i];
		cr_expect_not(skm_refusal_from_record(&record, &uid, &refusal), "%s",
			skm_event_to_string(others[i]));
	}
	struct skm_record record = refused();
	record.user_uid = -1;
	cr_expect_not(skm_refusal_from_record(&record, &uid, &refusal), "nobody is logged in");
	record.user_uid = UINT32_MAX;
	cr_expect_not(skm_refusal_from_record(&record, &uid, &refusal), "a uid that nobody has");
	record = refused();
	record.at_start = true;
	cr_expect_not(skm_refusal_from_record(&record, &uid, &refusal), "it was there before");
	record = refused();
	record.sequence = 0;
	cr_expect_not(skm_refusal_from_record(&record, &uid, &refusal), "it is not on disk");
	record = refused();
	record.has_device = false;
	cr_expect_not(skm_refusal_from_record(&record, &uid, &refusal));
	cr_expect(uid == 77 && refusal.receipt == 77, "untouched");
	for (size_t i = 0; i < SKM_ARRAY_SIZE(refusals); i++) {
		record = refused();
		record.event = refusals[i];
		cr_assert(skm_refusal_from_record(&record, &uid, &refusal));
		cr_expect_eq(refusal.is_partial, refusals[i] == SKM_EVENT_DEVICE_PARTIAL);
	}
}

Test(refusal, a_hostile_name_is_harmless_and_short)
{
	struct skm_record record = refused();
	struct skm_refusal refusal;
	uid_t uid = 0;
	(void)strcpy(record.device.product, "\x1b]0;x\x07\u202egnp.exe\u200b\nA\xff");
	cr_assert(skm_refusal_from_record(&record, &uid, &refusal));
	cr_expect_str_eq(refusal.product, "\uFFFD]0;x\uFFFD\uFFFDgnp.exe\uFFFD\uFFFDA\uFFFD");
	memset(record.device.product, 'x', sizeof(record.device.product) - 1);
	cr_assert(skm_refusal_from_record(&record, &uid, &refusal));
	cr_expect_leq(strlen(refusal.product), 42u);
	cr_expect_str_eq(refusal.product + 39, "…");
	for (size_t i = 0; i + 3 < sizeof(record.device.product); i += 2)
		memcpy(record.device.product + i, "\u0301", 2); /* marks that take no column */
	cr_assert(skm_refusal_from_record(&record, &uid, &refusal));
	cr_expect_lt(strlen(refusal.product), sizeof(refusal.product));
}

Test(refusal, survives_the_wire_and_nothing_else_does)
{
	struct skm_refusal refusal = {.receipt = UINT64_MAX,
		.is_partial = true,
		.kind = SKM_KIND_VENDOR,
		.vendor_id = 0xffff,
		.product_id = 1};
	struct skm_refusal found = {0};
	uint8_t wire[1024];
	size_t len = 0;
	memset(refusal.product, 'p', sizeof(refusal.product) - 1);
	memset(refusal.reason, 'r', sizeof(refusal.reason) - 1);
	cr_assert_eq(skm_refusal_encode(&refusal, wire, sizeof(wire), &len), 0);
	cr_assert_eq(skm_refusal_decode(wire, len, &found), 0);
	cr_expect_eq(found.receipt, UINT64_MAX);
	cr_expect(found.is_partial);
	cr_expect_eq(found.kind, SKM_KIND_VENDOR);
	cr_expect_eq(found.vendor_id, 0xffff);
	cr_expect_eq(found.product_id, 1);
	cr_expect_str_eq(found.product, refusal.product);
	cr_expect_str_eq(found.reason, refusal.reason);
	for (size_t cut = 0; cut < len; cut++)
		cr_expect_eq(skm_refusal_decode(wire, cut, &found), -EBADMSG, "%zu", cut);
	cr_expect_eq(skm_refusal_decode(wire, len + 1, &found), -EBADMSG);
	cr_expect_eq(skm_refusal_encode(&refusal, wire, len - 1, &len), -ENOBUFS);
	refusal.kind = SKM_KIND_COUNT_;
	cr_expect_eq(skm_refusal_encode(&refusal, wire, sizeof(wire), &len), -EINVAL);
	refusal.kind = 0;
	refusal.receipt = 0;
	cr_expect_eq(skm_refusal_encode(&refusal, wire, sizeof(wire), &len), -EINVAL, "no receipt");
	memset(wire, 0, 8);
	cr_expect_eq(skm_refusal_decode(wire, len, &found), -EBADMSG, "no receipt");
}
