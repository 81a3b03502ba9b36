// SPDX-License-Identifier: Apache-2.0
/* Which segment is old enough. Whoever could have one deleted early would get rid of records, so nothing is
 * taken on somebody's word alone:
 *
 * The forwarder, which talks to the network, says how far the collector is, but cannot shorten the age.
 * The wall clock is not asked. Age is what the records themselves show: the time from the segment's last line
 * to the newest one, of which each step counts GAP_MAX_MS at most, and a step back, or one that only makes
 * up for it, nothing. A clock that jumps by ten years makes a segment two weeks older, once; a terminal that
 * was switched off for a year also only two weeks: too late is harmless. Lines are sampled: what lies between
 * two that are at most GAP_MAX_MS apart adds nothing, so a look skips it, in steps as long as that allows. It
 * costs some reads for each GAP_MAX_MS, however many segments there are, since the gate waits meanwhile; and
 * is only taken when first and last line are far enough apart.
 *
 * A segment that cannot be understood is never deleted, nor one that follows it: what is left is always an
 * unbroken end of the stream. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "stream_link.h"
#include "stream_retire.h"

#define SAMPLES 64 /* of a segment */
#define GAP_MAX_MS (INT64_C(14) * 86400 * 1000)
#define MSEC_PER_SEC UINT64_C(1000)
#define WINDOW_BYTES ((size_t)2 * SKM_RECORD_LINE_MAX) /* holds a whole line behind any byte */
#define COLLECTED_BYTES 4096

struct segment_file {
	int fd;
	off_t size;
	char window[WINDOW_BYTES];
};

enum { FOUND = 1, TOO_FAR }; /* besides 0 = nothing there, and -errno */

