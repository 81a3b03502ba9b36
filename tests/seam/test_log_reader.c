// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "log_reader.h"
#include "tmpdir.h"

struct fixture {
	char folder[TMPDIR_BYTES];
	struct skm_log_reader *reader;
};

static unsigned looks;

/* Stands before libc's. */
DIR *fdopendir(int fd)
{
	DIR *(*next)(int) = NULL;
	void *symbol = dlsym(RTLD_NEXT, "fdopendir");
	memcpy(&next, &symbol, sizeof(next));
	looks++;
	return next(fd);
}

static void append(const struct fixture *fixture, const char *name, const char *text)
{
	char path[TMPDIR_BYTES + 64];
	(void)snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

static void cut(const struct fixture *fixture, const char *name, off_t size)
{
	char path[TMPDIR_BYTES + 64];
	(void)snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
	cr_assert_eq(truncate(path, size), 0);
}

static void begin(struct fixture *fixture)
{
	cr_assert_eq(skm_log_reader_new(fixture->folder, &fixture->reader), 0);
	cr_assert_eq(skm_log_reader_watch(fixture->reader), 0);
}

static void end(struct fixture *fixture)
{
	skm_log_reader_freep(&fixture->reader);
	tmpdir_remove(fixture->folder);
}

static void expect_step(struct fixture *fixture, int expected)
{
	const char *line = NULL;
	size_t len = 0;
	cr_assert_eq(skm_log_reader_next(fixture->reader, &line, &len), expected);
}

static void expect_line(struct fixture *fixture, const char *expected)
{
	const char *line = NULL;
	size_t len = 0;
	cr_assert_eq(skm_log_reader_next(fixture->reader, &line, &len), SKM_LOG_LINE, "for \"%s\"", expected);
	cr_assert_eq(len, strlen(expected));
	cr_assert_arr_eq(line, expected, len);
}

Test(log_reader, segments_are_read_by_number_and_nothing_else_is)
{
	struct fixture fixture = {0};
	tmpdir_make(fixture.folder);
	append(&fixture, "00000010.jsonl", "d\n");
	append(&fixture, "00000002.jsonl", "b\nc\n");
	append(&fixture, "00000001.jsonl", "a\n");
	append(&fixture, "100000000.jsonl", "e\n"); /* one digit more: still a number */
	append(&fixture, "00000003.jsonl.bak", "no\n");
	append(&fixture, "0000004.jsonl", "no\n");
	append(&fixture, "x0000005.jsonl", "no\n");
	append(&fixture, "00000000.jsonl", "no\n");
	append(&fixture, "99999999999999999999999.jsonl", "no\n");
	begin(&fixture);
	for (const char *line = "a\0b\0c\0d\0e\0"; *line; line += 2)
		expect_line(&fixture, line);
	expect_step(&fixture, SKM_LOG_WAIT);
	expect_step(&fixture, SKM_LOG_WAIT);
	end(&fixture);
}

Test(log_reader, many_segments_cost_few_looks_at_the_folder)
{
	struct fixture fixture = {0};
	char name[32];
	tmpdir_make(fixture.folder);
	for (unsigned number = 1; number <= 100; number++) {
		(void)snprintf(name, sizeof(name), "%08u.jsonl", number);
		append(&fixture, name, "a\n");
	}
	begin(&fixture);
	looks = 0;
	expect_line(&fixture, "a");
	/* what is removed meanwhile is passed over, what is added comes in the end */
	int folder = open(fixture.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(unlinkat(folder, "00000050.jsonl", 0), 0);
	(void)close(folder);
	append(&fixture, "00000101.jsonl", "b\n");
	for (unsigned number = 2; number <= 99; number++)
		expect_line(&fixture, "a");
	expect_line(&fixture, "b");
	expect_step(&fixture, SKM_LOG_WAIT);
	cr_expect_leq(looks, 3);
	end(&fixture);
}

Test(log_reader, what_comes_later_follows_also_in_a_new_segment, .timeout = 10)
{
	struct fixture fixture = {0};
	tmpdir_make(fixture.folder);
	begin(&fixture);
	expect_step(&fixture, SKM_LOG_WAIT); /* no segment yet */
	append(&fixture, "00000001.jsonl", "a\n");
	cr_expect_eq(skm_log_reader_wait(fixture.reader), 0);
	expect_line(&fixture, "a");
	expect_step(&fixture, SKM_LOG_WAIT);
	/* the writer ends one segment and begins the next before we look again */
	append(&fixture, "00000001.jsonl", "b\n");
	append(&fixture, "00000002.jsonl", "c\n");
	cr_expect_eq(skm_log_reader_wait(fixture.reader), 0);
	expect_line(&fixture, "b");
	expect_line(&fixture, "c");
	expect_step(&fixture, SKM_LOG_WAIT);
	end(&fixture);
}

Test(log_reader, an_unfinished_line_is_told_once_and_may_be_finished)
{
	struct fixture fixture = {0};
	tmpdir_make(fixture.folder);
	append(&fixture, "00000001.jsonl", "a\nhal");
	begin(&fixture);
	expect_line(&fixture, "a");
	expect_step(&fixture, SKM_LOG_UNFINISHED);
	expect_step(&fixture, SKM_LOG_WAIT);
	append(&fixture, "00000001.jsonl", "f\nb\n");
	expect_line(&fixture, "half");
	expect_line(&fixture, "b");
	expect_step(&fixture, SKM_LOG_WAIT);
	end(&fixture);
}

Test(log_reader, a_torn_line_that_the_agent_cuts_off_is_forgotten)
{
	struct fixture fixture = {0};
	tmpdir_make(fixture.folder);
	append(&fixture, "00000001.jsonl", "a\ntorn");
	begin(&fixture);
	expect_line(&fixture, "a");
	expect_step(&fixture, SKM_LOG_UNFINISHED);
	cut(&fixture, "00000001.jsonl", 2);
	expect_step(&fixture, SKM_LOG_WAIT);
	append(&fixture, "00000001.jsonl", "b\n");
	expect_line(&fixture, "b");
	end(&fixture);
}

Test(log_reader, a_torn_line_in_an_older_segment_is_damage)
{
	struct fixture fixture = {0};
	tmpdir_make(fixture.folder);
	append(&fixture, "00000001.jsonl", "a\ntorn");
	append(&fixture, "00000002.jsonl", "b\n");
	begin(&fixture);
	expect_line(&fixture, "a");
	expect_step(&fixture, SKM_LOG_DAMAGED);
	expect_line(&fixture, "b");
	expect_step(&fixture, SKM_LOG_WAIT);
	end(&fixture);
}

Test(log_reader, a_line_without_measure_is_damage_once)
{
	struct fixture fixture = {0};
	tmpdir_make(fixture.folder);
	size_t len = 3 * SKM_LOG_LINE_MAX + 17;
	char *text = malloc(len + 4);
	memset(text, 'x', len);
	memcpy(text + len, "\nb\n", 4);
	append(&fixture, "00000001.jsonl", "a\n");
	append(&fixture, "00000001.jsonl", text);
	free(text);
	begin(&fixture);
	expect_line(&fixture, "a");
	expect_step(&fixture, SKM_LOG_DAMAGED);
	expect_line(&fixture, "b");
	expect_step(&fixture, SKM_LOG_WAIT);
	end(&fixture);
}

Test(log_reader, the_longest_line_is_read)
{
	struct fixture fixture = {0};
	tmpdir_make(fixture.folder);
	char *text = malloc(SKM_LOG_LINE_MAX + 1);
	memset(text, 'x', SKM_LOG_LINE_MAX);
	text[SKM_LOG_LINE_MAX] = '\0';
	text[SKM_LOG_LINE_MAX - 1] = '\n';
	append(&fixture, "00000001.jsonl", "\n");
	append(&fixture, "00000001.jsonl", text);
	begin(&fixture);
	expect_line(&fixture, "");
	text[SKM_LOG_LINE_MAX - 1] = '\0';
	expect_line(&fixture, text);
	expect_step(&fixture, SKM_LOG_WAIT);
	free(text);
	end(&fixture);
}

Test(log_reader, what_is_no_regular_file_is_neither_followed_nor_waited_for, .timeout = 10)
{
	struct fixture fixture = {0};
	char path[TMPDIR_BYTES + 64];
	tmpdir_make(fixture.folder);
	(void)snprintf(path, sizeof(path), "%s/00000001.jsonl", fixture.folder);
	cr_assert_eq(mkfifo(path, 0600), 0);
	begin(&fixture);
	expect_step(&fixture, -EINVAL);
	skm_log_reader_freep(&fixture.reader);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(symlink("/etc/passwd", path), 0);
	begin(&fixture);
	expect_step(&fixture, -ELOOP);
	end(&fixture);
}

Test(log_reader, a_folder_that_is_not_there_or_goes_away_is_told, .timeout = 10)
{
	struct fixture fixture = {0};
	tmpdir_make(fixture.folder);
	begin(&fixture);
	expect_step(&fixture, SKM_LOG_WAIT);
	tmpdir_remove(fixture.folder);
	cr_expect_eq(skm_log_reader_wait(fixture.reader), -ENOENT);
	skm_log_reader_freep(&fixture.reader);
	cr_expect_eq(skm_log_reader_new(fixture.folder, &fixture.reader), -ENOENT);
	cr_expect_null(fixture.reader);
}
