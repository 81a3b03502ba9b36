// SPDX-License-Identifier: Apache-2.0
/* The packets between the module, the command and authd. Tagged fields instead of a fixed struct, so that
 * either side can be upgraded first; rising order, one spelling of everything and no unknown tag, so that two
 * readers cannot understand one packet differently. varlink/JSON was rejected: a parser for it in a login
 * process is larger than all else that is there. */
#include <string.h>

#include "sekimori/auth.h"

#define HEADER_BYTES 2	     /* version, code */
#define FIELD_HEADER_BYTES 3 /* tag, length */
#define NUMBER_BYTES 8

enum kind { KIND_UNKNOWN, KIND_TEXT, KIND_BYTES, KIND_NUMBER };

static enum kind kind_of(unsigned tag)
{
	static const uint8_t kinds[SKM_AUTH_TAG_MAX + 1] = {
		[SKM_AUTH_TAG_USER] = KIND_TEXT,
		[SKM_AUTH_TAG_SERVICE] = KIND_TEXT,
		[SKM_AUTH_TAG_TTY] = KIND_TEXT,
		[SKM_AUTH_TAG_RHOST] = KIND_TEXT,
		[SKM_AUTH_TAG_RUSER] = KIND_TEXT,
		[SKM_AUTH_TAG_ANSWER] = KIND_BYTES,
		[SKM_AUTH_TAG_ANSWER2] = KIND_BYTES,
		[SKM_AUTH_TAG_REASON] = KIND_TEXT,
		[SKM_AUTH_TAG_LABEL] = KIND_TEXT,
		[SKM_AUTH_TAG_SECRET] = KIND_BYTES,
		[SKM_AUTH_TAG_TICKET] = KIND_BYTES,
		[SKM_AUTH_TAG_TEXT] = KIND_TEXT,
	};
	if (tag >= SKM_AUTH_TAG_FLAGS && tag <= SKM_AUTH_TAG_MAX)
		return KIND_NUMBER;
	return tag <= SKM_AUTH_TAG_MAX ? (enum kind)kinds[tag] : KIND_UNKNOWN;
}

/* ---- writing ---- */

void skm_auth_write_begin(struct skm_auth_writer *writer, uint8_t code)
{
	writer->buf[0] = SKM_AUTH_VERSION;
	writer->buf[1] = code;
	writer->len = HEADER_BYTES;
	writer->last_tag = 0;
	writer->error = 0;
}

static void put(struct skm_auth_writer *writer, enum skm_auth_tag tag, const void *data, size_t len)
{
	if (writer->error)
		return;
	if ((unsigned)tag <= writer->last_tag) {
		writer->error = -EINVAL;
		return;
	}
	if (len > sizeof(writer->buf) || sizeof(writer->buf) - writer->len < FIELD_HEADER_BYTES + len) {
		writer->error = -ENOBUFS;
		return;
	}
	uint8_t *at = writer->buf + writer->len;
	at[0] = (uint8_t)tag;
	at[1] = (uint8_t)(len & 0xff);
	at[2] = (uint8_t)(len >> 8);
	if (len)
		memcpy(at + FIELD_HEADER_BYTES, data, len);
	writer->len += FIELD_HEADER_BYTES + len;
	writer->last_tag = (uint8_t)tag;
}

static void refuse(struct skm_auth_writer *writer)
{
	if (!writer->error)
		writer->error = -EINVAL;
}

void skm_auth_write_bytes(struct skm_auth_writer *writer, enum skm_auth_tag tag, const void *data, size_t len)
{
	enum kind kind = kind_of(tag);
	if (kind == KIND_TEXT && len == 0)
		return;
	if (kind == KIND_BYTES || (kind == KIND_TEXT && !memchr(data, '\0', len)))
		put(writer, tag, data, len);
	else
		refuse(writer);
}

void skm_auth_write_text(struct skm_auth_writer *writer, enum skm_auth_tag tag, const char *text)
{
	if (kind_of(tag) != KIND_TEXT)
		refuse(writer);
	else if (text && *text)
		put(writer, tag, text, strlen(text));
}

