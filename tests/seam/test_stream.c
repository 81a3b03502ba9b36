// SPDX-License-Identifier: Apache-2.0
/* The audit stream against real folders, with system calls that fail on command. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "../../lib/stream_segment.h"

#define MEGABYTE UINT64_C(1048576)

/* ---- faults
 * ----------------------------------------------------------------------------------------------------------
 */

enum call { OPENAT, FSTAT, PREAD, WRITE, FTRUNCATE, FDATASYNC, FSYNC, FCHMOD, FCHOWN, UNLINKAT, CALL_COUNT };

static struct {
	unsigned calls[CALL_COUNT];
	unsigned total;
	unsigned first, last;	 /* the calls with these numbers fail, all kinds counted */
	bool always[CALL_COUNT]; /* every call of the kind fails */
	bool is_short;		 /* a failing write stores a part first */
	unsigned chance;	 /* of 100, at random */
	unsigned seed;
	int error;
} faults;

static unsigned next_random(void)
{
	faults.seed = faults.seed * 1103515245u + 12345u;
	return faults.seed >> 16;
}

static bool fails(enum call call)
{
	faults.calls[call]++;
	faults.total++;
	bool is_hit = (faults.total >= faults.first && faults.total <= faults.last) || faults.always[call] ||
		      (faults.chance > 0 && next_random() % 100 < faults.chance);
	if (is_hit)
		errno = faults.error;
	return is_hit;
}

static int try_openat(int dirfd, const char *name, int flags, mode_t mode)
{
	return fails(OPENAT) ? -1 : openat(dirfd, name, flags, mode);
}

static int try_fstat(int fd, struct stat *ret_stat)
{
	return fails(FSTAT) ? -1 : fstat(fd, ret_stat);
}

static ssize_t try_pread(int fd, void *buf, size_t size, off_t offset)
{
	return fails(PREAD) ? -1 : pread(fd, buf, size, offset);
}

static ssize_t try_write(int fd, const void *data, size_t len)
{
	if (!fails(WRITE))
		return write(fd, data, len);
	return faults.is_short || (faults.chance > 0 && next_random() % 2) ? write(fd, data, len / 2) : -1;
}

static int try_ftruncate(int fd, off_t len)
{
	return fails(FTRUNCATE) ? -1 : ftruncate(fd, len);
}

/* No test cuts the power, so nothing is learnt by waiting for the disk; thousands of times, it takes a
 * minute. */
static int try_fdatasync(int fd)
{
	(void)fd;
	return fails(FDATASYNC) ? -1 : 0;
}

static int try_fsync(int fd)
{
	(void)fd;
	return fails(FSYNC) ? -1 : 0;
}

static int try_fchmod(int fd, mode_t mode)
{
	return fails(FCHMOD) ? -1 : fchmod(fd, mode);
}

static int try_fchown(int fd, uid_t uid, gid_t gid)
{
	return fails(FCHOWN) ? -1 : fchown(fd, uid, gid);
}

static int try_unlinkat(int dirfd, const char *name, int flags)
{
	return fails(UNLINKAT) ? -1 : unlinkat(dirfd, name, flags);
}

static const struct skm_stream_ops faulty = {try_openat, try_fstat, try_pread, try_write, try_ftruncate,
	try_fdatasync, try_fsync, try_fchmod, try_fchown, try_unlinkat};

static void heal(void)
{
	memset(&faults, 0, sizeof(faults));
	faults.error = EIO;
}

/* ---- a folder, and what a reader finds in it
 * ------------------------------------------------------------------------- */

static char folder[64];

