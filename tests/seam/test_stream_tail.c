// SPDX-License-Identifier: Apache-2.0
/* What is on disk does not continue what was written: each way is told, with its reason, at the head of a new
 * segment.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "stream_world.h"

static void setup(void)
{
	stream_world_make();
	stream_next_record = 0;
}

TestSuite(stream_tail, .init = setup, .fini = stream_world_remove);

/* ---- a tail that does not continue the chain ---- */

/* The last lines of a segment. */
static void cut_lines(unsigned segment, unsigned lines)
{
	FILE *file = fopen(stream_segment_path(segment), "re");
	static char text[MEGABYTE];
	size_t len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	for (; lines > 0; lines--)
		for (len--; len > 0 && text[len - 1] != '\n'; len--)
			;
	cr_assert_eq(truncate(stream_segment_path(segment), (off_t)len), 0);
}

static void expect_broken(const char *why)
{
	/* Not stream_look: it does not forgive what was done here. */
	char line[SKM_RECORD_LINE_MAX] = "";
	unsigned number = 100;
	while (number > 1 && stream_segment_size(number) < 0)
		number--;
	cr_expect_gt(number, 1, "no new segment was begun");
	FILE *file = fopen(stream_segment_path(number), "re");
	cr_assert_not_null(fgets(line, sizeof(line), file));
	fclose(file);
	cr_expect_not_null(strstr(line, "\"event\":\"CHAIN_BROKEN\""), "%s", line);
	cr_expect_not_null(strstr(line, why), "%s", line);
}

Test(stream_tail, a_tail_that_was_cut_off_is_told)
{
	stream_run(5);
	cut_lines(1, 3);
	stream_run(1);
	expect_broken("the last 3 records, 5 to 7, are missing");
}

Test(stream_tail, a_last_record_that_was_changed_is_told)
{
	stream_run(2);
	off_t size = stream_segment_size(1);
	int fd = open(stream_segment_path(1), O_WRONLY | O_CLOEXEC);
	/* a digit of the monotonic time, near the end of the last line */
	char text[200];
	FILE *file = fopen(stream_segment_path(1), "re");
	fseek(file, size - (off_t)sizeof(text), SEEK_SET);
	cr_assert_eq(fread(text, 1, sizeof(text), file), sizeof(text));
	fclose(file);
	const char *mt = memmem(text, sizeof(text), "\"mt\":", 5);
	cr_assert_not_null(mt);
	cr_assert_eq(pwrite(fd, "7", 1, size - (off_t)sizeof(text) + (mt - text) + 5), 1);
	close(fd);
	stream_run(1);
	expect_broken("record 4 was changed");
}

Test(stream_tail, lines_of_nobody_are_told)
{
	stream_run(2);
	stream_segment_put(1, "{\"time\":1,\"who\":\"knows\"}\n");
	stream_run(1);
	expect_broken("1 lines stand among the last records");
}

/* Root had the key of then, and the state of then: the MAC of what the terminal wrote in between is right,
 * but that of a forged record is not. */
Test(stream_tail, a_forged_record_behind_the_state_is_told)
{
	stream_run(2);
	char line[SKM_RECORD_LINE_MAX];
	struct skm_record record;
	stream_look();
	const char *last = stream_seen.lines[stream_seen.count];
	skm_record_init(&record, SKM_EVENT_RESUMED);
	record.sequence = stream_seen.count + 1;
	record.boot_number = 1;
	snprintf(record.boot_id, sizeof(record.boot_id), STREAM_BOOT_ID);
	snprintf(record.chain_id, sizeof(record.chain_id), "%.32s", strstr(last, "\"c\":\"") + 5);
	memset(record.previous_hash, 'a', 64);
	memset(record.mac, 'b', 32);
	size_t len = skm_record_format(&record, line);
	line[len] = '\0';
	stream_segment_put(1, line);
	stream_run(1);
	expect_broken("record 5 is not the one that was written");
}

/* The hash before is public: who has no key can give the right one, and his MAC is wrong. */
Test(stream_tail, a_record_with_another_mac_behind_the_state_is_told)
{
	char digit;
	stream_run(2);
	stream_chain_keep();
	stream_run(1);
	stream_chain_restore();
	int fd = open(stream_segment_path(1), O_RDWR | O_CLOEXEC);
	off_t at = stream_segment_size(1) - (off_t)strlen("0\"}\n");
	cr_assert_eq(pread(fd, &digit, 1, at), 1);
	digit = digit == '0' ? '1' : '0';
	cr_assert_eq(pwrite(fd, &digit, 1, at), 1);
	close(fd);
	stream_run(1);
	expect_broken("record 7 is not the one that was written");
}

Test(stream_tail, missing_records_behind_the_state_are_told)
{
	stream_run(2);
	stream_chain_keep();
	stream_run(5);
	stream_chain_restore();
	/* without the first record of the second run */
	static char text[MEGABYTE];
	FILE *file = fopen(stream_segment_path(1), "re");
	size_t len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	char *at = text;
	for (unsigned i = 0; i < 4; i++)
		at = strchr(at, '\n') + 1;
	char *after = strchr(at, '\n') + 1;
	memmove(at, after, (size_t)(text + len - after));
	len -= (size_t)(after - at);
	file = fopen(stream_segment_path(1), "we");
	cr_assert_eq(fwrite(text, 1, len, file), len);
	fclose(file);
	stream_run(1);
	expect_broken("records 5 to 5 are missing");
}

