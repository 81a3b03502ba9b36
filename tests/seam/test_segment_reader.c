// SPDX-License-Identifier: Apache-2.0
/* The reader against real folders, in which a writer (and others) do what writers do. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "sample_record.h"
#include "segment_reader.h"
#include "sekimori/event.h"
#include "sekimori/stream.h"
#include "tmpdir.h"

/* In libc's place: the disk that fails on command. */
static struct {
	unsigned syncs;
	int error;
} disk;

int fdatasync(int fd)
{
	disk.syncs++;
	if (disk.error) {
		errno = disk.error;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static char folder[TMPDIR_BYTES];
static struct skm_segment_reader *reader;

static void setup(void)
{
	memset(&disk, 0, sizeof(disk));
	tmpdir_make(folder);
	cr_assert_eq(skm_segment_reader_new(folder, &reader), 0);
}

static void teardown(void)
{
	reader = skm_segment_reader_free(reader);
	tmpdir_remove(folder);
}

TestSuite(segment_reader, .init = setup, .fini = teardown);

static const char *path_of(unsigned segment)
{
	static char path[TMPDIR_BYTES + 32];
	(void)snprintf(path, sizeof(path), "%s/%08u.jsonl", folder, segment);
	return path;
}

static void append_bytes(unsigned segment, const void *data, size_t len)
{
	FILE *file = fopen(path_of(segment), "ae");
	cr_assert_not_null(file);
	cr_assert_eq(fwrite(data, 1, len, file), len);
	cr_assert_eq(fclose(file), 0);
}

static void append(unsigned segment, const char *text)
{
	append_bytes(segment, text, strlen(text));
}

static void line_of(unsigned n, char ret_line[128])
{
	(void)snprintf(ret_line, 128,
		"{\"time\":1,\"skm\":{\"stream\":\"agent\",\"n\":%u,\"b\":\"x\"},\"m\":\"%032x\"}", n,
		n * 2654435761u);
}

static void append_records(unsigned segment, unsigned first, unsigned last)
{
	for (unsigned n = first; n <= last; n++) {
		char line[128];
		line_of(n, line);
		append(segment, line);
		append(segment, "\n");
	}
}

static struct skm_position expect_line(const char *wanted)
{
	const char *line = NULL;
	size_t len = 0;
	struct skm_position position = {0};
	int r = skm_segment_reader_peek(reader, &line, &len);
	cr_assert_eq(r, 0, "no line but %d; wanted %s", r, wanted);
	cr_expect(len == strlen(wanted) && memcmp(line, wanted, len) == 0, "%.*s, not %s", (int)len, line,
		wanted);
	skm_segment_reader_take(reader, &position);
	return position;
}

static struct skm_position expect_records(unsigned first, unsigned last)
{
	struct skm_position position = {0};
	for (unsigned n = first; n <= last; n++) {
		char line[128];
		line_of(n, line);
		position = expect_line(line);
		cr_expect_eq(position.sequence, n);
	}
	return position;
}

static void expect_nothing(void)
{
	const char *line = NULL;
	size_t len = 77;
	int r = skm_segment_reader_peek(reader, &line, &len);
	cr_expect_eq(r, SKM_SEGMENT_READER_NOTHING, "%d: %.*s", r, r == 0 ? (int)len : 0, line);
	cr_expect(r == 0 || (line == NULL && len == 77), "outputs are left alone");
}

Test(segment_reader, all_segments_in_order)
{
	append_records(10, 7, 9);
	append_records(2, 4, 6);
	append_records(1, 1, 3);
	struct skm_position position = expect_records(1, 9);
	cr_expect_eq(position.segment, 10);
	cr_expect_eq(position.missing, 0);
	expect_nothing();
}

Test(segment_reader, looks_before_it_takes)
{
	const char *line = NULL, *again = NULL;
	size_t len = 0, len_again = 0;
	append_records(1, 1, 2);
	cr_assert_eq(skm_segment_reader_peek(reader, &line, &len), 0);
	cr_assert_eq(skm_segment_reader_peek(reader, &again, &len_again), 0);
	cr_expect_eq(len, len_again);
	cr_expect_eq(memcmp(line, again, len), 0);
	(void)expect_records(1, 2);
}

Test(segment_reader, a_partial_line_waits)
{
	append(1, "{\"a\":");
	expect_nothing();
	append(1, "1}");
	expect_nothing();
	append(1, "\n{\"b\"");
	(void)expect_line("{\"a\":1}");
	expect_nothing();
	append(1, ":2}\n");
	struct skm_position position = expect_line("{\"b\":2}");
	cr_expect_eq(position.offset, 16);
	cr_expect_eq(position.tail_len, 7);
	cr_expect_eq(memcmp(position.tail, "{\"b\":2}", 7), 0);
	expect_nothing();
}

Test(segment_reader, a_line_is_on_the_disk_before_it_is_believed)
{
	const char *line = NULL;
	size_t len = 0;
	expect_nothing();
	append_records(1, 1, 2);
	disk.error = EIO;
	cr_expect_eq(skm_segment_reader_peek(reader, &line, &len), -EIO);
	cr_expect_null(line);
	cr_expect_eq(disk.syncs, 1);
	disk.error = 0;
	(void)expect_records(1, 2);
	cr_expect_eq(disk.syncs, 2, "once for both");
	append_records(1, 3, 3);
	(void)expect_records(3, 3);
	cr_expect_eq(disk.syncs, 3);
	expect_nothing();
	append_bytes(1, "{", 1);
	expect_nothing();
	cr_expect_eq(disk.syncs, 3, "not for nothing");
}

Test(segment_reader, half_a_line_that_is_cut_back_is_not_joined_to_another)
{
	append_records(1, 1, 1);
	(void)expect_records(1, 1);
	append(1, "{\"half\":");
	expect_nothing();
	struct stat st;
	cr_assert_eq(stat(path_of(1), &st), 0);
	cr_assert_eq(truncate(path_of(1), st.st_size - 8), 0);
	append_records(1, 2, 3);
	(void)expect_records(2, 3);
}

Test(segment_reader, what_is_added_before_the_next_segment_is_seen)
{
	append_records(1, 1, 2);
	(void)expect_records(1, 2);
	expect_nothing();
	append_records(1, 3, 3);
	append_records(2, 4, 4);
	(void)expect_records(3, 4);
	expect_nothing();
}

Test(segment_reader, an_empty_segment_is_not_entered)
{
	append_records(1, 1, 1);
	append(2, "");
	(void)expect_records(1, 1);
	expect_nothing();
	cr_assert_eq(unlink(path_of(2)), 0); /* the writer could not begin it */
	append_records(1, 2, 2);
	(void)expect_records(2, 2);
	append_records(2, 3, 3);
	struct skm_position position = expect_records(3, 3);
	cr_expect_eq(position.segment, 2);
}

Test(segment_reader, a_torn_end_of_a_closed_segment_is_passed_over)
{
	append_records(1, 1, 1);
	append(1, "{\"torn\":");
	append_records(2, 2, 2);
	(void)expect_records(1, 2);
}

Test(segment_reader, goes_on_from_a_position)
{
	append_records(1, 1, 3);
	append_records(2, 4, 5);
	struct skm_position second = expect_records(1, 2);
	struct skm_position last = expect_records(3, 5);
	skm_segment_reader_seek(reader, &second);
	(void)expect_records(3, 5);
	skm_segment_reader_seek(reader, &last);
	expect_nothing();
	append_records(2, 6, 6);
	(void)expect_records(6, 6);
	struct skm_position start = {0};
	skm_segment_reader_seek(reader, &start);
	(void)expect_records(1, 6);
}

Test(segment_reader, vanished_segments_are_counted)
{
	append_records(1, 1, 5);
	append_records(2, 6, 10);
	append_records(3, 11, 12);
	struct skm_position third = expect_records(1, 3);
	cr_assert_eq(unlink(path_of(1)), 0);
	cr_assert_eq(unlink(path_of(2)), 0);
	skm_segment_reader_seek(reader, &third);
	struct skm_position position = expect_records(11, 12);
	cr_expect_eq(position.missing, 7);
	cr_expect_eq(position.segment, 3);
	skm_segment_reader_seek(reader, &third);
	position = expect_records(11, 11);
	cr_expect_eq(position.missing, 7, "the same ones are not counted twice");
}

Test(segment_reader, a_segment_that_vanishes_while_it_is_read)
{
	append_records(1, 1, 2);
	append_records(2, 3, 3);
	(void)expect_records(1, 1);
	cr_assert_eq(unlink(path_of(1)), 0);
	struct skm_position position = expect_records(2, 3);
	cr_expect_eq(position.missing, 0);
}

Test(segment_reader, a_stream_begun_anew_is_read_from_its_beginning)
{
	append_records(7, 100, 101);
	(void)expect_records(100, 101);
	expect_nothing();
	cr_assert_eq(unlink(path_of(7)), 0);
	expect_nothing();
	append_records(1, 1, 2);
	struct skm_position position = expect_records(1, 2);
	cr_expect_eq(position.missing, 0);
	cr_expect_eq(position.segment, 1);
}

Test(segment_reader, another_file_of_the_same_name_is_read_from_its_beginning)
{
	append_records(1, 1, 3);
	struct skm_position third = expect_records(1, 3);
	expect_nothing();
	cr_assert_eq(unlink(path_of(1)), 0);
	append_records(1, 11, 14);
	skm_segment_reader_seek(reader, &third);
	(void)expect_records(11, 14);
}

Test(segment_reader, a_file_replaced_while_it_is_open_is_noticed)
{
	append_records(1, 1, 3);
	(void)expect_records(1, 3);
	expect_nothing();
	cr_assert_eq(unlink(path_of(1)), 0);
	append_records(1, 1, 4); /* restored from a copy: another file with the same beginning */
	(void)expect_records(4, 4);
	expect_nothing();
}

Test(segment_reader, a_shortened_segment_is_sent_again)
{
	append_records(1, 1, 3);
	struct skm_position third = expect_records(1, 3);
	struct stat st;
	cr_assert_eq(stat(path_of(1), &st), 0);
	cr_assert_eq(truncate(path_of(1), st.st_size / 3 * 2), 0);
	(void)expect_records(1, 2);
	expect_nothing();
	skm_segment_reader_seek(reader, &third);
	(void)expect_records(1, 2);
}

Test(segment_reader, an_edited_segment_is_sent_again)
{
	append_records(1, 1, 3);
	(void)expect_records(1, 3);
	int fd = open(path_of(1), O_WRONLY | O_CLOEXEC);
	struct stat st;
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq(pwrite(fd, "0", 1, st.st_size - 5), 1); /* within the last MAC */
	(void)close(fd);
	append_records(1, 4, 4);
	char line[128];
	(void)expect_records(1, 2);
	line_of(3, line);
	line[strlen(line) - 4] = '0';
	(void)expect_line(line);
	(void)expect_records(4, 4);
}

Test(segment_reader, what_cannot_be_carried_is_counted)
{
	append_records(1, 1, 1);
	append_bytes(1, "a\0b\n", 4);
	append(1, "c\x1e"
		  "d\n\n");
	append_records(1, 2, 2);
	(void)expect_records(1, 1);
	struct skm_position position = expect_records(2, 2);
	cr_expect_eq(position.unsent, 3);
	cr_expect_eq(position.missing, 0);
}

Test(segment_reader, lines_without_end)
{
	static char large[3 * SKM_MESSAGE_LINE_MAX];
	memset(large, 'x', sizeof(large));
	append_records(1, 1, 1);
	append_bytes(1, large, sizeof(large));
	(void)expect_records(1, 1);
	expect_nothing();
	append(1, "\n");
	append_records(1, 2, 2);
	struct skm_position position = expect_records(2, 2);
	cr_expect_eq(position.unsent, 1);
	append_bytes(1, large, sizeof(large)); /* never finished */
	expect_nothing();
	append_records(2, 3, 3);
	position = expect_records(3, 3);
	cr_expect_eq(position.segment, 2);

	/* exactly as long as can be */
	append_bytes(2, large, SKM_MESSAGE_LINE_MAX);
	append(2, "\n");
	append_bytes(2, large, SKM_MESSAGE_LINE_MAX + 1);
	append(2, "\n");
	append_records(2, 4, 4);
	const char *line;
	size_t len;
	cr_assert_eq(skm_segment_reader_peek(reader, &line, &len), 0);
	cr_expect_eq(len, SKM_MESSAGE_LINE_MAX);
	skm_segment_reader_take(reader, &position);
	position = expect_records(4, 4);
	cr_expect_eq(position.unsent, 2);
	skm_segment_reader_seek(reader, &position);
	expect_nothing();
}

Test(segment_reader, many_lines_across_windows)
{
	append_records(1, 1, 3000);
	struct skm_position position = expect_records(1, 3000);
	expect_nothing();
	struct stat st;
	cr_assert_eq(stat(path_of(1), &st), 0);
	cr_expect_eq(position.offset, (uint64_t)st.st_size);
}

Test(segment_reader, only_segments_are_read)
{
	static const char *const others[] = {"1.jsonl", "00000000.jsonl", "000000001.jsonl", "0000001x.jsonl",
		"00000001.jsonl.bak", "-0000001.jsonl"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(others); i++)
		tmpdir_write(folder, "{\"foreign\":1}\n", "%s", others[i]);
	tmpdir_write(folder, "{\"elsewhere\":1}\n", "target");
	char path[TMPDIR_BYTES + 32];
	(void)snprintf(path, sizeof(path), "%s/target", folder);
	cr_assert_eq(symlink(path, path_of(1)), 0);
	cr_assert_eq(mkfifo(path_of(2), 0600), 0);
	cr_assert_eq(mkdir(path_of(3), 0700), 0);
	expect_nothing();
	append_records(4, 1, 1);
	(void)expect_records(1, 1);
}

Test(segment_reader, a_folder_that_is_not_there_yet)
{
	const char *line;
	size_t len;
	reader = skm_segment_reader_free(reader);
	char later[TMPDIR_BYTES + 8];
	(void)snprintf(later, sizeof(later), "%s/agent", folder);
	cr_assert_eq(skm_segment_reader_new(later, &reader), 0);
	cr_expect_eq(skm_segment_reader_peek(reader, &line, &len), -ENOENT);
	cr_assert_eq(mkdir(later, 0700), 0);
	expect_nothing();
	tmpdir_write(folder, "{\"a\":1}\n", "agent/00000001.jsonl");
	(void)expect_line("{\"a\":1}");
}

Test(segment_reader, reads_what_the_stream_writes)
{
	struct skm_stream *stream = NULL;
	cr_assert_eq(skm_stream_new(folder, 4096, &stream), 0);
	for (unsigned n = 1; n <= 20; n++) {
		struct skm_record record;
		sample_record((enum skm_event)(n % SKM_EVENT_AUTH_OK), &record);
		skm_stream_append(stream, &record);
		cr_assert_eq(skm_stream_flush(stream), 0);
		const char *line;
		size_t len;
		struct skm_position position;
		cr_assert_eq(skm_segment_reader_peek(reader, &line, &len), 0);
		cr_expect_eq(skm_segment_line_number(line, len), n);
		skm_segment_reader_take(reader, &position);
		cr_expect_eq(position.sequence, n);
		expect_nothing();
	}
	struct skm_position position = {0};
	skm_segment_reader_seek(reader, &position);
	for (unsigned n = 1; n <= 20; n++) {
		const char *line;
		size_t len;
		cr_assert_eq(skm_segment_reader_peek(reader, &line, &len), 0);
		skm_segment_reader_take(reader, &position);
	}
	cr_expect_gt(position.segment, 3, "there were several");
	cr_expect_eq(position.unsent, 0);
	expect_nothing();
	stream = skm_stream_free(stream);
}

Test(segment_reader, numbers_of_lines)
{
	static const struct {
		const char *line;
		uint64_t number;
	} lines[] = {
		{"{\"time\":1,\"skm\":{\"stream\":\"agent\",\"n\":17,\"b\":\"x\"},\"m\":null}", 17},
		{"{\"time\":1,\"skm\":{\"stream\":\"auth\",\"c\":\"00ff\",\"n\":18,\"b\":\"x\"},\"m\":\"0\"}",
			18},
		{"{\"detail\":\",\\\"skm\\\":{\\\"n\\\":5\",\"skm\":{\"stream\":\"a\",\"n\":6}}", 6},
		{"{\"n\":5}", 0},
		{"{\"x\":1,\"skm\":{\"stream\":\"a\"}}", 0},
		{"{\"x\":1,\"skm\":{\"stream\":\"a\",\"n\":99999999999999999999}}", 0},
		{"{\"x\":1,\"skm\":{\"stream\":\"a\",\"n\":", 0},
		{"", 0},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(lines); i++)
		cr_expect_eq(skm_segment_line_number(lines[i].line, strlen(lines[i].line)), lines[i].number,
			"%s", lines[i].line);
}
