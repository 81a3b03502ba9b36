// SPDX-License-Identifier: Apache-2.0
/* The collector's store on a real folder: with a disk that fails on command, killed at every call, and with a
 * clock that the test holds. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector.h"
#include "snapshot.h"
#include "store_lines.h"
#include "tmpdir.h"

#define RECORDS 12
#define MINUTE_USEC (60 * SKM_USEC_PER_SEC)

static char root[TMPDIR_BYTES];
static char lines[RECORDS + 1][SKM_RECORD_LINE_MAX];
static struct terminal terminal;
static struct skm_collector *collector;

/* ---- the clock ---- */

static struct skm_timestamp time_now;

static void tell_time(void *user, struct skm_timestamp *ret_now)
{
	(void)user;
	*ret_now = time_now;
}

static void pass(uint64_t usec)
{
	time_now.realtime_usec += (int64_t)usec;
	time_now.boottime_usec += usec;
	time_now.monotonic_usec += usec;
}

/* ---- a disk ---- */

static struct {
	unsigned calls;
	unsigned fails_at; /* this call and those after it; 0 = none */
	unsigned heals_at;
	unsigned dies_at; /* SIGKILL in this call; 0 = never */
	bool is_half;	  /* a failing or dying write stores a part */
	int error;
} disk;

static bool fails(void)
{
	disk.calls++;
	bool is_hit = disk.fails_at != 0 && disk.calls >= disk.fails_at &&
		      (disk.heals_at == 0 || disk.calls < disk.heals_at);
	if (is_hit)
		errno = disk.error;
	return is_hit;
}

static void die_here(bool is_before)
{
	if (disk.dies_at != 0 && disk.calls + (is_before ? 1 : 0) == disk.dies_at && is_before)
		(void)raise(SIGKILL);
}

static int try_openat(int dirfd, const char *name, int flags, mode_t mode)
{
	die_here(true);
	return fails() ? -1 : openat(dirfd, name, flags, mode);
}

static ssize_t try_write(int fd, const void *data, size_t len)
{
	if (disk.is_half && disk.calls + 1 == disk.dies_at)
		(void)!write(fd, data, len / 2);
	die_here(true);
	if (!fails())
		return write(fd, data, len);
	/* what a full disk does: a part, and then nothing */
	return disk.is_half && len > 1 && disk.calls == disk.fails_at ? write(fd, data, len / 2) : -1;
}

static int try_fdatasync(int fd)
{
	(void)fd;
	die_here(true);
	return fails() ? -1 : 0;
}

static int try_ftruncate(int fd, off_t len)
{
	die_here(true);
	return fails() ? -1 : ftruncate(fd, len);
}

static int try_fsync(int fd)
{
	(void)fd;
	die_here(true);
	return fails() ? -1 : 0;
}

static const struct skm_day_ops faulty = {try_openat, try_write, try_fdatasync, try_ftruncate, try_fsync};

/* ---- the store ---- */

static char folder[TMPDIR_BYTES + 16], sendmail_path[TMPDIR_BYTES + 16];
static const char *mail_to;

static int open_store(void)
{
	struct skm_collector_options options;
	skm_collector_options_default(&options);
	options.folder = folder;
	options.mail_to = mail_to;
	options.sendmail = sendmail_path;
	options.clock = (struct skm_clock){.now = tell_time};
	options.ops = &faulty;
	return skm_collector_open(&options, &collector);
}

static void reopen(void)
{
	collector = skm_collector_close(collector);
	cr_assert_eq(open_store(), 0);
}

static void setup(void)
{
	tmpdir_make(root);
	snprintf(folder, sizeof(folder), "%s/store", root);
	snprintf(sendmail_path, sizeof(sendmail_path), "%s/sendmail", root);
	memset(&disk, 0, sizeof(disk));
	disk.error = ENOSPC;
	time_now = (struct skm_timestamp){.realtime_usec = INT64_C(1795250000000000),
		.boottime_usec = 1000 * SKM_USEC_PER_SEC,
		.is_synchronised = true,
		.utc_offset_sec = 9 * 3600};
	terminal_begin(&terminal, "T-1", "agent", 7);
	for (unsigned i = 1; i <= RECORDS; i++)
		terminal_record(&terminal, SKM_EVENT_RESUMED, "x", lines[i]);
	/* A warning and above goes to stderr as well; the tests look at the stream. */
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	(void)dup2(null, STDERR_FILENO);
	close(null);
}

