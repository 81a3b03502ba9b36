// SPDX-License-Identifier: Apache-2.0
/* What somebody with root and the terminal's present key can do to a stream, and what it is called. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "verdicts.h"

/* Forty records: checkpoints at 1, 11, 21, 31 and 40 ("stop"). */
struct scene {
	struct sample_chain chain;
	struct sample_lines lines;
	struct judging with_key, without;
	struct verdicts verdicts;
};

static void write_ten(struct sample_chain *chain, const char *first, struct sample_lines *lines)
{
	sample_chain_checkpoint(chain, first, lines);
	sample_chain_records(chain, 9, lines);
}

static void set(struct scene *scene)
{
	memset(scene, 0, sizeof(*scene));
	sample_chain_begin(&scene->chain, "agent");
	write_ten(&scene->chain, "start", &scene->lines);
	for (int i = 0; i < 2; i++)
		write_ten(&scene->chain, "time", &scene->lines);
	sample_chain_checkpoint(&scene->chain, "time", &scene->lines);
	sample_chain_records(&scene->chain, 8, &scene->lines);
	sample_chain_checkpoint(&scene->chain, "stop", &scene->lines);
	scene->with_key.key_of = &scene->chain;
}

static void judge(struct scene *scene, const struct judging *judging)
{
	judge_lines(&scene->lines, judging, &scene->verdicts);
}

static void unset(struct scene *scene)
{
	sample_lines_finish(&scene->lines);
}

/* h_n of the chain that these lines are of. */
static struct skm_watermark watermark_of(const struct sample_lines *lines, uint64_t sequence)
{
	static struct verdicts verdicts;
	struct sample_lines head = {.lines = NULL};
	struct skm_watermark mark = {.sequence = sequence};
	sample_lines_copy(&head, lines, 0, sequence);
	judge_lines(&head, &(struct judging){.key_of = NULL}, &verdicts);
	memcpy(mark.chain_id, verdicts.chain.chain_id, sizeof(mark.chain_id));
	memcpy(mark.hash, verdicts.chain.head, sizeof(mark.hash));
	sample_lines_finish(&head);
	return mark;
}

Test(verifier_tamper, an_honest_log_is_complete)
{
	struct scene scene;
	set(&scene);
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "");
	cr_expect(scene.verdicts.is_complete);
	cr_expect_eq(scene.verdicts.until, 40);
	cr_expect_str_eq(scene.verdicts.ranges, "1-40");
	cr_expect_eq(scene.verdicts.chain.records, 40);
	cr_expect_eq(scene.verdicts.chain.checkpoints, 5);
	cr_expect_eq(scene.verdicts.chain.signed_until, 40);
	cr_expect(scene.verdicts.chain.ends_with_stop);
	cr_expect(scene.verdicts.chain.macs_checked);
	cr_expect_str_eq(scene.verdicts.chain.stream, "agent");
	cr_expect_eq(memcmp(scene.verdicts.chain.head, scene.chain.chain.head, SKM_CHAIN_HASH_BYTES), 0);
	unset(&scene);
}

Test(verifier_tamper, without_a_key_nothing_is_complete)
{
	struct scene scene;
	set(&scene);
	judge(&scene, &scene.without);
	expect_findings(&scene.verdicts, "");
	cr_expect_not(scene.verdicts.is_complete);
	cr_expect_not(scene.verdicts.chain.macs_checked);
	cr_expect_eq(scene.verdicts.chain.signed_until, 40);
	unset(&scene);
}

Test(verifier_tamper, an_edited_record)
{
	struct scene scene;
	set(&scene);
	sample_lines_replace(&scene.lines, 4, "\"terminal\":{\"number\":\"PC-042\"",
		"\"terminal\":{\"number\":\"PC-043\"");
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "EDIT:link:5-5");
	cr_expect_eq(scene.verdicts.findings[0].line, 5);
	cr_expect_str_eq(scene.verdicts.ranges, "1-4 6-40");
	cr_expect_not(scene.verdicts.is_complete);
	judge(&scene, &scene.without);
	expect_findings(&scene.verdicts, "EDIT:link:5-5");
	unset(&scene);
}

Test(verifier_tamper, the_last_record_edited)
{
	struct scene scene;
	set(&scene);
	sample_lines_replace(&scene.lines, 39, "\"reason\":\"stop\"", "\"reason\":\"time\"");
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "FORGE:mac:40-40");
	cr_expect_eq(scene.verdicts.chain.signed_until, 31);
	unset(&scene);
}

