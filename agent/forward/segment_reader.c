// SPDX-License-Identifier: Apache-2.0
/* One descriptor and one window of the file at a time. No part of a line is ever kept between two reads: a
 * write that fails half way is cut back by the writer and written again, and half of the one line must not be
 * joined to half of the other. So the window is always read from the position on, and a line that is cut by
 * the end of the window is read twice.
 *
 * A segment with a higher number is entered only when it holds something: the writer removes one that it
 * could not begin. Before it is entered the present one is read to its end once more, since the writer never
 * goes back.
 *
 * The bytes before the position are compared each time: whoever shortened or rewrote what was read already
 * gets his segment sent again, and the collector sees both.
 *
 * Rejected: mmap (a file that shrinks kills the reader), and the reader of the command (agent/cli), which
 * shows what is there and need neither believe nor acknowledge it. */
#include "segment_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sekimori/parse.h"

#define SEGMENT_NAME_BYTES 24
#define WINDOW_BYTES (SKM_MESSAGE_LINE_MAX + 1)
#define SEQUENCE_MAX (UINT64_C(1) << 53)

struct skm_segment_reader {
	char *folder;
	int fd;			   /* of segment at.segment; -1 = not open */
	struct skm_position at;	   /* behind the last line taken */
	struct skm_position after; /* behind the line that was looked at */
	size_t begin, end;	   /* what of the window was not taken yet; begin is at.offset in the file */
	char *window;
};

int skm_segment_reader_new(const char *folder, struct skm_segment_reader **ret_reader)
{
	struct skm_segment_reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->fd = -1;
	reader->folder = strdup(folder);
	reader->window = malloc(WINDOW_BYTES);
	if (!reader->folder || !reader->window) {
		(void)skm_segment_reader_free(reader);
		return -ENOMEM;
	}
	*ret_reader = reader;
	return 0;
}

struct skm_segment_reader *skm_segment_reader_free(struct skm_segment_reader *reader)
{
	if (!reader)
		return NULL;
	skm_fd_close(&reader->fd);
	free(reader->folder);
	free(reader->window);
	free(reader);
	return NULL;
}

static void forget(struct skm_segment_reader *reader)
{
	skm_fd_close(&reader->fd);
	reader->begin = reader->end = 0;
}

void skm_segment_reader_seek(struct skm_segment_reader *reader, const struct skm_position *position)
{
	forget(reader);
	reader->at = *position;
}

/* Back to the beginning of a segment (0: of the first one). What was counted stays. */
static void start_over(struct skm_segment_reader *reader, uint32_t segment)
{
	forget(reader);
	reader->at.segment = segment;
	reader->at.offset = 0;
	reader->at.tail_len = 0;
	memset(reader->at.tail, 0, sizeof(reader->at.tail));
}

/* ---- lines ---- */

uint64_t skm_segment_line_number(const char *line, size_t len)
{
	/* Quotes within strings are escaped, so these bytes can only be the members themselves. */
	static const char group[] = ",\"skm\":{", name[] = ",\"n\":";
	const char *end = line + len;
	const char *at = memmem(line, len, group, sizeof(group) - 1);
	at = at ? memmem(at, (size_t)(end - at), name, sizeof(name) - 1) : NULL;
	if (!at)
		return 0;
	uint64_t number = 0;
	for (at += sizeof(name) - 1; at < end && *at >= '0' && *at <= '9'; at++) {
		number = number * 10 + (uint64_t)(*at - '0');
		if (number > SEQUENCE_MAX)
			return 0;
	}
	return number;
}

/* Where the reader will stand behind a line. */
static void move_over(struct skm_position *at, const char *line, size_t len)
{
	size_t tail_len = len < SKM_POSITION_TAIL_BYTES ? len : SKM_POSITION_TAIL_BYTES;
	uint64_t number = skm_segment_line_number(line, len);
	at->offset += len + 1;
	at->tail_len = (uint8_t)tail_len;
	memset(at->tail, 0, sizeof(at->tail));
	memcpy(at->tail, line + len - tail_len, tail_len);
	if (number == 0)
		return;
	if (at->sequence > 0 && number > at->sequence + 1)
		at->missing += number - at->sequence - 1;
	at->sequence = number;
}

/* ---- the folder ---- */

static void name_of(uint32_t number, char ret_name[SEGMENT_NAME_BYTES])
{
	(void)snprintf(ret_name, SEGMENT_NAME_BYTES, "%08u.jsonl", (unsigned)number);
}

