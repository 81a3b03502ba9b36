// SPDX-License-Identifier: Apache-2.0
/* The one file of the witness that knows libsodium. SHA-256, which RFC 9162 takes, was rejected: the chain is
 * BLAKE2b, an auditor should need one hash only, and it is twice as fast on a year of day files. The key is a
 * line of hexadecimal digits, like the verifier's, so that it can be printed and locked away. */
#include "primitives.h"

#include <fcntl.h>
#include <sodium/crypto_generichash.h>
#include <sodium/crypto_sign.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sekimori/chain.h"
#include "sekimori/io.h"

#define CONTEXT "skm-wit1"
#define CONTEXT_BYTES (sizeof(CONTEXT) - 1)
#define KEY_FILE_MAX 1024
#define HEX_BYTES (2 * SKM_WITNESS_KEY_BYTES + 1)

_Static_assert(SKM_WITNESS_KEY_BYTES == crypto_sign_SEEDBYTES, "seed");
_Static_assert(SKM_WITNESS_KEY_BYTES == crypto_sign_PUBLICKEYBYTES, "public key");
_Static_assert(SKM_WITNESS_SIGNATURE_BYTES == crypto_sign_BYTES, "signature");

void skm_witness_hash(enum skm_witness_domain domain, const void *first, size_t first_len, const void *second,
	size_t second_len, uint8_t ret_hash[SKM_WITNESS_HASH_BYTES])
{
	crypto_generichash_state state;
	const uint8_t tag = (uint8_t)domain;
	(void)crypto_generichash_init(&state, NULL, 0, SKM_WITNESS_HASH_BYTES);
	(void)crypto_generichash_update(&state, &tag, 1);
	(void)crypto_generichash_update(&state, first, first_len);
	if (second_len > 0)
		(void)crypto_generichash_update(&state, second, second_len);
	(void)crypto_generichash_final(&state, ret_hash, SKM_WITNESS_HASH_BYTES);
}

void skm_witness_hash_nothing(uint8_t ret_hash[SKM_WITNESS_HASH_BYTES])
{
	static const uint8_t nothing[1];
	(void)crypto_generichash(ret_hash, SKM_WITNESS_HASH_BYTES, nothing, 0, NULL, 0);
}

void skm_witness_fingerprint(
	const uint8_t public_key[SKM_WITNESS_KEY_BYTES], uint8_t ret_print[SKM_WITNESS_FINGERPRINT_BYTES])
{
	uint8_t hash[SKM_WITNESS_HASH_BYTES];
	skm_witness_hash(SKM_DOMAIN_KEY, public_key, SKM_WITNESS_KEY_BYTES, NULL, 0, hash);
	memcpy(ret_print, hash, SKM_WITNESS_FINGERPRINT_BYTES);
}

/* ---- the key ---- */

static void derive(const uint8_t seed[SKM_WITNESS_KEY_BYTES], uint8_t public_key[SKM_WITNESS_KEY_BYTES],
	uint8_t secret[crypto_sign_SECRETKEYBYTES])
{
	(void)crypto_sign_seed_keypair(public_key, secret, seed);
}

