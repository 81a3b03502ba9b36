// SPDX-License-Identifier: Apache-2.0
/* What lies on disk: the entry that is appended through power cuts and a full disk, last night's heads, the
 * key, the day files and the verifier's report. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "days.h"
#include "heads.h"
#include "mail.h"
#include "state.h"
#include "tmpdir.h"
#include "verdict.h"
#include "witness_book.h"

static char root_path[TMPDIR_BYTES];
static int folderfd = -1;

static void start(void)
{
	cr_assert_eq(skm_chain_start(), 0);
	tmpdir_make(root_path);
	folderfd = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(folderfd, 0);
}

static void stop(void)
{
	skm_fd_close(&folderfd);
	tmpdir_remove(root_path);
}

TestSuite(witness_state, .init = start, .fini = stop);

/* ---- witness.jsonl ---- */

static struct skm_witness_book load(void)
{
	struct skm_witness_book book = {.entries = NULL};
	cr_assert_eq(skm_witness_book_load(folderfd, &book), 0);
	cr_assert_eq(book.fault, SKM_WITNESS_FAULT_NONE);
	return book;
}

static int append(const struct skm_witness_append_ops *ops)
{
	struct skm_witness_key key = witness_key(1);
	struct skm_witness_book book = load();
	struct skm_witness_entry entry =
		witness_entry(&key, book.count > 0 ? &book.entries[book.count - 1] : NULL);
	int r = skm_witness_book_append(folderfd, ops, &book, &entry);
	skm_witness_book_finish(&book);
	return r;
}

static void expect_count(size_t count)
{
	struct skm_witness_book book = load();
	cr_expect_eq(book.count, count, "%zu entries instead of %zu", book.count, count);
	cr_expect_eq(book.torn_bytes, 0u);
	skm_witness_book_finish(&book);
}

/* Cut anywhere in the last line: the entry is not there, and the next one takes its place. */
Test(witness_state, a_power_cut_leaves_an_entry_or_none)
{
	struct stat first, second;
	char path[TMPDIR_BYTES + 32];
	snprintf(path, sizeof(path), "%s/witness.jsonl", root_path);
	cr_assert_eq(append(&skm_witness_append_ops_system), 0);
	cr_assert_eq(stat(path, &first), 0);
	cr_assert_eq(append(&skm_witness_append_ops_system), 0);
	cr_assert_eq(stat(path, &second), 0);
	for (off_t cut = first.st_size; cut < second.st_size; cut += 50) {
		cr_assert_eq(truncate(path, cut), 0);
		struct skm_witness_book book = load();
		cr_expect_eq(book.count, 1u);
		cr_expect_eq(book.torn_bytes, (size_t)(cut - first.st_size));
		skm_witness_book_finish(&book);
		cr_assert_eq(append(&skm_witness_append_ops_system), 0);
		expect_count(2);
	}
}

static ssize_t write_half(int fd, const void *data, size_t len)
{
	if (len < 2) {
		errno = ENOSPC;
		return -1;
	}
	return write(fd, data, len / 2);
}

static int sync_fails(int fd)
{
	(void)fd;
	errno = EIO;
	return -1;
}

Test(witness_state, a_full_or_broken_disk_leaves_what_was_there)
{
	static const struct skm_witness_append_ops full = {write_half, fdatasync},
						   broken = {write, sync_fails};
	cr_assert_eq(append(&skm_witness_append_ops_system), 0);
	cr_expect_eq(append(&full), -ENOSPC);
	expect_count(1);
	cr_expect_eq(append(&broken), -EIO);
	expect_count(1);
	cr_expect_eq(append(&skm_witness_append_ops_system), 0);
	expect_count(2);
}

Test(witness_state, a_link_is_not_followed)
{
	cr_assert_eq(symlinkat("/etc/passwd", folderfd, "witness.jsonl"), 0);
	struct skm_witness_book book = {.entries = NULL};
	cr_expect_eq(skm_witness_book_load(folderfd, &book), -ELOOP);
	cr_assert_eq(unlinkat(folderfd, "witness.jsonl", 0), 0);
	cr_assert_eq(mkfifoat(folderfd, "witness.jsonl", 0600), 0);
	cr_expect_eq(skm_witness_book_load(folderfd, &book), -EINVAL);
}

/* ---- the key ---- */

