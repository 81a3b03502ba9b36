// SPDX-License-Identifier: Apache-2.0
/* A log whose disk was full or came late: that it could write nothing is no silence, as far as the run that
 * says so goes. */
#include <criterion/criterion.h>
#include <string.h>

#include "verdicts.h"

struct scene {
	struct sample_chain chain;
	struct sample_lines lines;
	struct verdicts verdicts;
};

static void set(struct scene *scene)
{
	memset(scene, 0, sizeof(*scene));
	sample_chain_begin(&scene->chain, "agent");
	sample_chain_checkpoint(&scene->chain, "start", &scene->lines);	      /* 1 */
	sample_chain_event(&scene->chain, SKM_EVENT_LOG_FULL, &scene->lines); /* 2 */
}

static void pass(struct scene *scene)
{
	scene->chain.time.monotonic_usec += UINT64_C(1800) * 1000000;
	scene->chain.time.boottime_usec += UINT64_C(1800) * 1000000;
	scene->chain.time.realtime_usec += INT64_C(1800) * 1000000;
}

static void expect(struct scene *scene, const char *expected)
{
	sample_chain_checkpoint(&scene->chain, "stop", &scene->lines);
	judge_lines(&scene->lines, &(struct judging){.key_of = &scene->chain}, &scene->verdicts);
	expect_findings(&scene->verdicts, expected);
	sample_lines_finish(&scene->lines);
}

Test(verifier_full, what_could_not_be_written_is_no_silence)
{
	struct scene scene;
	set(&scene);
	pass(&scene);
	sample_chain_records(&scene.chain, 1, &scene.lines);
	pass(&scene);
	sample_chain_resumed(&scene.chain, 0, &scene.lines);
	expect(&scene, "");
	cr_expect(scene.verdicts.is_complete);
}

Test(verifier_full, what_was_lost_is_still_counted)
{
	struct scene scene;
	set(&scene);
	pass(&scene);
	sample_chain_resumed(&scene.chain, 3, &scene.lines);
	expect(&scene, "DROP:drop_counted:3-3");
}

Test(verifier_full, silence_afterwards_is_silence)
{
	struct scene scene;
	set(&scene);
	pass(&scene);
	sample_chain_resumed(&scene.chain, 0, &scene.lines);
	pass(&scene);
	expect(&scene, "SILENT:silent:3-4");
}

/* The agent was killed and started again: nobody waited for the disk in between. */
Test(verifier_full, another_run_is_not_excused)
{
	struct scene scene;
	set(&scene);
	pass(&scene);
	sample_chain_checkpoint(&scene.chain, "start", &scene.lines);
	pass(&scene);
	sample_chain_resumed(&scene.chain, 0, &scene.lines);
	expect(&scene, "SILENT:silent:2-3 SILENT:silent:3-4");
}

Test(verifier_full, another_boot_is_not_excused)
{
	struct scene scene;
	set(&scene);
	sample_chain_reboot(&scene.chain);
	sample_chain_records(&scene.chain, 1, &scene.lines);
	pass(&scene);
	expect(&scene, "SILENT:silent:3-4");
}

/* What stood there may have been the end of it. */
Test(verifier_full, a_gap_ends_the_excuse)
{
	struct scene scene;
	set(&scene);
	sample_chain_resumed(&scene.chain, 0, &scene.lines);
	sample_chain_records(&scene.chain, 1, &scene.lines);
	pass(&scene);
	sample_lines_remove(&scene.lines, 2, 3);
	expect(&scene, "SILENT:silent:4-5 GAP:missing:3-3");
}
