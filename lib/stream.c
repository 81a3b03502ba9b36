// SPDX-License-Identifier: Apache-2.0
/* The queue before the disk, and the numbers. A record gets its number when its line is written, and keeps it
 * only if the line is stored: so there is never a gap, and what is written again after a failed fdatasync is
 * the same bytes under the same number (records are only ever added behind those that have been tried).
 * Waiting records are kept as structs, not as lines, since number and chain are part of the line; an idle
 * stream holds none. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "stream_segment.h"

#define GROUP_LINES 32 /* of the longest, in one write and one fdatasync; bounds the buffer to 256 kB */

struct pending {
	struct pending *next;
	struct skm_record record;
};

struct skm_stream {
	struct skm_segments segments;
	uint64_t segment_bytes;
	struct pending *head, **tail; /* oldest first */
	uint64_t pending_count;
	uint64_t sequence; /* of the last record stored */
	uint64_t lost;	   /* since the stream exists */
	uint64_t lost_untold;
	uint64_t waited; /* records that could not be stored at once since it began to fail */
	bool is_failing;
	bool has_queued_resumed;
	struct skm_segment_finding finding; /* is_repaired: to be told */
	skm_stream_stamp_fn stamp;
	void *stamp_user;
};

int skm_stream_new_with_ops(const char *folder, uint64_t segment_bytes, const struct skm_stream_ops *ops,
	struct skm_stream **ret_stream)
{
	struct skm_stream *stream = calloc(1, sizeof(*stream));
	if (!stream)
		return -ENOMEM;
	int r = skm_segments_init(&stream->segments, folder, ops);
	if (r < 0) {
		free(stream);
		return r;
	}
	stream->segment_bytes = segment_bytes;
	stream->tail = &stream->head;
	*ret_stream = stream;
	return 0;
}

int skm_stream_new(const char *folder, uint64_t segment_bytes, struct skm_stream **ret_stream)
{
	return skm_stream_new_with_ops(folder, segment_bytes, &skm_stream_ops_system, ret_stream);
}

static void drop_oldest(struct skm_stream *stream, uint64_t count)
{
	for (; count > 0 && stream->head; count--) {
		struct pending *oldest = stream->head;
		stream->head = oldest->next;
		if (!stream->head)
			stream->tail = &stream->head;
		stream->pending_count--;
		free(oldest);
	}
}

struct skm_stream *skm_stream_free(struct skm_stream *stream)
{
	if (!stream)
		return NULL;
	/* What cannot be stored now has been said in the state and on stderr; there is nobody left to try
	 * again. */
	(void)!skm_stream_flush(stream);
	drop_oldest(stream, stream->pending_count);
	skm_segments_finish(&stream->segments);
	free(stream);
	return NULL;
}

/* ---- the queue
 * ------------------------------------------------------------------------------------------------------- */

static struct pending *copy_of(const struct skm_record *record)
{
	struct pending *pending = malloc(sizeof(*pending));
	if (pending)
		*pending = (struct pending){.record = *record};
	return pending;
}

static void push_back(struct skm_stream *stream, struct pending *pending)
{
	*stream->tail = pending;
	stream->tail = &pending->next;
	stream->pending_count++;
}

static void push_front(struct skm_stream *stream, struct pending *pending)
{
	pending->next = stream->head;
	stream->head = pending;
	if (!pending->next)
		stream->tail = &pending->next;
	stream->pending_count++;
}

void skm_stream_append(struct skm_stream *stream, const struct skm_record *record)
{
	struct pending *pending = stream->pending_count < SKM_STREAM_PENDING_MAX ? copy_of(record) : NULL;
	if (!pending) {
		stream->lost++;
		stream->lost_untold++;
		return;
	}
	push_back(stream, pending);
	if (stream->is_failing)
		stream->waited++;
}

/* The stream's own records do not count against the limit: they are few, and they tell that there was one. */
SKM_PRINTF(5, 6)
static struct pending *make_own(struct skm_stream *stream, enum skm_event event, enum skm_outcome outcome,
	const char *object, const char *format, ...)
{
	struct skm_record record;
	skm_record_init(&record, event);
	if (stream->stamp)
		stream->stamp(stream->stamp_user, &record);
	record.outcome = outcome;
	(void)snprintf(record.rule, sizeof(record.rule), "builtin:log");
	(void)snprintf(record.object, sizeof(record.object), "%s", object);
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(record.detail, sizeof(record.detail), format, arguments);
	va_end(arguments);
	return copy_of(&record);
}

/* ---- storing
 * ---------------------------------------------------------------------------------------------------------
 */

