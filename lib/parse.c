// SPDX-License-Identifier: Apache-2.0
/* What people write, strictly: a value is taken whole or refused. strtoull(3) and strptime(3) were rejected:
 * they skip white space, take signs and leave a rest that is easily forgotten. */
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "sekimori/parse.h"

/* Reads decimal digits at *text and moves it behind them. -EINVAL without a digit, -ERANGE beyond 64 bits. */
static int take_digits(const char **text, uint64_t *ret_value)
{
	const char *at = *text;
	uint64_t value = 0;
	if (*at < '0' || *at > '9')
		return -EINVAL;
	bool is_too_large = false;
	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(value, 10u, &value) ||
			__builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			is_too_large = true; /* read on: "99999999999999999999x" is not a number at all */
	*text = at;
	*ret_value = value;
	return is_too_large ? -ERANGE : 0;
}

/* The factor that the rest of the text names, or 0. */
struct unit {
	const char *word;
	uint64_t factor;
};

static uint64_t unit_factor(const struct unit *units, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(units[i].word, word) == 0)
			return units[i].factor;
	return 0;
}

static int parse_with_unit(const char *text, const struct unit *units, size_t count, uint64_t min,
	uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	int r = take_digits(&text, &value);
	if (r == -EINVAL)
		return r;
	uint64_t factor = unit_factor(units, count, text);
	if (factor == 0)
		return -EINVAL;
	if (r < 0 || __builtin_mul_overflow(value, factor, &value) || value < min || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int skm_parse_uint(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	static const struct unit units[] = {{"", 1}};
	return parse_with_unit(text, units, SKM_ARRAY_SIZE(units), min, max, ret_value);
}

int skm_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *ret_bytes)
{
	static const struct unit units[] = {{"", 1}, {"K", 1u << 10}, {"M", 1u << 20}, {"G", 1u << 30}};
	return parse_with_unit(text, units, SKM_ARRAY_SIZE(units), min, max, ret_bytes);
}

int skm_parse_duration_ms(const char *text, uint64_t min_ms, uint64_t max_ms, uint64_t *ret_ms)
{
	static const struct unit units[] = {
		{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
	return parse_with_unit(text, units, SKM_ARRAY_SIZE(units), min_ms, max_ms, ret_ms);
}

/* Exactly `width` digits between min and max; moves *text. A width keeps "2026-1-1" and "20260-01-01" out. */
static int take_field(const char **text, unsigned width, int min, int max, int *ret_value)
{
	int value = 0;
	for (unsigned i = 0; i < width; i++) {
		char digit = (*text)[i];
		if (digit < '0' || digit > '9')
			return -EINVAL;
		value = value * 10 + (digit - '0');
	}
	if (value < min || value > max)
		return -EINVAL;
	*text += width;
	*ret_value = value;
	return 0;
}

static int take_char(const char **text, char wanted)
{
	if (**text != wanted)
		return -EINVAL;
	(*text)++;
	return 0;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month == 2 && is_leap ? 29 : days[month - 1];
}

/* "2026-12-31" into tm, moving *text. mktime(3) would turn 31 April into 1 May: the calendar is checked here.
 */
static int take_date(const char **text, struct tm *tm)
{
	int year = 0;
	int month = 0;
	int day = 0;
	if (take_field(text, 4, 1970, 9999, &year) < 0 || take_char(text, '-') < 0 ||
		take_field(text, 2, 1, 12, &month) < 0 || take_char(text, '-') < 0 ||
		take_field(text, 2, 1, days_in_month(year, month), &day) < 0)
		return -EINVAL;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	return 0;
}

/* "09:30", or "09:30:15" where the seconds are wanted or may be left out. Seconds go to 59: nobody schedules
 * by a leap second. */
static int take_time(const char **text, bool needs_seconds, struct tm *tm)
{
	if (take_field(text, 2, 0, 23, &tm->tm_hour) < 0 || take_char(text, ':') < 0 ||
		take_field(text, 2, 0, 59, &tm->tm_min) < 0)
		return -EINVAL;
	if (**text != ':')
		return needs_seconds ? -EINVAL : 0;
	(*text)++;
	return take_field(text, 2, 0, 59, &tm->tm_sec);
}

/* "Z" or "+09:00". */
static int take_offset(const char **text, int64_t *ret_offset_sec)
{
	if (take_char(text, 'Z') == 0) {
		*ret_offset_sec = 0;
		return 0;
	}
	int sign = **text == '-' ? -1 : 1;
	int hours = 0;
	int minutes = 0;
	if (**text != '+' && **text != '-')
		return -EINVAL;
	(*text)++;
	if (take_field(text, 2, 0, 23, &hours) < 0 || take_char(text, ':') < 0 ||
		take_field(text, 2, 0, 59, &minutes) < 0)
		return -EINVAL;
	*ret_offset_sec = sign * (hours * INT64_C(3600) + minutes * INT64_C(60));
	return 0;
}

/* Local time. tm_isdst < 0 lets the zone say whether summer time was in force on that day. */
static int64_t local_sec(struct tm tm)
{
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm);
}

int skm_parse_last_day(const char *text, int64_t *ret_end_sec)
{
	struct tm tm = {0};
	if (take_date(&text, &tm) < 0 || *text != '\0')
		return -EINVAL;
	tm.tm_mday++;
	*ret_end_sec = local_sec(tm);
	return 0;
}

static int parse_relative(const char *text, int64_t now_sec, int64_t *ret_sec)
{
	if (*text == '-') {
		uint64_t ago_ms = 0;
		int r = skm_parse_duration_ms(text + 1, 0, UINT64_C(1000) * INT32_MAX, &ago_ms);
		if (r == 0)
			*ret_sec = now_sec - (int64_t)(ago_ms / 1000);
		return r;
	}
	bool is_yesterday = strcmp(text, "yesterday") == 0;
	if (!is_yesterday && strcmp(text, "today") != 0)
		return -EINVAL;
	time_t now = (time_t)now_sec;
	struct tm tm;
	if (!localtime_r(&now, &tm))
		return -ERANGE;
	struct tm midnight = {
		.tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday - is_yesterday};
	*ret_sec = local_sec(midnight);
	return 0;
}

/* What follows the "T" of RFC 3339 §5.6: time, perhaps a fraction (dropped), and always an offset. */
static int parse_rfc3339_rest(const char *text, struct tm *tm, int64_t *ret_sec)
{
	if (take_time(&text, true, tm) < 0)
		return -EINVAL;
	if (*text == '.') {
		uint64_t fraction = 0;
		text++;
		if (take_digits(&text, &fraction) == -EINVAL)
			return -EINVAL;
	}
	int64_t offset_sec = 0;
	if (take_offset(&text, &offset_sec) < 0 || *text != '\0')
		return -EINVAL;
	*ret_sec = (int64_t)timegm(tm) - offset_sec;
	return 0;
}

int skm_parse_point_in_time(const char *text, int64_t now_sec, int64_t *ret_sec)
{
	if (*text < '0' || *text > '9')
		return parse_relative(text, now_sec, ret_sec);
	struct tm tm = {0};
	if (take_date(&text, &tm) < 0)
		return -EINVAL;
	if (*text == 'T')
		return parse_rfc3339_rest(text + 1, &tm, ret_sec);
	if (*text == ' ') {
		text++;
		if (take_time(&text, false, &tm) < 0)
			return -EINVAL;
	}
	if (*text != '\0')
		return -EINVAL;
	*ret_sec = local_sec(tm);
	return 0;
}
