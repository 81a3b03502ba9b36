// SPDX-License-Identifier: Apache-2.0
/* File helpers. All opens are close-on-exec. */
#ifndef SEKIMORI_IO_H
#define SEKIMORI_IO_H

#include <stdbool.h>
#include <sys/types.h>

#include "sekimori/result.h"

/* Reads up to size - 1 bytes of a (pseudo-)file into buf and terminates it; 0 and the length, or -errno.
 * -EFBIG when there is more. Binary-safe: *ret_len counts. On failure buf may hold a part, unterminated. */
SKM_NODISCARD int skm_file_read_at(int dirfd, const char *name, char *buf, size_t size, size_t *ret_len);

/* What makes a file fit to be obeyed. */
enum skm_file_fault {
	SKM_FILE_SYMLINK = 1,
	SKM_FILE_NOT_REGULAR,
	SKM_FILE_WRONG_OWNER,
	SKM_FILE_WRITABLE_BY_OTHERS,
	SKM_FILE_TOO_LARGE,
};
/* Opens without following a link, checks the descriptor (regular, owned by root or by the effective user, not
 * writable by group or others, at most max_bytes), reads it whole. 0: *ret_text is malloc'ed, NUL-terminated
 * after *ret_len bytes. enum skm_file_fault, or -errno; -EAGAIN when the file grew while it was read. The
 * folders above it are not checked. */
SKM_NODISCARD int skm_file_read_trusted(const char *path, size_t max_bytes, char **ret_text, size_t *ret_len);

/* Reads until buf is full or the file ends, whatever read(2) does in pieces. 0 or -errno. */
SKM_NODISCARD int skm_fd_read_all(int fd, void *buf, size_t size, size_t *ret_len);

/* Writes all of it, whatever write(2) does in pieces. 0 or -errno. */
SKM_NODISCARD int skm_fd_write_all(int fd, const void *data, size_t len);

/* Length of the valid UTF-8 sequence at text (1 to 4), 0 when it is not one (overlong, surrogate, above
 * U+10FFFF, cut off). */
size_t skm_utf8_sequence(const unsigned char *text, size_t len);
bool skm_utf8_is_valid(const char *text, size_t len);

#endif
