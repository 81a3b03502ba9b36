// SPDX-License-Identifier: Apache-2.0
/* Many records at once: they are written piece by piece while the disk is already busy with the first ones,
 * and stored by one sync. What can fail, or be killed, between the pieces must cost nothing and leave nothing
 * behind. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "stream_world.h"

#define MANY 500 /* four pieces */
#define PIECE_BYTES (128 * 1024)

TestSuite(stream_group, .init = stream_world_make, .fini = stream_world_remove, .timeout = 120);

static void add(char *order, enum stream_call call)
{
	size_t len = strlen(order);
	order[len] = (char)('A' + call);
	order[len + 1] = '\0';
}

Test(stream_group, is_on_its_way_piece_by_piece_and_synced_once)
{
	struct skm_stream *stream = stream_begin_chained(16 * MEGABYTE);
	stream_store(stream, 1);
	stream_heal();
	stream_store(stream, MANY);
	unsigned pieces = stream_faults.calls[STREAM_WRITE];
	cr_expect(pieces >= 3 && pieces < 10, "%u", pieces);
	char expected[64] = "";
	add(expected, STREAM_FSTAT);
	for (unsigned i = 0; i < pieces; i++) {
		add(expected, STREAM_WRITE);
		add(expected, i + 1 < pieces ? STREAM_SYNC_FILE_RANGE : STREAM_FDATASYNC);
	}
	for (unsigned i = 0; i < 2; i++) { /* there was a checkpoint */
		add(expected, CHAIN_PWRITE);
		add(expected, CHAIN_FDATASYNC);
	}
	cr_expect_str_eq(stream_faults.order, expected);
	stream_look();
	stream_prove();
	cr_expect_eq(stream_seen.next_detail, MANY + 1);
	skm_stream_free(stream);
}

Test(stream_group, has_an_end)
{
	struct skm_stream *stream = stream_begin(64 * MEGABYTE);
	stream_store(stream, 1);
	off_t before = stream_segment_size(1);
	stream_heal();
	stream_store(stream, 4000);
	off_t written = stream_segment_size(1) - before;
	cr_assert_gt(written, 3 * (off_t)MEGABYTE / 2);
	cr_expect_geq(stream_faults.calls[STREAM_FDATASYNC] * (MEGABYTE + PIECE_BYTES), (uint64_t)written);
	skm_stream_free(stream);
}

/* ---- what fails on the way ---- */

static void fail_on_the_way(int error)
{
	stream_world_empty();
	stream_next_record = 0;
	struct skm_stream *stream = stream_begin_chained(16 * MEGABYTE);
	stream_store(stream, 1);
	off_t good = stream_segment_size(1);
	stream_heal();
	stream_faults.always[STREAM_SYNC_FILE_RANGE] = true;
	stream_faults.error = error;
	stream_store(stream, MANY);
	bool is_told = stream_faults.calls[STREAM_SYNC_FILE_RANGE] == 1;
	stream_heal();
	if (is_told)
		cr_expect_eq(stream_segment_size(1), good, "what may not be on disk still stands there");
	stream_look();
	stream_prove();
	cr_expect_eq(stream_seen.next_detail, MANY + 1);
	cr_expect_eq(stream_seen.duplicates, 0);
	cr_expect_eq(stream_seen.full, is_told);
	cr_expect_eq(stream_seen.resumed, is_told);
	cr_expect_eq(stream_seen.segments, is_told ? 2 : 1);
	cr_expect_eq(is_told, error == EIO || error == ENOSPC || error == EDQUOT, "%s", strerror(error));
	skm_stream_free(stream);
}

Test(stream_group, an_error_on_the_way_counts_like_one_of_the_sync)
{
	fail_on_the_way(EIO);
	fail_on_the_way(ENOSPC);
	fail_on_the_way(EDQUOT);
}

Test(stream_group, a_system_without_the_call_costs_nothing)
{
	fail_on_the_way(ENOSYS);
	fail_on_the_way(EPERM);
}

