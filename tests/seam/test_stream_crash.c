// SPDX-License-Identifier: Apache-2.0
/* A chained stream that is stopped by kill -9 at each of its system calls, also half-way through a write, and
 * at random, over and over. Afterwards: what was reported as stored is there, no record is there twice, the
 * chain goes on without a break, its MACs and signatures hold, and nothing is told to be broken. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "stream_world.h"

#define SEGMENT_BYTES 6000
#define SEGMENTS_MAX 1000

/* What the process that is killed leaves to the one that looks. */
static struct shared {
	unsigned appended, stored; /* records */
	unsigned calls;
	bool is_done;
	struct {
		ino_t inode;
		off_t size;
	} synced[SEGMENTS_MAX]; /* segments, by their numbers */
} * shared;

static void setup(void)
{
	stream_world_make();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(shared != MAP_FAILED);
}

TestSuite(stream_crash, .init = setup, .fini = stream_world_remove, .timeout = 240);

static void stamp(void *user, struct skm_record *record)
{
	struct skm_clock clock = skm_clock_system();
	(void)user;
	clock.now(clock.user, &record->time);
	snprintf(record->boot_id, sizeof(record->boot_id), STREAM_BOOT_ID);
}

/* Another day for each life, so that each changes the signing key. */
static void stamp_tomorrow(void *user, struct skm_record *record)
{
	const unsigned *life = user;
	stamp(NULL, record);
	record->time.realtime_usec += (int64_t)*life * INT64_C(86400000000);
}

static unsigned life_number;

static void live(void)
{
	struct skm_stream *stream = stream_begin_chained(SEGMENT_BYTES);
	skm_stream_set_stamp(stream, stamp_tomorrow, &life_number);
	stream_next_record = shared->appended;
	for (unsigned round = 0; round < 5; round++) {
		stream_append(stream, round % 3 + 1);
		shared->appended = stream_next_record;
		if (round == 3)
			skm_stream_checkpoint(stream, "time");
		if (skm_stream_flush(stream) == 0)
			shared->stored = stream_next_record;
		if (round == 2)
			skm_stream_reopen(stream);
	}
	skm_stream_checkpoint(stream, "stop");
	skm_stream_free(stream);
}

/* A life that is killed at its k-th call, or (0) is not. */
static void live_until(unsigned k, bool is_short)
{
	shared->is_done = false;
	life_number++;
	pid_t pid = fork();
	if (pid == 0) {
		stream_heal();
		stream_faults.first = stream_faults.last = k;
		stream_faults.kills = true;
		stream_faults.is_short = is_short;
		live();
		shared->calls = stream_faults.total;
		shared->is_done = true;
		_exit(0);
	}
	int status = -1;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	cr_assert(shared->is_done ? WIFEXITED(status) : was_killed, "%x", (unsigned)status);
}

/* Records that were not reported as stored may be there or not; what comes next must be told apart from them.
 */
static void look(const char *what, unsigned k)
{
	stream_look();
	if (stream_seen.count > 0)
		stream_prove();
	cr_assert_eq(stream_seen.broken, 0, "%s %u: %s", what, k, stream_seen.broken_detail);
	cr_assert_geq(stream_seen.next_detail, shared->stored, "%s %u: %u of %u", what, k,
		stream_seen.next_detail, shared->stored);
	cr_assert_leq(stream_seen.next_detail, shared->appended);
	cr_assert_eq(stream_seen.duplicates, 0);
	shared->appended = shared->stored = stream_seen.next_detail;
}

static void begin_anew(void)
{
	stream_world_empty();
	memset(shared, 0, sizeof(*shared));
	life_number = 0;
}

static unsigned count_calls(void)
{
	begin_anew();
	live_until(0, false);
	cr_assert(shared->is_done);
	look("nothing", 0);
	return shared->calls;
}

Test(stream_crash, at_each_call_of_the_first_life)
{
	unsigned calls = count_calls();
	cr_assert_gt(calls, 60);
	for (unsigned k = 1; k <= calls; k++) {
		begin_anew();
		live_until(k, k % 2);
		cr_assert_not(shared->is_done, "call %u", k);
		look("killed at", k);
		live_until(0, false);
		cr_assert(shared->is_done);
		look("after a kill at", k);
		cr_assert_eq(stream_seen.torn, 0, "call %u", k);
	}
}

Test(stream_crash, at_each_call_of_a_later_life)
{
	unsigned calls = count_calls();
	for (unsigned k = 1; k <= calls; k++) {
		begin_anew();
		live_until(0, false);
		live_until(k, k % 2);
		look("killed at", k);
		live_until(0, false);
		look("after a kill at", k);
		cr_assert_eq(stream_seen.torn, 0, "call %u", k);
	}
}

/* ---- a lost key ---- */

