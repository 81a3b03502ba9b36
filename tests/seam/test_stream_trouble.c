// SPDX-License-Identifier: Apache-2.0
/* The audit stream while system calls fail: nothing is lost, nothing stands twice, and both are told. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "stream_world.h"

TestSuite(stream_trouble, .init = stream_world_make, .fini = stream_world_remove);

/* ---- trouble ---- */

Test(stream_trouble, a_missing_folder_is_found_when_it_comes)
{
	cr_assert_eq(rmdir(stream_folder), 0);
	struct skm_stream *stream = stream_begin(MEGABYTE);
	stream_append(stream, 2);
	cr_expect_eq(skm_stream_flush(stream), -ENOENT);
	cr_expect(stream_state(stream).is_failing);
	cr_expect_not_null(
		strstr(stream_state(stream).error, "No such file"), "%s", stream_state(stream).error);
	stream_append(stream, 1);
	cr_expect_eq(skm_stream_flush(stream), -ENOENT);
	cr_assert_eq(mkdir(stream_folder, 0750), 0);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_not(stream_state(stream).is_failing);
	cr_expect_str_empty(stream_state(stream).error);
	stream_look();
	cr_expect_eq(stream_seen.count, 5);
	cr_expect_eq(stream_seen.full, 1);
	cr_expect_eq(stream_seen.resumed, 1);
	cr_expect_str_eq(stream_seen.last_event, "LOG_RESUMED");
	skm_stream_free(stream);
}

Test(stream_trouble, a_full_disk_loses_nothing)
{
	struct skm_stream *stream = stream_begin(MEGABYTE);
	stream_append(stream, 2);
	cr_assert_eq(skm_stream_flush(stream), 0);
	off_t good = stream_segment_size(1);
	stream_faults.always[STREAM_WRITE] = true;
	stream_faults.is_short = true;
	stream_faults.error = ENOSPC;
	for (unsigned i = 0; i < 5; i++) {
		stream_append(stream, 2);
		cr_expect_eq(skm_stream_flush(stream), -ENOSPC);
		cr_expect_eq(stream_segment_size(1), good, "a part of a line was left behind");
		cr_expect_eq(stream_state(stream).sequence, 2);
	}
	stream_heal();
	stream_append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	stream_look();
	cr_expect_eq(stream_seen.next_detail, 13);
	cr_expect_eq(stream_seen.full, 1, "told once");
	cr_expect_eq(stream_seen.resumed, 1);
	cr_expect_eq(stream_seen.resumed_lost, 0);
	cr_expect_eq(stream_seen.segments, 1);
	skm_stream_free(stream);
}

Test(stream_trouble, tells_every_time_it_fails_and_works_again)
{
	struct skm_stream *stream = stream_begin(MEGABYTE);
	for (unsigned i = 0; i < 3; i++) {
		stream_append(stream, 1);
		stream_faults.always[STREAM_WRITE] = true;
		cr_expect_eq(skm_stream_flush(stream), -EIO);
		stream_heal();
		cr_assert_eq(skm_stream_flush(stream), 0);
	}
	stream_look();
	cr_expect_eq(stream_seen.full, 3);
	cr_expect_eq(stream_seen.resumed, 3);
	skm_stream_free(stream);
}

/* There is room up to this record. */
static void fill_disk(void *user, const struct skm_record *record)
{
	if (record->sequence == *(const uint64_t *)user)
		stream_faults.always[STREAM_WRITE] = true;
}

/* Room for what waited, and for not a line more: the word that it works again waits itself, and what comes
 * behind it must not look like the time after. */
static void expect_to_tell_it_again(struct skm_stream *stream, uint64_t room, unsigned records)
{
	skm_stream_set_stored(stream, fill_disk, &room);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(skm_stream_flush(stream), -EIO);
	stream_append(stream, 2);
	stream_heal();
	cr_assert_eq(skm_stream_flush(stream), 0);
	stream_look();
	cr_expect_eq(stream_seen.resumed, 2);
	cr_expect_str_eq(stream_seen.last_event, "LOG_RESUMED");
	cr_expect_eq(stream_seen.next_detail, records + 2);
	skm_stream_free(stream);
}

Test(stream_trouble, a_disk_that_is_full_again_before_it_is_said)
{
	struct skm_stream *stream = stream_begin(MEGABYTE);
	stream_faults.always[STREAM_WRITE] = true;
	stream_append(stream, 1);
	cr_expect_eq(skm_stream_flush(stream), -EIO);
	stream_heal();
	expect_to_tell_it_again(stream, 2, 1); /* r0, LOG_FULL */
	cr_expect_eq(stream_seen.full, 2);
}