static void teardown(void)
{
	collector = skm_collector_close(collector);
	tmpdir_remove(root);
}

TestSuite(collector, .init = setup, .fini = teardown, .timeout = 120);

static const char *give(const char *text)
{
	static char line[1 << 17];
	snprintf(line, sizeof(line), "%s", text);
	return skm_collector_line(collector, line, strlen(line));
}

static const char *send_records(unsigned first, unsigned last)
{
	const char *chosen[RECORDS];
	unsigned count = 0;
	for (unsigned i = first; i <= last; i++)
		chosen[count++] = lines[i];
	char *message = terminal_message(&terminal, chosen, count);
	const char *answer = give(message);
	free(message);
	return answer;
}

static void expect_ok(unsigned first, unsigned last)
{
	cr_assert_str_eq(send_records(first, last), "OK");
}

/* All files of a folder below the store, in the order of their names, as one text; free it. */
static char *read_all(const char *name)
{
	char path[TMPDIR_BYTES + 64];
	struct dirent **entries = NULL;
	size_t size = 0;
	FILE *text = NULL;
	char *all = NULL;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int count = scandir(path, &entries, NULL, alphasort);
	text = open_memstream(&all, &size);
	for (int i = 0; i < count; i++) {
		char file_path[TMPDIR_BYTES + 400], block[4096];
		snprintf(file_path, sizeof(file_path), "%s/%s", path, entries[i]->d_name);
		FILE *file = entries[i]->d_name[0] == '.' ? NULL : fopen(file_path, "re");
		for (size_t n; file && (n = fread(block, 1, sizeof(block), file)) > 0;)
			fwrite(block, 1, n, text);
		if (file)
			fclose(file);
		free(entries[i]);
	}
	free(entries);
	fclose(text);
	return all;
}

/* The records on disk are exactly these, in this order. */
static void expect_records(unsigned first, unsigned last)
{
	char *all = read_all("records"), *expected = NULL;
	size_t size = 0;
	FILE *text = open_memstream(&expected, &size);
	for (unsigned i = first; i <= last; i++)
		fprintf(text, "%s\n", lines[i]);
	fclose(text);
	cr_assert_str_eq(all, expected);
	free(all);
	free(expected);
}

static unsigned count_in(const char *name, const char *word)
{
	char *all = read_all(name);
	unsigned count = 0;
	for (const char *at = all; (at = strstr(at, word)); at += strlen(word))
		count++;
	free(all);
	return count;
}

static const struct skm_chain_entry *entry(void)
{
	const struct skm_chain_entry *found =
		skm_ledger_find(skm_collector_ledger(collector), terminal.chain.id);
	cr_assert_not_null(found);
	return found;
}

/* ---- storing ---- */

Test(collector, stores_the_bytes_and_answers)
{
	cr_assert_eq(open_store(), 0);
	expect_ok(1, 1);
	expect_ok(2, RECORDS);
	expect_ok(1, RECORDS);
	expect_records(1, RECORDS);
	cr_assert_eq(entry()->duplicates, RECORDS);
	cr_assert_eq(count_in("log", "BEGIN 1"), 1);
}

Test(collector, one_folder_has_one_store)
{
	struct skm_collector *first;
	cr_assert_eq(open_store(), 0);
	first = collector;
	cr_assert_eq(open_store(), -EBUSY);
	cr_assert_eq(collector, first, "untouched");
	expect_ok(1, 1);
}

Test(collector, a_transaction_is_stored_as_a_whole)
{
	cr_assert_eq(open_store(), 0);
	cr_assert_str_eq(give("BEGIN TRANSACTION"), "OK");
	cr_assert_str_eq(send_records(1, 3), "DEFER_COMMIT");
	cr_assert_str_eq(send_records(3, 5), "DEFER_COMMIT");
	expect_records(1, 0);
	cr_assert_str_eq(give("COMMIT TRANSACTION"), "OK");
	expect_records(1, 5);
	/* Not committed: as if it had not come. */
	cr_assert_str_eq(give("BEGIN TRANSACTION"), "OK");
	cr_assert_str_eq(send_records(6, 7), "DEFER_COMMIT");
	cr_assert_str_eq(give("BEGIN TRANSACTION"), "OK");
	cr_assert_str_eq(send_records(6, 6), "DEFER_COMMIT");
	cr_assert_str_eq(give("COMMIT TRANSACTION"), "OK");
	expect_records(1, 6);
	reopen();
	cr_assert_eq(entry()->sequence, 6);
}