static unsigned live(unsigned k, bool is_short, int error)
{
	stream_heal();
	stream_world_empty();
	stream_next_record = 0;
	struct skm_stream *stream = stream_begin_chained(300 * 1024); /* in three segments */
	stream_store(stream, 1);
	stream_heal();
	stream_faults.first = stream_faults.last = k;
	stream_faults.is_short = is_short;
	stream_faults.error = error;
	stream_append(stream, MANY);
	(void)!skm_stream_flush(stream);
	unsigned total = stream_faults.total;
	stream_heal();
	cr_assert_eq(skm_stream_flush(stream), 0, "fault %u: %s", k, stream_state(stream).error);
	skm_stream_free(stream);
	stream_look();
	stream_prove();
	cr_assert_eq(stream_seen.next_detail, MANY + 1, "fault %u: %u", k, stream_seen.next_detail);
	cr_assert_eq(stream_seen.duplicates + stream_seen.torn + stream_seen.broken, 0, "fault %u", k);
	return total;
}

Test(stream_group, survives_any_single_fault)
{
	unsigned total = live(0, false, EIO);
	cr_assert_gt(total, 15);
	for (unsigned k = 1; k <= total; k++) {
		live(k, false, EIO);
		live(k, true, ENOSPC);
	}
}

/* As a disk that is nearly full: a write stores what there is room for, and the next one nothing. */
Test(stream_group, stores_what_there_is_room_for)
{
	const rlim_t room = MEGABYTE / 2;
	const struct rlimit limit = {.rlim_cur = room, .rlim_max = RLIM_INFINITY};
	const struct rlimit none = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	(void)signal(SIGXFSZ, SIG_IGN);
	struct skm_stream *stream = stream_begin_chained(16 * MEGABYTE);
	stream_store(stream, 1);
	stream_append(stream, 2 * MANY);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int r = skm_stream_flush(stream);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	cr_expect_eq(r, -ENOSPC, "%d", r);
	off_t stored = stream_segment_size(1);
	cr_expect(stored > (off_t)room - PIECE_BYTES && stored <= (off_t)room, "%lld", (long long)stored);
	uint64_t before = stream_state(stream).sequence;
	stream_look();
	stream_prove();
	cr_expect_eq(stream_seen.count, before, "what is there is what counts as stored");
	cr_expect_eq(stream_seen.torn, 0);
	cr_assert_eq(skm_stream_flush(stream), 0);
	stream_look();
	stream_prove();
	cr_expect_eq(stream_seen.next_detail, 2 * MANY + 1);
	cr_expect_eq(stream_seen.segments, 1);
	cr_expect_eq(stream_seen.full, 1);
	cr_expect_eq(stream_seen.resumed, 1);
	skm_stream_free(stream);
}

/* ---- the end of the process ---- */

/* Is it killed before the group is stored? */
static bool die_at(unsigned k, bool is_short)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct skm_stream *stream = stream_begin_chained(300 * 1024);
		stream_store(stream, 1);
		stream_heal();
		stream_faults.first = stream_faults.last = k;
		stream_faults.kills = true;
		stream_faults.is_short = is_short;
		stream_append(stream, MANY);
		_exit(skm_stream_flush(stream) == 0 ? 0 : 1);
	}
	int status = -1;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	cr_assert(was_killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0), "%x", (unsigned)status);
	return was_killed;
}

Test(stream_group, is_killed_at_each_call)
{
	unsigned kills = 0;
	for (bool was_killed = true; was_killed;) {
		stream_world_empty();
		stream_next_record = 0;
		was_killed = die_at(kills + 1, kills % 2);
		kills += was_killed;
		struct skm_stream *stream = stream_begin_chained(300 * 1024);
		stream_look();
		stream_next_record = stream_seen.next_detail;
		stream_store(stream, 1);
		skm_stream_free(stream);
		stream_look();
		stream_prove();
		cr_assert_eq(stream_seen.broken + stream_seen.torn + stream_seen.duplicates, 0,
			"killed at call %u: %s", kills, stream_seen.broken_detail);
		cr_assert_geq(stream_seen.next_detail, was_killed ? 2 : MANY + 2);
	}
	cr_expect_gt(kills, 15);
}
