// SPDX-License-Identifier: Apache-2.0
/* What an auditor asks: is the paper right, and was this record there? Needs no secret. */
#ifndef SKM_WITNESS_AUDIT_H
#define SKM_WITNESS_AUDIT_H

#include <stdio.h>

#include "entry.h"
#include "sekimori/language.h"

enum skm_witness_answer {
	SKM_WITNESS_YES = 0,
	SKM_WITNESS_NO = 1,
	SKM_WITNESS_UNKNOWN = 3, /* could not tell */
};

/* What comes from outside of the folder: from paper. Without any of it a whole folder that somebody made anew
 * looks right. */
struct skm_witness_paper {
	uint32_t day; /* 0 = not given */
	bool has_root, has_fingerprint, has_public_key;
	uint8_t root[SKM_WITNESS_HASH_BYTES];
	uint8_t fingerprint[SKM_WITNESS_FINGERPRINT_BYTES];
	uint8_t public_key[SKM_WITNESS_KEY_BYTES];
};
struct skm_witness_audit {
	const char *name, *records_path, *state_path;
	enum skm_language language;
	struct skm_witness_paper paper;
	FILE *out;
};

/* witness.jsonl, and the day files against it: all, or those of the paper's day. */
enum skm_witness_answer skm_witness_check(const struct skm_witness_audit *audit);
/* Prints a proof for record `sequence` of a chain: its line, the entry's line, the path. */
enum skm_witness_answer skm_witness_prove(const struct skm_witness_audit *audit,
	const uint8_t chain_id[SKM_CHAIN_ID_BYTES], uint64_t sequence, FILE *proof);
/* Judges such a proof; `path` "-" = standard input. */
enum skm_witness_answer skm_witness_check_proof(const struct skm_witness_audit *audit, const char *path);

#endif