Test(collector, keeps_rubbish_as_evidence)
{
	static const char *const rubbish[] = {"", " ", "10.0.0.9 \\u0000\\n\xff",
		"10.0.0.9 <109>1 - T-1 sekimori-agent - - - ",
		"10.0.0.9 <109>1 - T-1 sekimori-agent - - - {}\\u001E{}", "COMMIT", "BEGIN TRANSACTION "};
	cr_assert_eq(open_store(), 0);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(rubbish); i++)
		cr_assert_str_eq(give(rubbish[i]), "OK", "%zu", i);
	cr_assert_eq(count_in("aside", "\"why\":\"FOREIGN\""), SKM_ARRAY_SIZE(rubbish) + 1);
	cr_assert_eq(count_in("aside", "\"base64\":\"AAr/\""), 1, "exact");
	expect_ok(1, 1);
	expect_records(1, 1);
	/* Told at once, and then once a minute with a count. */
	cr_assert_eq(count_in("log", "FOREIGN: 1 messages"), 1);
	pass(MINUTE_USEC);
	skm_collector_tick(collector);
	cr_assert_eq(count_in("log", "FOREIGN: 7 messages"), 1);
}

Test(collector, a_record_in_another_streams_envelope_is_no_record_of_it)
{
	struct terminal other = terminal;
	const char *line = lines[1];
	cr_assert_eq(open_store(), 0);
	other.stream = "auth";
	char *message = terminal_message(&other, &line, 1);
	cr_assert_str_eq(give(message), "OK");
	free(message);
	expect_records(1, 0);
	cr_assert_eq(count_in("aside", "FOREIGN"), 1);
}

