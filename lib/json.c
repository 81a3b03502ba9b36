// SPDX-License-Identifier: Apache-2.0
/* JSON is only written here, never read: what the agent reads comes from the kernel and from one
 * configuration file. A library that builds a tree first would allocate once per member, for records that are
 * written a thousand times a minute when somebody shakes a plug. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/io.h"
#include "sekimori/json.h"

#define UNIT_BYTES 8 /* the longest output of one character: "\u202e" is 6, a plain one at most 4 */
#define PRINTF_BYTES 1024
#define DIGITS_MAX 20		   /* of 2^64 - 1 */
#define ELLIPSIS "\xe2\x80\xa6"	   /* U+2026 */
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Room for `len` bytes, to be written by the caller, with a NUL behind them; NULL when they do not fit. */
static char *reserve(struct skm_json *json, size_t len)
{
	/* One byte stays free for the NUL. */
	if (json->has_overflowed || json->size - json->len <= len) {
		json->has_overflowed = true;
		return NULL;
	}
	char *at = json->buf + json->len;
	json->len += len;
	at[len] = '\0';
	return at;
}

static void push(struct skm_json *json, const char *text, size_t len)
{
	char *at = reserve(json, len);
	if (at)
		memcpy(at, text, len);
}

/* Characters that are harmless to a parser and not to a reader: C1 controls (U+009B begins an escape sequence
 * on many terminals), marks and overrides of the writing direction (a serial number could be shown
 * backwards), and the two line separators that JavaScript takes for line ends. */
