// SPDX-License-Identifier: Apache-2.0
/* Internal to the ledger: the missing numbers of one chain. Pure. */
#ifndef SEKIMORI_STORE_GAP_LIST_H
#define SEKIMORI_STORE_GAP_LIST_H

#include "ledger.h"

/* Behind all others. `hash_after` is what record `last` has to hash to. A gap that has no place any more is
 * only counted. */
void skm_gaps_add(struct skm_chain_entry *entry, uint64_t first, uint64_t last,
	const uint8_t hash_after[SKM_CHAIN_HASH_BYTES]);
/* Takes one number out. True when its successor is stored and its hash is therefore known. */
bool skm_gaps_fill(struct skm_chain_entry *entry, uint64_t sequence,
	const uint8_t previous_hash[SKM_CHAIN_HASH_BYTES], uint8_t ret_expected[SKM_CHAIN_HASH_BYTES]);
/* Ascending, disjoint, below the watermark. */
bool skm_gaps_are_sound(const struct skm_chain_entry *entry);

#endif