static int write_key(int fd, const struct skm_witness_key *key)
{
	char seed[HEX_BYTES], public_key[HEX_BYTES], text[512];
	skm_hex_format(key->seed, sizeof(key->seed), seed);
	skm_hex_format(key->public_key, sizeof(key->public_key), public_key);
	int len = snprintf(text, sizeof(text),
		"# Sekimori: the witness's secret signing key. Keep it on this machine, and a copy under lock.\n"
		"# The public key: %s\n%s\n",
		public_key, seed);
	int r = skm_fd_write_all(fd, text, (size_t)len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	skm_chain_wipe(seed, sizeof(seed));
	skm_chain_wipe(text, sizeof(text));
	return r;
}

int skm_witness_key_create(const char *path, uint8_t ret_public_key[SKM_WITNESS_KEY_BYTES])
{
	struct skm_witness_key key;
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	int r = skm_chain_start();
	if (r < 0)
		return r;
	SKM_CLEANUP(skm_fd_close)
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	(void)crypto_sign_keypair(key.public_key, secret);
	(void)crypto_sign_ed25519_sk_to_seed(key.seed, secret);
	r = write_key(fd, &key);
	if (r == 0)
		memcpy(ret_public_key, key.public_key, sizeof(key.public_key));
	else
		(void)unlink(path); /* half a key is none */
	skm_chain_wipe(&key, sizeof(key));
	skm_chain_wipe(secret, sizeof(secret));
	return r;
}

/* The one line that is no remark. */
static int parse_key(const char *text, uint8_t seed[SKM_WITNESS_KEY_BYTES])
{
	bool is_found = false;
	while (*text) {
		size_t len = strcspn(text, "\n");
		if (len > 0 && *text != '#') {
			if (is_found || len != HEX_BYTES - 1 ||
				skm_hex_parse(text, SKM_WITNESS_KEY_BYTES, seed) < 0)
				return SKM_WITNESS_KEY_FORM;
			is_found = true;
		}
		text += len + (text[len] == '\n' ? 1 : 0);
	}
	return is_found ? 0 : SKM_WITNESS_KEY_FORM;
}

static int read_key(int fd, char *text, size_t size)
{
	struct stat st;
	size_t len = 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size >= (off_t)size)
		return SKM_WITNESS_KEY_FORM;
	if ((st.st_mode & 077) != 0)
		return SKM_WITNESS_KEY_EXPOSED;
	while (len < size - 1) {
		ssize_t n = read(fd, text + len, size - 1 - len);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	return strlen(text) == len ? 0 : SKM_WITNESS_KEY_FORM;
}

int skm_witness_key_load(const char *path, struct skm_witness_key *ret_key)
{
	char text[KEY_FILE_MAX] = "";
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	struct skm_witness_key key;
	int r = skm_chain_start();
	if (r < 0)
		return r;
	SKM_CLEANUP(skm_fd_close) int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = read_key(fd, text, sizeof(text));
	if (r == 0)
		r = parse_key(text, key.seed);
	if (r == 0) {
		derive(key.seed, key.public_key, secret);
		*ret_key = key;
	}
	skm_chain_wipe(text, sizeof(text));
	skm_chain_wipe(secret, sizeof(secret));
	skm_chain_wipe(&key, sizeof(key));
	return r;
}

/* ---- signatures ---- */

static void compose(const uint8_t root[SKM_WITNESS_HASH_BYTES], uint8_t *message)
{
	memcpy(message, CONTEXT, CONTEXT_BYTES);
	memcpy(message + CONTEXT_BYTES, root, SKM_WITNESS_HASH_BYTES);
}

void skm_witness_sign(const struct skm_witness_key *key, const uint8_t root[SKM_WITNESS_HASH_BYTES],
	uint8_t ret_signature[SKM_WITNESS_SIGNATURE_BYTES])
{
	uint8_t message[CONTEXT_BYTES + SKM_WITNESS_HASH_BYTES], public_key[SKM_WITNESS_KEY_BYTES],
		secret[crypto_sign_SECRETKEYBYTES];
	compose(root, message);
	derive(key->seed, public_key, secret);
	(void)crypto_sign_detached(ret_signature, NULL, message, sizeof(message), secret);
	skm_chain_wipe(secret, sizeof(secret));
}

bool skm_witness_is_signed(const uint8_t public_key[SKM_WITNESS_KEY_BYTES],
	const uint8_t root[SKM_WITNESS_HASH_BYTES], const uint8_t signature[SKM_WITNESS_SIGNATURE_BYTES])
{
	uint8_t message[CONTEXT_BYTES + SKM_WITNESS_HASH_BYTES];
	compose(root, message);
	return crypto_sign_verify_detached(signature, message, sizeof(message), public_key) == 0;
}