Test(verifier_tamper, an_edited_mac)
{
	struct scene scene;
	set(&scene);
	struct sample_line *line = &scene.lines.lines[6];
	line->text[line->len - 3] = line->text[line->len - 3] == '0' ? '1' : '0';
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "FORGE:mac:7-7");
	unset(&scene);
}

Test(verifier_tamper, an_edited_link)
{
	struct scene scene;
	set(&scene);
	char *p = strstr(scene.lines.lines[6].text, ",\"p\":\"");
	p[6] = p[6] == '0' ? '1' : '0';
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "EDIT:link_itself:7-7");
	judge(&scene, &scene.without);
	cr_expect_eq(scene.verdicts.findings[0].kind, SKM_FINDING_EDIT);
	unset(&scene);
}

Test(verifier_tamper, an_edited_number)
{
	struct scene scene;
	set(&scene);
	sample_lines_replace(&scene.lines, 6, "\"n\":7,", "\"n\":9,");
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "EDIT:identity:7-7");
	judge(&scene, &scene.without);
	expect_findings(&scene.verdicts, "EDIT:identity:7-7");
	unset(&scene);
}

Test(verifier_tamper, an_edited_chain_name)
{
	struct scene scene;
	set(&scene);
	char *c = strstr(scene.lines.lines[6].text, "\"c\":\"");
	c[5] = c[5] == '0' ? '1' : '0';
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "EDIT:identity:7-7");
	cr_expect_eq(scene.verdicts.chains, 1);
	unset(&scene);
}

Test(verifier_tamper, a_line_that_is_no_record_any_more)
{
	struct scene scene;
	set(&scene);
	sample_lines_replace(&scene.lines, 6, "\"skm\":{", "\"skn\":{");
	sample_lines_replace(&scene.lines, 7, "{\"time\":", "{\"tine\":");
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "EDIT:unreadable:7-8");
	cr_expect_eq(scene.verdicts.findings[0].line, 7);
	cr_expect_str_eq(scene.verdicts.ranges, "1-6 9-40");
	unset(&scene);
}

Test(verifier_tamper, a_line_put_in)
{
	struct scene scene;
	struct sample_lines more = {.lines = NULL};
	set(&scene);
	sample_lines_copy(&more, &scene.lines, 0, 10);
	sample_lines_push(&more, "hello", 5);
	sample_lines_copy(&more, &scene.lines, 10, 40);
	judge_lines(&more, &scene.with_key, &scene.verdicts);
	expect_findings(&scene.verdicts, "FOREIGN:no_record:0-0");
	cr_expect_eq(scene.verdicts.findings[0].line, 11);
	sample_lines_finish(&more);
	unset(&scene);
}

Test(verifier_tamper, a_record_deleted)
{
	struct scene scene;
	set(&scene);
	sample_lines_remove(&scene.lines, 6, 9);
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "GAP:missing:7-9");
	cr_expect_str_eq(scene.verdicts.ranges, "1-6 10-40");
	judge(&scene, &scene.without);
	expect_findings(&scene.verdicts, "GAP:missing:7-9");
	unset(&scene);
}

/* The one who deletes gives the records behind new numbers and new links, as he can without a key. */
Test(verifier_tamper, a_record_deleted_and_the_rest_renumbered)
{
	struct scene scene;
	set(&scene);
	struct sample_chain forger = scene.chain;
	struct sample_lines forged = {.lines = NULL};
	sample_lines_copy(&forged, &scene.lines, 0, 6);
	/* K_41 is all he has; h_6 is public. */
	struct skm_watermark mark = watermark_of(&scene.lines, 6);
	forger.chain.sequence = 6;
	memcpy(forger.chain.head, mark.hash, sizeof(mark.hash));
	sample_chain_records(&forger, 20, &forged);
	sample_chain_checkpoint(&forger, "stop", &forged);
	judge_lines(&forged, &scene.with_key, &scene.verdicts);
	expect_findings(&scene.verdicts, "FORGE:mac:7-27");
	cr_expect_eq(scene.verdicts.chain.signed_until, 1);
	cr_expect_str_eq(scene.verdicts.ranges, "1-6");
	sample_lines_finish(&forged);
	unset(&scene);
}