Test(collector, begins_a_file_each_day_and_never_an_older_one)
{
	char path[TMPDIR_BYTES + 64];
	cr_assert_eq(open_store(), 0);
	time_now.realtime_usec = INT64_C(1795273199000000); /* 2026-11-21T23:59:59 in Japan */
	expect_ok(1, 2);
	pass(SKM_USEC_PER_SEC);
	expect_ok(3, 4);
	time_now.realtime_usec -= INT64_C(86400000000);
	expect_ok(5, 6);
	snprintf(path, sizeof(path), "%s/records/2026-11-21.001.jsonl", folder);
	cr_assert_eq(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/records/2026-11-22.001.jsonl", folder);
	cr_assert_eq(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/records", folder);
	expect_records(1, 6);
	reopen();
	expect_ok(7, 7);
	expect_records(1, 7);
}

/* ---- a disk that fails ---- */

Test(collector, a_full_disk_says_again_and_loses_nothing)
{
	cr_assert_eq(open_store(), 0);
	expect_ok(1, 3);
	for (unsigned half = 0; half < 2; half++) {
		disk.fails_at = disk.calls + 1;
		disk.heals_at = disk.fails_at + 1 + half; /* a short write is followed by another one */
		disk.is_half = half != 0;
		const char *answer = send_records(4, 6);
		cr_assert_eq(strncmp(answer, "ERROR", 5), 0, "%s", answer);
		disk.fails_at = 0;
		expect_records(1, 3);
		cr_assert_eq(entry()->sequence, 3);
	}
	cr_assert_eq(count_in("log", "DISK: "), 1, "once while it lasts");
	expect_ok(4, 6);
	expect_records(1, 6);
	reopen();
	cr_assert_eq(entry()->sequence, 6);
	cr_assert_eq(entry()->breaks, 0);
}

/* rsyslogd says something each minute (impstats), and the terminals theirs; neither writes to the disk. */
Test(collector, a_full_disk_is_told_once_although_rsyslogd_speaks)
{
	cr_assert_eq(open_store(), 0);
	expect_ok(1, 1);
	disk.fails_at = disk.calls + 1;
	for (unsigned i = 0; i < 5; i++) {
		cr_assert_str_neq(send_records(2, 2), "OK");
		cr_assert_str_eq(give("127.0.0.1 resource-usage: origin=impstats utime=1"), "OK");
		pass(MINUTE_USEC);
		skm_collector_tick(collector);
	}
	cr_assert_eq(count_in("log", "DISK: "), 1, "%u times", count_in("log", "DISK: "));
	disk.fails_at = 0;
	expect_ok(2, 2);
	disk.fails_at = disk.calls + 1;
	cr_assert_str_neq(send_records(3, 3), "OK");
	cr_assert_eq(count_in("log", "DISK: "), 2, "again when it begins again");
}

/* Whichever call fails, and for however long: what was answered OK is there, the rest comes again. */
Test(collector, survives_a_failure_of_any_call)
{
	for (unsigned at = 1; at <= 14; at++) {
		for (unsigned calls = 1; calls <= 4; calls++) {
			for (unsigned half = 0; half < 2; half++) {
				teardown();
				setup();
				cr_assert_eq(open_store(), 0);
				disk.fails_at = at;
				disk.heals_at = at + calls;
				disk.is_half = half != 0;
				disk.error = half ? ENOSPC : EIO;
				for (unsigned i = 1; i <= RECORDS; i++) {
					unsigned tries = 0;
					while (strcmp(send_records(i, i), "OK") != 0)
						cr_assert_lt(++tries, 20, "call %u", at);
				}
				disk.fails_at = 0;
				reopen();
				cr_assert_eq(entry()->sequence, RECORDS);
				cr_assert_eq(skm_chain_entry_missing(entry()), 0);
				cr_assert_eq(entry()->breaks, 0);
				cr_assert_eq(entry()->forks, 0);
				for (unsigned i = 1; i <= RECORDS; i++)
					cr_assert_geq(count_in("records", lines[i]), 1, "call %u: record %u",
						at, i);
			}
		}
	}
}

Test(collector, a_late_record_that_was_not_stored_comes_again)
{
	cr_assert_eq(open_store(), 0);
	expect_ok(1, 3);
	expect_ok(6, 7);
	disk.fails_at = disk.calls + 1;
	disk.heals_at = disk.fails_at + 1;
	cr_assert_str_neq(send_records(4, 5), "OK");
	cr_assert_eq(skm_chain_entry_missing(entry()), 2);
	expect_ok(4, 5);
	cr_assert_eq(skm_chain_entry_missing(entry()), 0);
	for (unsigned i = 1; i <= 7; i++)
		cr_assert_eq(count_in("records", lines[i]), 1, "record %u", i);
}

Test(collector, a_failed_sync_begins_another_part)
{
	char path[TMPDIR_BYTES + 64];
	cr_assert_eq(open_store(), 0);
	expect_ok(1, 3);
	disk.error = EIO;
	disk.fails_at = disk.calls + 2; /* write, fdatasync */
	disk.heals_at = disk.fails_at + 1;
	cr_assert_str_neq(send_records(4, 5), "OK");
	expect_ok(4, 5);
	snprintf(path, sizeof(path), "%s/records/2026-11-21.002.jsonl", folder);
	cr_assert_eq(access(path, F_OK), 0);
	expect_records(1, 5);
}

Test(collector, a_broken_transaction_is_not_committed)
{
	cr_assert_eq(open_store(), 0);
	cr_assert_str_eq(give("BEGIN TRANSACTION"), "OK");
	cr_assert_str_eq(send_records(1, 3), "DEFER_COMMIT");
	disk.fails_at = 1;
	cr_assert_eq(strncmp(give("COMMIT TRANSACTION"), "ERROR", 5), 0);
	disk.fails_at = 0;
	expect_records(1, 0);
	cr_assert_null(skm_ledger_find(skm_collector_ledger(collector), terminal.chain.id));
	cr_assert_str_eq(give("BEGIN TRANSACTION"), "OK");
	cr_assert_str_eq(send_records(1, 3), "DEFER_COMMIT");
	cr_assert_str_eq(give("COMMIT TRANSACTION"), "OK");
	expect_records(1, 3);
}

/* ---- killed ---- */

/* A child takes messages of one record each and tells for each that was answered; it is killed in call `at`
 * (0: by the parent after `answers`). Returns how many were answered. */
static unsigned run_killed(unsigned at, bool is_half, unsigned answers)
{
	int told[2];
	unsigned count = 0;
	char byte;
	cr_assert_eq(pipe(told), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(told[0]);
		disk.dies_at = at;
		disk.is_half = is_half;
		if (open_store() < 0)
			_exit(1);
		for (unsigned i = 1; i <= RECORDS; i++) {
			if (strcmp(send_records(i, i), "OK") != 0 || write(told[1], "x", 1) != 1)
				_exit(2);
			skm_collector_tick(collector);
		}
		(void)raise(SIGKILL);
	}
	close(told[1]);
	while ((answers == 0 || count < answers) && read(told[0], &byte, 1) == 1)
		count++;
	int status = 0;
	if (answers > 0)
		(void)kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status), "exit %d", WEXITSTATUS(status));
	while (answers > 0 && read(told[0], &byte, 1) == 1)
		count++;
	close(told[0]);
	return count;
}

