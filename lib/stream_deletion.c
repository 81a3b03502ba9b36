// SPDX-License-Identifier: Apache-2.0
/* What the detail of LOG_DELETED says, for people and for the verifier: one sentence, one spelling. A member
 * of its own was rejected: each reader of records would have to learn it for a line that comes once a month.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "stream_retire.h"

static const char words_chain[] = "collected and past its retention: chain ", words_first[] = ", records ",
		  words_last[] = " to ", words_hash[] = ", hash of the last ";

void skm_deletion_format(const struct skm_old_segment *segment, char ret_detail[SKM_DELETION_BYTES])
{
	char id[2 * SKM_CHAIN_ID_BYTES + 1], hash[2 * SKM_CHAIN_HASH_BYTES + 1];
	skm_hex_format(segment->chain_id, sizeof(segment->chain_id), id);
	skm_hex_format(segment->hash, sizeof(segment->hash), hash);
	(void)snprintf(ret_detail, SKM_DELETION_BYTES, "%s%s%s%" PRIu64 "%s%" PRIu64 "%s%s", words_chain, id,
		words_first, segment->first, words_last, segment->last, words_hash, hash);
}

struct text {
	const char *at, *end;
	bool is_wrong;
};

static void take_word(struct text *text, const char *word)
{
	size_t len = strlen(word);
	if (text->is_wrong || (size_t)(text->end - text->at) < len || memcmp(text->at, word, len) != 0) {
		text->is_wrong = true;
		return;
	}
	text->at += len;
}

static void take_hex(struct text *text, uint8_t *ret_bytes, size_t len)
{
	if (text->is_wrong || (size_t)(text->end - text->at) < 2 * len ||
		skm_hex_parse(text->at, len, ret_bytes) < 0) {
		text->is_wrong = true;
		return;
	}
	text->at += 2 * len;
}

static uint64_t take_number(struct text *text)
{
	uint64_t number = 0;
	const char *begin = text->at;
	for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
		number = number * 10 + (uint64_t)(*text->at - '0');
		if (number > SKM_SEQUENCE_MAX)
			text->is_wrong = true;
		if (text->is_wrong)
			return 0;
	}
	if (text->at == begin || *begin == '0')
		text->is_wrong = true;
	return number;
}

int skm_deletion_parse(const char *detail, size_t len, struct skm_old_segment *ret_segment)
{
	struct text text = {detail, detail + len, false};
	struct skm_old_segment segment = {.number = 0};
	take_word(&text, words_chain);
	take_hex(&text, segment.chain_id, sizeof(segment.chain_id));
	take_word(&text, words_first);
	segment.first = take_number(&text);
	take_word(&text, words_last);
	segment.last = take_number(&text);
	take_word(&text, words_hash);
	take_hex(&text, segment.hash, sizeof(segment.hash));
	if (text.is_wrong || text.at != text.end || segment.last < segment.first)
		return -EBADMSG;
	*ret_segment = segment;
	return 0;
}
