// SPDX-License-Identifier: Apache-2.0
/* The table of terminals: from a saved state and a list of certificates, in each form and language. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "snapshot.h"
#include "store_lines.h"
#include "terminal_table.h"
#include "tmpdir.h"

#define DAY_SEC INT64_C(86400)
#define NOW_SEC INT64_C(1795260000)

static char root[TMPDIR_BYTES], certificates[TMPDIR_BYTES + 16];
static struct skm_ledger *ledger;
static int lockfd; /* as a store that runs holds it */

static void setup(void)
{
	static const struct skm_ledger_options none = {.known = NULL};
	tmpdir_make(root);
	snprintf(certificates, sizeof(certificates), "%s/terminals", root);
	cr_assert_eq(skm_chain_start(), 0);
	cr_assert_eq(skm_ledger_new(&none, &ledger), 0);
	tmpdir_write(root, "", "lock");
	int folderfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	lockfd = openat(folderfd, "lock", O_RDWR | O_CLOEXEC);
	cr_assert_eq(flock(lockfd, LOCK_EX | LOCK_NB), 0);
	close(folderfd);
}

static void teardown(void)
{
	ledger = skm_ledger_free(ledger);
	close(lockfd);
	tmpdir_remove(root);
}

TestSuite(terminal_table, .init = setup, .fini = teardown);

static struct skm_chain_entry entry_of(const char *terminal, uint8_t seed)
{
	struct skm_chain_entry entry = {.sequence = 20,
		.records = 20,
		.heard_sec = NOW_SEC - 60,
		.first_heard_sec = NOW_SEC - DAY_SEC,
		.is_synchronised = true,
		.offset_usec = -1500,
		.delay_msec = 250,
		.gate = SKM_GATE_CLOSED};
	memset(entry.id, seed, sizeof(entry.id));
	snprintf(entry.terminal, sizeof(entry.terminal), "%s", terminal);
	snprintf(entry.stream, sizeof(entry.stream), "agent");
	snprintf(entry.address, sizeof(entry.address), "10.0.0.%u", seed);
	return entry;
}

static void add(const struct skm_chain_entry *entry)
{
	cr_assert_eq(skm_ledger_restore(ledger, entry), 0);
}

/* The exit status; free *ret_text. */
static int print(enum skm_table_form form, enum skm_language language, char **ret_text)
{
	struct skm_table_options options = {.folder = root,
		.terminals_path = certificates,
		.form = form,
		.language = language,
		.now_sec = NOW_SEC};
	const struct skm_day_position position = {20261121, 1, 4711};
	size_t size = 0;
	int folderfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(skm_snapshot_save(folderfd, ledger, &position), 0);
	close(folderfd);
	FILE *file = open_memstream(ret_text, &size);
	int status = skm_table_print(&options, file);
	fclose(file);
	return status;
}

static const char *state_of(const json_t *rows, size_t at)
{
	return json_string_value(json_object_get(json_array_get(rows, at), "state"));
}

static json_t *print_json(int expected)
{
	char *text = NULL;
	json_error_t error;
	cr_assert_eq(print(SKM_TABLE_JSON, SKM_LANGUAGE_EN, &text), expected, "%s", text);
	json_t *rows = json_loads(text, 0, &error);
	cr_assert_not_null(rows, "%s: %s", error.text, text);
	free(text);
	return rows;
}

Test(terminal_table, all_is_well)
{
	struct skm_chain_entry first = entry_of("T-2", 2), off = entry_of("T-1", 1);
	off.is_stopped = true;
	off.stop = SKM_STOP_SHUTDOWN;
	add(&first);
	add(&off);
	tmpdir_write(root, "T-1\tt-1.x\t1803036000\nT-2\tt-2.x\t1803036000\nT-2\tt-2.y\t1700000000\n",
		"terminals");
	json_t *rows = print_json(0);
	cr_assert_eq(json_array_size(rows), 2);
	cr_assert_str_eq(state_of(rows, 0), "off");
	cr_assert_str_eq(state_of(rows, 1), "ok");
	const json_t *row = json_array_get(rows, 1);
	cr_assert_str_eq(json_string_value(json_object_get(row, "terminal")), "T-2");
	cr_assert_eq(json_integer_value(json_object_get(row, "certificate_days")), 90,
		"the one that holds longer");
	cr_assert_eq(json_integer_value(json_object_get(row, "complete_to")), 20);
	cr_assert_str_eq(json_string_value(json_object_get(row, "gate")), "closed");
	cr_assert(json_is_null(json_object_get(row, "second_factor_seen")));
	json_decref(rows);
}

