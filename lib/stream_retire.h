// SPDX-License-Identifier: Apache-2.0
/* Internal to the audit stream: which segment may be deleted, and what is to be said about it. */
#ifndef SEKIMORI_STREAM_RETIRE_H
#define SEKIMORI_STREAM_RETIRE_H

#include "sekimori/chain.h"
#include "stream_segment.h"

/* A segment, by its first and last line. */
struct skm_old_segment {
	uint32_t number;
	uint8_t chain_id[SKM_CHAIN_ID_BYTES];
	uint64_t first, last;		    /* record numbers */
	uint8_t hash[SKM_CHAIN_HASH_BYTES]; /* of `last`: what the record after it continues from */
};

#define SKM_RETIRE_FOUND 1
/* SKM_RETIRE_FOUND: the oldest segment is older than age_sec, below `collected` and not one of the two
 * newest. 0: none is. -errno. The folder is open. */
SKM_NODISCARD int skm_retire_find(struct skm_segments *segments, uint64_t age_sec, uint32_t collected,
	struct skm_old_segment *ret_segment);
/* Deletes it and syncs the folder. Already gone is fine. 0 or -errno with segments->error set. */
SKM_NODISCARD int skm_retire_delete(struct skm_segments *segments, uint32_t number);

/* Up to which segment everything was acknowledged by the collector, as the forwarder's state at `path` has
 * it: that segment itself may hold more. 0 (also for: nothing yet), -EBADMSG when it is no such state, or
 * -errno.
 */
SKM_NODISCARD int skm_retire_read_collected(const char *path, const char *stream, uint32_t *ret_segment);

/* ---- the words of a record LOG_DELETED (stream_deletion.c); its count is last - first + 1 ---- */

#define SKM_DELETION_BYTES 256
void skm_deletion_format(const struct skm_old_segment *segment, char ret_detail[SKM_DELETION_BYTES]);
/* Exactly what the other one writes; the segment's number is not among it. 0 or -EBADMSG. Pure. */
SKM_NODISCARD int skm_deletion_parse(const char *detail, size_t len, struct skm_old_segment *ret_segment);

#endif
