// SPDX-License-Identifier: Apache-2.0
/* A record as a verifier sees it. A JSON library was rejected: it reads generously (white space, order,
 * doubled members, three spellings of a number), and then what was verified is not what is shown; it also
 * allocates, and is slower than the hash.
 *
 * Read are only the members that bind the record, and each at the one place where the writer puts it: the
 * chain's last, "skm" before it, "checkpoint" before that; the first members in front. Searching for
 * `,"event":"` is sound, since a quote within a string is always escaped: these bytes can only be the member
 * itself. All other bytes are covered by the hash, whatever they are. */
#include <string.h>

#include "sekimori/record.h"
#include "verify_line.h"

#define SKM_TAIL_MAX 400       /* the longest member "skm" */
#define SKM_HEAD_MAX 512       /* "event" stands within: before it there are only numbers and words of ours */
#define SKM_CLOCK_MAX 1400     /* "clock": behind it comes the terminal's name, escaped */
#define SKM_CHECKPOINT_MAX 700 /* the longest member "checkpoint" */
#define SKM_MAC_TAIL (sizeof(",\"m\":\"\"}") - 1 + (size_t)2 * SKM_CHAIN_MAC_BYTES)
/* ,"p":"…"} */
#define SKM_LINK_TAIL (sizeof(",\"p\":\"\"}") - 1 + (size_t)2 * SKM_CHAIN_HASH_BYTES)

struct cursor {
	const char *at, *end;
};

static bool skip(struct cursor *cursor, const char *word, size_t len)
{
	if ((size_t)(cursor->end - cursor->at) < len || memcmp(cursor->at, word, len) != 0)
		return false;
	cursor->at += len;
	return true;
}
#define SKIP(cursor, literal) skip(cursor, literal, sizeof(literal) - 1)