static void expect_whole_after(unsigned answered)
{
	disk.dies_at = 0;
	cr_assert_eq(open_store(), 0);
	for (unsigned i = 1; i <= answered; i++)
		cr_assert_eq(count_in("records", lines[i]), 1, "record %u was answered", i);
	for (unsigned i = 1; i <= RECORDS; i++)
		expect_ok(i, i);
	expect_records(1, RECORDS);
	cr_assert_eq(entry()->sequence, RECORDS);
	cr_assert_eq(skm_chain_entry_missing(entry()), 0);
	cr_assert_eq(entry()->breaks, 0);
	cr_assert_eq(entry()->forks, 0);
	reopen();
	expect_ok(1, RECORDS);
	expect_records(1, RECORDS);
}

Test(collector, survives_being_killed_at_every_call)
{
	unsigned answered = 0;
	for (unsigned at = 1; answered < RECORDS; at++) {
		for (unsigned half = 0; half < 2; half++) {
			teardown();
			setup();
			answered = run_killed(at, half != 0, 0);
			expect_whole_after(answered);
		}
		cr_assert_lt(at, 200);
	}
}

Test(collector, survives_being_killed_at_any_moment)
{
	for (unsigned round = 0; round < 40; round++) {
		teardown();
		setup();
		expect_whole_after(run_killed(0, false, 1 + round % (RECORDS - 1)));
	}
}

Test(collector, cuts_off_what_was_never_acknowledged)
{
	cr_assert_eq(open_store(), 0);
	expect_ok(1, 3);
	collector = skm_collector_close(collector);
	char path[TMPDIR_BYTES + 64];
	snprintf(path, sizeof(path), "%s/records/2026-11-21.001.jsonl", folder);
	FILE *file = fopen(path, "ae");
	fprintf(file, "%.100s", lines[4]);
	fclose(file);
	cr_assert_eq(open_store(), 0);
	expect_records(1, 3);
	expect_ok(4, 4);
	expect_records(1, 4);
}

/* ---- caches ---- */

static void spoil(const char *name)
{
	char path[TMPDIR_BYTES + 64];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "r+e");
	cr_assert_not_null(file);
	fseek(file, 100, SEEK_SET);
	int byte = fgetc(file);
	fseek(file, 100, SEEK_SET);
	fputc(byte ^ 1, file);
	fclose(file);
}

Test(collector, builds_its_state_again_from_the_records)
{
	cr_assert_eq(open_store(), 0);
	expect_ok(1, 4);
	expect_ok(7, 9);
	struct skm_chain_entry before = *entry();
	collector = skm_collector_close(collector);
	spoil("state");
	cr_assert_eq(open_store(), 0);
	cr_assert_eq(entry()->sequence, 9);
	cr_assert_eq(skm_chain_entry_complete(entry()), 4);
	cr_assert_eq(skm_chain_entry_missing(entry()), 2);
	cr_assert_eq(memcmp(before.head, entry()->head, sizeof(before.head)), 0);
	cr_assert_str_eq(entry()->terminal, "T-1", "from the record itself");
	cr_assert_eq(count_in("log", "GAP 5..6"), 1, "not told again");
	cr_assert_eq(count_in("log", "the state was missing, 7 records"), 1);
	collector = skm_collector_close(collector);
	char path[TMPDIR_BYTES + 64];
	snprintf(path, sizeof(path), "%s/state", folder);
	unlink(path);
	cr_assert_eq(open_store(), 0);
	cr_assert_eq(skm_chain_entry_missing(entry()), 2);
}

