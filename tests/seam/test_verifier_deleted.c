// SPDX-License-Identifier: Apache-2.0
/* A log whose beginning was deleted, and a record in it that says so: what it explains, and what it does not.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "../../lib/stream_retire.h"
#include "sample_record.h"
#include "verdicts.h"

struct scene {
	struct sample_chain chain;
	struct sample_lines lines;
	struct judging with_key, without;
	struct skm_old_segment old; /* records 1 to 12 */
	struct verdicts verdicts;
};

/* Twenty records, of which the first twelve will go. */
static void set(struct scene *scene)
{
	memset(scene, 0, sizeof(*scene));
	sample_chain_begin(&scene->chain, "agent");
	sample_chain_checkpoint(&scene->chain, "start", &scene->lines);
	sample_chain_records(&scene->chain, 11, &scene->lines);
	scene->old = (struct skm_old_segment){.first = 1, .last = 12};
	memcpy(scene->old.chain_id, scene->chain.chain.id, SKM_CHAIN_ID_BYTES);
	memcpy(scene->old.hash, scene->chain.chain.head, SKM_CHAIN_HASH_BYTES);
	sample_chain_records(&scene->chain, 8, &scene->lines);
	scene->with_key.key_of = &scene->chain;
}

static void write_deletion(struct sample_chain *chain, const struct skm_old_segment *old, uint64_t count,
	struct sample_lines *lines)
{
	static struct skm_record record;
	sample_record(SKM_EVENT_LOG_DELETED, &record);
	skm_deletion_format(old, record.detail);
	record.count = count;
	sample_chain_record(chain, &record, lines);
}

/* The deletion is recorded, a checkpoint follows, the beginning goes. */
static void finish(struct scene *scene, const struct skm_old_segment *old, uint64_t count)
{
	write_deletion(&scene->chain, old, count, &scene->lines);
	sample_chain_checkpoint(&scene->chain, "stop", &scene->lines);
	sample_lines_remove(&scene->lines, 0, 12);
	judge_lines(&scene->lines, &scene->with_key, &scene->verdicts);
}

Test(verifier_deleted, what_the_log_accounts_for_is_not_missing)
{
	struct scene scene;
	set(&scene);
	finish(&scene, &scene.old, 12);
	expect_findings(&scene.verdicts, "");
	cr_expect(scene.verdicts.is_complete);
	cr_expect_eq(scene.verdicts.chain.first, 13);
	cr_expect_eq(scene.verdicts.chain.deleted_until, 12);
	cr_expect_eq(scene.verdicts.until, 22);
	cr_expect_str_eq(scene.verdicts.ranges, "13-22", "only what is here");
	judge_lines(&scene.lines, &scene.without, &scene.verdicts);
	expect_findings(&scene.verdicts, "");
	cr_expect_not(scene.verdicts.is_complete, "without a key nothing is");
	sample_lines_finish(&scene.lines);
}

/* The last of several deletions counts: the records of the ones before may have gone with their segments. */
Test(verifier_deleted, the_oldest_goes_first)
{
	struct scene scene;
	set(&scene);
	scene.old.first = 5;
	finish(&scene, &scene.old, 8);
	expect_findings(&scene.verdicts, "");
	cr_expect(scene.verdicts.is_complete);
	sample_lines_finish(&scene.lines);
}

struct lie {
	const char *name;
	int last, hash, chain, count;
};

Test(verifier_deleted, another_deletion_explains_nothing)
{
	static const struct lie lies[] = {{"fewer records", -1, 0, 0, 0}, {"more records", 1, 0, 0, 0},
		{"another hash", 0, 1, 0, 0}, {"another chain", 0, 0, 1, 0}, {"another count", 0, 0, 0, 1}};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(lies); i++) {
		struct scene scene;
		set(&scene);
		scene.old.last = (uint64_t)(12 + lies[i].last);
		scene.old.hash[31] ^= (uint8_t)lies[i].hash;
		scene.old.chain_id[15] ^= (uint8_t)lies[i].chain;
		finish(&scene, &scene.old, (uint64_t)(12 + lies[i].last + lies[i].count));
		cr_expect_eq(scene.verdicts.chain.findings[SKM_FINDING_GAP], 1, "%s", lies[i].name);
		cr_expect_eq(scene.verdicts.chain.deleted_until, 0, "%s", lies[i].name);
		cr_expect_not(scene.verdicts.is_complete, "%s", lies[i].name);
		sample_lines_finish(&scene.lines);
	}
}

/* Whoever cuts and writes the explanation himself has not the key of that time. */
Test(verifier_deleted, a_forged_explanation)
{
	struct scene scene;
	set(&scene);
	write_deletion(&scene.chain, &scene.old, 12, &scene.lines);
	sample_chain_checkpoint(&scene.chain, "stop", &scene.lines);
	char *m = strstr(scene.lines.lines[20].text, "\"m\":\"");
	m[5] = m[5] == '0' ? '1' : '0';
	sample_lines_remove(&scene.lines, 0, 12);
	judge_lines(&scene.lines, &scene.with_key, &scene.verdicts);
	expect_findings(&scene.verdicts, "FORGE:mac:21-21 GAP:missing:1-12");
	sample_lines_finish(&scene.lines);
}

Test(verifier_deleted, a_hole_further_on_is_still_one)
{
	struct scene scene;
	set(&scene);
	finish(&scene, &scene.old, 12);
	sample_lines_remove(&scene.lines, 3, 5);
	judge_lines(&scene.lines, &scene.with_key, &scene.verdicts);
	expect_findings(&scene.verdicts, "GAP:missing:16-17");
	cr_expect_not(scene.verdicts.is_complete);
	sample_lines_finish(&scene.lines);
}