static int open_segment(struct skm_segments *segments, uint32_t number, struct segment_file *file)
{
	char name[SKM_SEGMENT_NAME_BYTES];
	struct stat st;
	skm_segment_name(number, name);
	file->size = 0;
	file->fd = segments->ops->openat(
		segments->folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (file->fd < 0)
		return -errno;
	if (segments->ops->fstat(file->fd, &st) < 0) {
		int r = -errno;
		skm_fd_close(&file->fd);
		return r;
	}
	file->size = S_ISREG(st.st_mode) ? st.st_size : 0;
	return 0;
}

static int read_window(
	const struct skm_stream_ops *ops, struct segment_file *file, off_t offset, size_t *ret_len)
{
	ssize_t n;
	do {
		n = ops->pread(file->fd, file->window, sizeof(file->window), offset);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*ret_len = (size_t)n;
	return 0;
}

/* The first whole line that begins at or (offset > 0) behind the byte. FOUND, 0 or -errno. */
static int line_behind(const struct skm_stream_ops *ops, struct segment_file *file, off_t offset,
	const char **ret_line, size_t *ret_len)
{
	size_t len = 0;
	int r = read_window(ops, file, offset, &len);
	if (r < 0)
		return r;
	const char *begin = file->window, *end = file->window + len;
	if (offset > 0) {
		const char *newline = memchr(begin, '\n', len);
		if (!newline)
			return 0;
		begin = newline + 1;
	}
	const char *newline = memchr(begin, '\n', (size_t)(end - begin));
	if (!newline)
		return 0;
	*ret_line = begin;
	*ret_len = (size_t)(newline - begin);
	return FOUND;
}

/* The last line, if the file ends with it. FOUND, 0 or -errno. */
static int last_line(
	const struct skm_stream_ops *ops, struct segment_file *file, const char **ret_line, size_t *ret_len)
{
	size_t len = 0;
	off_t offset = file->size > (off_t)WINDOW_BYTES ? file->size - (off_t)WINDOW_BYTES : 0;
	int r = read_window(ops, file, offset, &len);
	if (r < 0)
		return r;
	if (len < 2 || file->window[len - 1] != '\n')
		return 0;
	const char *newline = memrchr(file->window, '\n', len - 1);
	if (!newline && offset > 0)
		return 0;
	*ret_line = newline ? newline + 1 : file->window;
	*ret_len = len - 1 - (size_t)(*ret_line - file->window);
	return FOUND;
}

/* ---- age ---- */

struct age {
	int64_t latest_ms; /* that was seen so far */
	int64_t sum_ms;	   /* that is believed to have passed */
};

static void pass(struct age *age, const char *line, size_t len)
{
	struct skm_line_link link;
	if (skm_line_link_parse(line, len, &link) < 0 || link.time_msec <= age->latest_ms)
		return;
	int64_t step_ms = link.time_msec - age->latest_ms;
	age->sum_ms += step_ms < GAP_MAX_MS ? step_ms : GAP_MAX_MS;
	age->latest_ms = link.time_msec;
}

static int pass_samples(const struct skm_stream_ops *ops, struct segment_file *file, struct age *age)
{
	const char *line = NULL;
	size_t len = 0;
	int r = 0;
	for (off_t i = 0; i < SAMPLES && r >= 0; i++) {
		r = line_behind(ops, file, file->size / SAMPLES * i, &line, &len);
		if (r == FOUND)
			pass(age, line, len);
	}
	if (r >= 0)
		r = last_line(ops, file, &line, &len);
	if (r == FOUND)
		pass(age, line, len);
	return r < 0 ? r : 0;
}

/* TOO_FAR: nothing is passed, since there are segments before this one that may be nearer. 0 or -errno. */
static int pass_segment(struct skm_segments *segments, uint32_t number, bool is_next, struct age *age)
{
	struct segment_file file;
	struct skm_line_link last;
	const char *line = NULL;
	size_t len = 0;
	int r = open_segment(segments, number, &file);
	if (r < 0)
		return r;
	r = last_line(segments->ops, &file, &line, &len);
	if (r == FOUND && skm_line_link_parse(line, len, &last) == 0 &&
		last.time_msec - age->latest_ms <= GAP_MAX_MS) {
		pass(age, line, len);
		r = 0;
	} else if (r >= 0) {
		r = is_next ? pass_samples(segments->ops, &file, age) : TOO_FAR;
	}
	skm_fd_close(&file.fd);
	return r;
}

/* From the oldest segment's end on, until it is enough. 0 or -errno. */
static int pass_all(struct skm_segments *segments, const struct skm_segment_list *list, int64_t enough_ms,
	struct age *age)
{
	size_t at = 0, step = 1;
	while (at + 1 < list->count && age->sum_ms < enough_ms) {
		if (step > list->count - 1 - at)
			step = list->count - 1 - at;
		int r = pass_segment(segments, list->numbers[at + step], step == 1, age);
		if (r < 0)
			return r;
		at += r == TOO_FAR ? 0 : step;
		step = r == TOO_FAR ? step / 2 : step * 2;
	}
	return 0;
}

/* ---- the oldest segment ---- */

/* FOUND: the segment is one of ours from end to end, as far as its ends show. */
static int examine(const struct skm_stream_ops *ops, struct segment_file *file, struct skm_old_segment *old,
	int64_t *ret_end_ms)
{
	struct skm_line_link first, last;
	const char *line = NULL;
	size_t len = 0;
	int r = line_behind(ops, file, 0, &line, &len);
	if (r != FOUND)
		return r;
	if (skm_line_link_parse(line, len, &first) < 0)
		return 0;
	r = last_line(ops, file, &line, &len);
	if (r != FOUND)
		return r;
	if (skm_line_link_parse(line, len, &last) < 0 ||
		memcmp(first.chain_id, last.chain_id, sizeof(first.chain_id)) != 0 ||
		first.sequence > last.sequence)
		return 0;
	*ret_end_ms = last.time_msec;
	memcpy(old->chain_id, last.chain_id, sizeof(old->chain_id));
	old->first = first.sequence;
	old->last = last.sequence;
	skm_chain_hash_next(last.previous_hash, line, last.body_len, old->hash);
	return FOUND;
}

/* Is there a newest line at all that is far enough away? Spares the look at everything between. */
static int may_be_old(struct skm_segments *segments, int64_t end_ms, int64_t age_ms)
{
	struct segment_file file;
	struct skm_line_link newest;
	const char *line = NULL;
	size_t len = 0;
	int r = open_segment(segments, segments->current.number, &file);
	if (r < 0)
		return r;
	r = last_line(segments->ops, &file, &line, &len);
	if (r == FOUND && (skm_line_link_parse(line, len, &newest) < 0 || newest.time_msec - end_ms < age_ms))
		r = 0;
	skm_fd_close(&file.fd);
	return r;
}

int skm_retire_find(struct skm_segments *segments, uint64_t age_sec, uint32_t collected,
	struct skm_old_segment *ret_segment)
{
	struct skm_old_segment old = {.number = 0};
	struct segment_file file;
	struct age age = {0};
	int64_t age_ms = (int64_t)(age_sec * MSEC_PER_SEC);
	SKM_CLEANUP(skm_free) struct skm_segment_list *list = NULL;
	int r = skm_segments_list(segments, &list);
	if (r < 0)
		return r;
	/* The newest is being written, and the one before it may be what the chain's state goes back to. */
	if (list->count < 2 || list->numbers[1] >= segments->current.number || list->numbers[0] >= collected)
		return 0;
	old.number = list->numbers[0];
	r = open_segment(segments, old.number, &file);
	if (r < 0)
		return r;
	r = examine(segments->ops, &file, &old, &age.latest_ms);
	skm_fd_close(&file.fd);
	if (r == FOUND)
		r = may_be_old(segments, age.latest_ms, age_ms);
	if (r != FOUND)
		return r;
	r = pass_all(segments, list, age_ms, &age);
	if (r < 0)
		return r;
	if (age.sum_ms < age_ms)
		return 0;
	*ret_segment = old;
	return SKM_RETIRE_FOUND;
}

int skm_retire_delete(struct skm_segments *segments, uint32_t number)
{
	char name[SKM_SEGMENT_NAME_BYTES];
	skm_segment_name(number, name);
	int r = 0;
	if (segments->ops->unlinkat(segments->folder_fd, name, 0) < 0 && errno != ENOENT)
		r = -errno;
	/* After a power cut it would be there again: no harm, but the record says it is gone. */
	if (r == 0 && segments->ops->fsync(segments->folder_fd) < 0)
		r = -errno;
	if (r < 0)
		(void)snprintf(
			segments->error, sizeof(segments->error), "cannot delete %s: %s", name, strerror(-r));
	return r;
}

/* ---- the collector ---- */

/* Of the forwarder's state (agent/forward/position.h) one number is needed here; the daemons do not know the
 * forwarder's modules. tests/seam/test_stream_retire.c holds the two against each other. */
static int parse_collected(const char *text, const char *stream, uint32_t *ret_segment)
{
	static const char head[] = "sekimori-forward 1\n";
	char label[64];
	uint64_t number = 0;
	if (strncmp(text, head, sizeof(head) - 1) != 0)
		return -EBADMSG;
	(void)snprintf(label, sizeof(label), "\n%s segment=", stream);
	const char *found = strstr(text + sizeof(head) - 2, label);
	if (!found)
		return -EBADMSG;
	const char *at = found + strlen(label);
	for (; *at >= '0' && *at <= '9' && number <= SKM_SEGMENT_NUMBER_MAX; at++)
		number = number * 10 + (uint64_t)(*at - '0');
	if (*at != ' ' || at == found + strlen(label) || number > SKM_SEGMENT_NUMBER_MAX)
		return -EBADMSG;
	*ret_segment = (uint32_t)number;
	return 0;
}

int skm_retire_read_collected(const char *path, const char *stream, uint32_t *ret_segment)
{
	char text[COLLECTED_BYTES];
	struct stat st;
	/* It belongs to an unprivileged user, who may put anything there: a FIFO, a link. */
	SKM_CLEANUP(skm_fd_close)
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	ssize_t n;
	do {
		n = pread(fd, text, sizeof(text) - 1, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return strlen(text) == (size_t)n ? parse_collected(text, stream, ret_segment) : -EBADMSG;
}
