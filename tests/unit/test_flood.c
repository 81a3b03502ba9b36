// SPDX-License-Identifier: Apache-2.0
/* In full plus counted is what came: for a loose contact, for a device that is another one each time, for
 * what hides among them, and for a million records at random. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "flood.h"
#include "sample_record.h"

#define SEC SKM_USEC_PER_SEC

static struct skm_flood *flood;
static struct skm_record record;
static uint64_t now_usec, full, counted, told;

static void setup(void)
{
	cr_assert_eq(skm_flood_new(&flood), 0);
	now_usec = 1000 * SEC;
	full = counted = told = 0;
	sample_record(SKM_EVENT_EXPORT_DENIED, &record);
	record.decision.verdict = SKM_VERDICT_DENY;
	record.decision.interface_allowed[0] = false;
}

static void teardown(void)
{
	flood = skm_flood_free(flood);
}

TestSuite(flood, .init = setup, .fini = teardown);

static bool take(void)
{
	record.time.boottime_usec = now_usec;
	record.time.realtime_usec = 1795219200000000 + (int64_t)now_usec;
	bool is_full = skm_flood_take(flood, &record);
	full += is_full;
	return is_full;
}

static struct skm_record last_count;

/* Takes in the counts that are due. */
static unsigned tell(bool is_all)
{
	unsigned records = 0;
	for (; skm_flood_next(flood, now_usec, is_all, &last_count); records++) {
		cr_assert_eq(last_count.event, SKM_EVENT_FLOOD_COUNTED);
		cr_assert_gt(last_count.count, 0);
		counted += last_count.count;
		told++;
	}
	return records;
}

static void set_serial(unsigned number)
{
	snprintf(record.device.serial, sizeof(record.device.serial), "S%u", number);
}

Test(flood, the_first_in_full_then_counts)
{
	for (unsigned i = 0; i < SKM_FLOOD_SAME_FULL; i++)
		cr_expect(take());
	cr_expect_eq(skm_flood_due_usec(flood), UINT64_MAX);
	cr_expect_eq(tell(true), 0);
	cr_expect_not(take());
	/* that it has begun is told at once */
	cr_expect_eq(skm_flood_due_usec(flood), now_usec);
	cr_expect_eq(tell(false), 1);
	cr_expect_eq(last_count.count, 1);
	for (unsigned i = 0; i < 999; i++) {
		now_usec += 50000;
		cr_assert_not(take());
		cr_assert_eq(tell(false), 0, "told before a minute is over");
	}
	now_usec = skm_flood_due_usec(flood);
	cr_expect_eq(now_usec, (1000 + SKM_FLOOD_WINDOW_SEC) * SEC);
	cr_expect_eq(tell(false), 1);
	cr_expect_eq(counted, 1000);
	cr_expect_eq(tell(true), 0, "told twice");
}

Test(flood, a_count_says_of_what_and_when)
{
	snprintf(record.detail, sizeof(record.detail), "was found open; closed");
	for (unsigned i = 1; i < SKM_FLOOD_SAME_FULL; i++)
		(void)take();
	for (unsigned i = 0; i < 7; i++, now_usec += SEC)
		(void)take();
	cr_assert_eq(tell(true), 1);
	cr_expect_eq(last_count.count, 6);
	cr_expect_str_eq(last_count.object, "EXPORT_DENIED");
	cr_expect(last_count.has_device);
	cr_expect_str_eq(last_count.device.serial, "4C530001");
	cr_expect_str_eq(last_count.user, "tanaka");
	cr_expect_str_eq(last_count.decision.rule, "builtin:default-deny");
	cr_expect_str_eq(last_count.detail,
		"6 more records EXPORT_DENIED, outcome blocked, of this device, of which all say the same, "
		"from 2026-11-21T09:16:41.000+09:00 to 2026-11-21T09:16:46.000+09:00: was found open; closed");
}

Test(flood, after_a_quiet_minute_it_is_written_again)
{
	for (unsigned i = 0; i < SKM_FLOOD_SAME_FULL + 6; i++)
		(void)take();
	cr_assert_eq(tell(false), 1);
	now_usec += SKM_FLOOD_WINDOW_SEC * SEC - 1;
	cr_expect_not(take(), "the minute is not over");
	now_usec++;
	cr_assert_eq(tell(false), 1);
	now_usec += SKM_FLOOD_WINDOW_SEC * SEC;
	cr_expect_eq(tell(true), 0);
	for (unsigned i = 0; i < SKM_FLOOD_SAME_FULL; i++)
		cr_expect(take(), "%u", i);
	cr_expect_not(take());
}