Test(terminal_table, names_each_trouble)
{
	static const char *const states[] = {
		"certificate", "edit", "ended", "fork", "gap", "never", "silent", "stopped", "stopped"};
	struct skm_chain_entry entry;
	for (uint8_t i = 0; i < 9; i++) {
		char name[8];
		snprintf(name, sizeof(name), "T-%u", (unsigned)i);
		entry = entry_of(name, i);
		entry.breaks = i == 1;
		entry.is_ended = i == 2;
		entry.forks = i == 3;
		if (i == 4) {
			entry.gap_count = 1;
			entry.gaps[0] = (struct skm_gap){.first = 6, .last = 8};
		}
		entry.is_silent = i == 6;
		entry.is_stopped = i >= 7;
		entry.stop = i == 7 ? SKM_STOP_SERVICE : SKM_STOP_UNKNOWN;
		if (i != 5)
			add(&entry);
	}
	tmpdir_write(root, "T-0\tt-0.x\t1797000000\nT-5\tt-5.x\t1803036000\n", "terminals");
	json_t *rows = print_json(1);
	cr_assert_eq(json_array_size(rows), 9);
	for (size_t i = 0; i < 9; i++)
		cr_assert_str_eq(state_of(rows, i), states[i], "row %zu: %s", i, state_of(rows, i));
	cr_assert_eq(json_integer_value(json_object_get(json_array_get(rows, 4), "complete_to")), 5);
	cr_assert_eq(json_integer_value(json_object_get(json_array_get(rows, 4), "missing")), 3);
	json_decref(rows);
	char *text = NULL;
	cr_assert_eq(print(SKM_TABLE_TEXT, SKM_LANGUAGE_EN, &text), 1);
	cr_assert(strstr(text, "T-4/agent  GAP\n"), "%s", text);
	cr_assert(strstr(text, "    missing 6-8\n"), "%s", text);
	cr_assert(strstr(text, "T-5/-  NEVER HEARD\n"), "%s", text);
	cr_assert(strstr(text, "9 streams, 8 of them need a look\n"), "%s", text);
	free(text);
	cr_assert_eq(print(SKM_TABLE_TEXT, SKM_LANGUAGE_JA, &text), 1);
	cr_assert(strstr(text, "欠番 6-8"), "%s", text);
	cr_assert(strstr(text, "計 9 系列、うち要確認 8"), "%s", text);
	free(text);
}

/* A collector that stands still would show for ever what it last knew. */
Test(terminal_table, nothing_is_well_that_nobody_watches)
{
	struct skm_chain_entry ok = entry_of("T-1", 1), off = entry_of("T-2", 2), silent = entry_of("T-3", 3);
	char *text = NULL;
	off.is_stopped = true;
	off.stop = SKM_STOP_SHUTDOWN;
	silent.is_silent = true;
	add(&ok);
	add(&off);
	add(&silent);
	cr_assert_eq(flock(lockfd, LOCK_UN), 0);
	json_t *rows = print_json(1);
	cr_assert_str_eq(state_of(rows, 0), "unwatched");
	cr_assert_str_eq(state_of(rows, 1), "unwatched");
	cr_assert_str_eq(state_of(rows, 2), "silent");
	json_decref(rows);
	cr_assert_eq(print(SKM_TABLE_TEXT, SKM_LANGUAGE_EN, &text), 1);
	cr_assert(
		strstr(text, "the store does not run") && strstr(text, "T-1/agent  UNWATCHED\n"), "%s", text);
	free(text);
	cr_assert_eq(print(SKM_TABLE_TEXT, SKM_LANGUAGE_JA, &text), 1);
	cr_assert(strstr(text, "収集が動いていません"), "%s", text);
	free(text);
	char lock[TMPDIR_BYTES + 8];
	snprintf(lock, sizeof(lock), "%s/lock", root);
	cr_assert_eq(unlink(lock), 0);
	rows = print_json(1);
	cr_assert_str_eq(state_of(rows, 0), "unwatched", "no store has ever run here");
	json_decref(rows);
}

