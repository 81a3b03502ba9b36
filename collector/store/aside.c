// SPDX-License-Identifier: Apache-2.0
/* Evidence may be anything, a line feed and broken UTF-8 included, and a file of it must still be one that
 * grep and jq read. So it stands there twice: as text for people, and in base64, which is the evidence. */
#include "aside.h"

#include <stdio.h>

#include "sekimori/json.h"

#define SHOWN_MAX 4096 /* bytes of the readable form */
#define FIXED_MAX 1024 /* all other members */

static size_t encode(char *to, const unsigned char *bytes, size_t len)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t at = 0;
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t group = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
				 (left > 2 ? bytes[i + 2] : 0u);
		to[at++] = letters[group >> 18];
		to[at++] = letters[group >> 12 & 63];
		to[at++] = (char)(left > 1 ? letters[group >> 6 & 63] : '=');
		to[at++] = (char)(left > 2 ? letters[group & 63] : '=');
	}
	to[at] = '\0';
	return at;
}

int skm_aside_add(struct skm_bytes *text, const struct skm_timestamp *received, const char *why,
	const struct skm_wire *wire, const char *bytes, size_t len)
{
	char time_text[SKM_RFC3339_BYTES], shown[SHOWN_MAX / 6 + 1];
	size_t base64_max = (len + 2) / 3 * 4 + 1,
	       shown_len = len < sizeof(shown) - 1 ? len : sizeof(shown) - 1;
	size_t size = FIXED_MAX + SHOWN_MAX + base64_max;
	struct skm_json json;
	int r = skm_bytes_reserve(text, size + base64_max);
	if (r < 0)
		return r;
	/* A NUL would end the readable form early. */
	for (size_t i = 0; i < shown_len; i++)
		shown[i] = (char)(bytes[i] ? bytes[i] : ' ');
	shown[shown_len] = '\0';
	char *base64 = text->data + text->len + size;
	(void)encode(base64, (const unsigned char *)bytes, len);
	skm_timestamp_format(received, time_text);
	skm_json_init(&json, text->data + text->len, size);
	skm_json_object_begin(&json, NULL);
	skm_json_string(&json, "received", time_text);
	skm_json_string(&json, "why", why);
	skm_json_string(&json, "address", wire->address);
	skm_json_string(&json, "terminal", wire->terminal[0] ? wire->terminal : NULL);
	skm_json_string(&json, "stream", wire->stream[0] ? wire->stream : NULL);
	skm_json_uint(&json, "bytes", len);
	(void)skm_json_string_limited(&json, "text", shown, SHOWN_MAX);
	skm_json_string(&json, "base64", base64);
	skm_json_object_end(&json);
	if (json.has_overflowed)
		return -EOVERFLOW;
	text->len += json.len;
	text->data[text->len++] = '\n';
	return 0;
}
