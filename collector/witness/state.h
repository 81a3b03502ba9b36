// SPDX-License-Identifier: Apache-2.0
/* The witness's own folder: witness.jsonl, and beside it what each entry was made of. */
#ifndef SKM_WITNESS_STATE_H
#define SKM_WITNESS_STATE_H

#include "entry.h"

#define SKM_WITNESS_BOOK_NAME "witness.jsonl"
#define SKM_WITNESS_BOOK_BYTES_MAX ((size_t)256 << 20)
#define SKM_WITNESS_NAME_BYTES 32

/* "000012.heads" and the like, of an entry. */
void skm_witness_name(uint64_t number, const char *suffix, char ret_name[SKM_WITNESS_NAME_BYTES]);

/* Reads a whole file; malloc'ed, NUL-terminated behind *ret_len. 0, -EFBIG or -errno. */
SKM_NODISCARD int skm_witness_file_read(
	int dirfd, const char *name, size_t max_bytes, char **ret_text, size_t *ret_len);

/* An empty book when there is no file. 0 or -errno. */
SKM_NODISCARD int skm_witness_book_load(int statefd, struct skm_witness_book *ret_book);

struct skm_witness_append_ops {
	ssize_t (*write)(int fd, const void *data, size_t len);
	int (*fdatasync)(int fd);
};
extern const struct skm_witness_append_ops skm_witness_append_ops_system;
/* Writes the line of the entry behind what is right of the file (`torn_bytes` are cut off) and syncs it and
 * its folder. On failure the file is cut back to what it was. 0 or -errno. */
SKM_NODISCARD int skm_witness_book_append(int statefd, const struct skm_witness_append_ops *ops,
	const struct skm_witness_book *book, const struct skm_witness_entry *entry);

#endif
