// SPDX-License-Identifier: Apache-2.0
/* An audit stream on disk: numbered segments of JSON lines in one folder, `00000001.jsonl` and so on, mode
 * 0640, group of the folder. Single writer. Records are queued, then stored together: one fdatasync for a
 * megabyte of them, one write unless they are many. What cannot be stored waits in memory (bounded) and is
 * stored, in order, as soon as it can be.
 *
 * With a chain (chain.h) each line continues from the one before, and the order on disk is line, fdatasync,
 * key slots. The stream itself puts in the checkpoints "start", "count" (so that one of 256 records is one)
 * and "segment" (the last line of a segment); "time" and "stop" are its owner's. Old segments are deleted by
 * skm_stream_retire alone. Who deletes them by hand keeps the one that holds the newest record: without it
 * the chain is told to be broken. */
#ifndef SEKIMORI_STREAM_H
#define SEKIMORI_STREAM_H

#include "sekimori/record.h"

struct skm_stream;

#define SKM_STREAM_PENDING_MAX \
	4096 /* records in memory; beyond, the newest are counted as lost and the count is recorded */

struct skm_stream_state {
	bool is_failing;
	char error[256]; /* why, "" when it is not failing */
	uint64_t pending, lost, sequence;
};

/* Does no IO yet and cannot fail for a missing folder: that is found at the first flush. 0 or -ENOMEM. */
SKM_NODISCARD int skm_stream_new(const char *folder, uint64_t segment_bytes, struct skm_stream **ret_stream);

struct skm_stream_chain_options {
	const char *path;	     /* of the chain's state, chain_file.h; its folder must exist */
	const uint8_t *verifier_key; /* 32 bytes; NULL: none */
	const char *boot_id;	     /* 32 hex digits */
};
/* Chains the records; before the first flush, and once. Copies the options. Does no IO yet: a state that
 * cannot be opened is found at the flush, and nothing is stored before it can (what would be stored without
 * it could never be told from a forgery). 0, or -errno when memory or libsodium are missing. */
SKM_NODISCARD int skm_stream_set_chain(
	struct skm_stream *stream, const struct skm_stream_chain_options *options);
/* For a chain that may begin later in this run. */
void skm_stream_set_verifier_key(struct skm_stream *stream, const uint8_t *verifier_key);
struct skm_stream *skm_stream_free(struct skm_stream *stream); /* tries one last flush */

/* Queues a copy of the record; the sequence number is given when it is stored, so that it has no gap. Never
 * blocks, never fails: an overfull queue is counted. */
void skm_stream_append(struct skm_stream *stream, const struct skm_record *record);
/* Queues a checkpoint: "time", regularly, or "stop", as the last record. Nothing without a chain, and nothing
 * while records cannot be stored: it would attest to a time at which it did not stand on disk. */
void skm_stream_checkpoint(struct skm_stream *stream, const char *reason);
/* Stores all that is queued: 0 = everything is on disk (fdatasync'ed). Negative errno = nothing is lost, it
 * still waits; the state says why. Opens the folder and segment if need be (O_APPEND|O_NOFOLLOW), continues
 * the numbering of the last record found there, cuts off a torn last line (and queues LOG_RECOVERED first).
 * After a write or sync error the segment is not trusted: a short write is cut back, after a failed fdatasync
 * a new segment is begun and unsynced records are written again. When it begins to fail LOG_FULL is queued,
 * once; when it works again, or records were lost, LOG_RESUMED follows with the count of those lost, and when
 * that one cannot be stored, LOG_FULL again. A segment that ends in a line which is not ours, or that
 * somebody changed or removed since the last flush, is left as it is: LOG_RECOVERED says so in a new one.
 * Numbers never go back within a run; only after a failed fdatasync AND a failed truncation may the same
 * bytes stand under the same numbers in two segments: readers take the first. With a chain: lines behind the
 * stored state that its key proves are taken in; when what is on disk contradicts the state, CHAIN_BROKEN
 * says how, in a new segment. A state that cannot be written costs no record. */
SKM_NODISCARD int skm_stream_flush(struct skm_stream *stream);
/* The mounts changed: forget open descriptors, so that the next flush finds the folder again. */
void skm_stream_reopen(struct skm_stream *stream);
void skm_stream_get_state(const struct skm_stream *stream, struct skm_stream_state *ret_state);
/* Fills time, boot id, terminal etc. of records the stream makes by itself (LOG_RECOVERED, LOG_RESUMED). */
typedef void (*skm_stream_stamp_fn)(void *user, struct skm_record *record);
void skm_stream_set_stamp(struct skm_stream *stream, skm_stream_stamp_fn stamp, void *user);
/* Told of each record when it is on disk, with its number; it must not call back into the stream. */
typedef void (*skm_stream_stored_fn)(void *user, const struct skm_record *record);
void skm_stream_set_stored(struct skm_stream *stream, skm_stream_stored_fn stored, void *user);
void skm_stream_set_segment_bytes(struct skm_stream *stream, uint64_t segment_bytes);

/* ---- deleting what the collector has ---- */

#define SKM_STREAM_COLLECTED_PATH "/var/lib/sekimori-forward/state"
struct skm_stream_retention {
	uint64_t age_sec;	    /* 0 = never */
	const char *collected_path; /* the forwarder's state */
	const char *name;	    /* of the stream in it: "agent", "auth" */
};
#define SKM_STREAM_RETIRED 1
/* Deletes the oldest segment, if the collector has acknowledged all of it, it is neither of the two newest,
 * and by the records that follow it is older than age_sec (stream_retire.c says what is believed of their
 * clocks). LOG_DELETED is on disk before; should the unlink then fail it is tried again without being told
 * again in this run. Stores what is queued. SKM_STREAM_RETIRED: another one may follow. 0: nothing is to be
 * deleted, or not now (the forwarder has not said anything yet; records cannot be stored; the stream has no
 * chain). -errno: ret_error says what could not be read or deleted. */
SKM_NODISCARD int skm_stream_retire(struct skm_stream *stream, const struct skm_stream_retention *retention,
	char *ret_error, size_t size);

#endif
