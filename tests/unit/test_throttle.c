// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>

#include "throttle.h"

#define NOON INT64_C(1795230000)

static const struct skm_throttle_limits limits = {.free_tries = 5, .delay_sec = 900, .delay_max_sec = 14400};
static const uint8_t this_boot[16] = {1, 2, 3}, next_boot[16] = {9};

static struct skm_timestamp at(int64_t realtime_sec, uint64_t boottime_sec)
{
	return (struct skm_timestamp){
		.realtime_usec = realtime_sec * 1000000, .boottime_usec = boottime_sec * 1000000};
}

/* `count` failures in a row, all at noon, an hour after the machine was switched on. */
static struct skm_throttle failed(uint32_t count)
{
	struct skm_throttle throttle = {0};
	struct skm_timestamp now = at(NOON, 3600);
	for (uint32_t i = 0; i < count; i++)
		skm_throttle_reserve(&throttle, &now, this_boot);
	return throttle;
}

static uint32_t wait_at(const struct skm_throttle *throttle, int64_t realtime_sec, uint64_t boottime_sec,
	const uint8_t boot_id[16])
{
	struct skm_timestamp now = at(realtime_sec, boottime_sec);
	return skm_throttle_wait_sec(throttle, &limits, &now, boot_id);
}

Test(throttle, free_tries_then_doubling_up_to_the_limit)
{
	static const struct {
		uint32_t failures, wait_sec;
	} cases[] = {{0, 0}, {1, 0}, {4, 0}, {5, 900}, {6, 1800}, {7, 3600}, {8, 7200}, {9, 14400},
		{10, 14400}, {100, 14400}};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		struct skm_throttle throttle = failed(cases[i].failures);
		cr_expect(throttle.failures == cases[i].failures);
		uint32_t wait_sec = wait_at(&throttle, NOON, 3600, this_boot);
		cr_expect(wait_sec == cases[i].wait_sec, "%u failures: %u s", cases[i].failures, wait_sec);
	}
}

Test(throttle, numbers_do_not_run_over)
{
	struct skm_throttle throttle = failed(1);
	throttle.failures = UINT32_MAX;
	cr_assert(wait_at(&throttle, NOON, 3600, this_boot) == 14400);
	struct skm_timestamp now = at(NOON, 3600);
	skm_throttle_reserve(&throttle, &now, this_boot);
	cr_assert(throttle.failures == UINT32_MAX, "a further failure does not begin again at nought");
	const struct skm_throttle_limits widest = {1, UINT32_MAX - 1, UINT32_MAX};
	cr_assert(skm_throttle_wait_sec(&throttle, &widest, &now, this_boot) == UINT32_MAX);
	for (uint32_t failures = 1; failures < 200; failures++) {
		const struct skm_throttle_limits wide = {1, 1, UINT32_MAX};
		throttle.failures = failures;
		uint32_t wanted = failures <= 32 ? 1u << (failures - 1) : UINT32_MAX;
		cr_assert(skm_throttle_wait_sec(&throttle, &wide, &now, this_boot) == wanted, "%u", failures);
	}
}

Test(throttle, first_wait_longer_than_the_longest)
{
	struct skm_throttle throttle = failed(5);
	struct skm_timestamp now = at(NOON, 3600);
	const struct skm_throttle_limits crossed = {5, 900, 60};
	cr_assert(skm_throttle_wait_sec(&throttle, &crossed, &now, this_boot) == 60);
}

Test(throttle, released_by_itself_to_the_microsecond)
{
	struct skm_throttle throttle = failed(5);
	cr_assert(wait_at(&throttle, NOON, 3600 + 1, this_boot) == 899);
	cr_assert(wait_at(&throttle, NOON, 3600 + 899, this_boot) == 1);
	cr_assert(wait_at(&throttle, NOON, 3600 + 900, this_boot) == 0);
	struct skm_timestamp now = at(NOON, 3600 + 899);
	now.boottime_usec += 1;
	cr_assert(skm_throttle_wait_sec(&throttle, &limits, &now, this_boot) == 1, "rounded up");
	now.boottime_usec += 999998;
	cr_assert(skm_throttle_wait_sec(&throttle, &limits, &now, this_boot) == 1, "rounded up");
	cr_assert(throttle.failures == 5, "the next failure waits twice as long");
}

