// SPDX-License-Identifier: Apache-2.0
/* Text, and the form that the proving program takes: what one night knew can be given to any verifier by
 * hand. A watermark never goes back, and one that something serious was found about stays what it was. */
#include "heads.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sekimori/parse.h"
#include "tree.h"

#define ID_DIGITS ((size_t)2 * SKM_CHAIN_ID_BYTES)
#define HASH_DIGITS ((size_t)2 * SKM_CHAIN_HASH_BYTES)
#define LINE_BYTES 160

void skm_witness_heads_finish(struct skm_witness_heads *heads)
{
	free(heads->marks);
	*heads = (struct skm_witness_heads){.marks = NULL};
}

static int compare_marks(const void *a, const void *b)
{
	const struct skm_watermark *left = a, *right = b;
	return memcmp(left->chain_id, right->chain_id, sizeof(left->chain_id));
}

static struct skm_watermark *find(const struct skm_witness_heads *heads, const struct skm_watermark *mark)
{
	return heads->sorted > 0 ? bsearch(mark, heads->marks, heads->sorted, sizeof(*mark), compare_marks)
				 : NULL;
}

/* The last of one chain counts. */
static void sort(struct skm_witness_heads *heads)
{
	if (heads->sorted == heads->count)
		return;
	qsort(heads->marks, heads->count, sizeof(*heads->marks), compare_marks);
	size_t kept = 0;
	for (size_t i = 0; i < heads->count; i++) {
		if (kept > 0 && compare_marks(&heads->marks[kept - 1], &heads->marks[i]) == 0) {
			if (heads->marks[i].sequence > heads->marks[kept - 1].sequence)
				heads->marks[kept - 1] = heads->marks[i];
		} else {
			heads->marks[kept++] = heads->marks[i];
		}
	}
	heads->count = heads->sorted = kept;
}

int skm_witness_heads_put(struct skm_witness_heads *heads, const struct skm_watermark *mark)
{
	struct skm_watermark *known = find(heads, mark);
	if (known) {
		if (mark->sequence >= known->sequence)
			*known = *mark;
		return 0;
	}
	if (heads->count == heads->room) {
		size_t room = heads->room ? 2 * heads->room : 64;
		struct skm_watermark *wider = reallocarray(heads->marks, room, sizeof(*wider));
		if (!wider)
			return -ENOMEM;
		heads->marks = wider;
		heads->room = room;
	}
	heads->marks[heads->count++] = *mark;
	return 0;
}

static int parse_line(char *line, struct skm_watermark *ret_mark)
{
	char *number = line + ID_DIGITS + 1;
	if (strlen(line) < ID_DIGITS + HASH_DIGITS + 3 || line[ID_DIGITS] != ':' ||
		skm_hex_parse(line, SKM_CHAIN_ID_BYTES, ret_mark->chain_id) < 0)
		return -EBADMSG;
	char *colon = strchr(number, ':');
	if (!colon || strlen(colon + 1) != HASH_DIGITS ||
		skm_hex_parse(colon + 1, SKM_CHAIN_HASH_BYTES, ret_mark->hash) < 0)
		return -EBADMSG;
	*colon = '\0';
	return skm_parse_uint(number, 1, SKM_WITNESS_SEQUENCE_MAX, &ret_mark->sequence) < 0 ? -EBADMSG : 0;
}

static void close_file(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

int skm_witness_heads_load(struct skm_witness_heads *heads, int dirfd, const char *name)
{
	char line[LINE_BYTES];
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	SKM_CLEANUP(close_file) FILE *file = fdopen(fd, "r");
	if (!file) {
		(void)close(fd);
		return -ENOMEM;
	}
	while (fgets(line, sizeof(line), file)) {
		struct skm_watermark mark;
		size_t len = strcspn(line, "\n");
		if (line[len] != '\n')
			return -EBADMSG;
		line[len] = '\0';
		if (parse_line(line, &mark) < 0)
			return -EBADMSG;
		int r = skm_witness_heads_put(heads, &mark);
		if (r < 0)
			return r;
	}
	sort(heads);
	return ferror(file) ? -EIO : 0;
}

static size_t format_line(const struct skm_watermark *mark, char line[LINE_BYTES])
{
	char id[ID_DIGITS + 1], hash[HASH_DIGITS + 1];
	skm_hex_format(mark->chain_id, sizeof(mark->chain_id), id);
	skm_hex_format(mark->hash, sizeof(mark->hash), hash);
	return (size_t)snprintf(line, LINE_BYTES, "%s:%" PRIu64 ":%s", id, mark->sequence, hash);
}

int skm_witness_heads_store(struct skm_witness_heads *heads, int dirfd, const char *name)
{
	char line[LINE_BYTES], temporary[64];
	(void)snprintf(temporary, sizeof(temporary), ".%s.new", name);
	sort(heads);
	int fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	SKM_CLEANUP(close_file) FILE *file = fdopen(fd, "w");
	if (!file) {
		(void)close(fd);
		return -ENOMEM;
	}
	for (size_t i = 0; i < heads->count; i++) {
		(void)format_line(&heads->marks[i], line);
		(void)fprintf(file, "%s\n", line);
	}
	if (fflush(file) != 0 || ferror(file) || fsync(fileno(file)) < 0)
		return errno > 0 ? -errno : -EIO;
	if (renameat(dirfd, temporary, dirfd, name) < 0 || fsync(dirfd) < 0)
		return -errno;
	return 0;
}

void skm_witness_heads_root(struct skm_witness_heads *heads, uint8_t ret_root[SKM_WITNESS_HASH_BYTES])
{
	struct skm_tree tree = {.count = 0};
	char line[LINE_BYTES];
	sort(heads);
	for (size_t i = 0; i < heads->count; i++) {
		size_t len = format_line(&heads->marks[i], line);
		skm_tree_add(&tree, line, len);
	}
	skm_tree_root(&tree, ret_root);
}