Test(witness_state, a_key_is_for_its_owner_and_is_never_overwritten)
{
	char path[TMPDIR_BYTES + 32];
	uint8_t public_key[SKM_WITNESS_KEY_BYTES], root[SKM_WITNESS_HASH_BYTES] = {1},
						   signature[SKM_WITNESS_SIGNATURE_BYTES];
	struct skm_witness_key key;
	struct stat st;
	snprintf(path, sizeof(path), "%s/witness.key", root_path);
	cr_expect_eq(skm_witness_key_load(path, &key), -ENOENT);
	cr_assert_eq(skm_witness_key_create(path, public_key), 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600u);
	cr_expect_eq(skm_witness_key_create(path, public_key), -EEXIST);
	cr_assert_eq(skm_witness_key_load(path, &key), 0);
	cr_expect_eq(memcmp(key.public_key, public_key, sizeof(public_key)), 0);
	skm_witness_sign(&key, root, signature);
	cr_expect(skm_witness_is_signed(public_key, root, signature));
	root[0] = 2;
	cr_expect_not(skm_witness_is_signed(public_key, root, signature));
	cr_assert_eq(chmod(path, 0640), 0);
	cr_expect_eq(skm_witness_key_load(path, &key), SKM_WITNESS_KEY_EXPOSED);
	tmpdir_write(root_path, "# nothing\n", "empty.key");
	snprintf(path, sizeof(path), "%s/empty.key", root_path);
	cr_assert_eq(chmod(path, 0600), 0);
	cr_expect_eq(skm_witness_key_load(path, &key), SKM_WITNESS_KEY_FORM);
}

/* ---- heads ---- */

static struct skm_watermark mark(uint8_t chain, uint64_t sequence)
{
	struct skm_watermark mark = {.sequence = sequence};
	memset(mark.chain_id, chain, sizeof(mark.chain_id));
	memset(mark.hash, (int)sequence, sizeof(mark.hash));
	return mark;
}

static void put(struct skm_witness_heads *heads, uint8_t chain, uint64_t sequence)
{
	struct skm_watermark one = mark(chain, sequence);
	cr_assert_eq(skm_witness_heads_put(heads, &one), 0);
}

Test(witness_state, heads_are_sorted_and_never_go_back)
{
	struct skm_witness_heads heads = {.marks = NULL}, again = {.marks = NULL};
	uint8_t first[SKM_WITNESS_HASH_BYTES], second[SKM_WITNESS_HASH_BYTES];
	for (uint8_t chain = 200; chain > 0; chain--)
		put(&heads, chain, chain);
	cr_assert_eq(skm_witness_heads_store(&heads, folderfd, "000001.heads"), 0);
	cr_assert_eq(skm_witness_heads_load(&again, folderfd, "000001.heads"), 0);
	cr_expect_eq(again.count, 200u);
	skm_witness_heads_root(&heads, first);
	skm_witness_heads_root(&again, second);
	cr_expect_eq(memcmp(first, second, sizeof(first)), 0);
	put(&again, 7, 6); /* back: not taken */
	put(&again, 7, 6);
	skm_witness_heads_root(&again, second);
	cr_expect_eq(memcmp(first, second, sizeof(first)), 0);
	put(&again, 7, 8);
	skm_witness_heads_root(&again, second);
	cr_expect_neq(memcmp(first, second, sizeof(first)), 0);
	cr_expect_eq(again.count, 200u);
	skm_witness_heads_finish(&heads);
	skm_witness_heads_finish(&again);
}

Test(witness_state, heads_of_another_form_are_refused)
{
	static const char *const wrong[] = {"x\n", "0707:1:07\n",
		"07070707070707070707070707070707:0:"
		"0101010101010101010101010101010101010101010101010101010101010101\n",
		"07070707070707070707070707070707:1:"
		"0101010101010101010101010101010101010101010101010101010101010101"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(wrong); i++) {
		struct skm_witness_heads heads = {.marks = NULL};
		tmpdir_write(root_path, wrong[i], "wrong.heads");
		cr_expect_eq(
			skm_witness_heads_load(&heads, folderfd, "wrong.heads"), -EBADMSG, "%s", wrong[i]);
		skm_witness_heads_finish(&heads);
	}
}

/* ---- day files ---- */

static struct skm_witness_days list(void)
{
	struct skm_witness_days days = {.folderfd = -1};
	cr_assert_eq(skm_witness_days_list(folderfd, &days), 0);
	return days;
}

