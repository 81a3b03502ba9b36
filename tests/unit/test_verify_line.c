// SPDX-License-Identifier: Apache-2.0
/* One line, read strictly: what the writer writes is understood, every other spelling is no record. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "../../lib/verify_line.h"
#include "sample_chain.h"

struct scene {
	struct sample_chain chain;
	struct sample_lines lines; /* a checkpoint, a device, a LOG_RESUMED of 7 */
};

static void set(struct scene *scene)
{
	memset(scene, 0, sizeof(*scene));
	sample_chain_begin(&scene->chain, "agent");
	scene->chain.time.realtime_usec = 1795219200123456;
	sample_chain_checkpoint(&scene->chain, "start", &scene->lines);
	sample_chain_event(&scene->chain, SKM_EVENT_EXPORT_DENIED, &scene->lines);
	sample_chain_resumed(&scene->chain, 7, &scene->lines);
}

static int parse(const struct sample_line *line, struct skm_verify_line *ret_line)
{
	return skm_verify_line_parse(line->text, line->len, ret_line);
}

Test(verify_line, a_record_is_understood)
{
	struct scene scene;
	struct skm_verify_line line;
	set(&scene);
	cr_assert_eq(parse(&scene.lines.lines[0], &line), 0);
	cr_expect_eq(line.sequence, 1);
	cr_expect_str_eq(line.stream, "agent");
	cr_expect_eq(memcmp(line.chain_id, scene.chain.chain.id, sizeof(line.chain_id)), 0);
	cr_expect(line.has_boot_id);
	cr_expect_eq(line.boot_id[0], 0x01);
	cr_expect_eq(line.boot_number, 1);
	cr_expect_eq(line.monotonic_nsec, UINT64_C(20000000000));
	cr_expect_eq(line.boottime_usec, 20000000);
	cr_expect_eq(line.realtime_usec, 1795219200123000, "milliseconds");
	cr_expect(line.is_checkpoint && line.has_checkpoint);
	cr_expect_str_eq(line.checkpoint.reason, "start");
	cr_expect(skm_checkpoint_is_signed(
		&line.checkpoint, line.chain_id, 1, line.realtime_usec, line.boottime_usec));
	cr_assert_eq(parse(&scene.lines.lines[1], &line), 0);
	cr_expect_not(line.is_checkpoint || line.has_checkpoint);
	cr_expect_eq(line.lost, 0);
	cr_assert_eq(parse(&scene.lines.lines[2], &line), 0);
	cr_expect_eq(line.sequence, 3);
	cr_expect_eq(line.lost, 7);
	sample_lines_finish(&scene.lines);
}

Test(verify_line, a_time_before_1970_is_one)
{
	struct scene scene;
	struct skm_verify_line line;
	struct sample_lines lines = {.lines = NULL};
	set(&scene);
	scene.chain.time.realtime_usec = -1;
	sample_chain_checkpoint(&scene.chain, "time", &lines);
	cr_assert_eq(parse(&lines.lines[0], &line), 0);
	cr_expect_eq(line.realtime_usec, -1000);
	sample_lines_finish(&lines);
	sample_lines_finish(&scene.lines);
}

/* Any byte of what binds the record taken away, put in twice or written in capitals makes it another record
 * or none: never the same one. */
Test(verify_line, there_is_one_spelling)
{
	static const struct {
		const char *old, *new;
	} changes[] = {
		{"{\"time\":", "{ \"time\":"},
		{"{\"time\":", "{\"time\":0"},
		{"{\"time\":", "{\"time\":+"},
		{"{\"time\":17", "{\"time\":-0"},
		{",\"skm\":", ", \"skm\":"},
		{"\"stream\":\"agent\"", "\"stream\":\"Agent\""},
		{"\"stream\":\"agent\"", "\"stream\":\"\""},
		{"\"stream\":\"agent\"", "\"stream\":\"agentagentagentage\""},
		{"\"n\":2,", "\"n\":02,"},
		{"\"n\":2,", "\"n\":0,"},
		{"\"n\":2,", "\"n\":-2,"},
		{"\"n\":2,", "\"n\":2.0,"},
		{"\"n\":2,", "\"n\":9007199254740993,"},
		{"\"n\":2,", "\"n\":18446744073709551618,"},
		{"\"b\":\"01", "\"b\":\"0"},
		{"\"b\":\"0123456789abcdef", "\"b\":\"0123456789ABCDEF"},
		{"\"bn\":1", "\"bn\":null"},
		{"\"bn\":1", "\"bn\":"},
		{"\"mt\":", "\"mu\":"},
		{"\"p\":\"", "\"p\":\"0"},
		{"\"p\":", "\"q\":"},
		{",\"m\":\"", ",\"m\":\" "},
		{"\"clock\":{", "\"clack\":{"},
		{"\"boottime_usec\":", "\"boottime_usec\":0"},
		{"\"synchronised\":true", "\"synchronised\":1"},
		{",\"event\":", ",\"evens\":"},
		{"\"skm\":{", "\"skm\":{\"x\":1,"},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(changes); i++) {
		struct scene scene;
		struct skm_verify_line line;
		set(&scene);
		sample_lines_replace(&scene.lines, 1, changes[i].old, changes[i].new);
		cr_expect_eq(parse(&scene.lines.lines[1], &line), -EBADMSG, "%s", changes[i].new);
		sample_lines_finish(&scene.lines);
	}
}

