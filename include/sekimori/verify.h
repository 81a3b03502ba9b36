// SPDX-License-Identifier: Apache-2.0
/* Proves or disproves a stream of audit records, trusting nobody: raw lines in, findings out. Pure: no file,
 * no clock. Used by `sekimori log verify`, `sekimori-verify`, and the collector.
 *
 * Lines are given in the order of the segments. Nothing is skipped silently: every byte is either part of a
 * verified record or in a finding, and "complete" is only said of an unbroken range. */
#ifndef SEKIMORI_VERIFY_H
#define SEKIMORI_VERIFY_H

#include "sekimori/chain.h"

/* From harmless to worst: the exit code is the worst one's. */
enum skm_finding_kind {
	SKM_FINDING_CLOCK,     /* wall clock went back or jumped against the boot clock */
	SKM_FINDING_DROP,      /* the terminal itself counted records that it could not store */
	SKM_FINDING_SILENT,    /* more than two heartbeat periods between records of one boot */
	SKM_FINDING_TORN,      /* an unfinished last line */
	SKM_FINDING_TRUNCATED, /* ends before the watermark */
	SKM_FINDING_GAP,       /* numbers are missing */
	SKM_FINDING_REORDER,   /* a record stands at another place than its number says */
	SKM_FINDING_FORK,      /* two records, one number, different contents; or another record than the
				  watermark's */
	SKM_FINDING_EDIT,      /* the next record does not continue from this one: bytes were changed */
	SKM_FINDING_FORGE,     /* MAC or signature wrong: written by somebody else or later */
	SKM_FINDING_FOREIGN,   /* no record of ours at all */
	SKM_FINDING_COUNT_,
};
const char *skm_finding_to_string(enum skm_finding_kind kind); /* "GAP" */

struct skm_finding {
	enum skm_finding_kind kind;
	uint8_t chain_id[SKM_CHAIN_ID_BYTES];
	uint64_t first, last; /* record numbers concerned */
	uint64_t line;	      /* of the file, from 1 */
	char detail[192];
};
typedef void (*skm_finding_fn)(void *user, const struct skm_finding *finding);

struct skm_verifier;

struct skm_verifier_options {
	const uint8_t *first_key;	/* K_1 of the chain, or NULL: MACs are not checked and that is said */
	const uint8_t *first_key_chain; /* its chain id */
	bool has_watermark;		/* what somebody else has seen of the chain */
	uint8_t watermark_chain[SKM_CHAIN_ID_BYTES];
	uint64_t watermark_sequence;
	uint8_t watermark_hash[SKM_CHAIN_HASH_BYTES];
	bool may_begin_late;	/* old segments were deleted: the first record seen need not be number 1 */
	uint64_t heartbeat_sec; /* 600 */
	skm_finding_fn on_finding;
	void *user;
};
SKM_NODISCARD int skm_verifier_new(
	const struct skm_verifier_options *options, struct skm_verifier **ret_verifier);
struct skm_verifier *skm_verifier_free(struct skm_verifier *verifier);
/* One line without its newline; `is_whole` false: the file ended without one. */
void skm_verifier_line(struct skm_verifier *verifier, const char *line, size_t len, bool is_whole);
/* No more lines: looks at the end (watermark). */
void skm_verifier_finish(struct skm_verifier *verifier);

struct skm_verification {
	uint8_t chain_id[SKM_CHAIN_ID_BYTES];
	char stream[17];
	uint64_t first, last; /* of the records seen */
	uint64_t records, checkpoints;
	uint64_t signed_until; /* n of the last checkpoint whose signature holds */
	bool macs_checked;
	uint64_t findings[SKM_FINDING_COUNT_];
	uint8_t head[SKM_CHAIN_HASH_BYTES];
	int64_t first_realtime_usec, last_realtime_usec;
};
/* One result for each chain seen, in the order of appearance; false at the end. */
bool skm_verifier_get(const struct skm_verifier *verifier, size_t index, struct skm_verification *ret_result);

#endif
