// SPDX-License-Identifier: Apache-2.0
/* The first bytes of h_n of every stored record, one file a chain, at (n - 1) x 16: tells in one read whether
 * a record that arrives again is the same. A cache of the day files: what is missing in it makes a duplicate
 * stored twice, never a record lost. */
#ifndef SEKIMORI_STORE_PRINT_INDEX_H
#define SEKIMORI_STORE_PRINT_INDEX_H

#include "ledger.h"

struct skm_print_index;

/* `folderfd` stays the caller's. 0 or -ENOMEM. */
SKM_NODISCARD int skm_print_index_new(int folderfd, struct skm_print_index **ret_index);
struct skm_print_index *skm_print_index_free(struct skm_print_index *index);

/* In memory until the flush. 0 or -ENOMEM (also when a million wait). */
SKM_NODISCARD int skm_print_index_add(struct skm_print_index *index, const uint8_t id[SKM_CHAIN_ID_BYTES],
	uint64_t sequence, const uint8_t hash[SKM_CHAIN_HASH_BYTES]);
/* The records added so far are stored. */
void skm_print_index_keep(struct skm_print_index *index);
/* Writes the prints of stored records (not synced). 0 or -errno: they stay in memory, for the next flush. */
SKM_NODISCARD int skm_print_index_flush(struct skm_print_index *index);
/* How many wait for it. */
size_t skm_print_index_waiting(const struct skm_print_index *index);
/* Forgets what was added since the last keep. */
void skm_print_index_drop(struct skm_print_index *index);
/* skm_known_fn */
bool skm_print_index_known(void *index, const uint8_t id[SKM_CHAIN_ID_BYTES], uint64_t sequence,
	uint8_t ret_print[SKM_LEDGER_PRINT_BYTES]);
/* Everything flushed is on disk. 0 or -errno. */
SKM_NODISCARD int skm_print_index_sync(struct skm_print_index *index);

#endif