void skm_auth_write_number(struct skm_auth_writer *writer, enum skm_auth_tag tag, uint64_t value)
{
	uint8_t bytes[NUMBER_BYTES];
	for (unsigned i = 0; i < NUMBER_BYTES; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	if (kind_of(tag) == KIND_NUMBER)
		put(writer, tag, bytes, sizeof(bytes));
	else
		refuse(writer);
}

int skm_auth_write_end(const struct skm_auth_writer *writer)
{
	return writer->error;
}

/* ---- reading ---- */

static bool field_is_valid(unsigned tag, const uint8_t *data, size_t len)
{
	switch (kind_of(tag)) {
	case KIND_TEXT:
		return len > 0 && !memchr(data, '\0', len);
	case KIND_NUMBER:
		return len == NUMBER_BYTES;
	case KIND_BYTES:
		return true;
	case KIND_UNKNOWN:
		break;
	}
	return false;
}

int skm_auth_packet_parse(const uint8_t *buf, size_t len, struct skm_auth_packet *ret_packet)
{
	if (len > 0 && buf[0] != SKM_AUTH_VERSION)
		return -EPROTO;
	if (len < HEADER_BYTES || len > SKM_AUTH_PACKET_MAX)
		return -EBADMSG;
	struct skm_auth_packet packet = {.code = buf[1]};
	unsigned last_tag = 0;
	for (size_t at = HEADER_BYTES; at < len;) {
		if (len - at < FIELD_HEADER_BYTES)
			return -EBADMSG;
		unsigned tag = buf[at];
		size_t field_len = (size_t)buf[at + 1] | (size_t)buf[at + 2] << 8;
		at += FIELD_HEADER_BYTES;
		if (tag <= last_tag || field_len > len - at || !field_is_valid(tag, buf + at, field_len))
			return -EBADMSG;
		packet.field[tag] = buf + at;
		packet.field_len[tag] = (uint16_t)field_len;
		last_tag = tag;
		at += field_len;
	}
	*ret_packet = packet;
	return 0;
}

int skm_auth_packet_text(
	const struct skm_auth_packet *packet, enum skm_auth_tag tag, char *ret_text, size_t size)
{
	if (size > 0)
		ret_text[0] = '\0';
	if (kind_of(tag) != KIND_TEXT || !packet->field[tag])
		return -ENOENT;
	size_t len = packet->field_len[tag];
	if (len >= size)
		return -EMSGSIZE;
	memcpy(ret_text, packet->field[tag], len);
	ret_text[len] = '\0';
	return 0;
}

uint64_t skm_auth_packet_number(
	const struct skm_auth_packet *packet, enum skm_auth_tag tag, uint64_t fallback)
{
	if (kind_of(tag) != KIND_NUMBER || !packet->field[tag])
		return fallback;
	uint64_t value = 0;
	for (unsigned i = 0; i < NUMBER_BYTES; i++)
		value |= (uint64_t)packet->field[tag][i] << (8 * i);
	return value;
}

const char *skm_auth_outcome_to_string(enum skm_auth_outcome outcome)
{
	static const char *const words[SKM_AUTH_OUTCOME_COUNT_] = {
		[SKM_AUTH_OK] = "ok",
		[SKM_AUTH_MORE] = "more",
		[SKM_AUTH_PROMPT] = "prompt",
		[SKM_AUTH_NOT_REQUIRED] = "not_required",
		[SKM_AUTH_WRONG] = "wrong",
		[SKM_AUTH_REPLAYED] = "replayed",
		[SKM_AUTH_LOCKED] = "locked",
		[SKM_AUTH_CLOCK] = "clock",
		[SKM_AUTH_UNENROLLED] = "unenrolled",
		[SKM_AUTH_NOT_A_CODE] = "not_a_code",
		[SKM_AUTH_DAMAGED] = "damaged",
		[SKM_AUTH_WRONG_KEY] = "wrong_key",
		[SKM_AUTH_UNAVAILABLE] = "unavailable",
		[SKM_AUTH_DENIED] = "denied",
		[SKM_AUTH_BUSY] = "busy",
		[SKM_AUTH_BAD_REQUEST] = "bad_request",
		[SKM_AUTH_CONFLICT] = "conflict",
		[SKM_AUTH_REFUSED] = "refused",
	};
	return (unsigned)outcome < SKM_AUTH_OUTCOME_COUNT_ ? words[outcome] : "unknown";
}
