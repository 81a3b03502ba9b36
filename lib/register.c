// SPDX-License-Identifier: Apache-2.0
/* The device register: what an office keeps in a spreadsheet, read as allow rules. All or nothing, and every
 * refusal names the line and the column, because the person who mends it has 2,000 lines in front of them and
 * not this file. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "config_internal.h"
#include "csv.h"
#include "sekimori/io.h"

#define FIELD_BYTES 512 /* the longest sound field is a serial of 379 bytes */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

enum column {
	COLUMN_ID,
	COLUMN_REASON,
	COLUMN_VID_PID,
	COLUMN_SERIAL,
	COLUMN_HASH,
	COLUMN_PORT,
	COLUMN_CONNECT_TYPE,
	COLUMN_CLASS,
	COLUMN_INTERFACES,
	COLUMN_COUNT_,
};

/* One row on its way to becoming a rule. `rule` borrows from the other members. */
struct row {
	struct skm_rule rule;
	struct skm_class_pattern classes[SKM_RULE_CLASSES_MAX];
	struct skm_class_pattern interfaces[SKM_RULE_INTERFACES_MAX];
	char fields[COLUMN_COUNT_][FIELD_BYTES];
	unsigned line;
};

/* Ids seen so far: a hash table of indices + 1 into the rules of the set, at most half full. */
struct id_table {
	uint32_t *slots;
	size_t size; /* a power of two */
};

struct reader {
	struct skm_csv csv;
	const char *path;
	struct skm_rule_set *set;
	struct skm_config_error *error;
	struct id_table ids;
	enum column order[COLUMN_COUNT_];
	size_t column_count;
	struct row row;
};

/* ---- what is wrong ---- */

static int invalid(const struct reader *reader, unsigned line, const char *key, const char *found,
	const char *allowed, const char *allowed_ja)
{
	struct skm_config_place place = {reader->path, line, key};
	(void)skm_config_refuse(
		reader->error, &place, found, strlen(found), (struct skm_config_text){allowed, allowed_ja});
	return SKM_REGISTER_INVALID;
}

static int invalid_csv(const struct reader *reader, int fault, const char *key, const char *found)
{
	unsigned line = reader->csv.line;
	switch (fault) {
	case SKM_CSV_TOO_LONG:
		return invalid(
			reader, line, key, found, "a field of at most 511 bytes", "511バイト以内の項目");
	case SKM_CSV_STRAY_QUOTE:
		return invalid(reader, line, key, found,
			"a field with quotation marks around the whole of it or without any; inside, a doubled one",
			"引用符なし、又は全体を引用符で囲んだ項目(中の引用符は二重)");
	default: /* SKM_CSV_CONTROL_CHARACTER */
		return invalid(reader, line, key, found,
			"a field in one line without control characters (is a closing quotation mark missing?)",
			"改行や制御文字を含まない項目(閉じの引用符の抜けに注意)");
	}
}

/* ---- columns ---- */

static int read_id(struct row *row, const char *text)
{
	row->rule.id = text;
	return skm_rule_id_check(text);
}

static int read_reason(struct row *row, const char *text)
{
	row->rule.reason = text;
	return strlen(text) < SKM_REASON_BYTES && !skm_config_has_control_character(text) ? 0 : -EINVAL;
}

static int read_vid_pid(struct row *row, const char *text)
{
	return skm_vid_pid_parse(text, &row->rule.vendor_id, &row->rule.product_id);
}

/* "4.53E+12", "1E+12": digits, perhaps a point and digits, an exponent with its sign. */
static bool is_spreadsheet_number(const char *text)
{
	static const char digits[] = "0123456789";
	size_t whole = strspn(text, digits);
	if (whole == 0)
		return false;
	text += whole + (text[whole] == '.');
	text += strspn(text, digits);
	if (strncmp(text, "E+", 2) != 0 || text[2] == '\0')
		return false;
	return text[2 + strspn(text + 2, digits)] == '\0';
}

static int read_serial(struct row *row, const char *text)
{
	row->rule.serial = text;
	return strlen(text) < SKM_USB_STRING_BYTES && !is_spreadsheet_number(text) ? 0 : -EINVAL;
}

static int read_hash(struct row *row, const char *text)
{
	return skm_descriptor_hash_parse(text, row->rule.descriptor_hash);
}

static int read_port(struct row *row, const char *text)
{
	row->rule.port = text;
	return skm_port_check(text);
}

