// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "sekimori/parse.h"

#define UNTOUCHED 4711

struct uint_case {
	char text[32];
	uint64_t min, max;
	int result;
	uint64_t value;
};

typedef int (*parse_fn)(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

static void check(parse_fn parse, const struct uint_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = UNTOUCHED;
		int r = parse(cases[i].text, cases[i].min, cases[i].max, &value);
		cr_expect(r == cases[i].result, "\"%s\": %d, not %d", cases[i].text, r, cases[i].result);
		cr_expect(value == (r == 0 ? cases[i].value : UNTOUCHED), "\"%s\": value", cases[i].text);
	}
}

Test(parse, uint)
{
	static const struct uint_case cases[] = {
		{"0", 0, 10, 0, 0},
		{"10", 0, 10, 0, 10},
		{"007", 0, 10, 0, 7},
		{"18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX},
		{"18446744073709551616", 0, UINT64_MAX, -ERANGE, 0},
		{"99999999999999999999999", 0, UINT64_MAX, -ERANGE, 0},
		{"11", 0, 10, -ERANGE, 0},
		{"1", 2, 10, -ERANGE, 0},
		{"", 0, 10, -EINVAL, 0},
		{"-1", 0, 10, -EINVAL, 0},
		{"+1", 0, 10, -EINVAL, 0},
		{" 1", 0, 10, -EINVAL, 0},
		{"1 ", 0, 10, -EINVAL, 0},
		{"1\n", 0, 10, -EINVAL, 0},
		{"0x1", 0, 10, -EINVAL, 0},
		{"1.0", 0, 10, -EINVAL, 0},
		{"99999999999999999999999x", 0, 10, -EINVAL, 0},
	};
	check(skm_parse_uint, cases, SKM_ARRAY_SIZE(cases));
}

Test(parse, size)
{
	static const struct uint_case cases[] = {
		{"512", 0, UINT64_MAX, 0, 512},
		{"4K", 0, UINT64_MAX, 0, 4096},
		{"16M", 0, UINT64_MAX, 0, 16777216},
		{"1G", 0, 1073741824, 0, 1073741824},
		{"2G", 0, 1073741824, -ERANGE, 0},
		{"17179869184G", 0, UINT64_MAX, -ERANGE, 0}, /* 2^64 */
		{"17179869183G", 0, UINT64_MAX, 0, UINT64_C(17179869183) << 30},
		{"K", 0, UINT64_MAX, -EINVAL, 0},
		{"4k", 0, UINT64_MAX, -EINVAL, 0},
		{"4KB", 0, UINT64_MAX, -EINVAL, 0},
		{"4 K", 0, UINT64_MAX, -EINVAL, 0},
		{"-4K", 0, UINT64_MAX, -EINVAL, 0},
		{"1.5M", 0, UINT64_MAX, -EINVAL, 0},
	};
	check(skm_parse_size, cases, SKM_ARRAY_SIZE(cases));
}

Test(parse, duration)
{
	static const struct uint_case cases[] = {
		{"250ms", 0, UINT64_MAX, 0, 250},
		{"30s", 0, UINT64_MAX, 0, 30000},
		{"10min", 0, UINT64_MAX, 0, 600000},
		{"2h", 0, UINT64_MAX, 0, 7200000},
		{"1d", 0, UINT64_MAX, 0, 86400000},
		{"100ms", 100, 60000, 0, 100},
		{"99ms", 100, 60000, -ERANGE, 0},
		{"60001ms", 100, 60000, -ERANGE, 0},
		{"1min", 100, 60000, 0, 60000},
		{"99999999999999999d", 0, UINT64_MAX, -ERANGE, 0},
		{"5", 0, UINT64_MAX, -EINVAL, 0},
		{"5m", 0, UINT64_MAX, -EINVAL, 0}, /* minutes or months? */
		{"5 s", 0, UINT64_MAX, -EINVAL, 0},
		{"s", 0, UINT64_MAX, -EINVAL, 0},
		{"1h30min", 0, UINT64_MAX, -EINVAL, 0},
		{"-1s", 0, UINT64_MAX, -EINVAL, 0},
		{"", 0, UINT64_MAX, -EINVAL, 0},
	};
	check(skm_parse_duration_ms, cases, SKM_ARRAY_SIZE(cases));
}

static void use_zone(const char *zone)
{
	cr_assert(setenv("TZ", zone, 1) == 0);
	tzset();
}

static int64_t utc(int year, int month, int day, int hour, int minute, int second)
{
	struct tm tm = {.tm_year = year - 1900,
		.tm_mon = month - 1,
		.tm_mday = day,
		.tm_hour = hour,
		.tm_min = minute,
		.tm_sec = second};
	return timegm(&tm);
}

Test(parse, last_day_ends_at_local_midnight)
{
	int64_t end = UNTOUCHED;
	use_zone("JST-9");
	cr_assert(skm_parse_last_day("2026-12-31", &end) == 0);
	cr_assert(end == utc(2026, 12, 31, 15, 0, 0), "2027-01-01T00:00+09:00");
	cr_assert(skm_parse_last_day("2028-02-29", &end) == 0);
	cr_assert(end == utc(2028, 2, 29, 15, 0, 0));
	use_zone("UTC0");
	cr_assert(skm_parse_last_day("2026-12-31", &end) == 0);
	cr_assert(end == utc(2027, 1, 1, 0, 0, 0));
	/* a day of 23 hours: the midnight after it is still a midnight */
	use_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	cr_assert(skm_parse_last_day("2026-03-29", &end) == 0);
	cr_assert(end == utc(2026, 3, 29, 22, 0, 0));
}

Test(parse, last_day_that_does_not_exist)
{
	static const char cases[][24] = {"", "2026", "2026-12", "2026-12-32", "2026-00-10", "2026-13-01",
		"2026-04-31", "2026-02-29", "2100-02-29", "2026-1-1", "20260-01-01", "2026/12/31",
		"2026-12-31 ", " 2026-12-31", "2026-12-31T00:00:00Z", "令和8年", "0000-01-01", "1969-12-31",
		"-026-01-01", "2026-12-0x"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		int64_t end = UNTOUCHED;
		cr_expect(skm_parse_last_day(cases[i], &end) == -EINVAL, "\"%s\"", cases[i]);
		cr_expect(end == UNTOUCHED, "\"%s\"", cases[i]);
	}
}

Test(parse, point_in_time)
{
	use_zone("JST-9");
	const int64_t now = utc(2026, 11, 21, 3, 4, 5); /* 12:04:05 in Japan */
	static const struct {
		char text[40];
		int64_t wanted;
	} cases[] = {
		{"2026-11-21T09:00:00+09:00", 1795219200},
		{"2026-11-21T00:00:00Z", 1795219200},
		{"2026-11-21T00:00:00.999999Z", 1795219200},
		{"2026-11-20T18:30:00-05:30", 1795219200},
		{"2026-11-21", 1795219200 - 9 * 3600},
		{"2026-11-21 09:00", 1795219200},
		{"2026-11-21 09:00:07", 1795219207},
		{"today", 1795219200 - 9 * 3600},
		{"yesterday", 1795219200 - 33 * 3600},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		int64_t sec = UNTOUCHED;
		cr_expect(skm_parse_point_in_time(cases[i].text, now, &sec) == 0, "\"%s\"", cases[i].text);
		cr_expect(sec == cases[i].wanted, "\"%s\": %lld", cases[i].text, (long long)sec);
	}
	int64_t sec = 0;
	cr_assert(skm_parse_point_in_time("-2h", now, &sec) == 0 && sec == now - 7200);
	cr_assert(skm_parse_point_in_time("-30min", now, &sec) == 0 && sec == now - 1800);
}

Test(parse, point_in_time_that_is_none)
{
	static const char cases[][40] = {"", "now", "Today", "tomorrow", "2h", "-2", "- 2h", "-",
		"2026-11-21T09:00:00", "2026-11-21T09:00Z", "2026-11-21T09:00:00.Z", "2026-11-21T09:00:00z",
		"2026-11-21T24:00:00Z", "2026-11-21T09:60:00Z", "2026-11-21T09:00:60Z", "2026-11-21 9:00",
		"2026-11-21 09", "2026-11-21 09:00 ", "2026-11-21T09:00:00+0900", "2026-11-21T09:00:00+24:00",
		"2026-11-21T09:00:00Zx", "2026-02-30"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		int64_t sec = UNTOUCHED;
		cr_expect(skm_parse_point_in_time(cases[i], 0, &sec) == -EINVAL, "\"%s\"", cases[i]);
		cr_expect(sec == UNTOUCHED, "\"%s\"", cases[i]);
	}
}