/* Said to be deleted, and there all the same, out of place: then it is looked at like everything else. */
Test(verifier_deleted, what_turns_up_again_is_out_of_place)
{
	struct scene scene;
	struct sample_lines again = {.lines = NULL};
	set(&scene);
	sample_lines_copy(&again, &scene.lines, 4, 6);
	finish(&scene, &scene.old, 12);
	sample_lines_copy(&scene.lines, &again, 0, 2);
	judge_lines(&scene.lines, &scene.with_key, &scene.verdicts);
	cr_expect_eq(scene.verdicts.chain.findings[SKM_FINDING_REORDER], 1);
	cr_expect_not(scene.verdicts.is_complete);
	sample_lines_finish(&again);
	sample_lines_finish(&scene.lines);
}

/* The key file was lost, a new chain began: its records tell of the old one's segments. */
Test(verifier_deleted, by_the_chain_that_came_after)
{
	struct scene scene;
	struct sample_chain next;
	set(&scene);
	sample_chain_checkpoint(&scene.chain, "stop", &scene.lines);
	sample_chain_begin(&next, "agent");
	sample_chain_checkpoint(&next, "start", &scene.lines);
	write_deletion(&next, &scene.old, 12, &scene.lines);
	sample_chain_checkpoint(&next, "stop", &scene.lines);
	sample_lines_remove(&scene.lines, 0, 12);
	struct judging judging = scene.with_key;
	judging.key_of_2 = &next;
	judge_lines(&scene.lines, &judging, &scene.verdicts);
	cr_expect_eq(scene.verdicts.chain.findings[SKM_FINDING_GAP], 0);
	cr_expect_eq(scene.verdicts.chain.deleted_until, 12);
	sample_lines_finish(&scene.lines);
}

/* The record says that the collector has them: its own copy has no such excuse, whoever says so. */
Test(verifier_deleted, collected_lines_are_not_excused)
{
	for (int by_another = 0; by_another <= 1; by_another++) {
		struct scene scene;
		struct sample_chain other;
		set(&scene);
		sample_chain_begin(&other, "agent");
		sample_chain_checkpoint(&scene.chain, "time", &scene.lines);
		write_deletion(by_another ? &other : &scene.chain, &scene.old, 12, &scene.lines);
		sample_chain_checkpoint(&scene.chain, "stop", &scene.lines);
		sample_lines_remove(&scene.lines, 0, 12);
		scene.with_key.key_of_2 = &other;
		scene.with_key.is_mixed = true;
		judge_lines(&scene.lines, &scene.with_key, &scene.verdicts);
		expect_findings(&scene.verdicts, "GAP:missing:1-12");
		cr_expect_eq(scene.verdicts.chain.deleted_until, 0);
		cr_expect_not(scene.verdicts.is_complete);
		sample_lines_finish(&scene.lines);
	}
}

/* Anybody can write a chain that fits together; only a key shows that a terminal wrote it. */
Test(verifier_deleted, an_explanation_by_a_chain_without_key)
{
	struct scene scene;
	struct sample_chain stranger;
	set(&scene);
	sample_chain_checkpoint(&scene.chain, "stop", &scene.lines);
	sample_chain_begin(&stranger, "agent");
	sample_chain_checkpoint(&stranger, "start", &scene.lines);
	write_deletion(&stranger, &scene.old, 12, &scene.lines);
	sample_chain_checkpoint(&stranger, "stop", &scene.lines);
	sample_lines_remove(&scene.lines, 0, 12);
	judge_lines(&scene.lines, &scene.with_key, &scene.verdicts);
	cr_expect_eq(scene.verdicts.chain.findings[SKM_FINDING_GAP], 1);
	cr_expect_eq(scene.verdicts.chain.deleted_until, 0);
	cr_expect_not(scene.verdicts.is_complete);
	judge_lines(&scene.lines, &scene.without, &scene.verdicts);
	cr_expect_eq(scene.verdicts.chain.findings[SKM_FINDING_GAP], 0, "without any key nobody is known");
	sample_lines_finish(&scene.lines);
}

Test(verifier_deleted, words_round_trip_and_nothing_else_is_taken)
{
	char detail[SKM_DELETION_BYTES], changed[SKM_DELETION_BYTES + 1];
	struct skm_old_segment old = {.first = 1, .last = SKM_SEQUENCE_MAX}, parsed;
	memset(old.chain_id, 0xa5, sizeof(old.chain_id));
	memset(old.hash, 0x5a, sizeof(old.hash));
	skm_deletion_format(&old, detail);
	size_t len = strlen(detail);
	cr_assert_eq(skm_deletion_parse(detail, len, &parsed), 0, "%s", detail);
	cr_expect_eq(memcmp(parsed.chain_id, old.chain_id, sizeof(old.chain_id)), 0);
	cr_expect_eq(memcmp(parsed.hash, old.hash, sizeof(old.hash)), 0);
	cr_expect_eq(parsed.first, old.first);
	cr_expect_eq(parsed.last, old.last);
	for (size_t i = 0; i < len; i++) {
		cr_expect_eq(skm_deletion_parse(detail, i, &parsed), -EBADMSG, "%zu", i);
		memcpy(changed, detail, len + 1);
		changed[i] = 'G'; /* no hex digit, in none of the words */
		cr_expect_eq(skm_deletion_parse(changed, len, &parsed), -EBADMSG, "%s", changed);
	}
	snprintf(changed, sizeof(changed), "%s ", detail);
	cr_expect_eq(skm_deletion_parse(changed, len + 1, &parsed), -EBADMSG);
	old.first = 2;
	old.last = 1;
	skm_deletion_format(&old, detail);
	cr_expect_eq(skm_deletion_parse(detail, strlen(detail), &parsed), -EBADMSG);
}