static int read_connect_type(struct row *row, const char *text)
{
	return skm_connect_type_from_string(text, &row->rule.connect_type);
}

/* Patterns separated by spaces. */
static int read_patterns(const char *text, struct skm_class_pattern *patterns, size_t max, size_t *ret_count)
{
	size_t count = 0;
	for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
		char word[FIELD_BYTES];
		size_t len = strcspn(text, " ");
		if (count == max || len >= sizeof(word))
			return -EINVAL;
		memcpy(word, text, len);
		word[len] = '\0';
		int r = skm_class_pattern_parse(word, &patterns[count]);
		if (r < 0)
			return r;
		count++;
		text += len;
	}
	*ret_count = count;
	return count > 0 ? 0 : -EINVAL;
}

static int read_class(struct row *row, const char *text)
{
	row->rule.classes = row->classes;
	return read_patterns(text, row->classes, SKM_ARRAY_SIZE(row->classes), &row->rule.class_count);
}

static int read_interfaces(struct row *row, const char *text)
{
	size_t count = 0;
	int r = read_patterns(text, row->interfaces, SKM_ARRAY_SIZE(row->interfaces), &count);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (row->interfaces[i].depth != 3)
			r = -EINVAL;
	row->rule.interfaces = row->interfaces;
	row->rule.interface_count = count;
	return r;
}

static const struct {
	const char *name;
	unsigned criterion; /* 0: no criterion, and required */
	int (*read)(struct row *row, const char *text);
	const char *allowed, *allowed_ja;
} columns[COLUMN_COUNT_] = {
	[COLUMN_ID] = {"id", 0, read_id, "1 to 64 of A-Z a-z 0-9 . _ : -, not beginning with builtin:",
		"英数字と . _ : - からなる64文字以内(builtin: で始まるものを除く)"},
	[COLUMN_REASON] = {"reason", 0, read_reason,
		"why the device is registered: 1 to 255 bytes of printable UTF-8",
		"登録の理由: 印字可能な255バイト以内の文字列(漢字およそ85字)"},
	[COLUMN_VID_PID] = {"vid_pid", SKM_RULE_VID_PID, read_vid_pid, "two times four hex digits: 0781:5581",
		"4桁の16進数2組(例 0781:5581)"},
	[COLUMN_SERIAL] = {"serial", SKM_RULE_SERIAL, read_serial,
		"the serial number as the device shows it, at most 379 bytes; not a number that a spreadsheet "
		"has shortened (format the column as text)",
		"機器が示すとおりのシリアル番号、379バイト以内(表計算ソフトが指数表記に変えたものは不可、"
		"列の書式は「文字列」)"},
	[COLUMN_HASH] = {"hash", SKM_RULE_HASH, read_hash, "64 hex digits", "64桁の16進数"},
	[COLUMN_PORT] = {"port", SKM_RULE_PORT, read_port, "a port as the kernel names it: 1-2.3",
		"カーネルによるポート名(例 1-2.3)"},
	[COLUMN_CONNECT_TYPE] = {"connect_type", SKM_RULE_CONNECT_TYPE, read_connect_type,
		"unknown, hotplug, hardwired or not used",
		"unknown、hotplug、hardwired、not used のいずれか"},
	[COLUMN_CLASS] = {"class", SKM_RULE_CLASS, read_class,
		"1 to 16 of 08, 08:06, 08:06:50 or a kind like mass-storage, separated by spaces",
		"08、08:06、08:06:50 又は mass-storage 等の種類、空白区切りで16個以内"},
	[COLUMN_INTERFACES] = {"interfaces", SKM_RULE_INTERFACES, read_interfaces,
		"1 to 32 class triples like 08:06:50, separated by spaces",
		"08:06:50 の形のクラスコード、空白区切りで32個以内"},
};

/* ---- ids ---- */

static uint32_t hash_id(const char *id)
{
	uint32_t hash = 2166136261u; /* FNV-1a: every hit is compared in full */
	for (; *id != '\0'; id++)
		hash = (hash ^ (unsigned char)*id) * 16777619u;
	return hash ^ hash >> 15;
}

/* Remembers the id of rule `index`; false when an earlier rule has it. */
static bool id_table_add(struct id_table *ids, const struct skm_rule_set *set, size_t index)
{
	const char *id = set->rules[index].id;
	size_t at = hash_id(id) & (ids->size - 1);
	for (; ids->slots[at] != 0; at = (at + 1) & (ids->size - 1))
		if (strcmp(set->rules[ids->slots[at] - 1].id, id) == 0)
			return false;
	ids->slots[at] = (uint32_t)index + 1;
	return true;
}

