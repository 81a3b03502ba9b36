// SPDX-License-Identifier: Apache-2.0
/* The whole message is passed as one JSON string, and the envelope is read here, because rsyslog's own
 * parsing is made for being generous: a message that is no RFC 5424 is taken as RFC 3164 and its text begins
 * somewhere else, and a line feed within a message, passed raw, would look to us like two messages and be
 * answered twice, after which every answer belongs to the message before: what was not stored would be
 * acknowledged. With %rawmsg:::json% one message is one line, whatever is in it. */
#include "wire.h"

#include <stdint.h>
#include <string.h>

#include "sekimori/io.h"

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "\u001E", as rsyslog writes a control character: a byte. Something above 0xff is not made by it. */
static bool take_unicode(const char *at, const char *end, char *ret_byte)
{
	int byte = 0;
	if (end - at < 6 || at[2] != '0' || at[3] != '0')
		return false;
	for (unsigned i = 4; i < 6; i++) {
		int digit = digit_of(at[i]);
		if (digit < 0)
			return false;
		byte = byte << 4 | digit;
	}
	*ret_byte = (char)byte;
	return true;
}

static bool take_short(char letter, char *ret_byte)
{
	static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	const char *found = letter ? strchr(letters, letter) : NULL;
	if (!found)
		return false;
	*ret_byte = bytes[found - letters];
	return true;
}

/* In place: an escape is longer than what it stands for. What is no escape stays as it is. */
static size_t unescape(char *text, size_t len)
{
	char *to = memchr(text, '\\', len);
	if (!to)
		return len;
	const char *end = text + len;
	for (const char *at = to; at < end;) {
		size_t plain = (size_t)(end - at);
		const char *escape = memchr(at, '\\', plain);
		if (escape)
			plain = (size_t)(escape - at);
		memmove(to, at, plain);
		to += plain;
		at += plain;
		if (!escape)
			break;
		if (end - at >= 2 && take_short(at[1], to)) {
			at += 2;
		} else if (end - at >= 2 && at[1] == 'u' && take_unicode(at, end, to)) {
			at += 6;
		} else {
			*to = *at;
			at++;
		}
		to++;
	}
	return (size_t)(to - text);
}

struct cursor {
	const char *at, *end;
};

/* A word up to the next space, which is taken as well. False when there is none, or it is empty. */
static bool take_word(struct cursor *cursor, const char **ret_word, size_t *ret_len)
{
	const char *space = memchr(cursor->at, ' ', (size_t)(cursor->end - cursor->at));
	if (!space || space == cursor->at)
		return false;
	*ret_word = cursor->at;
	*ret_len = (size_t)(space - cursor->at);
	cursor->at = space + 1;
	return true;
}

static bool is_word(const char *word, size_t len, const char *expected)
{
	return len == strlen(expected) && memcmp(word, expected, len) == 0;
}

/* It goes into mails, tables and onto a terminal, so nothing in it may act: no control character, C1 included
 * (U+009B begins an escape sequence), nothing that turns the writing direction, no broken UTF-8. */
static bool is_harmless(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)name[i];
		if (byte <= ' ' || byte == 0x7f || byte == '"' || byte == '\\')
			return false;
	}
	/* C1: C2 80..9F; U+061C: D8 9C; U+200E, U+200F, U+2028..U+202E: E2 80 xx; U+2066..U+2069: E2 81 xx.
	 * No name has need of the rest of these blocks. */
	for (size_t i = 0; i + 1 < len; i++) {
		unsigned char byte = (unsigned char)name[i], next = (unsigned char)name[i + 1];
		if ((byte == 0xc2 && next < 0xa0) || (byte == 0xd8 && next == 0x9c) ||
			(byte == 0xe2 && (next == 0x80 || next == 0x81)))
			return false;
	}
	return skm_utf8_is_valid(name, len);
}

