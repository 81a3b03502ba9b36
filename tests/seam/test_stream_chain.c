// SPDX-License-Identifier: Apache-2.0
/* The chain of an audit stream: what is in the lines, when a checkpoint is due, in which order things reach
 * the disk, and what is made of lines and states that do not fit together. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "stream_world.h"

#define OTHER_BOOT "fedcba9876543210fedcba9876543210"

static void setup(void)
{
	stream_world_make();
	stream_next_record = 0;
}

TestSuite(stream_chain, .init = setup, .fini = stream_world_remove);

static void store(struct skm_stream *stream, unsigned count)
{
	stream_append(stream, count);
	cr_assert_eq(skm_stream_flush(stream), 0, "%s", stream_state(stream).error);
}

/* One run that stores so many records. */
static void run(unsigned count)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	store(stream, count);
	skm_stream_checkpoint(stream, "stop");
	skm_stream_free(stream);
}

static void expect_unbroken(void)
{
	stream_look();
	stream_prove();
	cr_expect_eq(stream_seen.broken, 0, "%s", stream_seen.broken_detail);
}

/* ---- the ordinary ---- */

Test(stream_chain, every_line_continues_the_one_before)
{
	for (unsigned i = 0; i < 3; i++)
		run(5);
	expect_unbroken();
	cr_expect_eq(stream_seen.count, 21);
	cr_expect_eq(stream_seen.starts, 3);
	cr_expect_eq(stream_seen.stops, 3);
	cr_expect_str_eq(stream_seen.first_event, "CHECKPOINT");
	cr_expect_str_eq(stream_seen.last_event, "CHECKPOINT");
	cr_expect_eq(stream_seen.segments, 1);
}

Test(stream_chain, the_mac_is_the_last_member)
{
	run(1);
	stream_look();
	for (uint64_t n = 1; n <= stream_seen.count; n++) {
		const char *mac = strstr(stream_seen.lines[n], ",\"m\":\"");
		cr_assert_not_null(mac);
		cr_expect_eq(strlen(mac), strlen(",\"m\":\"") + 32 + strlen("\"}\n"));
	}
}

Test(stream_chain, one_of_256_records_is_a_checkpoint)
{
	struct skm_stream *stream = stream_begin_chained(64 * MEGABYTE);
	for (unsigned i = 0; i < 60; i++)
		store(stream, 10);
	store(stream, 600);
	skm_stream_free(stream);
	expect_unbroken();
	/* the first, and 4 × 255 records between 5 of them */
	cr_expect_eq(stream_seen.counts, 1200 / 255);
	unsigned since = 0;
	for (uint64_t n = 1; n <= stream_seen.count; n++) {
		since = strstr(stream_seen.lines[n], "\"event\":\"CHECKPOINT\"") ? 0 : since + 1;
		cr_assert_lt(since, 256, "at %llu", (unsigned long long)n);
	}
}

Test(stream_chain, a_segment_ends_with_a_checkpoint)
{
	struct skm_stream *stream = stream_begin_chained(8000);
	store(stream, 50);
	for (unsigned i = 0; i < 50; i++)
		store(stream, 1);
	skm_stream_free(stream);
	expect_unbroken();
	cr_expect_geq(stream_seen.segments, 10);
	cr_expect_eq(stream_seen.ends, stream_seen.segments - 1);
	for (unsigned number = 1; number < stream_seen.segments; number++) {
		FILE *file = fopen(stream_segment_path(number), "re");
		char line[SKM_RECORD_LINE_MAX] = "", last[SKM_RECORD_LINE_MAX] = "";
		while (fgets(line, sizeof(line), file))
			memcpy(last, line, sizeof(last));
		fclose(file);
		cr_expect_not_null(strstr(last, "\"reason\":\"segment\""), "segment %u", number);
		cr_expect_leq(stream_segment_size(number), 8000, "segment %u", number);
	}
}

/* Each record then begins a segment; the checkpoint goes behind it, and not for ever. */
Test(stream_chain, a_limit_below_one_line_still_stores_every_line)
{
	struct skm_stream *stream = stream_begin_chained(1);
	store(stream, 5);
	skm_stream_free(stream);
	expect_unbroken();
	cr_expect_eq(stream_seen.count, 10); /* start, 5 records, the checkpoints of the first 4 of them */
	cr_expect_eq(stream_seen.segments, 6);
}

