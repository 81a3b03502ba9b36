// SPDX-License-Identifier: Apache-2.0
/* One row a chain, and one for each terminal that has a certificate and was never heard: a list that shows
 * only who speaks would show a dead terminal as no terminal. Worst first is left to the reader's sort; the
 * order is by terminal, so that two lists can be compared. */
#include "terminal_table.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sekimori/clock.h"
#include "sekimori/io.h"
#include "sekimori/json.h"
#include "sekimori/log.h"
#include "snapshot.h"

#define TERMINALS_MAX_BYTES ((size_t)16 << 20)
#define CERTIFICATE_WARNING_DAYS 30
#define SEC_PER_DAY 86400
#define CELL_BYTES 400
#define JSON_ROW_BYTES 4096

struct certificate {
	char terminal[SKM_WIRE_TERMINAL_BYTES];
	int64_t end_sec;
	bool is_heard;
};

struct row {
	struct skm_chain_entry entry;
	const char *state; /* a word of ours */
	bool has_certificate;
	int64_t certificate_days;
};

struct table {
	struct row *rows;
	size_t row_count;
	struct certificate *certificates;
	size_t certificate_count;
	int64_t now_sec;
	bool is_saved;	 /* false: the store has not run yet */
	bool is_watched; /* the store runs, and would notice silence */
};

static void free_table(struct table *table)
{
	free(table->rows);
	free(table->certificates);
}

/* ---- gathering ---- */

static int compare_certificates(const void *a, const void *b)
{
	const struct certificate *left = a, *right = b;
	return strcmp(left->terminal, right->terminal);
}

/* Of two certificates of a terminal the one that holds longer counts. */
static void take_certificate(struct table *table, char *line)
{
	char *save = NULL, *end = NULL;
	const char *number = strtok_r(line, "\t", &save), *name = strtok_r(NULL, "\t", &save);
	const char *until = strtok_r(NULL, "\t", &save);
	if (!number || !name || !until || strlen(number) >= SKM_WIRE_TERMINAL_BYTES)
		return;
	errno = 0;
	int64_t end_sec = strtoll(until, &end, 10);
	if (errno != 0 || *end != '\0')
		return;
	struct certificate *last =
		table->certificate_count > 0 ? &table->certificates[table->certificate_count - 1] : NULL;
	for (struct certificate *at = table->certificates; last && at <= last; at++) {
		if (strcmp(at->terminal, number) == 0) {
			at->end_sec = end_sec > at->end_sec ? end_sec : at->end_sec;
			return;
		}
	}
	struct certificate *added = &table->certificates[table->certificate_count++];
	*added = (struct certificate){.end_sec = end_sec};
	(void)snprintf(added->terminal, sizeof(added->terminal), "%s", number);
}