Test(verifier_tamper, two_records_swapped)
{
	struct scene scene;
	set(&scene);
	sample_lines_swap(&scene.lines, 6, 7);
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "REORDER:late:7-7");
	cr_expect_str_eq(scene.verdicts.ranges, "1-40");
	judge(&scene, &scene.without);
	expect_findings(&scene.verdicts, "REORDER:late:7-7");
	unset(&scene);
}

Test(verifier_tamper, a_record_doubled)
{
	struct scene scene;
	struct sample_lines more = {.lines = NULL};
	set(&scene);
	sample_lines_copy(&more, &scene.lines, 0, 20);
	sample_lines_copy(&more, &scene.lines, 17, 40);
	judge_lines(&more, &scene.with_key, &scene.verdicts);
	expect_findings(&scene.verdicts, "REORDER:twice:18-20");
	sample_lines_finish(&more);
	unset(&scene);
}

Test(verifier_tamper, the_beginning_cut_off)
{
	struct scene scene;
	set(&scene);
	sample_lines_remove(&scene.lines, 0, 12);
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "GAP:missing:1-12");
	cr_expect_not(scene.verdicts.is_complete);
	struct judging judging = scene.with_key;
	judging.may_begin_late = true;
	judge(&scene, &judging);
	expect_findings(&scene.verdicts, "");
	cr_expect(scene.verdicts.chain.begins_late);
	cr_expect_not(scene.verdicts.is_complete, "what is not there is not complete, whoever deleted it");
	cr_expect_str_eq(scene.verdicts.ranges, "13-40");
	unset(&scene);
}

Test(verifier_tamper, an_acknowledged_tail_cut_off)
{
	struct scene scene;
	set(&scene);
	struct skm_watermark mark = watermark_of(&scene.lines, 38);
	sample_lines_remove(&scene.lines, 31, 40);
	struct judging judging = scene.with_key;
	judging.watermarks = &mark;
	judging.watermark_count = 1;
	judge(&scene, &judging);
	expect_findings(&scene.verdicts, "TRUNCATED:before_watermark:32-38");
	cr_expect_not(scene.verdicts.is_complete);
	unset(&scene);
}

/* Nobody has seen what was cut: only the silence after it shows. */
Test(verifier_tamper, an_unseen_tail_cut_off)
{
	struct scene scene;
	set(&scene);
	sample_lines_remove(&scene.lines, 31, 40);
	struct judging judging = scene.with_key;
	judging.has_until = true;
	judging.until_usec = scene.chain.time.realtime_usec;
	judge(&scene, &judging);
	expect_findings(&scene.verdicts, "");
	cr_expect_eq(scene.verdicts.until, 31);
	judging.until_usec += INT64_C(1300) * 1000000;
	judge(&scene, &judging);
	expect_findings(&scene.verdicts, "SILENT:silent_since:31-31");
	cr_expect_not(scene.verdicts.is_complete);
	unset(&scene);
}

Test(verifier_tamper, a_proper_stop_is_no_silence)
{
	struct scene scene;
	set(&scene);
	struct judging judging = scene.with_key;
	judging.has_until = true;
	judging.until_usec = INT64_MAX;
	judge(&scene, &judging);
	expect_findings(&scene.verdicts, "");
	unset(&scene);
}

/* Behind the last checkpoint nothing shows that a record is missing, and that is said. */
Test(verifier_tamper, the_tail_behind_the_last_checkpoint_is_not_called_complete)
{
	struct scene scene;
	set(&scene);
	sample_lines_remove(&scene.lines, 36, 40);
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "");
	cr_expect(scene.verdicts.is_complete);
	cr_expect_eq(scene.verdicts.until, 31);
	cr_expect_eq(scene.verdicts.chain.last, 36);
	struct skm_watermark mark = watermark_of(&scene.lines, 35);
	struct judging judging = scene.with_key;
	judging.watermarks = &mark;
	judging.watermark_count = 1;
	judge(&scene, &judging);
	cr_expect_eq(scene.verdicts.until, 35, "who saw it vouches for it");
	cr_expect_eq(scene.verdicts.chain.unwitnessed, 1);
	unset(&scene);
}

