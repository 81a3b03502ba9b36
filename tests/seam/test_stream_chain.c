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
		stream_run(5);
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
	stream_run(1);
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
		stream_store(stream, 10);
	stream_store(stream, 600);
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
	stream_store(stream, 50);
	for (unsigned i = 0; i < 50; i++)
		stream_store(stream, 1);
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
	stream_store(stream, 5);
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
	stream_store(stream, 1);
	stream_faults.always[STREAM_WRITE] = true;
	stream_append(stream, 1);
	cr_expect_eq(skm_stream_flush(stream), -EIO);
	for (unsigned i = 0; i < 100; i++)
		skm_stream_checkpoint(stream, "time");
	cr_expect_eq(stream_state(stream).pending, 2); /* the record and LOG_FULL */
	stream_heal();
	stream_store(stream, 0);
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
	stream_run(1);
	stream_run(1);
	stream_look();
	cr_expect_eq(stream_seen.boot_number, 1);
	struct skm_stream *stream = stream_begin_boot(MEGABYTE, OTHER_BOOT);
	stream_store(stream, 1);
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
	stream_store(stream, 1);
	stream_heal();
	stream_store(stream, 3);
	const char expected[] = {'A' + STREAM_FSTAT, 'A' + STREAM_WRITE, 'A' + STREAM_FDATASYNC,
		'A' + CHAIN_PWRITE, 'A' + CHAIN_PWRITE, '\0'};
	cr_expect_str_eq(stream_faults.order, expected);
	stream_heal();
	skm_stream_checkpoint(stream, "time");
	stream_store(stream, 0);
	const char synced[] = {'A' + STREAM_FSTAT, 'A' + STREAM_WRITE, 'A' + STREAM_FDATASYNC,
		'A' + CHAIN_PWRITE, 'A' + CHAIN_FDATASYNC, 'A' + CHAIN_PWRITE, 'A' + CHAIN_FDATASYNC, '\0'};
	cr_expect_str_eq(stream_faults.order, synced, "one slot is whole on disk at any time");
	skm_stream_free(stream);
}

Test(stream_chain, a_state_that_cannot_be_written_costs_no_record)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	stream_store(stream, 1);
	stream_faults.always[CHAIN_PWRITE] = true;
	for (unsigned i = 0; i < 10; i++)
		stream_store(stream, 3);
	cr_expect_not(stream_state(stream).is_failing);
	skm_stream_checkpoint(stream, "stop");
	skm_stream_free(stream);
	stream_look();
	cr_expect_not_null(strstr(stream_seen.checkpoint_detail, "cannot be stored: Input/output error"),
		"%s", stream_seen.checkpoint_detail);
	stream_heal();
	stream_run(2);
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
	stream_store(stream, 1);
	stream_faults.always[CHAIN_PWRITE] = true;
	for (unsigned i = 0; i < 5; i++, day++) {
		stream_store(stream, 1);
		skm_stream_checkpoint(stream, "time");
	}
	skm_stream_free(stream);
	stream_heal();
	stream = stream_begin_chained(MEGABYTE);
	skm_stream_set_stamp(stream, stamp_day, &day);
	stream_store(stream, 1);
	skm_stream_free(stream);
	expect_unbroken();
}

/* ---- the state is older than the lines ---- */

Test(stream_chain, an_older_state_is_brought_up_to_date_from_the_lines)
{
	int64_t day = 20778;
	stream_run(3);
	stream_chain_keep();
	struct skm_stream *stream = stream_begin_chained(9000);
	skm_stream_set_stamp(stream, stamp_day, &day); /* the next checkpoint changes the signing key */
	stream_store(stream, 35);		       /* over several segments */
	skm_stream_free(stream);
	stream_chain_restore();
	stream_run(3);
	expect_unbroken();
	cr_expect_eq(stream_seen.next_detail, 41);
	cr_expect_eq(stream_seen.recovered, 0);
}

/* A service that starts with each login must not read a whole segment each time. */
Test(stream_chain, only_the_end_of_a_segment_is_read_at_start)
{
	stream_run(700);
	cr_assert_gt(stream_segment_size(1), 500000);
	stream_heal();
	stream_run(1);
	cr_expect_lt(stream_faults.calls[STREAM_PREAD], 20);
	stream_chain_keep();
	struct skm_stream *stream = stream_begin_chained(64 * MEGABYTE);
	stream_store(stream, 1000); /* far more than is looked at first */
	skm_stream_free(stream);
	stream_chain_restore();
	stream_run(1);
	expect_unbroken();
}

Test(stream_chain, a_torn_line_is_cut_and_told_and_nothing_is_broken)
{
	stream_run(3);
	stream_segment_put(1, "{\"time\":17,\"time_dt\":\"20");
	stream_run(1);
	expect_unbroken();
	cr_expect_eq(stream_seen.recovered, 1);
	cr_expect_eq(stream_seen.torn, 0);
}

/* ---- opening ---- */

Test(stream_chain, reopening_the_same_folder_changes_nothing)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	for (unsigned i = 0; i < 5; i++) {
		stream_store(stream, 2);
		skm_stream_reopen(stream);
	}
	skm_stream_free(stream);
	expect_unbroken();
	cr_expect_eq(stream_seen.starts, 1);
	cr_expect_eq(stream_seen.segments, 1);
}

/* Early in boot, folders may be those below a mount that comes later: what was written there is another
 * chain. */
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
	stream_store(stream, 1);
	skm_stream_free(stream);
	expect_unbroken();
	cr_expect_eq(stream_seen.next_detail, 3);
	cr_expect_eq(stream_seen.full, 1);
	cr_expect_eq(stream_seen.resumed, 1);
}

Test(stream_chain, two_processes_do_not_write_one_chain)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	stream_store(stream, 1);
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
	stream_store(stream, 1);
	stream_look();
	cr_expect_not_null(strstr(stream_seen.checkpoint_detail, "without a verifier's key"));
	skm_stream_checkpoint(stream, "stop");
	skm_stream_free(stream);
	stream_look();
	cr_expect_str_empty(stream_seen.checkpoint_detail);
	stream_run(1);
	stream_look();
	cr_expect_eq(stream_seen.broken, 0);
}
