// SPDX-License-Identifier: Apache-2.0
/* Reads the chain's members out of a line that we may have written. As strict as stream_scan.c, which it asks
 * first, and for the same reasons: what was changed by hand is not ours. The bytes ,"skm":{ and
 * ,"checkpoint":{ can only be the members themselves, since quotes within strings are escaped. */
#include <string.h>

#include "stream_link.h"
#include "stream_segment.h"

#define MSEC_PER_DAY INT64_C(86400000)

struct cursor {
	const char *at, *end;
	bool is_wrong;
};

static void expect(struct cursor *cursor, const char *word)
{
	size_t len = strlen(word);
	if (cursor->is_wrong || (size_t)(cursor->end - cursor->at) < len ||
		memcmp(cursor->at, word, len) != 0)
		cursor->is_wrong = true;
	else
		cursor->at += len;
}

static bool takes(struct cursor *cursor, const char *word)
{
	struct cursor ahead = *cursor;
	expect(&ahead, word);
	if (!ahead.is_wrong)
		*cursor = ahead;
	return !ahead.is_wrong;
}

static uint64_t take_number(struct cursor *cursor, uint64_t max)
{
	uint64_t number = 0;
	const char *begin = cursor->at;
	for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
		if (number > max / 10)
			cursor->is_wrong = true;
		else
			number = number * 10 + (uint64_t)(*cursor->at - '0');
	}
	if (cursor->at == begin || (*begin == '0' && cursor->at > begin + 1) || number > max)
		cursor->is_wrong = true;
	return number;
}

static void take_hex(struct cursor *cursor, uint8_t *bytes, size_t len)
{
	if (cursor->is_wrong || (size_t)(cursor->end - cursor->at) < 2 * len ||
		skm_hex_parse(cursor->at, len, bytes) < 0)
		cursor->is_wrong = true;
	else
		cursor->at += 2 * len;
}

static void take_quoted_hex(struct cursor *cursor, const char *before, uint8_t *bytes, size_t len)
{
	expect(cursor, before);
	expect(cursor, "\"");
	take_hex(cursor, bytes, len);
	expect(cursor, "\"");
}

static void skip_stream_name(struct cursor *cursor)
{
	expect(cursor, "\"");
	while (cursor->at < cursor->end && *cursor->at >= 'a' && *cursor->at <= 'z')
		cursor->at++;
	expect(cursor, "\"");
}

static void take_chain(struct cursor *cursor, struct skm_line_link *link)
{
	skip_stream_name(cursor);
	take_quoted_hex(cursor, ",\"c\":", link->chain_id, sizeof(link->chain_id));
	expect(cursor, ",\"n\":");
	link->sequence = take_number(cursor, SKM_SEQUENCE_MAX);
	if (!takes(cursor, ",\"b\":null"))
		take_quoted_hex(cursor, ",\"b\":", link->boot_id, sizeof(link->boot_id));
	expect(cursor, ",\"bn\":");
	link->boot_number = take_number(cursor, INT64_MAX);
	expect(cursor, ",\"mt\":");
	(void)take_number(cursor, INT64_MAX);
	take_quoted_hex(cursor, ",\"p\":", link->previous_hash, sizeof(link->previous_hash));
	expect(cursor, "}");
	/* The chain is the last member of the body. */
	if (cursor->at != cursor->end)
		cursor->is_wrong = true;
}

static void take_checkpoint(const char *body, size_t len, struct cursor *chain, struct skm_line_link *link)
{
	static const char member[] = ",\"checkpoint\":{";
	uint8_t skipped[SKM_CHAIN_HASH_BYTES];
	struct cursor cursor = {.at = memmem(body, len, member, sizeof(member) - 1), .end = body + len};
	if (!cursor.at)
		return;
	cursor.at += sizeof(member) - 1;
	link->is_checkpoint = true;
	take_quoted_hex(&cursor, "\"h\":", skipped, sizeof(skipped));
	take_quoted_hex(&cursor, ",\"key\":", skipped, sizeof(skipped));
	take_quoted_hex(&cursor, ",\"next\":", link->next_key, sizeof(link->next_key));
	chain->is_wrong |= cursor.is_wrong;
}

int skm_line_link_parse(const char *line, size_t len, struct skm_line_link *ret_link)
{
	static const char member[] = ",\"skm\":{\"stream\":";
	struct skm_line_link link = {.sequence = 0};
	uint64_t sequence;
	if (skm_segment_line_sequence(line, len, &sequence) < 0 ||
		skm_chain_line_split(line, len, &link.body_len, link.mac) < 0)
		return -EBADMSG;
	struct cursor cursor = {.at = line, .end = line + link.body_len};
	expect(&cursor, "{\"time\":");
	bool is_before_1970 = takes(&cursor, "-");
	int64_t msec = (int64_t)take_number(&cursor, INT64_MAX);
	msec = is_before_1970 ? -msec : msec;
	link.time_msec = msec;
	link.day = msec / MSEC_PER_DAY - (msec % MSEC_PER_DAY < 0);
	const char *chain = memmem(line, link.body_len, member, sizeof(member) - 1);
	if (cursor.is_wrong || !chain)
		return -EBADMSG;
	cursor.at = chain + sizeof(member) - 1;
	take_chain(&cursor, &link);
	take_checkpoint(line, (size_t)(chain - line), &cursor, &link);
	if (cursor.is_wrong || link.sequence != sequence)
		return -EBADMSG;
	*ret_link = link;
	return 0;
}
