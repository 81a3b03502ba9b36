// SPDX-License-Identifier: Apache-2.0
/* libsodium's secretbox (XSalsa20-Poly1305) with a random nonce of 24 bytes: no counter has to survive a
 * power cut, and what is sealed twice looks different twice. Rejected: one key a person derived from the
 * machine key (whoever has the one has the others), and associated data in an AEAD for purpose and owner
 * (what is bound goes inside the sealed text, where it cannot be forgotten when opening). */
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "seal.h"
#include "sekimori/io.h"

#define MAGIC_BYTES 4
#define HEADER_BYTES (MAGIC_BYTES + 1 + SKM_KEY_ID_BYTES)
#define SEALED_TEXT_MAX 8192

_Static_assert(
	SKM_SEAL_OVERHEAD == HEADER_BYTES + crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + 1,
	"the sealed form of seal.h");
_Static_assert(SKM_KEY_BYTES == crypto_secretbox_KEYBYTES, "one key");
_Static_assert(SKM_ESCROW_OVERHEAD == crypto_box_SEALBYTES, "the sealed form of libsodium");
_Static_assert(crypto_box_PUBLICKEYBYTES == 32 && crypto_box_SECRETKEYBYTES == 32, "keys of seal.h");

static const uint8_t magic[MAGIC_BYTES] = {'S', 'K', 'M', '1'};

int skm_seal_start(void)
{
	return sodium_init() < 0 ? -EIO : 0;
}

/* ---- keys ---- */

void skm_key_set(struct skm_key *key, const uint8_t bytes[SKM_KEY_BYTES])
{
	memmove(key->bytes, bytes, SKM_KEY_BYTES);
	/* libsodium's shortest hash is 16 bytes; its length goes into the hash. */
	uint8_t hash[crypto_generichash_BYTES_MIN];
	(void)crypto_generichash(hash, sizeof(hash), key->bytes, SKM_KEY_BYTES, NULL, 0);
	memcpy(key->id, hash, SKM_KEY_ID_BYTES);
}

void skm_key_generate(struct skm_key *ret_key)
{
	uint8_t bytes[SKM_KEY_BYTES];
	randombytes_buf(bytes, sizeof(bytes));
	skm_key_set(ret_key, bytes);
	sodium_memzero(bytes, sizeof(bytes));
}

void skm_key_clear(struct skm_key *key)
{
	sodium_memzero(key, sizeof(*key));
}

void skm_hex_line(const uint8_t bytes[32], char ret_line[SKM_HEX_LINE_BYTES])
{
	(void)sodium_bin2hex(ret_line, SKM_HEX_LINE_BYTES, bytes, 32);
	memcpy(ret_line + SKM_HEX_LINE_BYTES - 2, "\n", 2);
}

/* 64 hex digits, and a newline or not. */
static int parse_hex_line(const char *text, size_t len, uint8_t ret_bytes[32])
{
	if (len == 65 && text[64] == '\n')
		len = 64;
	if (len != 64)
		return SKM_KEY_INVALID;
	/* In a buffer of our own: the caller's stays as it is when the sixtieth digit is wrong. */
	uint8_t bytes[32];
	size_t bytes_len = 0;
	int r = sodium_hex2bin(bytes, sizeof(bytes), text, len, NULL, &bytes_len, NULL);
	if (r == 0 && bytes_len == sizeof(bytes))
		memcpy(ret_bytes, bytes, sizeof(bytes));
	else
		r = SKM_KEY_INVALID;
	sodium_memzero(bytes, sizeof(bytes));
	return r;
}

/* What can be seen of a key file before it is read. The checks are made on the descriptor. */
static int open_key_file(const char *path, mode_t forbidden, int *ret_fd)
{
	SKM_CLEANUP(skm_fd_close)
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return SKM_KEY_ABSENT;
	if (fd < 0)
		return errno == ELOOP || errno == ENXIO ? SKM_KEY_INVALID : -errno;
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	bool is_ours = st.st_uid == 0 || st.st_uid == geteuid();
	if (!S_ISREG(st.st_mode) || !is_ours || (st.st_mode & forbidden))
		return SKM_KEY_INVALID;
	*ret_fd = skm_fd_take(&fd);
	return 0;
}

