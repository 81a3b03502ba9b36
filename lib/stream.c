// SPDX-License-Identifier: Apache-2.0
/* The queue before the disk, and the numbers. A record gets its number when its line is written, and keeps it
 * only if the line is stored: so there is never a gap, and what is written again after a failed fdatasync is
 * the same bytes under the same number (records are only ever added behind those that have been tried).
 * Waiting records are kept as structs, not as lines, since number and chain are part of the line.
 *
 * Many lines are written in pieces, so that the disk is busy with the first while the processor is with the
 * next, and one sync is enough for all. A thread for the disk was rejected: it would gain the last piece. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "stream_chain.h"
#include "stream_retire.h"
#include "stream_segment.h"

#define CHECKPOINT_BYTES 2048u /* room for the last line of a segment; most are shorter */
#define SPARE_MAX 512u	       /* 3 MB */
#define PIECE_LINES 16	       /* of the longest, in one write; bounds the buffer to 128 kB */
#define GROUP_BYTES 1048576u   /* about as many in one fdatasync */

struct pending {
	struct pending *next;
	struct skm_record record;
};

struct skm_stream {
	struct skm_segments segments;
	uint64_t segment_bytes;
	struct pending *head, **tail; /* oldest first */
	struct pending *spare;
	uint64_t spare_count;
	uint64_t pending_count;
	uint64_t sequence; /* of the last record stored */
	uint64_t lost;	   /* since the stream exists */
	uint64_t lost_untold;
	uint64_t waited; /* records that could not be stored at once since it began to fail */
	bool is_failing;
	bool is_large; /* the group that was tried last had several pieces */
	bool has_queued_resumed;
	struct skm_segment_finding finding; /* is_repaired: to be told */
	struct skm_stream_chain *chain;	    /* NULL = without */
	bool is_unchecked;		    /* the chain has not looked at the segments as they are now */
	bool is_start_due;		    /* its first checkpoint of this run */
	struct skm_chain_verdict verdict;   /* is_broken: to be told */
	skm_stream_stamp_fn stamp;
	void *stamp_user;
	uint32_t deletion_told;	     /* number of the segment */
	skm_stream_stored_fn stored; /* NULL = nobody asks */
	void *stored_user;
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

int skm_stream_set_chain_with_ops(struct skm_stream *stream, const struct skm_stream_chain_options *options,
	const struct skm_chain_file_ops *ops)
{
	return skm_stream_chain_new(options, ops, &stream->chain);
}

int skm_stream_set_chain(struct skm_stream *stream, const struct skm_stream_chain_options *options)
{
	return skm_stream_set_chain_with_ops(stream, options, &skm_chain_file_ops_system);
}

void skm_stream_set_verifier_key(struct skm_stream *stream, const uint8_t *verifier_key)
{
	if (stream->chain)
		skm_stream_chain_set_verifier_key(stream->chain, verifier_key);
}

/* The memory of records that are stored serves the next ones: a flood would otherwise take page after page
 * from the kernel, only to give it back with each flush, and that costs a fifth of all. What the records
 * between two flushes have no use for is given back at the second, at the latest by the regular checkpoint.
 */
static void set_aside(struct skm_stream *stream, struct pending *pending)
{
	if (stream->spare_count == SPARE_MAX) {
		free(pending);
		return;
	}
	pending->next = stream->spare;
	stream->spare = pending;
	stream->spare_count++;
}

/* NULL: no memory. */
static struct pending *take_spare(struct skm_stream *stream)
{
	struct pending *pending = stream->spare;
	if (!pending)
		return malloc(sizeof(*pending));
	stream->spare = pending->next;
	stream->spare_count--;
	return pending;
}

static void free_spare(struct skm_stream *stream)
{
	while (stream->spare)
		free(take_spare(stream));
}

static void drop_oldest(struct skm_stream *stream, uint64_t count)
{
	for (; count > 0 && stream->head; count--) {
		struct pending *oldest = stream->head;
		stream->head = oldest->next;
		if (!stream->head)
			stream->tail = &stream->head;
		stream->pending_count--;
		set_aside(stream, oldest);
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
	free_spare(stream);
	skm_segments_finish(&stream->segments);
	stream->chain = skm_stream_chain_free(stream->chain);
	free(stream);
	return NULL;
}

/* ---- the queue
 * ------------------------------------------------------------------------------------------------------- */

static struct pending *copy_of(struct skm_stream *stream, const struct skm_record *record)
{
	struct pending *pending = take_spare(stream);
	if (pending) {
		pending->next = NULL;
		pending->record = *record;
	}
	return pending;
}

static void push_back(struct skm_stream *stream, struct pending *pending)
{
	*stream->tail = pending;
	stream->tail = &pending->next;
	stream->pending_count++;
}

static void insert(struct skm_stream *stream, struct pending **link, struct pending *pending)
{
	pending->next = *link;
	*link = pending;
	if (!pending->next)
		stream->tail = &pending->next;
	stream->pending_count++;
}

void skm_stream_append(struct skm_stream *stream, const struct skm_record *record)
{
	struct pending *pending =
		stream->pending_count < SKM_STREAM_PENDING_MAX ? copy_of(stream, record) : NULL;
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
	return copy_of(stream, &record);
}

/* NULL: no memory. */
static struct pending *make_checkpoint(struct skm_stream *stream, const char *reason)
{
	char detail[128];
	skm_stream_chain_describe(stream->chain, detail, sizeof(detail));
	struct pending *pending =
		make_own(stream, SKM_EVENT_CHECKPOINT, SKM_OUTCOME_LOGGED, "", "%s", detail);
	if (!pending)
		return NULL;
	pending->record.has_checkpoint = true;
	(void)snprintf(
		pending->record.checkpoint.reason, sizeof(pending->record.checkpoint.reason), "%s", reason);
	return pending;
}

void skm_stream_checkpoint(struct skm_stream *stream, const char *reason)
{
	struct pending *pending = NULL;
	if (stream->chain && !stream->is_failing)
		pending = make_checkpoint(stream, reason);
	if (pending)
		push_back(stream, pending);
}

/* ---- storing
 * ---------------------------------------------------------------------------------------------------------
 */

/* Lines that are stored together: what is written already, and the next piece. */
struct group {
	char *buf;
	size_t size, len;
	size_t written, limit;
	uint64_t count;
};

static size_t format_line(struct skm_stream *stream, const struct group *group, struct skm_record *record)
{
	if (stream->chain)
		return skm_stream_chain_format(stream->chain, record, group->buf + group->len);
	record->sequence = stream->sequence + group->count + 1;
	return skm_record_format(record, group->buf + group->len);
}

/* A segment ends with a checkpoint, for which there is always room. */
static bool is_full(const struct skm_stream *stream, const struct group *group,
	const struct skm_record *record, size_t line_len)
{
	uint64_t used = stream->segments.size + group->written + group->len;
	uint64_t reserved = stream->chain ? CHECKPOINT_BYTES : 0;
	return used > 0 && !record->has_checkpoint && used + line_len + reserved > stream->segment_bytes;
}

/* Queues a checkpoint before the record at *link, where it keeps its place, and so its number, should it have
 * to be written again. False: no memory. */
static bool put_checkpoint(struct skm_stream *stream, struct pending **link, const char *reason)
{
	struct pending *checkpoint = make_checkpoint(stream, reason);
	if (checkpoint)
		insert(stream, link, checkpoint);
	return checkpoint != NULL;
}

static int write_piece(struct skm_stream *stream, struct group *group, bool is_last)
{
	int r = skm_segments_write(&stream->segments, group->buf, group->len, is_last);
	if (r < 0)
		return r;
	group->written += group->len;
	group->len = 0;
	return 0;
}

#define GROUP_IS_LARGE 1
/* For another line: 0, GROUP_IS_LARGE or -errno. */
static int make_room(struct skm_stream *stream, struct group *group)
{
	if (group->size - group->len >= SKM_RECORD_LINE_MAX)
		return 0;
	if (group->written + group->len >= group->limit)
		return GROUP_IS_LARGE;
	return write_piece(stream, group, false);
}

/* Formats as many as fit into the group and the segment; writes all but the last piece. 0 or -errno. */
static int make_group(struct skm_stream *stream, struct group *group)
{
	struct skm_stream_chain *chain = stream->chain;
	struct pending **link = &stream->head;
	if (chain)
		skm_stream_chain_begin_group(chain);
	for (; *link; link = &(*link)->next) {
		int r = make_room(stream, group);
		if (r != 0)
			return r < 0 ? r : 0;
		if (chain && !(*link)->record.has_checkpoint && skm_stream_chain_is_due(chain))
			(void)put_checkpoint(stream, link, "count");
		size_t line_len = format_line(stream, group, &(*link)->record);
		if (is_full(stream, group, &(*link)->record, line_len)) {
			if (chain && !skm_stream_chain_is_closed(chain) &&
				put_checkpoint(stream, link, "segment")) {
				line_len = format_line(stream, group, &(*link)->record);
			} else if (group->count > 0) {
				break;
			} else {
				r = skm_segments_next(&stream->segments);
				if (r < 0)
					return r;
			}
		}
		if (chain)
			skm_stream_chain_take_line(chain);
		group->len += line_len;
		group->count++;
	}
	return 0;
}

static void tell_stored(const struct skm_stream *stream, uint64_t count)
{
	const struct pending *pending = stream->head;
	for (; stream->stored && count > 0 && pending; count--, pending = pending->next)
		stream->stored(stream->stored_user, &pending->record);
}

/* The order is: lines, sync, state of the chain. */
static int store_group(struct skm_stream *stream, char *buf, size_t size)
{
	struct group group = {.buf = buf, .size = size, .limit = stream->is_failing ? 0 : GROUP_BYTES};
	int r = make_group(stream, &group);
	stream->is_large = group.written > 0;
	if (r == 0)
		r = write_piece(stream, &group, true);
	if (r == 0)
		r = skm_segments_sync(&stream->segments);
	if (r < 0)
		return r;
	if (stream->chain)
		skm_stream_chain_keep_group(stream->chain);
	stream->sequence += group.count;
	tell_stored(stream, group.count);
	drop_oldest(stream, group.count);
	return 0;
}

static int store_all(struct skm_stream *stream)
{
	/* One record, or no memory for more: line by line. */
	char one[SKM_RECORD_LINE_MAX];
	size_t lines = stream->pending_count < PIECE_LINES ? (size_t)stream->pending_count : PIECE_LINES;
	char *piece = lines > 1 ? malloc(lines * SKM_RECORD_LINE_MAX) : NULL;
	int r = 0;
	while (r == 0 && stream->head)
		r = store_group(
			stream, piece ? piece : one, piece ? lines * SKM_RECORD_LINE_MAX : sizeof(one));
	free(piece);
	return r;
}

/* What contradicts the chain is not written behind. */
static int open_chain(struct skm_stream *stream)
{
	int r = skm_stream_chain_open(stream->chain, &stream->segments, stream->is_unchecked,
		&stream->is_start_due, &stream->verdict);
	if (r < 0)
		return r;
	stream->is_unchecked = false;
	stream->sequence = skm_stream_chain_sequence(stream->chain);
	return stream->verdict.is_broken && stream->segments.size > 0 ? skm_segments_next(&stream->segments)
								      : 0;
}

/* Each is told once; the last one stands first. 0 or -ENOMEM. */
static int tell_findings(struct skm_stream *stream)
{
	if (stream->is_start_due) {
		if (!put_checkpoint(stream, &stream->head, "start"))
			return -ENOMEM;
		stream->is_start_due = false;
	}
	if (stream->finding.is_repaired) {
		struct pending *told = make_own(stream, SKM_EVENT_LOG_RECOVERED, SKM_OUTCOME_LOGGED,
			stream->finding.object, "%s", stream->finding.detail);
		if (!told)
			return -ENOMEM;
		insert(stream, &stream->head, told);
		stream->finding.is_repaired = false;
	}
	if (stream->verdict.is_broken) {
		struct pending *told = make_own(stream, SKM_EVENT_CHAIN_BROKEN, SKM_OUTCOME_ERROR,
			stream->segments.folder, "%s", stream->verdict.detail);
		if (!told)
			return -ENOMEM;
		insert(stream, &stream->head, told);
		stream->verdict.is_broken = false;
	}
	return 0;
}

static int open_all(struct skm_stream *stream)
{
	struct skm_segment_finding finding = {0};
	int r = skm_segments_open(&stream->segments, &finding);
	if (finding.is_repaired)
		stream->finding = finding;
	if (!finding.is_known || finding.is_tampered)
		stream->is_unchecked = true;
	if (r < 0)
		return r;
	/* Within one run no number is given twice, whatever has become of the folder. */
	if (finding.sequence > stream->sequence)
		stream->sequence = finding.sequence;
	if (stream->chain)
		r = open_chain(stream);
	return r < 0 ? r : tell_findings(stream);
}

static void begin_failing(struct skm_stream *stream)
{
	if (stream->is_failing)
		return;
	stream->is_failing = true;
	stream->has_queued_resumed = false; /* it stands before, and another one is due */
	stream->waited = stream->pending_count;
	struct pending *told = make_own(stream, SKM_EVENT_LOG_FULL, SKM_OUTCOME_ERROR,
		stream->segments.folder, "%s", stream->segments.error);
	if (told)
		push_back(stream, told);
}

static int drain(struct skm_stream *stream)
{
	stream->is_large = false;
	int r = open_all(stream);
	if (r == 0)
		r = store_all(stream);
	if (r == -ENOMEM)
		(void)snprintf(
			stream->segments.error, sizeof(stream->segments.error), "%s", strerror(ENOMEM));
	if (r < 0)
		begin_failing(stream);
	return r;
}

/* Once more if a segment had to be given up, since another one may do; and if it was much at once: a stream
 * that fails stores little by little, and so all that a disk which is nearly full still takes. */
static int drain_or_move(struct skm_stream *stream)
{
	int r = drain(stream);
	bool is_abandoned = stream->segments.fd < 0 && stream->segments.is_abandoned;
	if (r < 0 && (is_abandoned || stream->is_large))
		r = drain(stream);
	return r;
}

int skm_stream_flush(struct skm_stream *stream)
{
	free_spare(stream);
	while (stream->head || stream->is_failing || stream->lost_untold > 0) {
		int r = drain_or_move(stream);
		if (r < 0 && stream->has_queued_resumed) {
			/* What is appended from now on stands behind it, and waits as well. */
			stream->is_failing = false;
			begin_failing(stream);
		}
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
	if (stream->chain)
		skm_stream_chain_close(stream->chain);
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

void skm_stream_set_stored(struct skm_stream *stream, skm_stream_stored_fn stored, void *user)
{
	stream->stored = stored;
	stream->stored_user = user;
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

/* ---- deleting ---- */

/* On disk before anything is deleted. 0 or -errno. */
static int tell_deletion(struct skm_stream *stream, const struct skm_old_segment *old)
{
	char name[SKM_SEGMENT_NAME_BYTES], detail[SKM_DELETION_BYTES];
	if (stream->deletion_told == old->number)
		return 0;
	skm_segment_name(old->number, name);
	skm_deletion_format(old, detail);
	struct pending *told =
		make_own(stream, SKM_EVENT_LOG_DELETED, SKM_OUTCOME_LOGGED, name, "%s", detail);
	if (!told)
		return -ENOMEM;
	told->record.count = old->last - old->first + 1;
	push_back(stream, told);
	int r = skm_stream_flush(stream);
	if (r == 0)
		stream->deletion_told = old->number;
	return r;
}

static int retire(struct skm_stream *stream, const struct skm_stream_retention *retention)
{
	struct skm_old_segment old;
	uint32_t collected = 0;
	int r = skm_retire_read_collected(retention->collected_path, retention->name, &collected);
	if (r == -ENOENT)
		return 0; /* nothing was ever sent */
	if (r < 0) {
		(void)snprintf(stream->segments.error, sizeof(stream->segments.error),
			"cannot read %.160s: %s", retention->collected_path, strerror(-r));
		return r;
	}
	r = skm_retire_find(&stream->segments, retention->age_sec, collected, &old);
	if (r < 0)
		(void)snprintf(stream->segments.error, sizeof(stream->segments.error),
			"cannot look through %.160s: %s", stream->segments.folder, strerror(-r));
	if (r != SKM_RETIRE_FOUND)
		return r;
	r = tell_deletion(stream, &old);
	if (r == 0)
		r = skm_retire_delete(&stream->segments, old.number);
	return r < 0 ? r : SKM_STREAM_RETIRED;
}

int skm_stream_retire(
	struct skm_stream *stream, const struct skm_stream_retention *retention, char *ret_error, size_t size)
{
	if (retention->age_sec == 0 || !stream->chain || skm_stream_flush(stream) < 0)
		return 0;
	/* A run that has not written anything yet has nothing open; and what the chain's state on disk is
	 * behind must stay. */
	if (stream->segments.fd < 0 || !skm_stream_chain_is_synced(stream->chain))
		return 0;
	int r = retire(stream, retention);
	if (r < 0)
		(void)snprintf(ret_error, size, "%s", stream->segments.error);
	return r;
}