Test(throttle, setting_the_clock_changes_nothing_within_a_boot)
{
	struct skm_throttle throttle = failed(5);
	cr_assert(wait_at(&throttle, NOON + 365 * 86400, 3600 + 10, this_boot) == 890);
	cr_assert(wait_at(&throttle, NOON - 365 * 86400, 3600 + 10, this_boot) == 890);
	cr_assert(wait_at(&throttle, 0, 3600 + 900, this_boot) == 0);
}

Test(throttle, restart_counts_the_wall_clock)
{
	struct skm_throttle throttle = failed(5);
	cr_assert(wait_at(&throttle, NOON + 60, 20, next_boot) == 840);
	cr_assert(wait_at(&throttle, NOON + 899, 20, next_boot) == 1);
	cr_assert(wait_at(&throttle, NOON + 900, 20, next_boot) == 0);
}

Test(throttle, restart_with_the_clock_set_back_waits_from_power_on)
{
	struct skm_throttle throttle = failed(5);
	cr_assert(wait_at(&throttle, NOON - 86400, 20, next_boot) == 880);
	cr_assert(wait_at(&throttle, 0, 899, next_boot) == 1);
	cr_assert(wait_at(&throttle, 0, 900, next_boot) == 0, "an empty battery locks nobody out");
	cr_assert(wait_at(&throttle, NOON + 10, 300, next_boot) == 600, "the longer of the two");
}

Test(throttle, failure_under_a_clock_that_was_ahead)
{
	struct skm_throttle throttle = {0};
	struct skm_timestamp wrong = at(INT64_C(2145916800), 50); /* 2038 */
	for (int i = 0; i < 5; i++)
		skm_throttle_reserve(&throttle, &wrong, this_boot);
	cr_assert(wait_at(&throttle, NOON, 100, next_boot) == 800);
	cr_assert(wait_at(&throttle, NOON, 900, next_boot) == 0);
}

/* What a damaged state may hold: a wait, but never one without end. */
Test(throttle, senseless_times)
{
	struct skm_throttle throttle = failed(5);
	throttle.boottime_usec = UINT64_MAX;
	cr_assert(wait_at(&throttle, NOON, 100, this_boot) == 800);
	cr_assert(wait_at(&throttle, NOON, 900, this_boot) == 0);
	throttle.realtime_sec = INT64_MAX;
	cr_assert(wait_at(&throttle, NOON, 100, next_boot) == 800);
	throttle.realtime_sec = INT64_MIN;
	cr_assert(wait_at(&throttle, NOON, 100, next_boot) == 800);
	throttle.realtime_sec = -INT64_C(9000000000000);
	cr_assert(wait_at(&throttle, INT64_C(9000000000000), 100, next_boot) == 800);
}

Test(throttle, reserve_remembers_the_last_failure)
{
	struct skm_throttle throttle = failed(4);
	struct skm_timestamp later = at(NOON + 7, 3607);
	skm_throttle_reserve(&throttle, &later, next_boot);
	cr_assert(throttle.failures == 5);
	cr_assert(memcmp(throttle.boot_id, next_boot, 16) == 0);
	cr_assert(throttle.boottime_usec == 3607000000 && throttle.realtime_sec == NOON + 7);
}

Test(throttle, clear_forgets_all)
{
	static const struct skm_throttle none;
	struct skm_throttle throttle = failed(50);
	skm_throttle_clear(&throttle);
	cr_assert(throttle.failures == 0 && throttle.boottime_usec == none.boottime_usec);
	cr_assert(wait_at(&throttle, NOON, 3600, this_boot) == 0);
	cr_assert(wait_at(&throttle, 0, 0, none.boot_id) == 0);
}

/* 100 consecutive failures (NIST SP 800-63B, 3.2.2) take more than two weeks with the defaults. */
Test(throttle, hundred_failures_take_weeks)
{
	struct skm_throttle throttle = {0};
	uint64_t boottime_sec = 0;
	for (int i = 0; i < 100; i++) {
		boottime_sec += wait_at(&throttle, NOON, boottime_sec, this_boot);
		struct skm_timestamp now = at(NOON, boottime_sec);
		cr_assert(skm_throttle_wait_sec(&throttle, &limits, &now, this_boot) == 0);
		skm_throttle_reserve(&throttle, &now, this_boot);
	}
	cr_assert(boottime_sec > 14 * UINT64_C(86400), "%llu s", (unsigned long long)boottime_sec);
}