/* Decimal, one spelling only: no sign, no leading zero. */
static bool take_number(struct cursor *cursor, uint64_t *ret_number)
{
	const char *begin = cursor->at;
	uint64_t number = 0;
	for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
		unsigned digit = (unsigned)(*cursor->at - '0');
		if (number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	size_t len = (size_t)(cursor->at - begin);
	if (len == 0 || (len > 1 && *begin == '0'))
		return false;
	*ret_number = number;
	return true;
}

/* The digit's value + 1; 0 = no digit. Small letters only, so that a byte string has one spelling. A table
 * and not skm_hex_parse: of what is not BLAKE2b, a tenth of the time went into digits. */
static const uint8_t digits[256] = {['0'] = 1,
	['1'] = 2,
	['2'] = 3,
	['3'] = 4,
	['4'] = 5,
	['5'] = 6,
	['6'] = 7,
	['7'] = 8,
	['8'] = 9,
	['9'] = 10,
	['a'] = 11,
	['b'] = 12,
	['c'] = 13,
	['d'] = 14,
	['e'] = 15,
	['f'] = 16};

static bool take_hex(struct cursor *cursor, uint8_t *ret_bytes, size_t size)
{
	const unsigned char *at = (const unsigned char *)cursor->at;
	uint8_t wrong = 0;
	if ((size_t)(cursor->end - cursor->at) < 2 * size)
		return false;
	for (size_t i = 0; i < size; i++) {
		/* 0xff for what is no digit. */
		uint8_t high = (uint8_t)(digits[at[2 * i]] - 1), low = (uint8_t)(digits[at[2 * i + 1]] - 1);
		wrong |= high | low;
		ret_bytes[i] = (uint8_t)(high << 4 | (low & 0xf));
	}
	cursor->at += 2 * size;
	return (wrong & 0xf0) == 0;
}

static bool take_stream(struct cursor *cursor, char ret_stream[SKM_VERIFY_STREAM_BYTES])
{
	size_t len = 0;
	while (cursor->at + len < cursor->end && cursor->at[len] >= 'a' && cursor->at[len] <= 'z')
		len++;
	if (len == 0 || len >= SKM_VERIFY_STREAM_BYTES)
		return false;
	memcpy(ret_stream, cursor->at, len);
	ret_stream[len] = '\0';
	cursor->at += len;
	return true;
}

/* "skm":{"stream":"agent","c":"…","n":1,"b":"…","bn":1,"mt":1 and right behind it the "p" that ends the body.
 * The beginning of the member, or NULL. */
static const char *parse_chain(const char *line, size_t body_len, struct skm_verify_line *parsed)
{
	static const char member[] = ",\"skm\":{\"stream\":\"";
	size_t from = body_len > SKM_TAIL_MAX ? body_len - SKM_TAIL_MAX : 0;
	const char *begin = memmem(line + from, body_len - from, member, sizeof(member) - 1);
	if (!begin)
		return NULL;
	struct cursor at = {begin + sizeof(member) - 1, line + body_len - SKM_LINK_TAIL};
	bool is_right = take_stream(&at, parsed->stream) && SKIP(&at, "\",\"c\":\"") &&
			take_hex(&at, parsed->chain_id, sizeof(parsed->chain_id)) && SKIP(&at, "\",\"n\":") &&
			take_number(&at, &parsed->sequence) && parsed->sequence >= 1 &&
			parsed->sequence <= SKM_VERIFY_SEQUENCE_MAX && SKIP(&at, ",\"b\":");
	if (!is_right)
		return NULL;
	if (!SKIP(&at, "null")) {
		if (!SKIP(&at, "\"") || !take_hex(&at, parsed->boot_id, sizeof(parsed->boot_id)) ||
			!SKIP(&at, "\""))
			return NULL;
		parsed->has_boot_id = true;
	}
	is_right = SKIP(&at, ",\"bn\":") && take_number(&at, &parsed->boot_number) && SKIP(&at, ",\"mt\":") &&
		   take_number(&at, &parsed->monotonic_nsec) && at.at == at.end;
	return is_right ? begin : NULL;
}

static bool take_reason(struct cursor *cursor, char *ret_reason, size_t size)
{
	size_t len = 0;
	while (cursor->at + len < cursor->end && cursor->at[len] >= 'a' && cursor->at[len] <= 'z')
		len++;
	if (len == 0 || len >= size)
		return false;
	memcpy(ret_reason, cursor->at, len);
	ret_reason[len] = '\0';
	cursor->at += len;
	return true;
}

/* "checkpoint":{"h":"…","key":"…","next":"…","sig":"…","lost":0,"reason":"time"} right before `end`. */
static bool parse_checkpoint(const char *line, const char *end, struct skm_checkpoint *checkpoint)
{
	static const char member[] = ",\"checkpoint\":{\"h\":\"";
	size_t len = (size_t)(end - line);
	size_t from = len > SKM_CHECKPOINT_MAX ? len - SKM_CHECKPOINT_MAX : 0;
	const char *begin = memmem(line + from, len - from, member, sizeof(member) - 1);
	if (!begin)
		return false;
	struct cursor at = {begin + sizeof(member) - 1, end};
	return take_hex(&at, checkpoint->previous_hash, sizeof(checkpoint->previous_hash)) &&
	       SKIP(&at, "\",\"key\":\"") && take_hex(&at, checkpoint->key, sizeof(checkpoint->key)) &&
	       SKIP(&at, "\",\"next\":\"") &&
	       take_hex(&at, checkpoint->next_key, sizeof(checkpoint->next_key)) &&
	       SKIP(&at, "\",\"sig\":\"") &&
	       take_hex(&at, checkpoint->signature, sizeof(checkpoint->signature)) &&
	       SKIP(&at, "\",\"lost\":") && take_number(&at, &checkpoint->lost) &&
	       SKIP(&at, ",\"reason\":\"") &&
	       take_reason(&at, checkpoint->reason, sizeof(checkpoint->reason)) && SKIP(&at, "\"}") &&
	       at.at == at.end;
}

/* Behind the first place where the member begins, or NULL. */
static const char *find(const char *from, const char *end, const char *member, size_t member_len)
{
	const char *found = from < end ? memmem(from, (size_t)(end - from), member, member_len) : NULL;
	return found ? found + member_len : NULL;
}

static bool parse_head(const char *line, size_t body_len, struct skm_verify_line *parsed)
{
	static const char event[] = ",\"event\":\"", clock[] = ",\"clock\":{\"synchronised\":";
	struct cursor at = {line, line + body_len};
	uint64_t msec, offset;
	bool is_before_1970;
	if (!SKIP(&at, "{\"time\":"))
		return false;
	is_before_1970 = SKIP(&at, "-");
	if (!take_number(&at, &msec) || msec > INT64_MAX / 1000 || (is_before_1970 && msec == 0) ||
		!SKIP(&at, ",\"time_dt\":\""))
		return false;
	parsed->realtime_usec = (is_before_1970 ? -(int64_t)msec : (int64_t)msec) * 1000;

	at.at = find(
		line, line + (body_len < SKM_HEAD_MAX ? body_len : SKM_HEAD_MAX), event, sizeof(event) - 1);
	if (!at.at)
		return false;
	parsed->is_checkpoint = SKIP(&at, "CHECKPOINT\"");
	parsed->is_full = SKIP(&at, "LOG_FULL\"");
	parsed->is_resumed = SKIP(&at, "LOG_RESUMED\"");
	parsed->has_deletion = SKIP(&at, "LOG_DELETED\"");

	at.at = find(at.at, line + (body_len < SKM_CLOCK_MAX ? body_len : SKM_CLOCK_MAX), clock,
		sizeof(clock) - 1);
	if (!at.at)
		return false;
	if ((!SKIP(&at, "true") && !SKIP(&at, "false")) || !SKIP(&at, ",\"offset_usec\":"))
		return false;
	(void)SKIP(&at, "-");
	return take_number(&at, &offset) && SKIP(&at, ",\"boottime_usec\":") &&
	       take_number(&at, &parsed->boottime_usec);
}

/* "count" right before `end`; 0 when there is none. */
static uint64_t parse_count(const char *line, const char *end)
{
	static const char member[] = ",\"count\":";
	const char *begin = end;
	uint64_t count = 0;
	while (begin > line && begin[-1] >= '0' && begin[-1] <= '9')
		begin--;
	struct cursor at = {begin, end};
	if ((size_t)(begin - line) < sizeof(member) - 1 ||
		memcmp(begin - (sizeof(member) - 1), member, sizeof(member) - 1) != 0 ||
		!take_number(&at, &count))
		return 0;
	return count;
}

/* "detail":"…","count":812 right before `end`; none of its characters is ever escaped. */
static bool parse_deletion(const char *line, const char *end, struct skm_old_segment *deletion)
{
	static const char member[] = ",\"detail\":\"", count[] = "\",\"count\":";
	const char *detail = find(line, end, member, sizeof(member) - 1);
	const char *detail_end = detail ? memchr(detail, '"', (size_t)(end - detail)) : NULL;
	if (!detail_end || skm_deletion_parse(detail, (size_t)(detail_end - detail), deletion) < 0)
		return false;
	struct cursor at = {detail_end, end};
	uint64_t records = 0;
	return skip(&at, count, sizeof(count) - 1) && take_number(&at, &records) && at.at == at.end &&
	       records == deletion->last - deletion->first + 1;
}

int skm_verify_line_tail(const char *line, size_t len, size_t *ret_body_len,
	uint8_t ret_previous_hash[SKM_CHAIN_HASH_BYTES], uint8_t ret_mac[SKM_CHAIN_MAC_BYTES])
{
	uint8_t hash[SKM_CHAIN_HASH_BYTES], mac[SKM_CHAIN_MAC_BYTES];
	if (len >= SKM_RECORD_LINE_MAX || len < SKM_LINK_TAIL + SKM_MAC_TAIL)
		return -EBADMSG;
	struct cursor at = {line + len - SKM_MAC_TAIL - SKM_LINK_TAIL, line + len};
	if (!SKIP(&at, ",\"p\":\"") || !take_hex(&at, hash, sizeof(hash)) || !SKIP(&at, "\"},\"m\":\"") ||
		!take_hex(&at, mac, sizeof(mac)) || !SKIP(&at, "\"}"))
		return -EBADMSG;
	*ret_body_len = len - SKM_MAC_TAIL;
	memcpy(ret_previous_hash, hash, sizeof(hash));
	if (ret_mac)
		memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

int skm_verify_line_parse(const char *line, size_t len, struct skm_verify_line *ret_line)
{
	/* Not cleared whole: the checkpoint is large, and most records have none. */
	ret_line->has_boot_id = ret_line->has_checkpoint = ret_line->has_deletion = false;
	if (skm_verify_line_tail(line, len, &ret_line->body_len, ret_line->previous_hash, ret_line->mac) < 0)
		return -EBADMSG;
	const char *chain = parse_chain(line, ret_line->body_len, ret_line);
	if (!chain || !parse_head(line, (size_t)(chain - line), ret_line))
		return -EBADMSG;
	ret_line->lost = ret_line->is_resumed ? parse_count(line, chain) : 0;
	if (ret_line->has_deletion)
		ret_line->has_deletion = parse_deletion(line, chain, &ret_line->deletion);
	if (ret_line->is_checkpoint)
		ret_line->has_checkpoint = parse_checkpoint(line, chain, &ret_line->checkpoint);
	return 0;
}

bool skm_verify_line_resembles(const char *line, size_t len)
{
	static const char *const words[] = {"\"skm\"", "\"time_dt\"", "\"boottime_usec\"", "\"stream\""};
	unsigned found = 0;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(words); i++)
		found += memmem(line, len, words[i], strlen(words[i])) ? 1 : 0;
	return found >= 2; /* one of them may be what was changed */
}