Test(verifier_tamper, everything_rewritten_with_the_present_key)
{
	struct scene scene;
	set(&scene);
	struct sample_chain forger = scene.chain;
	struct sample_lines forged = {.lines = NULL};
	forger.chain.sequence = 0;
	forger.chain.checkpoint_sequence = 0;
	skm_chain_hash_first(forger.chain.id, forger.chain.head);
	sample_chain_run(&forger, 300, &forged);
	judge_lines(&forged, &scene.with_key, &scene.verdicts);
	expect_findings(&scene.verdicts, "FORGE:mac:1-300");
	cr_expect_str_eq(scene.verdicts.ranges, "");
	/* Without the key only somebody else's memory helps. */
	struct skm_watermark mark = watermark_of(&scene.lines, 20);
	struct judging judging = {.watermarks = &mark, .watermark_count = 1};
	judge_lines(&forged, &judging, &scene.verdicts);
	expect_findings(&scene.verdicts, "FORK:not_the_witnessed:20-300");
	sample_lines_finish(&forged);
	unset(&scene);
}

Test(verifier_tamper, everything_replaced_by_another_chain)
{
	struct scene scene;
	struct sample_chain other;
	struct sample_lines lines = {.lines = NULL};
	set(&scene);
	sample_chain_begin(&other, "agent");
	sample_chain_run(&other, 50, &lines);
	judge_lines(&lines, &scene.with_key, &scene.verdicts);
	expect_findings(&scene.verdicts, "RESTART:no_key:1-50");
	cr_expect_not(scene.verdicts.is_complete);
	sample_lines_finish(&lines);
	unset(&scene);
}

/* A snapshot of log and key at record 20 is put back, and the terminal goes on: all of it is genuine. */
Test(verifier_tamper, rolled_back_and_continued)
{
	struct scene scene;
	set(&scene);
	struct skm_watermark mark = watermark_of(&scene.lines, 33);
	struct sample_chain again;
	struct sample_lines lines = {.lines = NULL};
	sample_chain_begin(&again, "agent");
	write_ten(&again, "start", &lines);
	write_ten(&again, "time", &lines);
	struct sample_chain snapshot = again;
	sample_chain_records(&again, 15, &lines);
	mark = watermark_of(&lines, 33);
	sample_lines_remove(&lines, 20, 35);
	again = snapshot;
	again.time.realtime_usec += 60000000;
	again.time.boottime_usec += 60000000;
	again.time.monotonic_usec += 60000000;
	sample_chain_records(&again, 25, &lines);
	sample_chain_checkpoint(&again, "stop", &lines);
	struct judging judging = {.key_of = &again, .watermarks = &mark, .watermark_count = 1};
	judge_lines(&lines, &judging, &scene.verdicts);
	expect_findings(&scene.verdicts, "FORK:not_the_witnessed:33-46");
	cr_expect_not(scene.verdicts.is_complete);
	sample_lines_finish(&lines);
	unset(&scene);
}

/* Only the key slot is put back to record 20, so that the numbers 21.. are given a second time. */
Test(verifier_tamper, the_key_slot_put_back)
{
	struct scene scene;
	struct sample_chain again, slot;
	struct sample_lines lines = {.lines = NULL};
	set(&scene);
	sample_chain_begin(&again, "agent");
	write_ten(&again, "start", &lines);
	slot = again;
	write_ten(&again, "time", &lines);
	slot.time = again.time;
	sample_chain_records(&slot, 15, &lines);
	sample_chain_checkpoint(&slot, "stop", &lines);
	scene.with_key.key_of = &again;
	judge_lines(&lines, &scene.with_key, &scene.verdicts);
	expect_findings(&scene.verdicts, "FORK:two_histories:11-20");
	cr_expect_str_eq(scene.verdicts.ranges, "1-10 21-26");
	scene.with_key.key_of = NULL;
	judge_lines(&lines, &scene.with_key, &scene.verdicts);
	expect_findings(&scene.verdicts, "FORK:two_histories:11-20");
	sample_lines_finish(&lines);
	unset(&scene);
}

/* The tail is cut, and the terminal (whose key is further on) continues. */
Test(verifier_tamper, an_unseen_tail_cut_off_and_continued)
{
	struct scene scene;
	struct sample_lines lines = {.lines = NULL};
	set(&scene);
	sample_lines_copy(&lines, &scene.lines, 0, 30);
	sample_chain_run(&scene.chain, 5, &lines);
	judge_lines(&lines, &scene.with_key, &scene.verdicts);
	expect_findings(&scene.verdicts, "GAP:missing:31-40");
	sample_lines_finish(&lines);
	unset(&scene);
}

