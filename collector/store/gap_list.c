// SPDX-License-Identifier: Apache-2.0
/* A terminal sends in order, so a chain has no gap or very few; each comes from a segment that was deleted or
 * damaged before it was sent. A fixed small list keeps an entry a value. What does not fit is counted; its
 * numbers are still told apart from stored ones by the index of hashes. */
#include "gap_list.h"

#include <string.h>

static void count_only(struct skm_chain_entry *entry, uint64_t first, uint64_t count)
{
	if (count == 0)
		return;
	if (entry->untracked_missing == 0 || first < entry->untracked_first)
		entry->untracked_first = first;
	entry->untracked_missing += count;
}

void skm_gaps_add(struct skm_chain_entry *entry, uint64_t first, uint64_t last,
	const uint8_t hash_after[SKM_CHAIN_HASH_BYTES])
{
	if (entry->gap_count == SKM_LEDGER_GAPS_MAX) {
		count_only(entry, first, last - first + 1);
		return;
	}
	struct skm_gap *gap = &entry->gaps[entry->gap_count++];
	*gap = (struct skm_gap){.first = first, .last = last};
	memcpy(gap->hash_after, hash_after, sizeof(gap->hash_after));
}

static void remove_gap(struct skm_chain_entry *entry, uint32_t at)
{
	entry->gap_count--;
	memmove(&entry->gaps[at], &entry->gaps[at + 1], (entry->gap_count - at) * sizeof(entry->gaps[0]));
	memset(&entry->gaps[entry->gap_count], 0, sizeof(entry->gaps[0]));
}

/* The numbers before `sequence` become a gap of their own, if there is a place for it. */
static void split(struct skm_chain_entry *entry, uint32_t at, uint64_t sequence,
	const uint8_t previous_hash[SKM_CHAIN_HASH_BYTES])
{
	struct skm_gap *gap = &entry->gaps[at];
	if (entry->gap_count == SKM_LEDGER_GAPS_MAX) {
		count_only(entry, sequence + 1, gap->last - sequence);
		gap->last = sequence - 1;
		memcpy(gap->hash_after, previous_hash, sizeof(gap->hash_after));
		return;
	}
	memmove(gap + 1, gap, (entry->gap_count - at) * sizeof(*gap));
	entry->gap_count++;
	gap[0].last = sequence - 1;
	memcpy(gap[0].hash_after, previous_hash, sizeof(gap[0].hash_after));
	gap[1].first = sequence + 1;
}

bool skm_gaps_fill(struct skm_chain_entry *entry, uint64_t sequence,
	const uint8_t previous_hash[SKM_CHAIN_HASH_BYTES], uint8_t ret_expected[SKM_CHAIN_HASH_BYTES])
{
	uint32_t at = 0;
	while (at < entry->gap_count && entry->gaps[at].last < sequence)
		at++;
	if (at == entry->gap_count || sequence < entry->gaps[at].first) {
		if (entry->untracked_missing > 0)
			entry->untracked_missing--;
		return false;
	}
	struct skm_gap *gap = &entry->gaps[at];
	bool is_last = sequence == gap->last;
	if (is_last)
		memcpy(ret_expected, gap->hash_after, sizeof(gap->hash_after));
	if (gap->first == gap->last) {
		remove_gap(entry, at);
	} else if (is_last) {
		gap->last--;
		memcpy(gap->hash_after, previous_hash, sizeof(gap->hash_after));
	} else if (sequence == gap->first) {
		gap->first++;
	} else {
		split(entry, at, sequence, previous_hash);
	}
	return is_last;
}

bool skm_gaps_are_sound(const struct skm_chain_entry *entry)
{
	uint64_t before = 0;
	if (entry->gap_count > SKM_LEDGER_GAPS_MAX ||
		(entry->untracked_missing > 0 && entry->untracked_first == 0))
		return false;
	for (uint32_t i = 0; i < entry->gap_count; i++) {
		const struct skm_gap *gap = &entry->gaps[i];
		if (gap->first <= before || gap->last < gap->first || gap->last >= entry->sequence)
			return false;
		before = gap->last;
	}
	return true;
}

uint64_t skm_chain_entry_complete(const struct skm_chain_entry *entry)
{
	uint64_t complete = entry->gap_count > 0 ? entry->gaps[0].first - 1 : entry->sequence;
	if (entry->untracked_missing > 0 && entry->untracked_first - 1 < complete)
		complete = entry->untracked_first - 1;
	return complete;
}

uint64_t skm_chain_entry_missing(const struct skm_chain_entry *entry)
{
	uint64_t missing = entry->untracked_missing;
	for (uint32_t i = 0; i < entry->gap_count; i++)
		missing += entry->gaps[i].last - entry->gaps[i].first + 1;
	return missing;
}