Test(stream_chain, checkpoints_are_made_when_they_are_asked_for)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	skm_stream_checkpoint(stream, "time");
	cr_assert_eq(skm_stream_flush(stream), 0);
	skm_stream_checkpoint(stream, "time");
	cr_assert_eq(skm_stream_flush(stream), 0);
	skm_stream_free(stream);
	expect_unbroken();
	cr_expect_eq(stream_seen.starts, 1);
	cr_expect_eq(stream_seen.times, 2);
	cr_expect_eq(stream_seen.count, 3);
}

Test(stream_chain, a_checkpoint_waits_for_no_disk)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	store(stream, 1);
	stream_faults.always[STREAM_WRITE] = true;
	stream_append(stream, 1);
	cr_expect_eq(skm_stream_flush(stream), -EIO);
	for (unsigned i = 0; i < 100; i++)
		skm_stream_checkpoint(stream, "time");
	cr_expect_eq(stream_state(stream).pending, 2); /* the record and LOG_FULL */
	stream_heal();
	store(stream, 0);
	skm_stream_free(stream);
	expect_unbroken();
	cr_expect_eq(stream_seen.times, 0);
}

Test(stream_chain, without_a_chain_there_are_no_checkpoints)
{
	struct skm_stream *stream = stream_begin(MEGABYTE);
	skm_stream_checkpoint(stream, "stop");
	cr_expect_eq(stream_state(stream).pending, 0);
	skm_stream_set_verifier_key(stream, NULL);
	skm_stream_free(stream);
	cr_expect_eq(stream_segment_size(1), -1);
}

/* The number of the boot grows with another boot id, not with another run. */
Test(stream_chain, boots_are_counted)
{
	run(1);
	run(1);
	stream_look();
	cr_expect_eq(stream_seen.boot_number, 1);
	struct skm_stream *stream = stream_begin_boot(MEGABYTE, OTHER_BOOT);
	store(stream, 1);
	skm_stream_free(stream);
	expect_unbroken();
	cr_expect_eq(stream_seen.boot_number, 2);
}

Test(stream_chain, lost_records_are_counted_in_the_next_checkpoint)
{
	struct skm_stream *stream = stream_begin_chained(64 * MEGABYTE);
	stream_append(stream, SKM_STREAM_PENDING_MAX + 7);
	stream_next_record = SKM_STREAM_PENDING_MAX;
	cr_assert_eq(skm_stream_flush(stream), 0);
	for (unsigned i = 0; i < 2; i++) {
		skm_stream_checkpoint(stream, "time");
		cr_assert_eq(skm_stream_flush(stream), 0);
	}
	skm_stream_free(stream);
	expect_unbroken();
	cr_expect_eq(stream_seen.resumed_lost, 7);
	cr_expect_eq(stream_seen.checkpoint_lost, 7, "counted by one checkpoint, once");
}

static void stamp_day(void *user, struct skm_record *record)
{
	const int64_t *day = user;
	record->time.realtime_usec = *day * INT64_C(86400000000) + 123456;
	record->time.boottime_usec = 17;
	snprintf(record->boot_id, sizeof(record->boot_id), STREAM_BOOT_ID);
}

/* Each key names the next one; stream_prove looks at that. */
Test(stream_chain, every_day_has_its_signing_key)
{
	int64_t day = 20778;
	char keys[4][65] = {""};
	for (unsigned i = 0; i < 4; i++, day += i % 2) {
		struct skm_stream *stream = stream_begin_chained(MEGABYTE);
		skm_stream_set_stamp(stream, stamp_day, &day);
		skm_stream_checkpoint(stream, "time");
		skm_stream_free(stream);
		stream_look();
		const char *key = strstr(stream_seen.lines[stream_seen.count], "\"key\":\"");
		cr_assert_not_null(key);
		snprintf(keys[i], sizeof(keys[i]), "%s", key + strlen("\"key\":\""));
	}
	expect_unbroken();
	cr_expect_str_neq(keys[0], keys[1]);
	cr_expect_str_eq(keys[1], keys[2]);
	cr_expect_str_neq(keys[2], keys[3]);
}

