// SPDX-License-Identifier: Apache-2.0
/* SKM-CHAIN-1: what binds one audit record to the one before.
 *
 * - body_n: the line's bytes up to, not including, `,"m":`
 * - h_0: BLAKE2b-256(personal "skm-rec0", chain id)
 * - h_n: BLAKE2b-256(personal "skm-rec1", h_{n-1} || body_n)
 * - MK_n: crypto_kdf(K_n, subkey 2, "skm-mac1", 32 bytes)
 * - m_n: BLAKE2b-128(key MK_n, h_n), in hex the last member of the line: `,"m":"…"}`
 * - K_{n+1}: crypto_kdf(K_n, subkey 1, "skm-key1", 32 bytes); K_n is wiped
 *
 * Everybody can check order and completeness by h. Who holds K_1 can check that each record was written by
 * the terminal at its time: a thief of K_n can forge what comes, nothing that was. Checkpoint records (event
 * CHECKPOINT) carry an Ed25519 signature that everybody can check. n begins at 1 and has no gap.
 * Pure but for the random numbers of skm_chain_begin. */
#ifndef SEKIMORI_CHAIN_H
#define SEKIMORI_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "sekimori/result.h"

#define SKM_CHAIN_ID_BYTES 16
#define SKM_CHAIN_HASH_BYTES 32
#define SKM_CHAIN_KEY_BYTES 32
#define SKM_CHAIN_MAC_BYTES 16
#define SKM_CHAIN_PUBLIC_KEY_BYTES 32
#define SKM_CHAIN_SIGNATURE_BYTES 64
#define SKM_CHAIN_SEALED_KEY_BYTES (SKM_CHAIN_KEY_BYTES + 48) /* crypto_box_seal */

/* Where a chain stands. A value: copy it, extend the copy, keep the copy when the line is stored. */
struct skm_chain {
	uint8_t id[SKM_CHAIN_ID_BYTES];
	uint64_t sequence;		    /* n of the last record; 0 = none yet */
	uint8_t head[SKM_CHAIN_HASH_BYTES]; /* h_n */
	uint8_t key[SKM_CHAIN_KEY_BYTES];   /* K_{n+1}: secret */
	uint8_t signing_seed[32];	    /* Ed25519 seed of the key in use: secret */
	uint8_t next_seed[32]; /* of the key after it: made ahead, so that it is on disk before a checkpoint
				  names it. Secret */
	int64_t signing_day;   /* UNIX day on which the key in use was taken into use */
	uint64_t checkpoint_sequence; /* n of the last checkpoint; 0 = none */
	uint64_t boot_number;	      /* grows when boot_id is another one */
	uint8_t boot_id[16];
};

/* Starts libsodium; must come first. 0 or -EIO. */
SKM_NODISCARD int skm_chain_start(void);
/* A new chain with a random id, K_1 and signing key. ret_first_key: K_1, for the verifier; wipe it. */
void skm_chain_begin(struct skm_chain *ret_chain, uint8_t ret_first_key[SKM_CHAIN_KEY_BYTES]);
/* Takes in the body of record sequence + 1: moves sequence, head and key. */
void skm_chain_extend(
	struct skm_chain *chain, const char *body, size_t len, uint8_t ret_mac[SKM_CHAIN_MAC_BYTES]);
/* The length of a line's body: the line (without or with its newline) must end in `,"m":"32 hex digits"}`. 0
 * or -EBADMSG. ret_mac may be NULL. */
SKM_NODISCARD int skm_chain_line_split(
	const char *line, size_t len, size_t *ret_body_len, uint8_t ret_mac[SKM_CHAIN_MAC_BYTES]);
/* The public and the keyed half, for whoever reads. */
void skm_chain_hash_first(const uint8_t id[SKM_CHAIN_ID_BYTES], uint8_t ret_hash[SKM_CHAIN_HASH_BYTES]);
void skm_chain_hash_next(const uint8_t before[SKM_CHAIN_HASH_BYTES], const char *body, size_t len,
	uint8_t ret_hash[SKM_CHAIN_HASH_BYTES]);