static int read_hex_file(const char *path, mode_t forbidden, uint8_t ret_bytes[32])
{
	SKM_CLEANUP(skm_fd_close) int fd = -1;
	int r = open_key_file(path, forbidden, &fd);
	if (r != 0)
		return r;
	char text[SKM_HEX_LINE_BYTES + 1]; /* one more than a right one has */
	size_t len = 0;
	while (len < sizeof(text)) {
		ssize_t n = read(fd, text + len, sizeof(text) - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = -errno;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (r == 0)
		r = parse_hex_line(text, len, ret_bytes);
	sodium_memzero(text, sizeof(text));
	return r;
}

int skm_secret_file_load(const char *path, uint8_t ret_bytes[32])
{
	return read_hex_file(path, S_IRWXG | S_IRWXO, ret_bytes);
}

/* Some versions of systemd let the service's group read a credential. */
static int load_credential(const char *folder, const char *name, uint8_t ret_bytes[32])
{
	char path[PATH_MAX];
	if (!folder)
		return SKM_KEY_ABSENT;
	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return read_hex_file(path, S_IWGRP | S_IRWXO, ret_bytes);
}

static int load_key(const char *folder, const char *credential, const char *path, struct skm_key *ret_key)
{
	uint8_t bytes[SKM_KEY_BYTES];
	/* A credential that is there but wrong is not passed over for the file: somebody meant it. */
	int r = load_credential(folder, credential, bytes);
	if (r == SKM_KEY_ABSENT)
		r = skm_secret_file_load(path, bytes);
	if (r == 0)
		skm_key_set(ret_key, bytes);
	sodium_memzero(bytes, sizeof(bytes));
	return r;
}

int skm_key_load(const char *credentials_folder, const char *path, struct skm_key *ret_key)
{
	return load_key(credentials_folder, SKM_KEY_CREDENTIAL, path, ret_key);
}

int skm_key_load_previous(const char *credentials_folder, const char *path, struct skm_key *ret_key)
{
	char previous[PATH_MAX];
	if (snprintf(previous, sizeof(previous), "%s%s", path, SKM_KEY_PREVIOUS_SUFFIX) >=
		(int)sizeof(previous))
		return -ENAMETOOLONG;
	return load_key(credentials_folder, SKM_KEY_PREVIOUS_CREDENTIAL, previous, ret_key);
}

static int sync_folder_of(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	int n = slash ? snprintf(folder, sizeof(folder), "%.*s/", (int)len, path)
		      : snprintf(folder, sizeof(folder), ".");
	if (n < 0 || n >= (int)sizeof(folder))
		return -ENAMETOOLONG;
	SKM_CLEANUP(skm_fd_close) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

static int write_synced(const char *path, const void *data, size_t len)
{
	SKM_CLEANUP(skm_fd_close)
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int r = skm_fd_write_all(fd, data, len);
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

/* Under another name first, then link(2), which fails when the name is taken: there is never half a key under
 * the name, and never one in place of another. */
int skm_secret_file_create(const char *path, const uint8_t bytes[32])
{
	char temporary[PATH_MAX];
	if (snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid()) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	char line[SKM_HEX_LINE_BYTES];
	skm_hex_line(bytes, line);
	int r = write_synced(temporary, line, strlen(line));
	sodium_memzero(line, sizeof(line));
	if (r == -EEXIST)
		return -EBUSY; /* a leftover of a cut; never overwritten, since it may be somebody's secret */
	if (r == 0 && link(temporary, path) < 0)
		r = -errno;
	(void)unlink(temporary);
	return r < 0 ? r : sync_folder_of(path);
}

int skm_key_create(const char *path)
{
	struct skm_key key;
	skm_key_generate(&key);
	int r = skm_secret_file_create(path, key.bytes);
	skm_key_clear(&key);
	return r;
}

/* ---- boxes ---- */

void skm_seal(const struct skm_key *key, enum skm_seal_purpose purpose, const uint8_t *text, size_t len,
	uint8_t *ret_box)
{
	uint8_t *nonce = ret_box + HEADER_BYTES;
	uint8_t *sealed = nonce + crypto_secretbox_NONCEBYTES;
	memcpy(ret_box, magic, MAGIC_BYTES);
	ret_box[MAGIC_BYTES] = (uint8_t)purpose;
	memcpy(ret_box + MAGIC_BYTES + 1, key->id, SKM_KEY_ID_BYTES);
	randombytes_buf(nonce, crypto_secretbox_NONCEBYTES);
	/* In place (libsodium allows it): the text is in no second buffer that would have to be wiped. */
	uint8_t *inner = sealed + crypto_secretbox_MACBYTES;
	memmove(inner + 1, text, len);
	inner[0] = (uint8_t)purpose;
	(void)crypto_secretbox_detached(inner, sealed, inner, len + 1, nonce, key->bytes);
}

int skm_unseal(const struct skm_key *key, enum skm_seal_purpose purpose, const uint8_t *box, size_t box_len,
	uint8_t *ret_text)
{
	if (box_len < SKM_SEAL_OVERHEAD || box_len > SEALED_TEXT_MAX + SKM_SEAL_OVERHEAD ||
		memcmp(box, magic, MAGIC_BYTES) != 0 || box[MAGIC_BYTES] != purpose)
		return SKM_SEAL_DAMAGED;
	if (memcmp(box + MAGIC_BYTES + 1, key->id, SKM_KEY_ID_BYTES) != 0)
		return SKM_SEAL_WRONG_KEY;
	const uint8_t *nonce = box + HEADER_BYTES;
	const uint8_t *mac = nonce + crypto_secretbox_NONCEBYTES;
	const uint8_t *sealed = mac + crypto_secretbox_MACBYTES;
	size_t inner_len = box_len - SKM_SEAL_OVERHEAD + 1;
	uint8_t inner[SEALED_TEXT_MAX + 1];
	int r = SKM_SEAL_DAMAGED;
	if (crypto_secretbox_open_detached(inner, sealed, mac, inner_len, nonce, key->bytes) == 0 &&
		inner[0] == purpose) {
		memcpy(ret_text, inner + 1, inner_len - 1);
		r = 0;
	}
	sodium_memzero(inner, inner_len);
	return r;
}

/* ---- escrow ---- */

void skm_escrow_seal(const uint8_t public_key[32], const uint8_t *text, size_t len, uint8_t *ret_box)
{
	/* Fails for the few public keys of small order, to which nothing can be sealed. All zeros is no box:
	 * it opens with no key, and the text is not in it. */
	if (crypto_box_seal(ret_box, text, len, public_key) != 0)
		memset(ret_box, 0, len + SKM_ESCROW_OVERHEAD);
}

int skm_escrow_open(const uint8_t public_key[32], const uint8_t secret_key[32], const uint8_t *box,
	size_t box_len, uint8_t *ret_text)
{
	uint8_t text[SEALED_TEXT_MAX];
	if (box_len < SKM_ESCROW_OVERHEAD || box_len - SKM_ESCROW_OVERHEAD > sizeof(text))
		return SKM_SEAL_DAMAGED;
	size_t len = box_len - SKM_ESCROW_OVERHEAD;
	int r = SKM_SEAL_DAMAGED;
	if (crypto_box_seal_open(text, box, box_len, public_key, secret_key) == 0) {
		memcpy(ret_text, text, len);
		r = 0;
	}
	sodium_memzero(text, len);
	return r;
}

void skm_escrow_keypair(uint8_t ret_public[32], uint8_t ret_secret[32])
{
	(void)crypto_box_keypair(ret_public, ret_secret);
}

void skm_escrow_public(const uint8_t secret_key[32], uint8_t ret_public[32])
{
	(void)crypto_scalarmult_base(ret_public, secret_key);
}
