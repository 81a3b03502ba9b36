// SPDX-License-Identifier: Apache-2.0
/* An entry counts when its line is whole and on disk; all that belongs to it was synced before. So a kill at
 * any moment leaves either no entry, and the next run makes it, or a whole one. */
#include "state.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sekimori/io.h"

const struct skm_witness_append_ops skm_witness_append_ops_system = {write, fdatasync};

void skm_witness_name(uint64_t number, const char *suffix, char ret_name[SKM_WITNESS_NAME_BYTES])
{
	(void)snprintf(ret_name, SKM_WITNESS_NAME_BYTES, "%06" PRIu64 ".%s", number, suffix);
}

int skm_witness_file_read(int dirfd, const char *name, size_t max_bytes, char **ret_text, size_t *ret_len)
{
	struct stat st;
	size_t len = 0;
	SKM_CLEANUP(skm_fd_close)
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size < 0 || (size_t)st.st_size > max_bytes)
		return -EFBIG;
	size_t size = (size_t)st.st_size;
	char *text = malloc(size + 1);
	int r = text ? skm_fd_read_all(fd, text, size, &len) : -ENOMEM;
	if (r < 0) {
		free(text);
		return r;
	}
	text[len] = '\0';
	*ret_text = text;
	*ret_len = len;
	return 0;
}

int skm_witness_book_load(int statefd, struct skm_witness_book *ret_book)
{
	char *text = NULL;
	size_t len = 0;
	struct skm_witness_book book = {.entries = NULL};
	int r = skm_witness_file_read(
		statefd, SKM_WITNESS_BOOK_NAME, SKM_WITNESS_BOOK_BYTES_MAX, &text, &len);
	if (r == -ENOENT)
		r = 0;
	else if (r == 0)
		r = skm_witness_book_parse(&book, text, len);
	free(text);
	if (r < 0) {
		skm_witness_book_finish(&book);
		return r;
	}
	*ret_book = book;
	return 0;
}

static int write_all(const struct skm_witness_append_ops *ops, int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = ops->write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int skm_witness_book_append(int statefd, const struct skm_witness_append_ops *ops,
	const struct skm_witness_book *book, const struct skm_witness_entry *entry)
{
	char line[SKM_WITNESS_LINE_BYTES + 1];
	struct stat st;
	size_t len = skm_witness_entry_format(entry, line);
	line[len++] = '\n';
	SKM_CLEANUP(skm_fd_close)
	int fd = openat(
		statefd, SKM_WITNESS_BOOK_NAME, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	off_t end = st.st_size - (off_t)book->torn_bytes;
	if (book->torn_bytes > 0 && ftruncate(fd, end) < 0)
		return -errno;
	int r = write_all(ops, fd, line, len);
	if (r == 0 && ops->fdatasync(fd) < 0)
		r = -errno;
	if (r < 0) {
		(void)!ftruncate(fd, end);
		return r;
	}
	return fsync(statefd) < 0 ? -errno : 0;
}
