// SPDX-License-Identifier: Apache-2.0
/* Secrets at rest: crypto_secretbox under the machine key, and crypto_box_seal for the escrow. The only file
 * of authd besides hmac.c and recovery.c that knows libsodium. */
#ifndef SKM_SEAL_H
#define SKM_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "sekimori/result.h"

#define SKM_KEY_BYTES 32
#define SKM_KEY_ID_BYTES 8
#define SKM_KEY_PATH "/etc/sekimori/machine.key"  /* root, 0600: 64 hex digits and a newline */
#define SKM_KEY_CREDENTIAL "sekimori-machine-key" /* in $CREDENTIALS_DIRECTORY: goes before the file */

/* While records are being brought under a new key (rekey.h), the one before is accepted too. It stands beside
 * the current one: in a credential of its own or in the key's file with this suffix. */
#define SKM_KEY_PREVIOUS_SUFFIX ".old"
#define SKM_KEY_PREVIOUS_CREDENTIAL "sekimori-machine-key-old"

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
/* The key before, of which there mostly is none. `path` is that of the current one. As above. */
SKM_NODISCARD int skm_key_load_previous(
	const char *credentials_folder, const char *path, struct skm_key *ret_key);
/* Makes a new one in a file of its own; never half a key, never over another one; synced with its folder. 0;
 * -EEXIST; -errno. */
SKM_NODISCARD int skm_key_create(const char *path);
/* In memory only: random, or of these bytes. */
void skm_key_generate(struct skm_key *ret_key);
void skm_key_set(struct skm_key *key, const uint8_t bytes[SKM_KEY_BYTES]);
void skm_key_clear(struct skm_key *key);

/* The form of key files: 64 hex digits, newline, NUL. */
#define SKM_HEX_LINE_BYTES 66
void skm_hex_line(const uint8_t bytes[32], char ret_line[SKM_HEX_LINE_BYTES]);
/* The same checks and the same form for any secret of 32 bytes (the escrow's). As skm_key_load and
 * skm_key_create. */
SKM_NODISCARD int skm_secret_file_load(const char *path, uint8_t ret_bytes[32]);
SKM_NODISCARD int skm_secret_file_create(const char *path, const uint8_t bytes[32]);

/* Sealed form: magic "SKM1", purpose (1), key id (8), nonce (24), MAC (16), text. The purpose is part of the
 * sealed text too, so that a state cannot pose as a record. */
#define SKM_SEAL_OVERHEAD (4 + 1 + SKM_KEY_ID_BYTES + 24 + 16 + 1)
enum skm_seal_purpose { SKM_SEAL_PERSON = 1, SKM_SEAL_STATE = 2, SKM_SEAL_TICKET = 3 };
/* ret_box has len + SKM_SEAL_OVERHEAD bytes. */
void skm_seal(const struct skm_key *key, enum skm_seal_purpose purpose, const uint8_t *text, size_t len,
	uint8_t *ret_box);
#define SKM_SEAL_WRONG_KEY 1 /* another key's id stands on it */
#define SKM_SEAL_DAMAGED 2
/* ret_text has box_len - SKM_SEAL_OVERHEAD bytes (at most 8,192), untouched on failure. */
SKM_NODISCARD int skm_unseal(const struct skm_key *key, enum skm_seal_purpose purpose, const uint8_t *box,
	size_t box_len, uint8_t *ret_text);

/* Escrow: anybody can seal to the offline key, only its holder can open. It keeps a secret, it does not prove
 * who sealed. Public and secret keys are 32 bytes; a box sealed to a public key that is none opens with none.
 */
#define SKM_ESCROW_OVERHEAD 48
void skm_escrow_seal(const uint8_t public_key[32], const uint8_t *text, size_t len, uint8_t *ret_box);
/* 0 or SKM_SEAL_DAMAGED. */
SKM_NODISCARD int skm_escrow_open(const uint8_t public_key[32], const uint8_t secret_key[32],
	const uint8_t *box, size_t box_len, uint8_t *ret_text);
void skm_escrow_keypair(uint8_t ret_public[32], uint8_t ret_secret[32]);
void skm_escrow_public(const uint8_t secret_key[32], uint8_t ret_public[32]);

#endif
