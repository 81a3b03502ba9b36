// SPDX-License-Identifier: Apache-2.0
/* Internal to the audit stream: the chain of its records. Knows where the chain stands, in memory and on
 * disk; stream.c knows the order of things. */
#ifndef SEKIMORI_STREAM_CHAIN_H
#define SEKIMORI_STREAM_CHAIN_H

#include "chain_file_ops.h"
#include "sekimori/record.h"
#include "stream_tail.h"

struct skm_stream_chain;

/* Does no IO. `verifier_key` may be NULL. 0 or -errno. */
SKM_NODISCARD int skm_stream_chain_new(const struct skm_stream_chain_options *options,
	const struct skm_chain_file_ops *ops, struct skm_stream_chain **ret_chain);
/* Wipes. NULL is fine. Returns NULL. */
struct skm_stream_chain *skm_stream_chain_free(struct skm_stream_chain *chain);

void skm_stream_chain_set_verifier_key(struct skm_stream_chain *chain, const uint8_t *verifier_key);

/* Finds out where the chain stands, and takes in the records behind that; once it is open, only if
 * `is_unchecked`: the segments may hold what this process has not written. ret_is_begun: a run begins on this
 * chain. *verdict is only touched when something is wrong. 0, or -errno with segments->error set. */
SKM_NODISCARD int skm_stream_chain_open(struct skm_stream_chain *chain, struct skm_segments *segments,
	bool is_unchecked, bool *ret_is_begun, struct skm_chain_verdict *verdict);
/* Forgets the open file, not where the chain stands. */
void skm_stream_chain_close(struct skm_stream_chain *chain);

/* A group of lines is made on a copy, and the copy kept when the group is stored. */
void skm_stream_chain_begin_group(struct skm_stream_chain *chain);
/* Writes what would be the next line of the group; sets the record's chain members, and signs a checkpoint.
 */
size_t skm_stream_chain_format(
	struct skm_stream_chain *chain, struct skm_record *record, char ret_line[SKM_RECORD_LINE_MAX]);
/* The line formatted last belongs to the group. */
void skm_stream_chain_take_line(struct skm_stream_chain *chain);
/* Should the next line of the group be a checkpoint? */
bool skm_stream_chain_is_due(const struct skm_stream_chain *chain);
/* Does a checkpoint stand at the end of the group (or nothing at all)? */
bool skm_stream_chain_is_closed(const struct skm_stream_chain *chain);
/* The group is stored. */
void skm_stream_chain_keep_group(struct skm_stream_chain *chain);

/* Is the state of the last checkpoint on disk, so that nothing before it is needed to continue? */
bool skm_stream_chain_is_synced(const struct skm_stream_chain *chain);
uint64_t skm_stream_chain_sequence(const struct skm_stream_chain *chain);
/* What holds a verification back; "" = nothing. For the detail of a checkpoint. */
void skm_stream_chain_describe(struct skm_stream_chain *chain, char *text, size_t size);

#endif