/* One every minute is no flood, however long. */
Test(flood, what_comes_seldom_is_never_counted)
{
	for (unsigned i = 0; i < 1000; i++, now_usec += 15 * SEC)
		cr_assert(take(), "%u", i);
}

/* What was not told when it was due (the disk was full) is not forgotten, and the flood goes on. */
Test(flood, a_count_that_waits_grows)
{
	for (unsigned i = 0; i < SKM_FLOOD_SAME_FULL + 1; i++)
		(void)take();
	now_usec += 3600 * SEC;
	cr_expect_not(take());
	cr_assert_eq(tell(false), 1);
	cr_expect_eq(last_count.count, 2);
}

Test(flood, whatever_differs_is_written)
{
	struct skm_record same = record;
	for (unsigned i = 0; i < 2 * SKM_FLOOD_SAME_FULL; i++)
		(void)take();
#define OTHER(change)                             \
	do {                                      \
		record = same;                    \
		change;                           \
		cr_expect(take(), "%s", #change); \
	} while (0)
	OTHER(record.device.serial[0] = 'X');
	OTHER(record.device.product[0] = 'X');
	OTHER(record.device.manufacturer[0] = 'X');
	OTHER(record.device.descriptor_hash[31] ^= 1);
	OTHER(record.device.vendor_id++);
	OTHER(record.device.product_id++);
	OTHER(record.device.release++);
	OTHER(record.device.port[2] = '4');
	OTHER(record.decision.rule[0] = 'X');
	OTHER(record.event = SKM_EVENT_DEVICE_REMOVED);
	OTHER(record.outcome = SKM_OUTCOME_ERROR);
	OTHER(record.user[0] = 'X');
	OTHER(record.login_user[0] = 'X');
	OTHER(record.user_uid++);
	OTHER(record.policy_version[0] = 'X');
	OTHER(snprintf(record.detail, sizeof(record.detail), "opened by another hand"));
	/* and not, what the kernel counts up each time */
	record = same;
	record.device.device_number++;
	cr_expect_not(take());
}

/* Neither memory nor disk is filled by a device that makes itself new each time; at another port of the
 * machine, and by another rule, all is written. */
Test(flood, another_identity_each_time)
{
	for (unsigned i = 0; i < 3000; i++) {
		set_serial(i);
		snprintf(record.device.port, sizeof(record.device.port), "1-2.%u", i % 7 + 1);
		(void)take();
	}
	cr_expect_eq(full, SKM_FLOOD_WIDE_FULL);
	struct skm_record of_flood = record;
	snprintf(record.device.port, sizeof(record.device.port), "1-3");
	cr_expect(take(), "at another port");
	record = of_flood;
	snprintf(record.decision.rule, sizeof(record.decision.rule), "office-printer");
	cr_expect(take(), "by another rule");
	record = of_flood;
	cr_expect_eq(tell(true), 1);
	cr_expect_eq(last_count.count, 3000 - SKM_FLOOD_WIDE_FULL);
	cr_expect_not(last_count.has_device);
	cr_expect_eq(last_count.user_uid, -1);
	cr_expect_str_eq(last_count.rule, "builtin:default-deny");
	cr_expect_not_null(strstr(last_count.detail, "at port 1-2 and behind it"), "%s", last_count.detail);
}

/* More ports and rules than are told apart: counted by event. */
Test(flood, more_ports_than_are_told_apart)
{
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(record.device.port, sizeof(record.device.port), "%u-1", i);
		(void)take();
	}
	cr_expect_eq(full, SKM_FLOOD_PORT_MAX + SKM_FLOOD_WIDE_FULL);
	cr_assert_eq(tell(true), 1);
	cr_expect_eq(last_count.count, 2000 - full);
	cr_expect_str_eq(last_count.object, "EXPORT_DENIED");
	cr_expect_not_null(strstr(last_count.detail, "more ports"), "%s", last_count.detail);
	/* another event has its own */
	record.event = SKM_EVENT_DEVICE_REMOVED;
	cr_expect(take());
}

