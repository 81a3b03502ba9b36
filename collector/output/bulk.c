// SPDX-License-Identifier: Apache-2.0
/* A document is the record itself, byte for byte: OpenSearch keeps it in _source as it came. What it could
 * not take (bytes that are no UTF-8, a field that contradicts the index's mapping) must neither be lost nor
 * hold up what comes after it, so it goes in base64, under the same identity and in a field that no record of
 * ours has. A record made for it may have fixed that field's kind before, and then no base64 is taken either.
 * Status 400 alone does not tell this from an index that is closed or may have no more shards. So such a
 * record goes by its name, in fields that every document has: where that is taken, the record is at fault.
 *
 * omelasticsearch was rejected: of a rejected item it writes to a file that nobody reads (errorFile) or
 * forgets it, and it asks no item for its identity. */
#include "bulk.h"

#include <stdio.h>
#include <string.h>

#include "sekimori/io.h"

#define ACTION_BYTES 128

static int add_base64(struct skm_bytes *body, const unsigned char *bytes, size_t len)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	int r = skm_bytes_reserve(body, (len + 2) / 3 * 4);
	if (r < 0)
		return r;
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t group = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
				 (left > 2 ? bytes[i + 2] : 0u);
		body->data[body->len++] = letters[group >> 18];
		body->data[body->len++] = letters[group >> 12 & 63];
		body->data[body->len++] = (char)(left > 1 ? letters[group >> 6 & 63] : '=');
		body->data[body->len++] = (char)(left > 2 ? letters[group & 63] : '=');
	}
	return 0;
}

/* A control character ends a string of JSON wrongly, and a carriage return may end a line for somebody. */
static bool is_plain_text(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)line[i] < ' ')
			return false;
	}
	return skm_utf8_is_valid(line, len);
}

static int add_record(struct skm_bytes *body, const struct skm_output_record *record, const char *line)
{
	char text[ACTION_BYTES];
	int len = snprintf(text, sizeof(text), "{\"index\":{\"_id\":\"%s\"}}\n", record->id);
	int r = skm_bytes_add(body, text, (size_t)len);
	if (r < 0)
		return r;
	if (record->form == SKM_OUTPUT_AS_IT_IS && is_plain_text(line, record->len)) {
		r = skm_bytes_add(body, line, record->len);
		return r < 0 ? r : skm_bytes_add(body, "\n", 1);
	}
	bool is_name = record->form == SKM_OUTPUT_BY_NAME;
	len = snprintf(text, sizeof(text), "{\"skm\":{\"c\":\"%.*s\",\"n\":%s}%s", SKM_OUTPUT_CHAIN_LETTERS,
		record->id, record->id + SKM_OUTPUT_CHAIN_LETTERS + 1,
		is_name ? "}\n" : ",\"skm_base64\":\"");
	r = skm_bytes_add(body, text, (size_t)len);
	if (is_name)
		return r;
	if (r == 0)
		r = add_base64(body, (const unsigned char *)line, record->len);
	return r < 0 ? r : skm_bytes_add(body, "\"}\n", 3);
}

int skm_bulk_compose(const struct skm_output_batch *batch, size_t limit, struct skm_bytes *body)
{
	int r = 0;
	body->len = 0;
	for (size_t i = 0; r == 0 && limit > 0 && i < batch->count; i++) {
		const struct skm_output_record *record = &batch->records[i];
		if (record->is_done)
			continue;
		limit--;
		r = add_record(body, record, batch->text.data + record->offset);
	}
	return r;
}