/* "00000012.jsonl" -> 12; 0 for anything else. */
static uint32_t number_of(const char *name)
{
	char digits[9];
	uint64_t number = 0;
	if (strlen(name) != sizeof("00000001.jsonl") - 1 || strcmp(name + 8, ".jsonl") != 0)
		return 0;
	memcpy(digits, name, 8);
	digits[8] = '\0';
	return skm_parse_uint(digits, 1, 99999999, &number) == 0 ? (uint32_t)number : 0;
}

static bool holds_something(int folder_fd, const char *name)
{
	struct stat st;
	return fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       st.st_size > 0;
}

static void closedirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* The smallest number above a limit of a segment that holds something, and the smallest of all; 0 = none. */
static int find(
	const struct skm_segment_reader *reader, uint32_t limit, uint32_t *ret_above, uint32_t *ret_first)
{
	SKM_CLEANUP(closedirp) DIR *dir = opendir(reader->folder);
	if (!dir)
		return -errno;
	uint32_t above = 0, first = 0;
	errno = 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		uint32_t number = number_of(entry->d_name);
		bool is_first = number > 0 && (first == 0 || number < first);
		bool is_above = number > limit && (above == 0 || number < above);
		if ((is_first || is_above) && !holds_something(dirfd(dir), entry->d_name))
			is_first = is_above = false;
		if (is_first)
			first = number;
		if (is_above)
			above = number;
		errno = 0;
	}
	if (errno != 0)
		return -errno;
	*ret_above = above;
	*ret_first = first;
	return 0;
}

static int open_at(const struct skm_segment_reader *reader, uint32_t number, int *ret_fd)
{
	char path[4096 + SEGMENT_NAME_BYTES];
	char name[SEGMENT_NAME_BYTES];
	name_of(number, name);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", reader->folder, name) >= sizeof(path))
		return -ENAMETOOLONG;
	/* O_NONBLOCK: somebody may have put a FIFO there. */
	SKM_CLEANUP(skm_fd_close) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	*ret_fd = skm_fd_take(&fd);
	return 0;
}

/* ---- where to read ---- */

/* Does the segment still hold the line that the position is behind? */
static int compare_tail(const struct skm_segment_reader *reader, int fd, bool *ret_is_same)
{
	uint8_t found[SKM_POSITION_TAIL_BYTES + 1];
	size_t len = (size_t)reader->at.tail_len + 1;
	if (reader->at.offset == 0) {
		*ret_is_same = true;
		return 0;
	}
	ssize_t n = pread(fd, found, len, (off_t)(reader->at.offset - len));
	if (n < 0)
		return -errno;
	*ret_is_same =
		(size_t)n == len && memcmp(found, reader->at.tail, len - 1) == 0 && found[len - 1] == '\n';
	return 0;
}

/* The segment of the position is not there. */
static int go_on_elsewhere(struct skm_segment_reader *reader)
{
	uint32_t above = 0, first = 0;
	int r = find(reader, reader->at.segment, &above, &first);
	if (r < 0)
		return r;
	if (above == 0 && first == 0)
		return SKM_SEGMENT_READER_NOTHING;
	start_over(reader, above > 0 ? above : first);
	return 0;
}

/* The segment of the position, or the one that is to be read in its place. */
static int open_segment(struct skm_segment_reader *reader, int *ret_fd)
{
	int r = reader->at.segment > 0 ? open_at(reader, reader->at.segment, ret_fd) : -ENOENT;
	if (r != -ENOENT && r != -ELOOP)
		return r;
	r = go_on_elsewhere(reader);
	return r == 0 ? open_at(reader, reader->at.segment, ret_fd) : r;
}

/* Makes sure that a segment is open which holds the position. 0, SKM_SEGMENT_READER_NOTHING or -errno. */
static int enter(struct skm_segment_reader *reader)
{
	SKM_CLEANUP(skm_fd_close) int fd = skm_fd_take(&reader->fd);
	int r = fd < 0 ? open_segment(reader, &fd) : 0;
	if (r != 0)
		return r;
	bool is_same = true;
	r = compare_tail(reader, fd, &is_same);
	if (r < 0)
		return r;
	if (!is_same)
		start_over(reader, reader->at.segment);
	reader->fd = skm_fd_take(&fd);
	return 0;
}

/* Is the open file still the one under its name? */
static int check_identity(struct skm_segment_reader *reader, bool *ret_is_same)
{
	SKM_CLEANUP(skm_fd_close) int fd = -1;
	struct stat open_one, named_one;
	int r = open_at(reader, reader->at.segment, &fd);
	if (r < 0 && r != -ENOENT && r != -ELOOP)
		return r;
	if (fstat(reader->fd, &open_one) < 0 || (fd >= 0 && fstat(fd, &named_one) < 0))
		return -errno;
	*ret_is_same = fd >= 0 && open_one.st_dev == named_one.st_dev && open_one.st_ino == named_one.st_ino;
	return 0;
}

