// SPDX-License-Identifier: Apache-2.0
/* The line is read by the very order in which it is written, without a JSON library: then there is one
 * spelling of each entry, what was signed is what is read, and no two readers can take one line for two
 * different things. To everybody else it is ordinary JSON. */
#include "entry.h"

#include <stdio.h>
#include <string.h>

#include "sekimori/json.h"

#define DAY_MIN 19700101u
#define DAY_MAX 99991231u

/* ---- days ---- */

static unsigned days_of_month(unsigned year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && is_leap ? 1u : 0u);
}

/* `width` digits. */
static bool take_digits(const char *text, size_t width, unsigned *ret_number)
{
	unsigned number = 0;
	for (size_t i = 0; i < width; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		number = 10 * number + (unsigned)(text[i] - '0');
	}
	*ret_number = number;
	return true;
}

int skm_witness_day_parse(const char *text, size_t len, uint32_t *ret_day)
{
	unsigned year = 0, month = 0, date = 0;
	if (len != SKM_WITNESS_DAY_BYTES - 1 || text[4] != '-' || text[7] != '-' ||
		!take_digits(text, 4, &year) || !take_digits(text + 5, 2, &month) ||
		!take_digits(text + 8, 2, &date))
		return -EINVAL;
	if (year < 1970 || month < 1 || month > 12 || date < 1 || date > days_of_month(year, month))
		return -EINVAL;
	*ret_day = year * 10000 + month * 100 + date;
	return 0;
}

void skm_witness_day_format(uint32_t day, char ret_text[SKM_WITNESS_DAY_BYTES])
{
	(void)snprintf(ret_text, SKM_WITNESS_DAY_BYTES, "%04u-%02u-%02u", day / 10000 % 10000,
		day / 100 % 100, day % 100);
}

uint32_t skm_witness_day_after(uint32_t day)
{
	unsigned year = day / 10000, month = day / 100 % 100, date = day % 100;
	if (date < days_of_month(year, month))
		return day + 1;
	return month < 12 ? year * 10000 + (month + 1) * 100 + 1 : (year + 1) * 10000 + 101;
}

/* ---- writing ---- */

static void put_hex(struct skm_json *json, const char *key, const uint8_t *bytes, size_t len)
{
	char text[2 * SKM_WITNESS_SIGNATURE_BYTES + 1];
	skm_hex_format(bytes, len, text);
	skm_json_string(json, key, text);
}

static void put_day(struct skm_json *json, const char *key, uint32_t day)
{
	char text[SKM_WITNESS_DAY_BYTES];
	skm_witness_day_format(day, text);
	skm_json_string(json, key, text);
}

/* All that the root covers: up to, not including, `,"root":`. */
static void put_body(struct skm_json *json, const struct skm_witness_entry *entry)
{
	skm_json_object_begin(json, NULL);
	skm_json_uint(json, "witness", 1);
	skm_json_uint(json, "number", entry->number);
	put_day(json, "first_day", entry->first_day);
	put_day(json, "last_day", entry->last_day);
	skm_json_uint(json, "again", entry->again);
	skm_json_string(json, "made", entry->made);
	skm_json_uint(json, "files", entry->files);
	skm_json_uint(json, "records", entry->records);
	skm_json_uint(json, "bytes", entry->bytes);
	skm_json_uint(json, "terminals", entry->terminals);
	skm_json_uint(json, "chains", entry->chains);
	put_hex(json, "previous", entry->previous, sizeof(entry->previous));
	put_hex(json, "records_root", entry->records_root, sizeof(entry->records_root));
	put_hex(json, "heads_root", entry->heads_root, sizeof(entry->heads_root));
	put_hex(json, "report_hash", entry->report_hash, sizeof(entry->report_hash));
	skm_json_uint(json, "changed", entry->changed);
	skm_json_bool(json, "complete", entry->is_complete);
	skm_json_uint(json, "exit", entry->exit_code);
	skm_json_object_begin(json, "findings");
	for (unsigned kind = 0; kind < SKM_FINDING_COUNT_; kind++)
		skm_json_uint(
			json, skm_finding_to_string((enum skm_finding_kind)kind), entry->findings[kind]);
	skm_json_object_end(json);
	put_hex(json, "key", entry->key, sizeof(entry->key));
}

