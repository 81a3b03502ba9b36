// SPDX-License-Identifier: Apache-2.0
/* Where does a segment end, and with which number? Only our own lines are understood, by a scan that is
 * strict where a JSON parser would be generous: the agent needs no parser for anything else, and a line that
 * was changed by hand is not ours. The scan is sound because quotes within strings are always escaped: the
 * bytes ,"skm":{ can only be the member itself. */
#include <string.h>

#include "stream_segment.h"

#define WINDOW_BYTES                                                                           \
	((size_t)2 * SKM_RECORD_LINE_MAX) /* holds the last whole line and a torn one after it \
					   */
#define STREAM_NAME_MAX 16

static bool skip(const char **at, const char *end, const char *word)
{
	size_t len = strlen(word);
	if ((size_t)(end - *at) < len || memcmp(*at, word, len) != 0)
		return false;
	*at += len;
	return true;
}

static bool skip_stream_name(const char **at, const char *end)
{
	const char *begin = *at;
	while (*at < end && **at >= 'a' && **at <= 'z')
		(*at)++;
	return *at > begin && *at - begin <= STREAM_NAME_MAX;
}

/* Of a stream without a chain, null. */
static bool skip_chain_id(const char **at, const char *end)
{
	if (skip(at, end, "null"))
		return true;
	if (!skip(at, end, "\""))
		return false;
	const char *begin = *at;
	while (*at < end && ((**at >= '0' && **at <= '9') || (**at >= 'a' && **at <= 'f')))
		(*at)++;
	return (size_t)(*at - begin) == (size_t)2 * SKM_CHAIN_ID_BYTES && skip(at, end, "\"");
}

static bool read_number(const char **at, const char *end, uint64_t *ret_number)
{
	uint64_t number = 0;
	if (*at < end && **at == '0') /* numbers begin with 1 and have no leading zero */
		return false;
	const char *begin = *at;
	for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
		number = number * 10 + (uint64_t)(**at - '0');
		if (number > SKM_SEQUENCE_MAX)
			return false;
	}
	if (*at == begin)
		return false;
	*ret_number = number;
	return true;
}

int skm_segment_line_sequence(const char *line, size_t len, uint64_t *ret_sequence)
{
	static const char head[] = "{\"time\":", chain[] = ",\"skm\":{\"stream\":\"", tail[] = "},\"m\":";
	const char *at = line, *end = line + len;
	uint64_t number;
	if (!skip(&at, end, head) || len > SKM_RECORD_LINE_MAX || end[-1] != '}' || memchr(line, '\0', len))
		return -EBADMSG;
	at = memmem(line, len, chain, sizeof(chain) - 1);
	if (!at)
		return -EBADMSG;
	at += sizeof(chain) - 1;
	if (!skip_stream_name(&at, end) || !skip(&at, end, "\",\"c\":") || !skip_chain_id(&at, end) ||
		!skip(&at, end, ",\"n\":") || !read_number(&at, end, &number) || !skip(&at, end, ",\"b\":") ||
		!memmem(at, (size_t)(end - at), tail, sizeof(tail) - 1))
		return -EBADMSG;
	*ret_sequence = number;
	return 0;
}

struct window {
	char buf[WINDOW_BYTES];
	size_t len;
	uint64_t offset;    /* in the file, of buf[0] */
	bool lost_its_head; /* buf begins within a line */
	bool counts;	    /* and that line belongs to what is scanned */
};

static void scan_line(struct window *window, size_t begin, size_t end, struct skm_segment_scan *scan)
{
	uint64_t sequence;
	if (!window->lost_its_head &&
		skm_segment_line_sequence(window->buf + begin, end - begin, &sequence) == 0) {
		scan->sequence = sequence;
		scan->unreadable_lines = 0;
	} else if (!window->lost_its_head || window->counts) {
		scan->unreadable_lines++;
	}
	window->lost_its_head = false;
	scan->whole_bytes = window->offset + end + 1;
}

static void scan_window(struct window *window, struct skm_segment_scan *scan)
{
	size_t begin = 0;
	const char *newline;
	while ((newline = memchr(window->buf + begin, '\n', window->len - begin))) {
		size_t end = (size_t)(newline - window->buf);
		scan_line(window, begin, end, scan);
		begin = end + 1;
	}
	if (begin == 0 && window->len == sizeof(window->buf)) {
		/* longer than any line of ours: forget it, but count it once it ends */
		window->lost_its_head = window->counts = true;
		begin = window->len;
	}
	window->len -= begin;
	window->offset += begin;
	memmove(window->buf, window->buf + begin, window->len);
}

static int scan_from(const struct skm_stream_ops *ops, int fd, uint64_t from, uint64_t size,
	struct skm_segment_scan *ret_scan)
{
	struct window window = {.offset = from, .lost_its_head = from > 0};
	struct skm_segment_scan scan = {0};
	while (window.offset + window.len < size) {
		ssize_t n = ops->pread(fd, window.buf + window.len, sizeof(window.buf) - window.len,
			(off_t)(window.offset + window.len));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		window.len += (size_t)n;
		scan_window(&window, &scan);
	}
	*ret_scan = scan;
	return 0;
}

int skm_segment_scan(
	const struct skm_stream_ops *ops, int fd, uint64_t size, struct skm_segment_scan *ret_scan)
{
	uint64_t from = size > WINDOW_BYTES ? size - WINDOW_BYTES : 0;
	struct skm_segment_scan scan = {0};
	int r = scan_from(ops, fd, from, size, &scan);
	if (r == 0 && from > 0 && (scan.sequence == 0 || scan.unreadable_lines > 0))
		r = scan_from(ops, fd, 0, size, &scan);
	if (r < 0)
		return r;
	*ret_scan = scan;
	return 0;
}