/* ---- reading ---- */

/* Reads from the position on. *ret_len: bytes up to and with the last newline in the window. *ret_is_full:
 * the window was. */
static int read_window(struct skm_segment_reader *reader, size_t *ret_len, bool *ret_is_full)
{
	ssize_t n = pread(reader->fd, reader->window, WINDOW_BYTES, (off_t)reader->at.offset);
	if (n < 0)
		return -errno;
	const char *newline = n > 0 ? memrchr(reader->window, '\n', (size_t)n) : NULL;
	size_t len = newline ? (size_t)(newline + 1 - reader->window) : 0;
	if (len > 0 && fdatasync(reader->fd) < 0)
		return -errno;
	*ret_len = len;
	*ret_is_full = n == WINDOW_BYTES;
	return 0;
}

/* A line without end in sight: finds its end, if it is there, and goes behind it. */
static int pass_over_long_line(struct skm_segment_reader *reader)
{
	uint64_t offset = reader->at.offset;
	for (;;) {
		ssize_t n = pread(reader->fd, reader->window, WINDOW_BYTES, (off_t)offset);
		if (n < 0)
			return -errno;
		if (n == 0)
			return SKM_SEGMENT_READER_NOTHING;
		const char *newline = memchr(reader->window, '\n', (size_t)n);
		if (newline) {
			offset += (uint64_t)(newline + 1 - reader->window);
			break;
		}
		offset += (uint64_t)n;
	}
	size_t tail_len = SKM_POSITION_TAIL_BYTES;
	ssize_t n = pread(reader->fd, reader->at.tail, tail_len, (off_t)(offset - 1 - tail_len));
	if (n != (ssize_t)tail_len)
		return n < 0 ? -errno : -EAGAIN; /* shrunk meanwhile */
	reader->at.tail_len = (uint8_t)tail_len;
	reader->at.offset = offset;
	reader->at.unsent++;
	return 0;
}

/* The end of the segment: on to the next one, if there is one and nothing was added meanwhile. */
static int leave(struct skm_segment_reader *reader)
{
	uint32_t above = 0, first = 0;
	bool is_same = true, is_full = false;
	size_t len = 0;
	int r = find(reader, reader->at.segment, &above, &first);
	if (r == 0)
		r = read_window(reader, &len, &is_full);
	if (r < 0)
		return r;
	if (len > 0) {
		reader->begin = 0;
		reader->end = len;
		return 0;
	}
	if (above > 0) {
		start_over(reader, above);
		return 0;
	}
	r = check_identity(reader, &is_same);
	if (r < 0)
		return r;
	if (is_same)
		return SKM_SEGMENT_READER_NOTHING;
	forget(reader); /* enter() finds out what became of it */
	return 0;
}

/* Fills the window with at least one whole line. 0, SKM_SEGMENT_READER_NOTHING or -errno. */
static int fill(struct skm_segment_reader *reader)
{
	/* Each turn opens, leaves or passes over something. Who changes the folder faster than that is served
	 * at the next call. */
	for (unsigned turn = 0; turn < 16; turn++) {
		bool is_full = false;
		size_t len = 0;
		int r = enter(reader);
		if (r != 0)
			return r;
		r = read_window(reader, &len, &is_full);
		if (r == 0 && len > 0) {
			reader->begin = 0;
			reader->end = len;
			return 0;
		}
		if (r == 0)
			r = is_full ? pass_over_long_line(reader) : leave(reader);
		/* An endless line without an end: the segment may still be followed by another one. */
		if (r == SKM_SEGMENT_READER_NOTHING && is_full)
			r = leave(reader);
		if (r != 0 || reader->begin < reader->end)
			return r;
	}
	return -EAGAIN;
}

int skm_segment_reader_peek(struct skm_segment_reader *reader, const char **ret_line, size_t *ret_len)
{
	for (;;) {
		if (reader->begin == reader->end) {
			int r = fill(reader);
			if (r != 0)
				return r;
		}
		const char *line = reader->window + reader->begin;
		const char *newline = memchr(line, '\n', reader->end - reader->begin);
		size_t len = (size_t)(newline - line);
		reader->after = reader->at;
		move_over(&reader->after, line, len);
		if (skm_message_can_carry(line, len)) {
			*ret_line = line;
			*ret_len = len;
			return 0;
		}
		reader->after.unsent++;
		skm_segment_reader_take(reader, &reader->at);
	}
}

void skm_segment_reader_take(struct skm_segment_reader *reader, struct skm_position *ret_position)
{
	reader->begin += (size_t)(reader->after.offset - reader->at.offset);
	reader->at = reader->after;
	*ret_position = reader->at;
}