size_t skm_witness_entry_format(const struct skm_witness_entry *entry, char *ret_line)
{
	struct skm_json json;
	skm_json_init(&json, ret_line, SKM_WITNESS_LINE_BYTES);
	put_body(&json, entry);
	put_hex(&json, "root", entry->root, sizeof(entry->root));
	put_hex(&json, "signature", entry->signature, sizeof(entry->signature));
	skm_json_object_end(&json);
	return json.len;
}

void skm_witness_entry_root(const struct skm_witness_entry *entry, uint8_t ret_root[SKM_WITNESS_HASH_BYTES])
{
	char line[SKM_WITNESS_LINE_BYTES];
	struct skm_json json;
	skm_json_init(&json, line, sizeof(line));
	put_body(&json, entry);
	skm_witness_hash(SKM_DOMAIN_ENTRY, json.buf, json.len, NULL, 0, ret_root);
}

/* ---- reading ---- */

struct cursor {
	const char *at, *end;
	bool is_wrong;
};

static bool skip(struct cursor *cursor, const char *word)
{
	size_t len = strlen(word);
	cursor->is_wrong = cursor->is_wrong || (size_t)(cursor->end - cursor->at) < len ||
			   memcmp(cursor->at, word, len) != 0;
	if (!cursor->is_wrong)
		cursor->at += len;
	return !cursor->is_wrong;
}

static void skip_key(struct cursor *cursor, const char *key)
{
	if (skip(cursor, "\"") && skip(cursor, key))
		(void)skip(cursor, "\":");
}

static uint64_t take_number(struct cursor *cursor, const char *key, uint64_t max)
{
	uint64_t number = 0;
	skip_key(cursor, key);
	const char *begin = cursor->at;
	for (; !cursor->is_wrong && cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9';
		cursor->at++) {
		unsigned digit = (unsigned)(*cursor->at - '0');
		if (number > (max - digit) / 10)
			cursor->is_wrong = true;
		else
			number = 10 * number + digit;
	}
	/* One spelling: no empty one, no leading zero. */
	if (cursor->at == begin || (*begin == '0' && cursor->at > begin + 1))
		cursor->is_wrong = true;
	return number;
}

static bool take_bool(struct cursor *cursor, const char *key)
{
	skip_key(cursor, key);
	bool is_true = cursor->at < cursor->end && *cursor->at == 't';
	(void)skip(cursor, is_true ? "true" : "false");
	return is_true;
}

static void take_hex(struct cursor *cursor, const char *key, uint8_t *ret_bytes, size_t len)
{
	skip_key(cursor, key);
	if (!skip(cursor, "\"") || (size_t)(cursor->end - cursor->at) < 2 * len ||
		skm_hex_parse(cursor->at, len, ret_bytes) < 0) {
		cursor->is_wrong = true;
		return;
	}
	cursor->at += 2 * len;
	(void)skip(cursor, "\"");
}

static uint32_t take_day(struct cursor *cursor, const char *key)
{
	uint32_t day = DAY_MIN;
	skip_key(cursor, key);
	if (!skip(cursor, "\"") || cursor->end - cursor->at < SKM_WITNESS_DAY_BYTES - 1 ||
		skm_witness_day_parse(cursor->at, SKM_WITNESS_DAY_BYTES - 1, &day) < 0) {
		cursor->is_wrong = true;
		return day;
	}
	cursor->at += SKM_WITNESS_DAY_BYTES - 1;
	(void)skip(cursor, "\"");
	return day;
}

