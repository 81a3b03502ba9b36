// SPDX-License-Identifier: Apache-2.0
/* A JSON writer into a buffer of fixed size: no allocation, and always escaped. What does not fit is dropped
 * and remembered (has_overflowed), never cut in the middle of an escape; from then on nothing more is
 * written, so that a text that has overflowed cannot be mistaken for a whole one: it lacks its closing
 * brackets. Output is plain ASCII plus valid UTF-8; escaped are quotes, backslash, control characters (C0,
 * DEL, C1), line separators (U+2028, U+2029) and everything that turns the writing direction (U+061C, U+200E,
 * U+200F, U+202A to U+202E, U+2066 to U+2069), since people read these texts on terminals. What is not UTF-8
 * becomes U+FFFD, one for each byte. */
#ifndef SEKIMORI_JSON_H
#define SEKIMORI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sekimori/result.h"

struct skm_json {
	char *buf;
	size_t size;
	size_t len; /* without a terminating NUL; buf[len] is NUL whenever size > len */
	bool needs_comma;
	bool has_overflowed;
};

void skm_json_init(struct skm_json *json, char *buf, size_t size);
/* key NULL = array element or top level. */
void skm_json_object_begin(struct skm_json *json, const char *key);
void skm_json_object_end(struct skm_json *json);
void skm_json_array_begin(struct skm_json *json, const char *key);
void skm_json_array_end(struct skm_json *json);
void skm_json_string(struct skm_json *json, const char *key, const char *value); /* value NULL gives null */
/* At most `escaped_bytes_max` bytes between the quotes; when it had to be cut, ends in U+2026 and returns
 * true. */
bool skm_json_string_limited(
	struct skm_json *json, const char *key, const char *value, size_t escaped_bytes_max);
void skm_json_printf(struct skm_json *json, const char *key, const char *format, ...) SKM_PRINTF(3, 4); /* a
	string, escaped; cut after 1,023 bytes before escaping, and then ends in U+2026 */
void skm_json_int(struct skm_json *json, const char *key, int64_t value);
void skm_json_uint(struct skm_json *json, const char *key, uint64_t value);
/* Members that are the same in every text, as they are to stand there: only a string literal compiles, so
 * that nobody's data goes this way. A comma before it is put in, none behind it. */
#define skm_json_literal(json, members) skm_json_literal_((json), "" members, sizeof(members) - 1)
void skm_json_literal_(struct skm_json *json, const char *members, size_t len);
void skm_json_bool(struct skm_json *json, const char *key, bool value);
void skm_json_null(struct skm_json *json, const char *key);

#endif