Test(witness_state, day_files_are_read_in_their_order)
{
	struct skm_witness_entry entry = {.first_day = 20261119, .last_day = 20261120}, other = entry;
	tmpdir_write(root_path, "{,\"terminal\":{\"number\":\"B\",\"x\"}\n", "2026-11-20.002.jsonl");
	tmpdir_write(root_path, "{,\"terminal\":{\"number\":\"A\",\"x\"}\n", "2026-11-20.001.jsonl");
	tmpdir_write(root_path, "{,\"terminal\":{\"number\":\"A\",\"x\"}\nodd\n\n", "2026-11-19.001.jsonl");
	tmpdir_write(root_path, "later\n", "2026-11-21.001.jsonl");
	static const char *const others[] = {"2026-11-20.000.jsonl", "2026-11-31.001.jsonl",
		".2026-11-20.003.jsonl.x7", "2026-11-20.001.jsonl.gz", "notes", "2026-11-20.01.jsonl"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(others); i++)
		tmpdir_write(root_path, "x\n", "%s", others[i]);
	struct skm_witness_days days = list();
	cr_expect_eq(days.count, 4u);
	cr_assert_eq(skm_witness_days_sum(&days, &entry, NULL), 0);
	cr_expect_eq(entry.files, 3u);
	cr_expect_eq(entry.records, 5u);
	cr_expect_eq(entry.terminals, 2u);
	cr_expect_eq(entry.bytes, 3 * strlen("{,\"terminal\":{\"number\":\"A\",\"x\"}") + 3);
	cr_expect_eq(skm_witness_days_compare(&days, &entry), (int)SKM_WITNESS_SAME);
	skm_witness_days_finish(&days);
	/* The order of the lines is witnessed too. */
	tmpdir_write(root_path, "odd\n{,\"terminal\":{\"number\":\"A\",\"x\"}\n\n", "2026-11-19.001.jsonl");
	days = list();
	cr_expect_eq(skm_witness_days_compare(&days, &entry), (int)SKM_WITNESS_CHANGED);
	cr_assert_eq(skm_witness_days_sum(&days, &other, NULL), 0);
	cr_expect_eq(other.records, entry.records);
	skm_witness_days_finish(&days);
}

Test(witness_state, what_is_still_being_copied_is_told)
{
	struct skm_witness_entry entry = {.first_day = 20261120, .last_day = 20261120, .records = 7};
	const char *name = NULL;
	tmpdir_write(root_path, "one\ntw", "2026-11-20.001.jsonl");
	struct skm_witness_days days = list();
	cr_expect_eq(skm_witness_days_sum(&days, &entry, &name), SKM_WITNESS_UNFINISHED);
	cr_assert_not_null(name);
	cr_expect_str_eq(name, "2026-11-20.001.jsonl");
	cr_expect_eq(entry.records, 7u, "an output was touched");
	cr_expect_eq(skm_witness_days_compare(&days, &entry), (int)SKM_WITNESS_CHANGED);
	skm_witness_days_finish(&days);
}

Test(witness_state, files_that_are_gone_are_not_files_that_changed)
{
	struct skm_witness_entry entry = {.first_day = 20261120, .last_day = 20261120};
	tmpdir_write(root_path, "one\n", "2026-11-20.001.jsonl");
	struct skm_witness_days days = list();
	cr_assert_eq(skm_witness_days_sum(&days, &entry, NULL), 0);
	skm_witness_days_finish(&days);
	cr_assert_eq(unlinkat(folderfd, "2026-11-20.001.jsonl", 0), 0);
	days = list();
	cr_expect_eq(skm_witness_days_compare(&days, &entry), (int)SKM_WITNESS_GONE);
	skm_witness_days_finish(&days);
}

/* A link may show something else than what was copied; a FIFO would make the night wait for ever. */
Test(witness_state, a_day_is_a_regular_file)
{
	struct skm_witness_entry entry = {.first_day = 20261120, .last_day = 20261120};
	cr_assert_eq(mkfifoat(folderfd, "2026-11-20.001.jsonl", 0600), 0);
	struct skm_witness_days days = list();
	cr_expect_eq(skm_witness_days_sum(&days, &entry, NULL), -EINVAL);
	cr_assert_eq(unlinkat(folderfd, "2026-11-20.001.jsonl", 0), 0);
	cr_assert_eq(symlinkat("/etc/passwd", folderfd, "2026-11-20.001.jsonl"), 0);
	cr_expect_eq(skm_witness_days_sum(&days, &entry, NULL), -ELOOP);
	skm_witness_days_finish(&days);
}