Test(collector, tells_when_its_own_files_were_changed)
{
	cr_assert_eq(open_store(), 0);
	expect_ok(1, 4);
	collector = skm_collector_close(collector);
	char path[TMPDIR_BYTES + 64];
	snprintf(path, sizeof(path), "%s/records/2026-11-21.001.jsonl", folder);
	FILE *file = fopen(path, "ae");
	fputs("something else\n", file);
	fclose(file);
	cr_assert_eq(open_store(), 0);
	cr_assert_eq(count_in("log", "what is no record"), 1);
	expect_ok(5, 5);
}

Test(collector, without_its_index_it_stores_twice_rather_than_not_at_all)
{
	char path[TMPDIR_BYTES + 64];
	cr_assert_eq(open_store(), 0);
	expect_ok(1, 4);
	reopen();
	snprintf(path, sizeof(path), "%s/index/07070707070707070707070707070707", folder);
	cr_assert_eq(unlink(path), 0);
	expect_ok(2, 2);
	cr_assert_eq(count_in("records", lines[2]), 2);
	expect_ok(5, 5);
	cr_assert_eq(entry()->breaks, 0);
}

Test(collector, remembers_a_fork_over_a_kill)
{
	char other[SKM_RECORD_LINE_MAX];
	struct terminal copy;
	terminal_begin(&copy, "T-1", "agent", 7);
	terminal_record(&copy, SKM_EVENT_RESUMED, "another first", other);
	pid_t pid = fork();
	if (pid == 0) {
		const char *line = other;
		if (open_store() < 0 || strcmp(send_records(1, 2), "OK") != 0)
			_exit(1);
		if (strcmp(give(terminal_message(&copy, &line, 1)), "OK") != 0)
			_exit(2);
		(void)raise(SIGKILL);
	}
	int status = 0;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status));
	cr_assert_eq(open_store(), 0);
	cr_assert_eq(entry()->forks, 1);
	cr_assert_eq(count_in("aside", "\"why\":\"FORK\""), 1);
	expect_records(1, 2);
}

/* ---- telling ---- */

/* The collector's own word is to be checked like anybody's: one chain over all its runs, with a checkpoint at
 * each end. */