/* Two machines with one disk image: both logs side by side, one behind the other, and one cut into the other.
 */
Test(verifier_tamper, a_cloned_terminal)
{
	struct scene scene;
	struct sample_chain a, b;
	struct sample_lines lines = {.lines = NULL};
	set(&scene);
	sample_chain_begin(&a, "agent");
	write_ten(&a, "start", &lines);
	b = a;
	b.step_usec = 3000000;
	b.time.realtime_usec += 5000;
	sample_chain_records(&a, 10, &lines);
	sample_chain_records(&b, 10, &lines);
	struct judging judging = {.key_of = &a};
	judge_lines(&lines, &judging, &scene.verdicts);
	expect_findings(&scene.verdicts, "FORK:two_histories:11-20");
	/* Half of the one, then the other from there on. */
	struct sample_lines spliced = {.lines = NULL};
	sample_lines_copy(&spliced, &lines, 0, 15);
	sample_lines_copy(&spliced, &lines, 25, 30);
	judge_lines(&spliced, &judging, &scene.verdicts);
	expect_findings(&scene.verdicts, "FORK:other_branch:16-16");
	sample_lines_finish(&spliced);
	sample_lines_finish(&lines);
	unset(&scene);
}

/* ---- checkpoints ---- */

static size_t find_line(const struct sample_lines *lines, const char *word, size_t from)
{
	while (from < lines->count && !strstr(lines->lines[from].text, word))
		from++;
	cr_assert_lt(from, lines->count);
	return from;
}

/* The member "checkpoint" of an older record, in a record that the thief of the present key writes. */
Test(verifier_tamper, an_old_checkpoint_used_again)
{
	struct scene scene;
	struct sample_chain thief;
	set(&scene);
	thief = scene.chain;
	struct sample_lines lines = {.lines = NULL};
	sample_lines_copy(&lines, &scene.lines, 0, 40);
	sample_chain_checkpoint(&thief, "time", &lines);
	/* The old one in its place: his line, his hash, a MAC that he can make. */
	char *old = strstr(scene.lines.lines[10].text, ",\"checkpoint\":"), *new = NULL;
	char *his = strstr(lines.lines[40].text, ",\"checkpoint\":");
	size_t old_len = (size_t)(strstr(old, ",\"skm\":") - old),
	       his_len = (size_t)(strstr(his, ",\"skm\":") - his);
	char *body_end = strstr(lines.lines[40].text, ",\"m\":\"");
	cr_assert_geq(asprintf(&new, "%.*s%.*s%.*s", (int)(his - lines.lines[40].text), lines.lines[40].text,
			      (int)old_len, old, (int)(body_end - his - (ptrdiff_t)his_len), his + his_len),
		0);
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	char mac_text[2 * SKM_CHAIN_MAC_BYTES + 1], *line = NULL;
	struct skm_chain at = scene.chain.chain;
	skm_chain_extend(&at, new, strlen(new), mac);
	skm_hex_format(mac, sizeof(mac), mac_text);
	int len = asprintf(&line, "%s,\"m\":\"%s\"}", new, mac_text);
	sample_lines_remove(&lines, 40, 41);
	sample_lines_push(&lines, line, (size_t)len);
	judge_lines(&lines, &scene.with_key, &scene.verdicts);
	expect_findings(&scene.verdicts, "FORGE:checkpoint_elsewhere:41-41");
	cr_expect_eq(scene.verdicts.chain.signed_until, 40);
	free(new);
	free(line);
	sample_lines_finish(&lines);
	unset(&scene);
}

Test(verifier_tamper, a_whole_checkpoint_line_copied)
{
	struct scene scene;
	set(&scene);
	struct sample_lines lines = {.lines = NULL};
	sample_lines_copy(&lines, &scene.lines, 0, 40);
	sample_lines_copy(&lines, &scene.lines, 10, 11);
	judge_lines(&lines, &scene.with_key, &scene.verdicts);
	expect_findings(&scene.verdicts, "REORDER:twice:11-11");
	sample_lines_finish(&lines);
	unset(&scene);
}