static bool copy_name(char *to, size_t size, const char *name, size_t len)
{
	if (len == 0 || len >= size || !is_harmless(name, len))
		return false;
	memcpy(to, name, len);
	to[len] = '\0';
	return true;
}

static bool is_priority(const char *word, size_t len)
{
	if (len < 4 || len > 6 || word[0] != '<' || word[len - 2] != '>' || word[len - 1] != '1')
		return false;
	for (size_t i = 1; i < len - 2; i++) {
		if (word[i] < '0' || word[i] > '9')
			return false;
	}
	return true;
}

static bool take_stream(const char *word, size_t len, char ret_stream[SKM_WIRE_STREAM_BYTES])
{
	static const char before[] = "sekimori-";
	const size_t before_len = sizeof(before) - 1;
	if (len <= before_len || len - before_len >= SKM_WIRE_STREAM_BYTES ||
		memcmp(word, before, before_len) != 0)
		return false;
	for (size_t i = before_len; i < len; i++) {
		if (word[i] < 'a' || word[i] > 'z')
			return false;
	}
	memcpy(ret_stream, word + before_len, len - before_len);
	ret_stream[len - before_len] = '\0';
	return true;
}

/* RFC 5424: PRI VERSION, TIMESTAMP, HOSTNAME, APP-NAME, PROCID, MSGID, STRUCTURED-DATA (none), MSG. */
static bool take_envelope(struct cursor *cursor, struct skm_wire *wire)
{
	const char *words[7] = {NULL};
	size_t lens[7] = {0};
	for (unsigned i = 0; i < 7; i++) {
		if (!take_word(cursor, &words[i], &lens[i]))
			return false;
	}
	wire->is_alive = is_word(words[5], lens[5], "alive") &&
			 is_word(cursor->at, (size_t)(cursor->end - cursor->at), "on");
	return is_priority(words[0], lens[0]) &&
	       copy_name(wire->terminal, sizeof(wire->terminal), words[2], lens[2]) &&
	       take_stream(words[3], lens[3], wire->stream) && is_word(words[6], lens[6], "-");
}

static bool is_beat(const char *address, const char *message, size_t len)
{
	static const char beat[] = "resource-usage: origin=impstats ";
	return strcmp(address, "127.0.0.1") == 0 && len >= sizeof(beat) - 1 &&
	       memcmp(message, beat, sizeof(beat) - 1) == 0;
}

void skm_wire_parse(char *line, size_t len, struct skm_wire *ret_wire)
{
	struct skm_wire wire = {.is_ours = false};
	const char *space = memchr(line, ' ', len);
	char *message = line;
	/* A local or an unknown sender may have an empty or a worded address: evidence all the same. */
	if (space && (size_t)(space - line) < sizeof(wire.address)) {
		memcpy(wire.address, line, (size_t)(space - line));
		message += (size_t)(space - line) + 1;
	}
	size_t message_len = unescape(message, len - (size_t)(message - line));
	struct cursor cursor = {message, message + message_len};
	wire.is_ours = take_envelope(&cursor, &wire);
	if (!wire.is_ours) {
		wire.terminal[0] = wire.stream[0] = '\0';
		wire.is_alive = false;
		cursor.at = message;
		wire.is_beat = is_beat(wire.address, message, message_len);
	}
	wire.payload = cursor.at;
	wire.payload_len = (size_t)(cursor.end - cursor.at);
	*ret_wire = wire;
}

bool skm_wire_next(struct skm_wire *wire, const char **ret_record, size_t *ret_len)
{
	if (wire->payload_len == 0)
		return false;
	const char *separator = memchr(wire->payload, SKM_WIRE_SEPARATOR, wire->payload_len);
	size_t len = separator ? (size_t)(separator - wire->payload) : wire->payload_len;
	*ret_record = wire->payload;
	*ret_len = len;
	wire->payload += len + (separator ? 1 : 0);
	wire->payload_len -= len + (separator ? 1 : 0);
	return true;
}
