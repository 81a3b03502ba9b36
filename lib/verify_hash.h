// SPDX-License-Identifier: Apache-2.0
/* Internal to the proving program: the hashes of many lines at once. Every record names the hash it continues
 * from, so each line's own hash follows from that line alone, and all of them can be computed side by side;
 * whether they fit each other is judged afterwards, in order. */
#ifndef SEKIMORI_VERIFY_HASH_H
#define SEKIMORI_VERIFY_HASH_H

#include "verify_line.h"

#define SKM_VERIFY_THREADS_MAX 4

struct skm_verify_hashed {
	const char *text; /* without the newline */
	size_t len;
	bool has_hash; /* else it is no record */
	uint8_t hash[SKM_CHAIN_HASH_BYTES];
};

struct skm_verify_hasher;
/* `threads` in all, the caller included; fewer when there are no more to be had. 0 or -ENOMEM. */
SKM_NODISCARD int skm_verify_hasher_new(unsigned threads, struct skm_verify_hasher **ret_hasher);
struct skm_verify_hasher *skm_verify_hasher_free(
	struct skm_verify_hasher *hasher); /* takes NULL; always NULL */
/* Sets has_hash and hash of all lines. */
void skm_verify_hasher_run(struct skm_verify_hasher *hasher, struct skm_verify_hashed *lines, size_t count);

#endif