/* He has the MAC key, but the signing key was changed since (a day later), and signs with another one. */
Test(verifier_tamper, a_checkpoint_signed_with_a_key_that_nobody_announced)
{
	struct scene scene;
	set(&scene);
	struct sample_chain thief = scene.chain;
	memset(thief.chain.signing_seed, 7, sizeof(thief.chain.signing_seed));
	struct sample_lines lines = {.lines = NULL};
	sample_lines_copy(&lines, &scene.lines, 0, 40);
	sample_chain_checkpoint(&thief, "time", &lines);
	judge_lines(&lines, &scene.with_key, &scene.verdicts);
	expect_findings(&scene.verdicts, "FORGE:signing_key:41-41");
	judge_lines(&lines, &scene.without, &scene.verdicts);
	expect_findings(&scene.verdicts, "FORGE:signing_key:41-41");
	cr_expect_eq(scene.verdicts.chain.signed_until, 40);
	sample_lines_finish(&lines);
	unset(&scene);
}

Test(verifier_tamper, a_signature_changed)
{
	struct scene scene;
	set(&scene);
	size_t i = find_line(&scene.lines, "\"reason\":\"stop\"", 0);
	char *sig = strstr(scene.lines.lines[i].text, "\"sig\":\"") + 7;
	*sig = *sig == '0' ? '1' : '0';
	judge(&scene, &scene.without);
	expect_findings(&scene.verdicts, "FORGE:signature:40-40");
	cr_expect_eq(scene.verdicts.chain.signed_until, 31);
	unset(&scene);
}

Test(verifier_tamper, the_daily_key_changes_and_is_followed)
{
	struct scene scene;
	set(&scene);
	for (int day = 0; day < 5; day++) {
		scene.chain.time.realtime_usec += INT64_C(86400000000);
		scene.chain.time.boottime_usec += UINT64_C(86400000000);
		sample_chain_checkpoint(&scene.chain, "time", &scene.lines);
		sample_chain_records(&scene.chain, 3, &scene.lines);
	}
	sample_chain_checkpoint(&scene.chain, "stop", &scene.lines);
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "");
	cr_expect(scene.verdicts.is_complete);
	cr_expect_eq(scene.verdicts.chain.checkpoints, 11);
	unset(&scene);
}

Test(verifier_tamper, a_log_without_checkpoints_is_not_sealed)
{
	struct scene scene;
	struct sample_lines lines = {.lines = NULL};
	set(&scene);
	sample_chain_begin(&scene.chain, "agent");
	sample_chain_records(&scene.chain, 30, &lines);
	judge_lines(&lines, &scene.with_key, &scene.verdicts);
	expect_findings(&scene.verdicts, "");
	cr_expect_not(scene.verdicts.is_complete);
	cr_expect_eq(scene.verdicts.chain.signed_until, 0);
	sample_lines_finish(&lines);
	unset(&scene);
}

/* ---- segments and streams ---- */

Test(verifier_tamper, segments_of_two_streams_mixed)
{
	struct scene scene;
	struct sample_chain auth;
	struct sample_lines lines = {.lines = NULL}, others = {.lines = NULL};
	set(&scene);
	sample_chain_begin(&auth, "auth");
	sample_chain_run(&auth, 10, &others);
	sample_lines_copy(&lines, &scene.lines, 0, 20);
	sample_lines_copy(&lines, &others, 0, 10);
	sample_lines_copy(&lines, &scene.lines, 20, 40);
	scene.with_key.key_of_2 = &auth;
	judge_lines(&lines, &scene.with_key, &scene.verdicts);
	expect_findings(&scene.verdicts, "RESTART:other_chain:1-1 REORDER:chains_mixed:21-21");
	cr_expect_eq(scene.verdicts.chains, 2);
	cr_expect_not(scene.verdicts.is_complete);
	sample_lines_finish(&lines);
	sample_lines_finish(&others);
	unset(&scene);
}

/* As the collector keeps them: a line of each terminal in turn. What happens to one does not touch the
 * others. */
