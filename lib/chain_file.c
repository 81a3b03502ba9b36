// SPDX-License-Identifier: Apache-2.0
/* The chain's state on disk. Overwritten in place, because a key that was used must not stay readable: the
 * usual "write another file and rename it" leaves the old one in free blocks, as many as there were records.
 * Two slots, because a write may be torn; each carries a count of writes, and the higher one is the newer.
 *
 * Rejected: a sync after each record. It would double the price of a record, and buys nothing: an older state
 * is brought up to date from the lines themselves. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "chain_file_ops.h"
#include "sekimori/record.h"

#define SLOT_BYTES 512
#define SLOT_DISTANCE 4096
#define SLOT_COUNT 2
#define FILE_BYTES (SLOT_DISTANCE + SLOT_BYTES)

/* As it stands on disk: all members are of one byte or eight, the machine's own byte order (the file never
 * leaves it). */
struct slot {
	char magic[8];
	uint64_t writes;
	struct skm_chain chain;
	uint8_t zeros[SLOT_BYTES - 8 - 8 - sizeof(struct skm_chain) - SKM_CHAIN_HASH_BYTES];
	uint8_t check[SKM_CHAIN_HASH_BYTES];
};
_Static_assert(sizeof(struct slot) == SLOT_BYTES, "one sector, no padding");
_Static_assert(sizeof(struct skm_chain) == SKM_CHAIN_ID_BYTES + 2 * SKM_CHAIN_HASH_BYTES + 64 + 32 + 16,
	"no padding in the chain");

static const char magic[8] = "skmchn1";

struct skm_chain_file {
	const struct skm_chain_file_ops *ops;
	int fd;
	uint64_t writes;
};

static int system_open(const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
}

/* Not flock(2): a lock that belongs to the open file would live on in a child that hangs in the kernel, and
 * keep the next agent from its log. */
static int system_lock(int fd)
{
	const struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	return fcntl(fd, F_SETLK, &whole);
}

const struct skm_chain_file_ops skm_chain_file_ops_system = {
	.open = system_open,
	.lock = system_lock,
	.fstat = fstat,
	.fchmod = fchmod,
	.pread = pread,
	.pwrite = pwrite,
	.fdatasync = fdatasync,
	.fsync = fsync,
	.rename = rename,
};

/* ---- slots ---- */

static void check_of(const struct slot *slot, uint8_t ret_check[SKM_CHAIN_HASH_BYTES])
{
	static const uint8_t nothing[SKM_CHAIN_HASH_BYTES];
	skm_chain_hash_next(nothing, (const char *)slot, offsetof(struct slot, check), ret_check);
}

static bool is_good(const struct slot *slot)
{
	uint8_t check[SKM_CHAIN_HASH_BYTES];
	check_of(slot, check);
	return memcmp(slot->magic, magic, sizeof(magic)) == 0 &&
	       memcmp(slot->check, check, sizeof(check)) == 0;
}

