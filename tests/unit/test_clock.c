// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "sekimori/clock.h"
#include "sekimori/result.h"

struct sample {
	int64_t realtime_usec;
	int32_t utc_offset_sec;
	char expected[SKM_RFC3339_BYTES];
};

static const struct sample samples[] = {
	{0, 0, "1970-01-01T00:00:00.000+00:00"},
	{1795219200123456, 32400, "2026-11-21T09:00:00.123+09:00"},
	{1795219200999999, -12600, "2026-11-20T20:30:00.999-03:30"},
	{951782400000000, 0, "2000-02-29T00:00:00.000+00:00"},
	{-1, 0, "1969-12-31T23:59:59.999+00:00"},
	{-1000000, 3600, "1970-01-01T00:59:59.000+01:00"},
	{253402300799999999, 0, "9999-12-31T23:59:59.999+00:00"},
	/* out of what RFC 3339 can say: the nearest that it can */
	{253402300799999999, 32400, "9999-12-31T23:59:59.000+09:00"},
	{INT64_MAX, 0, "9999-12-31T23:59:59.000+00:00"},
	{INT64_MIN, 0, "0000-01-01T00:00:00.000+00:00"},
	{0, INT32_MAX, "1970-01-01T00:00:00.000+00:00"},
	{0, INT32_MIN, "1970-01-01T00:00:00.000+00:00"},
	{0, 86399, "1970-01-01T23:59:00.000+23:59"},
	{0, -1, "1970-01-01T00:00:00.000+00:00"},
};

Test(clock, formats)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(samples); i++) {
		struct skm_timestamp timestamp = {.realtime_usec = samples[i].realtime_usec,
			.utc_offset_sec = samples[i].utc_offset_sec};
		char text[SKM_RFC3339_BYTES];
		skm_timestamp_format(&timestamp, text);
		cr_expect_str_eq(text, samples[i].expected);
	}
}

Test(clock, system_goes_forward)
{
	struct skm_clock clock = skm_clock_system();
	struct skm_timestamp a, b;
	clock.now(clock.user, &a);
	clock.now(clock.user, &b);
	cr_expect_geq(b.monotonic_usec, a.monotonic_usec);
	cr_expect_geq(b.boottime_usec, a.boottime_usec);
	cr_expect_geq(a.boottime_usec, a.monotonic_usec / 2, "the boot clock includes the monotonic one");
	cr_expect_lt(llabs(a.realtime_usec / 1000000 - (int64_t)time(NULL)), 3);
	if (!a.is_synchronised)
		cr_expect_eq(a.offset_usec, 0);
}

Test(clock, knows_the_zone)
{
	setenv("TZ", "JST-9", 1);
	tzset();
	struct skm_clock clock = skm_clock_system();
	struct skm_timestamp now;
	clock.now(clock.user, &now);
	cr_expect_eq(now.utc_offset_sec, 32400);
}

Test(clock, reads_the_boot_id)
{
	char first[SKM_BOOT_ID_BYTES], second[SKM_BOOT_ID_BYTES];
	cr_assert_eq(skm_boot_id_read(first), 0);
	cr_assert_eq(skm_boot_id_read(second), 0);
	cr_expect_str_eq(first, second);
	cr_expect_eq(strspn(first, "0123456789abcdef"), SKM_BOOT_ID_BYTES - 1);
}

static struct skm_timestamp at(int64_t real_sec, uint64_t boot_sec, uint64_t awake_sec)
{
	return (struct skm_timestamp){.realtime_usec = real_sec * (int64_t)SKM_USEC_PER_SEC,
		.boottime_usec = boot_sec * SKM_USEC_PER_SEC,
		.monotonic_usec = awake_sec * SKM_USEC_PER_SEC};
}

Test(clock, tells_setting_from_sleeping)
{
	const int64_t least = 2 * (int64_t)SKM_USEC_PER_SEC;
	struct skm_clock_marks marks;
	struct skm_timestamp now = at(1000, 50, 50);
	skm_clock_mark(&marks, &now);
	now = at(1100, 150, 150);
	cr_expect_eq(skm_clock_moved_usec(&marks, &now, least), 0, "time went by");
	cr_expect_eq(skm_clock_slept_usec(&marks, &now, least), 0);
	now = at(1800, 850, 250);
	cr_expect_eq(skm_clock_moved_usec(&marks, &now, least), 0, "asleep, and the clock went on");
	cr_expect_eq(skm_clock_slept_usec(&marks, &now, least), 600000000);
	cr_expect_eq(skm_clock_slept_usec(&marks, &now, least), 0, "told once");
	now = at(1800, 850, 255);
	cr_expect_eq(skm_clock_slept_usec(&marks, &now, least), 0, "nobody sleeps backwards");
	now = at(1800 - 3600, 850, 250);
	cr_expect_eq(skm_clock_moved_usec(&marks, &now, least), -3600000000LL);
	cr_expect_eq(skm_clock_moved_usec(&marks, &now, least), 0, "told once");
	now = at(1800 - 3599, 850, 250);
	cr_expect_eq(skm_clock_moved_usec(&marks, &now, least), 0, "a small step");
	now = at(1800 - 3597, 850, 250);
	cr_expect_eq(skm_clock_moved_usec(&marks, &now, least), 3000000, "small steps add up");
}

/* After 2038, too: a date that has come would ring for ever. */
Test(clock, the_watch_never_rings_by_itself)
{
	int fd = -1;
	struct itimerspec left;
	const time_t century = (time_t)100 * 365 * 86400;
	cr_assert_eq(skm_clock_watch_open(&fd), 0);
	cr_assert_eq(timerfd_gettime(fd, &left), 0);
	cr_expect_gt(left.it_value.tv_sec, century, "rings in %lld s", (long long)left.it_value.tv_sec);
	cr_assert_eq(skm_clock_watch_renew(fd), 0);
	cr_assert_eq(timerfd_gettime(fd, &left), 0);
	cr_expect_gt(left.it_value.tv_sec, century, "rings in %lld s", (long long)left.it_value.tv_sec);
	(void)close(fd);
}
