// SPDX-License-Identifier: Apache-2.0
/* The entries as they are in memory, with a checksum over all: written and read by the same program on the
 * same machine, twice a minute. A text format was rejected for its parser: another machine, another version
 * or a damaged file reads the day files again, which are the truth anyway. */
#include "snapshot.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/io.h"

#define VERSION 2
#define TEMPORARY SKM_SNAPSHOT_NAME ".new"

static const char magic[8] = "skmstore";

struct header {
	char magic[8];
	uint32_t version, entry_bytes;
	uint64_t count;
	struct skm_day_position position;
};

static void close_file(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

struct sum {
	uint8_t hash[SKM_CHAIN_HASH_BYTES];
};

static void add_to_sum(struct sum *sum, const void *data, size_t len)
{
	skm_chain_hash_next(sum->hash, data, len, sum->hash);
}

static bool put(FILE *file, struct sum *sum, const void *data, size_t len)
{
	add_to_sum(sum, data, len);
	return fwrite(data, len, 1, file) == 1;
}

static int write_state(FILE *file, const struct skm_ledger *ledger, const struct skm_day_position *position)
{
	struct header header = {.version = VERSION,
		.entry_bytes = sizeof(struct skm_chain_entry),
		.count = skm_ledger_count(ledger),
		.position = *position};
	struct sum sum = {{0}};
	memcpy(header.magic, magic, sizeof(header.magic));
	errno = 0;
	bool is_written = put(file, &sum, &header, sizeof(header));
	for (size_t i = 0; is_written && i < header.count; i++)
		is_written = put(file, &sum, skm_ledger_get(ledger, i), sizeof(struct skm_chain_entry));
	is_written = is_written && fwrite(sum.hash, sizeof(sum.hash), 1, file) == 1 && fflush(file) == 0 &&
		     fdatasync(fileno(file)) == 0;
	if (is_written)
		return 0;
	return errno ? -errno : -EIO;
}

int skm_snapshot_save(int folderfd, const struct skm_ledger *ledger, const struct skm_day_position *position)
{
	int fd = openat(folderfd, TEMPORARY, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	SKM_CLEANUP(close_file) FILE *file = fdopen(fd, "w");
	if (!file) {
		int r = -errno;
		(void)close(fd);
		return r;
	}
	int r = write_state(file, ledger, position);
	if (r == 0 && renameat(folderfd, TEMPORARY, folderfd, SKM_SNAPSHOT_NAME) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(folderfd, TEMPORARY, 0);
		return r;
	}
	return fsync(folderfd) < 0 ? -errno : 0;
}

static bool get(FILE *file, struct sum *sum, void *data, size_t len)
{
	if (fread(data, len, 1, file) != 1)
		return false;
	add_to_sum(sum, data, len);
	return true;
}

static bool is_header_ours(const struct header *header)
{
	return memcmp(header->magic, magic, sizeof(magic)) == 0 && header->version == VERSION &&
	       header->entry_bytes == sizeof(struct skm_chain_entry) &&
	       header->count <= SKM_LEDGER_CHAINS_MAX;
}

/* The sum is looked at before anything is believed. */
static bool is_whole(FILE *file)
{
	struct header header;
	struct skm_chain_entry entry;
	struct sum sum = {{0}};
	uint8_t hash[SKM_CHAIN_HASH_BYTES];
	if (!get(file, &sum, &header, sizeof(header)) || !is_header_ours(&header))
		return false;
	for (uint64_t i = 0; i < header.count; i++) {
		if (!get(file, &sum, &entry, sizeof(entry)))
			return false;
	}
	return fread(hash, sizeof(hash), 1, file) == 1 && memcmp(hash, sum.hash, sizeof(hash)) == 0 &&
	       fgetc(file) == EOF;
}

int skm_snapshot_load(int folderfd, struct skm_ledger *ledger, struct skm_day_position *ret_position)
{
	struct header header;
	struct skm_chain_entry entry;
	int fd = openat(folderfd, SKM_SNAPSHOT_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? SKM_SNAPSHOT_NONE : -errno;
	SKM_CLEANUP(close_file) FILE *file = fdopen(fd, "r");
	if (!file) {
		int r = -errno;
		(void)close(fd);
		return r;
	}
	if (!is_whole(file))
		return SKM_SNAPSHOT_DAMAGED;
	rewind(file);
	if (fread(&header, sizeof(header), 1, file) != 1)
		return -EIO;
	for (uint64_t i = 0; i < header.count; i++) {
		if (fread(&entry, sizeof(entry), 1, file) != 1)
			return -EIO;
		/* Twice the same id, or nonsense, under a right sum: not written by this code. It adds
		 * nothing then, and the rest is read. */
		int r = skm_ledger_restore(ledger, &entry);
		if (r < 0 && r != -EEXIST && r != -EINVAL)
			return r;
	}
	*ret_position = header.position;
	return 0;
}