Test(stream_tail, all_segments_gone_is_told)
{
	stream_run(3);
	stream_empty(stream_folder);
	stream_next_record = 0;
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	stream_store(stream, 1);
	cr_expect_eq(stream_state(stream).sequence, 8); /* 5, CHAIN_BROKEN, start, the record */
	skm_stream_free(stream);
	stream_look();
	cr_expect_str_eq(stream_seen.first_event, "CHAIN_BROKEN");
	cr_expect_not_null(strstr(stream_seen.broken_detail, "the last 5 records, 1 to 5, are missing"));
}

Test(stream_tail, a_missing_state_begins_another_chain_and_is_told)
{
	stream_run(2);
	cr_assert_eq(unlink(stream_chain_path), 0);
	stream_run(1);
	expect_broken("was missing, although there are records");
}

Test(stream_tail, a_damaged_state_begins_another_chain_and_is_told)
{
	stream_run(2);
	cr_assert_eq(truncate(stream_chain_path, 100), 0);
	stream_run(1);
	expect_broken("is damaged");
	char aside[STREAM_PATH_BYTES + 16];
	snprintf(aside, sizeof(aside), "%s.damaged", stream_chain_path);
	cr_expect_eq(access(aside, F_OK), 0);
}

Test(stream_tail, what_is_done_while_it_runs_is_told)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	stream_store(stream, 5);
	cut_lines(1, 2);
	stream_store(stream, 1);
	expect_broken("the last 2 records, 5 to 6, are missing");
	cr_assert_eq(unlink(stream_segment_path(2)), 0);
	stream_store(stream, 1);
	expect_broken("are missing");
	skm_stream_free(stream);
}

/* Another file under the same name, between two looks. */
Test(stream_tail, a_segment_that_was_replaced_meanwhile_is_told)
{
	char aside[STREAM_PATH_BYTES + 16], command[600];
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	stream_store(stream, 5);
	snprintf(aside, sizeof(aside), "%s/aside", stream_folder);
	snprintf(command, sizeof(command), "head -n 4 %s >%s && mv %s %s", stream_segment_path(1), aside,
		aside, stream_segment_path(1));
	cr_assert_eq(system(command), 0);
	skm_stream_reopen(stream);
	stream_store(stream, 1);
	skm_stream_free(stream);
	expect_broken("the last 2 records, 5 to 6, are missing");
}

Test(stream_tail, a_break_is_told_even_if_the_disk_is_full_first)
{
	stream_run(5);
	cut_lines(1, 3);
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	for (unsigned k = 1; k < 60; k++) {
		stream_heal();
		stream_faults.first = stream_faults.last = k;
		stream_append(stream, 1);
		(void)!skm_stream_flush(stream);
	}
	stream_heal();
	stream_store(stream, 1);
	skm_stream_free(stream);
	unsigned broken = 0;
	char line[SKM_RECORD_LINE_MAX];
	for (unsigned number = 1; number < 100; number++) {
		FILE *file = fopen(stream_segment_path(number), "re");
		while (file && fgets(line, sizeof(line), file))
			broken += strstr(line, "\"event\":\"CHAIN_BROKEN\"") != NULL;
		if (file)
			fclose(file);
	}
	cr_expect_eq(broken, 1);
}

/* ---- another state ---- */

Test(stream_tail, a_state_that_was_removed_meanwhile_is_told)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	stream_store(stream, 2);
	cr_assert_eq(unlink(stream_chain_path), 0);
	skm_stream_reopen(stream);
	stream_store(stream, 1);
	skm_stream_free(stream);
	expect_broken("was missing, although there are records");
}

Test(stream_tail, a_state_that_was_replaced_meanwhile_is_told)
{
	stream_run(1);
	stream_chain_keep();
	stream_empty(stream_folder);
	cr_assert_eq(unlink(stream_chain_path), 0);
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	stream_store(stream, 2);
	stream_chain_restore();
	skm_stream_reopen(stream);
	stream_store(stream, 1);
	/* the one found goes on behind what it says of itself */
	cr_expect_eq(stream_state(stream).sequence, 6);
	skm_stream_free(stream);
	expect_broken("the last 3 records, 1 to 3, are missing");
}

Test(stream_tail, goes_on_with_the_chain_that_is_mounted_later)
{
	char log[STREAM_PATH_BYTES + 8], state[STREAM_PATH_BYTES + 8];
	stream_run(5);
	snprintf(log, sizeof(log), "%s.mounted", stream_folder);
	snprintf(state, sizeof(state), "%s.mounted", stream_chain_path);
	cr_assert_eq(rename(stream_folder, log), 0);
	cr_assert_eq(rename(stream_chain_path, state), 0);
	cr_assert_eq(mkdir(stream_folder, 0750), 0);
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	stream_store(stream, 2);
	stream_empty(stream_folder);
	cr_assert_eq(rmdir(stream_folder), 0);
	cr_assert_eq(rename(log, stream_folder), 0);
	cr_assert_eq(rename(state, stream_chain_path), 0);
	skm_stream_reopen(stream);
	stream_store(stream, 1);
	cr_expect_eq(stream_state(stream).sequence, 10); /* 7, CHAIN_BROKEN, start, the record */
	skm_stream_free(stream);
	expect_broken("which had reached record 3, was replaced");
}

Test(stream_tail, a_forked_child_has_no_key)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	stream_store(stream, 1);
	pid_t pid = fork();
	if (pid == 0) {
		/* what it would write now continues nothing */
		cr_assert_eq(stream_state(stream).sequence, 2);
		stream_append(stream, 1);
		(void)!skm_stream_flush(stream);
		_exit(0);
	}
	int status = -1;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	/* the child has torn the file from its parent's hands, and that is seen */
	stream_store(stream, 1);
	skm_stream_free(stream);
	expect_broken("stand among the last records");
}
