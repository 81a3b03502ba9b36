// SPDX-License-Identifier: Apache-2.0
/* Reads the members of a record that the collector acts on. A JSON library was rejected: what is stored is
 * the line, byte for byte, and a reader that takes it apart generously would accept a line that the verifier
 * refuses later. The chain's members are taken at the one place where the writer puts them, at the end; the
 * bytes `,"skm":{` cannot be part of a text, since a quote in a text is always escaped.
 *
 * The members in front only feed the table of terminals. A record whose chain is right and whose head is odd
 * is stored as a record: its hash covers the odd bytes, and the next record continues from them. */
#include <string.h>

#include "record_facts.h"
#include "sekimori/chain.h"
#include "sekimori/terminal_name.h"

#define TAIL_MAX 400 /* the longest member "skm" */
#define HEAD_MAX \
	1400 /* "clock" begins before: behind it come numbers; in front the terminal's name, escaped */

struct cursor {
	const char *at, *end;
};

static bool skip(struct cursor *cursor, const char *word)
{
	size_t len = strlen(word);
	if ((size_t)(cursor->end - cursor->at) < len || memcmp(cursor->at, word, len) != 0)
		return false;
	cursor->at += len;
	return true;
}

/* Decimal in one spelling: no sign, no leading zero. */
static bool take_number(struct cursor *cursor, uint64_t max, uint64_t *ret_number)
{
	const char *begin = cursor->at;
	uint64_t number = 0;
	for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
		unsigned digit = (unsigned)(*cursor->at - '0');
		if (number > (max - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	if (cursor->at == begin || (*begin == '0' && cursor->at != begin + 1))
		return false;
	*ret_number = number;
	return true;
}

static bool take_signed(struct cursor *cursor, int64_t *ret_number)
{
	uint64_t number = 0;
	bool is_negative = skip(cursor, "-");
	if (!take_number(cursor, INT64_MAX, &number))
		return false;
	*ret_number = is_negative ? -(int64_t)number : (int64_t)number;
	return true;
}

static bool take_hex(struct cursor *cursor, uint8_t *bytes, size_t len)
{
	if ((size_t)(cursor->end - cursor->at) < 2 * len || skm_hex_parse(cursor->at, len, bytes) < 0)
		return false;
	cursor->at += 2 * len;
	return true;
}

/* Small letters up to a quote, which is taken as well. */
static bool take_small_word(struct cursor *cursor, char *ret_word, size_t size)
{
	const char *begin = cursor->at;
	while (cursor->at < cursor->end && *cursor->at >= 'a' && *cursor->at <= 'z')
		cursor->at++;
	size_t len = (size_t)(cursor->at - begin);
	if (len == 0 || len >= size || !skip(cursor, "\""))
		return false;
	memcpy(ret_word, begin, len);
	ret_word[len] = '\0';
	return true;
}

static bool skip_boot(struct cursor *cursor)
{
	uint8_t boot_id[16];
	uint64_t number = 0;
	if (!skip(cursor, "null") &&
		(!skip(cursor, "\"") || !take_hex(cursor, boot_id, sizeof(boot_id)) || !skip(cursor, "\"")))
		return false;
	if (!skip(cursor, ",\"bn\":") || (!skip(cursor, "null") && !take_number(cursor, INT64_MAX, &number)))
		return false;
	return skip(cursor, ",\"mt\":") && take_number(cursor, INT64_MAX, &number);
}

/* The member "skm" up to the end of the body. */
static bool parse_chain(const char *line, size_t body_len, struct skm_record_facts *facts)
{
	static const char member[] = ",\"skm\":{\"stream\":\"";
	size_t from = body_len > TAIL_MAX ? body_len - TAIL_MAX : 0;
	const char *begin = memmem(line + from, body_len - from, member, sizeof(member) - 1);
	if (!begin)
		return false;
	struct cursor at = {begin + sizeof(member) - 1, line + body_len};
	return take_small_word(&at, facts->stream, sizeof(facts->stream)) && skip(&at, ",\"c\":\"") &&
	       take_hex(&at, facts->chain_id, sizeof(facts->chain_id)) && skip(&at, "\",\"n\":") &&
	       take_number(&at, SKM_RECORD_FACTS_SEQUENCE_MAX, &facts->sequence) && facts->sequence >= 1 &&
	       skip(&at, ",\"b\":") && skip_boot(&at) && skip(&at, ",\"p\":\"") &&
	       take_hex(&at, facts->previous_hash, sizeof(facts->previous_hash)) && skip(&at, "\"}") &&
	       at.at == at.end;
}

static bool find(const char *line, size_t len, const char *member, struct cursor *ret_after)
{
	const char *found = memmem(line, len, member, strlen(member));
	if (found)
		*ret_after = (struct cursor){found + strlen(member), line + len};
	return found != NULL;
}

static enum skm_event take_event(struct cursor at)
{
	enum skm_event event = SKM_EVENT_COUNT_;
	char word[32];
	const char *quote = memchr(at.at, '"', (size_t)(at.end - at.at));
	size_t len = quote ? (size_t)(quote - at.at) : sizeof(word);
	if (len >= sizeof(word))
		return event;
	memcpy(word, at.at, len);
	word[len] = '\0';
	(void)!skm_event_from_string(word, &event); /* untouched when a newer terminal knows more */
	return event;
}

static enum skm_outcome take_outcome(struct cursor at)
{
	for (unsigned i = 0; i < SKM_OUTCOME_COUNT_; i++) {
		struct cursor ahead = at;
		if (skip(&ahead, skm_outcome_to_string((enum skm_outcome)i)) && skip(&ahead, "\""))
			return (enum skm_outcome)i;
	}
	return SKM_OUTCOME_COUNT_;
}

/* Untouched when it is none of the words: an agent of another version, to be judged with suspicion. */
static void take_stop(struct cursor at, enum skm_stop_reason *stop)
{
	char word[SKM_RULE_ID_BYTES];
	const char *quote = memchr(at.at, '"', (size_t)(at.end - at.at));
	size_t len = quote ? (size_t)(quote - at.at) : sizeof(word);
	if (len >= sizeof(word))
		return;
	memcpy(word, at.at, len);
	word[len] = '\0';
	(void)!skm_stop_reason_from_string(word, stop);
}

/* As the forwarder names it. What JSON escapes can be no part of a name, so it need not be decoded. */
static void take_terminal(struct cursor at, struct skm_record_facts *facts)
{
	char number[sizeof(facts->terminal)];
	size_t len = 0;
	for (; at.at < at.end && *at.at != '"'; len++) {
		if (len == sizeof(number) - 1)
			return;
		size_t escape_len = at.at[0] != '\\' ? 1 : at.at + 1 < at.end && at.at[1] == 'u' ? 6 : 2;
		if ((size_t)(at.end - at.at) < escape_len)
			return;
		number[len] = *at.at;
		if (escape_len > 1)
			number[len] = ' ';
		at.at += escape_len;
	}
	if (at.at == at.end || len == 0)
		return;
	number[len] = '\0';
	skm_terminal_name(number, facts->terminal);
}

static void parse_head(const char *line, size_t body_len, struct skm_record_facts *facts)
{
	size_t len = body_len < HEAD_MAX ? body_len : HEAD_MAX;
	struct cursor at = {line, line + len};
	facts->event = SKM_EVENT_COUNT_;
	facts->outcome = SKM_OUTCOME_COUNT_;
	if (!skip(&at, "{\"time\":") || !take_signed(&at, &facts->time_msec))
		return;
	if (find(line, len, ",\"event\":\"", &at))
		facts->event = take_event(at);
	if (find(line, len, ",\"outcome\":\"", &at))
		facts->outcome = take_outcome(at);
	if (find(line, len, ",\"terminal\":{\"number\":\"", &at))
		take_terminal(at, facts);
	if (find(line, len, ",\"clock\":{\"synchronised\":", &at)) {
		facts->is_synchronised = skip(&at, "true");
		if ((facts->is_synchronised || skip(&at, "false")) && skip(&at, ",\"offset_usec\":"))
			(void)take_signed(&at, &facts->offset_usec);
	}
	if (facts->event == SKM_EVENT_AGENT_STOP && find(line, body_len, ",\"policy\":{\"rule\":\"", &at))
		take_stop(at, &facts->stop);
	if (facts->event != SKM_EVENT_CHECKPOINT || !find(line, body_len, ",\"checkpoint\":{", &at))
		return;
	if (find(at.at, (size_t)(at.end - at.at), "\",\"lost\":", &at))
		(void)take_number(&at, INT64_MAX, &facts->lost);
	if (skip(&at, ",\"reason\":\""))
		(void)take_small_word(&at, facts->reason, sizeof(facts->reason));
}

int skm_record_facts_parse(const char *line, size_t len, struct skm_record_facts *ret_facts)
{
	struct skm_record_facts facts = {.sequence = 0};
	size_t body_len = 0;
	if (len >= SKM_RECORD_LINE_MAX || len == 0 || line[0] != '{' || line[len - 1] == '\n' ||
		skm_chain_line_split(line, len, &body_len, NULL) < 0)
		return -EBADMSG;
	/* It is stored as one line: nothing in it may end one. */
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)line[i] < 0x20)
			return -EBADMSG;
	}
	if (!parse_chain(line, body_len, &facts))
		return -EBADMSG;
	parse_head(line, body_len, &facts);
	skm_chain_hash_next(facts.previous_hash, line, body_len, facts.hash);
	*ret_facts = facts;
	return 0;
}