/* ---- the order on disk ---- */

Test(stream_chain, line_then_sync_then_state)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	store(stream, 1);
	stream_heal();
	store(stream, 3);
	const char expected[] = {'A' + STREAM_FSTAT, 'A' + STREAM_WRITE, 'A' + STREAM_FDATASYNC,
		'A' + CHAIN_PWRITE, 'A' + CHAIN_PWRITE, '\0'};
	cr_expect_str_eq(stream_faults.order, expected);
	stream_heal();
	skm_stream_checkpoint(stream, "time");
	store(stream, 0);
	const char synced[] = {'A' + STREAM_FSTAT, 'A' + STREAM_WRITE, 'A' + STREAM_FDATASYNC,
		'A' + CHAIN_PWRITE, 'A' + CHAIN_FDATASYNC, 'A' + CHAIN_PWRITE, 'A' + CHAIN_FDATASYNC, '\0'};
	cr_expect_str_eq(stream_faults.order, synced, "one slot is whole on disk at any time");
	skm_stream_free(stream);
}

Test(stream_chain, a_state_that_cannot_be_written_costs_no_record)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	store(stream, 1);
	stream_faults.always[CHAIN_PWRITE] = true;
	for (unsigned i = 0; i < 10; i++)
		store(stream, 3);
	cr_expect_not(stream_state(stream).is_failing);
	skm_stream_checkpoint(stream, "stop");
	skm_stream_free(stream);
	stream_look();
	cr_expect_not_null(strstr(stream_seen.checkpoint_detail, "cannot be stored: Input/output error"),
		"%s", stream_seen.checkpoint_detail);
	stream_heal();
	run(2);
	expect_unbroken();
	cr_expect_eq(stream_seen.next_detail, 33);
	cr_expect_eq(stream_seen.full, 0);
}

/* The new key would be lost with us, and then nobody could sign. */
Test(stream_chain, no_key_is_changed_that_cannot_be_stored)
{
	int64_t day = 20778;
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	skm_stream_set_stamp(stream, stamp_day, &day);
	store(stream, 1);
	stream_faults.always[CHAIN_PWRITE] = true;
	for (unsigned i = 0; i < 5; i++, day++) {
		store(stream, 1);
		skm_stream_checkpoint(stream, "time");
	}
	skm_stream_free(stream);
	stream_heal();
	stream = stream_begin_chained(MEGABYTE);
	skm_stream_set_stamp(stream, stamp_day, &day);
	store(stream, 1);
	skm_stream_free(stream);
	expect_unbroken();
}

/* ---- the state is older than the lines ---- */

Test(stream_chain, an_older_state_is_brought_up_to_date_from_the_lines)
{
	int64_t day = 20778;
	run(3);
	stream_chain_keep();
	struct skm_stream *stream = stream_begin_chained(9000);
	skm_stream_set_stamp(stream, stamp_day, &day); /* the next checkpoint changes the signing key */
	store(stream, 35);			       /* over several segments */
	skm_stream_free(stream);
	stream_chain_restore();
	run(3);
	expect_unbroken();
	cr_expect_eq(stream_seen.next_detail, 41);
	cr_expect_eq(stream_seen.recovered, 0);
}

Test(stream_chain, a_torn_line_is_cut_and_told_and_nothing_is_broken)
{
	run(3);
	stream_segment_put(1, "{\"time\":17,\"time_dt\":\"20");
	run(1);
	expect_unbroken();
	cr_expect_eq(stream_seen.recovered, 1);
	cr_expect_eq(stream_seen.torn, 0);
}

/* ---- a tail that does not continue the chain ---- */

/* The segments' contents as the terminal left them, changed by `change`; then another run. */
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

Test(stream_chain, a_tail_that_was_cut_off_is_told)
{
	run(5);
	cut_lines(1, 3);
	run(1);
	expect_broken("the last 3 records, 5 to 7, are missing");
}

Test(stream_chain, a_last_record_that_was_changed_is_told)
{
	run(2);
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
	run(1);
	expect_broken("record 4 was changed");
}