Test(verify_line, no_beginning_of_a_line_is_a_record)
{
	struct scene scene;
	struct skm_verify_line line;
	set(&scene);
	for (size_t i = 0; i < scene.lines.count; i++) {
		struct sample_line part = scene.lines.lines[i];
		for (; part.len > 0; part.len--) {
			char *exact = malloc(part.len);
			memcpy(exact, part.text, part.len);
			const struct sample_line cut = {exact, part.len};
			cr_expect_eq(parse(&cut, &line), part.len == scene.lines.lines[i].len ? 0 : -EBADMSG);
			free(exact);
		}
	}
	sample_lines_finish(&scene.lines);
}

Test(verify_line, a_damaged_checkpoint_is_a_record_without_one)
{
	static const char *const words[] = {
		"\"h\":\"", "\"key\":\"", "\"next\":\"", "\"sig\":\"", "\"lost\":", "\"reason\":\"start"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(words); i++) {
		struct scene scene;
		struct skm_verify_line line;
		char changed[32];
		set(&scene);
		snprintf(changed, sizeof(changed), "%s ", words[i]);
		sample_lines_replace(&scene.lines, 0, words[i], changed);
		cr_assert_eq(parse(&scene.lines.lines[0], &line), 0);
		cr_expect(line.is_checkpoint);
		cr_expect_not(line.has_checkpoint, "%s", words[i]);
		sample_lines_finish(&scene.lines);
	}
}

/* The first member counts, wherever a forger puts a second one. */
Test(verify_line, the_first_of_two_members_counts)
{
	struct scene scene;
	struct skm_verify_line line;
	set(&scene);
	sample_lines_replace(&scene.lines, 1, "\"time_dt\":\"", "\"event\":\"CHECKPOINT\",\"time_dt\":\"");
	cr_expect_eq(parse(&scene.lines.lines[1], &line), -EBADMSG, "\"time_dt\" is the second member");
	sample_lines_replace(&scene.lines, 0, ",\"message\":", ",\"event\":\"LOG_RESUMED\",\"message\":");
	cr_assert_eq(parse(&scene.lines.lines[0], &line), 0);
	cr_expect(line.is_checkpoint);
	sample_lines_finish(&scene.lines);
}

Test(verify_line, the_tail_is_the_one_that_the_whole_line_has)
{
	struct scene scene;
	set(&scene);
	for (size_t i = 0; i < scene.lines.count; i++) {
		const struct sample_line *line = &scene.lines.lines[i];
		struct skm_verify_line whole;
		uint8_t hash[SKM_CHAIN_HASH_BYTES], mac[SKM_CHAIN_MAC_BYTES];
		size_t body_len = 0, split_len = 0;
		cr_assert_eq(parse(line, &whole), 0);
		cr_assert_eq(skm_verify_line_tail(line->text, line->len, &body_len, hash, mac), 0);
		cr_assert_eq(skm_chain_line_split(line->text, line->len, &split_len, NULL), 0);
		cr_expect_eq(body_len, split_len);
		cr_expect_eq(body_len, whole.body_len);
		cr_expect_eq(memcmp(hash, whole.previous_hash, sizeof(hash)), 0);
		cr_expect_eq(memcmp(mac, whole.mac, sizeof(mac)), 0);
		cr_expect_eq(
			skm_verify_line_tail(line->text, line->len - 1, &body_len, hash, NULL), -EBADMSG);
		for (size_t at = line->len - 112; at < line->len; at++) {
			char kept = line->text[at];
			line->text[at] = 'Z';
			cr_expect_eq(
				skm_verify_line_tail(line->text, line->len, &body_len, hash, mac), -EBADMSG);
			line->text[at] = kept;
		}
	}
	sample_lines_finish(&scene.lines);
}

Test(verify_line, what_resembles_a_record)
{
	struct scene scene;
	set(&scene);
	sample_lines_replace(&scene.lines, 1, "\"skm\":", "\"skn\":");
	cr_expect(skm_verify_line_resembles(scene.lines.lines[1].text, scene.lines.lines[1].len));
	cr_expect_not(skm_verify_line_resembles("hello", 5));
	cr_expect_not(skm_verify_line_resembles("", 0));
	sample_lines_finish(&scene.lines);
}
