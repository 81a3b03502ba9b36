// SPDX-License-Identifier: Apache-2.0
/* What the store asks of a file system: files fit to be trusted, whole files replaced in one step, folders
 * that are ours alone. Knows nothing of persons and keys. */
#ifndef SKM_STORE_FILES_H
#define SKM_STORE_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "store.h"

/* There is something under that name, but not a file that we would have made: a link, a FIFO, a folder,
 * another owner's, writable by others. */
#define SKM_STORE_FILE_UNFIT 1

/* `flags` is O_RDONLY or O_RDWR. 0; UNFIT; -ENOENT; -errno. *ret_size: may be NULL. */
SKM_NODISCARD int skm_store_file_open(const struct skm_store_ops *ops, int folder, const char *name,
	int flags, int *ret_fd, uint64_t *ret_size);
/* Reads what is there of `size` bytes. 0 or -errno; on failure ret_buf may hold a part. */
SKM_NODISCARD int skm_store_file_read(
	const struct skm_store_ops *ops, int fd, void *ret_buf, size_t size, off_t offset, size_t *ret_len);
/* Writes all of it. 0 or -errno. */
SKM_NODISCARD int skm_store_file_write(
	const struct skm_store_ops *ops, int fd, const void *data, size_t len, off_t offset);
/* Puts a whole file of mode 0600, its space allocated, in the place of what has that name: either the old or
 * the new one stands there at any time. With `is_durable` 0 means that it will after a power cut. -errno: the
 * old one stands, or (when only the last sync of the folder failed) one of both. */
SKM_NODISCARD int skm_store_file_replace(const struct skm_store_ops *ops, int folder, const char *name,
	const void *data, size_t len, bool is_durable);
/* 0, also when there was none; -errno. */
SKM_NODISCARD int skm_store_file_remove(const struct skm_store_ops *ops, int folder, const char *name);
/* 0; UNFIT: not a folder, another owner's, or writable by others; -errno. */
SKM_NODISCARD int skm_store_folder_open(const struct skm_store_ops *ops, const char *path, int *ret_fd);
/* The same checks for one that is open; -ESTALE when it was removed meanwhile. */
SKM_NODISCARD int skm_store_folder_check(const struct skm_store_ops *ops, int fd);

#endif
