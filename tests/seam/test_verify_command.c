// SPDX-License-Identifier: Apache-2.0
/* The proving program on real files: what it prints, what it refuses, and its exit codes. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sample_chain.h"
#include "sekimori/verify_command.h"
#include "tmpdir.h"

#define COMPLETE "complete and verified"

struct world {
	char root[TMPDIR_BYTES];
	struct sample_chain chain;
	struct sample_lines lines;
	char *out, *err; /* of the last run */
};

static char *read_whole(const char *path)
{
	char *text = NULL;
	size_t size = 0, len;
	FILE *in = fopen(path, "re"), *to = open_memstream(&text, &size);
	char buf[4096];
	cr_assert(in && to, "%s", path);
	while ((len = fread(buf, 1, sizeof(buf), in)) > 0)
		fwrite(buf, 1, len, to);
	fclose(in);
	fclose(to);
	return text;
}

/* Words separated by blanks; "@" is the world's folder. "ja" or "en" is the language before any option. */
static int run_in(struct world *world, enum skm_language language, const char *words)
{
	char expanded[2048], *argv[32] = {(char[]){"sekimori-verify"}}, path[TMPDIR_BYTES + 8];
	size_t len = 0;
	int argc = 1;
	for (; *words; words++) {
		if (*words == '@')
			len += (size_t)snprintf(expanded + len, sizeof(expanded) - len, "%s", world->root);
		else
			expanded[len++] = *words;
	}
	expanded[len] = '\0';
	for (char *save = NULL, *word = strtok_r(expanded, " ", &save); word;
		word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	argv[argc] = NULL;
	const struct skm_verify_command command = {.name = "sekimori-verify", .language = language};
	int kept[2] = {dup(1), dup(2)};
	for (int fd = 1; fd <= 2; fd++) {
		fflush(fd == 1 ? stdout : stderr);
		snprintf(path, sizeof(path), "%s.%d", world->root, fd);
		int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		cr_assert_eq(dup2(file, fd), fd);
		close(file);
	}
	int exit_code = skm_verify_command(&command, argc, argv);
	free(world->out);
	free(world->err);
	for (int fd = 1; fd <= 2; fd++) {
		fflush(fd == 1 ? stdout : stderr);
		dup2(kept[fd - 1], fd);
		close(kept[fd - 1]);
		snprintf(path, sizeof(path), "%s.%d", world->root, fd);
		*(fd == 1 ? &world->out : &world->err) = read_whole(path);
		unlink(path);
	}
	return exit_code;
}

static int run(struct world *world, const char *words)
{
	return run_in(world, SKM_LANGUAGE_EN, words);
}

#define expect_says(text, word) cr_expect_not_null(strstr(text, word), "\"%s\" is not in:\n%s", word, text)
#define expect_silent(text, word) cr_expect_null(strstr(text, word), "\"%s\" is in:\n%s", word, text)

static void write_lines(struct world *world, const struct sample_lines *lines, const char *path)
{
	size_t len = 0;
	char *text = sample_lines_join(lines, &len);
	tmpdir_write(world->root, text, "%s", path);
	free(text);
}

static void write_part(struct world *world, size_t begin, size_t end, const char *path)
{
	struct sample_lines part = {.lines = NULL};
	sample_lines_copy(&part, &world->lines, begin, end);
	write_lines(world, &part, path);
	sample_lines_finish(&part);
}

/* What the terminal does at enrolment, with the public key that the program printed. */
static void seal(
	struct world *world, const struct sample_chain *chain, const char *public_hex, const char *path)
{
	uint8_t public_key[32], sealed[SKM_CHAIN_SEALED_KEY_BYTES];
	char id[64], sealed_hex[256], line[512];
	for (size_t i = 0; i < sizeof(public_key); i++) {
		unsigned byte = 0;
		cr_assert_eq(sscanf(public_hex + 2 * i, "%2x", &byte), 1);
		public_key[i] = (uint8_t)byte;
	}
	skm_chain_seal_key(public_key, chain->first_key, sealed);
	skm_hex_format(chain->chain.id, sizeof(chain->chain.id), id);
	skm_hex_format(sealed, sizeof(sealed), sealed_hex);
	snprintf(line, sizeof(line), "%s %s\n", id, sealed_hex);
	tmpdir_write(world->root, line, "%s", path);
}

static void make_key(struct world *world, const char *key, char ret_public_hex[65])
{
	char words[128];
	snprintf(words, sizeof(words), "--new-key @/%s", key);
	cr_assert_eq(run(world, words), 0, "%s", world->err);
	const char *at = strstr(world->out, "verifier_key = \"");
	cr_assert_not_null(at, "%s", world->out);
	snprintf(ret_public_hex, 65, "%.64s", at + strlen("verifier_key = \""));
}

/* log/agent: 600 records in two segments; key, sealed. */
static void set(struct world *world)
{
	char public_hex[65];
	memset(world, 0, sizeof(*world));
	tmpdir_make(world->root);
	sample_chain_begin(&world->chain, "agent");
	sample_chain_run(&world->chain, 600, &world->lines);
	write_part(world, 0, 300, "log/agent/00000001.jsonl");
	write_part(world, 300, 600, "log/agent/00000002.jsonl");
	make_key(world, "key", public_hex);
	seal(world, &world->chain, public_hex, "sealed");
}

static void unset(struct world *world)
{
	tmpdir_remove(world->root);
	sample_lines_finish(&world->lines);
	free(world->out);
	free(world->err);
}

#define KEYS "--key @/key --sealed @/sealed "

Test(verify_command, says_that_an_honest_log_is_complete)
{
	struct world world;
	set(&world);
	cr_expect_eq(run(&world, KEYS "@/log"), 0);
	expect_says(world.out, "records 1..600 " COMPLETE);
	expect_says(world.out, "agent");
	expect_says(world.out, "no watermark");
	cr_expect_str_empty(world.err);
	cr_expect_eq(run(&world, KEYS "@/log/agent/"), 0, "the stream's own folder");
	expect_says(world.out, COMPLETE);
	cr_expect_eq(run(&world, KEYS "@/log/agent/00000001.jsonl @/log/agent/00000002.jsonl"), 0);
	expect_says(world.out, COMPLETE);
	cr_expect_eq(run_in(&world, SKM_LANGUAGE_JA, KEYS "@/log"), 0);
	expect_says(world.out, "記録 1〜600 は完全で検証済みです");
	cr_expect_eq(run(&world, "--lang ja " KEYS "@/log"), 0);
	expect_says(world.out, "完全で検証済み");
	unset(&world);
}

Test(verify_command, segments_are_read_in_the_order_of_their_numbers)
{
	struct world world;
	set(&world);
	cr_expect_eq(run(&world, KEYS "@/log/agent/00000002.jsonl @/log/agent/00000001.jsonl"), 0);
	expect_says(world.out, COMPLETE);
	write_part(&world, 0, 300, "b.txt");
	write_part(&world, 300, 600, "a.txt");
	cr_expect_eq(
		run(&world, KEYS "@/b.txt @/a.txt"), 0, "other names keep the order in which they are given");
	cr_expect_eq(run(&world, KEYS "@/a.txt @/b.txt"), SKM_VERIFY_EXIT_FOUND + SKM_FINDING_REORDER);
	unset(&world);
}

Test(verify_command, without_a_key_it_never_says_complete)
{
	struct world world;
	set(&world);
	cr_expect_eq(run(&world, "@/log"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_silent(world.out, COMPLETE);
	expect_says(world.out, "records 1..600 unbroken");
	expect_says(world.out, "NOT PROVEN who wrote them");
	expect_says(world.err, "--sealed");
	cr_expect_eq(run(&world, "--chain-only @/log"), 0, "that was what was asked for");
	expect_silent(world.out, COMPLETE);
	expect_says(world.out, "NOT PROVEN who wrote them");
	unset(&world);
}

Test(verify_command, says_what_is_wrong_and_where)
{
	struct world world;
	set(&world);
	sample_lines_replace(&world.lines, 311, "PC-042", "PC-007");
	write_part(&world, 300, 600, "log/agent/00000002.jsonl");
	cr_expect_eq(run(&world, KEYS "@/log"), SKM_VERIFY_EXIT_FOUND + SKM_FINDING_EDIT);
	expect_says(world.out, "EDIT      00000002.jsonl:12: record 312 was changed");
	expect_says(world.out, "NOT COMPLETE: EDIT ×1");
	expect_says(world.out, "verified: 1..311, 313..600");
	expect_silent(world.out, "    watermark ");
	expect_silent(world.out, COMPLETE);
	cr_expect_eq(run_in(&world, SKM_LANGUAGE_JA, KEYS "@/log"), SKM_VERIFY_EXIT_FOUND + SKM_FINDING_EDIT);
	expect_says(world.out, "記録 312 が書き換えられています");
	expect_says(world.out, "完全ではありません");
	unset(&world);
}

Test(verify_command, the_exit_code_is_the_worst_finding)
{
	struct world world;
	set(&world);
	sample_lines_remove(&world.lines, 400, 410);
	write_part(&world, 300, 590, "log/agent/00000002.jsonl");
	cr_expect_eq(run(&world, KEYS "@/log"), SKM_VERIFY_EXIT_FOUND + SKM_FINDING_GAP);
	expect_says(world.out, "GAP");
	sample_lines_replace(&world.lines, 311, "PC-042", "PC-007");
	write_part(&world, 300, 590, "log/agent/00000002.jsonl");
	cr_expect_eq(run(&world, KEYS "@/log"), SKM_VERIFY_EXIT_FOUND + SKM_FINDING_EDIT);
	expect_says(world.out, "found: EDIT ×1, GAP ×1");
	unset(&world);
}

Test(verify_command, a_missing_segment_is_a_gap)
{
	struct world world;
	set(&world);
	cr_expect_eq(run(&world, KEYS "@/log/agent/00000002.jsonl"), SKM_VERIFY_EXIT_FOUND + SKM_FINDING_GAP);
	expect_says(world.out, "records 1..300 missing");
	cr_expect_eq(run(&world, KEYS "--begins-late @/log/agent/00000002.jsonl"), 0);
	expect_says(world.out, "records 301..600 verified, without a gap; records 1..300 are not here");
	expect_silent(world.out, COMPLETE);
	unset(&world);
}

Test(verify_command, what_stands_behind_the_last_checkpoint_is_told_apart)
{
	struct world world;
	set(&world);
	write_part(&world, 300, 590, "log/agent/00000002.jsonl");
	cr_expect_eq(run(&world, KEYS "@/log"), 0);
	expect_says(world.out, "records 1..512 " COMPLETE "; 513..590 verified too");
	cr_expect_eq(
		run(&world, KEYS "--until 2099-01-01 @/log"), SKM_VERIFY_EXIT_FOUND + SKM_FINDING_SILENT);
	expect_silent(world.out, COMPLETE);
	unset(&world);
}

Test(verify_command, nothing_is_not_complete)
{
	struct world world;
	set(&world);
	tmpdir_write(world.root, "", "empty/agent/00000001.jsonl");
	cr_expect_eq(run(&world, KEYS "@/empty"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_says(world.out, "no record at all");
	tmpdir_write(world.root, "", "none/agent/README");
	cr_expect_eq(run(&world, KEYS "@/none"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_says(world.err, "no segments");
	cr_expect_eq(run(&world, KEYS "@/nowhere"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_says(world.err, "no such file");
	cr_expect_eq(run(&world, KEYS "--json @/empty"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_silent(world.out, "\"complete\":true");
	unset(&world);
}

Test(verify_command, a_log_that_nobody_sealed_is_not_complete)
{
	struct world world;
	struct sample_lines lines = {.lines = NULL};
	set(&world);
	struct sample_chain *chain = &world.chain;
	sample_chain_begin(chain, "agent");
	sample_chain_records(chain, 20, &lines);
	write_lines(&world, &lines, "unsealed/00000001.jsonl");
	char public_hex[65];
	make_key(&world, "key2", public_hex);
	seal(&world, chain, public_hex, "sealed2");
	cr_expect_eq(run(&world, "--key @/key2 --sealed @/sealed2 @/unsealed"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_says(world.out, "NOT SEALED");
	expect_silent(world.out, COMPLETE);
	sample_lines_finish(&lines);
	unset(&world);
}

Test(verify_command, two_streams_side_by_side)
{
	struct world world;
	struct sample_chain auth;
	struct sample_lines lines = {.lines = NULL};
	set(&world);
	sample_chain_begin(&auth, "auth");
	sample_chain_run(&auth, 30, &lines);
	write_lines(&world, &lines, "log/auth/00000001.jsonl");
	cr_expect_eq(
		run(&world, KEYS "@/log"), SKM_VERIFY_EXIT_FOUND + SKM_FINDING_RESTART, "a key is missing");
	expect_says(world.out, "records 1..600 " COMPLETE);
	expect_says(world.out, "    watermark ");
	expect_says(world.out, "none of the given keys is of this chain");
	char public_hex[65];
	make_key(&world, "key2", public_hex);
	seal(&world, &auth, public_hex, "sealed-auth");
	seal(&world, &world.chain, public_hex, "sealed-agent");
	cr_expect_eq(run(&world, "--key @/key2 --sealed @/sealed-auth --sealed @/sealed-agent @/log"), 0);
	expect_says(world.out, "records 1..600 " COMPLETE);
	expect_says(world.out, "records 1..30 " COMPLETE);
	/* One thrown into the other's folder. */
	write_lines(&world, &lines, "log/agent/00000003.jsonl");
	cr_expect_eq(run(&world, "--key @/key2 --sealed @/sealed-auth --sealed @/sealed-agent @/log/agent"),
		SKM_VERIFY_EXIT_FOUND + SKM_FINDING_RESTART);
	sample_lines_finish(&lines);
	unset(&world);
}

/* A day at the collector. */
Test(verify_command, collected_files_hold_the_lines_of_many_terminals)
{
	struct world world;
	struct sample_chain other;
	struct sample_lines others = {.lines = NULL}, day = {.lines = NULL};
	char public_hex[65];
	set(&world);
	sample_chain_begin(&other, "agent");
	sample_chain_run(&other, 600, &others);
	for (size_t i = 0; i < 600; i++) {
		sample_lines_copy(&day, &others, i, i + 1);
		sample_lines_copy(&day, &world.lines, i, i + 1);
	}
	write_lines(&world, &day, "2026-11-21.001.jsonl");
	make_key(&world, "key2", public_hex);
	seal(&world, &world.chain, public_hex, "sealed-a");
	seal(&world, &other, public_hex, "sealed-b");
	static const char keys[] =
		"--key @/key2 --sealed @/sealed-a --sealed @/sealed-b @/2026-11-21.001.jsonl";
	cr_expect_eq(run(&world, keys), SKM_VERIFY_EXIT_FOUND + SKM_FINDING_REORDER,
		"as one stream it is a muddle");
	char words[256];
	snprintf(words, sizeof(words), "--mixed %s", keys);
	cr_expect_eq(run(&world, words), 0);
	const char *first = strstr(world.out, "records 1..600 " COMPLETE);
	cr_expect(first && strstr(first + 1, "records 1..600 " COMPLETE), "%s", world.out);
	sample_lines_finish(&others);
	sample_lines_finish(&day);
	unset(&world);
}

Test(verify_command, reads_standard_input)
{
	struct world world;
	char path[TMPDIR_BYTES + 40];
	set(&world);
	snprintf(path, sizeof(path), "%s/log/agent/00000001.jsonl", world.root);
	int kept = dup(0), fd = open(path, O_RDONLY | O_CLOEXEC);
	dup2(fd, 0);
	cr_expect_eq(run(&world, KEYS "-"), 0);
	expect_says(world.out, "records 1..256 " COMPLETE);
	dup2(kept, 0);
	close(kept);
	close(fd);
	unset(&world);
}

/* ---- JSON ---- */

static json_t *parse(const struct world *world)
{
	json_error_t error;
	json_t *json = json_loads(world->out, JSON_REJECT_DUPLICATES, &error);
	cr_assert_not_null(json, "%s at %d: %s", error.text, error.position, world->out);
	return json;
}

Test(verify_command, json_is_one_document_with_all_of_it)
{
	struct world world;
	const char *from, *kind, *cause, *file, *worst;
	int first, last, line, exit_code, complete, top_complete, range_first, range_last;
	set(&world);
	cr_expect_eq(run(&world, KEYS "--json @/log"), 0);
	json_t *json = parse(&world);
	cr_assert_eq(json_unpack(json, "{s:[{s:s,s:[{s:i,s:i,s:b,s:[[i,i]]}]}],s:b,s:i}", "streams", "from",
			     &from, "chains", "first", &first, "last", &last, "complete", &complete, "ranges",
			     &range_first, &range_last, "complete", &top_complete, "exit", &exit_code),
		0);
	cr_expect(complete && top_complete && exit_code == 0 && first == 1 && last == 600);
	cr_expect(range_first == 1 && range_last == 600);
	cr_expect(json_is_null(json_object_get(json, "worst")));
	json_decref(json);

	sample_lines_replace(&world.lines, 311, "PC-042", "PC-007");
	write_part(&world, 300, 600, "log/agent/00000002.jsonl");
	cr_expect_eq(run(&world, KEYS "--json @/log"), SKM_VERIFY_EXIT_FOUND + SKM_FINDING_EDIT);
	json = parse(&world);
	cr_assert_eq(json_unpack(json, "{s:[{s:[{s:s,s:s,s:i,s:i,s:s,s:i}],s:[{s:b}]}],s:b,s:s,s:i}",
			     "streams", "findings", "kind", &kind, "cause", &cause, "first", &first, "last",
			     &last, "file", &file, "line", &line, "chains", "complete", &complete, "complete",
			     &top_complete, "worst", &worst, "exit", &exit_code),
		0);
	cr_expect_str_eq(kind, "EDIT");
	cr_expect_str_eq(worst, "EDIT");
	cr_expect_str_eq(cause, "link");
	cr_expect(first == 312 && last == 312 && line == 12 && strstr(file, "/log/agent/00000002.jsonl"));
	cr_expect(!complete && !top_complete && exit_code == SKM_VERIFY_EXIT_FOUND + SKM_FINDING_EDIT);
	json_decref(json);
	unset(&world);
}

/* ---- watermarks ---- */

Test(verify_command, a_watermark_that_it_printed_is_one_that_it_takes)
{
	struct world world;
	char words[512], mark[160];
	set(&world);
	cr_expect_eq(run(&world, KEYS "@/log"), 0);
	snprintf(mark, sizeof(mark), "%.101s", strstr(world.out, "watermark ") + strlen("watermark "));
	mark[strcspn(mark, "\n")] = '\0';
	snprintf(words, sizeof(words), KEYS "--watermark %s @/log", mark);
	cr_expect_eq(run(&world, words), 0);
	expect_silent(world.out, "no watermark");
	tmpdir_write(world.root, mark, "marks");
	write_part(&world, 300, 512, "log/agent/00000002.jsonl");
	cr_expect_eq(run(&world, KEYS "--watermarks @/marks @/log"),
		SKM_VERIFY_EXIT_FOUND + SKM_FINDING_TRUNCATED);
	expect_says(world.out, "records 513..600 were witnessed and cut off since");
	expect_silent(world.out, COMPLETE);
	unset(&world);
}

Test(verify_command, a_witnessed_chain_that_is_nowhere)
{
	struct world world;
	set(&world);
	cr_expect_eq(
		run(&world, KEYS "--watermark 00112233445566778899aabbccddeeff:17:"
				 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff @/log"),
		SKM_VERIFY_EXIT_FOUND + SKM_FINDING_TRUNCATED);
	expect_says(world.out, "nothing of this chain is here");
	cr_expect_eq(
		run(&world, KEYS "--json --watermark 00112233445566778899aabbccddeeff:17:"
				 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff @/log"),
		SKM_VERIFY_EXIT_FOUND + SKM_FINDING_TRUNCATED);
	json_t *json = parse(&world);
	cr_expect_eq(json_array_size(json_object_get(json, "findings")), 1);
	cr_expect(json_is_false(json_object_get(json, "complete")));
	json_decref(json);
	unset(&world);
}

/* A wiped stream, a history begun anew, a file of the fleet's keys: the keys alone cannot tell them apart. */
Test(verify_command, a_key_of_which_nothing_is_here_is_said)
{
	struct world world;
	struct sample_chain other;
	char public_hex[65], id[2 * SKM_CHAIN_ID_BYTES + 1];
	const char *absent;
	set(&world);
	make_key(&world, "key2", public_hex);
	seal(&world, &world.chain, public_hex, "sealed-here");
	for (int i = 0; i < 2; i++) {
		sample_chain_begin(&other, "auth");
		seal(&world, &other, public_hex, i == 0 ? "sealed-b" : "sealed-c");
	}
	skm_hex_format(other.chain.id, sizeof(other.chain.id), id);
	cr_expect_eq(run(&world, "--key @/key2 --sealed @/sealed-here @/log"), 0);
	expect_silent(world.out, "given keys");
	cr_expect_eq(run(&world, "--key @/key2 --sealed @/sealed-here --sealed @/sealed-b "
				 "--sealed @/sealed-c @/log"),
		0);
	expect_says(world.out, COMPLETE);
	expect_says(world.out, "2 of 3 given keys: nothing of their chains is here\n");
	cr_expect_eq(run_in(&world, SKM_LANGUAGE_JA,
			     "--key @/key2 --sealed @/sealed-here --sealed @/sealed-c @/log"),
		0);
	expect_says(world.out, "鍵 1 件 (全 2 件のうち): その鎖の記録はここにひとつもありません\n");

	cr_expect_eq(run(&world, "--key @/key2 --sealed @/sealed-here --sealed @/sealed-c --json @/log"), 0);
	json_t *json = parse(&world);
	cr_expect_eq(json_array_size(json_object_get(json, "absent")), 1);
	cr_assert_eq(json_unpack(json, "{s:[s]}", "absent", &absent), 0);
	cr_expect_str_eq(absent, id);
	json_decref(json);
	cr_expect_eq(run(&world, KEYS "--json @/log"), 0);
	json = parse(&world);
	cr_expect(json_is_array(json_object_get(json, "absent")));
	cr_expect_eq(json_array_size(json_object_get(json, "absent")), 0);
	json_decref(json);
	unset(&world);
}

/* ---- keys ---- */

Test(verify_command, makes_a_key_that_only_its_owner_can_read)
{
	struct world world;
	struct stat st;
	char path[TMPDIR_BYTES + 8];
	set(&world);
	snprintf(path, sizeof(path), "%s/key", world.root);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	char *before = read_whole(path);
	cr_expect_eq(run(&world, "--new-key @/key"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_says(world.err, "never overwritten");
	char *after = read_whole(path);
	cr_expect_str_eq(before, after);
	free(before);
	free(after);
	cr_expect_eq(chmod(path, 0640), 0);
	cr_expect_eq(run(&world, KEYS "@/log"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_says(world.err, "chmod 600");
	cr_expect_str_empty(world.out);
	unset(&world);
}

Test(verify_command, refuses_keys_that_do_not_fit)
{
	struct world world;
	char public_hex[65], path[TMPDIR_BYTES + 8];
	set(&world);
	make_key(&world, "key2", public_hex);
	cr_expect_eq(run(&world, "--key @/key2 --sealed @/sealed @/log"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_says(world.err, "none is sealed to this secret key");
	tmpdir_write(world.root, "deadbeef\n", "sealed3");
	cr_expect_eq(run(&world, "--key @/key --sealed @/sealed3 @/log"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_says(world.err, "line 1 is not of the right form");
	tmpdir_write(world.root, "# nothing\n", "sealed4");
	cr_expect_eq(run(&world, "--key @/key --sealed @/sealed4 @/log"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_says(world.err, "there is no key in it");
	tmpdir_write(world.root, "no key\n", "key5");
	snprintf(path, sizeof(path), "%s/key5", world.root);
	cr_expect_eq(chmod(path, 0600), 0);
	cr_expect_eq(run(&world, "--key @/key5 --sealed @/sealed @/log"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_says(world.err, "no file of this kind");
	unset(&world);
}

/* Root of the terminal adds a key of his own making for the chain: two cannot both be right. */
Test(verify_command, two_keys_of_one_chain_are_refused)
{
	struct world world;
	char public_hex[65];
	set(&world);
	struct sample_chain forged = world.chain;
	make_key(&world, "key2", public_hex);
	memset(forged.first_key, 1, sizeof(forged.first_key));
	seal(&world, &world.chain, public_hex, "sealed-a");
	seal(&world, &forged, public_hex, "sealed-b");
	cr_expect_eq(run(&world, "--key @/key2 --sealed @/sealed-a --sealed @/sealed-a @/log"), 0);
	cr_expect_eq(run(&world, "--key @/key2 --sealed @/sealed-a --sealed @/sealed-b @/log"),
		SKM_VERIFY_EXIT_UNKNOWN);
	expect_says(world.err, "another key of the same chain");
	unset(&world);
}

/* ---- hostile input ---- */

Test(verify_command, neither_links_nor_fifos_in_a_folder_are_read)
{
	struct world world;
	char target[TMPDIR_BYTES + 40], path[TMPDIR_BYTES + 40];
	set(&world);
	snprintf(target, sizeof(target), "%s/log/agent/00000002.jsonl", world.root);
	snprintf(path, sizeof(path), "%s/moved", world.root);
	cr_assert_eq(rename(target, path), 0);
	cr_assert_eq(symlink(path, target), 0);
	cr_expect_eq(run(&world, KEYS "@/log"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_says(world.err, "no regular file");
	expect_silent(world.out, COMPLETE);
	cr_assert_eq(unlink(target), 0);
	cr_assert_eq(mkfifo(target, 0600), 0);
	cr_expect_eq(run(&world, KEYS "@/log"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_says(world.err, "no regular file");
	cr_expect_eq(run(&world, KEYS "--json @/log"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_silent(world.out, "\"complete\":true");
	unset(&world);
}

Test(verify_command, a_line_longer_than_any_record)
{
	static const size_t lengths[] = {7999, 8000, 8001, 1048575, 1048576, 1048577, 3000000};
	struct world world;
	set(&world);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(lengths); i++) {
		struct sample_lines lines = {.lines = NULL};
		char *text = malloc(lengths[i]);
		memset(text, 'x', lengths[i]);
		sample_lines_copy(&lines, &world.lines, 0, 256);
		sample_lines_push(&lines, text, lengths[i]);
		sample_lines_copy(&lines, &world.lines, 256, 600);
		write_lines(&world, &lines, "long/00000001.jsonl");
		cr_expect_eq(run(&world, KEYS "@/long"), SKM_VERIFY_EXIT_FOUND + SKM_FINDING_FOREIGN);
		expect_says(world.out, "00000001.jsonl:257: ");
		expect_says(world.out, "verified: 1..600");
		sample_lines_finish(&lines);
		free(text);
	}
	unset(&world);
}

Test(verify_command, names_do_not_reach_the_terminal_raw)
{
	struct world world;
	set(&world);
	write_part(&world, 0, 300, "log\x1b[31m/00000001.jsonl");
	cr_expect_eq(run(&world, KEYS "@/log\x1b[31m"), 0);
	expect_silent(world.out, "\x1b");
	cr_expect_eq(run(&world, KEYS "@/nolog\x1b[31m"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_silent(world.err, "\x1b");
	unset(&world);
}

/* Several blocks, hashed by several threads: one byte in the middle of all that is still found. */
Test(verify_command, a_long_log_is_judged_line_by_line)
{
	struct world world;
	struct sample_lines lines = {.lines = NULL};
	char public_hex[65];
	set(&world);
	sample_chain_begin(&world.chain, "agent");
	sample_chain_run(&world.chain, 5000, &lines);
	make_key(&world, "key2", public_hex);
	seal(&world, &world.chain, public_hex, "sealed2");
	write_lines(&world, &lines, "long/00000001.jsonl");
	cr_expect_eq(run(&world, "--key @/key2 --sealed @/sealed2 @/long"), 0);
	expect_says(world.out, "records 1..5,000 " COMPLETE);
	sample_lines_replace(&lines, 3141, "Sekimori", "Sekimorl");
	write_lines(&world, &lines, "long/00000001.jsonl");
	cr_expect_eq(run(&world, "--key @/key2 --sealed @/sealed2 @/long"),
		SKM_VERIFY_EXIT_FOUND + SKM_FINDING_EDIT);
	expect_says(world.out, "00000001.jsonl:3142: record 3,142 was changed");
	sample_lines_finish(&lines);
	unset(&world);
}

/* ---- the command line ---- */

Test(verify_command, wrong_usage_is_told_and_names_what_is_right)
{
	static const struct {
		const char *words, *says;
	} cases[] = {
		{"--nothing", "--watermark"},
		{"-x", "-x"},
		{"--key", "needs a value"},
		{"--lang fr", "ja, en"},
		{"--key @/key @/log", "go together"},
		{"--sealed @/sealed @/log", "go together"},
		{"--chain-only " KEYS "@/log", "excludes"},
		{"--watermark 17 @/log", "CHAIN:NUMBER:HASH"},
		{"--heartbeat 5 @/log", "1min - 24h"},
		{"--until tomorrowish @/log", "2026-11-21"},
		{"--new-key @/key9 @/log", "too many"},
	};
	struct world world;
	set(&world);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		cr_expect_eq(run(&world, cases[i].words), SKM_VERIFY_EXIT_USAGE, "%s", cases[i].words);
		expect_says(world.err, cases[i].says);
		expect_says(world.err, "--help");
		cr_expect_str_empty(world.out);
	}
	cr_expect_eq(run(&world, "--help"), 0);
	expect_says(world.out, "20 FORGE");
	cr_expect_eq(run(&world, "--version"), 0);
	expect_says(world.out, "sekimori-verify ");
	cr_expect_eq(run(&world, "--watermarks @/key @/log"), SKM_VERIFY_EXIT_UNKNOWN);
	expect_says(world.err, "line 3 is not of the right form");
	unset(&world);
}
