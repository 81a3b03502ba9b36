// SPDX-License-Identifier: Apache-2.0
/* HMAC for one-time codes: SHA-256 and SHA-512 from libsodium (hmac.c), SHA-1 from nettle (hmac_sha1.c). Any
 * length of key: libsodium's one-shot functions take exactly 32 bytes, so the init/update/final form is used.
 */
#ifndef SKM_HMAC_H
#define SKM_HMAC_H

#include "sekimori/otp.h"

#define SKM_HMAC_BYTES_MAX 64
#define SKM_HMAC_SHA1_BYTES 20
#define SKM_HMAC_STATE_BYTES 512

/* A key made ready: half of the work of a short MAC depends on the key alone, and one key is used for many
 * counters. As secret as the key; skm_hmac_key_clear wipes it. */
struct skm_hmac_key {
	enum skm_otp_algorithm algorithm;
	uint8_t state[SKM_HMAC_STATE_BYTES]; /* of the library; copied out before it is used, so not aligned
					      */
};
void skm_hmac_key_set(
	struct skm_hmac_key *key, enum skm_otp_algorithm algorithm, const uint8_t *bytes, size_t len);
void skm_hmac_key_clear(struct skm_hmac_key *key);

/* Returns the length of the MAC (20, 32 or 64); the bytes behind it are left as they are. Cannot fail; pure.
 */
size_t skm_hmac(const struct skm_hmac_key *key, const uint8_t *message, size_t message_len,
	uint8_t ret_mac[SKM_HMAC_BYTES_MAX]);

/* hmac_sha1.c */
void skm_hmac_sha1_key_set(struct skm_hmac_key *key, const uint8_t *bytes, size_t len);
void skm_hmac_sha1(const struct skm_hmac_key *key, const uint8_t *message, size_t message_len,
	uint8_t ret_mac[SKM_HMAC_BYTES_MAX]);

#endif
