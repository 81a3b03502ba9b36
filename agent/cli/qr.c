// SPDX-License-Identifier: Apache-2.0
/* The only file that knows libqrencode. Its own command draws too, but a second program would get the secret
 * in its arguments or through a pipe, and draws for dark terminals only.
 *
 * Error correction is the lowest: a screen has no scratches, and each level above makes the code larger,
 * until it no longer fits a console. The library's copy of the modules is wiped; its copies of the text are
 * freed as they are, which nobody but the library can change. */
#include "qr.h"

#include <qrencode.h>
#include <stdbool.h>
#include <string.h>

/* Half blocks: what is drawn in the foreground colour. */
#define FULL "\xe2\x96\x88"  /* U+2588 */
#define UPPER "\xe2\x96\x80" /* U+2580 */
#define LOWER "\xe2\x96\x84" /* U+2584 */
/* Black on white; terminals that know the bright white take it, the others keep the first. */
#define SGR_PAPER "\033[0;30;47m\033[107m"
#define SGR_INK "\033[40m"
#define SGR_END "\033[0m"

#define ROW_BYTES ((SKM_QR_SIDE_MAX + 2 * SKM_QR_MARGIN) * (sizeof(SGR_PAPER) + 2) + 32)

int skm_qr_encode(const char *text, struct skm_qr *ret_qr)
{
	QRcode *code = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
	if (!code)
		return errno == ENOMEM ? -ENOMEM : -EMSGSIZE;
	size_t count = (size_t)code->width * (size_t)code->width;
	ret_qr->side = (unsigned)code->width;
	for (size_t i = 0; i < count; i++)
		ret_qr->is_dark[i] = code->data[i] & 1;
	explicit_bzero(code->data, count);
	QRcode_free(code);
	return 0;
}

/* Outside of the code is margin, and that is light. */
static bool is_dark(const struct skm_qr *qr, unsigned margin, unsigned row, unsigned column)
{
	if (row < margin || column < margin || row >= margin + qr->side || column >= margin + qr->side)
		return false;
	return qr->is_dark[(size_t)(row - margin) * qr->side + (column - margin)];
}

unsigned skm_qr_columns(const struct skm_qr *qr, enum skm_qr_style style, unsigned margin)
{
	unsigned side = qr->side + 2 * margin;
	if (style == SKM_QR_NONE)
		return 0;
	return style == SKM_QR_ANSI ? 2 * side : side;
}

unsigned skm_qr_rows(const struct skm_qr *qr, enum skm_qr_style style, unsigned margin)
{
	unsigned side = qr->side + 2 * margin;
	if (style == SKM_QR_NONE)
		return 0;
	return style == SKM_QR_ANSI ? side : (side + 1) / 2;
}

static void append(char *row, size_t *len, const char *text)
{
	size_t text_len = strlen(text);
	if (text_len >= ROW_BYTES - *len)
		return; /* never: ROW_BYTES is for the largest code */
	memcpy(row + *len, text, text_len + 1);
	*len += text_len;
}

static const char *half_block(bool upper, bool lower)
{
	if (upper)
		return lower ? FULL : UPPER;
	return lower ? LOWER : " ";
}

/* Two rows of modules in one of text. `is_ink_dark`: the foreground draws the dark modules. */
static void draw_halves(
	const struct skm_qr *qr, unsigned margin, unsigned row, bool is_ink_dark, char *text, size_t *len)
{
	for (unsigned column = 0; column < qr->side + 2 * margin; column++) {
		bool upper = is_dark(qr, margin, row, column);
		bool lower = is_dark(qr, margin, row + 1, column);
		append(text, len, half_block(upper == is_ink_dark, lower == is_ink_dark));
	}
}

static void draw_blanks(const struct skm_qr *qr, unsigned margin, unsigned row, char *text, size_t *len)
{
	bool was_dark = true;
	for (unsigned column = 0; column < qr->side + 2 * margin; column++) {
		bool dark = is_dark(qr, margin, row, column);
		if (column == 0 || dark != was_dark)
			append(text, len, dark ? SGR_INK : SGR_PAPER);
		append(text, len, "  ");
		was_dark = dark;
	}
	append(text, len, SGR_END);
}

void skm_qr_print(FILE *file, const struct skm_qr *qr, enum skm_qr_style style, unsigned margin)
{
	if (style == SKM_QR_NONE || margin > SKM_QR_MARGIN)
		return;
	char text[ROW_BYTES];
	unsigned step = style == SKM_QR_ANSI ? 1 : 2;
	for (unsigned row = 0; row < qr->side + 2 * margin; row += step) {
		size_t len = 0;
		if (style == SKM_QR_ANSI) {
			draw_blanks(qr, margin, row, text, &len);
		} else if (style == SKM_QR_COLOURED) {
			append(text, &len, SGR_PAPER);
			draw_halves(qr, margin, row, true, text, &len);
			append(text, &len, SGR_END);
		} else {
			draw_halves(qr, margin, row, style == SKM_QR_INVERSE, text, &len);
		}
		append(text, &len, "\n");
		(void)fwrite(text, 1, len, file);
	}
	explicit_bzero(text, sizeof(text));
}

int skm_qr_style_from_string(const char *word, enum skm_qr_style *ret_style)
{
	static const struct {
		const char *word;
		enum skm_qr_style style;
	} words[] = {{"utf8", SKM_QR_UTF8}, {"ansi", SKM_QR_ANSI}, {"inverse", SKM_QR_INVERSE},
		{"none", SKM_QR_NONE}};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(words); i++) {
		if (strcmp(word, words[i].word) == 0) {
			*ret_style = words[i].style;
			return 0;
		}
	}
	return -EINVAL;
}