static int pwrite_whole(const struct skm_chain_file *file, const void *data, size_t len, off_t offset)
{
	ssize_t n;
	do {
		n = file->ops->pwrite(file->fd, data, len, offset);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -ENOSPC;
}

int skm_chain_file_write(struct skm_chain_file *file, const struct skm_chain *chain, bool is_checkpoint)
{
	struct slot slot = {.writes = file->writes + 1, .chain = *chain};
	memcpy(slot.magic, magic, sizeof(magic));
	check_of(&slot, slot.check);
	/* Counted even if it fails: half of it may stand there. */
	file->writes++;
	int r = 0;
	for (unsigned i = 0; r == 0 && i < SLOT_COUNT; i++) {
		r = pwrite_whole(file, &slot, sizeof(slot), (off_t)i * SLOT_DISTANCE);
		if (r == 0 && is_checkpoint && file->ops->fdatasync(file->fd) < 0)
			r = -errno;
	}
	skm_chain_wipe(&slot, sizeof(slot));
	return r;
}

/* The newest slot that is whole. 0, SKM_CHAIN_FILE_DAMAGED, or -errno. */
static int read_slots(struct skm_chain_file *file, struct skm_chain *ret_chain)
{
	struct slot slot;
	bool is_found = false;
	int r = 0;
	for (unsigned i = 0; r == 0 && i < SLOT_COUNT; i++) {
		ssize_t n;
		do {
			n = file->ops->pread(file->fd, &slot, sizeof(slot), (off_t)i * SLOT_DISTANCE);
		} while (n < 0 && errno == EINTR);
		if (n < 0)
			r = -errno;
		else if (n == (ssize_t)sizeof(slot) && is_good(&slot) && slot.writes > file->writes) {
			file->writes = slot.writes;
			*ret_chain = slot.chain;
			is_found = true;
		}
	}
	skm_chain_wipe(&slot, sizeof(slot));
	if (r < 0)
		return r;
	return is_found ? 0 : SKM_CHAIN_FILE_DAMAGED;
}

/* ---- the file ---- */

/* `path` and a suffix. 0 or -ENOMEM. */
static int name_beside(const char *path, const char *suffix, char **ret_name)
{
	char *name = NULL;
	if (asprintf(&name, "%s%s", path, suffix) < 0)
		return -ENOMEM;
	*ret_name = name;
	return 0;
}

/* So that a rename or a new name is on disk. */
static int sync_folder(const struct skm_chain_file_ops *ops, const char *path)
{
	char *folder = strdup(path);
	if (!folder)
		return -ENOMEM;
	char *slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder ? 1 : 0] = '\0';
	SKM_CLEANUP(skm_fd_close)
	int fd = ops->open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	int error = errno;
	free(folder);
	if (fd < 0)
		return -error;
	return ops->fsync(fd) < 0 ? -errno : 0;
}

static int append_sealed(const struct skm_chain_file_ops *ops, const char *path, const uint8_t *verifier_key,
	const struct skm_chain *chain, const uint8_t first_key[SKM_CHAIN_KEY_BYTES])
{
	uint8_t sealed[SKM_CHAIN_SEALED_KEY_BYTES];
	char id_text[2 * SKM_CHAIN_ID_BYTES + 1], sealed_text[2 * sizeof(sealed) + 1];
	char line[sizeof(id_text) + sizeof(sealed_text) + 2];
	SKM_CLEANUP(skm_free) char *name = NULL;
	int r = name_beside(path, ".sealed", &name);
	if (r < 0)
		return r;
	skm_chain_seal_key(verifier_key, first_key, sealed);
	skm_hex_format(chain->id, sizeof(chain->id), id_text);
	skm_hex_format(sealed, sizeof(sealed), sealed_text);
	int len = snprintf(line, sizeof(line), "%s %s\n", id_text, sealed_text);
	SKM_CLEANUP(skm_fd_close)
	int fd = ops->open(name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);
	struct stat st;
	if (fd < 0 || ops->fstat(fd, &st) < 0 || ops->fchmod(fd, 0640) < 0)
		return -errno;
	/* Not O_APPEND: the rest of a line that was cut short by a full disk is written over. */
	const struct skm_chain_file file = {.ops = ops, .fd = fd};
	r = pwrite_whole(&file, line, (size_t)len, st.st_size - st.st_size % (off_t)len);
	if (r < 0)
		return r;
	return ops->fdatasync(fd) < 0 ? -errno : 0;
}

