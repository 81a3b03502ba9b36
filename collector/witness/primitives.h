// SPDX-License-Identifier: Apache-2.0
/* The hash and the signature of the witness: BLAKE2b-256 (RFC 7693) and Ed25519 (RFC 8032), and the file of
 * the signing key. Every hash begins with one byte that says of what it is, as in RFC 9162, 2.1.1: so that no
 * record can be passed off as an inner node, nor a node as an entry. `b2sum -l 256` computes the same. */
#ifndef SKM_WITNESS_PRIMITIVES_H
#define SKM_WITNESS_PRIMITIVES_H

#include <stdbool.h>
#include <stdint.h>

#include "sekimori/result.h"

#define SKM_WITNESS_HASH_BYTES 32
#define SKM_WITNESS_KEY_BYTES 32 /* a public key; a seed too */
#define SKM_WITNESS_SIGNATURE_BYTES 64
#define SKM_WITNESS_FINGERPRINT_BYTES 16

enum skm_witness_domain {
	SKM_DOMAIN_LEAF = 0,
	SKM_DOMAIN_NODE = 1,
	SKM_DOMAIN_ENTRY = 2,  /* a line of witness.jsonl, without its root and signature */
	SKM_DOMAIN_ROW = 3,    /* the check digits of one row on paper */
	SKM_DOMAIN_KEY = 4,    /* a fingerprint */
	SKM_DOMAIN_REPORT = 5, /* the verifier's report */
};

/* Of two pieces, one behind the other; the second may be empty. Needs skm_chain_start before. */
void skm_witness_hash(enum skm_witness_domain domain, const void *first, size_t first_len, const void *second,
	size_t second_len, uint8_t ret_hash[SKM_WITNESS_HASH_BYTES]);
/* Of no byte at all: the root of an empty tree. */
void skm_witness_hash_nothing(uint8_t ret_hash[SKM_WITNESS_HASH_BYTES]);
void skm_witness_fingerprint(
	const uint8_t public_key[SKM_WITNESS_KEY_BYTES], uint8_t ret_print[SKM_WITNESS_FINGERPRINT_BYTES]);

struct skm_witness_key {
	uint8_t public_key[SKM_WITNESS_KEY_BYTES];
	uint8_t seed[SKM_WITNESS_KEY_BYTES]; /* secret: wipe it */
};
enum skm_witness_key_fault {
	SKM_WITNESS_KEY_EXPOSED = 1, /* others than its owner may read or write it */
	SKM_WITNESS_KEY_FORM,	     /* no file of this kind */
};
/* A new file (0600, never over another one). 0 or -errno (-EEXIST). */
SKM_NODISCARD int skm_witness_key_create(const char *path, uint8_t ret_public_key[SKM_WITNESS_KEY_BYTES]);
/* 0, enum skm_witness_key_fault or -errno. */
SKM_NODISCARD int skm_witness_key_load(const char *path, struct skm_witness_key *ret_key);
/* The signature covers "skm-wit1" || root. */
void skm_witness_sign(const struct skm_witness_key *key, const uint8_t root[SKM_WITNESS_HASH_BYTES],
	uint8_t ret_signature[SKM_WITNESS_SIGNATURE_BYTES]);
SKM_NODISCARD bool skm_witness_is_signed(const uint8_t public_key[SKM_WITNESS_KEY_BYTES],
	const uint8_t root[SKM_WITNESS_HASH_BYTES], const uint8_t signature[SKM_WITNESS_SIGNATURE_BYTES]);

#endif
