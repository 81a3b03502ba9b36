// SPDX-License-Identifier: Apache-2.0
/* RELP's framing, written anew because librelp keeps what it has sent in memory and tells its caller "done"
 * before the collector has answered: whoever moves a cursor by that word loses records when the machine
 * stops. What comes from the network is parsed strictly and in place; a frame that is not one ends the
 * connection. */
#include "relp.h"

#include <stdio.h>
#include <string.h>

#define DIGITS_MAX 9

size_t skm_relp_head_format(
	uint32_t txnr, const char *command, size_t data_len, char ret_head[SKM_RELP_HEAD_BYTES])
{
	int n = snprintf(ret_head, SKM_RELP_HEAD_BYTES, "%u %.32s %u%s", (unsigned)(txnr % 1000000000u),
		command, (unsigned)(data_len % 1000000000u), data_len > 0 ? " " : "");
	return (size_t)n;
}

uint32_t skm_relp_txnr_next(uint32_t txnr)
{
	return txnr >= SKM_RELP_TXNR_MAX ? 1 : txnr + 1;
}

struct cursor {
	const char *at, *end;
};

/* Digits, then one of the two bytes (the same twice = one). */
static int take_number(struct cursor *cursor, char stop, char other_stop, uint32_t *ret_number)
{
	uint32_t number = 0;
	unsigned digits = 0;
	for (; cursor->at < cursor->end; cursor->at++) {
		char byte = *cursor->at;
		if (byte == stop || byte == other_stop) {
			*ret_number = number;
			return digits > 0 ? 0 : -EBADMSG;
		}
		if (byte < '0' || byte > '9' || ++digits > DIGITS_MAX)
			return -EBADMSG;
		number = number * 10 + (uint32_t)(byte - '0');
	}
	return SKM_RELP_PARTIAL;
}

static int take_command(struct cursor *cursor, char ret_command[SKM_RELP_COMMAND_BYTES])
{
	size_t len = 0;
	for (; cursor->at < cursor->end; cursor->at++) {
		char byte = *cursor->at;
		if (byte == ' ') {
			ret_command[len] = '\0';
			return len > 0 ? 0 : -EBADMSG;
		}
		bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
		if (!is_letter || len == SKM_RELP_COMMAND_BYTES - 1)
			return -EBADMSG;
		ret_command[len++] = byte;
	}
	return SKM_RELP_PARTIAL;
}

int skm_relp_frame_parse(
	const char *buf, size_t len, size_t data_max, struct skm_relp_frame *ret_frame, size_t *ret_used)
{
	struct cursor cursor = {buf, buf + len};
	struct skm_relp_frame frame = {0};
	uint32_t data_len = 0;
	int r = take_number(&cursor, ' ', ' ', &frame.txnr);
	if (r == 0) {
		cursor.at++;
		r = take_command(&cursor, frame.command);
	}
	if (r == 0) {
		cursor.at++;
		r = take_number(&cursor, ' ', '\n', &data_len);
	}
	if (r != 0)
		return r;
	if (data_len > data_max || (data_len == 0) != (*cursor.at == '\n'))
		return -EBADMSG;
	if (data_len > 0) {
		cursor.at++;
		if ((size_t)(cursor.end - cursor.at) <= data_len)
			return SKM_RELP_PARTIAL;
		frame.data = cursor.at;
		frame.data_len = data_len;
		cursor.at += data_len;
	}
	if (*cursor.at != '\n')
		return -EBADMSG;
	*ret_frame = frame;
	*ret_used = (size_t)(cursor.at + 1 - buf);
	return 0;
}

int skm_relp_status(const struct skm_relp_frame *frame, unsigned *ret_status)
{
	unsigned status = 0;
	if (frame->data_len < 3)
		return -EBADMSG;
	for (size_t i = 0; i < 3; i++) {
		if (frame->data[i] < '0' || frame->data[i] > '9')
			return -EBADMSG;
		status = status * 10 + (unsigned)(frame->data[i] - '0');
	}
	if (frame->data_len > 3 && frame->data[3] != ' ' && frame->data[3] != '\n')
		return -EBADMSG;
	*ret_status = status;
	return 0;
}

/* "a,b,c" */
static bool is_in_list(const char *list, size_t len, const char *word)
{
	size_t word_len = strlen(word);
	for (const char *end = list + len; list <= end;) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		size_t item_len = (size_t)((comma ? comma : end) - list);
		if (item_len == word_len && memcmp(list, word, word_len) == 0)
			return true;
		if (!comma)
			return false;
		list = comma + 1;
	}
	return false;
}

bool skm_relp_offers_command(const struct skm_relp_frame *frame, const char *command)
{
	static const char name[] = "commands=";
	const char *at = frame->data, *end = frame->data + frame->data_len;
	while (at && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *line_end = newline ? newline : end;
		size_t len = (size_t)(line_end - at);
		if (len >= sizeof(name) - 1 && memcmp(at, name, sizeof(name) - 1) == 0)
			return is_in_list(at + sizeof(name) - 1, len - (sizeof(name) - 1), command);
		at = newline ? newline + 1 : NULL;
	}
	return false;
}
