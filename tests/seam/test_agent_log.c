// SPDX-License-Identifier: Apache-2.0
/* The agent's audit stream in a real loop: signs of life while nothing happens, another try while the disk is
 * away, a last checkpoint. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "agent_log.h"
#include "stream_world.h"
#include "tmpdir.h"

static struct skm_loop *loop;
static struct skm_agent_log *log_;
static struct skm_config *config;
static char proc[TMPDIR_BYTES];
static unsigned resumed;

static void stamp(void *user, struct skm_record *record)
{
	struct skm_clock clock = skm_clock_system();
	(void)user;
	clock.now(clock.user, &record->time);
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
	cr_assert_eq(skm_config_default(&config), 0);
	config->audit.has_verifier_key = true;
	memcpy(config->audit.verifier_key, stream_verifier_key, sizeof(config->audit.verifier_key));
	cr_assert_eq(skm_loop_new(&loop), 0);
	skm_loop_set_after_round(loop, after_round, NULL);
	resumed = stream_next_record = 0;
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
		skm_agent_log_append(log_, &record);
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

Test(agent_log, the_early_form_has_none)
{
	struct skm_record record;
	struct skm_stream_state found = {.pending = 7};
	skm_record_init(&record, SKM_EVENT_AGENT_START);
	skm_agent_log_append(NULL, &record);
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
