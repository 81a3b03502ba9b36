// SPDX-License-Identifier: Apache-2.0
/* Where a chain stands, on disk: two slots of 512 bytes at 0 and 4,096 of one preallocated file (root, 0600).
 * The order is: line -> fdatasync -> slots. After a stored line both slots are written, one after the other,
 * so that no older key stays readable; they are synced at checkpoints only. After a power cut the slots may
 * therefore be older than the lines: the lines after them are checked with the old key and ratcheted over.
 * They are never newer. */
#ifndef SEKIMORI_CHAIN_FILE_H
#define SEKIMORI_CHAIN_FILE_H

#include "sekimori/chain.h"

struct skm_chain_file;

/* 0; -errno. Makes the file (and only the file) when it is absent: then the chain is new and its first key
 * sealed to verifier_key (32 bytes, may be NULL: nobody will be able to check the MACs) in `path`.sealed,
 * 0640. */
#define SKM_CHAIN_FILE_NEW 1 /* success: there was none, a chain was begun */
#define SKM_CHAIN_FILE_DAMAGED                                                               \
	2 /* success: both slots were unreadable, a chain was begun; the old file is kept as \
	     `path`.damaged */
SKM_NODISCARD int skm_chain_file_open(const char *path, const uint8_t *verifier_key,
	struct skm_chain_file **ret_file, struct skm_chain *ret_chain);
/* Begins a chain anew in an open file (the old one cannot be continued). 0 or -errno. */
SKM_NODISCARD int skm_chain_file_begin(
	struct skm_chain_file *file, const uint8_t *verifier_key, struct skm_chain *ret_chain);
/* Writes both slots; `is_checkpoint` syncs each before the other is touched. 0 or -errno: the lines are
 * stored all the same, the next start ratchets over them. */
SKM_NODISCARD int skm_chain_file_write(
	struct skm_chain_file *file, const struct skm_chain *chain, bool is_checkpoint);
struct skm_chain_file *skm_chain_file_close(struct skm_chain_file *file);

#endif
