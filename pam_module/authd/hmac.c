// SPDX-License-Identifier: Apache-2.0
/* HMAC with a key of any length. libsodium's one-shot crypto_auth_… was rejected: it reads exactly 32 bytes
 * of key, so a 20-byte secret would be over-read and a 64-byte one cut, and both would still look right in a
 * test against itself. */
#include "hmac.h"

#include <sodium/crypto_auth_hmacsha256.h>
#include <sodium/crypto_auth_hmacsha512.h>
#include <sodium/utils.h>

_Static_assert(crypto_auth_hmacsha512_BYTES == SKM_HMAC_BYTES_MAX, "the longest MAC is that of SHA-512");

static size_t hmac_sha256(
	const uint8_t *key, size_t key_len, const uint8_t *message, size_t message_len, uint8_t *ret_mac)
{
	crypto_auth_hmacsha256_state state;
	(void)crypto_auth_hmacsha256_init(&state, key, key_len);
	(void)crypto_auth_hmacsha256_update(&state, message, message_len);
	(void)crypto_auth_hmacsha256_final(&state, ret_mac);
	sodium_memzero(&state, sizeof(state));
	return crypto_auth_hmacsha256_BYTES;
}

static size_t hmac_sha512(
	const uint8_t *key, size_t key_len, const uint8_t *message, size_t message_len, uint8_t *ret_mac)
{
	crypto_auth_hmacsha512_state state;
	(void)crypto_auth_hmacsha512_init(&state, key, key_len);
	(void)crypto_auth_hmacsha512_update(&state, message, message_len);
	(void)crypto_auth_hmacsha512_final(&state, ret_mac);
	sodium_memzero(&state, sizeof(state));
	return crypto_auth_hmacsha512_BYTES;
}

size_t skm_hmac(enum skm_otp_algorithm algorithm, const uint8_t *key, size_t key_len, const uint8_t *message,
	size_t message_len, uint8_t ret_mac[SKM_HMAC_BYTES_MAX])
{
	switch (algorithm) {
	case SKM_OTP_SHA1:
		skm_hmac_sha1(key, key_len, message, message_len, ret_mac);
		return SKM_HMAC_SHA1_BYTES;
	case SKM_OTP_SHA512:
		return hmac_sha512(key, key_len, message, message_len, ret_mac);
	case SKM_OTP_SHA256:
	case SKM_OTP_ALGORITHM_COUNT_:
		break;
	}
	return hmac_sha256(key, key_len, message, message_len, ret_mac);
}