Test(verifier_tamper, lines_of_many_terminals_collected)
{
	enum { CHAINS = 300, RECORDS = 6 };
	static struct sample_chain chains[CHAINS];
	static struct sample_lines each[CHAINS];
	struct sample_lines lines = {.lines = NULL};
	struct verdicts verdicts;
	for (size_t i = 0; i < CHAINS; i++) {
		sample_chain_begin(&chains[i], i % 2 ? "auth" : "agent");
		sample_chain_run(&chains[i], RECORDS, &each[i]);
	}
	for (size_t n = 0; n < RECORDS; n++) {
		for (size_t i = 0; i < CHAINS; i++)
			sample_lines_copy(&lines, &each[(i * 7) % CHAINS], n, n + 1);
	}
	struct judging judging = {.is_mixed = true};
	judge_lines(&lines, &judging, &verdicts);
	expect_findings(&verdicts, "");
	cr_expect_eq(verdicts.chains, CHAINS);
	cr_expect_eq(verdicts.chain.records, RECORDS);
	judging.key_of = &chains[0];
	sample_lines_remove(&lines, 2 * CHAINS, 2 * CHAINS + 1);
	judge_lines(&lines, &judging, &verdicts);
	cr_expect_str_eq(verdicts.ranges, "1-2 4-6");
	cr_expect_eq(verdicts.chain.findings[SKM_FINDING_GAP], 1);
	cr_expect_eq(verdicts.others[0].findings[SKM_FINDING_GAP], 0);
	judging = (struct judging){.is_mixed = false};
	judge_lines(&lines, &judging, &verdicts);
	cr_expect_eq(verdicts.chains, SKM_VERIFY_CHAINS_MAX, "of one stream there are not so many");
	cr_expect_gt(verdicts.homeless, 0);
	for (size_t i = 0; i < CHAINS; i++)
		sample_lines_finish(&each[i]);
	sample_lines_finish(&lines);
}

Test(verifier_tamper, segments_in_the_wrong_order)
{
	struct scene scene;
	struct sample_lines lines = {.lines = NULL};
	set(&scene);
	sample_lines_copy(&lines, &scene.lines, 20, 40);
	sample_lines_copy(&lines, &scene.lines, 0, 20);
	judge_lines(&lines, &scene.with_key, &scene.verdicts);
	expect_findings(&scene.verdicts, "REORDER:late:1-20");
	cr_expect_str_eq(scene.verdicts.ranges, "1-40");
	sample_lines_finish(&lines);
	unset(&scene);
}

Test(verifier_tamper, the_place_of_a_finding_is_told)
{
	static const size_t ends[] = {10, 25, 0};
	struct scene scene;
	set(&scene);
	sample_lines_replace(&scene.lines, 27, "\"event\":\"", "\"event\":\"X");
	scene.with_key.file_ends = ends;
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "EDIT:link:28-28");
	cr_expect_eq(scene.verdicts.findings[0].file, 3);
	cr_expect_eq(scene.verdicts.findings[0].line, 3);
	cr_expect_eq(
		memcmp(scene.verdicts.findings[0].chain_id, scene.chain.chain.id, SKM_CHAIN_ID_BYTES), 0);
	unset(&scene);
}

Test(verifier_tamper, a_torn_last_line)
{
	struct scene scene;
	set(&scene);
	struct sample_line *last = &scene.lines.lines[39];
	last->len -= 20;
	scene.with_key.is_last_torn = true;
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "TORN:torn:0-0");
	cr_expect_eq(scene.verdicts.chain.last, 39);
	cr_expect_not(scene.verdicts.is_complete);
	last->len += 20;
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "TORN:torn:0-0");
	cr_expect_eq(scene.verdicts.chain.last, 40, "only its newline is missing");
	unset(&scene);
}

Test(verifier_tamper, nothing_at_all_is_nothing)
{
	struct sample_lines lines = {.lines = NULL};
	struct verdicts verdicts;
	judge_lines(&lines, &(struct judging){.key_of = NULL}, &verdicts);
	expect_findings(&verdicts, "");
	cr_expect_eq(verdicts.chains, 0);
	cr_expect_not(verdicts.is_complete);
	sample_lines_push(&lines, "", 0);
	judge_lines(&lines, &(struct judging){.key_of = NULL}, &verdicts);
	expect_findings(&verdicts, "FOREIGN:no_record:0-0");
	cr_expect_eq(verdicts.homeless, 1);
	sample_lines_finish(&lines);
}

/* ---- what the terminal itself tells ---- */

