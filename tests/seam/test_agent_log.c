// SPDX-License-Identifier: Apache-2.0
/* The agent's audit stream in a real loop: signs of life while nothing happens, another try while the disk is
 * away, floods counted, a last checkpoint. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "agent_log.h"
#include "flood.h"
#include "sample_record.h"
#include "stream_world.h"
#include "tmpdir.h"

static struct skm_loop *loop;
static struct skm_agent_log *log_;
static struct skm_config *config;
static char proc[TMPDIR_BYTES], collected_path[TMPDIR_BYTES + 16];
static unsigned resumed;
static uint64_t ahead_usec; /* time that the test lets pass */

static void stamp(void *user, struct skm_record *record)
{
	struct skm_clock clock = skm_clock_system();
	(void)user;
	clock.now(clock.user, &record->time);
	record->time.boottime_usec += ahead_usec;
	record->time.realtime_usec += (int64_t)ahead_usec;
	snprintf(record->terminal_number, sizeof(record->terminal_number), "PC-042");
}

static void on_resumed(void *user)
{
	(*(unsigned *)user)++;
}

/* What agent.c does at the end of each round. */
static int after_round(void *user)
{
	(void)user;
	skm_agent_log_end_round(log_);
	return 0;
}

static void open_log(void)
{
	const struct skm_agent_log_options options = {
		.folder = stream_folder,
		.chain_path = stream_chain_path,
		.collected_path = collected_path,
		.proc_root = proc,
		.boot_id = STREAM_BOOT_ID,
		.stamp = stamp,
		.on_resumed = on_resumed,
		.user = &resumed,
	};
	cr_assert_eq(skm_agent_log_new(loop, &options, config, &log_), 0);
}

static void setup(void)
{
	stream_world_make();
	tmpdir_make(proc);
	tmpdir_write(proc, "", "1/mountinfo");
	snprintf(collected_path, sizeof(collected_path), "%s/state", proc);
	cr_assert_eq(skm_config_default(&config), 0);
	config->audit.has_verifier_key = true;
	memcpy(config->audit.verifier_key, stream_verifier_key, sizeof(config->audit.verifier_key));
	cr_assert_eq(skm_loop_new(&loop), 0);
	skm_loop_set_after_round(loop, after_round, NULL);
	resumed = stream_next_record = 0;
	ahead_usec = 0;
	open_log();
}

static void close_log(void)
{
	log_ = skm_agent_log_free(log_);
	loop = skm_loop_free(loop);
}

static void teardown(void)
{
	if (loop)
		close_log();
	config = skm_config_free(config);
	tmpdir_remove(proc);
	stream_world_remove();
}

TestSuite(agent_log, .init = setup, .fini = teardown, .timeout = 60);

static void append(unsigned count)
{
	for (; count > 0; count--) {
		struct skm_record record;
		skm_record_init(&record, SKM_EVENT_RESUMED);
		snprintf(record.boot_id, sizeof(record.boot_id), STREAM_BOOT_ID);
		snprintf(record.detail, sizeof(record.detail), "r%u", stream_next_record++);
		(void)skm_agent_log_append(log_, &record);
	}
}

