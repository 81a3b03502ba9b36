// SPDX-License-Identifier: Apache-2.0
/* SKM-CHAIN-1 in libsodium's words. BLAKE2b throughout: it is the hash that libsodium keys, personalises and
 * derives keys with, so one primitive carries chain, MAC and ratchet, and a record costs three microseconds.
 *
 * A MAC over h_n instead of over the line was chosen so that who verifies with keys reads each byte once.
 * systemd's seekable key generator (FSPRG) was rejected: seeking is worth its big-number arithmetic only to
 * somebody who jumps, and a verifier has to read every line anyway. */
#include <sodium/core.h>
#include <sodium/crypto_box.h>
#include <sodium/crypto_generichash_blake2b.h>
#include <sodium/crypto_kdf.h>
#include <sodium/crypto_sign.h>
#include <sodium/randombytes.h>
#include <sodium/utils.h>
#include <string.h>

#include "sekimori/chain.h"

#define SUBKEY_NEXT 1
#define SUBKEY_MAC 2

_Static_assert(SKM_CHAIN_HASH_BYTES == crypto_generichash_blake2b_BYTES, "h_n");
_Static_assert(SKM_CHAIN_KEY_BYTES == crypto_kdf_KEYBYTES, "K_n");
_Static_assert(SKM_CHAIN_PUBLIC_KEY_BYTES == crypto_sign_PUBLICKEYBYTES, "signing key");
_Static_assert(SKM_CHAIN_PUBLIC_KEY_BYTES == crypto_box_PUBLICKEYBYTES, "verifier key");
_Static_assert(SKM_CHAIN_SIGNATURE_BYTES == crypto_sign_BYTES, "signature");
_Static_assert(SKM_CHAIN_SEALED_KEY_BYTES == SKM_CHAIN_KEY_BYTES + crypto_box_SEALBYTES, "sealed key");
_Static_assert(sizeof(((struct skm_chain *)NULL)->signing_seed) == crypto_sign_SEEDBYTES, "seed");

/* libsodium's return values below are not looked at where it fails only for a length that is not allowed:
 * all of ours are constants. */

int skm_chain_start(void)
{
	return sodium_init() < 0 ? -EIO : 0;
}

void skm_chain_begin(struct skm_chain *ret_chain, uint8_t ret_first_key[SKM_CHAIN_KEY_BYTES])
{
	memset(ret_chain, 0, sizeof(*ret_chain));
	randombytes_buf(ret_chain->id, sizeof(ret_chain->id));
	randombytes_buf(ret_chain->key, sizeof(ret_chain->key));
	randombytes_buf(ret_chain->signing_seed, sizeof(ret_chain->signing_seed));
	randombytes_buf(ret_chain->next_seed, sizeof(ret_chain->next_seed));
	skm_chain_hash_first(ret_chain->id, ret_chain->head);
	memcpy(ret_first_key, ret_chain->key, SKM_CHAIN_KEY_BYTES);
}

void skm_chain_extend(
	struct skm_chain *chain, const char *body, size_t len, uint8_t ret_mac[SKM_CHAIN_MAC_BYTES])
{
	skm_chain_hash_next(chain->head, body, len, chain->head);
	skm_chain_mac(chain->key, chain->head, ret_mac);
	skm_chain_ratchet(chain->key);
	chain->sequence++;
}

