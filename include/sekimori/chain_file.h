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

#define SKM_CHAIN_FILE_NEW 1	 /* success: there was none, a chain was begun */
#define SKM_CHAIN_FILE_DAMAGED 2 /* success: no slot was readable, a chain was begun; the old file is kept \
				  */
/* 0, one of the above, or -errno (-EWOULDBLOCK: another process writes this chain). Makes the file (and only
 * the file) when it is absent or damaged; a damaged one is kept as `path`.damaged. The first key of a chain
 * that is begun is sealed to verifier_key (32 bytes; NULL: nobody will ever be able to check its MACs): a
 * line "CHAIN-ID SEALED-KEY\n", in hex, is added to `path`.sealed (0640), which keeps those of former chains.
 * It is on disk before the chain is. The lock belongs to the process: one process opens a path only once. */
SKM_NODISCARD int skm_chain_file_open(const char *path, const uint8_t *verifier_key,
	struct skm_chain_file **ret_file, struct skm_chain *ret_chain);
/* Writes both slots; `is_checkpoint` syncs each before the other is touched. 0 or -errno: the lines are
 * stored all the same, the next start ratchets over them. */
SKM_NODISCARD int skm_chain_file_write(
	struct skm_chain_file *file, const struct skm_chain *chain, bool is_checkpoint);
/* NULL is fine. Returns NULL. */
struct skm_chain_file *skm_chain_file_close(struct skm_chain_file *file);

#endif
