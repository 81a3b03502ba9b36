// SPDX-License-Identifier: Apache-2.0
/* Internal to the proving program: the verifier's key pair, the first keys of chains that are sealed to it,
 * and watermarks as people hand them over. Texts in, values out; the files are opened here. */
#ifndef SEKIMORI_VERIFY_KEY_H
#define SEKIMORI_VERIFY_KEY_H

#include "sekimori/verify.h"

#define SKM_VERIFIER_KEY_BYTES 32
#define SKM_VERIFIER_KEY_HEX_BYTES (2 * SKM_VERIFIER_KEY_BYTES + 1)

struct skm_verifier_pair {
	uint8_t public_key[SKM_VERIFIER_KEY_BYTES];
	uint8_t secret_key[SKM_VERIFIER_KEY_BYTES]; /* wipe it */
};

enum skm_verify_key_fault {
	SKM_VERIFY_KEY_EXPOSED = 1, /* others than the owner may read or write the file */
	SKM_VERIFY_KEY_FORM,	    /* not a file of this kind; *ret_line says where */
	SKM_VERIFY_KEY_CONFLICT, /* two different first keys of one chain: one of them is not the terminal's
				  */
};

/* Makes a pair and a new file (0600, never over another one) that holds it. 0 or -errno (-EEXIST). */
SKM_NODISCARD int skm_verifier_pair_create(const char *path, uint8_t ret_public_key[SKM_VERIFIER_KEY_BYTES]);
/* 0, enum skm_verify_key_fault or -errno. */
SKM_NODISCARD int skm_verifier_pair_load(const char *path, struct skm_verifier_pair *ret_pair);

/* First keys, opened. Zeros = none. */
struct skm_verify_keys {
	struct skm_verifier_key *keys;
	size_t count, room;
	uint64_t closed; /* that are sealed to somebody else's key */
};
void skm_verify_keys_finish(struct skm_verify_keys *keys); /* wipes */
/* Adds what a file of lines "CHAIN-ID SEALED-KEY" holds. 0, enum skm_verify_key_fault or -errno. ret_line is
 * set in any case. */
SKM_NODISCARD int skm_verify_keys_load(struct skm_verify_keys *keys, const char *path,
	const struct skm_verifier_pair *pair, uint64_t *ret_line);

struct skm_verify_watermarks {
	struct skm_watermark *marks;
	size_t count, room;
};
void skm_verify_watermarks_finish(struct skm_verify_watermarks *watermarks);
/* "CHAIN:N:HASH" in hex, decimal, hex; blanks may stand for the colons. 0, -EINVAL or -ENOMEM. */
SKM_NODISCARD int skm_verify_watermarks_add(struct skm_verify_watermarks *watermarks, const char *text);
/* A file of such lines; empty ones and those that begin with '#' are passed over. 0, SKM_VERIFY_KEY_FORM or
 * -errno. ret_line is set in any case. */
SKM_NODISCARD int skm_verify_watermarks_load(
	struct skm_verify_watermarks *watermarks, const char *path, uint64_t *ret_line);

#endif