static bool deceives(uint32_t code)
{
	return (code >= 0x7f && code <= 0x9f) || code == 0x061c || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/* At most three bytes matter: everything that must be escaped is in the basic plane. */
static uint32_t decode(const unsigned char *text, size_t len)
{
	if (len == 2)
		return (uint32_t)(text[0] & 0x1f) << 6 | (text[1] & 0x3f);
	if (len == 3)
		return (uint32_t)(text[0] & 0x0f) << 12 | (uint32_t)(text[1] & 0x3f) << 6 | (text[2] & 0x3f);
	return len == 1 ? text[0] : UINT32_MAX;
}

/* Escapes the first character of text (not empty). Returns how many bytes of it were used. */
static size_t escape_one(
	const unsigned char *text, size_t len, char ret_unit[UNIT_BYTES], size_t *ret_unit_len)
{
	size_t used = skm_utf8_sequence(text, len);
	if (used == 0) {
		memcpy(ret_unit, REPLACEMENT, sizeof(REPLACEMENT));
		*ret_unit_len = sizeof(REPLACEMENT) - 1;
		return 1;
	}
	uint32_t code = decode(text, used);
	if (code == '"' || code == '\\') {
		ret_unit[0] = '\\';
		ret_unit[1] = (char)code;
		*ret_unit_len = 2;
	} else if (code < 0x20 || deceives(code)) {
		*ret_unit_len = (size_t)snprintf(ret_unit, UNIT_BYTES, "\\u%04x", (unsigned)(code & 0xffff));
	} else {
		memcpy(ret_unit, text, used);
		*ret_unit_len = used;
	}
	return used;
}

#define EIGHT sizeof(uint64_t)
#define FOUR sizeof(uint32_t)
#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

static uint64_t load_eight(const char *text)
{
	uint64_t bytes;
	memcpy(&bytes, text, sizeof(bytes));
	return bytes;
}

/* As eight: some of them twice, or a plain one where there is none. */
static uint64_t load_fewer(const char *text, size_t len)
{
	if (len >= FOUR) {
		uint32_t first, last;
		memcpy(&first, text, FOUR);
		memcpy(&last, text + len - FOUR, FOUR);
		return (uint64_t)first << 32 | last;
	}
	if (len == 0)
		return EACH_BYTE('a');
	return (EACH_BYTE('a') & ~UINT64_C(0xffffff)) | (uint64_t)(unsigned char)text[0] << 16 |
	       (uint64_t)(unsigned char)text[len / 2] << 8 | (unsigned char)text[len - 1];
}

/* Is there a byte among these eight that is not plain (see plain_len)? Each line below sets a byte's highest
 * bit for one kind of them: a borrow can only come from a byte that has set its own, so it changes nothing.
 */
static bool has_special(uint64_t bytes)
{
	uint64_t beyond_ascii = bytes;
	uint64_t control = bytes - EACH_BYTE(0x20);
	uint64_t delete = bytes + EACH_BYTE(0x01);
	uint64_t quote = (bytes ^ EACH_BYTE((unsigned char)'"')) - EACH_BYTE(0x01);
	uint64_t backslash = (bytes ^ EACH_BYTE((unsigned char)'\\')) - EACH_BYTE(0x01);
	return ((beyond_ascii | control | delete | quote | backslash) & EACH_BYTE(0x80)) != 0;
}

/* Is all of it written as it is? So are nearly all texts of a record, and most are a word: this is asked of
 * each first. */
static bool is_plain(const char *text, size_t len)
{
	if (len < EIGHT)
		return !has_special(load_fewer(text, len));
	for (size_t i = 0; i < len - EIGHT; i += EIGHT)
		if (has_special(load_eight(text + i)))
			return false;
	return !has_special(load_eight(text + len - EIGHT)); /* with bytes before it, once more */
}

/* How many characters at the beginning are written as they are. */
static size_t plain_len(const char *text, size_t len)
{
	size_t i = 0;
	while (len - i >= EIGHT && !has_special(load_eight(text + i)))
		i += EIGHT;
	while (i < len && text[i] >= 0x20 && text[i] < 0x7f && text[i] != '"' && text[i] != '\\')
		i++;
	return i;
}

static size_t escaped_len(const char *value, size_t len)
{
	size_t total = 0;
	for (size_t at = 0; at < len;) {
		char unit[UNIT_BYTES];
		size_t unit_len, plain = plain_len(value + at, len - at);
		if (plain > 0) {
			at += plain;
			total += plain;
			continue;
		}
		at += escape_one((const unsigned char *)value + at, len - at, unit, &unit_len);
		total += unit_len;
	}
	return total;
}

/* Writes whole characters as long as `max` bytes are not exceeded. */
static void push_escaped(struct skm_json *json, const char *value, size_t len, size_t max)
{
	size_t total = 0;
	for (size_t at = 0; at < len;) {
		char unit[UNIT_BYTES];
		size_t unit_len, plain = plain_len(value + at, len - at);
		if (plain > max - total)
			plain = max - total;
		push(json, value + at, plain);
		at += plain;
		total += plain;
		if (at == len)
			return;
		at += escape_one((const unsigned char *)value + at, len - at, unit, &unit_len);
		total += unit_len;
		if (total > max)
			return;
		push(json, unit, unit_len);
	}
}

static void begin_escaped_key(struct skm_json *json, const char *key, size_t len)
{
	if (json->needs_comma)
		push(json, ",", 1);
	push(json, "\"", 1);
	push_escaped(json, key, len, SIZE_MAX);
	push(json, "\":", 2);
}

/* All of `,"key":` at once. */
static void push_plain_key(struct skm_json *json, const char *key, size_t len)
{
	size_t comma = json->needs_comma ? 1 : 0;
	char *at = reserve(json, comma + len + 3);
	if (!at)
		return;
	at[0] = ',';
	at[comma] = '"';
	memcpy(at + comma + 1, key, len);
	at[comma + 1 + len] = '"';
	at[comma + 2 + len] = ':';
}

static void begin_value(struct skm_json *json, const char *key)
{
	size_t len = key ? strlen(key) : 0;
	if (!key)
		push(json, ",", json->needs_comma ? 1 : 0);
	else if (is_plain(key, len))
		push_plain_key(json, key, len);
	else
		begin_escaped_key(json, key, len);
	json->needs_comma = true;
}

/* "text", which needs no escaping. */
static void push_quoted(struct skm_json *json, const char *text, size_t len)
{
	char *at = reserve(json, len + 2);
	if (!at)
		return;
	at[0] = '"';
	memcpy(at + 1, text, len);
	at[len + 1] = '"';
}

void skm_json_init(struct skm_json *json, char *buf, size_t size)
{
	*json = (struct skm_json){.buf = buf, .size = size, .has_overflowed = size == 0};
	if (size > 0)
		buf[0] = '\0';
}

static void open_bracket(struct skm_json *json, const char *key, const char *bracket)
{
	begin_value(json, key);
	push(json, bracket, 1);
	json->needs_comma = false;
}

static void close_bracket(struct skm_json *json, const char *bracket)
{
	push(json, bracket, 1);
	json->needs_comma = true;
}

void skm_json_object_begin(struct skm_json *json, const char *key)
{
	open_bracket(json, key, "{");
}

void skm_json_object_end(struct skm_json *json)
{
	close_bracket(json, "}");
}

void skm_json_array_begin(struct skm_json *json, const char *key)
{
	open_bracket(json, key, "[");
}

void skm_json_array_end(struct skm_json *json)
{
	close_bracket(json, "]");
}

bool skm_json_string_limited(
	struct skm_json *json, const char *key, const char *value, size_t escaped_bytes_max)
{
	if (!value) {
		skm_json_null(json, key);
		return false;
	}
	size_t len = strlen(value);
	if (len <= escaped_bytes_max && is_plain(value, len)) {
		begin_value(json, key);
		push_quoted(json, value, len);
		return false;
	}
	bool is_cut = escaped_len(value, len) > escaped_bytes_max;
	size_t mark = sizeof(ELLIPSIS) - 1;

	begin_value(json, key);
	push(json, "\"", 1);
	if (!is_cut) {
		push_escaped(json, value, len, escaped_bytes_max);
	} else if (escaped_bytes_max >= mark) {
		push_escaped(json, value, len, escaped_bytes_max - mark);
		push(json, ELLIPSIS, mark);
	}
	push(json, "\"", 1);
	return is_cut;
}

void skm_json_string(struct skm_json *json, const char *key, const char *value)
{
	(void)skm_json_string_limited(json, key, value, SIZE_MAX); /* nothing is cut without a limit */
}

void skm_json_printf(struct skm_json *json, const char *key, const char *format, ...)
{
	char text[PRINTF_BYTES + sizeof(ELLIPSIS)];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(text, PRINTF_BYTES, format, args);
	va_end(args);
	if (len < 0)
		text[0] = '\0';
	if (len >= PRINTF_BYTES) {
		/* Not in the middle of a character: back to where the last one begins. */
		size_t end = PRINTF_BYTES - 1;
		while (end > PRINTF_BYTES - 4 && ((unsigned char)text[end - 1] & 0xc0) == 0x80)
			end--;
		if ((unsigned char)text[end - 1] >= 0xc0)
			end--;
		memcpy(text + end, ELLIPSIS, sizeof(ELLIPSIS));
	}
	skm_json_string(json, key, text);
}

/* The digits, at the end of `text`; returns where they begin. Numbers are a third of a record's members, and
 * printf would be most of what they cost. */
static char *format_digits(uint64_t value, char text[DIGITS_MAX])
{
	char *begin = text + DIGITS_MAX;
	do {
		*--begin = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	return begin;
}

void skm_json_int(struct skm_json *json, const char *key, int64_t value)
{
	char text[1 + DIGITS_MAX];
	uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	char *begin = format_digits(magnitude, text + 1);
	if (value < 0)
		*--begin = '-';
	begin_value(json, key);
	push(json, begin, (size_t)(text + sizeof(text) - begin));
}

void skm_json_uint(struct skm_json *json, const char *key, uint64_t value)
{
	char text[DIGITS_MAX];
	const char *begin = format_digits(value, text);
	begin_value(json, key);
	push(json, begin, (size_t)(text + sizeof(text) - begin));
}

void skm_json_literal_(struct skm_json *json, const char *members, size_t len)
{
	begin_value(json, NULL);
	push(json, members, len);
}

void skm_json_bool(struct skm_json *json, const char *key, bool value)
{
	begin_value(json, key);
	push(json, value ? "true" : "false", value ? 4 : 5);
}

void skm_json_null(struct skm_json *json, const char *key)
{
	begin_value(json, key);
	push(json, "null", 4);
}
