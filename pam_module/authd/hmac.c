// SPDX-License-Identifier: Apache-2.0
/* HMAC with a key of any length. libsodium's one-shot crypto_auth_… was rejected: it reads exactly 32 bytes
 * of key, so a 20-byte secret would be over-read and a 64-byte one cut, and both would still look right in a
 * test against itself. */
#include "hmac.h"

#include <sodium/crypto_auth_hmacsha256.h>
#include <sodium/crypto_auth_hmacsha512.h>
#include <sodium/utils.h>
#include <string.h>

_Static_assert(crypto_auth_hmacsha512_BYTES == SKM_HMAC_BYTES_MAX, "the longest MAC is that of SHA-512");
_Static_assert(sizeof(crypto_auth_hmacsha256_state) <= SKM_HMAC_STATE_BYTES, "a ready key fits");
_Static_assert(sizeof(crypto_auth_hmacsha512_state) <= SKM_HMAC_STATE_BYTES, "a ready key fits");

static void sha256_key_set(struct skm_hmac_key *key, const uint8_t *bytes, size_t len)
{
	crypto_auth_hmacsha256_state state;
	(void)crypto_auth_hmacsha256_init(&state, bytes, len);
	memcpy(key->state, &state, sizeof(state));
	sodium_memzero(&state, sizeof(state));
}

static void sha512_key_set(struct skm_hmac_key *key, const uint8_t *bytes, size_t len)
{
	crypto_auth_hmacsha512_state state;
	(void)crypto_auth_hmacsha512_init(&state, bytes, len);
	memcpy(key->state, &state, sizeof(state));
	sodium_memzero(&state, sizeof(state));
}

static size_t hmac_sha256(
	const struct skm_hmac_key *key, const uint8_t *message, size_t message_len, uint8_t *ret_mac)
{
	crypto_auth_hmacsha256_state state;
	memcpy(&state, key->state, sizeof(state));
	(void)crypto_auth_hmacsha256_update(&state, message, message_len);
	(void)crypto_auth_hmacsha256_final(&state, ret_mac);
	sodium_memzero(&state, sizeof(state));
	return crypto_auth_hmacsha256_BYTES;
}

static size_t hmac_sha512(
	const struct skm_hmac_key *key, const uint8_t *message, size_t message_len, uint8_t *ret_mac)
{
	crypto_auth_hmacsha512_state state;
	memcpy(&state, key->state, sizeof(state));
	(void)crypto_auth_hmacsha512_update(&state, message, message_len);
	(void)crypto_auth_hmacsha512_final(&state, ret_mac);
	sodium_memzero(&state, sizeof(state));
	return crypto_auth_hmacsha512_BYTES;
}

void skm_hmac_key_set(
	struct skm_hmac_key *key, enum skm_otp_algorithm algorithm, const uint8_t *bytes, size_t len)
{
	*key = (struct skm_hmac_key){.algorithm = algorithm};
	switch (algorithm) {
	case SKM_OTP_SHA1:
		skm_hmac_sha1_key_set(key, bytes, len);
		return;
	case SKM_OTP_SHA512:
		sha512_key_set(key, bytes, len);
		return;
	case SKM_OTP_SHA256:
	case SKM_OTP_ALGORITHM_COUNT_:
		break;
	}
	sha256_key_set(key, bytes, len);
}

void skm_hmac_key_clear(struct skm_hmac_key *key)
{
	sodium_memzero(key, sizeof(*key));
}

size_t skm_hmac(const struct skm_hmac_key *key, const uint8_t *message, size_t message_len,
	uint8_t ret_mac[SKM_HMAC_BYTES_MAX])
{
	switch (key->algorithm) {
	case SKM_OTP_SHA1:
		skm_hmac_sha1(key, message, message_len, ret_mac);
		return SKM_HMAC_SHA1_BYTES;
	case SKM_OTP_SHA512:
		return hmac_sha512(key, message, message_len, ret_mac);
	case SKM_OTP_SHA256:
	case SKM_OTP_ALGORITHM_COUNT_:
		break;
	}
	return hmac_sha256(key, message, message_len, ret_mac);
}
