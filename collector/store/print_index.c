// SPDX-License-Identifier: Apache-2.0
/* A file with a place for every number was chosen over a database and over a ring in memory: a terminal that
 * was rolled back by weeks sends weeks of records whose numbers are known and whose contents are not, and
 * each of them has to be told from a duplicate. Files grow by 16 bytes a record, two in a hundred of the
 * evidence, and are sparse where numbers are missing. */
#include "print_index.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES (2 * SKM_CHAIN_ID_BYTES + 1)
#define PENDING_MAX ((size_t)1 << 20)
#define RUN_MAX 256 /* prints of neighbouring numbers in one write */

struct pending {
	uint8_t id[SKM_CHAIN_ID_BYTES];
	uint64_t sequence;
	uint8_t print[SKM_LEDGER_PRINT_BYTES];
};

struct skm_print_index {
	int folderfd;
	struct pending *pending;
	size_t count, size;
	size_t kept; /* of them belong to stored records */
};

int skm_print_index_new(int folderfd, struct skm_print_index **ret_index)
{
	struct skm_print_index *index = calloc(1, sizeof(*index));
	if (!index)
		return -ENOMEM;
	index->folderfd = folderfd;
	*ret_index = index;
	return 0;
}

struct skm_print_index *skm_print_index_free(struct skm_print_index *index)
{
	if (index)
		free(index->pending);
	free(index);
	return NULL;
}

int skm_print_index_add(struct skm_print_index *index, const uint8_t id[SKM_CHAIN_ID_BYTES],
	uint64_t sequence, const uint8_t hash[SKM_CHAIN_HASH_BYTES])
{
	if (index->count == index->size) {
		if (index->size >= PENDING_MAX)
			return -ENOMEM;
		size_t size = index->size ? index->size * 2 : 128;
		struct pending *pending = reallocarray(index->pending, size, sizeof(*pending));
		if (!pending)
			return -ENOMEM;
		index->pending = pending;
		index->size = size;
	}
	struct pending *added = &index->pending[index->count++];
	added->sequence = sequence;
	memcpy(added->id, id, sizeof(added->id));
	memcpy(added->print, hash, sizeof(added->print));
	return 0;
}

static int open_chain(const struct skm_print_index *index, const uint8_t id[SKM_CHAIN_ID_BYTES], int flags)
{
	char name[NAME_BYTES];
	skm_hex_format(id, SKM_CHAIN_ID_BYTES, name);
	return openat(index->folderfd, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0640);
}

static off_t place_of(uint64_t sequence)
{
	return (off_t)((sequence - 1) * SKM_LEDGER_PRINT_BYTES);
}

static int write_run(int fd, const struct pending *first, size_t count)
{
	uint8_t prints[RUN_MAX * SKM_LEDGER_PRINT_BYTES];
	size_t len = count * SKM_LEDGER_PRINT_BYTES;
	for (size_t i = 0; i < count; i++)
		memcpy(prints + i * SKM_LEDGER_PRINT_BYTES, first[i].print, SKM_LEDGER_PRINT_BYTES);
	ssize_t n = pwrite(fd, prints, len, place_of(first->sequence));
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -ENOSPC;
}

void skm_print_index_keep(struct skm_print_index *index)
{
	index->kept = index->count;
}

size_t skm_print_index_waiting(const struct skm_print_index *index)
{
	return index->kept;
}

int skm_print_index_flush(struct skm_print_index *index)
{
	SKM_CLEANUP(skm_fd_close) int fd = -1;
	if (index->kept == 0)
		return 0;
	for (size_t i = 0; i < index->kept;) {
		const struct pending *first = &index->pending[i];
		bool is_other = i == 0 || memcmp(first->id, first[-1].id, sizeof(first->id)) != 0;
		size_t count = 1;
		while (i + count < index->kept && count < RUN_MAX &&
			memcmp(first[count].id, first->id, sizeof(first->id)) == 0 &&
			first[count].sequence == first->sequence + count)
			count++;
		if (is_other) {
			skm_fd_close(&fd);
			fd = open_chain(index, first->id, O_WRONLY | O_CREAT);
			if (fd < 0)
				return -errno;
		}
		int r = write_run(fd, first, count);
		if (r < 0)
			return r;
		i += count;
	}
	index->count -= index->kept;
	memmove(index->pending, index->pending + index->kept, index->count * sizeof(*index->pending));
	index->kept = 0;
	return 0;
}

void skm_print_index_drop(struct skm_print_index *index)
{
	index->count = index->kept;
}

bool skm_print_index_known(void *user, const uint8_t id[SKM_CHAIN_ID_BYTES], uint64_t sequence,
	uint8_t ret_print[SKM_LEDGER_PRINT_BYTES])
{
	static const uint8_t none[SKM_LEDGER_PRINT_BYTES];
	const struct skm_print_index *index = user;
	uint8_t print[SKM_LEDGER_PRINT_BYTES];
	for (size_t i = index->count; i > 0; i--) {
		const struct pending *pending = &index->pending[i - 1];
		if (pending->sequence == sequence && memcmp(pending->id, id, sizeof(pending->id)) == 0) {
			memcpy(ret_print, pending->print, sizeof(pending->print));
			return true;
		}
	}
	SKM_CLEANUP(skm_fd_close) int fd = open_chain(index, id, O_RDONLY);
	if (fd < 0 || pread(fd, print, sizeof(print), place_of(sequence)) != (ssize_t)sizeof(print) ||
		memcmp(print, none, sizeof(none)) == 0)
		return false;
	memcpy(ret_print, print, sizeof(print));
	return true;
}

int skm_print_index_sync(struct skm_print_index *index)
{
	/* One call for all files: with each terminal's beat a few hundred change between two snapshots. */
	return syncfs(index->folderfd) < 0 ? -errno : 0;
}
