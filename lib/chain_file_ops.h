// SPDX-License-Identifier: Apache-2.0
/* Internal to the chain file: its system calls, so that a test can let each of them fail. */
#ifndef SEKIMORI_CHAIN_FILE_OPS_H
#define SEKIMORI_CHAIN_FILE_OPS_H

#include <sys/stat.h>
#include <sys/types.h>

#include "sekimori/chain_file.h"

/* Same meaning as those of libc: -1 and errno. `lock` is F_SETLK of the whole file for writing. */
struct skm_chain_file_ops {
	int (*open)(const char *path, int flags, mode_t mode);
	int (*lock)(int fd);
	int (*fstat)(int fd, struct stat *ret_stat);
	int (*fchmod)(int fd, mode_t mode);
	ssize_t (*pread)(int fd, void *buf, size_t size, off_t offset);
	ssize_t (*pwrite)(int fd, const void *data, size_t len, off_t offset);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd); /* of the folder */
	int (*rename)(const char *from, const char *to);
};
extern const struct skm_chain_file_ops skm_chain_file_ops_system;

/* As skm_chain_file_open; `ops` must outlive the file. */
SKM_NODISCARD int skm_chain_file_open_with_ops(const char *path, const uint8_t *verifier_key,
	const struct skm_chain_file_ops *ops, struct skm_chain_file **ret_file, struct skm_chain *ret_chain);

#endif