static struct skm_stream_state state(void)
{
	struct skm_stream_state found;
	skm_agent_log_get_state(log_, &found);
	return found;
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

Test(agent_log, a_round_is_stored_and_the_end_is_a_checkpoint)
{
	append(3);
	skm_agent_log_end_round(log_);
	cr_expect_eq(state().pending, 0);
	cr_expect_eq(state().sequence, 4);
	close_log();
	stream_look();
	stream_prove();
	cr_expect_eq(stream_seen.starts, 1);
	cr_expect_eq(stream_seen.stops, 1);
	cr_expect_str_eq(stream_seen.last_event, "CHECKPOINT");
	cr_expect_not_null(strstr(stream_seen.lines[1], "\"number\":\"PC-042\""), "not stamped");
}

/* Also when the configuration is loaded again and again. */
Test(agent_log, an_idle_agent_gives_signs_of_life)
{
	config->audit.checkpoint_sec = 1;
	skm_agent_log_configure(log_, config);
	for (int64_t deadline = now_ms() + 20000; state().sequence < 3 && now_ms() < deadline;) {
		cr_assert_eq(skm_loop_run_once(loop, 100), 0);
		skm_agent_log_configure(log_, config);
	}
	close_log();
	stream_look();
	stream_prove();
	cr_expect_geq(stream_seen.times, 2);
}

Test(agent_log, a_disk_that_comes_late_is_found)
{
	char aside[STREAM_PATH_BYTES + 8];
	snprintf(aside, sizeof(aside), "%s.later", stream_folder);
	cr_assert_eq(rename(stream_folder, aside), 0);
	append(2);
	skm_agent_log_end_round(log_);
	cr_expect(state().is_failing);
	cr_expect_eq(resumed, 0);
	cr_expect_eq(skm_agent_log_flush(log_), -ENOENT);
	cr_assert_eq(rename(aside, stream_folder), 0);
	/* by the timer alone */
	for (int64_t deadline = now_ms() + 30000; resumed == 0 && now_ms() < deadline;)
		cr_assert_eq(skm_loop_run_once(loop, 1000), 0);
	cr_expect_eq(resumed, 1);
	cr_expect_not(state().is_failing);
	close_log();
	stream_look();
	stream_prove();
	cr_expect_eq(stream_seen.next_detail, 2);
}

/* ---- floods ---- */

static unsigned taken;

static bool plug(unsigned count)
{
	bool is_full = true;
	for (; count > 0; count--, taken++) {
		struct skm_record record;
		sample_record(SKM_EVENT_EXPORT_DENIED, &record);
		record.decision.verdict = SKM_VERDICT_DENY;
		stamp(NULL, &record);
		is_full = skm_agent_log_append(log_, &record);
	}
	return is_full;
}

static uint64_t number_of(const char *line, const char *key)
{
	const char *at = strstr(line, key);
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* Records of the flood that are on disk, in full and as counts. */
static uint64_t accounted(unsigned *ret_counts)
{
	uint64_t sum = 0;
	*ret_counts = 0;
	stream_look();
	stream_prove();
	for (size_t n = 1; n <= stream_seen.count; n++) {
		const char *line = stream_seen.lines[n];
		bool is_count = strstr(line, "\"event\":\"FLOOD_COUNTED\"") != NULL;
		sum += strstr(line, "\"event\":\"EXPORT_DENIED\"") != NULL;
		sum += is_count ? number_of(line, ",\"count\":") : 0;
		*ret_counts += is_count;
	}
	return sum;
}

Test(agent_log, a_flood_is_counted_and_nothing_of_it_lost)
{
	unsigned counts = 0;
	cr_expect_not(plug(1000));
	skm_agent_log_end_round(log_);
	cr_expect_eq(accounted(&counts), 1000, "that it has begun is on disk with the round");
	cr_expect_eq(counts, 1);
	(void)plug(1000);
	skm_agent_log_end_round(log_);
	(void)accounted(&counts);
	cr_expect_eq(counts, 1, "the next count comes after a minute");
	ahead_usec = 61 * SKM_USEC_PER_SEC;
	skm_agent_log_end_round(log_);
	cr_expect_eq(accounted(&counts), taken);
	cr_expect_eq(counts, 2);
	(void)plug(7);
	close_log();
	cr_expect_eq(accounted(&counts), taken, "the end tells the rest");
	cr_expect_str_eq(stream_seen.last_event, "CHECKPOINT");
	cr_expect_not_null(strstr(stream_seen.lines[stream_seen.count - 1], "\"event\":\"FLOOD_COUNTED\""));
}

/* By its timer alone, when nothing else happens: the clock of the records says that little is left. */
Test(agent_log, a_count_that_is_due_wakes_the_agent)
{
	unsigned counts = 0;
	(void)plug(SKM_FLOOD_SAME_FULL + 10);
	skm_agent_log_end_round(log_);
	ahead_usec = 59 * SKM_USEC_PER_SEC + SKM_USEC_PER_SEC / 2;
	(void)plug(10);
	uint64_t before = state().sequence;
	skm_agent_log_end_round(log_);
	cr_expect_eq(state().sequence, before, "it was not due yet");
	int64_t begin = now_ms();
	cr_assert_eq(skm_loop_run_once(loop, 30000), 0);
	cr_expect_lt(now_ms() - begin, 25000, "nothing woke it");
	cr_expect_eq(accounted(&counts), taken);
	cr_expect_eq(counts, 2);
}

/* What comes after a change of the policy was decided by another one. */
Test(agent_log, counts_stand_before_a_change)
{
	unsigned counts = 0;
	(void)plug(SKM_FLOOD_SAME_FULL + 20);
	skm_agent_log_end_round(log_);
	(void)plug(20);
	append(1);
	skm_agent_log_end_round(log_);
	cr_expect_eq(accounted(&counts), taken);
	cr_expect_str_eq(stream_seen.last_event, "RESUMED");
}

/* A count that is lost in an overfull memory would be lost as one record. */
Test(agent_log, counts_wait_until_the_disk_is_back)
{
	char aside[STREAM_PATH_BYTES + 8];
	unsigned counts = 0;
	snprintf(aside, sizeof(aside), "%s.later", stream_folder);
	cr_assert_eq(rename(stream_folder, aside), 0);
	(void)plug(500);
	skm_agent_log_end_round(log_);
	append(SKM_STREAM_PENDING_MAX + 100); /* more than there is room for */
	cr_assert_gt(state().lost, 0);
	uint64_t lost = state().lost;
	ahead_usec = 30 * SKM_USEC_PER_SEC;
	(void)plug(500);
	ahead_usec = 3600 * SKM_USEC_PER_SEC;
	skm_agent_log_end_round(log_);
	cr_expect_eq(state().lost, lost, "%llu more were lost", (unsigned long long)(state().lost - lost));
	cr_assert_eq(rename(aside, stream_folder), 0);
	skm_agent_log_end_round(log_);
	skm_agent_log_end_round(log_);
	cr_expect_not(state().is_failing);
	cr_expect_eq(accounted(&counts), taken);
}

/* ---- what was collected ---- */

static void wait_for_checkpoints(unsigned count)
{
	uint64_t until = state().sequence + count;
	for (int64_t deadline = now_ms() + 30000; state().sequence < until && now_ms() < deadline;)
		cr_assert_eq(skm_loop_run_once(loop, 1000), 0);
	cr_assert_geq(state().sequence, until);
}

Test(agent_log, old_segments_go_only_with_a_collector)
{
	config->audit.segment_bytes = 8192;
	config->audit.retention_sec = 60;
	config->audit.checkpoint_sec = 1;
	skm_agent_log_configure(log_, config);
	tmpdir_write(proc, "sekimori-forward 1\nagent segment=99 offset=1 \n", "state");
	for (unsigned i = 0; i < 40; i++, ahead_usec += 3600 * SKM_USEC_PER_SEC) {
		plug(1); /* the flood is over each time */
		skm_agent_log_end_round(log_);
	}
	cr_assert_gt(stream_segment_size(4), 0);
	wait_for_checkpoints(2);
	cr_expect_gt(stream_segment_size(1), 0, "there is no collector");
	snprintf(config->forward.host, sizeof(config->forward.host), "192.0.2.1");
	skm_agent_log_configure(log_, config);
	wait_for_checkpoints(2);
	cr_expect_lt(stream_segment_size(1), 0, "it is still there");
}

Test(agent_log, the_early_form_has_none)
{
	struct skm_record record;
	struct skm_stream_state found = {.pending = 7};
	skm_record_init(&record, SKM_EVENT_AGENT_START);
	cr_expect(skm_agent_log_append(NULL, &record));
	skm_agent_log_end_round(NULL);
	skm_agent_log_configure(NULL, config);
	skm_agent_log_get_state(NULL, &found);
	cr_expect_eq(found.pending, 0);
	cr_expect_eq(skm_agent_log_flush(NULL), 0);
	cr_expect_null(skm_agent_log_free(NULL));
}

Test(agent_log, without_proc_it_is_not_made)
{
	struct skm_agent_log *other = NULL;
	const struct skm_agent_log_options options = {.folder = stream_folder,
		.chain_path = stream_chain_path,
		.proc_root = "/nowhere",
		.boot_id = STREAM_BOOT_ID,
		.stamp = stamp,
		.on_resumed = on_resumed};
	cr_expect_eq(skm_agent_log_new(loop, &options, config, &other), -ENOENT);
	cr_expect_null(other);
	cr_expect_eq(stream_segment_size(1), -1, "something was stored");
}