/* Stream "auth" ends with a checkpoint and says no reason; nothing is expected of it while nobody logs in. */
Test(terminal_table, the_second_factors_stream_may_end_without_a_word)
{
	struct skm_chain_entry auth = entry_of("T-1", 1);
	snprintf(auth.stream, sizeof(auth.stream), "auth");
	auth.is_stopped = true;
	add(&auth);
	json_t *rows = print_json(0);
	cr_assert_str_eq(state_of(rows, 0), "off");
	json_decref(rows);
}

Test(terminal_table, says_whether_the_login_asks_and_whether_a_machine_is_on)
{
	struct skm_chain_entry yes = entry_of("T-1", 1), no = entry_of("T-2", 2),
			       unknown = entry_of("T-3", 3);
	char *text = NULL;
	snprintf(yes.stream, sizeof(yes.stream), "auth");
	snprintf(no.stream, sizeof(no.stream), "auth");
	snprintf(unknown.stream, sizeof(unknown.stream), "auth");
	yes.factor_rule = SKM_FACTOR_REQUIRED;
	no.factor_rule = SKM_FACTOR_NOT_REQUIRED;
	no.alive_sec = NOW_SEC;
	add(&yes);
	add(&no);
	add(&unknown);
	json_t *rows = print_json(0);
	cr_assert(json_is_true(json_object_get(json_array_get(rows, 0), "mfa_required")));
	cr_assert(json_is_false(json_object_get(json_array_get(rows, 1), "mfa_required")));
	cr_assert(json_is_null(json_object_get(json_array_get(rows, 2), "mfa_required")));
	cr_assert(json_is_null(json_object_get(json_array_get(rows, 0), "on_without_records")));
	cr_assert(json_is_string(json_object_get(json_array_get(rows, 1), "on_without_records")));
	json_decref(rows);
	cr_assert_eq(print(SKM_TABLE_CSV, SKM_LANGUAGE_EN, &text), 0);
	cr_assert(strstr(text, ",certificate_days,mfa_required\r\n"), "%s", text);
	cr_assert(
		strstr(text, ",,yes\r\n") && strstr(text, ",,no\r\n") && strstr(text, ",,\r\n"), "%s", text);
	free(text);
	cr_assert_eq(print(SKM_TABLE_TEXT, SKM_LANGUAGE_EN, &text), 0);
	cr_assert(strstr(text, "  MFA required yes\n") && strstr(text, "  MFA required no\n"), "%s", text);
	cr_assert(strstr(text, "  MFA required not known\n"), "%s", text);
	free(text);
	cr_assert_eq(print(SKM_TABLE_TEXT, SKM_LANGUAGE_JA, &text), 0);
	cr_assert(strstr(text, "多要素認証の必須化 有効") && strstr(text, "多要素認証の必須化 無効"), "%s",
		text);
	free(text);
}

/* A terminal chooses its name: it must not write on ours, nor be a formula. */
Test(terminal_table, a_name_is_only_a_name)
{
	char *text = NULL;
	struct skm_chain_entry formula = entry_of("=1+1", 1), escape = entry_of("a\x1b[31m", 2),
			       quote = entry_of("a\"b", 3);
	add(&formula);
	add(&escape);
	add(&quote);
	cr_assert_eq(print(SKM_TABLE_CSV, SKM_LANGUAGE_EN, &text), 0, "%s", text);
	cr_assert(strncmp(text, "\xef\xbb\xbfterminal,stream,", 19) == 0);
	cr_assert(strstr(text, "\"'=1+1\",\"agent\""), "%s", text);
	cr_assert(strstr(text, "\"a\"\"b\",\"agent\""), "%s", text);
	cr_assert_null(strchr(text, '\x1b'));
	free(text);
	cr_assert_eq(print(SKM_TABLE_TEXT, SKM_LANGUAGE_EN, &text), 0);
	cr_assert_null(strchr(text, '\x1b'), "%s", text);
	free(text);
	json_decref(print_json(0));
}

