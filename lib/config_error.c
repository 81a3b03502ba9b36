// SPDX-License-Identifier: Apache-2.0
/* What a person is told about a file that is not right. What stands in the file goes to terminals and logs,
 * so it is made printable first: neither an escape sequence nor a letter that turns the writing direction may
 * come through. */
#include <stdio.h>
#include <string.h>

#include "config_internal.h"
#include "sekimori/io.h"
#include "sekimori/language.h"

/* Cuts between characters: half a character at the end of a message is a broken message. */
static void copy_text(char *buf, size_t size, const char *text)
{
	size_t len = strlen(text);
	size_t used = 0;
	while (used < len) {
		size_t step = skm_utf8_sequence((const unsigned char *)text + used, len - used);
		if (step == 0)
			step = 1;
		if (used + step >= size)
			break;
		memcpy(buf + used, text + used, step);
		used += step;
	}
	buf[used] = '\0';
}

/* Control characters (C0, DEL, C1) and the ones that change direction (Unicode Bidi_Control) or are line
 * ends. */
static bool is_unprintable(const unsigned char *sequence, size_t len)
{
	if (len == 1)
		return sequence[0] < 0x20 || sequence[0] == 0x7f;
	if (len == 2) /* U+0080..U+009F; U+061C */
		return (sequence[0] == 0xc2 && sequence[1] < 0xa0) ||
		       (sequence[0] == 0xd8 && sequence[1] == 0x9c);
	if (len != 3 || sequence[0] != 0xe2)
		return false;
	if (sequence[1] == 0x80) /* U+200E, U+200F; U+2028..U+202E */
		return sequence[2] == 0x8e || sequence[2] == 0x8f ||
		       (sequence[2] >= 0xa8 && sequence[2] <= 0xae);
	return sequence[1] == 0x81 && sequence[2] >= 0xa6 && sequence[2] <= 0xa9; /* U+2066..U+2069 */
}

/* a TAB b => a\x09b, with an ellipsis where it had to be cut. */
static void copy_printable(char *buf, size_t size, const char *bytes, size_t len)
{
	static const char ellipsis[] = "…";
	const unsigned char *at = (const unsigned char *)bytes;
	size_t used = 0;
	for (size_t i = 0; i < len;) {
		size_t step = skm_utf8_sequence(at + i, len - i);
		bool is_shown = step > 0 && !is_unprintable(at + i, step);
		size_t from = step > 0 ? step : 1;
		if (used + (is_shown ? from : from * 4) + sizeof(ellipsis) > size) {
			memcpy(buf + used, ellipsis, sizeof(ellipsis));
			return;
		}
		if (is_shown) {
			memcpy(buf + used, at + i, from);
			used += from;
		} else {
			for (size_t k = 0; k < from; k++)
				used += (size_t)snprintf(buf + used, size - used, "\\x%02x", at[i + k]);
		}
		i += from;
	}
	buf[used] = '\0';
}

static void fill(
	struct skm_config_error *error, const struct skm_config_place *place, struct skm_config_text allowed)
{
	memset(error, 0, sizeof(*error));
	copy_printable(error->file, sizeof(error->file), place->file, strlen(place->file));
	error->line = place->line;
	copy_printable(error->key, sizeof(error->key), place->key, strlen(place->key));
	copy_text(error->allowed, sizeof(error->allowed), allowed.en);
	copy_text(error->allowed_ja, sizeof(error->allowed_ja), allowed.ja);
}

int skm_config_refuse(struct skm_config_error *error, const struct skm_config_place *place, const char *found,
	size_t found_len, struct skm_config_text allowed)
{
	fill(error, place, allowed);
	copy_printable(error->found, sizeof(error->found), found, found_len);
	return SKM_CONFIG_INVALID;
}

int skm_config_refuse_words(struct skm_config_error *error, const struct skm_config_place *place,
	struct skm_config_text found, struct skm_config_text allowed)
{
	fill(error, place, allowed);
	copy_printable(error->found, sizeof(error->found), found.en, strlen(found.en));
	copy_printable(error->found_ja, sizeof(error->found_ja), found.ja, strlen(found.ja));
	return SKM_CONFIG_INVALID;
}

size_t skm_config_error_format(
	const struct skm_config_error *error, enum skm_language language, char *buf, size_t size)
{
	char line[16] = "";
	if (error->line > 0)
		(void)snprintf(line, sizeof(line), ":%u", error->line);
	bool is_japanese = language == SKM_LANGUAGE_JA;
	const char *found = is_japanese && error->found_ja[0] ? error->found_ja : error->found;
	if (!found[0])
		found = skm_text(language, "なし", "nothing");
	const char *allowed = is_japanese && error->allowed_ja[0] ? error->allowed_ja : error->allowed;
	const char *colon = error->key[0] ? ": " : "";
	int len = is_japanese ? snprintf(buf, size, "%s%s: %s%s現在の内容: %s、正しい内容: %s", error->file,
					line, error->key, colon, found, allowed)
			      : snprintf(buf, size, "%s%s: %s%sfound: %s; allowed: %s", error->file, line,
					error->key, colon, found, allowed);
	return len < 0 ? 0 : (size_t)len;
}
