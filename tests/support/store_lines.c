// SPDX-License-Identifier: Apache-2.0
#include "store_lines.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

void terminal_begin(struct terminal *terminal, const char *number, const char *stream, uint8_t seed)
{
	cr_assert_eq(skm_chain_start(), 0);
	*terminal = (struct terminal){.stream = stream};
	snprintf(terminal->number, sizeof(terminal->number), "%s", number);
	memset(terminal->chain.id, seed, sizeof(terminal->chain.id));
	memset(terminal->chain.key, seed ^ 0xff, sizeof(terminal->chain.key));
	skm_chain_hash_first(terminal->chain.id, terminal->chain.head);
	terminal->time.realtime_usec = INT64_C(1795250000000000);
	terminal->time.is_synchronised = true;
	terminal->time.offset_usec = -1500;
}

size_t terminal_write(
	struct terminal *terminal, struct skm_record *record, char ret_line[SKM_RECORD_LINE_MAX])
{
	static const char end[] = ",\"m\":null}\n";
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	char hex[SKM_HEX128_BYTES];
	record->stream = terminal->stream;
	record->time = terminal->time;
	record->boot_number = 1;
	snprintf(record->terminal_number, sizeof(record->terminal_number), "%s", terminal->number);
	record->sequence = terminal->chain.sequence + 1;
	skm_hex_format(terminal->chain.id, sizeof(terminal->chain.id), record->chain_id);
	skm_hex_format(terminal->chain.head, sizeof(terminal->chain.head), record->previous_hash);
	record->mac[0] = '\0';
	/* Formatted once without its MAC; then the body is known. */
	size_t len = skm_record_format(record, ret_line);
	cr_assert_gt(len, sizeof(end) - 1);
	size_t body = len - (sizeof(end) - 1);
	cr_assert_eq(memcmp(ret_line + body, end, sizeof(end) - 1), 0);
	skm_chain_extend(&terminal->chain, ret_line, body, mac);
	skm_hex_format(mac, sizeof(mac), hex);
	terminal->time.realtime_usec += 1000000;
	return body + (size_t)snprintf(ret_line + body, SKM_RECORD_LINE_MAX - body, ",\"m\":\"%s\"}", hex);
}

size_t terminal_record(struct terminal *terminal, enum skm_event event, const char *detail,
	char ret_line[SKM_RECORD_LINE_MAX])
{
	struct skm_record record;
	skm_record_init(&record, event);
	snprintf(record.detail, sizeof(record.detail), "%s", detail);
	return terminal_write(terminal, &record, ret_line);
}

void terminal_skip(struct terminal *terminal, unsigned count)
{
	char line[SKM_RECORD_LINE_MAX];
	for (unsigned i = 0; i < count; i++)
		terminal_record(terminal, SKM_EVENT_RESUMED, "nobody has it", line);
}

/* As rsyslog's property option "json" writes it. */
static size_t escape(const char *text, char *to)
{
	size_t at = 0;
	for (; *text; text++) {
		if (*text == '"' || *text == '\\' || *text == '/')
			at += (size_t)sprintf(to + at, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			at += (size_t)sprintf(to + at, "\\u%04X", (unsigned)*text);
		else
			to[at++] = *text;
	}
	to[at] = '\0';
	return at;
}

char *terminal_message(const struct terminal *terminal, const char *const *lines, size_t count)
{
	size_t size = 256;
	for (size_t i = 0; i < count; i++)
		size += 6 * strlen(lines[i]) + 8;
	char *message = malloc(size);
	cr_assert_not_null(message);
	size_t at = (size_t)sprintf(
		message, "10.1.2.3 <109>1 - %s sekimori-%s - - - ", terminal->number, terminal->stream);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			at += (size_t)sprintf(message + at, "\\u001E");
		at += escape(lines[i], message + at);
	}
	return message;
}
