// SPDX-License-Identifier: Apache-2.0
/* HMAC-SHA-1, for hardware tokens that know nothing else. libsodium has none on purpose; nettle's was
 * preferred to a copy of our own (nobody would look after that) and to OpenSSL's or GnuTLS's (ten times the
 * start-up). In HMAC, the collisions that ended SHA-1's use for signatures help nobody (RFC 6151 says the
 * same of MD5). */
#include "hmac.h"

#include <nettle/hmac.h>
#include <string.h>

_Static_assert(SHA1_DIGEST_SIZE == SKM_HMAC_SHA1_BYTES, "RFC 2104 over FIPS 180-4");

_Static_assert(sizeof(struct hmac_sha1_ctx) <= SKM_HMAC_STATE_BYTES, "a ready key fits");

void skm_hmac_sha1_key_set(struct skm_hmac_key *key, const uint8_t *bytes, size_t len)
{
	struct hmac_sha1_ctx context;
	hmac_sha1_set_key(&context, len, bytes);
	memcpy(key->state, &context, sizeof(context));
	explicit_bzero(&context, sizeof(context));
}

void skm_hmac_sha1(const struct skm_hmac_key *key, const uint8_t *message, size_t message_len,
	uint8_t ret_mac[SKM_HMAC_BYTES_MAX])
{
	struct hmac_sha1_ctx context;
	memcpy(&context, key->state, sizeof(context));
	hmac_sha1_update(&context, message_len, message);
	hmac_sha1_digest(&context, SHA1_DIGEST_SIZE, ret_mac);
	explicit_bzero(&context, sizeof(context));
}