static int read_certificates(const char *path, struct table *table)
{
	char *text = NULL, *save = NULL;
	size_t len = 0, lines = 1;
	int r = skm_file_read_trusted(path, TERMINALS_MAX_BYTES, &text, &len);
	SKM_CLEANUP(skm_free) char *owned = text;
	if (r == -ENOENT)
		return 0;
	if (r != 0)
		return r < 0 ? r : -EPERM;
	for (size_t i = 0; i < len; i++)
		lines += owned[i] == '\n';
	table->certificates = calloc(lines, sizeof(*table->certificates));
	if (!table->certificates)
		return -ENOMEM;
	for (char *line = strtok_r(owned, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		take_certificate(table, line);
	if (table->certificate_count > 0)
		qsort(table->certificates, table->certificate_count, sizeof(*table->certificates),
			compare_certificates);
	return 0;
}

static struct certificate *find_certificate(const struct table *table, const char *terminal)
{
	struct certificate wanted = {.end_sec = 0};
	(void)snprintf(wanted.terminal, sizeof(wanted.terminal), "%s", terminal);
	return table->certificate_count == 0 ? NULL
					     : bsearch(&wanted, table->certificates, table->certificate_count,
						       sizeof(*table->certificates), compare_certificates);
}

static const char *state_of(const struct row *row, bool is_watched)
{
	const struct skm_chain_entry *entry = &row->entry;
	if (entry->forks > 0)
		return "fork";
	if (entry->breaks > 0)
		return "edit";
	if (skm_chain_entry_missing(entry) > 0)
		return "gap";
	if (entry->is_ended)
		return "ended";
	if (entry->is_silent)
		return "silent";
	if (skm_chain_entry_is_stopped_by_hand(entry))
		return "stopped";
	if (entry->heard_sec == 0)
		return "never";
	if (row->has_certificate && row->certificate_days <= CERTIFICATE_WARNING_DAYS)
		return "certificate";
	if (!is_watched)
		return "unwatched";
	return entry->is_stopped ? "off" : "ok";
}

static bool is_well(const char *state)
{
	return strcmp(state, "ok") == 0 || strcmp(state, "off") == 0 || strcmp(state, "ended") == 0;
}

static void add_row(struct table *table, const struct skm_chain_entry *entry, struct certificate *certificate)
{
	struct row *row = &table->rows[table->row_count++];
	*row = (struct row){.entry = *entry, .has_certificate = certificate != NULL};
	if (certificate)
		row->certificate_days = (certificate->end_sec - table->now_sec) / SEC_PER_DAY;
	row->state = state_of(row, table->is_watched);
}

static int compare_rows(const void *a, const void *b)
{
	const struct skm_chain_entry *left = &((const struct row *)a)->entry;
	const struct skm_chain_entry *right = &((const struct row *)b)->entry;
	int order = strcmp(left->terminal, right->terminal);
	if (order == 0)
		order = strcmp(left->stream, right->stream);
	if (order == 0)
		order = (left->first_heard_sec > right->first_heard_sec) -
			(left->first_heard_sec < right->first_heard_sec);
	return order ? order : memcmp(left->id, right->id, sizeof(left->id));
}

static int fill(struct table *table, const struct skm_ledger *ledger)
{
	size_t count = skm_ledger_count(ledger);
	table->rows = calloc(count + table->certificate_count + 1, sizeof(*table->rows));
	if (!table->rows)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct skm_chain_entry *entry = skm_ledger_get(ledger, i);
		struct certificate *certificate = find_certificate(table, entry->terminal);
		if (certificate)
			certificate->is_heard = true;
		add_row(table, entry, certificate);
	}
	for (size_t i = 0; i < table->certificate_count; i++) {
		struct certificate *certificate = &table->certificates[i];
		struct skm_chain_entry entry = {.heard_sec = 0};
		memcpy(entry.terminal, certificate->terminal, sizeof(entry.terminal));
		if (!certificate->is_heard)
			add_row(table, &entry, certificate);
	}
	if (table->row_count > 0)
		qsort(table->rows, table->row_count, sizeof(*table->rows), compare_rows);
	return 0;
}

/* ---- words ---- */

static const char *gate_word(const struct skm_chain_entry *entry)
{
	static const char *const words[] = {[SKM_GATE_UNKNOWN] = "",
		[SKM_GATE_CLOSED] = "closed",
		[SKM_GATE_OPEN] = "open",
		[SKM_GATE_AUDIT] = "audit"};
	return entry->gate < SKM_ARRAY_SIZE(words) ? words[entry->gate] : "";
}

/* "" = never switched by the command, so not known. */
static const char *factor_word(const struct skm_chain_entry *entry)
{
	static const char *const words[] = {
		[SKM_FACTOR_UNKNOWN] = "", [SKM_FACTOR_REQUIRED] = "yes", [SKM_FACTOR_NOT_REQUIRED] = "no"};
	return entry->factor_rule < SKM_ARRAY_SIZE(words) ? words[entry->factor_rule] : "";
}

static void format_time(int64_t sec, char ret_text[SKM_RFC3339_BYTES])
{
	time_t time = (time_t)sec;
	struct tm local;
	if (sec == 0 || !localtime_r(&time, &local) ||
		strftime(ret_text, SKM_RFC3339_BYTES, "%Y-%m-%dT%H:%M:%S%z", &local) == 0)
		ret_text[0] = '\0';
}

/* Harmless on a terminal and in a spreadsheet: what controls either is escaped as in JSON. */
static const char *clean(const char *text, char ret_text[CELL_BYTES])
{
	struct skm_json json;
	skm_json_init(&json, ret_text, CELL_BYTES);
	skm_json_string(&json, NULL, text);
	if (json.has_overflowed || json.len < 2)
		return "?";
	memmove(ret_text, ret_text + 1, json.len - 2);
	ret_text[json.len - 2] = '\0';
	return ret_text;
}

/* ---- forms ---- */

static void put_json_row(struct skm_json *json, const struct row *row)
{
	const struct skm_chain_entry *entry = &row->entry;
	char heard[SKM_RFC3339_BYTES], factor[SKM_RFC3339_BYTES], alive[SKM_RFC3339_BYTES];
	char id[2 * SKM_CHAIN_ID_BYTES + 1], head[2 * SKM_CHAIN_HASH_BYTES + 1];
	bool is_heard = entry->heard_sec != 0;
	format_time(entry->heard_sec, heard);
	format_time(entry->factor_sec, factor);
	format_time(entry->alive_sec, alive);
	skm_hex_format(entry->id, sizeof(entry->id), id);
	skm_hex_format(entry->head, sizeof(entry->head), head);
	skm_json_object_begin(json, NULL);
	skm_json_string(json, "terminal", entry->terminal);
	skm_json_string(json, "stream", is_heard ? entry->stream : NULL);
	skm_json_string(json, "state", row->state);
	skm_json_string(json, "chain", is_heard ? id : NULL);
	skm_json_string(json, "address", entry->address[0] ? entry->address : NULL);
	skm_json_string(json, "last_heard", heard[0] ? heard : NULL);
	skm_json_string(json, "on_without_records", alive[0] ? alive : NULL);
	skm_json_uint(json, "complete_to", skm_chain_entry_complete(entry));
	skm_json_uint(json, "last", entry->sequence);
	skm_json_string(json, "head", is_heard ? head : NULL);
	skm_json_uint(json, "missing", skm_chain_entry_missing(entry));
	skm_json_array_begin(json, "gaps");
	for (uint32_t i = 0; i < entry->gap_count; i++) {
		skm_json_object_begin(json, NULL);
		skm_json_uint(json, "first", entry->gaps[i].first);
		skm_json_uint(json, "last", entry->gaps[i].last);
		skm_json_object_end(json);
	}
	skm_json_array_end(json);
	skm_json_uint(json, "forks", entry->forks);
	skm_json_uint(json, "edits", entry->breaks);
	skm_json_uint(json, "duplicates", entry->duplicates);
	skm_json_uint(json, "lost_at_terminal", entry->lost);
	skm_json_bool(json, "clock_synchronised", entry->is_synchronised);
	skm_json_int(json, "clock_offset_usec", entry->offset_usec);
	skm_json_int(json, "delay_msec", entry->delay_msec);
	if (row->has_certificate)
		skm_json_int(json, "certificate_days", row->certificate_days);
	else
		skm_json_null(json, "certificate_days");
	skm_json_string(json, "gate", gate_word(entry)[0] ? gate_word(entry) : NULL);
	skm_json_string(json, "second_factor_seen", factor[0] ? factor : NULL);
	if (factor_word(entry)[0])
		skm_json_bool(json, "mfa_required", entry->factor_rule == SKM_FACTOR_REQUIRED);
	else
		skm_json_null(json, "mfa_required");
	skm_json_object_end(json);
}

static void print_json(const struct table *table, FILE *file)
{
	char buf[JSON_ROW_BYTES];
	(void)fputs("[", file);
	for (size_t i = 0; i < table->row_count; i++) {
		struct skm_json json;
		skm_json_init(&json, buf, sizeof(buf));
		put_json_row(&json, &table->rows[i]);
		(void)fprintf(file, "%s%s", i ? ",\n" : "\n", buf);
	}
	(void)fputs("\n]\n", file);
}

/* A cell that begins like a formula is one to a spreadsheet. A quote is doubled (RFC 4180); JSON's escape of
 * it is taken back first. */
static void put_csv_cell(const char *text, FILE *file)
{
	char cell[CELL_BYTES];
	const char *at = clean(text, cell);
	(void)fprintf(file, "\"%s", *at && strchr("=+-@", *at) ? "'" : "");
	for (; *at; at++) {
		if (at[0] == '\\' && (at[1] == '"' || at[1] == '\\'))
			at++;
		(void)fputs((char[]){*at, *at == '"' ? '"' : '\0', '\0'}, file);
	}
	(void)fputs("\",", file);
}

static void print_csv(const struct table *table, FILE *file)
{
	/* With the mark by which a Japanese spreadsheet knows UTF-8, and CRLF: RFC 4180. */
	(void)fputs(
		"\xef\xbb\xbfterminal,stream,state,address,last_heard,gate,second_factor_seen,complete_to,last,"
		"missing,forks,edits,lost_at_terminal,clock_synchronised,clock_offset_ms,delay_s,"
		"certificate_days,mfa_required\r\n",
		file);
	for (size_t i = 0; i < table->row_count; i++) {
		const struct row *row = &table->rows[i];
		const struct skm_chain_entry *entry = &row->entry;
		char heard[SKM_RFC3339_BYTES], factor[SKM_RFC3339_BYTES];
		format_time(entry->heard_sec, heard);
		format_time(entry->factor_sec, factor);
		const char *const cells[] = {entry->terminal, entry->stream, row->state, entry->address,
			heard, gate_word(entry), factor};
		for (size_t j = 0; j < SKM_ARRAY_SIZE(cells); j++)
			put_csv_cell(cells[j], file);
		(void)fprintf(file,
			"%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%s,%" PRId64
			",%" PRId64 ",",
			skm_chain_entry_complete(entry), entry->sequence, skm_chain_entry_missing(entry),
			entry->forks, entry->breaks, entry->lost, entry->is_synchronised ? "yes" : "no",
			entry->offset_usec / 1000, entry->delay_msec / 1000);
		if (row->has_certificate)
			(void)fprintf(file, "%" PRId64, row->certificate_days);
		(void)fprintf(file, ",%s\r\n", factor_word(entry));
	}
}

static const char *state_text(const char *state, enum skm_language language)
{
	static const struct {
		const char *state, *japanese, *english;
	} texts[] = {{"ok", "正常", "ok"}, {"off", "停止中", "off"}, {"ended", "旧系列", "ended"},
		{"silent", "応答なし", "SILENT"}, {"stopped", "停止操作", "STOPPED"},
		{"never", "受信なし", "NEVER HEARD"}, {"gap", "欠番", "GAP"}, {"fork", "分岐", "FORK"},
		{"edit", "改ざんの疑い", "EDIT"}, {"certificate", "証明書期限", "CERTIFICATE"},
		{"unwatched", "監視なし", "UNWATCHED"}};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(texts); i++) {
		if (strcmp(texts[i].state, state) == 0)
			return skm_text(language, texts[i].japanese, texts[i].english);
	}
	return state;
}

