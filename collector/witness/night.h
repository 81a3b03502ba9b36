// SPDX-License-Identifier: Apache-2.0
/* The night's work: verify everything, witness the days that are new, say what was found. */
#ifndef SKM_WITNESS_NIGHT_H
#define SKM_WITNESS_NIGHT_H

#include <stdio.h>

#include "entry.h"
#include "sekimori/language.h"

/* Exit codes beside those of the verification (0, 3, 10 to 21), and worse than all of them. */
#define SKM_WITNESS_EXIT_CHANGED 22

struct skm_witness_night {
	const char *records_path, *state_path, *etc_path, *verifier_path;
	const char *heartbeat; /* for the verifier; NULL = its own */
	enum skm_language language;
	uint32_t day;	     /* up to which to witness */
	uint64_t again;	     /* number of an entry whose days are to be witnessed anew; 0 = none */
	uint64_t idle_days;  /* so many days may pass without any day file */
	bool is_chain_only;  /* no key */
	bool may_begin_late; /* old files were deleted */
	FILE *out;	     /* what people are told */
	const char *name;    /* of the program */
};
/* Exit code. */
int skm_witness_night_run(const struct skm_witness_night *night);

/* "cannot read X: why"; for all verbs. Returns 3. */
int skm_witness_fail(FILE *out, const char *name, const char *what, const char *object, int error);
/* A sentence for a fault of witness.jsonl. */
const char *skm_witness_fault_describe(enum skm_witness_fault fault, enum skm_language language);

#endif