int skm_chain_line_split(
	const char *line, size_t len, size_t *ret_body_len, uint8_t ret_mac[SKM_CHAIN_MAC_BYTES])
{
	static const char before[] = ",\"m\":\"";
	static const char after[] = "\"}";
	const size_t before_len = sizeof(before) - 1, after_len = sizeof(after) - 1;
	const size_t tail_len = before_len + (size_t)2 * SKM_CHAIN_MAC_BYTES + after_len;
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	if (len > 0 && line[len - 1] == '\n')
		len--;
	if (len < tail_len)
		return -EBADMSG;
	const char *tail = line + len - tail_len;
	if (memcmp(tail, before, before_len) != 0 || memcmp(line + len - after_len, after, after_len) != 0)
		return -EBADMSG;
	if (skm_hex_parse(tail + before_len, sizeof(mac), mac) < 0)
		return -EBADMSG;
	*ret_body_len = len - tail_len;
	if (ret_mac)
		memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

static void hash_begin(crypto_generichash_blake2b_state *state,
	const char personal[crypto_generichash_blake2b_PERSONALBYTES])
{
	(void)crypto_generichash_blake2b_init_salt_personal(
		state, NULL, 0, SKM_CHAIN_HASH_BYTES, NULL, (const unsigned char *)personal);
}

void skm_chain_hash_first(const uint8_t id[SKM_CHAIN_ID_BYTES], uint8_t ret_hash[SKM_CHAIN_HASH_BYTES])
{
	static const char personal[crypto_generichash_blake2b_PERSONALBYTES] = "skm-rec0";
	crypto_generichash_blake2b_state state;
	hash_begin(&state, personal);
	(void)crypto_generichash_blake2b_update(&state, id, SKM_CHAIN_ID_BYTES);
	(void)crypto_generichash_blake2b_final(&state, ret_hash, SKM_CHAIN_HASH_BYTES);
}

void skm_chain_hash_next(const uint8_t before[SKM_CHAIN_HASH_BYTES], const char *body, size_t len,
	uint8_t ret_hash[SKM_CHAIN_HASH_BYTES])
{
	static const char personal[crypto_generichash_blake2b_PERSONALBYTES] = "skm-rec1";
	crypto_generichash_blake2b_state state;
	hash_begin(&state, personal);
	(void)crypto_generichash_blake2b_update(&state, before, SKM_CHAIN_HASH_BYTES);
	(void)crypto_generichash_blake2b_update(&state, (const unsigned char *)body, len);
	(void)crypto_generichash_blake2b_final(&state, ret_hash, SKM_CHAIN_HASH_BYTES);
}

void skm_chain_mac(const uint8_t key[SKM_CHAIN_KEY_BYTES], const uint8_t hash[SKM_CHAIN_HASH_BYTES],
	uint8_t ret_mac[SKM_CHAIN_MAC_BYTES])
{
	uint8_t mac_key[32];
	(void)crypto_kdf_derive_from_key(mac_key, sizeof(mac_key), SUBKEY_MAC, "skm-mac1", key);
	(void)crypto_generichash_blake2b(
		ret_mac, SKM_CHAIN_MAC_BYTES, hash, SKM_CHAIN_HASH_BYTES, mac_key, sizeof(mac_key));
	sodium_memzero(mac_key, sizeof(mac_key));
}

void skm_chain_ratchet(uint8_t key[SKM_CHAIN_KEY_BYTES])
{
	uint8_t next[SKM_CHAIN_KEY_BYTES];
	(void)crypto_kdf_derive_from_key(next, sizeof(next), SUBKEY_NEXT, "skm-key1", key);
	memcpy(key, next, sizeof(next));
	sodium_memzero(next, sizeof(next));
}

void skm_chain_clear(struct skm_chain *chain)
{
	sodium_memzero(chain, sizeof(*chain));
}

void skm_chain_wipe(void *secret, size_t size)
{
	sodium_memzero(secret, size);
}

/* ---- checkpoints ---- */

struct signed_text {
	uint8_t bytes[9 + SKM_CHAIN_ID_BYTES + 8 + SKM_CHAIN_HASH_BYTES + 8 + 8 +
		      2 * SKM_CHAIN_PUBLIC_KEY_BYTES];
	size_t len;
};

static void add_bytes(struct signed_text *text, const void *bytes, size_t len)
{
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
}

static void add_number(struct signed_text *text, uint64_t number)
{
	for (unsigned i = 0; i < 8; i++)
		text->bytes[text->len++] = (uint8_t)(number >> (8 * i));
}

static struct signed_text text_of(const struct skm_checkpoint *checkpoint,
	const uint8_t id[SKM_CHAIN_ID_BYTES], uint64_t sequence, int64_t realtime_usec,
	uint64_t boottime_usec)
{
	struct signed_text text = {.len = 0};
	add_bytes(&text, "skm-ckpt1", 9);
	add_bytes(&text, id, SKM_CHAIN_ID_BYTES);
	add_number(&text, sequence);
	add_bytes(&text, checkpoint->previous_hash, SKM_CHAIN_HASH_BYTES);
	add_number(&text, (uint64_t)realtime_usec);
	add_number(&text, boottime_usec);
	add_bytes(&text, checkpoint->key, SKM_CHAIN_PUBLIC_KEY_BYTES);
	add_bytes(&text, checkpoint->next_key, SKM_CHAIN_PUBLIC_KEY_BYTES);
	return text;
}

static void public_key_of(const uint8_t seed[32], uint8_t ret_key[SKM_CHAIN_PUBLIC_KEY_BYTES])
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	(void)crypto_sign_seed_keypair(ret_key, secret, seed);
	sodium_memzero(secret, sizeof(secret));
}