void skm_chain_mac(const uint8_t key[SKM_CHAIN_KEY_BYTES], const uint8_t hash[SKM_CHAIN_HASH_BYTES],
	uint8_t ret_mac[SKM_CHAIN_MAC_BYTES]);
/* K_n -> K_{n+1}, in place. */
void skm_chain_ratchet(uint8_t key[SKM_CHAIN_KEY_BYTES]);
/* Wipes. */
void skm_chain_clear(struct skm_chain *chain);
void skm_chain_wipe(void *secret, size_t size);

/* ---- checkpoints ---- */

/* What a checkpoint record carries (member "checkpoint"). The signature covers
 * "skm-ckpt1" || chain id || n (LE64) || h_{n-1} || realtime_usec (LE64) || boottime_usec (LE64) || key ||
 * next. */
struct skm_checkpoint {
	uint8_t previous_hash[SKM_CHAIN_HASH_BYTES];  /* h_{n-1} */
	uint8_t key[SKM_CHAIN_PUBLIC_KEY_BYTES];      /* that signs */
	uint8_t next_key[SKM_CHAIN_PUBLIC_KEY_BYTES]; /* that signs from now on; the same = unchanged */
	uint8_t signature[SKM_CHAIN_SIGNATURE_BYTES];
	uint64_t lost;	 /* records lost since the last checkpoint */
	char reason[16]; /* "start", "stop", "count", "time", "segment" */
};
/* Signs checkpoint n = chain->sequence + 1; sets all members but lost and reason. When `day` is another one
 * than the key's, the next key is named as next_key and taken into use, and the old one is wiped from *chain.
 * The times are those a reader finds in the line: realtime_usec is its "time" (milliseconds) x 1,000,
 * boottime_usec its clock.boottime_usec. */
void skm_checkpoint_sign(struct skm_chain *chain, int64_t realtime_usec, uint64_t boottime_usec, int64_t day,
	struct skm_checkpoint *checkpoint);
bool skm_checkpoint_is_signed(const struct skm_checkpoint *checkpoint, const uint8_t id[SKM_CHAIN_ID_BYTES],
	uint64_t sequence, int64_t realtime_usec, uint64_t boottime_usec);
/* After a crash, for checkpoint n = chain->sequence + 1 found in a line: does with the keys what signing it
 * did. 0, or -ENOKEY when next_key is neither the key in use nor the one after it. */
SKM_NODISCARD int skm_checkpoint_follow(
	struct skm_chain *chain, const uint8_t next_key[SKM_CHAIN_PUBLIC_KEY_BYTES], int64_t day);

/* ---- hex digits (lib/hex.c) ---- */

/* Small letters; `ret_text` has room for 2 * len + 1. */
void skm_hex_format(const uint8_t *bytes, size_t len, char *ret_text);
/* The first 2 * len characters of text, of small letters only: each value has one spelling, or a changed
 * byte would pass unseen. 0 or -EINVAL (also for a NUL among them). Pure. */
SKM_NODISCARD int skm_hex_parse(const char *text, size_t len, uint8_t *ret_bytes);

/* ---- the verifier's key ---- */

/* K_1 to the verifier. A public key is 32 bytes (Curve25519). */
void skm_chain_seal_key(const uint8_t verifier_key[32], const uint8_t first_key[SKM_CHAIN_KEY_BYTES],
	uint8_t ret_sealed[SKM_CHAIN_SEALED_KEY_BYTES]);
/* 0 or -EBADMSG. */
SKM_NODISCARD int skm_chain_open_key(const uint8_t verifier_key[32], const uint8_t verifier_secret[32],
	const uint8_t sealed[SKM_CHAIN_SEALED_KEY_BYTES], uint8_t ret_first_key[SKM_CHAIN_KEY_BYTES]);

#endif
