// SPDX-License-Identifier: Apache-2.0
/* What a hostile device calls itself ends up on an administrator's terminal and on people's desktops; this is
 * the only way there.
 *
 * wcwidth(3) was rejected: it answers for the C library's locale, and terminals of this kind often have none
 * but C, where it calls every kanji invalid. */
#include "sekimori/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "sekimori/io.h"
#include "sekimori/result.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define ELLIPSIS "\xe2\x80\xa6"	   /* U+2026, one column */
#define SEQUENCE_BYTES_MAX 4

struct range {
	uint32_t first, last;
};

/* EastAsianWidth.txt, W and F; unassigned code points inside of a block count with it. */
static const struct range wide[] = {
	{0x1100, 0x115f},
	{0x231a, 0x231b},
	{0x2329, 0x232a},
	{0x23e9, 0x23ec},
	{0x23f0, 0x23f0},
	{0x23f3, 0x23f3},
	{0x25fd, 0x25fe},
	{0x2614, 0x2615},
	{0x2648, 0x2653},
	{0x267f, 0x267f},
	{0x2693, 0x2693},
	{0x26a1, 0x26a1},
	{0x26aa, 0x26ab},
	{0x26bd, 0x26be},
	{0x26c4, 0x26c5},
	{0x26ce, 0x26ce},
	{0x26d4, 0x26d4},
	{0x26ea, 0x26ea},
	{0x26f2, 0x26f3},
	{0x26f5, 0x26f5},
	{0x26fa, 0x26fa},
	{0x26fd, 0x26fd},
	{0x2705, 0x2705},
	{0x270a, 0x270b},
	{0x2728, 0x2728},
	{0x274c, 0x274c},
	{0x274e, 0x274e},
	{0x2753, 0x2755},
	{0x2757, 0x2757},
	{0x2795, 0x2797},
	{0x27b0, 0x27b0},
	{0x27bf, 0x27bf},
	{0x2b1b, 0x2b1c},
	{0x2b50, 0x2b50},
	{0x2b55, 0x2b55},
	{0x2e80, 0x303e},
	{0x3041, 0xa4cf},
	{0xa960, 0xa97c},
	{0xac00, 0xd7a3},
	{0xf900, 0xfaff},
	{0xfe10, 0xfe19},
	{0xfe30, 0xfe6b},
	{0xff01, 0xff60},
	{0xffe0, 0xffe6},
	{0x16fe0, 0x1b2ff},
	{0x1f004, 0x1f004},
	{0x1f0cf, 0x1f0cf},
	{0x1f18e, 0x1f18e},
	{0x1f191, 0x1f19a},
	{0x1f200, 0x1f64f},
	{0x1f680, 0x1f6ff},
	{0x1f7e0, 0x1f7f0},
	{0x1f90c, 0x1faff},
	{0x20000, 0x3fffd},
};

/* Marks that sit on the character before them (the blocks that are nothing else, and the kana voicing marks).
 */
static const struct range combining[] = {
	{0x0300, 0x036f},
	{0x1ab0, 0x1aff},
	{0x1dc0, 0x1dff},
	{0x20d0, 0x20ff},
	{0x3099, 0x309a},
	{0xfe00, 0xfe0f},
	{0xfe20, 0xfe2f},
	{0xe0100, 0xe01ef},
};

/* Controls, what turns the writing direction, what is invisible, what ends a line, and code points that are
 * no characters. A serial number must read as it is: neither backwards, nor with something hidden in it. */
static const struct range harmful[] = {
	{0x0000, 0x001f},
	{0x007f, 0x009f},
	{0x00ad, 0x00ad},
	{0x034f, 0x034f},
	{0x061c, 0x061c},
	{0x115f, 0x1160},
	{0x17b4, 0x17b5},
	{0x180b, 0x180f},
	{0x200b, 0x200f},
	{0x2028, 0x202e},
	{0x2060, 0x206f},
	{0x3164, 0x3164},
	{0xfeff, 0xfeff},
	{0xffa0, 0xffa0},
	{0xfff0, 0xfffb},
	{0xfffe, 0xffff},
	{0x1d173, 0x1d17a},
	{0xe0000, 0xe00ff},
};