Test(flood, what_may_carry_data_out_is_never_counted)
{
	static const enum skm_event events[] = {SKM_EVENT_DEVICE_ALLOWED, SKM_EVENT_DEVICE_PARTIAL,
		SKM_EVENT_DEVICE_REMOVED, SKM_EVENT_DEVICE_CHANGED, SKM_EVENT_DEVICE_OBSERVED,
		SKM_EVENT_SYSTEM_DISK};
	record.decision.verdict = SKM_VERDICT_PARTIAL;
	record.decision.interface_allowed[1] = true; /* the disk */
	for (size_t i = 0; i < SKM_ARRAY_SIZE(events); i++) {
		record.event = events[i];
		for (unsigned k = 0; k < 2 * SKM_FLOOD_WIDE_FULL; k++)
			cr_assert(take(), "%s", skm_event_to_string(events[i]));
	}
	/* the keyboard alone may be */
	record.decision.interface_allowed[0] = true;
	record.decision.interface_allowed[1] = false;
	record.event = SKM_EVENT_DEVICE_PARTIAL;
	for (unsigned k = 0; k < SKM_FLOOD_SAME_FULL + 6; k++)
		(void)take();
	cr_expect_eq(tell(true), 1);
}

Test(flood, what_no_device_does_is_never_counted)
{
	for (unsigned event = 0; event < SKM_EVENT_COUNT_; event++) {
		sample_record((enum skm_event)event, &record);
		if (event <= SKM_EVENT_DEVICE_ERROR || event == SKM_EVENT_UEVENT_OVERFLOW ||
			event == SKM_EVENT_CONTROLLER_CLOSED)
			continue;
		for (unsigned i = 0; i < 2 * SKM_FLOOD_WIDE_FULL; i++)
			cr_assert(take(), "%s", skm_event_to_string((enum skm_event)event));
	}
	record.event = SKM_EVENT_COUNT_;
	cr_expect(take());
}

/* An overflow tells in its detail how many there were. */
Test(flood, overflows_are_the_same_whatever_their_number)
{
	sample_record(SKM_EVENT_UEVENT_OVERFLOW, &record);
	for (unsigned i = 0; i < 500; i++) {
		snprintf(record.detail, sizeof(record.detail), "%u times", i);
		(void)take();
	}
	cr_expect_eq(full, SKM_FLOOD_SAME_FULL);
	cr_expect_eq(tell(true), 1);
	cr_expect_eq(counted, 500 - SKM_FLOOD_SAME_FULL);
	cr_expect_str_eq(last_count.rule, "builtin:agent");
}

static unsigned random_below(unsigned limit)
{
	static unsigned seed = 4;
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % limit;
}

/* Half an hour of it: loose contacts, changing identities, and one stick that is there once. */
Test(flood, nothing_is_lost_among_a_million)
{
	static const enum skm_event events[] = {
		SKM_EVENT_EXPORT_DENIED, SKM_EVENT_DEVICE_REMOVED, SKM_EVENT_DEVICE_ERROR};
	uint64_t taken = 0;
	bool is_hidden_full = false;
	for (unsigned i = 0; i < 1000000; i++, taken++) {
		if (i == 614159) {
			struct skm_record of_flood = record;
			sample_record(SKM_EVENT_EXPORT_DENIED, &record);
			record.decision.verdict = SKM_VERDICT_DENY;
			snprintf(record.device.port, sizeof(record.device.port), "2-1");
			is_hidden_full = take();
			record = of_flood;
			continue;
		}
		now_usec += random_below(3500);
		record.event = events[random_below(3)];
		snprintf(record.device.port, sizeof(record.device.port), "1-%u", random_below(4));
		set_serial(random_below(2) ? random_below(1000000) : random_below(20));
		(void)take();
		if (random_below(5000) == 0)
			(void)tell(true);
		else if (now_usec >= skm_flood_due_usec(flood))
			(void)tell(false);
	}
	(void)tell(true);
	cr_expect(is_hidden_full, "the one among a million");
	cr_expect_eq(full + counted, taken, "%llu in full, %llu counted, of %llu", (unsigned long long)full,
		(unsigned long long)counted, (unsigned long long)taken);
	cr_expect_lt(full + told, 200000, "%llu in full and %llu counts fill the disk",
		(unsigned long long)full, (unsigned long long)told);
}

Test(flood, nobody_is_freed_twice)
{
	cr_expect_null(skm_flood_free(NULL));
}