static void change_signing_key(struct skm_chain *chain, int64_t day)
{
	memcpy(chain->signing_seed, chain->next_seed, sizeof(chain->signing_seed));
	randombytes_buf(chain->next_seed, sizeof(chain->next_seed));
	chain->signing_day = day;
}

void skm_checkpoint_sign(struct skm_chain *chain, int64_t realtime_usec, uint64_t boottime_usec, int64_t day,
	struct skm_checkpoint *checkpoint)
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	memcpy(checkpoint->previous_hash, chain->head, sizeof(checkpoint->previous_hash));
	(void)crypto_sign_seed_keypair(checkpoint->key, secret, chain->signing_seed);
	memcpy(checkpoint->next_key, checkpoint->key, sizeof(checkpoint->next_key));
	/* The first checkpoint of a chain tells the day of the key made with it. */
	if (chain->checkpoint_sequence == 0)
		chain->signing_day = day;
	if (day != chain->signing_day) {
		public_key_of(chain->next_seed, checkpoint->next_key);
		change_signing_key(chain, day);
	}
	chain->checkpoint_sequence = chain->sequence + 1;
	struct signed_text text =
		text_of(checkpoint, chain->id, chain->checkpoint_sequence, realtime_usec, boottime_usec);
	(void)crypto_sign_detached(checkpoint->signature, NULL, text.bytes, text.len, secret);
	sodium_memzero(secret, sizeof(secret));
}

bool skm_checkpoint_is_signed(const struct skm_checkpoint *checkpoint, const uint8_t id[SKM_CHAIN_ID_BYTES],
	uint64_t sequence, int64_t realtime_usec, uint64_t boottime_usec)
{
	struct signed_text text = text_of(checkpoint, id, sequence, realtime_usec, boottime_usec);
	return crypto_sign_verify_detached(checkpoint->signature, text.bytes, text.len, checkpoint->key) == 0;
}

int skm_checkpoint_follow(
	struct skm_chain *chain, const uint8_t next_key[SKM_CHAIN_PUBLIC_KEY_BYTES], int64_t day)
{
	uint8_t key[SKM_CHAIN_PUBLIC_KEY_BYTES];
	public_key_of(chain->signing_seed, key);
	if (memcmp(next_key, key, sizeof(key)) != 0) {
		public_key_of(chain->next_seed, key);
		if (memcmp(next_key, key, sizeof(key)) != 0)
			return -ENOKEY;
		change_signing_key(chain, day);
	} else if (chain->checkpoint_sequence == 0) {
		chain->signing_day = day;
	}
	chain->checkpoint_sequence = chain->sequence + 1;
	return 0;
}

/* ---- the verifier's key ---- */

void skm_chain_seal_key(const uint8_t verifier_key[32], const uint8_t first_key[SKM_CHAIN_KEY_BYTES],
	uint8_t ret_sealed[SKM_CHAIN_SEALED_KEY_BYTES])
{
	/* Fails for a public key of low order, which nobody's is: then no one can open it, as if no key had
	 * been given. */
	if (crypto_box_seal(ret_sealed, first_key, SKM_CHAIN_KEY_BYTES, verifier_key) != 0)
		memset(ret_sealed, 0, SKM_CHAIN_SEALED_KEY_BYTES);
}

int skm_chain_open_key(const uint8_t verifier_key[32], const uint8_t verifier_secret[32],
	const uint8_t sealed[SKM_CHAIN_SEALED_KEY_BYTES], uint8_t ret_first_key[SKM_CHAIN_KEY_BYTES])
{
	uint8_t key[SKM_CHAIN_KEY_BYTES];
	if (crypto_box_seal_open(key, sealed, SKM_CHAIN_SEALED_KEY_BYTES, verifier_key, verifier_secret) != 0)
		return -EBADMSG;
	memcpy(ret_first_key, key, sizeof(key));
	sodium_memzero(key, sizeof(key));
	return 0;
}
