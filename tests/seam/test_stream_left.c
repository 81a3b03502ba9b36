// SPDX-License-Identifier: Apache-2.0
/* What the audit stream makes of what a run before it, or somebody else, left in its folder. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "stream_world.h"

TestSuite(stream_left, .init = stream_world_make, .fini = stream_world_remove);

/* ---- what the last run left ---- */

static void store(unsigned count)
{
	struct skm_stream *stream = stream_begin(MEGABYTE);
	stream_append(stream, count);
	cr_assert_eq(skm_stream_flush(stream), 0);
	skm_stream_free(stream);
}

Test(stream_left, cuts_off_a_torn_line_and_says_so_first)
{
	store(3);
	stream_segment_put(1, "{\"time\":17,\"time_dt\":\"20");
	store(1);
	stream_look();
	cr_expect_eq(stream_seen.torn, 0);
	cr_expect_eq(stream_seen.recovered, 1);
	cr_expect_eq(stream_seen.count, 5);
	cr_expect_str_eq(stream_seen.last_event, "RESUMED"); /* after LOG_RECOVERED */
	cr_expect_eq(stream_seen.segments, 1);
}

Test(stream_left, finds_the_number_before_an_empty_or_torn_segment)
{
	store(3);
	stream_segment_put(2, "");
	stream_segment_put(3, "{\"time");
	store(1);
	stream_look();
	cr_expect_eq(stream_seen.count, 5);
	cr_expect_eq(stream_seen.recovered, 1);
	cr_expect_gt(stream_segment_size(3), 0);
}

Test(stream_left, a_last_line_that_is_not_ours_stays_and_keeps_its_number)
{
	store(3);
	stream_segment_put(1, "{\"time\":1,\"who\":\"knows\"}\n");
	struct skm_stream *stream = stream_begin(MEGABYTE);
	stream_append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	/* 1 to 3, the strange line counts as 4, LOG_RECOVERED 5, the record 6 */
	cr_expect_eq(stream_state(stream).sequence, 6);
	skm_stream_free(stream);
	cr_expect_gt(stream_segment_size(2), 0, "no new segment was begun");
}

Test(stream_left, nothing_but_garbage_is_not_written_behind)
{
	static char garbage[40001];
	memset(garbage, 'x', 40000);
	stream_segment_put(1, garbage);
	stream_segment_put(1, "\n");
	struct skm_stream *stream = stream_begin(MEGABYTE);
	stream_append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(stream_state(stream).sequence, 3); /* one strange line, LOG_RECOVERED, the record */
	cr_expect_eq(stream_segment_size(1), 40001);
	skm_stream_free(stream);
}

Test(stream_left, looks_further_back_when_the_end_is_garbage)
{
	static char garbage[40001];
	memset(garbage, 'x', 40000);
	store(200);
	stream_segment_put(1, garbage);
	stream_segment_put(1, "\n{}\n");
	struct skm_stream *stream = stream_begin(MEGABYTE);
	stream_append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(stream_state(stream).sequence, 204);
	skm_stream_free(stream);
}

Test(stream_left, follows_no_link_and_reads_no_device)
{
	store(2);
	cr_assert_eq(symlink("/tmp/skm-must-not-exist", stream_segment_path(2)), 0);
	struct skm_stream *stream = stream_begin(MEGABYTE);
	stream_append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(stream_state(stream).sequence, 4);
	cr_expect_neq(access("/tmp/skm-must-not-exist", F_OK), 0);
	skm_stream_free(stream);
	cr_assert_eq(mkfifo(stream_segment_path(4), 0600), 0);
	store(1);
	cr_expect_gt(stream_segment_size(5), 0);
}

Test(stream_left, other_files_in_the_folder_are_not_segments)
{
	static const char *const names[] = {"9.jsonl", "00000009.jsonl.gz", "0000000a.jsonl",
		"000000009.jsonl", "x00000009.jsonl", "00000000.jsonl"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(names); i++) {
		char path_buf[256];
		snprintf(path_buf, sizeof(path_buf), "%s/%s", stream_folder, names[i]);
		FILE *file = fopen(path_buf, "we");
		cr_assert_not_null(file);
		fclose(file);
	}
	store(1);
	cr_expect_gt(stream_segment_size(1), 0);
}

/* ---- a line's number ---- */

Test(stream_left, understands_its_own_lines_and_no_others)
{
	static char line[SKM_RECORD_LINE_MAX];
	struct skm_record record;
	uint64_t sequence = 0;
	skm_record_init(&record, SKM_EVENT_RESUMED);
	snprintf(record.detail, sizeof(record.detail),
		",\"skm\":{\"stream\":\"agent\",\"c\":null,\"n\":99,\"b\":");
	record.sequence = 12345;
	size_t len = skm_record_format(&record, line) - 1;
	cr_expect_eq(skm_segment_line_sequence(line, len, &sequence), 0);
	cr_expect_eq(sequence, 12345, "a text within the line was taken for the member");
	for (size_t cut = 0; cut < len; cut++)
		cr_expect_eq(skm_segment_line_sequence(line, cut, &sequence), -EBADMSG, "cut at %zu", cut);

	static const char *const others[] = {
		"{\"time\":1,\"skm\":{\"stream\":\"agent\",\"c\":null,\"n\":0,\"b\":null},\"m\":null}",
		"{\"time\":1,\"skm\":{\"stream\":\"agent\",\"c\":null,\"n\":01,\"b\":null},\"m\":null}",
		"{\"time\":1,\"skm\":{\"stream\":\"agent\",\"c\":null,\"n\":-1,\"b\":null},\"m\":null}",
		"{\"time\":1,\"skm\":{\"stream\":\"agent\",\"c\":null,\"n\":1.5,\"b\":null},\"m\":null}",
		"{\"time\":1,\"skm\":{\"stream\":\"agent\",\"c\":null,\"n\":,\"b\":null},\"m\":null}",
		"{\"time\":1,\"skm\":{\"stream\":\"agent\",\"c\":null,\"n\":9007199254740993,\"b\":null},\"m\":null}",
		"{\"time\":1,\"skm\":{\"stream\":\"agent\",\"c\":null,\"n\":99999999999999999999999,\"b\":null},\"m\":null}",
		"{\"time\":1,\"skm\":{\"stream\":\"\",\"c\":null,\"n\":1,\"b\":null},\"m\":null}",
		"{\"time\":1,\"skm\":{\"stream\":\"agent\", \"c\":null,\"n\":1,\"b\":null},\"m\":null}",
		" {\"time\":1,\"skm\":{\"stream\":\"agent\",\"c\":null,\"n\":1,\"b\":null},\"m\":null}",
		"{\"when\":1,\"skm\":{\"stream\":\"agent\",\"c\":null,\"n\":1,\"b\":null},\"m\":null}",
		"",
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(others); i++)
		cr_expect_eq(skm_segment_line_sequence(others[i], strlen(others[i]), &sequence), -EBADMSG,
			"%s", others[i]);
	static const char good[] =
		"{\"time\":1,\"skm\":{\"stream\":\"auth\",\"c\":null,\"n\":9007199254740992,\"b\":null},\"m\":null}";
	cr_expect_eq(skm_segment_line_sequence(good, sizeof(good) - 1, &sequence), 0);
}