static unsigned newest_segment(void)
{
	unsigned number = SEGMENTS_MAX;
	while (number > 0 && stream_segment_size(number) < 0)
		number--;
	return number;
}

/* What the chain that begins behind the lost one's last segment has told. */
static void look_behind(unsigned last, unsigned k)
{
	char aside[STREAM_PATH_BYTES + 16];
	snprintf(aside, sizeof(aside), "%s.aside", stream_folder);
	cr_assert_eq(mkdir(aside, 0700), 0);
	for (unsigned number = 1; number <= last; number++) {
		char kept[sizeof(aside) + 16];
		snprintf(kept, sizeof(kept), "%s/%u", aside, number);
		cr_assert_eq(rename(stream_segment_path(number), kept), 0);
	}
	stream_look();
	if (stream_seen.count > 0) {
		stream_prove();
		cr_assert_str_eq(stream_seen.first_event, "CHAIN_BROKEN", "call %u", k);
		cr_assert_eq(stream_seen.broken, 1, "call %u", k);
	}
	for (unsigned number = 1; number <= last; number++) {
		char kept[sizeof(aside) + 16];
		snprintf(kept, sizeof(kept), "%s/%u", aside, number);
		cr_assert_eq(rename(kept, stream_segment_path(number)), 0);
	}
	cr_assert_eq(rmdir(aside), 0);
	shared->appended = shared->stored = stream_seen.next_detail;
}

/* Whenever it dies: the new chain tells that it is one, in a segment of its own. */
Test(stream_crash, at_each_call_of_the_first_life_after_a_lost_key)
{
	unsigned calls = 1;
	for (unsigned k = 0; k <= calls; k++) {
		begin_anew();
		live_until(0, false);
		unsigned last = newest_segment();
		off_t size = stream_segment_size(last);
		cr_assert_eq(unlink(stream_chain_path), 0);
		shared->appended = shared->stored = 0;
		live_until(k, k % 2);
		if (k == 0)
			calls = shared->calls;
		look_behind(last, k);
		live_until(0, false);
		cr_assert(shared->is_done);
		look_behind(last, k);
		cr_assert_gt(stream_seen.count, 0, "call %u", k);
		cr_assert_eq(stream_segment_size(last), size, "call %u: written behind the lost chain", k);
	}
	cr_expect_gt(calls, 60);
}

/* Also while it recovers. */
Test(stream_crash, a_hundred_times_at_random)
{
	begin_anew();
	stream_heal();
	stream_faults.seed = 4;
	unsigned kills = 0;
	live_until(0, false);
	look("the first life", 0);
	for (unsigned i = 0; i < 100; i++) {
		live_until(stream_random() % 60 + 1, stream_random() % 2);
		kills += !shared->is_done;
		look("round", i);
	}
	cr_expect_gt(kills, 80);
	live_until(0, false);
	look("the last life", 0);
}

/* ---- the power ---- */

static void keep_account(enum stream_call call, int fd)
{
	struct stat st;
	if (call == CHAIN_FDATASYNC || call == CHAIN_FSYNC) {
		if (access(stream_chain_path, F_OK) == 0)
			stream_chain_keep();
		return;
	}
	cr_assert_eq(fstat(fd, &st), 0);
	for (unsigned number = 1; call == STREAM_FDATASYNC && number < SEGMENTS_MAX; number++) {
		struct stat segment;
		if (stat(stream_segment_path(number), &segment) < 0 || segment.st_ino != st.st_ino)
			continue;
		shared->synced[number].inode = st.st_ino;
		shared->synced[number].size = st.st_size;
	}
}

/* Of what was not synced, any part may be there: here a part from the front, or all of it. The state is as it
 * was synced last. */
static void cut_power(void)
{
	for (unsigned number = 1; number < SEGMENTS_MAX; number++) {
		struct stat st;
		off_t synced = 0;
		if (stat(stream_segment_path(number), &st) < 0)
			continue;
		if (shared->synced[number].inode == st.st_ino)
			synced = shared->synced[number].size;
		cr_assert_leq(synced, st.st_size);
		if (st.st_size > synced && stream_random() % 4 > 0)
			cr_assert_eq(truncate(stream_segment_path(number),
					     synced + stream_random() % (st.st_size - synced)),
				0);
	}
	stream_chain_restore();
}

Test(stream_crash, the_power_fails_a_hundred_times)
{
	begin_anew();
	stream_heal();
	stream_faults.seed = 9;
	stream_on_sync = keep_account;
	live_until(0, false);
	for (unsigned i = 0; i < 100; i++) {
		live_until(stream_random() % 60 + 1, stream_random() % 2);
		cut_power();
		look("cut", i);
	}
	stream_on_sync = NULL;
	live_until(0, false);
	look("the last life", 0);
}