/* Formats as many as fit into the buffer and the segment, and stores them together. */
static int store_group(struct skm_stream *stream, char *buf, size_t size)
{
	const struct skm_segments *segments = &stream->segments;
	size_t len = 0, count = 0;
	for (struct pending *at = stream->head; at && size - len >= SKM_RECORD_LINE_MAX; at = at->next) {
		at->record.sequence = stream->sequence + count + 1;
		size_t line_len = skm_record_format(&at->record, buf + len);
		bool is_full =
			segments->size + len > 0 && segments->size + len + line_len > stream->segment_bytes;
		if (is_full && len > 0)
			break;
		if (is_full) {
			int r = skm_segments_next(&stream->segments);
			if (r < 0)
				return r;
		}
		len += line_len;
		count++;
	}
	int r = skm_segments_append(&stream->segments, buf, len);
	if (r < 0)
		return r;
	stream->sequence += count;
	drop_oldest(stream, count);
	return 0;
}

static int store_all(struct skm_stream *stream)
{
	/* One record, or no memory for more: line by line. */
	char one[SKM_RECORD_LINE_MAX];
	size_t lines = stream->pending_count < GROUP_LINES ? (size_t)stream->pending_count : GROUP_LINES;
	char *group = lines > 1 ? malloc(lines * SKM_RECORD_LINE_MAX) : NULL;
	int r = 0;
	while (r == 0 && stream->head)
		r = store_group(
			stream, group ? group : one, group ? lines * SKM_RECORD_LINE_MAX : sizeof(one));
	free(group);
	return r;
}

static int open_segment(struct skm_stream *stream)
{
	struct skm_segment_finding finding = {0};
	int r = skm_segments_open(&stream->segments, &finding);
	if (finding.is_repaired)
		stream->finding = finding;
	if (r < 0)
		return r;
	/* Within one run no number is given twice, whatever has become of the folder. */
	if (finding.sequence > stream->sequence)
		stream->sequence = finding.sequence;
	if (!stream->finding.is_repaired)
		return 0;
	struct pending *told = make_own(stream, SKM_EVENT_LOG_RECOVERED, SKM_OUTCOME_LOGGED,
		stream->finding.object, "%s", stream->finding.detail);
	if (!told)
		return -ENOMEM;
	push_front(stream, told);
	stream->finding.is_repaired = false;
	return 0;
}

static void begin_failing(struct skm_stream *stream)
{
	if (stream->is_failing)
		return;
	stream->is_failing = true;
	stream->waited = stream->pending_count;
	struct pending *told = make_own(stream, SKM_EVENT_LOG_FULL, SKM_OUTCOME_ERROR,
		stream->segments.folder, "%s", stream->segments.error);
	if (told)
		push_back(stream, told);
}

static int drain(struct skm_stream *stream)
{
	int r = open_segment(stream);
	if (r == 0)
		r = store_all(stream);
	if (r == -ENOMEM)
		(void)snprintf(
			stream->segments.error, sizeof(stream->segments.error), "%s", strerror(ENOMEM));
	if (r < 0)
		begin_failing(stream);
	return r;
}

/* Once more if a segment had to be given up, since another one may do. */
static int drain_or_move(struct skm_stream *stream)
{
	int r = drain(stream);
	if (r < 0 && stream->segments.fd < 0 && stream->segments.is_abandoned)
		r = drain(stream);
	return r;
}

int skm_stream_flush(struct skm_stream *stream)
{
	while (stream->head || stream->is_failing || stream->lost_untold > 0) {
		int r = drain_or_move(stream);
		if (r < 0)
			return r;
		if (stream->lost_untold == 0 && (!stream->is_failing || stream->has_queued_resumed)) {
			stream->is_failing = stream->has_queued_resumed = false;
			return 0;
		}
		struct pending *told = make_own(stream, SKM_EVENT_LOG_RESUMED, SKM_OUTCOME_LOGGED,
			stream->segments.folder, "%" PRIu64 " records had waited, %" PRIu64 " were lost",
			stream->waited, stream->lost_untold);
		if (!told)
			return -ENOMEM;
		told->record.count = stream->lost_untold;
		push_back(stream, told);
		stream->lost_untold = 0;
		stream->has_queued_resumed = true;
	}
	return 0;
}

void skm_stream_reopen(struct skm_stream *stream)
{
	skm_segments_close(&stream->segments);
}

void skm_stream_get_state(const struct skm_stream *stream, struct skm_stream_state *ret_state)
{
	*ret_state = (struct skm_stream_state){
		.is_failing = stream->is_failing,
		.pending = stream->pending_count,
		.lost = stream->lost,
		.sequence = stream->sequence,
	};
	if (stream->is_failing)
		(void)snprintf(ret_state->error, sizeof(ret_state->error), "%s", stream->segments.error);
}

void skm_stream_set_stamp(struct skm_stream *stream, skm_stream_stamp_fn stamp, void *user)
{
	stream->stamp = stamp;
	stream->stamp_user = user;
}

void skm_stream_set_segment_bytes(struct skm_stream *stream, uint64_t segment_bytes)
{
	stream->segment_bytes = segment_bytes;
}
