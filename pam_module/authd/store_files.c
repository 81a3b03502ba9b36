// SPDX-License-Identifier: Apache-2.0
/* One place that opens, checks, writes and syncs, each call through the vtable, so that a test can stop the
 * world at any of them. Checks are made on the descriptor that is then used, never on a name. O_TMPFILE with
 * linkat was rejected for replacing (linkat cannot replace), a random temporary name too (a cut would leave
 * one more file each time; ours is one fixed name that the next attempt removes first). */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "store_files.h"

#define NAME_BYTES 64

static int system_openat(int dirfd, const char *name, int flags, mode_t mode)
{
	return openat(dirfd, name, flags, mode);
}

const struct skm_store_ops skm_store_ops_system = {
	.openat = system_openat,
	.pread = pread,
	.pwrite = pwrite,
	.fdatasync = fdatasync,
	.fsync = fsync,
	.fallocate = fallocate,
	.renameat = renameat,
	.unlinkat = unlinkat,
	.mkdirat = mkdirat,
	.fstat = fstat,
	.flock = flock,
};

static bool is_ours_alone(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

int skm_store_file_open(const struct skm_store_ops *ops, int folder, const char *name, int flags, int *ret_fd,
	uint64_t *ret_size)
{
	/* O_NONBLOCK: a FIFO in the file's place must not wait for its other end. */
	SKM_CLEANUP(skm_fd_close)
	int fd = ops->openat(folder, name, flags | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0 && (errno == ELOOP || errno == ENXIO || errno == EISDIR || errno == ENODEV))
		return SKM_STORE_FILE_UNFIT;
	if (fd < 0)
		return -errno;
	struct stat st;
	if (ops->fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || !is_ours_alone(&st))
		return SKM_STORE_FILE_UNFIT;
	if (ret_size)
		*ret_size = (uint64_t)st.st_size;
	*ret_fd = skm_fd_take(&fd);
	return 0;
}

int skm_store_file_read(
	const struct skm_store_ops *ops, int fd, void *ret_buf, size_t size, off_t offset, size_t *ret_len)
{
	uint8_t *buf = ret_buf;
	size_t len = 0;
	while (len < size) {
		ssize_t n = ops->pread(fd, buf + len, size - len, offset + (off_t)len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

int skm_store_file_write(const struct skm_store_ops *ops, int fd, const void *data, size_t len, off_t offset)
{
	const uint8_t *bytes = data;
	for (size_t done = 0; done < len;) {
		ssize_t n = ops->pwrite(fd, bytes + done, len - done, offset + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

static int write_new(const struct skm_store_ops *ops, int folder, const char *name, const void *data,
	size_t len, bool is_durable)
{
	SKM_CLEANUP(skm_fd_close)
	int fd = ops->openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	/* Where the file system has no such call, writing every byte has to do. */
	if (ops->fallocate(fd, 0, 0, (off_t)len) < 0 && errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	int r = skm_store_file_write(ops, fd, data, len, 0);
	return r == 0 && is_durable && ops->fsync(fd) < 0 ? -errno : r;
}

int skm_store_file_remove(const struct skm_store_ops *ops, int folder, const char *name)
{
	return ops->unlinkat(folder, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int skm_store_file_replace(const struct skm_store_ops *ops, int folder, const char *name, const void *data,
	size_t len, bool is_durable)
{
	char temporary[NAME_BYTES];
	if (snprintf(temporary, sizeof(temporary), "%s.new", name) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	int r = skm_store_file_remove(ops, folder, temporary);
	if (r == 0)
		r = write_new(ops, folder, temporary, data, len, is_durable);
	if (r == 0 && ops->renameat(folder, temporary, folder, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)ops->unlinkat(folder, temporary, 0);
		return r;
	}
	return is_durable && ops->fsync(folder) < 0 ? -errno : 0;
}

int skm_store_folder_check(const struct skm_store_ops *ops, int fd)
{
	struct stat st;
	if (ops->fstat(fd, &st) < 0)
		return -errno;
	if (st.st_nlink == 0)
		return -ESTALE;
	return S_ISDIR(st.st_mode) && is_ours_alone(&st) ? 0 : SKM_STORE_FILE_UNFIT;
}

int skm_store_folder_open(const struct skm_store_ops *ops, const char *path, int *ret_fd)
{
	SKM_CLEANUP(skm_fd_close)
	int fd = ops->openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return errno == ELOOP || errno == ENOTDIR ? SKM_STORE_FILE_UNFIT : -errno;
	int r = skm_store_folder_check(ops, fd);
	if (r == 0)
		*ret_fd = skm_fd_take(&fd);
	return r;
}
