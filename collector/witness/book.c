// SPDX-License-Identifier: Apache-2.0
/* All of witness.jsonl, judged line by line: the first line that is not right ends the reading, since each
 * entry vouches for those before it and none for those behind. */
#include <string.h>

#include "entry.h"

void skm_witness_book_finish(struct skm_witness_book *book)
{
	free(book->entries);
	*book = (struct skm_witness_book){.entries = NULL};
}

static enum skm_witness_fault judge_days(
	const struct skm_witness_book *book, const struct skm_witness_entry *entry)
{
	if (entry->first_day > entry->last_day || entry->again >= entry->number)
		return SKM_WITNESS_FAULT_DAYS;
	if (entry->again > 0 && book->entries) {
		const struct skm_witness_entry *earlier = &book->entries[entry->again - 1];
		return earlier->first_day == entry->first_day && earlier->last_day == entry->last_day
			       ? SKM_WITNESS_FAULT_NONE
			       : SKM_WITNESS_FAULT_DAYS;
	}
	return book->last_day == 0 || entry->first_day == skm_witness_day_after(book->last_day)
		       ? SKM_WITNESS_FAULT_NONE
		       : SKM_WITNESS_FAULT_DAYS;
}

static enum skm_witness_fault judge(
	const struct skm_witness_book *book, const struct skm_witness_entry *entry)
{
	static const uint8_t nothing[SKM_WITNESS_HASH_BYTES];
	const struct skm_witness_entry *before = book->count > 0 ? &book->entries[book->count - 1] : NULL;
	uint8_t root[SKM_WITNESS_HASH_BYTES];
	skm_witness_entry_root(entry, root);
	if (memcmp(root, entry->root, sizeof(root)) != 0)
		return SKM_WITNESS_FAULT_ROOT;
	if (!skm_witness_is_signed(entry->key, entry->root, entry->signature))
		return SKM_WITNESS_FAULT_SIGNATURE;
	if (before && memcmp(before->key, entry->key, sizeof(entry->key)) != 0)
		return SKM_WITNESS_FAULT_KEY;
	if (entry->number != book->count + 1)
		return SKM_WITNESS_FAULT_NUMBER;
	if (memcmp(before ? before->root : nothing, entry->previous, sizeof(entry->previous)) != 0)
		return SKM_WITNESS_FAULT_PREVIOUS;
	return judge_days(book, entry);
}

static int add(struct skm_witness_book *book, const struct skm_witness_entry *entry)
{
	if (book->count == book->room) {
		size_t room = book->room ? 2 * book->room : 64;
		struct skm_witness_entry *wider = reallocarray(book->entries, room, sizeof(*wider));
		if (!wider)
			return -ENOMEM;
		book->entries = wider;
		book->room = room;
	}
	book->entries[book->count++] = *entry;
	book->last_day = entry->last_day > book->last_day ? entry->last_day : book->last_day;
	return 0;
}

int skm_witness_book_parse(struct skm_witness_book *book, const char *text, size_t len)
{
	while (len > 0) {
		struct skm_witness_entry entry;
		const char *newline = memchr(text, '\n', len);
		if (!newline) {
			book->torn_bytes = len;
			return 0;
		}
		size_t line_len = (size_t)(newline - text);
		book->fault = skm_witness_entry_parse(text, line_len, &entry) < 0 ? SKM_WITNESS_FAULT_FORM
										  : judge(book, &entry);
		if (book->fault != SKM_WITNESS_FAULT_NONE)
			return 0;
		int r = add(book, &entry);
		if (r < 0)
			return r;
		text += line_len + 1;
		len -= line_len + 1;
	}
	return 0;
}

bool skm_witness_book_counts(const struct skm_witness_book *book, size_t index)
{
	for (size_t i = index + 1; i < book->count; i++) {
		if (book->entries[i].first_day == book->entries[index].first_day)
			return false;
	}
	return true;
}

const struct skm_witness_entry *skm_witness_book_find(const struct skm_witness_book *book, uint32_t day)
{
	for (size_t i = book->count; i-- > 0;) {
		if (book->entries[i].first_day <= day && day <= book->entries[i].last_day)
			return &book->entries[i];
	}
	return NULL;
}