static const char *factor_text(const struct skm_chain_entry *entry, enum skm_language language)
{
	if (entry->factor_rule == SKM_FACTOR_REQUIRED)
		return skm_text(language, "有効", "yes");
	if (entry->factor_rule == SKM_FACTOR_NOT_REQUIRED)
		return skm_text(language, "無効", "no");
	return skm_text(language, "不明", "not known");
}

static void print_text_row(const struct row *row, enum skm_language language, FILE *file)
{
	const struct skm_chain_entry *entry = &row->entry;
	char heard[SKM_RFC3339_BYTES], cell[CELL_BYTES];
	format_time(entry->heard_sec, heard);
	(void)fprintf(file, "%s/%s  %s\n", clean(entry->terminal, cell),
		entry->stream[0] ? entry->stream : "-", state_text(row->state, language));
	if (entry->heard_sec != 0)
		(void)fprintf(file,
			skm_text(language,
				"    最終受信 %s  欠けなし 1-%" PRIu64 "（最新 %" PRIu64 "、欠番 %" PRIu64
				"、分岐 %" PRIu64 "、不連続 %" PRIu64 "）\n",
				"    heard %s  complete 1-%" PRIu64 " (last %" PRIu64 ", missing %" PRIu64
				", forks %" PRIu64 ", edits %" PRIu64 ")\n"),
			heard, skm_chain_entry_complete(entry), entry->sequence,
			skm_chain_entry_missing(entry), entry->forks, entry->breaks);
	for (uint32_t i = 0; i < entry->gap_count; i++)
		(void)fprintf(file,
			skm_text(language, "    欠番 %" PRIu64 "-%" PRIu64 "\n",
				"    missing %" PRIu64 "-%" PRIu64 "\n"),
			entry->gaps[i].first, entry->gaps[i].last);
	if (entry->heard_sec != 0)
		(void)fprintf(file,
			skm_text(language, "    時計 %s（ずれ %" PRId64 " ms）  到着遅れ %" PRId64 " s",
				"    clock %s (offset %" PRId64 " ms)  delay %" PRId64 " s"),
			entry->is_synchronised ? skm_text(language, "同期", "synchronised")
					       : skm_text(language, "未同期", "not synchronised"),
			entry->offset_usec / 1000, entry->delay_msec / 1000);
	if (gate_word(entry)[0])
		(void)fprintf(file, skm_text(language, "  関所 %s", "  gate %s"), gate_word(entry));
	if (strcmp(entry->stream, "auth") == 0)
		(void)fprintf(file, skm_text(language, "  多要素認証の必須化 %s", "  MFA required %s"),
			factor_text(entry, language));
	if (row->has_certificate)
		(void)fprintf(file,
			skm_text(language, "  証明書 残り %" PRId64 " 日",
				"  certificate %" PRId64 " days left"),
			row->certificate_days);
	(void)fputs("\n", file);
}

