// SPDX-License-Identifier: Apache-2.0
/* Secrets at rest: crypto_secretbox under the machine key, and crypto_box_seal for the escrow. The only file
 * of authd besides hmac.c and recovery.c that knows libsodium. */
#ifndef SKM_SEAL_H
#define SKM_SEAL_H

#include <stdint.h>

#include "sekimori/result.h"

#define SKM_KEY_BYTES 32
#define SKM_KEY_ID_BYTES 8
#define SKM_KEY_PATH "/etc/sekimori/machine.key"  /* root, 0600: 64 hex digits and a newline */
#define SKM_KEY_CREDENTIAL "sekimori-machine-key" /* in $CREDENTIALS_DIRECTORY: goes before the file */

/* Starts libsodium. Must come first. 0 or -EIO. */
SKM_NODISCARD int skm_seal_start(void);

struct skm_key {
	uint8_t bytes[SKM_KEY_BYTES];
	uint8_t id[SKM_KEY_ID_BYTES]; /* BLAKE2b of the key: tells "another key" from "damaged" */
};
#define SKM_KEY_ABSENT 1  /* neither credential nor file */
#define SKM_KEY_INVALID 2 /* not 64 hex digits, or readable or writable by others */
/* credentials_folder may be NULL. 0, SKM_KEY_…, -errno. */
SKM_NODISCARD int skm_key_load(const char *credentials_folder, const char *path, struct skm_key *ret_key);
/* Makes a new one, O_EXCL, synced with its folder. 0; -EEXIST; -errno. */
SKM_NODISCARD int skm_key_create(const char *path);
void skm_key_clear(struct skm_key *key);

/* Sealed form: magic "SKM1", purpose (1), key id (8), nonce (24), MAC (16), text. The purpose is part of the
 * sealed text too, so that a state cannot pose as a record. */
#define SKM_SEAL_OVERHEAD (4 + 1 + SKM_KEY_ID_BYTES + 24 + 16 + 1)
enum skm_seal_purpose { SKM_SEAL_PERSON = 1, SKM_SEAL_STATE = 2, SKM_SEAL_TICKET = 3 };
/* ret_box has len + SKM_SEAL_OVERHEAD bytes. */
void skm_seal(const struct skm_key *key, enum skm_seal_purpose purpose, const uint8_t *text, size_t len,
	uint8_t *ret_box);
#define SKM_SEAL_WRONG_KEY 1 /* another key's id stands on it */
#define SKM_SEAL_DAMAGED 2
/* ret_text has box_len - SKM_SEAL_OVERHEAD bytes, untouched on failure. */
SKM_NODISCARD int skm_unseal(const struct skm_key *key, enum skm_seal_purpose purpose, const uint8_t *box,
	size_t box_len, uint8_t *ret_text);

/* Escrow: anybody can seal to the offline key, only its holder can open. Public and secret keys are 32 bytes.
 */
#define SKM_ESCROW_OVERHEAD 48
void skm_escrow_seal(const uint8_t public_key[32], const uint8_t *text, size_t len, uint8_t *ret_box);
/* 0 or SKM_SEAL_DAMAGED. */
SKM_NODISCARD int skm_escrow_open(const uint8_t public_key[32], const uint8_t secret_key[32],
	const uint8_t *box, size_t box_len, uint8_t *ret_text);
void skm_escrow_keypair(uint8_t ret_public[32], uint8_t ret_secret[32]);

#endif
