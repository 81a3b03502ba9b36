// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/json.h"

static char buf[4096];

static void check_string(const char *value, const char *expected)
{
	struct skm_json json;
	skm_json_init(&json, buf, sizeof(buf));
	skm_json_string(&json, NULL, value);
	cr_expect_str_eq(buf, expected);
	cr_expect_eq(json.len, strlen(expected));
	cr_expect_not(json.has_overflowed);
}

Test(json, nests_and_separates)
{
	struct skm_json json;
	skm_json_init(&json, buf, sizeof(buf));
	skm_json_object_begin(&json, NULL);
	skm_json_string(&json, "a", "x");
	skm_json_array_begin(&json, "list");
	skm_json_uint(&json, NULL, UINT64_MAX);
	skm_json_int(&json, NULL, INT64_MIN);
	skm_json_object_begin(&json, NULL);
	skm_json_object_end(&json);
	skm_json_array_begin(&json, NULL);
	skm_json_array_end(&json);
	skm_json_bool(&json, NULL, true);
	skm_json_array_end(&json);
	skm_json_bool(&json, "b", false);
	skm_json_null(&json, "c");
	skm_json_printf(&json, "d", "%u:\"%s\"", 7u, "q");
	skm_json_object_end(&json);
	cr_expect_str_eq(buf, "{\"a\":\"x\",\"list\":[18446744073709551615,-9223372036854775808,{},[],true],"
			      "\"b\":false,\"c\":null,\"d\":\"7:\\\"q\\\"\"}");
	cr_expect_not(json.has_overflowed);
}

Test(json, escapes_every_control_byte)
{
	for (unsigned byte = 1; byte < 0x80; byte++) {
		char value[2] = {(char)byte, '\0'};
		char expected[16];
		if (byte < 0x20 || byte == 0x7f)
			snprintf(expected, sizeof(expected), "\"\\u%04x\"", byte);
		else if (byte == '"' || byte == '\\')
			snprintf(expected, sizeof(expected), "\"\\%c\"", (int)byte);
		else
			snprintf(expected, sizeof(expected), "\"%c\"", (int)byte);
		check_string(value, expected);
	}
}

Test(json, escapes_what_deceives_the_eye)
{
	check_string("a\xe2\x80\xa8z", "\"a\\u2028z\"");
	check_string("\xe2\x80\xa9", "\"\\u2029\"");
	check_string("\xe2\x80\xaa\xe2\x80\xae", "\"\\u202a\\u202e\"");
	check_string("\xe2\x81\xa6\xe2\x81\xa9", "\"\\u2066\\u2069\"");
	check_string("\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c", "\"\\u200e\\u200f\\u061c\"");
	check_string("\xc2\x80\xc2\x9b\xc2\x9f", "\"\\u0080\\u009b\\u009f\"");
	/* neighbours stay as they are */
	check_string("\xc2\xa0\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
		"\"\xc2\xa0\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa\"");
}

/* Plain texts are looked at eight bytes at a time: so each byte at each place of texts of each length, before
 * and behind plain ones and itself. */
Test(json, finds_what_to_escape_at_every_place)
{
	for (unsigned byte = 1; byte < 0x100; byte++) {
		char unit[8];
		if (byte == '"' || byte == '\\')
			snprintf(unit, sizeof(unit), "\\%c", (int)byte);
		else if (byte < 0x20 || byte == 0x7f)
			snprintf(unit, sizeof(unit), "\\u%04x", byte);
		else if (byte > 0x7f)
			snprintf(unit, sizeof(unit), "\xef\xbf\xbd");
		else
			snprintf(unit, sizeof(unit), "%c", (int)byte);
		for (size_t len = 1; len <= 20; len++) {
			for (size_t first = 0; first < len; first++) {
				for (size_t times = 1; times <= 2 && first + times <= len; times++) {
					char value[32], expected[64];
					memset(value, ' ', len);
					memset(value + first, (int)byte, times);
					value[len] = '\0';
					snprintf(expected, sizeof(expected), "\"%*s%s%s%*s\"", (int)first, "",
						unit, times > 1 ? unit : "", (int)(len - first - times), "");
					check_string(value, expected);
				}
			}
		}
	}
}

Test(json, writes_numbers_of_every_length)
{
	struct skm_json json;
	skm_json_init(&json, buf, sizeof(buf));
	skm_json_array_begin(&json, NULL);
	skm_json_uint(&json, NULL, 0);
	skm_json_int(&json, NULL, 0);
	skm_json_int(&json, NULL, INT64_MAX);
	for (uint64_t power = 10; power < UINT64_C(10000000000000000000); power *= 10) {
		char expected[64];
		size_t before = json.len;
		skm_json_uint(&json, NULL, power - 1);
		skm_json_int(&json, NULL, -(int64_t)power);
		snprintf(expected, sizeof(expected), ",%llu,-%llu", (unsigned long long)power - 1,
			(unsigned long long)power);
		cr_expect_str_eq(buf + before, expected);
	}
	cr_expect_eq(strncmp(buf, "[0,0,9223372036854775807,", 25), 0);
}