Test(stream_trouble, a_disk_that_is_full_before_a_loss_is_told)
{
	struct skm_stream *stream = stream_begin(64 * MEGABYTE);
	stream_append(stream, SKM_STREAM_PENDING_MAX + 7);
	stream_next_record = SKM_STREAM_PENDING_MAX;
	expect_to_tell_it_again(stream, SKM_STREAM_PENDING_MAX, SKM_STREAM_PENDING_MAX);
	cr_expect_eq(stream_seen.full, 1);
}

Test(stream_trouble, counts_what_it_cannot_hold)
{
	struct skm_stream *stream = stream_begin(64 * MEGABYTE);
	stream_faults.always[STREAM_WRITE] = true;
	stream_append(stream, SKM_STREAM_PENDING_MAX - 10);
	cr_expect_eq(skm_stream_flush(stream), -EIO);
	stream_append(stream, 59); /* 9 fit beside LOG_FULL */
	cr_expect_eq(stream_state(stream).lost, 50);
	cr_expect_eq(stream_state(stream).pending, SKM_STREAM_PENDING_MAX);
	stream_heal();
	cr_assert_eq(skm_stream_flush(stream), 0);
	stream_look();
	cr_expect_eq(stream_seen.next_detail, SKM_STREAM_PENDING_MAX - 1);
	cr_expect_eq(stream_seen.resumed, 1);
	cr_expect_eq(stream_seen.resumed_lost, 50);
	cr_expect_eq(stream_state(stream).lost, 50);
	skm_stream_free(stream);
}

Test(stream_trouble, an_overfull_queue_is_told_even_if_nothing_failed)
{
	struct skm_stream *stream = stream_begin(64 * MEGABYTE);
	stream_append(stream, SKM_STREAM_PENDING_MAX + 7);
	cr_assert_eq(skm_stream_flush(stream), 0);
	stream_look();
	cr_expect_eq(stream_seen.resumed_lost, 7);
	cr_expect_eq(stream_seen.full, 0);
	skm_stream_free(stream);
}

Test(stream_trouble, a_failed_sync_is_never_retried_on_the_same_file)
{
	struct skm_stream *stream = stream_begin(MEGABYTE);
	stream_append(stream, 2);
	cr_assert_eq(skm_stream_flush(stream), 0);
	off_t good = stream_segment_size(1);
	stream_append(stream, 2);
	stream_heal();
	stream_faults.first = stream_faults.last = 3; /* fstat, write, fdatasync */
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(stream_segment_size(1), good, "what was not synced still stands in the old file");
	cr_expect_gt(stream_segment_size(2), 0);
	stream_look();
	cr_expect_eq(stream_seen.next_detail, 4);
	cr_expect_eq(stream_seen.duplicates, 0);
	cr_expect_eq(stream_seen.full, 1);
	cr_expect_eq(stream_seen.resumed, 1);
	skm_stream_free(stream);
}

Test(stream_trouble, a_disk_that_never_syncs_does_not_fill_the_folder)
{
	struct skm_stream *stream = stream_begin(MEGABYTE);
	stream_append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	stream_faults.always[STREAM_FDATASYNC] = true;
	for (unsigned i = 0; i < 50; i++) {
		stream_append(stream, 1);
		cr_expect_eq(skm_stream_flush(stream), -EIO);
	}
	stream_heal();
	cr_assert_eq(skm_stream_flush(stream), 0);
	stream_look();
	cr_expect_eq(stream_seen.next_detail, 51);
	cr_expect_eq(stream_seen.segments, 2);
	skm_stream_free(stream);
}

Test(stream_trouble, a_removed_or_changed_segment_is_noticed)
{
	struct skm_stream *stream = stream_begin(MEGABYTE);
	stream_append(stream, 2);
	cr_assert_eq(skm_stream_flush(stream), 0);
	stream_segment_put(1, "{\"forged\":true}\n");
	stream_append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_gt(stream_segment_size(2), 0);
	cr_assert_eq(unlink(stream_segment_path(2)), 0);
	stream_append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_gt(stream_segment_size(3), 0, "the number of a removed file is not used again");
	cr_expect_eq(stream_state(stream).sequence, 6); /* 2, told, 1, told, 1 */
	cr_assert_eq(truncate(stream_segment_path(3), 10), 0);
	stream_append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(stream_segment_size(3), 10, "evidence was changed");
	cr_expect_eq(stream_state(stream).sequence, 8);
	skm_stream_free(stream);
}