static void print_text(const struct table *table, enum skm_language language, FILE *file)
{
	size_t unwell = 0;
	if (!table->is_saved)
		(void)fputs(
			skm_text(language, "まだ何も受信していません\n", "nothing was received yet\n"), file);
	else if (!table->is_watched)
		(void)fputs(
			skm_text(language, "収集が動いていません。以下は、動いていたときの最後の状態です\n",
				"the store does not run; what follows is what it knew when it did\n"),
			file);
	for (size_t i = 0; i < table->row_count; i++) {
		print_text_row(&table->rows[i], language, file);
		unwell += !is_well(table->rows[i].state);
	}
	(void)fprintf(file,
		skm_text(language, "計 %zu 系列、うち要確認 %zu\n", "%zu streams, %zu of them need a look\n"),
		table->row_count, unwell);
}

/* ---- all of it ---- */

/* The store holds its lock for as long as it runs. Whoever may read the state need not be able to open the
 * lock, since he could hold it himself then; he is not told. */
static bool is_watched(int folderfd)
{
	SKM_CLEANUP(skm_fd_close) int fd = openat(folderfd, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? errno == EACCES : flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static int load(const struct skm_table_options *options, struct table *table)
{
	static const struct skm_ledger_options none = {.known = NULL};
	struct skm_ledger *ledger = NULL;
	struct skm_day_position unused;
	SKM_CLEANUP(skm_fd_close)
	int folderfd = open(options->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folderfd < 0)
		return -errno;
	int r = skm_chain_start();
	if (r == 0)
		r = read_certificates(options->terminals_path, table);
	if (r == 0)
		r = skm_ledger_new(&none, &ledger);
	if (r == 0)
		r = skm_snapshot_load(folderfd, ledger, &unused);
	table->is_saved = r == 0;
	table->is_watched = is_watched(folderfd);
	if (r == SKM_SNAPSHOT_NONE)
		r = 0;
	if (r == SKM_SNAPSHOT_DAMAGED)
		r = -EBADMSG;
	if (r == 0)
		r = fill(table, ledger);
	(void)skm_ledger_free(ledger);
	return r;
}

static int print_table(const struct skm_table_options *options, const struct table *table, FILE *file)
{
	switch (options->form) {
	case SKM_TABLE_JSON:
		print_json(table, file);
		break;
	case SKM_TABLE_CSV:
		print_csv(table, file);
		break;
	case SKM_TABLE_TEXT:
	default:
		print_text(table, options->language, file);
		break;
	}
	for (size_t i = 0; i < table->row_count; i++) {
		if (!is_well(table->rows[i].state))
			return 1;
	}
	return table->is_saved ? 0 : 1;
}

int skm_table_print(const struct skm_table_options *options, FILE *file)
{
	struct table table = {.now_sec = options->now_sec ? options->now_sec : (int64_t)time(NULL)};
	int status = 3, r = load(options, &table);
	if (r == 0)
		status = print_table(options, &table, file);
	else
		(void)fprintf(stderr,
			skm_text(options->language, "収集状況を読めません: %s: %s\n",
				"cannot read the state in %s: %s\n"),
			options->folder, strerrordesc_np(-r));
	free_table(&table);
	return status;
}

int skm_table_print_position(const char *folder, FILE *file)
{
	static const struct skm_ledger_options none = {.known = NULL};
	struct skm_ledger *ledger = NULL;
	struct skm_day_position position = {.day = 0};
	char name[SKM_DAY_NAME_BYTES];
	SKM_CLEANUP(skm_fd_close) int folderfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = folderfd < 0 ? -errno : skm_ledger_new(&none, &ledger);
	if (r == 0)
		r = skm_snapshot_load(folderfd, ledger, &position);
	(void)skm_ledger_free(ledger);
	if (r != 0 || position.day == 0)
		return r == 0 || r == SKM_SNAPSHOT_NONE ? 1 : 3;
	skm_day_name(position.day, position.part, name);
	(void)fprintf(file, "%s %" PRIu64 "\n", name, position.offset);
	return 0;
}

int skm_table_print_watermarks(const char *folder, FILE *file)
{
	static const struct skm_ledger_options none = {.known = NULL};
	struct skm_ledger *ledger = NULL;
	struct skm_day_position unused;
	SKM_CLEANUP(skm_fd_close) int folderfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = folderfd < 0 ? -errno : skm_ledger_new(&none, &ledger);
	if (r == 0)
		r = skm_snapshot_load(folderfd, ledger, &unused);
	for (size_t i = 0; r == 0 && i < skm_ledger_count(ledger); i++) {
		const struct skm_chain_entry *entry = skm_ledger_get(ledger, i);
		char id[2 * SKM_CHAIN_ID_BYTES + 1], head[2 * SKM_CHAIN_HASH_BYTES + 1];
		skm_hex_format(entry->id, sizeof(entry->id), id);
		skm_hex_format(entry->head, sizeof(entry->head), head);
		(void)fprintf(file, "%s:%" PRIu64 ":%s\n", id, entry->sequence, head);
	}
	(void)skm_ledger_free(ledger);
	if (r != 0)
		return r == SKM_SNAPSHOT_NONE ? 1 : 3;
	return ferror(file) ? 3 : 0;
}