Test(json, keeps_characters_of_all_lengths)
{
	check_string("\xe9\x96\xa2\xe5\xae\x88 \xc3\xa9 \xf0\xa9\xb8\xbd",
		"\"\xe9\x96\xa2\xe5\xae\x88 \xc3\xa9 \xf0\xa9\xb8\xbd\"");
	check_string("", "\"\"");
	check_string(NULL, "null");
}

Test(json, replaces_what_is_not_utf8)
{
	check_string("\xff", "\"\xef\xbf\xbd\"");
	check_string("a\xc0\xaf", "\"a\xef\xbf\xbd\xef\xbf\xbd\"");		  /* overlong */
	check_string("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); /* surrogate */
	check_string("\xe9\x96", "\"\xef\xbf\xbd\xef\xbf\xbd\"");		  /* cut off */
	check_string("\xf4\x90\x80\x80",
		"\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); /* beyond U+10FFFF */
	check_string("\xe9\"", "\"\xef\xbf\xbd\\\"\"");			 /* swallows no quote */
}

Test(json, takes_literals_as_they_are)
{
	struct skm_json json;
	skm_json_init(&json, buf, sizeof(buf));
	skm_json_object_begin(&json, NULL);
	skm_json_literal(&json, "\"a\":1,\"b\":{}");
	skm_json_literal(&json, "\"c\":[\"\"]");
	skm_json_null(&json, "d");
	skm_json_object_end(&json);
	cr_expect_str_eq(buf, "{\"a\":1,\"b\":{},\"c\":[\"\"],\"d\":null}");
}

Test(json, escapes_keys_too)
{
	struct skm_json json;
	skm_json_init(&json, buf, sizeof(buf));
	skm_json_object_begin(&json, NULL);
	skm_json_null(&json, "a\"\n");
	skm_json_object_end(&json);
	cr_expect_str_eq(buf, "{\"a\\\"\\u000a\":null}");
}

static void check_limited(const char *value, size_t max, const char *expected, bool is_cut)
{
	struct skm_json json;
	skm_json_init(&json, buf, sizeof(buf));
	cr_expect_eq(skm_json_string_limited(&json, NULL, value, max), is_cut, "%s within %zu", value, max);
	cr_expect_str_eq(buf, expected);
	cr_expect_leq(json.len, max + 2);
}

Test(json, cuts_between_characters_and_marks_it)
{
	check_limited("abcdef", 6, "\"abcdef\"", false);
	check_limited("abcdef", 5, "\"ab\xe2\x80\xa6\"", true);
	check_limited("\n\n", 12, "\"\\u000a\\u000a\"", false);
	check_limited("\n\n", 11, "\"\\u000a\xe2\x80\xa6\"", true);
	check_limited("\n\n", 8, "\"\xe2\x80\xa6\"", true);
	check_limited("\xe9\x96\xa2\xe5\xae\x88", 5, "\"\xe2\x80\xa6\"", true);
	check_limited("\xe9\x96\xa2\xe5\xae\x88", 6, "\"\xe9\x96\xa2\xe5\xae\x88\"", false);
	check_limited("abc", 2, "\"\"", true);
	check_limited("", 0, "\"\"", false);
}

/* With every size of buffer: never one byte beyond it, terminated, and an overflow is told. */
Test(json, overflows_cleanly_at_every_size)
{
	static const char whole[] = "{\"k\":\"\\u0001\xe9\x96\xa2\",\"n\":[-12,true,null]}";
	for (size_t size = 0; size <= sizeof(whole) + 2; size++) {
		char *exact = malloc(size ? size : 1);
		struct skm_json json;
		skm_json_init(&json, exact, size);
		skm_json_object_begin(&json, NULL);
		skm_json_string(&json, "k", "\x01\xe9\x96\xa2");
		skm_json_array_begin(&json, "n");
		skm_json_int(&json, NULL, -12);
		skm_json_bool(&json, NULL, true);
		skm_json_null(&json, NULL);
		skm_json_array_end(&json);
		skm_json_object_end(&json);
		cr_expect_eq(json.has_overflowed, size < sizeof(whole), "size %zu", size);
		if (size > 0) {
			cr_expect_lt(json.len, size);
			cr_expect_eq(strlen(exact), json.len);
			cr_expect_eq(strncmp(exact, whole, json.len), 0, "%s", exact);
		}
		free(exact);
	}
}

Test(json, prints_long_texts_cut_at_a_character)
{
	static char text[2048];
	for (size_t lead = 0; lead < 4; lead++) {
		memset(text, 'x', lead);
		for (size_t at = lead; at + 3 < sizeof(text); at += 3)
			memcpy(text + at, "\xe9\x96\xa2", 4);
		struct skm_json json;
		skm_json_init(&json, buf, sizeof(buf));
		skm_json_printf(&json, NULL, "%s", text);
		cr_expect_not(json.has_overflowed);
		cr_expect_null(strstr(buf, "\xef\xbf\xbd"), "half a character");
		cr_expect_str_eq(buf + json.len - 4, "\xe2\x80\xa6\"");
		cr_expect_gt(json.len, 1020);
	}
}