/* A whole file under another name first: what stands under its own name is never half a file. */
static int create(const struct skm_chain_file_ops *ops, const char *path, const uint8_t *verifier_key,
	struct skm_chain *chain)
{
	static const uint8_t empty[FILE_BYTES];
	uint8_t first_key[SKM_CHAIN_KEY_BYTES];
	SKM_CLEANUP(skm_free) char *draft = NULL;
	int r = name_beside(path, ".new", &draft);
	if (r < 0)
		return r;
	SKM_CLEANUP(skm_fd_close)
	int fd = ops->open(draft, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0 || ops->fchmod(fd, 0600) < 0)
		return -errno;
	struct skm_chain_file file = {.ops = ops, .fd = fd};
	skm_chain_begin(chain, first_key);
	r = pwrite_whole(&file, empty, sizeof(empty), 0);
	if (r == 0)
		r = skm_chain_file_write(&file, chain, true);
	if (r == 0 && verifier_key)
		r = append_sealed(ops, path, verifier_key, chain, first_key);
	skm_chain_wipe(first_key, sizeof(first_key));
	if (r < 0)
		return r;
	if (ops->rename(draft, path) < 0)
		return -errno;
	return sync_folder(ops, path);
}

/* 0, SKM_CHAIN_FILE_DAMAGED, or -errno (-ENOENT: there is none). */
static int open_existing(struct skm_chain_file *file, const char *path, struct skm_chain *chain)
{
	const struct skm_chain_file_ops *ops = file->ops;
	struct stat st;
	file->fd = ops->open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (file->fd < 0)
		return errno == ELOOP || errno == EISDIR || errno == ENXIO ? SKM_CHAIN_FILE_DAMAGED : -errno;
	if (ops->fstat(file->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return SKM_CHAIN_FILE_DAMAGED;
	if (ops->lock(file->fd) < 0)
		return errno == EACCES || errno == EAGAIN ? -EWOULDBLOCK : -errno;
	if ((st.st_mode & 07777) != 0600 && ops->fchmod(file->fd, 0600) < 0)
		return -errno;
	return read_slots(file, chain);
}

/* Sets aside what cannot be used, and puts a new file there. */
static int replace(struct skm_chain_file *file, const char *path, const uint8_t *verifier_key, int why,
	struct skm_chain *chain)
{
	const struct skm_chain_file_ops *ops = file->ops;
	SKM_CLEANUP(skm_free) char *aside = NULL;
	int r = name_beside(path, ".damaged", &aside);
	if (r < 0)
		return r;
	if (why == SKM_CHAIN_FILE_DAMAGED && ops->rename(path, aside) < 0)
		return -errno;
	skm_fd_close(&file->fd);
	file->writes = 0;
	r = create(ops, path, verifier_key, chain);
	if (r < 0)
		return r;
	r = open_existing(file, path, chain);
	return r == SKM_CHAIN_FILE_DAMAGED ? -EIO : r;
}

int skm_chain_file_open_with_ops(const char *path, const uint8_t *verifier_key,
	const struct skm_chain_file_ops *ops, struct skm_chain_file **ret_file, struct skm_chain *ret_chain)
{
	struct skm_chain chain = {.sequence = 0};
	struct skm_chain_file *file = malloc(sizeof(*file));
	if (!file)
		return -ENOMEM;
	*file = (struct skm_chain_file){.ops = ops, .fd = -1};
	int why = open_existing(file, path, &chain);
	if (why == -ENOENT)
		why = SKM_CHAIN_FILE_NEW;
	int r = why > 0 ? replace(file, path, verifier_key, why, &chain) : why;
	if (r == 0) {
		*ret_chain = chain;
		*ret_file = file;
	} else {
		(void)skm_chain_file_close(file);
	}
	skm_chain_clear(&chain);
	return r == 0 ? why : r;
}

int skm_chain_file_open(const char *path, const uint8_t *verifier_key, struct skm_chain_file **ret_file,
	struct skm_chain *ret_chain)
{
	return skm_chain_file_open_with_ops(
		path, verifier_key, &skm_chain_file_ops_system, ret_file, ret_chain);
}

struct skm_chain_file *skm_chain_file_close(struct skm_chain_file *file)
{
	if (file)
		skm_fd_close(&file->fd);
	free(file);
	return NULL;
}