Test(collector, its_own_stream_is_a_chain)
{
	struct skm_record_facts facts, before = {.sequence = 0};
	unsigned stops = 0;
	cr_assert_eq(open_store(), 0);
	expect_ok(1, 2);
	pass(11 * MINUTE_USEC);
	skm_collector_tick(collector);
	reopen();
	expect_ok(5, 5);
	collector = skm_collector_close(collector);
	char *all = read_all("log"), *save = NULL;
	for (char *line = strtok_r(all, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		cr_assert_eq(skm_record_facts_parse(line, strlen(line), &facts), 0, "%s", line);
		cr_assert_str_eq(facts.stream, "store");
		cr_assert_eq(facts.sequence, before.sequence + 1);
		if (before.sequence > 0)
			cr_assert_eq(memcmp(facts.previous_hash, before.hash, sizeof(before.hash)), 0);
		stops += strcmp(facts.reason, "stop") == 0;
		before = facts;
	}
	free(all);
	cr_assert_eq(stops, 2);
	cr_assert_str_eq(facts.reason, "stop", "the last word");
	cr_assert_eq(count_in("log", "\"reason\":\"time\""), 1);
	cr_assert_eq(count_in("log", "GAP 3..4: "), 1);
}

Test(collector, tells_silence_by_a_clock_that_does_not_jump)
{
	cr_assert_eq(open_store(), 0);
	expect_ok(1, 2);
	time_now.realtime_usec += INT64_C(7200000000); /* set right by two hours: no time has passed */
	pass(20 * MINUTE_USEC);
	skm_collector_tick(collector);
	cr_assert_eq(count_in("log", "SILENT: "), 0);
	pass(MINUTE_USEC);
	skm_collector_tick(collector);
	cr_assert_eq(count_in("log", "SILENT: "), 1);
	/* It is remembered, and our own absence is nobody's silence. */
	reopen();
	pass(30 * MINUTE_USEC);
	skm_collector_tick(collector);
	cr_assert_eq(count_in("log", "SILENT: "), 1);
	expect_ok(3, 3);
	cr_assert_eq(count_in("log", "HEARD: "), 1);
	collector = skm_collector_close(collector);
	pass(60 * MINUTE_USEC);
	cr_assert_eq(open_store(), 0);
	skm_collector_tick(collector);
	cr_assert_eq(count_in("log", "SILENT: "), 1);
	pass(21 * MINUTE_USEC);
	skm_collector_tick(collector);
	cr_assert_eq(count_in("log", "SILENT: "), 2);
}

/* The next record of the terminal, which has sent all of `lines` before. */
static void send_stop(enum skm_stop_reason reason)
{
	struct skm_record record;
	char line[SKM_RECORD_LINE_MAX];
	skm_record_init(&record, SKM_EVENT_AGENT_STOP);
	snprintf(record.rule, sizeof(record.rule), "%s", skm_stop_reason_to_string(reason));
	(void)terminal_write(&terminal, &record, line);
	char *message = terminal_message(&terminal, (const char *const[]){line}, 1);
	cr_assert_str_eq(give(message), "OK");
	free(message);
}

Test(collector, a_terminal_that_is_on_without_its_agent_is_told_and_nothing_is_stored)
{
	static const char alive[] = "10.1.2.3 <109>1 - T-1 sekimori-agent - alive - on";
	cr_assert_eq(open_store(), 0);
	cr_assert_str_eq(give(alive), "OK", "of a terminal that has sent nothing yet");
	expect_ok(1, RECORDS);
	send_stop(SKM_STOP_SHUTDOWN);
	pass(8 * 60 * MINUTE_USEC);
	skm_collector_tick(collector);
	cr_assert_eq(count_in("log", "SILENT: "), 0, "a night");
	cr_assert_str_eq(give(alive), "OK");
	cr_assert_str_eq(
		give("127.0.0.1 resource-usage: origin=impstats utime=0"), "OK", "its rsyslogd's beat");
	/* Over a restart of the collector too. */
	reopen();
	pass(MINUTE_USEC);
	skm_collector_tick(collector);
	cr_assert_eq(count_in("log", "SILENT: the terminal is on"), 1);
	cr_assert_eq(count_in("log", "FOREIGN"), 0);
	cr_assert_eq(count_in("aside", "\n"), 0);
	cr_assert_eq(count_in("records", "\n"), RECORDS + 1);
	cr_assert(entry()->is_silent);
}

Test(collector, a_stop_by_hand_is_told_after_a_quarter_of_the_time)
{
	cr_assert_eq(open_store(), 0);
	expect_ok(1, RECORDS);
	send_stop(SKM_STOP_SERVICE);
	pass(5 * MINUTE_USEC);
	skm_collector_tick(collector);
	cr_assert_eq(count_in("log", "STOPPED 13: "), 0);
	pass(MINUTE_USEC);
	skm_collector_tick(collector);
	cr_assert_eq(count_in("log", "STOPPED 13: "), 1);
	cr_assert_eq(count_in("log", "\"COLLECTOR_ALARM\""), 1, "somebody has to act");
	reopen();
	pass(30 * MINUTE_USEC);
	skm_collector_tick(collector);
	cr_assert_eq(count_in("log", "STOPPED 13: "), 1);
}

static void wait_for_file(const char *name, const char *word)
{
	/* sendmail is another process: asked by a deadline of the test's timeout. */
	for (;;) {
		char path[TMPDIR_BYTES + 64], text[4096] = "";
		snprintf(path, sizeof(path), "%s/%s", root, name);
		FILE *file = fopen(path, "re");
		size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
		text[len] = '\0';
		if (file)
			fclose(file);
		if (strstr(text, word))
			return;
		skm_collector_tick(collector);
	}
}

Test(collector, mails_alarms_together_and_tries_again)
{
	mail_to = "audit@example.jp";
	tmpdir_write(root, "#!/bin/sh\nexit 1\n", "sendmail");
	chmod(sendmail_path, 0755);
	cr_assert_eq(open_store(), 0);
	expect_ok(1, 1);
	expect_ok(4, 4);
	expect_ok(8, 8);
	char path[TMPDIR_BYTES + 64];
	snprintf(path, sizeof(path), "%s/mail.sending", folder);
	skm_collector_tick(collector);
	cr_assert_eq(access(path, F_OK), 0, "kept");
	siginfo_t ended;
	cr_assert_eq(waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT), 0);
	skm_collector_tick(collector);
	tmpdir_write(root,
		"#!/bin/sh\ncat >\"${0%/*}/mail.part\"\nmv \"${0%/*}/mail.part\" \"${0%/*}/mail\"\n",
		"sendmail");
	chmod(sendmail_path, 0755);
	pass(6 * MINUTE_USEC);
	wait_for_file("mail", "GAP       T-1 (agent) 5..7: 3 records are missing\n");
	wait_for_file("mail", "GAP       T-1 (agent) 2..3: 2 records are missing\n");
	wait_for_file("mail", "To: audit@example.jp\n");
	while (access(path, F_OK) == 0)
		skm_collector_tick(collector);
}

