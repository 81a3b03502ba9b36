// SPDX-License-Identifier: Apache-2.0
/* Entries of witness.jsonl as the witness makes them, one behind the other. */
#ifndef SKM_TEST_WITNESS_BOOK_H
#define SKM_TEST_WITNESS_BOOK_H

#include "entry.h"

/* A key of its own for each number. */
struct skm_witness_key witness_key(uint8_t number);
/* Root and signature anew, after a member was changed. */
void witness_seal(const struct skm_witness_key *key, struct skm_witness_entry *entry);
/* The entry that follows `before` (NULL = the first), of the one day after it, sealed. */
struct skm_witness_entry witness_entry(
	const struct skm_witness_key *key, const struct skm_witness_entry *before);
/* The lines of a file; malloc'ed. */
char *witness_text(const struct skm_witness_entry *entries, size_t count, size_t *ret_len);

#endif