static void setup(void)
{
	snprintf(folder, sizeof(folder), "/tmp/skm-stream-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	heal();
}

static void empty(const char *path)
{
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

static void teardown(void)
{
	empty(folder);
	rmdir(folder);
}

static char path_buf[128];

static const char *path_of(unsigned number)
{
	snprintf(path_buf, sizeof(path_buf), "%s/%08u.jsonl", folder, number);
	return path_buf;
}

static off_t size_of(unsigned number)
{
	struct stat st;
	return stat(path_of(number), &st) == 0 ? st.st_size : -1;
}

static void put(unsigned number, const char *text)
{
	FILE *file = fopen(path_of(number), "ae");
	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
}

struct seen {
	uint64_t count;		   /* records, duplicates not counted */
	unsigned duplicates, torn; /* lines */
	unsigned segments;	   /* files */
	unsigned full, resumed, recovered;
	unsigned next_detail; /* "r0", "r1" … */
	uint64_t resumed_lost;
	char last_event[32], first_event[32];
	uint64_t first_sequence;
	char *lines[8192]; /* by number, to compare duplicates */
};

static struct seen seen;

static void see_record(json_t *root)
{
	const char *event = json_string_value(json_object_get(root, "event"));
	const char *detail = json_string_value(json_object_get(root, "detail"));
	snprintf(seen.last_event, sizeof(seen.last_event), "%s", event);
	if (seen.count == 1)
		snprintf(seen.first_event, sizeof(seen.first_event), "%s", event);
	seen.full += strcmp(event, "LOG_FULL") == 0;
	seen.recovered += strcmp(event, "LOG_RECOVERED") == 0;
	if (strcmp(event, "LOG_RESUMED") == 0) {
		seen.resumed++;
		seen.resumed_lost += (uint64_t)json_integer_value(json_object_get(root, "count"));
	}
	if (strcmp(event, "RESUMED") == 0) {
		char expected[32];
		snprintf(expected, sizeof(expected), "r%u", seen.next_detail);
		cr_assert_str_eq(detail, expected, "lost, twice or out of order");
		seen.next_detail++;
	}
}

static void see_line(const char *line)
{
	json_t *root = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	cr_assert_not_null(root, "%s", line);
	uint64_t n = (uint64_t)json_integer_value(json_object_get(json_object_get(root, "skm"), "n"));
	cr_assert(n > 0 && n < SKM_ARRAY_SIZE(seen.lines));
	if (seen.lines[n]) {
		cr_assert_str_eq(
			line, seen.lines[n], "number %llu stands for two records", (unsigned long long)n);
		seen.duplicates++;
	} else {
		if (seen.count == 0)
			seen.first_sequence = n;
		cr_assert_eq(n, seen.first_sequence + seen.count, "a gap before %llu", (unsigned long long)n);
		seen.lines[n] = strdup(line);
		seen.count++;
		see_record(root);
	}
	json_decref(root);
}

/* Reads as the manual tells readers to: in order, a number that was seen already is skipped, a torn end is
 * dropped. */
static void look(void)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(seen.lines); i++)
		free(seen.lines[i]);
	memset(&seen, 0, sizeof(seen));
	for (unsigned number = 1; number < 2000; number++) {
		FILE *file = fopen(path_of(number), "re");
		if (!file)
			continue;
		seen.segments++;
		char *line = NULL;
		size_t size = 0;
		ssize_t len;
		while ((len = getline(&line, &size, file)) > 0) {
			if (line[len - 1] == '\n')
				see_line(line);
			else
				seen.torn++;
		}
		free(line);
		fclose(file);
	}
}

static void look_no_more(void)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(seen.lines); i++)
		free(seen.lines[i]);
	memset(&seen, 0, sizeof(seen));
	teardown();
}

TestSuite(stream, .init = setup, .fini = look_no_more);

static unsigned next_record;

static void append(struct skm_stream *stream, unsigned count)
{
	for (; count > 0; count--) {
		struct skm_record record;
		skm_record_init(&record, SKM_EVENT_RESUMED);
		snprintf(record.detail, sizeof(record.detail), "r%u", next_record++);
		skm_stream_append(stream, &record);
	}
}

static struct skm_stream *begin(uint64_t segment_bytes)
{
	struct skm_stream *stream = NULL;
	cr_assert_eq(skm_stream_new_with_ops(folder, segment_bytes, &faulty, &stream), 0);
	return stream;
}

static struct skm_stream_state state_of(const struct skm_stream *stream)
{
	struct skm_stream_state state;
	skm_stream_get_state(stream, &state);
	return state;
}

/* ---- the ordinary
 * ---------------------------------------------------------------------------------------------------- */

