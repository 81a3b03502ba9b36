// SPDX-License-Identifier: Apache-2.0
/* The secret half of the verifier's key opens the first key of every chain, and with that anybody could forge
 * the past of every terminal. So its file is refused when others may read it, as ssh does with its keys, and
 * a key is never taken from a command line or the environment.
 *
 * A format of lines of hexadecimal digits was chosen over a binary one: an auditor must be able to print it,
 * lock the paper away and type it in again. A pass phrase was rejected: nightly verification runs unattended,
 * and the file belongs on a medium that is locked away. */
#include "verify_key.h"

#include <fcntl.h>
#include <sodium/crypto_box.h>
#include <sodium/crypto_scalarmult.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sekimori/io.h"
#include "sekimori/parse.h"
#include "sekimori/record.h"
#include "verify_line.h"

#define KEY_FILE_MAX 4096
#define LINE_MAX_ 1024 /* longer than any line of these files */

_Static_assert(SKM_VERIFIER_KEY_BYTES == crypto_box_SECRETKEYBYTES, "secret key");
_Static_assert(SKM_VERIFIER_KEY_BYTES == crypto_box_PUBLICKEYBYTES, "public key");

/* All of the text is `len` bytes. */
static bool parse_hex(const char *text, size_t text_len, uint8_t *ret_bytes, size_t len)
{
	return text_len == 2 * len && skm_hex_parse(text, len, ret_bytes) == 0;
}

/* ---- the pair ---- */

static int write_pair(int fd, const struct skm_verifier_pair *pair)
{
	char secret[SKM_VERIFIER_KEY_HEX_BYTES], public_key[SKM_VERIFIER_KEY_HEX_BYTES], text[512];
	skm_hex_format(pair->secret_key, sizeof(pair->secret_key), secret);
	skm_hex_format(pair->public_key, sizeof(pair->public_key), public_key);
	int len = snprintf(text, sizeof(text),
		"# Sekimori: the verifier's secret key. Keep it off the terminals and off the collector.\n"
		"# The public key, for the terminals (audit.verifier_key): %s\n%s\n",
		public_key, secret);
	int r = skm_fd_write_all(fd, text, (size_t)len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	skm_chain_wipe(secret, sizeof(secret));
	skm_chain_wipe(text, sizeof(text));
	return r;
}

int skm_verifier_pair_create(const char *path, uint8_t ret_public_key[SKM_VERIFIER_KEY_BYTES])
{
	struct skm_verifier_pair pair;
	int r = skm_chain_start();
	if (r < 0)
		return r;
	SKM_CLEANUP(skm_fd_close)
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	(void)crypto_box_keypair(pair.public_key, pair.secret_key);
	r = write_pair(fd, &pair);
	if (r == 0)
		memcpy(ret_public_key, pair.public_key, sizeof(pair.public_key));
	else
		(void)unlink(path); /* half a key is none */
	skm_chain_wipe(&pair, sizeof(pair));
	return r;
}

/* The one line that is no remark. */
static int parse_pair(const char *text, struct skm_verifier_pair *pair)
{
	bool is_found = false;
	while (*text) {
		size_t len = strcspn(text, "\n");
		if (len > 0 && *text != '#') {
			if (is_found || !parse_hex(text, len, pair->secret_key, sizeof(pair->secret_key)))
				return SKM_VERIFY_KEY_FORM;
			is_found = true;
		}
		text += len + (text[len] == '\n' ? 1 : 0);
	}
	if (!is_found || crypto_scalarmult_base(pair->public_key, pair->secret_key) != 0)
		return SKM_VERIFY_KEY_FORM;
	return 0;
}

static int read_pair(int fd, char *text, size_t size)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size >= (off_t)size)
		return SKM_VERIFY_KEY_FORM;
	if ((st.st_mode & 077) != 0)
		return SKM_VERIFY_KEY_EXPOSED;
	size_t len = 0;
	while (len < size - 1) {
		ssize_t n = read(fd, text + len, size - 1 - len);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	return strlen(text) == len ? 0 : SKM_VERIFY_KEY_FORM;
}

int skm_verifier_pair_load(const char *path, struct skm_verifier_pair *ret_pair)
{
	char text[KEY_FILE_MAX] = "";
	struct skm_verifier_pair pair;
	int r = skm_chain_start();
	if (r < 0)
		return r;
	/* O_NONBLOCK: somebody may have put a FIFO there. */
	SKM_CLEANUP(skm_fd_close) int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = read_pair(fd, text, sizeof(text));
	if (r == 0)
		r = parse_pair(text, &pair);
	if (r == 0)
		*ret_pair = pair;
	skm_chain_wipe(text, sizeof(text));
	skm_chain_wipe(&pair, sizeof(pair));
	return r;
}

/* ---- first keys ---- */

void skm_verify_keys_finish(struct skm_verify_keys *keys)
{
	if (keys->keys)
		skm_chain_wipe(keys->keys, keys->room * sizeof(*keys->keys));
	free(keys->keys);
	*keys = (struct skm_verify_keys){.keys = NULL};
}

/* By a copy that is wiped: realloc would leave the old one readable. */
static int make_room(struct skm_verify_keys *keys)
{
	if (keys->count < keys->room)
		return 0;
	size_t room = keys->room ? 2 * keys->room : 16;
	struct skm_verifier_key *wider = calloc(room, sizeof(*wider));
	if (!wider)
		return -ENOMEM;
	if (keys->keys) {
		memcpy(wider, keys->keys, keys->count * sizeof(*wider));
		skm_chain_wipe(keys->keys, keys->count * sizeof(*wider));
	}
	free(keys->keys);
	keys->keys = wider;
	keys->room = room;
	return 0;
}

