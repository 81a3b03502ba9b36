// SPDX-License-Identifier: Apache-2.0
/* The name of a policy in records: what the auditor holds against a copy of the file. */
#include <sodium/crypto_generichash.h>
#include <sodium/utils.h>

#include "config_internal.h"

static int hash_part(crypto_generichash_state *state, const char *text, size_t len)
{
	/* The length first, so that a text cannot be moved from the end of the file to the beginning of the
	 * register. */
	unsigned char prefix[8];
	for (size_t i = 0; i < sizeof(prefix); i++)
		prefix[i] = (unsigned char)((uint64_t)len >> (8 * i));
	if (crypto_generichash_update(state, prefix, sizeof(prefix)) != 0)
		return -EINVAL;
	return crypto_generichash_update(state, (const unsigned char *)text, len) != 0 ? -EINVAL : 0;
}

int skm_config_version(
	const char *text, size_t len, const char *register_text, size_t register_len, char *buf, size_t size)
{
	crypto_generichash_state state;
	unsigned char hash[crypto_generichash_BYTES];
	if (crypto_generichash_init(&state, NULL, 0, sizeof(hash)) != 0 || hash_part(&state, text, len) < 0 ||
		hash_part(&state, register_text, register_len) < 0 ||
		crypto_generichash_final(&state, hash, sizeof(hash)) != 0)
		return -EINVAL;
	return sodium_bin2hex(buf, size, hash, (size - 1) / 2) ? 0 : -EINVAL;
}