Test(stream_chain, lines_of_nobody_are_told)
{
	run(2);
	stream_segment_put(1, "{\"time\":1,\"who\":\"knows\"}\n");
	run(1);
	expect_broken("1 lines stand among the last records");
}

/* Root had the key of then, and the state of then: the MAC of what the terminal wrote in between is right,
 * but that of a forged record is not. */
Test(stream_chain, a_forged_record_behind_the_state_is_told)
{
	run(2);
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
	run(1);
	expect_broken("record 5 is not the one that was written");
}

/* The hash before is public: who has no key can give the right one, and his MAC is wrong. */
Test(stream_chain, a_record_with_another_mac_behind_the_state_is_told)
{
	char digit;
	run(2);
	stream_chain_keep();
	run(1);
	stream_chain_restore();
	int fd = open(stream_segment_path(1), O_RDWR | O_CLOEXEC);
	off_t at = stream_segment_size(1) - (off_t)strlen("0\"}\n");
	cr_assert_eq(pread(fd, &digit, 1, at), 1);
	digit = digit == '0' ? '1' : '0';
	cr_assert_eq(pwrite(fd, &digit, 1, at), 1);
	close(fd);
	run(1);
	expect_broken("record 7 is not the one that was written");
}

Test(stream_chain, missing_records_behind_the_state_are_told)
{
	run(2);
	stream_chain_keep();
	run(5);
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
	run(1);
	expect_broken("records 5 to 5 are missing");
}

Test(stream_chain, all_segments_gone_is_told)
{
	run(3);
	stream_empty(stream_folder);
	stream_next_record = 0;
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	store(stream, 1);
	cr_expect_eq(stream_state(stream).sequence, 8); /* 5, CHAIN_BROKEN, start, the record */
	skm_stream_free(stream);
	stream_look();
	cr_expect_str_eq(stream_seen.first_event, "CHAIN_BROKEN");
	cr_expect_not_null(strstr(stream_seen.broken_detail, "the last 5 records, 1 to 5, are missing"));
}

Test(stream_chain, a_missing_state_begins_another_chain_and_is_told)
{
	run(2);
	cr_assert_eq(unlink(stream_chain_path), 0);
	run(1);
	expect_broken("is missing, although there are records");
}

Test(stream_chain, a_damaged_state_begins_another_chain_and_is_told)
{
	run(2);
	cr_assert_eq(truncate(stream_chain_path, 100), 0);
	run(1);
	expect_broken("is damaged");
	char aside[STREAM_PATH_BYTES + 16];
	snprintf(aside, sizeof(aside), "%s.damaged", stream_chain_path);
	cr_expect_eq(access(aside, F_OK), 0);
}

Test(stream_chain, what_is_done_while_it_runs_is_told)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	store(stream, 5);
	cut_lines(1, 2);
	store(stream, 1);
	expect_broken("the last 2 records, 5 to 6, are missing");
	cr_assert_eq(unlink(stream_segment_path(2)), 0);
	store(stream, 1);
	expect_broken("are missing");
	skm_stream_free(stream);
}

Test(stream_chain, a_break_is_told_even_if_the_disk_is_full_first)
{
	run(5);
	cut_lines(1, 3);
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	for (unsigned k = 1; k < 60; k++) {
		stream_heal();
		stream_faults.first = stream_faults.last = k;
		stream_append(stream, 1);
		(void)!skm_stream_flush(stream);
	}
	stream_heal();
	store(stream, 1);
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

Test(stream_chain, reopening_the_same_folder_changes_nothing)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	for (unsigned i = 0; i < 5; i++) {
		store(stream, 2);
		skm_stream_reopen(stream);
	}
	skm_stream_free(stream);
	expect_unbroken();
	cr_expect_eq(stream_seen.starts, 1);
	cr_expect_eq(stream_seen.segments, 1);
}

Test(stream_chain, a_state_that_was_removed_meanwhile_is_told)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	store(stream, 2);
	cr_assert_eq(unlink(stream_chain_path), 0);
	skm_stream_reopen(stream);
	store(stream, 1);
	skm_stream_free(stream);
	expect_broken("is missing, although there are records");
}

