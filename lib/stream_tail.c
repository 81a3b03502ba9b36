// SPDX-License-Identifier: Apache-2.0
/* The chain's state may be older than the lines (a kill between a line and the state; a power cut takes the
 * states since the last checkpoint). Then the old key proves each further line, and moves on with it. It is
 * never newer, unless somebody has cut lines off: that is found here too. Only the part of the log behind the
 * state is judged: the whole is the verifier's, who does not trust this machine. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "stream_link.h"
#include "stream_tail.h"

struct reader {
	const struct skm_stream_ops *ops;
	int fd;
	off_t size;   /* of the file, when it was opened */
	off_t offset; /* behind what is in buf */
	size_t begin, end;
	bool is_skipping; /* inside of a line that is too long to be ours */
	char buf[2 * SKM_RECORD_LINE_MAX];
};

#define NEAR_BYTES ((off_t)8 * SKM_RECORD_LINE_MAX)

enum { LINE = 1, NO_FILE }; /* besides 0 = end, and -errno */

static int open_segment(struct skm_segments *segments, uint32_t number, struct reader *reader)
{
	char name[SKM_SEGMENT_NAME_BYTES];
	struct stat st;
	skm_segment_name(number, name);
	*reader = (struct reader){.ops = segments->ops, .fd = -1};
	SKM_CLEANUP(skm_fd_close)
	int fd = segments->ops->openat(
		segments->folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
		return NO_FILE;
	if (fd < 0 || segments->ops->fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return NO_FILE;
	reader->size = st.st_size;
	reader->fd = skm_fd_take(&fd);
	return 0;
}

static int fill(struct reader *reader)
{
	memmove(reader->buf, reader->buf + reader->begin, reader->end - reader->begin);
	reader->end -= reader->begin;
	reader->begin = 0;
	if (reader->end == sizeof(reader->buf)) {
		reader->is_skipping = true;
		reader->end = 0;
	}
	ssize_t n;
	do {
		n = reader->ops->pread(reader->fd, reader->buf + reader->end,
			sizeof(reader->buf) - reader->end, reader->offset);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	reader->end += (size_t)n;
	reader->offset += n;
	return n > 0 ? LINE : 0;
}

/* LINE, 0 at the end (a torn rest is no line), or -errno. A line that is too long is given as an empty one.
 */
static int next_line(struct reader *reader, const char **ret_line, size_t *ret_len)
{
	for (;;) {
		const char *line = reader->buf + reader->begin;
		const char *newline = memchr(line, '\n', reader->end - reader->begin);
		if (newline) {
			*ret_line = line;
			*ret_len = reader->is_skipping ? 0 : (size_t)(newline - line);
			reader->begin += (size_t)(newline - line) + 1;
			reader->is_skipping = false;
			return LINE;
		}
		int r = fill(reader);
		if (r != LINE)
			return r;
	}
}

/* ---- where to begin ---- */

/* The number of the segment's first line; 0 when that is none of the chain. NO_FILE: no segment, or an empty
 * one. */
static int first_number(
	struct skm_segments *segments, uint32_t number, const struct skm_chain *chain, uint64_t *ret_sequence)
{
	struct reader reader;
	struct skm_line_link link;
	const char *line = NULL;
	size_t len = 0;
	int r = open_segment(segments, number, &reader);
	if (r != 0)
		return r;
	r = next_line(&reader, &line, &len);
	if (r == LINE) {
		bool is_ours = skm_line_link_parse(line, len, &link) == 0 &&
			       memcmp(link.chain_id, chain->id, sizeof(link.chain_id)) == 0;
		*ret_sequence = is_ours ? link.sequence : 0;
	}
	skm_fd_close(&reader.fd);
	if (r < 0)
		return r;
	return r == LINE ? 0 : NO_FILE;
}

/* The newest segment that begins at or before the last record that the chain knows, so that this one is
 * looked at too; or the oldest of the chain. 0 = none of the chain. */
static int find_begin(struct skm_segments *segments, const struct skm_chain *chain, uint32_t *ret_number)
{
	uint32_t found = 0;
	SKM_CLEANUP(skm_free) struct skm_segment_list *list = NULL;
	int r = skm_segments_list(segments, &list);
	if (r < 0)
		return r;
	for (size_t i = list->count; i-- > 0;) {
		uint64_t sequence = 0;
		r = first_number(segments, list->numbers[i], chain, &sequence);
		if (r < 0)
			return r;
		if (r == 0 && sequence > 0)
			found = list->numbers[i];
		if (r == 0 && sequence > 0 && sequence <= chain->sequence)
			break;
	}
	*ret_number = found;
	return 0;
}

static void move_to(struct reader *reader, off_t offset)
{
	reader->offset = offset;
	reader->begin = reader->end = 0;
	reader->is_skipping = offset > 0;
}

/* 1: a line of the chain, of a record that it knows, stands next behind the first newline after `offset`. 0:
 * none does. -errno. */
static int is_known_behind(struct reader *reader, off_t offset, const struct skm_chain *chain)
{
	struct skm_line_link link;
	const char *line = NULL;
	size_t len = 0;
	move_to(reader, offset);
	int r = next_line(reader, &line, &len); /* the rest of a line */
	if (r == LINE)
		r = next_line(reader, &line, &len);
	if (r != LINE)
		return r;
	return skm_line_link_parse(line, len, &link) == 0 &&
	       memcmp(link.chain_id, chain->id, sizeof(link.chain_id)) == 0 &&
	       link.sequence <= chain->sequence;
}

/* Skips what is known long since: a service that starts with each login must not read a whole segment. */
static int skip_known(struct reader *reader, const struct skm_chain *chain)
{
	const char *line = NULL;
	size_t len = 0;
	for (off_t window = NEAR_BYTES; window < reader->size; window *= 8) {
		int r = is_known_behind(reader, reader->size - window, chain);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		move_to(reader, reader->size - window);
		r = next_line(reader, &line, &len);
		return r < 0 ? r : 0;
	}
	move_to(reader, 0);
	return 0;
}

int skm_stream_tail_exists(struct skm_segments *segments, bool *ret_exists)
{
	static const struct skm_chain nobodys;
	SKM_CLEANUP(skm_free) struct skm_segment_list *list = NULL;
	int r = skm_segments_list(segments, &list);
	if (r < 0)
		return r;
	for (size_t i = list->count; i-- > 0;) {
		uint64_t sequence;
		r = first_number(segments, list->numbers[i], &nobodys, &sequence);
		if (r < 0)
			return r;
		if (r == 0) {
			*ret_exists = true;
			return 0;
		}
	}
	*ret_exists = false;
	return 0;
}

/* ---- taking in ---- */

struct walk {
	struct skm_chain *chain;
	uint64_t known;	    /* chain->sequence at the beginning */
	uint64_t seen;	    /* highest number up to `known` that is there */
	bool is_head_other; /* record `known` is there, with other contents */
	uint64_t foreign;   /* lines */
	uint64_t wrong;	    /* the first record that does not continue; 0 = none */
	uint64_t gap_until; /* the first record after a gap; 0 = none */
};

static void take_known(struct walk *walk, const char *line, const struct skm_line_link *link)
{
	uint8_t head[SKM_CHAIN_HASH_BYTES];
	if (link->sequence > walk->seen)
		walk->seen = link->sequence;
	if (link->sequence != walk->known)
		return;
	skm_chain_hash_next(link->previous_hash, line, link->body_len, head);
	walk->is_head_other = memcmp(head, walk->chain->head, sizeof(head)) != 0;
}

static void take_next(struct walk *walk, const char *line, const struct skm_line_link *link)
{
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	struct skm_chain next = *walk->chain;
	bool is_right = memcmp(link->previous_hash, next.head, sizeof(next.head)) == 0;
	int r = link->is_checkpoint ? skm_checkpoint_follow(&next, link->next_key, link->day) : 0;
	skm_chain_extend(&next, line, link->body_len, mac);
	/* Who made that MAC had the key: a checkpoint whose next key is not known is followed all the same
	 * (-ENOKEY); the verifier will see that another key signs. */
	if (r < 0)
		next.checkpoint_sequence = next.sequence;
	if (is_right && memcmp(mac, link->mac, sizeof(mac)) == 0) {
		next.boot_number = link->boot_number;
		memcpy(next.boot_id, link->boot_id, sizeof(next.boot_id));
		*walk->chain = next;
	} else {
		walk->wrong = link->sequence;
	}
	skm_chain_clear(&next);
}

static void take_line(struct walk *walk, const char *line, size_t len)
{
	struct skm_line_link link;
	if (skm_line_link_parse(line, len, &link) < 0 ||
		memcmp(link.chain_id, walk->chain->id, sizeof(link.chain_id)) != 0) {
		walk->foreign++;
	} else if (link.sequence <= walk->known) {
		take_known(walk, line, &link);
	} else if (walk->wrong > 0 || walk->gap_until > 0 || link.sequence <= walk->chain->sequence) {
		/* behind a break nothing can be said; a line that stands twice is a failed sync's */
	} else if (link.sequence > walk->chain->sequence + 1) {
		walk->gap_until = link.sequence;
	} else {
		take_next(walk, line, &link);
	}
}

SKM_PRINTF(2, 3) static void judge(struct skm_chain_verdict *verdict, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	verdict->is_broken = true;
	(void)vsnprintf(verdict->detail, sizeof(verdict->detail), format, arguments);
	va_end(arguments);
}

static void conclude(const struct walk *walk, struct skm_chain_verdict *verdict)
{
	if (walk->seen < walk->known)
		judge(verdict,
			"the last %" PRIu64 " records, %" PRIu64 " to %" PRIu64
			", are missing; the chain goes on behind them",
			walk->known - walk->seen, walk->seen + 1, walk->known);
	else if (walk->is_head_other)
		judge(verdict, "record %" PRIu64 " was changed; the chain goes on behind it", walk->known);
	else if (walk->wrong > 0)
		judge(verdict,
			"record %" PRIu64
			" is not the one that was written (its code is wrong); the chain goes on in its place",
			walk->wrong);
	else if (walk->gap_until > 0)
		judge(verdict,
			"records %" PRIu64 " to %" PRIu64
			" are missing; the chain goes on behind the last one before them",
			walk->chain->sequence + 1, walk->gap_until - 1);
	else if (walk->foreign > 0)
		judge(verdict,
			"%" PRIu64
			" lines stand among the last records that belong to no record of this chain",
			walk->foreign);
}

int skm_stream_tail_take(
	struct skm_segments *segments, struct skm_chain *chain, struct skm_chain_verdict *verdict)
{
	struct walk walk = {.chain = chain, .known = chain->sequence};
	uint32_t begin = 0;
	int r = find_begin(segments, chain, &begin);
	if (r == 0 && begin == 0 && chain->sequence == 0)
		return SKM_TAIL_NONE;
	for (uint32_t number = begin; r >= 0 && number > 0 && number <= segments->current.number; number++) {
		struct reader reader;
		const char *line = NULL;
		size_t len = 0;
		r = open_segment(segments, number, &reader);
		if (r != 0)
			continue;
		if (number == begin)
			r = skip_known(&reader, chain);
		while (r >= 0 && (r = next_line(&reader, &line, &len)) == LINE)
			take_line(&walk, line, len);
		skm_fd_close(&reader.fd);
	}
	if (r < 0)
		return r;
	conclude(&walk, verdict);
	return 0;
}