static void id_table_finish(struct id_table *ids)
{
	free(ids->slots);
	ids->slots = NULL;
}

/* Room for the rules of the set and one for each line of the text. */
static int id_table_init(struct id_table *ids, const struct skm_rule_set *set, const char *text, size_t len)
{
	size_t lines = 1;
	const char *end = text + len;
	for (const char *at = text; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++)
		lines++;
	if (lines > SKM_RULES_MAX)
		lines = SKM_RULES_MAX; /* no more will be added */
	ids->size = 64;
	while (ids->size < 2 * (set->count + lines))
		ids->size *= 2;
	ids->slots = calloc(ids->size, sizeof(*ids->slots));
	if (!ids->slots)
		return -ENOMEM;
	for (size_t i = 0; i < set->count; i++)
		(void)id_table_add(ids, set, i); /* whether the rules before ours differ is not ours to say */
	return 0;
}

/* ---- rows ---- */

static const char *column_name(const struct reader *reader, size_t index)
{
	return index < reader->column_count ? columns[reader->order[index]].name : "";
}

static int read_column_name(struct reader *reader, const char *name)
{
	static const char allowed[] =
		"id, reason, vid_pid, serial, hash, port, connect_type, class, interfaces; each at most once";
	static const char allowed_ja[] =
		"id、reason、vid_pid、serial、hash、port、connect_type、class、interfaces(各1回まで)";
	unsigned column = 0;
	while (column < COLUMN_COUNT_ && strcmp(columns[column].name, name) != 0)
		column++;
	bool is_repeated = false;
	for (size_t i = 0; i < reader->column_count; i++)
		is_repeated = is_repeated || reader->order[i] == column;
	if (column == COLUMN_COUNT_ || is_repeated)
		return invalid(reader, 1, name, name, allowed, allowed_ja);
	reader->order[reader->column_count++] = (enum column)column;
	return 0;
}

static bool has_column(const struct reader *reader, enum column column)
{
	for (size_t i = 0; i < reader->column_count; i++)
		if (reader->order[i] == column)
			return true;
	return false;
}

static int read_header(struct reader *reader)
{
	bool ends_row = false;
	while (!ends_row) {
		char name[FIELD_BYTES];
		int r = skm_csv_next(&reader->csv, name, sizeof(name), &ends_row);
		if (r > 0)
			return invalid_csv(reader, r, "", name);
		r = read_column_name(reader, name);
		if (r != 0)
			return r;
	}
	if (!has_column(reader, COLUMN_ID) || !has_column(reader, COLUMN_REASON))
		return invalid(reader, 1, has_column(reader, COLUMN_ID) ? "reason" : "id", "",
			"a header line with at least the columns id and reason",
			"少なくとも id と reason の列を持つ見出し行");
	return 0;
}

/* Splits one row into row->fields. */
static int read_fields(struct reader *reader)
{
	struct row *row = &reader->row;
	size_t count = 0;
	bool ends_row = false;
	row->line = reader->csv.line;
	for (unsigned i = 0; i < COLUMN_COUNT_; i++)
		row->fields[i][0] = '\0';
	for (; !ends_row; count++) {
		char surplus[FIELD_BYTES];
		bool is_known = count < reader->column_count;
		char *field = is_known ? row->fields[reader->order[count]] : surplus;
		int r = skm_csv_next(&reader->csv, field, FIELD_BYTES, &ends_row);
		if (r > 0)
			return invalid_csv(reader, r, column_name(reader, count), field);
	}
	if (count == reader->column_count || (count == 1 && row->fields[reader->order[0]][0] == '\0'))
		return 0; /* the second is an empty line */
	char found[64], allowed[64], allowed_ja[64];
	(void)snprintf(found, sizeof(found), "%zu", count);
	(void)snprintf(allowed, sizeof(allowed), "%zu fields, as in the header line", reader->column_count);
	(void)snprintf(allowed_ja, sizeof(allowed_ja), "見出し行と同じ%zu項目", reader->column_count);
	return invalid(reader, row->line, "", found, allowed, allowed_ja);
}