static int add_key(struct skm_verify_keys *keys, const struct skm_verifier_key *key)
{
	for (size_t i = 0; i < keys->count; i++) {
		if (memcmp(keys->keys[i].chain_id, key->chain_id, sizeof(key->chain_id)) == 0)
			return memcmp(keys->keys[i].first_key, key->first_key, sizeof(key->first_key)) == 0
				       ? 0
				       : SKM_VERIFY_KEY_CONFLICT;
	}
	int r = make_room(keys);
	if (r == 0)
		keys->keys[keys->count++] = *key;
	return r;
}

static int take_sealed(struct skm_verify_keys *keys, const char *line, const struct skm_verifier_pair *pair)
{
	uint8_t sealed[SKM_CHAIN_SEALED_KEY_BYTES];
	struct skm_verifier_key key;
	size_t id_len = strcspn(line, " ");
	if (line[id_len] != ' ' || !parse_hex(line, id_len, key.chain_id, sizeof(key.chain_id)) ||
		!parse_hex(line + id_len + 1, strlen(line + id_len + 1), sealed, sizeof(sealed)))
		return SKM_VERIFY_KEY_FORM;
	if (skm_chain_open_key(pair->public_key, pair->secret_key, sealed, key.first_key) < 0) {
		keys->closed++;
		return 0;
	}
	int r = add_key(keys, &key);
	skm_chain_wipe(&key, sizeof(key));
	return r;
}

/* ---- files of lines ---- */

typedef int (*take_line_fn)(void *user, const char *line);

static int read_lines(const char *path, take_line_fn take, void *user, uint64_t *ret_line)
{
	char line[LINE_MAX_];
	int r = 0;
	*ret_line = 0;
	FILE *file = fopen(path, "re");
	if (!file)
		return -errno;
	errno = 0;
	while (r == 0 && fgets(line, sizeof(line), file)) {
		size_t len = strcspn(line, "\r\n");
		bool is_whole = line[len] != '\0' || feof(file);
		line[len] = '\0';
		++*ret_line;
		if (!is_whole)
			r = SKM_VERIFY_KEY_FORM;
		else if (len > 0 && line[0] != '#')
			r = take(user, line);
	}
	if (r == 0 && ferror(file))
		r = errno > 0 ? -errno : -EIO;
	(void)fclose(file);
	return r;
}

struct sealed_lines {
	struct skm_verify_keys *keys;
	const struct skm_verifier_pair *pair;
};

static int take_sealed_line(void *user, const char *line)
{
	const struct sealed_lines *lines = user;
	return take_sealed(lines->keys, line, lines->pair);
}

int skm_verify_keys_load(struct skm_verify_keys *keys, const char *path, const struct skm_verifier_pair *pair,
	uint64_t *ret_line)
{
	struct sealed_lines lines = {keys, pair};
	return read_lines(path, take_sealed_line, &lines, ret_line);
}

/* ---- watermarks ---- */

void skm_verify_watermarks_finish(struct skm_verify_watermarks *watermarks)
{
	free(watermarks->marks);
	*watermarks = (struct skm_verify_watermarks){.marks = NULL};
}

/* The next word of "a:b c"; its length. */
static size_t take_word(const char **text)
{
	*text += strspn(*text, ": \t");
	return strcspn(*text, ": \t");
}

static int parse_watermark(const char *text, struct skm_watermark *ret_mark)
{
	struct skm_watermark mark;
	char number[24];
	size_t len = take_word(&text);
	if (!parse_hex(text, len, mark.chain_id, sizeof(mark.chain_id)))
		return -EINVAL;
	text += len;
	len = take_word(&text);
	if (len == 0 || len >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, len);
	number[len] = '\0';
	if (skm_parse_uint(number, 1, SKM_VERIFY_SEQUENCE_MAX, &mark.sequence) < 0)
		return -EINVAL;
	text += len;
	len = take_word(&text);
	if (!parse_hex(text, len, mark.hash, sizeof(mark.hash)))
		return -EINVAL;
	text += len;
	if (take_word(&text) != 0)
		return -EINVAL;
	*ret_mark = mark;
	return 0;
}

int skm_verify_watermarks_add(struct skm_verify_watermarks *watermarks, const char *text)
{
	struct skm_watermark mark;
	int r = parse_watermark(text, &mark);
	if (r < 0)
		return r;
	if (watermarks->count == watermarks->room) {
		size_t room = watermarks->room ? 2 * watermarks->room : 16;
		struct skm_watermark *wider = reallocarray(watermarks->marks, room, sizeof(*wider));
		if (!wider)
			return -ENOMEM;
		watermarks->marks = wider;
		watermarks->room = room;
	}
	watermarks->marks[watermarks->count++] = mark;
	return 0;
}

static int take_watermark_line(void *user, const char *line)
{
	int r = skm_verify_watermarks_add(user, line);
	return r == -EINVAL ? SKM_VERIFY_KEY_FORM : r;
}

int skm_verify_watermarks_load(struct skm_verify_watermarks *watermarks, const char *path, uint64_t *ret_line)
{
	return read_lines(path, take_watermark_line, watermarks, ret_line);
}