Test(witness_state, a_line_without_end_is_refused)
{
	struct skm_witness_entry entry = {.first_day = 20261120, .last_day = 20261120};
	int fd = openat(folderfd, "2026-11-20.001.jsonl", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(ftruncate(fd, 3 << 20), 0);
	skm_fd_close(&fd);
	struct skm_witness_days days = list();
	cr_expect_eq(skm_witness_days_sum(&days, &entry, NULL), -EFBIG);
	skm_witness_days_finish(&days);
}

/* ---- the report ---- */

#define COUNTS(gap)                                                                                  \
	"{\"CLOCK\":0,\"DROP\":0,\"SILENT\":1,\"TORN\":0,\"RESTART\":0,\"TRUNCATED\":0,\"GAP\":" gap \
	",\"REORDER\":0,\"FORK\":0,\"EDIT\":0,\"FORGE\":0,\"FOREIGN\":0}"
#define CHAIN(id, gap)                                                                  \
	"{\"chain\":\"" id id id id "\",\"last\":5,\"head\":\"" id id id id id id id id \
	"\",\"findings\":" COUNTS(gap) "}"
#define REPORT(chains, exit)                 \
	"{\"streams\":[{\"chains\":[" chains \
	"]}],\"findings\":[],\"complete\":false,\"counts\":" COUNTS("2") ",\"exit\":" exit "}"

static int read_report(const char *report, int exit_code, struct skm_witness_heads *heads,
	struct skm_witness_verdict *verdict)
{
	return skm_witness_verdict_read(report, strlen(report), exit_code, heads, verdict);
}

/* A head behind a gap may be somebody else's: it must not become what the next night is measured by. */
Test(witness_state, only_sound_heads_are_remembered)
{
	struct skm_witness_heads heads = {.marks = NULL};
	struct skm_witness_verdict verdict;
	const char *report = REPORT(CHAIN("0a0a0a0a", "0") "," CHAIN("0b0b0b0b", "1"), "16");
	cr_assert_eq(read_report(report, 16, &heads, &verdict), 0);
	cr_expect_eq(verdict.exit_code, 16u);
	cr_expect_eq(verdict.findings[SKM_FINDING_GAP], 2u);
	cr_expect_not(verdict.is_complete);
	cr_assert_eq(heads.count, 1u);
	cr_expect_eq(heads.marks[0].chain_id[0], 0x0a);
	cr_expect_eq(heads.marks[0].sequence, 5u);
	skm_witness_heads_finish(&heads);
}

Test(witness_state, what_is_no_report_is_refused)
{
	static const char *const wrong[] = {"", "{", "[]", "{}", REPORT("{}", "16"), REPORT("", "16") "x",
		"{\"streams\":[],\"exit\":16}", REPORT(CHAIN("0A0A0A0A", "0"), "16")};
	struct skm_witness_heads heads = {.marks = NULL};
	struct skm_witness_verdict verdict = {.exit_code = 99};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(wrong); i++)
		cr_expect_eq(read_report(wrong[i], 16, &heads, &verdict), -EBADMSG, "%s", wrong[i]);
	/* Another exit status than the program gave; one that it never gives. */
	cr_expect_eq(read_report(REPORT("", "16"), 0, &heads, &verdict), -EBADMSG);
	cr_expect_eq(read_report(REPORT("", "1"), 1, &heads, &verdict), -EBADMSG);
	cr_expect_eq(read_report(REPORT("", "22"), 22, &heads, &verdict), -EBADMSG);
	cr_expect_eq(verdict.exit_code, 99u);
	skm_witness_heads_finish(&heads);
}

/* ---- programs ---- */

static void write_program(const char *name, const char *text, char path[TMPDIR_BYTES + 32])
{
	tmpdir_write(root_path, text, "%s", name);
	snprintf(path, TMPDIR_BYTES + 32, "%s/%s", root_path, name);
	cr_assert_eq(chmod(path, 0700), 0);
}

Test(witness_state, a_program_that_dies_is_no_verdict)
{
	char path[TMPDIR_BYTES + 32];
	char *const argv[] = {path, NULL};
	int exit_code = -1;
	write_program("dies", "#!/bin/sh\nkill -9 $$\n", path);
	cr_expect_eq(skm_witness_program_run(argv, STDERR_FILENO, -1, &exit_code), -ECHILD);
	write_program("ends", "#!/bin/sh\nexit 19\n", path);
	cr_expect_eq(skm_witness_program_run(argv, STDERR_FILENO, -1, &exit_code), 0);
	cr_expect_eq(exit_code, 19);
	snprintf(path, sizeof(path), "%s/nowhere", root_path);
	cr_expect_eq(skm_witness_program_run(argv, STDERR_FILENO, -1, &exit_code), -ENOENT);
}

Test(witness_state, the_mail_is_what_sendmail_takes)
{
	char path[TMPDIR_BYTES + 32], script[256];
	snprintf(script, sizeof(script), "#!/bin/sh\necho \"$*\" >%s/arguments\ncat >%s/message\n", root_path,
		root_path);
	write_program("sendmail", script, path);
	cr_assert_eq(skm_witness_mail(path, "audit@example.lg.jp", 19, "the form\n", 9), 0);
	tmpdir_expect(root_path, "-t -i\n", "arguments");
	tmpdir_expect(root_path,
		"To: audit@example.lg.jp\nSubject: [Sekimori] =?UTF-8?B?55uj5p+76KiY6Yyy44Gu6Ki85piO?= NG (19)\n"
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
		"Content-Transfer-Encoding: 8bit\nAuto-Submitted: auto-generated\n\nthe form\n",
		"message");
	write_program("sendmail", "#!/bin/sh\nexit 75\n", path);
	cr_expect_eq(skm_witness_mail(path, "audit@example.lg.jp", 0, "", 0), -ECOMM);
}