Test(stream_trouble, reopens_the_same_folder_without_a_word)
{
	struct skm_stream *stream = stream_begin(MEGABYTE);
	for (unsigned i = 0; i < 3; i++) {
		stream_append(stream, 1);
		cr_assert_eq(skm_stream_flush(stream), 0);
		skm_stream_reopen(stream);
	}
	stream_look();
	cr_expect_eq(stream_seen.count, 3);
	cr_expect_eq(stream_seen.segments, 1);
	skm_stream_free(stream);
}

static void store(unsigned count)
{
	struct skm_stream *stream = stream_begin(MEGABYTE);
	stream_append(stream, count);
	cr_assert_eq(skm_stream_flush(stream), 0);
	skm_stream_free(stream);
}

/* Early in boot the folder may be the one below a mount that comes later. */
Test(stream_trouble, goes_on_in_the_folder_that_is_mounted_later)
{
	store(40);
	char aside[STREAM_PATH_BYTES + 16];
	snprintf(aside, sizeof(aside), "%s.mounted", stream_folder);
	cr_assert_eq(rename(stream_folder, aside), 0);
	cr_assert_eq(mkdir(stream_folder, 0750), 0);
	struct skm_stream *stream = stream_begin(MEGABYTE);
	stream_append(stream, 2);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(stream_state(stream).sequence, 2);
	stream_empty(stream_folder);
	rmdir(stream_folder);
	cr_assert_eq(rename(aside, stream_folder), 0);
	skm_stream_reopen(stream);
	stream_append(stream, 2);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(stream_state(stream).sequence, 42);
	skm_stream_free(stream);
}

/* ---- every call fails once, twice, for a while ---- */

/* A little life: begin, store, rotate, go wrong, go on. Every record must be found in the end, once and in
 * order. */
static unsigned live(unsigned first, unsigned last, bool is_short, int error)
{
	stream_heal();
	stream_empty(stream_folder);
	stream_next_record = 0;
	stream_segment_put(1, "");
	stream_faults.first = first;
	stream_faults.last = last;
	stream_faults.is_short = is_short;
	stream_faults.error = error;
	struct skm_stream *stream = stream_begin(2500);
	for (unsigned round = 0; round < 6; round++) {
		stream_append(stream, round % 3 + 1);
		(void)!skm_stream_flush(stream);
		if (round == 3)
			skm_stream_reopen(stream);
	}
	unsigned total = stream_faults.total;
	stream_heal();
	cr_assert_eq(skm_stream_flush(stream), 0, "does not recover: %s", stream_state(stream).error);
	cr_expect_eq(stream_state(stream).lost, 0);
	skm_stream_free(stream);
	stream_look();
	cr_assert_eq(stream_seen.next_detail, stream_next_record, "%u of %u records after faults %u to %u",
		stream_seen.next_detail, stream_next_record, first, last);
	cr_expect_eq(stream_seen.full, stream_seen.resumed, "faults %u to %u", first, last);
	return total;
}

Test(stream_trouble, survives_any_single_fault)
{
	unsigned total = live(0, 0, false, EIO);
	cr_assert_gt(total, 30);
	static const int errors[] = {EIO, ENOSPC, EROFS, EACCES, ENOENT, EDQUOT, EINTR};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(errors); i++) {
		for (unsigned k = 1; k <= total; k++) {
			live(k, k, false, errors[i]);
			cr_expect_eq(stream_seen.duplicates, 0, "fault %u", k);
			cr_expect_eq(stream_seen.torn, 0, "fault %u", k);
		}
	}
	for (unsigned k = 1; k <= total; k++)
		live(k, k, true, ENOSPC);
}

Test(stream_trouble, survives_any_run_of_faults)
{
	unsigned total = live(0, 0, false, EIO);
	for (unsigned k = 1; k <= total; k++)
		for (unsigned len = 2; len < 8; len++)
			live(k, k + len - 1, len % 2, EIO);
}

Test(stream_trouble, survives_faults_at_random)
{
	for (unsigned seed = 1; seed <= 300; seed++) {
		stream_empty(stream_folder);
		stream_heal();
		stream_next_record = 0;
		struct skm_stream *stream = stream_begin(2500);
		stream_faults.seed = seed;
		stream_faults.chance = seed % 40 + 1;
		for (unsigned round = 0; round < 20; round++) {
			stream_append(stream, stream_random() % 3);
			(void)!skm_stream_flush(stream);
		}
		stream_heal();
		cr_assert_eq(skm_stream_flush(stream), 0, "seed %u: %s", seed, stream_state(stream).error);
		skm_stream_free(stream);
		stream_look();
		cr_assert_eq(stream_seen.next_detail, stream_next_record, "seed %u", seed);
		cr_assert_eq(stream_seen.recovered, 0, "seed %u: nobody else touched the files", seed);
	}
}