Test(stream, stores_in_order_with_one_write_and_one_sync)
{
	struct skm_stream *stream = begin(MEGABYTE);
	append(stream, 3);
	cr_assert_eq(skm_stream_flush(stream), 0);
	append(stream, 10);
	cr_expect_eq(state_of(stream).pending, 10);
	heal();
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(faults.calls[WRITE], 1);
	cr_expect_eq(faults.calls[FDATASYNC], 1);
	cr_expect_eq(state_of(stream).pending, 0);
	cr_expect_eq(state_of(stream).sequence, 13);
	cr_expect_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(faults.calls[WRITE], 1, "nothing to do, and something was done");
	look();
	cr_expect_eq(seen.count, 13);
	cr_expect_eq(seen.next_detail, 13);
	cr_expect_eq(seen.first_sequence, 1);
	skm_stream_free(stream);
}

Test(stream, segments_are_for_the_group_of_the_folder)
{
	umask(0077);
	if (geteuid() == 0)
		cr_assert_eq(chown(folder, (uid_t)-1, 4321), 0);
	struct skm_stream *stream = begin(MEGABYTE);
	append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	struct stat st, folder_st;
	cr_assert_eq(stat(folder, &folder_st), 0);
	cr_assert_eq(stat(path_of(1), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0640);
	cr_expect_eq(st.st_gid, folder_st.st_gid);
	skm_stream_free(stream);
}

Test(stream, a_group_that_may_not_be_given_is_no_reason_to_stop)
{
	if (geteuid() == 0)
		cr_assert_eq(chown(folder, (uid_t)-1, 4321), 0);
	faults.always[FCHOWN] = true;
	faults.error = EPERM;
	struct skm_stream *stream = begin(MEGABYTE);
	append(stream, 1);
	cr_expect_eq(skm_stream_flush(stream), 0);
	skm_stream_free(stream);
}

Test(stream, free_stores_what_waits)
{
	struct skm_stream *stream = NULL;
	cr_assert_eq(skm_stream_new(folder, MEGABYTE, &stream), 0); /* with the system's own calls */
	append(stream, 2);
	cr_expect_null(skm_stream_free(stream));
	cr_expect_null(skm_stream_free(NULL));
	look();
	cr_expect_eq(seen.count, 2);
}

Test(stream, a_restart_continues_the_numbering)
{
	for (unsigned run = 0; run < 4; run++) {
		struct skm_stream *stream = begin(3000);
		append(stream, 5);
		cr_assert_eq(skm_stream_flush(stream), 0);
		skm_stream_free(stream);
	}
	look();
	cr_expect_eq(seen.count, 20);
	cr_expect_eq(seen.next_detail, 20);
	cr_expect_eq(seen.recovered, 0);
}

Test(stream, begins_the_next_segment_when_one_is_full)
{
	struct skm_stream *stream = begin(4000);
	append(stream, 100);
	cr_assert_eq(skm_stream_flush(stream), 0);
	look();
	cr_expect_eq(seen.count, 100);
	cr_expect_geq(seen.segments, 20);
	for (unsigned number = 1; number <= seen.segments; number++)
		cr_expect(size_of(number) > 0 && size_of(number) <= 4000, "segment %u: %ld", number,
			(long)size_of(number));
	/* a limit below one line still stores every line */
	skm_stream_set_segment_bytes(stream, 1);
	append(stream, 3);
	unsigned before = seen.segments;
	cr_assert_eq(skm_stream_flush(stream), 0);
	look();
	cr_expect_eq(seen.segments, before + 3);
	skm_stream_free(stream);
}

Test(stream, an_empty_segment_is_used_even_if_a_line_is_longer_than_the_limit)
{
	struct skm_stream *stream = begin(1);
	append(stream, 3);
	cr_assert_eq(skm_stream_flush(stream), 0);
	for (unsigned number = 1; number <= 3; number++)
		cr_expect_gt(size_of(number), 0);
	cr_expect_eq(size_of(4), -1);
	skm_stream_free(stream);
}

Test(stream, large_queues_go_in_groups)
{
	struct skm_stream *stream = begin(64 * MEGABYTE);
	append(stream, 1000);
	heal();
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect(faults.calls[WRITE] >= 2 && faults.calls[WRITE] < 20, "%u writes", faults.calls[WRITE]);
	look();
	cr_expect_eq(seen.count, 1000);
	skm_stream_free(stream);
}

/* ---- what the last run left
 * ------------------------------------------------------------------------------------------ */

static void store(unsigned count)
{
	struct skm_stream *stream = begin(MEGABYTE);
	append(stream, count);
	cr_assert_eq(skm_stream_flush(stream), 0);
	skm_stream_free(stream);
}

Test(stream, cuts_off_a_torn_line_and_says_so_first)
{
	store(3);
	put(1, "{\"time\":17,\"time_dt\":\"20");
	store(1);
	look();
	cr_expect_eq(seen.torn, 0);
	cr_expect_eq(seen.recovered, 1);
	cr_expect_eq(seen.count, 5);
	cr_expect_str_eq(seen.last_event, "RESUMED"); /* after LOG_RECOVERED */
	cr_expect_eq(seen.segments, 1);
}

Test(stream, finds_the_number_before_an_empty_or_torn_segment)
{
	store(3);
	put(2, "");
	put(3, "{\"time");
	store(1);
	look();
	cr_expect_eq(seen.count, 5);
	cr_expect_eq(seen.recovered, 1);
	cr_expect_gt(size_of(3), 0);
}

Test(stream, a_last_line_that_is_not_ours_stays_and_keeps_its_number)
{
	store(3);
	put(1, "{\"time\":1,\"who\":\"knows\"}\n");
	struct skm_stream *stream = begin(MEGABYTE);
	append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	/* 1 to 3, the strange line counts as 4, LOG_RECOVERED 5, the record 6 */
	cr_expect_eq(state_of(stream).sequence, 6);
	skm_stream_free(stream);
	cr_expect_gt(size_of(2), 0, "no new segment was begun");
}

Test(stream, nothing_but_garbage_is_not_written_behind)
{
	static char garbage[40001];
	memset(garbage, 'x', 40000);
	put(1, garbage);
	put(1, "\n");
	struct skm_stream *stream = begin(MEGABYTE);
	append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(state_of(stream).sequence, 3); /* one strange line, LOG_RECOVERED, the record */
	cr_expect_eq(size_of(1), 40001);
	skm_stream_free(stream);
}

Test(stream, looks_further_back_when_the_end_is_garbage)
{
	static char garbage[40001];
	memset(garbage, 'x', 40000);
	store(200);
	put(1, garbage);
	put(1, "\n{}\n");
	struct skm_stream *stream = begin(MEGABYTE);
	append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(state_of(stream).sequence, 204);
	skm_stream_free(stream);
}

Test(stream, follows_no_link_and_reads_no_device)
{
	store(2);
	cr_assert_eq(symlink("/tmp/skm-must-not-exist", path_of(2)), 0);
	struct skm_stream *stream = begin(MEGABYTE);
	append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(state_of(stream).sequence, 4);
	cr_expect_neq(access("/tmp/skm-must-not-exist", F_OK), 0);
	skm_stream_free(stream);
	cr_assert_eq(mkfifo(path_of(4), 0600), 0);
	store(1);
	cr_expect_gt(size_of(5), 0);
}

Test(stream, other_files_in_the_folder_are_not_segments)
{
	static const char *const names[] = {"9.jsonl", "00000009.jsonl.gz", "0000000a.jsonl",
		"000000009.jsonl", "x00000009.jsonl", "00000000.jsonl"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(names); i++) {
		snprintf(path_buf, sizeof(path_buf), "%s/%s", folder, names[i]);
		FILE *file = fopen(path_buf, "we");
		cr_assert_not_null(file);
		fclose(file);
	}
	store(1);
	cr_expect_gt(size_of(1), 0);
}

/* ---- a line's number
 * ------------------------------------------------------------------------------------------------- */

Test(stream, understands_its_own_lines_and_no_others)
{
	static char line[SKM_RECORD_LINE_MAX];
	struct skm_record record;
	uint64_t sequence = 0;
	skm_record_init(&record, SKM_EVENT_RESUMED);
	snprintf(record.detail, sizeof(record.detail), ",\"skm\":{\"stream\":\"agent\",\"c\":null,\"n\":99,\"b\":");
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

/* ---- trouble
 * ---------------------------------------------------------------------------------------------------------
 */

Test(stream, a_missing_folder_is_found_when_it_comes)
{
	cr_assert_eq(rmdir(folder), 0);
	struct skm_stream *stream = begin(MEGABYTE);
	append(stream, 2);
	cr_expect_eq(skm_stream_flush(stream), -ENOENT);
	cr_expect(state_of(stream).is_failing);
	cr_expect_not_null(strstr(state_of(stream).error, "No such file"), "%s", state_of(stream).error);
	append(stream, 1);
	cr_expect_eq(skm_stream_flush(stream), -ENOENT);
	cr_assert_eq(mkdir(folder, 0750), 0);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_not(state_of(stream).is_failing);
	cr_expect_str_empty(state_of(stream).error);
	look();
	cr_expect_eq(seen.count, 5);
	cr_expect_eq(seen.full, 1);
	cr_expect_eq(seen.resumed, 1);
	cr_expect_str_eq(seen.last_event, "LOG_RESUMED");
	skm_stream_free(stream);
}

Test(stream, a_full_disk_loses_nothing)
{
	struct skm_stream *stream = begin(MEGABYTE);
	append(stream, 2);
	cr_assert_eq(skm_stream_flush(stream), 0);
	off_t good = size_of(1);
	faults.always[WRITE] = true;
	faults.is_short = true;
	faults.error = ENOSPC;
	for (unsigned i = 0; i < 5; i++) {
		append(stream, 2);
		cr_expect_eq(skm_stream_flush(stream), -ENOSPC);
		cr_expect_eq(size_of(1), good, "a part of a line was left behind");
		cr_expect_eq(state_of(stream).sequence, 2);
	}
	heal();
	append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	look();
	cr_expect_eq(seen.next_detail, 13);
	cr_expect_eq(seen.full, 1, "told once");
	cr_expect_eq(seen.resumed, 1);
	cr_expect_eq(seen.resumed_lost, 0);
	cr_expect_eq(seen.segments, 1);
	skm_stream_free(stream);
}

Test(stream, tells_every_time_it_fails_and_works_again)
{
	struct skm_stream *stream = begin(MEGABYTE);
	for (unsigned i = 0; i < 3; i++) {
		append(stream, 1);
		faults.always[WRITE] = true;
		cr_expect_eq(skm_stream_flush(stream), -EIO);
		heal();
		cr_assert_eq(skm_stream_flush(stream), 0);
	}
	look();
	cr_expect_eq(seen.full, 3);
	cr_expect_eq(seen.resumed, 3);
	skm_stream_free(stream);
}

Test(stream, counts_what_it_cannot_hold)
{
	struct skm_stream *stream = begin(64 * MEGABYTE);
	faults.always[WRITE] = true;
	append(stream, SKM_STREAM_PENDING_MAX - 10);
	cr_expect_eq(skm_stream_flush(stream), -EIO);
	append(stream, 59); /* 9 fit beside LOG_FULL */
	cr_expect_eq(state_of(stream).lost, 50);
	cr_expect_eq(state_of(stream).pending, SKM_STREAM_PENDING_MAX);
	heal();
	cr_assert_eq(skm_stream_flush(stream), 0);
	look();
	cr_expect_eq(seen.next_detail, SKM_STREAM_PENDING_MAX - 1);
	cr_expect_eq(seen.resumed, 1);
	cr_expect_eq(seen.resumed_lost, 50);
	cr_expect_eq(state_of(stream).lost, 50);
	skm_stream_free(stream);
}

Test(stream, an_overfull_queue_is_told_even_if_nothing_failed)
{
	struct skm_stream *stream = begin(64 * MEGABYTE);
	append(stream, SKM_STREAM_PENDING_MAX + 7);
	cr_assert_eq(skm_stream_flush(stream), 0);
	look();
	cr_expect_eq(seen.resumed_lost, 7);
	cr_expect_eq(seen.full, 0);
	skm_stream_free(stream);
}

Test(stream, a_failed_sync_is_never_retried_on_the_same_file)
{
	struct skm_stream *stream = begin(MEGABYTE);
	append(stream, 2);
	cr_assert_eq(skm_stream_flush(stream), 0);
	off_t good = size_of(1);
	append(stream, 2);
	heal();
	faults.first = faults.last = 3; /* fstat, write, fdatasync */
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(size_of(1), good, "what was not synced still stands in the old file");
	cr_expect_gt(size_of(2), 0);
	look();
	cr_expect_eq(seen.next_detail, 4);
	cr_expect_eq(seen.duplicates, 0);
	cr_expect_eq(seen.full, 1);
	cr_expect_eq(seen.resumed, 1);
	skm_stream_free(stream);
}

Test(stream, a_disk_that_never_syncs_does_not_fill_the_folder)
{
	struct skm_stream *stream = begin(MEGABYTE);
	append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	faults.always[FDATASYNC] = true;
	for (unsigned i = 0; i < 50; i++) {
		append(stream, 1);
		cr_expect_eq(skm_stream_flush(stream), -EIO);
	}
	heal();
	cr_assert_eq(skm_stream_flush(stream), 0);
	look();
	cr_expect_eq(seen.next_detail, 51);
	cr_expect_eq(seen.segments, 2);
	skm_stream_free(stream);
}

Test(stream, a_removed_or_changed_segment_is_noticed)
{
	struct skm_stream *stream = begin(MEGABYTE);
	append(stream, 2);
	cr_assert_eq(skm_stream_flush(stream), 0);
	put(1, "{\"forged\":true}\n");
	append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_gt(size_of(2), 0);
	cr_assert_eq(unlink(path_of(2)), 0);
	append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_gt(size_of(3), 0, "the number of a removed file is not used again");
	cr_expect_eq(state_of(stream).sequence, 6); /* 2, told, 1, told, 1 */
	cr_assert_eq(truncate(path_of(3), 10), 0);
	append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(size_of(3), 10, "evidence was changed");
	cr_expect_eq(state_of(stream).sequence, 8);
	skm_stream_free(stream);
}

Test(stream, reopens_the_same_folder_without_a_word)
{
	struct skm_stream *stream = begin(MEGABYTE);
	for (unsigned i = 0; i < 3; i++) {
		append(stream, 1);
		cr_assert_eq(skm_stream_flush(stream), 0);
		skm_stream_reopen(stream);
	}
	look();
	cr_expect_eq(seen.count, 3);
	cr_expect_eq(seen.segments, 1);
	skm_stream_free(stream);
}

/* Early in boot the folder may be the one below a mount that comes later. */
Test(stream, goes_on_in_the_folder_that_is_mounted_later)
{
	store(40);
	char aside[80];
	snprintf(aside, sizeof(aside), "%s.mounted", folder);
	cr_assert_eq(rename(folder, aside), 0);
	cr_assert_eq(mkdir(folder, 0750), 0);
	struct skm_stream *stream = begin(MEGABYTE);
	append(stream, 2);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(state_of(stream).sequence, 2);
	empty(folder);
	rmdir(folder);
	cr_assert_eq(rename(aside, folder), 0);
	skm_stream_reopen(stream);
	append(stream, 2);
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(state_of(stream).sequence, 42);
	skm_stream_free(stream);
}

/* ---- every call fails once, twice, for a while
 * ------------------------------------------------------------------------ */

/* A little life: begin, store, rotate, go wrong, go on. Every record must be found in the end, once and in
 * order. */
static unsigned live(unsigned first, unsigned last, bool is_short, int error)
{
	heal();
	empty(folder);
	next_record = 0;
	put(1, "");
	faults.first = first;
	faults.last = last;
	faults.is_short = is_short;
	faults.error = error;
	struct skm_stream *stream = begin(2500);
	for (unsigned round = 0; round < 6; round++) {
		append(stream, round % 3 + 1);
		(void)!skm_stream_flush(stream);
		if (round == 3)
			skm_stream_reopen(stream);
	}
	unsigned total = faults.total;
	heal();
	cr_assert_eq(skm_stream_flush(stream), 0, "does not recover: %s", state_of(stream).error);
	cr_expect_eq(state_of(stream).lost, 0);
	skm_stream_free(stream);
	look();
	cr_assert_eq(seen.next_detail, next_record, "%u of %u records after faults %u to %u",
		seen.next_detail, next_record, first, last);
	cr_expect_eq(seen.full, seen.resumed, "faults %u to %u", first, last);
	return total;
}

Test(stream, survives_any_single_fault)
{
	unsigned total = live(0, 0, false, EIO);
	cr_assert_gt(total, 30);
	static const int errors[] = {EIO, ENOSPC, EROFS, EACCES, ENOENT, EDQUOT, EINTR};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(errors); i++) {
		for (unsigned k = 1; k <= total; k++) {
			live(k, k, false, errors[i]);
			cr_expect_eq(seen.duplicates, 0, "fault %u", k);
			cr_expect_eq(seen.torn, 0, "fault %u", k);
		}
	}
	for (unsigned k = 1; k <= total; k++)
		live(k, k, true, ENOSPC);
}

Test(stream, survives_any_run_of_faults)
{
	unsigned total = live(0, 0, false, EIO);
	for (unsigned k = 1; k <= total; k++)
		for (unsigned len = 2; len < 8; len++)
			live(k, k + len - 1, len % 2, EIO);
}

Test(stream, survives_faults_at_random)
{
	for (unsigned seed = 1; seed <= 300; seed++) {
		empty(folder);
		heal();
		next_record = 0;
		struct skm_stream *stream = begin(2500);
		faults.seed = seed;
		faults.chance = seed % 40 + 1;
		for (unsigned round = 0; round < 20; round++) {
			append(stream, next_random() % 3);
			(void)!skm_stream_flush(stream);
		}
		heal();
		cr_assert_eq(skm_stream_flush(stream), 0, "seed %u: %s", seed, state_of(stream).error);
		skm_stream_free(stream);
		look();
		cr_assert_eq(seen.next_detail, next_record, "seed %u", seed);
		cr_assert_eq(seen.recovered, 0, "seed %u: nobody else touched the files", seed);
	}
}

/* ---- a real small disk
 * ------------------------------------------------------------------------------------------------ */

/* In a mount namespace of its own. Without the privilege the faults above must do. */
static bool mount_small_disk(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", folder, "tmpfs", 0, "size=64k") == 0;
}

Test(stream, a_real_disk_fills_and_is_freed)
{
	if (!mount_small_disk()) {
		cr_log_warn("no privilege to mount a tmpfs: not tested on a real full disk");
		return;
	}
	char hog[80];
	snprintf(hog, sizeof(hog), "%s/hog", folder);
	int fd = open(hog, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	static const char block[48 * 1024];
	cr_assert_eq(write(fd, block, sizeof(block)), (ssize_t)sizeof(block));
	close(fd);
	struct skm_stream *stream = begin(MEGABYTE);
	unsigned failed = 0;
	for (unsigned i = 0; i < 30; i++) {
		append(stream, 1);
		failed += skm_stream_flush(stream) == -ENOSPC;
	}
	cr_expect_gt(failed, 5);
	cr_assert_eq(unlink(hog), 0);
	cr_assert_eq(skm_stream_flush(stream), 0);
	look();
	cr_expect_eq(seen.next_detail, 30);
	cr_expect_eq(seen.full, 1);
	cr_expect_eq(seen.torn, 0);

	/* and read-only */
	skm_stream_reopen(stream);
	cr_assert_eq(mount("none", folder, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	append(stream, 1);
	cr_expect_eq(skm_stream_flush(stream), -EROFS);
	cr_assert_eq(mount("none", folder, NULL, MS_REMOUNT, NULL), 0);
	cr_assert_eq(skm_stream_flush(stream), 0);
	look();
	cr_expect_eq(seen.next_detail, 31);
	skm_stream_free(stream);
	empty(folder);
	cr_expect_eq(umount(folder), 0);
}

/* ---- stamps
 * ----------------------------------------------------------------------------------------------------------
 */

static void stamp(void *user, struct skm_record *record)
{
	snprintf(record->terminal_number, sizeof(record->terminal_number), "%s", (const char *)user);
}

Test(stream, its_own_records_are_stamped)
{
	char terminal[] = "PC-042";
	struct skm_stream *stream = begin(MEGABYTE);
	skm_stream_set_stamp(stream, stamp, terminal);
	faults.always[WRITE] = true;
	append(stream, 1);
	cr_expect_eq(skm_stream_flush(stream), -EIO);
	heal();
	cr_assert_eq(skm_stream_flush(stream), 0);
	look();
	for (uint64_t n = 2; n <= 3; n++)
		cr_expect(seen.lines[n] && strstr(seen.lines[n], "\"number\":\"PC-042\""));
	skm_stream_free(stream);
}