Test(collector, a_missing_sendmail_holds_up_nothing)
{
	mail_to = "audit@example.jp";
	cr_assert_eq(open_store(), 0);
	expect_ok(1, 1);
	expect_ok(4, 4);
	skm_collector_tick(collector);
	expect_ok(5, 5);
	char path[TMPDIR_BYTES + 64];
	snprintf(path, sizeof(path), "%s/mail.sending", folder);
	cr_assert_eq(access(path, F_OK), 0, "kept for a sendmail that comes later");
}

/* A clock that is nine hours ahead when the collector starts (its hardware clock holds local time), and right
 * at the next. */
Test(collector, misses_a_terminal_after_the_clock_ran_ahead)
{
	time_now.realtime_usec += INT64_C(9) * 60 * (int64_t)MINUTE_USEC;
	cr_assert_eq(open_store(), 0);
	expect_ok(1, 2);
	time_now.realtime_usec -= INT64_C(9) * 60 * (int64_t)MINUTE_USEC;
	pass(MINUTE_USEC);
	expect_ok(3, 3);
	reopen();
	pass(19 * MINUTE_USEC);
	skm_collector_tick(collector);
	cr_assert_eq(count_in("log", "SILENT: "), 0);
	pass(2 * MINUTE_USEC);
	skm_collector_tick(collector);
	cr_assert_eq(count_in("log", "SILENT: "), 1);
}

/* Nothing of it was lost; the index knows them, the state does not. */
Test(collector, a_gap_that_was_filled_stays_so_when_the_state_is_made_again)
{
	static const unsigned late[] = {2, 4, 6};
	char path[TMPDIR_BYTES + 64];
	cr_assert_eq(open_store(), 0);
	expect_ok(1, 1);
	for (unsigned i = 3; i <= 9; i += 2)
		expect_ok(i, i);
	for (unsigned i = 0; i < SKM_ARRAY_SIZE(late); i++)
		expect_ok(late[i], late[i]);
	cr_assert_eq(skm_chain_entry_missing(entry()), 1);
	collector = skm_collector_close(collector);
	snprintf(path, sizeof(path), "%s/state", folder);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(open_store(), 0);
	cr_assert_eq(skm_chain_entry_missing(entry()), 1);
	cr_assert_eq(skm_chain_entry_complete(entry()), 7);
	cr_assert_eq(entry()->records, 8);
	cr_assert_eq(entry()->breaks, 0);
	expect_ok(8, 8);
	cr_assert_eq(skm_chain_entry_missing(entry()), 0);
}

/* One record that gives itself the highest number it may: its place in the index is there, and nothing else
 * is touched. One more is no record. */
Test(collector, a_terminal_that_makes_up_numbers_stops_nobody)
{
	const uint64_t highest = UINT64_C(1) << 36;
	struct terminal odd;
	char line[SKM_RECORD_LINE_MAX];
	const char *chosen = line;
	terminal_begin(&odd, "T-2", "agent", 8);
	odd.chain.sequence = highest - 1;
	cr_assert_eq(open_store(), 0);
	expect_ok(1, 1);
	for (unsigned i = 0; i < 2; i++) {
		terminal_record(&odd, SKM_EVENT_RESUMED, "x", line);
		char *message = terminal_message(&odd, &chosen, 1);
		cr_assert_str_eq(give(message), "OK");
		free(message);
		reopen();
	}
	const struct skm_chain_entry *known = skm_ledger_find(skm_collector_ledger(collector), odd.chain.id);
	cr_assert_not_null(known);
	cr_assert_eq(known->sequence, highest);
	cr_assert_eq(count_in("aside", "\"FOREIGN\""), 1);
	expect_ok(2, 3);
	reopen();
	cr_assert_eq(entry()->sequence, 3);
}