static bool is_in(const struct range *ranges, size_t count, uint32_t code)
{
	size_t low = 0;
	size_t high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (code > ranges[middle].last)
			low = middle + 1;
		else if (code < ranges[middle].first)
			high = middle;
		else
			return true;
	}
	return false;
}

static uint32_t decode(const unsigned char *text, size_t len)
{
	static const uint32_t lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t code = text[0] & lead_mask[len];
	for (size_t i = 1; i < len; i++)
		code = code << 6 | (text[i] & 0x3fU);
	return code;
}

/* One character as it will be shown. */
struct glyph {
	const char *bytes;
	size_t len;	/* of bytes */
	size_t used;	/* of the text that it stands for */
	size_t columns; /* 0, 1 or 2 */
};

static struct glyph next_glyph(const char *text)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t len = skm_utf8_sequence(bytes, strnlen(text, SEQUENCE_BYTES_MAX));
	struct glyph replaced = {REPLACEMENT, sizeof(REPLACEMENT) - 1, len ? len : 1, 1};
	if (len == 0)
		return replaced;
	uint32_t code = decode(bytes, len);
	if (is_in(harmful, SKM_ARRAY_SIZE(harmful), code))
		return replaced;
	size_t columns = 1;
	if (is_in(combining, SKM_ARRAY_SIZE(combining), code))
		columns = 0;
	else if (is_in(wide, SKM_ARRAY_SIZE(wide), code))
		columns = 2;
	return (struct glyph){text, len, len, columns};
}

size_t skm_text_columns(const char *text)
{
	size_t columns = 0;
	while (*text) {
		struct glyph glyph = next_glyph(text);
		columns += glyph.columns;
		text += glyph.used;
	}
	return columns;
}

size_t skm_text_clean(const char *text, size_t columns_max, char *buf, size_t size)
{
	if (!size)
		return 0;
	bool is_cut = skm_text_columns(text) > columns_max;
	size_t room = is_cut && columns_max ? columns_max - 1 : columns_max;
	size_t columns = 0;
	size_t len = 0;
	/* The ellipsis and the NUL must still find their place. */
	while (*text) {
		struct glyph glyph = next_glyph(text);
		if (columns + glyph.columns > room || len + glyph.len + sizeof(ELLIPSIS) > size)
			break;
		memcpy(buf + len, glyph.bytes, glyph.len);
		len += glyph.len;
		columns += glyph.columns;
		text += glyph.used;
	}
	if (*text && columns < columns_max && len + sizeof(ELLIPSIS) <= size) {
		memcpy(buf + len, ELLIPSIS, sizeof(ELLIPSIS) - 1);
		len += sizeof(ELLIPSIS) - 1;
		columns++;
	}
	buf[len] = '\0';
	return columns;
}

void skm_text_print(FILE *file, const char *text)
{
	while (*text) {
		struct glyph glyph = next_glyph(text);
		(void)fwrite(glyph.bytes, 1, glyph.len, file);
		text += glyph.used;
	}
}

void skm_text_cell(FILE *file, const char *text, size_t columns)
{
	/* Combining marks take bytes and no column: what has more than a few on each character is cut. */
	char buf[SKM_TEXT_CELL_MAX * 4 + 16];
	if (columns > SKM_TEXT_CELL_MAX)
		columns = SKM_TEXT_CELL_MAX;
	size_t used = skm_text_clean(text, columns, buf, sizeof(buf));
	(void)fputs(buf, file);
	for (; used < columns; used++)
		(void)fputc(' ', file);
}

int skm_text_finish(const char *program, enum skm_language language, int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	(void)fprintf(stderr, "%s: %s\n", program,
		skm_text(language, "出力を書き込めません。", "cannot write the output"));
	return 3;
}
