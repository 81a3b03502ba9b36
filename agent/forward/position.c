// SPDX-License-Identifier: Apache-2.0
/* The state as a text that a person can read when something is wrong, and that is taken strictly: a state
 * that is not believed costs records sent twice, which the collector drops; one that is wrongly believed
 * costs records. Rejected: a file per stream (two syncs for one round of answers), a database. */
#include "position.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/chain.h"

static const char *const stream_names[SKM_FORWARD_STREAM_COUNT_] = {
	[SKM_FORWARD_AGENT] = "agent", [SKM_FORWARD_AUTH] = "auth"};

const char *skm_forward_stream_to_string(enum skm_forward_stream stream)
{
	return (unsigned)stream < SKM_FORWARD_STREAM_COUNT_ ? stream_names[stream] : "unknown";
}

static const char first_line[] = "sekimori-forward 1\n";

static void hex_format(const uint8_t *bytes, size_t len, char *ret_text)
{
	for (size_t i = 0; i < len; i++)
		(void)snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
	ret_text[2 * len] = '\0';
}

size_t skm_forward_state_format(
	const struct skm_forward_state *state, char ret_text[SKM_FORWARD_STATE_BYTES_MAX])
{
	size_t len = (size_t)snprintf(ret_text, SKM_FORWARD_STATE_BYTES_MAX, "%s", first_line);
	for (size_t i = 0; i < SKM_FORWARD_STREAM_COUNT_; i++) {
		const struct skm_position *at = &state->acknowledged[i];
		char tail[2 * SKM_POSITION_TAIL_BYTES + 1];
		hex_format(at->tail, at->tail_len, tail);
		len += (size_t)snprintf(ret_text + len, SKM_FORWARD_STATE_BYTES_MAX - len,
			"%s segment=%" PRIu32 " offset=%" PRIu64 " n=%" PRIu64 " missing=%" PRIu64 "/%" PRIu64
			" unsent=%" PRIu64 "/%" PRIu64 " tail=%s\n",
			stream_names[i], at->segment, at->offset, at->sequence, state->told_missing[i],
			at->missing, state->told_unsent[i], at->unsent, tail);
	}
	len += (size_t)snprintf(ret_text + len, SKM_FORWARD_STATE_BYTES_MAX - len,
		"certificate not_after=%" PRId64 " warned_days=%" PRIu32 "\n", state->warned_not_after_sec,
		state->warned_days);
	return len;
}

struct text {
	const char *at, *end;
	int error;
};

static void take_word(struct text *text, const char *word)
{
	size_t len = strlen(word);
	if (text->error || (size_t)(text->end - text->at) < len || memcmp(text->at, word, len) != 0) {
		text->error = -EBADMSG;
		return;
	}
	text->at += len;
}

/* In the one form that is written: no sign, no leading zero. */
static uint64_t take_number(struct text *text, uint64_t max)
{
	uint64_t number = 0;
	const char *begin = text->at;
	for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
		uint64_t digit = (uint64_t)(*text->at - '0');
		if (number > (max - digit) / 10) {
			text->error = -EBADMSG;
			return 0;
		}
		number = number * 10 + digit;
	}
	if (text->at == begin || (*begin == '0' && text->at - begin > 1))
		text->error = -EBADMSG;
	return text->error ? 0 : number;
}

static void take_tail(struct text *text, struct skm_position *position)
{
	while (!text->error && text->at < text->end && *text->at != '\n') {
		if (text->end - text->at < 2 || position->tail_len == SKM_POSITION_TAIL_BYTES ||
			skm_hex_parse(text->at, 1, &position->tail[position->tail_len]) < 0) {
			text->error = -EBADMSG;
			return;
		}
		position->tail_len++;
		text->at += 2;
	}
}

static void take_stream(struct text *text, struct skm_forward_state *state, size_t i)
{
	struct skm_position *at = &state->acknowledged[i];
	take_word(text, stream_names[i]);
	take_word(text, " segment=");
	at->segment = (uint32_t)take_number(text, UINT32_MAX);
	take_word(text, " offset=");
	at->offset = take_number(text, INT64_MAX);
	take_word(text, " n=");
	at->sequence = take_number(text, UINT64_MAX);
	take_word(text, " missing=");
	state->told_missing[i] = take_number(text, UINT64_MAX);
	take_word(text, "/");
	at->missing = take_number(text, UINT64_MAX);
	take_word(text, " unsent=");
	state->told_unsent[i] = take_number(text, UINT64_MAX);
	take_word(text, "/");
	at->unsent = take_number(text, UINT64_MAX);
	take_word(text, " tail=");
	take_tail(text, at);
	take_word(text, "\n");
	bool is_nowhere = at->segment == 0 && at->offset == 0 && at->tail_len == 0;
	bool is_behind_a_line = at->segment > 0 && at->offset > at->tail_len;
	if (state->told_missing[i] > at->missing || state->told_unsent[i] > at->unsent ||
		(!is_nowhere && !is_behind_a_line))
		text->error = -EBADMSG;
}

int skm_forward_state_parse(const char *text, size_t len, struct skm_forward_state *ret_state)
{
	struct skm_forward_state state = {0};
	struct text reading = {text, text + len, 0};
	take_word(&reading, first_line);
	for (size_t i = 0; i < SKM_FORWARD_STREAM_COUNT_; i++)
		take_stream(&reading, &state, i);
	take_word(&reading, "certificate not_after=");
	state.warned_not_after_sec = (int64_t)take_number(&reading, INT64_MAX);
	take_word(&reading, " warned_days=");
	state.warned_days = (uint32_t)take_number(&reading, UINT32_MAX);
	take_word(&reading, "\n");
	if (reading.error || reading.at != reading.end)
		return -EBADMSG;
	*ret_state = state;
	return 0;
}