Test(terminal_table, says_when_it_cannot_tell)
{
	struct skm_table_options options = {.folder = "/nonexistent", .terminals_path = certificates};
	cr_assert_eq(skm_table_print(&options, stdout), 3);
	options.folder = root;
	tmpdir_write(root, "not a state", "state");
	cr_assert_eq(skm_table_print(&options, stdout), 3, "not a state");
	cr_assert_eq(skm_table_print_position(root, stdout), 3);
}

/* A collector is asked before its first message, when rsyslog has not started the store: everybody is to be
 * seen, and nothing looks well. */
Test(terminal_table, before_the_first_record_every_terminal_is_never_heard)
{
	struct skm_table_options options = {
		.folder = root, .terminals_path = certificates, .form = SKM_TABLE_JSON, .now_sec = NOW_SEC};
	for (int with_terminal = 0; with_terminal < 2; with_terminal++) {
		char *text = NULL, line[64];
		size_t size = 0;
		(void)snprintf(line, sizeof(line), "T-1\tx\t%" PRId64 "\n", NOW_SEC + 400 * DAY_SEC);
		if (with_terminal)
			tmpdir_write(root, line, "terminals");
		FILE *file = open_memstream(&text, &size);
		cr_assert_eq(skm_table_print(&options, file), 1, "no terminal and no record is not well");
		fclose(file);
		json_t *rows = json_loads(text, 0, NULL);
		cr_assert_eq(json_array_size(rows), (size_t)with_terminal, "%s", text);
		cr_assert(!with_terminal || strcmp(state_of(rows, 0), "never") == 0, "%s", text);
		json_decref(rows);
		free(text);
	}
}

Test(terminal_table, says_how_far_the_records_may_be_loaded)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	cr_assert_eq(skm_table_print_position(root, file), 1, "nothing yet");
	char *unused = NULL;
	cr_assert_eq(print(SKM_TABLE_JSON, SKM_LANGUAGE_EN, &unused), 0);
	free(unused);
	cr_assert_eq(skm_table_print_position(root, file), 0);
	fclose(file);
	cr_assert_str_eq(text, "2026-11-21.001.jsonl 4711\n");
	free(text);
}

Test(terminal_table, gives_the_verifier_what_has_been_seen)
{
	struct skm_chain_entry first = entry_of("T-1", 0xab), second = entry_of("T-1", 0xac);
	char *text = NULL, *unused = NULL, expected[512];
	size_t size = 0;
	memset(first.head, 0x12, sizeof(first.head));
	memset(second.head, 0x34, sizeof(second.head));
	snprintf(second.stream, sizeof(second.stream), "auth");
	second.sequence = second.records = 9007199254740991;
	FILE *file = open_memstream(&text, &size);
	cr_assert_eq(skm_table_print_watermarks(root, file), 1, "nothing yet");
	cr_assert_eq(skm_table_print_watermarks("/nonexistent", file), 3);
	add(&first);
	add(&second);
	(void)print(SKM_TABLE_JSON, SKM_LANGUAGE_EN, &unused);
	free(unused);
	cr_assert_eq(skm_table_print_watermarks(root, file), 0);
	tmpdir_write(root, "not a state", "state");
	cr_assert_eq(skm_table_print_watermarks(root, file), 3);
	fclose(file);
	size_t len = 0;
	for (unsigned i = 0; i < 16; i++)
		len += (size_t)snprintf(expected + len, sizeof(expected) - len, "ab");
	len += (size_t)snprintf(expected + len, sizeof(expected) - len, ":20:");
	for (unsigned i = 0; i < 32; i++)
		len += (size_t)snprintf(expected + len, sizeof(expected) - len, "12");
	len += (size_t)snprintf(expected + len, sizeof(expected) - len, "\n");
	for (unsigned i = 0; i < 16; i++)
		len += (size_t)snprintf(expected + len, sizeof(expected) - len, "ac");
	len += (size_t)snprintf(expected + len, sizeof(expected) - len, ":9007199254740991:");
	for (unsigned i = 0; i < 32; i++)
		len += (size_t)snprintf(expected + len, sizeof(expected) - len, "34");
	(void)snprintf(expected + len, sizeof(expected) - len, "\n");
	cr_expect_str_eq(text, expected);
	free(text);
}
