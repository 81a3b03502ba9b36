// SPDX-License-Identifier: Apache-2.0
/* Reading whole files and writing whole buffers, and the one place that says which file is fit to be obeyed.
 * The checks are made on the descriptor that is then read, never on the path: between a stat(path) and an
 * open(path) the file can change. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

#include "sekimori/io.h"

int skm_fd_read_all(int fd, void *buf, size_t size, size_t *ret_len)
{
	size_t len = 0;
	while (len < size) {
		ssize_t n = read(fd, (char *)buf + len, size - len);
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

int skm_file_read_at(int dirfd, const char *name, char *buf, size_t size, size_t *ret_len)
{
	if (size == 0)
		return -EINVAL;
	SKM_CLEANUP(skm_fd_close) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	/* The place for the NUL is used to see whether there is one byte too many. A caller's buffer may be
	 * torn by that: the length is what stays untouched. */
	size_t len = 0;
	int r = skm_fd_read_all(fd, buf, size, &len);
	if (r < 0)
		return r;
	if (len == size)
		return -EFBIG;
	buf[len] = '\0';
	*ret_len = len;
	return 0;
}

static int check_trusted(int fd, size_t max_bytes, size_t *ret_size)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return SKM_FILE_NOT_REGULAR;
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return SKM_FILE_WRONG_OWNER;
	/* With a POSIX ACL the group bits are its mask, so a write permission for a named user shows here too
	 * (acl(5)). */
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return SKM_FILE_WRITABLE_BY_OTHERS;
	if (st.st_size < 0 || (uintmax_t)st.st_size > max_bytes)
		return SKM_FILE_TOO_LARGE;
	*ret_size = (size_t)st.st_size;
	return 0;
}

int skm_file_read_trusted(const char *path, size_t max_bytes, char **ret_text, size_t *ret_len)
{
	/* O_NONBLOCK: opening a FIFO that somebody put there must not wait for its writer. */
	SKM_CLEANUP(skm_fd_close)
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ELOOP ? SKM_FILE_SYMLINK : -errno;
	size_t size = 0;
	int r = check_trusted(fd, max_bytes, &size);
	if (r != 0)
		return r;
	if (size > SIZE_MAX - 2)
		return -EFBIG;
	SKM_CLEANUP(skm_free) char *text = malloc(size + 2);
	if (!text)
		return -ENOMEM;
	/* One byte more than it had: a file that grows while it is read is not taken in half. */
	size_t len = 0;
	r = skm_fd_read_all(fd, text, size + 1, &len);
	if (r < 0)
		return r;
	if (len > size)
		return -EAGAIN;
	text[len] = '\0';
	*ret_text = text;
	text = NULL;
	*ret_len = len;
	return 0;
}

int skm_fd_write_all(int fd, const void *data, size_t len)
{
	const char *at = data;
	while (len > 0) {
		ssize_t n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}