Test(verifier_tamper, lost_records_and_silence_and_clocks)
{
	struct scene scene;
	set(&scene);
	struct sample_chain *chain = &scene.chain;
	sample_chain_resumed(chain, 7, &scene.lines);	      /* 41 */
	sample_chain_checkpoint(chain, "time", &scene.lines); /* 42: counts the same 7 again */
	chain->time.monotonic_usec += UINT64_C(1300) * 1000000;
	chain->time.boottime_usec += UINT64_C(1300) * 1000000;
	chain->time.realtime_usec += INT64_C(1300) * 1000000;
	sample_chain_checkpoint(chain, "time", &scene.lines); /* 43 */
	chain->time.realtime_usec -= INT64_C(3600) * 1000000;
	sample_chain_checkpoint(chain, "time", &scene.lines); /* 44 */
	sample_chain_reboot(chain);
	chain->time.realtime_usec -= INT64_C(3600) * 1000000;
	sample_chain_checkpoint(chain, "start", &scene.lines); /* 45 */
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts,
		"DROP:drop_counted:41-41 SILENT:silent:42-43 CLOCK:clock_jump:44-44 CLOCK:clock_back:45-45");
	cr_expect_eq(scene.verdicts.findings[0].value, 7);
	cr_expect_geq(scene.verdicts.findings[1].value, 1300);
	cr_expect_eq(scene.verdicts.findings[2].value, -3600000);
	unset(&scene);
}

/* The checkpoint counts what LOG_RESUMED told before, and what nobody told yet. */
Test(verifier_tamper, losses_are_told_once)
{
	struct scene scene;
	set(&scene);
	sample_chain_resumed(&scene.chain, 7, &scene.lines); /* 41 */
	scene.chain.lost += 3;
	sample_chain_checkpoint(&scene.chain, "time", &scene.lines); /* 42 */
	scene.chain.lost = 5;
	sample_chain_checkpoint(&scene.chain, "time", &scene.lines); /* 43 */
	judge(&scene, &scene.with_key);
	expect_findings(
		&scene.verdicts, "DROP:drop_counted:41-41 DROP:drop_counted:42-42 DROP:drop_counted:43-43");
	cr_expect_eq(scene.verdicts.findings[0].value, 7);
	cr_expect_eq(scene.verdicts.findings[1].value, 3);
	cr_expect_eq(scene.verdicts.findings[2].value, 5);
	cr_expect_not(scene.verdicts.is_complete);
	unset(&scene);
}

Test(verifier_tamper, a_wrong_clock_alone_does_not_make_it_incomplete)
{
	struct scene scene;
	set(&scene);
	scene.chain.time.realtime_usec -= INT64_C(3600) * 1000000;
	sample_chain_checkpoint(&scene.chain, "time", &scene.lines);
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "CLOCK:clock_jump:41-41");
	cr_expect(scene.verdicts.is_complete);
	unset(&scene);
}

/* A terminal that sleeps over night: the boot clock goes on, the other stands still. */
Test(verifier_tamper, suspend_is_no_silence)
{
	struct scene scene;
	set(&scene);
	scene.chain.time.realtime_usec += INT64_C(36000) * 1000000;
	scene.chain.time.boottime_usec += UINT64_C(36000) * 1000000;
	sample_chain_checkpoint(&scene.chain, "time", &scene.lines);
	judge(&scene, &scene.with_key);
	expect_findings(&scene.verdicts, "");
	unset(&scene);
}

/* The service of stream "auth" ends when nobody logs in, and says so. */
Test(verifier_tamper, a_service_that_ended_is_not_silent_but_one_that_was_killed_is)
{
	struct sample_chain chain;
	struct sample_lines lines = {.lines = NULL};
	struct verdicts verdicts;
	sample_chain_begin(&chain, "auth");
	for (int i = 0; i < 2; i++) {
		sample_chain_checkpoint(&chain, "start", &lines);
		sample_chain_checkpoint(&chain, i == 0 ? "stop" : "time", &lines);
		chain.time.monotonic_usec += UINT64_C(7200) * 1000000;
		chain.time.boottime_usec += UINT64_C(7200) * 1000000;
		chain.time.realtime_usec += INT64_C(7200) * 1000000;
	}
	sample_chain_checkpoint(&chain, "start", &lines);
	judge_lines(&lines, &(struct judging){.key_of = &chain}, &verdicts);
	expect_findings(&verdicts, "SILENT:silent:4-5");
	sample_lines_finish(&lines);
}
