// SPDX-License-Identifier: Apache-2.0
/* A table of fixed size instead of a hash over people: only root and the people of one terminal can ask, and
 * whoever makes many keys only pushes out counts, which are then recorded. */
#include "tally.h"

#include <stdio.h>

static bool is_same(const struct skm_tally_key *a, const struct skm_tally_key *b)
{
	return a->uid == b->uid && a->way == b->way && a->kind == b->kind;
}

/* The place of this key, else an empty one, else the one that was not used for the longest time. */
static struct skm_tally_entry *find_place(struct skm_tally *tally, const struct skm_tally_key *key)
{
	struct skm_tally_entry *oldest = &tally->entries[0];
	for (size_t i = 0; i < SKM_TALLY_PLACES; i++) {
		struct skm_tally_entry *entry = &tally->entries[i];
		if (entry->used > 0 && is_same(&entry->key, key))
			return entry;
		if (entry->used < oldest->used)
			oldest = entry;
	}
	return oldest;
}

bool skm_tally_tell(struct skm_tally *tally, const struct skm_tally_key *key, const char *subject,
	uint64_t mark, uint32_t burst, struct skm_tally_entry *ret_closed)
{
	struct skm_tally_entry *entry = find_place(tally, key);
	ret_closed->untold = 0;
	if (entry->used == 0 || !is_same(&entry->key, key) || entry->mark != mark) {
		*ret_closed = *entry;
		*entry = (struct skm_tally_entry){.key = *key, .mark = mark};
		(void)snprintf(entry->subject, sizeof(entry->subject), "%s", subject);
	}
	entry->used = ++tally->calls;
	if (entry->told < burst) {
		entry->told++;
		return true;
	}
	entry->untold++;
	return false;
}

bool skm_tally_take(
	struct skm_tally *tally, const struct skm_tally_key *key, struct skm_tally_entry *ret_entry)
{
	for (size_t i = 0; i < SKM_TALLY_PLACES; i++) {
		struct skm_tally_entry *entry = &tally->entries[i];
		if (entry->untold == 0 || (key && (entry->key.uid != key->uid || entry->key.way != key->way)))
			continue;
		*ret_entry = *entry;
		entry->untold = 0;
		return true;
	}
	return false;
}