/* "2026-11-21T02:30:00Z" */
static void take_time(struct cursor *cursor, const char *key, char ret_time[SKM_WITNESS_TIME_BYTES])
{
	unsigned hour = 0, minute = 0, second = 0;
	uint32_t day = 0;
	skip_key(cursor, key);
	if (!skip(cursor, "\"") || cursor->end - cursor->at < SKM_WITNESS_TIME_BYTES - 1) {
		cursor->is_wrong = true;
		return;
	}
	const char *text = cursor->at;
	if (skm_witness_day_parse(text, SKM_WITNESS_DAY_BYTES - 1, &day) < 0 || text[10] != 'T' ||
		!take_digits(text + 11, 2, &hour) || text[13] != ':' || !take_digits(text + 14, 2, &minute) ||
		text[16] != ':' || !take_digits(text + 17, 2, &second) || text[19] != 'Z' || hour > 23 ||
		minute > 59 || second > 60)
		cursor->is_wrong = true;
	memcpy(ret_time, text, SKM_WITNESS_TIME_BYTES - 1);
	ret_time[SKM_WITNESS_TIME_BYTES - 1] = '\0';
	cursor->at += SKM_WITNESS_TIME_BYTES - 1;
	(void)skip(cursor, "\"");
}

static void take_findings(struct cursor *cursor, uint64_t findings[SKM_FINDING_COUNT_])
{
	skip_key(cursor, "findings");
	for (unsigned kind = 0; kind < SKM_FINDING_COUNT_; kind++) {
		(void)skip(cursor, kind == 0 ? "{" : ",");
		findings[kind] = take_number(
			cursor, skm_finding_to_string((enum skm_finding_kind)kind), SKM_WITNESS_COUNT_MAX);
	}
	(void)skip(cursor, "}");
}

static void take_roots(struct cursor *cursor, struct skm_witness_entry *entry)
{
	take_hex(cursor, "previous", entry->previous, sizeof(entry->previous));
	(void)skip(cursor, ",");
	take_hex(cursor, "records_root", entry->records_root, sizeof(entry->records_root));
	(void)skip(cursor, ",");
	take_hex(cursor, "heads_root", entry->heads_root, sizeof(entry->heads_root));
	(void)skip(cursor, ",");
	take_hex(cursor, "report_hash", entry->report_hash, sizeof(entry->report_hash));
	(void)skip(cursor, ",");
}

static void take_counts(struct cursor *cursor, struct skm_witness_entry *entry)
{
	struct {
		const char *key;
		uint64_t *number;
	} counts[] = {{"files", &entry->files}, {"records", &entry->records}, {"bytes", &entry->bytes},
		{"terminals", &entry->terminals}, {"chains", &entry->chains}};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(counts); i++) {
		*counts[i].number = take_number(cursor, counts[i].key, SKM_WITNESS_COUNT_MAX);
		(void)skip(cursor, ",");
	}
}

int skm_witness_entry_parse(const char *line, size_t len, struct skm_witness_entry *ret_entry)
{
	struct cursor cursor = {.at = line, .end = line + len};
	struct skm_witness_entry entry = {.number = 0};
	(void)skip(&cursor, "{\"witness\":1,");
	entry.number = take_number(&cursor, "number", SKM_WITNESS_NUMBER_MAX);
	(void)skip(&cursor, ",");
	entry.first_day = take_day(&cursor, "first_day");
	(void)skip(&cursor, ",");
	entry.last_day = take_day(&cursor, "last_day");
	(void)skip(&cursor, ",");
	entry.again = take_number(&cursor, "again", SKM_WITNESS_NUMBER_MAX);
	(void)skip(&cursor, ",");
	take_time(&cursor, "made", entry.made);
	(void)skip(&cursor, ",");
	take_counts(&cursor, &entry);
	take_roots(&cursor, &entry);
	entry.changed = take_number(&cursor, "changed", SKM_WITNESS_NUMBER_MAX);
	(void)skip(&cursor, ",");
	entry.is_complete = take_bool(&cursor, "complete");
	(void)skip(&cursor, ",");
	entry.exit_code = (unsigned)take_number(&cursor, "exit", 255);
	(void)skip(&cursor, ",");
	take_findings(&cursor, entry.findings);
	(void)skip(&cursor, ",");
	take_hex(&cursor, "key", entry.key, sizeof(entry.key));
	(void)skip(&cursor, ",");
	take_hex(&cursor, "root", entry.root, sizeof(entry.root));
	(void)skip(&cursor, ",");
	take_hex(&cursor, "signature", entry.signature, sizeof(entry.signature));
	(void)skip(&cursor, "}");
	if (cursor.is_wrong || cursor.at != cursor.end)
		return -EBADMSG;
	*ret_entry = entry;
	return 0;
}