/* Reads every field that is not empty. */
static int read_rule(struct reader *reader, bool *ret_is_empty)
{
	struct row *row = &reader->row;
	bool is_empty = true;
	row->rule = (struct skm_rule){.action = SKM_RULE_ALLOW};
	for (unsigned i = 0; i < COLUMN_COUNT_; i++) {
		const char *text = row->fields[i];
		if (text[0] == '\0')
			continue;
		is_empty = false;
		if (columns[i].read(row, text) < 0)
			return invalid(reader, row->line, columns[i].name, text, columns[i].allowed,
				columns[i].allowed_ja);
		row->rule.criteria |= columns[i].criterion;
	}
	*ret_is_empty = is_empty;
	return 0;
}

static int add_rule(struct reader *reader)
{
	const struct row *row = &reader->row;
	for (unsigned i = 0; i < COLUMN_COUNT_; i++)
		if (columns[i].criterion == 0 && row->fields[i][0] == '\0')
			return invalid(reader, row->line, columns[i].name, "", columns[i].allowed,
				columns[i].allowed_ja);
	if (row->rule.criteria == 0)
		return invalid(reader, row->line, "", row->rule.id, "a row that says which device it is for",
			"対象の機器を特定する項目が一つ以上ある行");

	int r = skm_rule_set_add(reader->set, &row->rule);
	if (r == -E2BIG) {
		char allowed[64], allowed_ja[64];
		(void)snprintf(allowed, sizeof(allowed), "at most %u rules in all", SKM_RULES_MAX);
		(void)snprintf(allowed_ja, sizeof(allowed_ja), "全部で%u件以内の登録", SKM_RULES_MAX);
		return invalid(reader, row->line, "", row->rule.id, allowed, allowed_ja);
	}
	if (r < 0)
		return r;
	if (!id_table_add(&reader->ids, reader->set, reader->set->count - 1))
		return invalid(reader, row->line, "id", row->rule.id, "an id that no other rule has",
			"他と重複しない id");
	return 0;
}

static int read_rows(struct reader *reader)
{
	while (reader->csv.pos < reader->csv.len) {
		bool is_empty;
		int r = read_fields(reader);
		if (r == 0)
			r = read_rule(reader, &is_empty);
		if (r == 0 && !is_empty)
			r = add_rule(reader);
		if (r != 0)
			return r;
	}
	return 0;
}

/* ---- the whole ---- */

static int check_text(const struct reader *reader)
{
	const unsigned char *bytes = (const unsigned char *)reader->csv.text;
	size_t len = reader->csv.len;
	if (len > SKM_REGISTER_BYTES_MAX)
		return invalid(
			reader, 0, "", "a larger file", "a file of at most 64 MiB", "64MiB以内のファイル");
	unsigned line = 1;
	for (size_t pos = 0; pos < len;) {
		size_t sequence = bytes[pos] < 0x80 ? 1 : skm_utf8_sequence(bytes + pos, len - pos);
		if (sequence == 0)
			return invalid(reader, line, "", "bytes that are not UTF-8",
				"a file saved as UTF-8 (in spreadsheets: \"CSV UTF-8\")",
				"UTF-8で保存したファイル(表計算ソフトでは「CSV UTF-8」)");
		if (bytes[pos] == '\n')
			line++;
		pos += sequence;
	}
	return 0;
}

static int parse(struct reader *reader)
{
	int r = check_text(reader);
	if (r != 0)
		return r;
	size_t mark_bytes = strlen(BYTE_ORDER_MARK);
	if (reader->csv.len >= mark_bytes && memcmp(reader->csv.text, BYTE_ORDER_MARK, mark_bytes) == 0)
		reader->csv.pos = mark_bytes;
	r = read_header(reader);
	if (r != 0)
		return r;
	r = id_table_init(&reader->ids, reader->set, reader->csv.text, reader->csv.len);
	return r != 0 ? r : read_rows(reader);
}

int skm_register_parse(const char *path, const char *text, size_t len, struct skm_rule_set *set,
	struct skm_config_error *error)
{
	struct reader reader = {
		.csv = {.text = text, .len = len, .line = 1},
		.path = path,
		.set = set,
		.error = error,
	};
	size_t count = set->count;
	struct skm_arena_mark mark = skm_arena_get_mark(&set->arena);
	int r = parse(&reader);
	id_table_finish(&reader.ids);
	if (r != 0) {
		set->count = count;
		skm_arena_rewind(&set->arena, mark);
	}
	return r;
}