Test(stream_chain, a_state_that_was_replaced_meanwhile_is_told)
{
	run(1);
	stream_chain_keep();
	stream_empty(stream_folder);
	cr_assert_eq(unlink(stream_chain_path), 0);
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	store(stream, 2);
	stream_chain_restore();
	skm_stream_reopen(stream);
	store(stream, 1);
	/* the one found goes on behind what it says of itself */
	cr_expect_eq(stream_state(stream).sequence, 6);
	skm_stream_free(stream);
	expect_broken("the last 3 records, 1 to 3, are missing");
}

/* Early in boot, folders may be those below a mount that comes later: what was written there is another
 * chain. */
Test(stream_chain, goes_on_with_the_chain_that_is_mounted_later)
{
	char log[STREAM_PATH_BYTES + 8], state[STREAM_PATH_BYTES + 8];
	run(5);
	snprintf(log, sizeof(log), "%s.mounted", stream_folder);
	snprintf(state, sizeof(state), "%s.mounted", stream_chain_path);
	cr_assert_eq(rename(stream_folder, log), 0);
	cr_assert_eq(rename(stream_chain_path, state), 0);
	cr_assert_eq(mkdir(stream_folder, 0750), 0);
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	store(stream, 2);
	stream_empty(stream_folder);
	cr_assert_eq(rmdir(stream_folder), 0);
	cr_assert_eq(rename(log, stream_folder), 0);
	cr_assert_eq(rename(state, stream_chain_path), 0);
	skm_stream_reopen(stream);
	store(stream, 1);
	cr_expect_eq(stream_state(stream).sequence, 10); /* 7, CHAIN_BROKEN, start, the record */
	skm_stream_free(stream);
	expect_broken("which had reached record 3, was replaced");
}

/* Without the state nothing is stored: it would be told from a forgery by nobody. */
Test(stream_chain, a_state_that_cannot_be_opened_is_waited_for)
{
	char folder[STREAM_PATH_BYTES], aside[STREAM_PATH_BYTES + 8];
	snprintf(folder, sizeof(folder), "%s", stream_chain_path);
	*strrchr(folder, '/') = '\0';
	snprintf(aside, sizeof(aside), "%s.later", folder);
	cr_assert_eq(rename(folder, aside), 0);
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	stream_append(stream, 2);
	cr_expect_eq(skm_stream_flush(stream), -ENOENT);
	cr_expect_not_null(
		strstr(stream_state(stream).error, "cannot open"), "%s", stream_state(stream).error);
	cr_expect_not_null(strstr(stream_state(stream).error, stream_chain_path));
	cr_assert_eq(rename(aside, folder), 0);
	store(stream, 1);
	skm_stream_free(stream);
	expect_unbroken();
	cr_expect_eq(stream_seen.next_detail, 3);
	cr_expect_eq(stream_seen.full, 1);
	cr_expect_eq(stream_seen.resumed, 1);
}

Test(stream_chain, two_processes_do_not_write_one_chain)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	store(stream, 1);
	pid_t pid = fork();
	if (pid == 0) {
		struct skm_stream *other = stream_begin_chained(MEGABYTE);
		stream_append(other, 1);
		bool is_refused = skm_stream_flush(other) == -EWOULDBLOCK &&
				  strstr(stream_state(other).error, "another process writes it");
		_exit(is_refused ? 0 : 1);
	}
	int status = -1;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	skm_stream_free(stream);
	expect_unbroken();
}

Test(stream_chain, a_chain_without_a_verifier_says_so_once)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	skm_stream_set_verifier_key(stream, NULL);
	store(stream, 1);
	stream_look();
	cr_expect_not_null(strstr(stream_seen.checkpoint_detail, "without a verifier's key"));
	skm_stream_checkpoint(stream, "stop");
	skm_stream_free(stream);
	stream_look();
	cr_expect_str_empty(stream_seen.checkpoint_detail);
	run(1);
	stream_look();
	cr_expect_eq(stream_seen.broken, 0);
}

Test(stream_chain, a_forked_child_has_no_key)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	store(stream, 1);
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
	store(stream, 1);
	skm_stream_free(stream);
	expect_broken("stand among the last records");
}
