// SPDX-License-Identifier: Apache-2.0
/* The verifier's sets and tables. All of fixed size: a stream that somebody made in order to be verified must
 * not decide how much memory that takes. Where a set is full, the answer becomes coarser and never kinder:
 * doubtful ranges are taken together over what lies between them. */
#include <string.h>

#include "verify_internal.h"

bool skm_verify_key_seek(struct skm_verify_key *cursor, const uint8_t first_key[SKM_CHAIN_KEY_BYTES],
	uint64_t sequence, uint64_t *budget)
{
	bool starts_anew = cursor->sequence == 0 || sequence < cursor->sequence;
	uint64_t from = starts_anew ? 1 : cursor->sequence;
	/* The step from one record to the next costs nothing: each line pays for its own. */
	uint64_t steps = sequence - from;
	if (steps > 1) {
		if (steps > *budget)
			return false;
		*budget -= steps;
	}
	if (starts_anew)
		memcpy(cursor->key, first_key, sizeof(cursor->key));
	for (; from < sequence; from++)
		skm_chain_ratchet(cursor->key);
	cursor->sequence = sequence;
	return true;
}

/* Makes one of the two that lie closest to each other. */
static void ranges_merge_nearest(struct skm_verify_ranges *ranges)
{
	size_t best = 0;
	for (size_t i = 1; i + 1 < ranges->count; i++) {
		if (ranges->ranges[i + 1].first - ranges->ranges[i].last <
			ranges->ranges[best + 1].first - ranges->ranges[best].last)
			best = i;
	}
	ranges->ranges[best].last = ranges->ranges[best + 1].last;
	memmove(&ranges->ranges[best + 1], &ranges->ranges[best + 2],
		(ranges->count - best - 2) * sizeof(ranges->ranges[0]));
	ranges->count--;
}

void skm_verify_ranges_add(struct skm_verify_ranges *ranges, uint64_t first, uint64_t last)
{
	if (ranges->count == SKM_VERIFY_RANGES_MAX)
		ranges_merge_nearest(ranges);
	size_t begin = ranges->count;
	/* From the end: what is added is mostly the newest. */
	while (begin > 0 && ranges->ranges[begin - 1].last + 1 >= first)
		begin--;
	size_t end = begin;
	for (; end < ranges->count && ranges->ranges[end].first <= last + 1; end++) {
		first = ranges->ranges[end].first < first ? ranges->ranges[end].first : first;
		last = ranges->ranges[end].last > last ? ranges->ranges[end].last : last;
	}
	memmove(&ranges->ranges[begin + 1], &ranges->ranges[end],
		(ranges->count - end) * sizeof(ranges->ranges[0]));
	ranges->ranges[begin] = (struct skm_verify_range){first, last};
	ranges->count = ranges->count + 1 - (end - begin);
}

static void put(struct skm_verify_seen_entry *entry, size_t chain, uint64_t sequence, const uint8_t *hash)
{
	entry->sequence = sequence;
	entry->chain = chain;
	memcpy(entry->hash, hash, sizeof(entry->hash));
}

void skm_verify_seen_put(struct skm_verify_seen *seen, size_t chain, uint64_t sequence, const uint8_t *hash)
{
	put(&seen->recent[sequence % SKM_VERIFY_SEEN_SLOTS], chain, sequence, hash);
	if (sequence % SKM_VERIFY_SEEN_STEP == 0)
		put(&seen->sampled[sequence / SKM_VERIFY_SEEN_STEP % SKM_VERIFY_SEEN_SLOTS], chain, sequence,
			hash);
}

enum skm_verify_likeness skm_verify_seen_compare(
	const struct skm_verify_seen *seen, size_t chain, uint64_t sequence, const uint8_t *hash)
{
	const struct skm_verify_seen_entry *entry = &seen->recent[sequence % SKM_VERIFY_SEEN_SLOTS];
	if (entry->sequence != sequence || entry->chain != chain)
		entry = &seen->sampled[sequence / SKM_VERIFY_SEEN_STEP % SKM_VERIFY_SEEN_SLOTS];
	if (entry->sequence != sequence || entry->chain != chain)
		return SKM_VERIFY_UNKNOWN;
	return memcmp(entry->hash, hash, sizeof(entry->hash)) == 0 ? SKM_VERIFY_SAME : SKM_VERIFY_OTHER;
}
