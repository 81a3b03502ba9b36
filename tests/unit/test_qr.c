// SPDX-License-Identifier: Apache-2.0
/* Whether a real reader can read it is for tests/meta/qr_roundtrip.sh; here: what is drawn is the code. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "png.h"
#include "qr.h"

static struct skm_qr qr;
static char drawn[262144];

static void draw(enum skm_qr_style style, unsigned margin)
{
	FILE *file = fmemopen(drawn, sizeof(drawn), "w");
	skm_qr_print(file, &qr, style, margin);
	(void)fclose(file);
}

static void make(const char *text)
{
	cr_assert_eq(skm_qr_encode(text, &qr), 0);
}

TestSuite(qr, .timeout = 60);

Test(qr, it_has_the_three_finders_and_its_side)
{
	make("A");
	cr_assert_eq(qr.side, 21u);
	static const char *const finder[] = {"1111111", "1000001", "1011101"};
	for (unsigned row = 0; row < 3; row++) {
		for (unsigned column = 0; column < 7; column++) {
			uint8_t wanted = finder[row][column] == '1';
			cr_expect_eq(qr.is_dark[row * 21 + column], wanted);
			cr_expect_eq(qr.is_dark[row * 21 + 20 - column], wanted);
			cr_expect_eq(qr.is_dark[(20 - row) * 21 + column], wanted);
		}
	}
}

Test(qr, too_long_a_text_is_told)
{
	char text[8000];
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	qr.side = 7;
	cr_expect_eq(skm_qr_encode(text, &qr), -EMSGSIZE);
	cr_expect_eq(qr.side, 7u, "untouched");
	text[2900] = '\0';
	cr_expect_eq(skm_qr_encode(text, &qr), 0);
	cr_expect_leq(qr.side, SKM_QR_SIDE_MAX);
	draw(SKM_QR_ANSI, SKM_QR_MARGIN);
	draw(SKM_QR_COLOURED, SKM_QR_MARGIN);
}

/* The modules that half blocks show: the upper and lower halves of `row` of text. */
static void expect_halves(const char *line, unsigned row, unsigned margin, bool is_ink_dark)
{
	for (unsigned column = 0; column < qr.side + 2 * margin; column++) {
		bool halves[2] = {false, false};
		if (*line == ' ') {
			line += 1;
		} else {
			halves[0] = strncmp(line, "█", 3) == 0 || strncmp(line, "▀", 3) == 0;
			halves[1] = strncmp(line, "█", 3) == 0 || strncmp(line, "▄", 3) == 0;
			line += 3;
		}
		for (unsigned half = 0; half < 2; half++) {
			unsigned y = 2 * row + half;
			bool is_inside = y >= margin && column >= margin && y < margin + qr.side &&
					 column < margin + qr.side;
			bool is_dark =
				is_inside && qr.is_dark[(size_t)(y - margin) * qr.side + column - margin];
			cr_assert_eq(halves[half], is_dark == is_ink_dark, "row %u column %u", y, column);
		}
	}
	cr_expect(*line == '\0' || *line == '\033', "the line ends with the code");
}

static void expect_drawing(enum skm_qr_style style, unsigned margin, bool is_ink_dark, const char *prefix)
{
	draw(style, margin);
	unsigned rows = 0;
	for (char *line = strtok(drawn, "\n"); line; line = strtok(NULL, "\n")) {
		cr_assert_eq(strncmp(line, prefix, strlen(prefix)), 0);
		expect_halves(line + strlen(prefix), rows++, margin, is_ink_dark);
	}
	cr_expect_eq(rows, skm_qr_rows(&qr, style, margin));
}

Test(qr, half_blocks_show_every_module)
{
	make("otpauth://totp/Sekimori:sato?secret=GEZDGNBVGY3TQOJQ");
	for (unsigned margin = 2; margin <= 4; margin += 2) {
		expect_drawing(SKM_QR_UTF8, margin, false, "");
		expect_drawing(SKM_QR_INVERSE, margin, true, "");
		expect_drawing(SKM_QR_COLOURED, margin, true, "\033[0;30;47m\033[107m");
	}
}

Test(qr, coloured_blanks_show_every_module)
{
	make("A");
	draw(SKM_QR_ANSI, 4);
	unsigned rows = 0;
	for (char *line = strtok(drawn, "\n"); line; line = strtok(NULL, "\n"), rows++) {
		bool dark = false;
		unsigned column = 0;
		for (const char *at = line; *at;) {
			if (*at == '\033') {
				dark = strncmp(at, "\033[40m", 5) == 0;
				at = strchr(at, 'm') + 1;
				continue;
			}
			cr_assert_eq(strncmp(at, "  ", 2), 0);
			bool is_inside = rows >= 4 && rows < 25 && column >= 4 && column < 25;
			cr_assert_eq(dark, is_inside && qr.is_dark[(rows - 4) * 21 + column - 4]);
			at += 2;
			column++;
		}
		cr_expect_eq(2 * column, skm_qr_columns(&qr, SKM_QR_ANSI, 4));
		cr_expect_not_null(strstr(line, "\033[0m"), "the colours end with the line");
	}
	cr_expect_eq(rows, skm_qr_rows(&qr, SKM_QR_ANSI, 4));
}

Test(qr, styles_have_words)
{
	enum skm_qr_style style = SKM_QR_STYLE_COUNT_;
	cr_expect_eq(skm_qr_style_from_string("utf8", &style), 0);
	cr_expect_eq(style, SKM_QR_UTF8);
	cr_expect_eq(skm_qr_style_from_string("none", &style), 0);
	cr_expect_eq(style, SKM_QR_NONE);
	cr_expect_eq(skm_qr_style_from_string("UTF8", &style), -EINVAL);
	cr_expect_eq(style, SKM_QR_NONE, "untouched");
	drawn[0] = '\0';
	make("A");
	draw(SKM_QR_NONE, 4);
	cr_expect_str_eq(drawn, "");
	cr_expect_eq(skm_qr_columns(&qr, SKM_QR_NONE, 4), 0u);
}

/* A known picture: one dark module, one light pixel row around it. Made with another encoder's numbers: the
 * checksums are those of zlib's crc32() and adler32(). */
Test(png, one_module_byte_for_byte)
{
	static const uint8_t dark = 1;
	const struct skm_png_square square = {&dark, 1, 1, 1};
	static const uint8_t wanted[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I', 'H',
		'D', 'R', 0, 0, 0, 3, 0, 0, 0, 3, 1, 0, 0, 0, 0, 0x7e, 0x53, 0x88, 0x12, 0, 0, 0, 17, 'I',
		'D', 'A', 'T', 0x78, 0x01, 0x01, 6, 0, 0xf9, 0xff, 0, 0xe0, 0, 0xa0, 0, 0xe0, 0x07, 0x26,
		0x02, 0x61, 0x23, 0x83, 0xbd, 0x23, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae,
		0x42, 0x60, 0x82};
	uint8_t *made = NULL;
	size_t len = 0;
	cr_assert_eq(skm_png_encode(&square, &made, &len), 0);
	cr_assert_eq(len, sizeof(wanted));
	for (size_t i = 0; i < len; i++)
		cr_expect_eq(made[i], wanted[i], "byte %zu: %02x, not %02x", i, made[i], wanted[i]);
	free(made);
}

Test(png, a_large_picture_needs_several_blocks)
{
	static uint8_t modules[177 * 177];
	const struct skm_png_square square = {modules, 177, 4, 8};
	uint8_t *made = NULL;
	size_t len = 0;
	cr_assert_eq(skm_png_encode(&square, &made, &len), 0);
	size_t pixels = 1480 * (1 + 1480 / 8);
	cr_expect_eq(len, 8 + 3 * 12 + 13 + 6 + (pixels / 65535 + 1) * 5 + pixels);
	free(made);
}

Test(png, bounds_are_kept)
{
	static uint8_t modules[1];
	uint8_t *made = NULL;
	size_t len = 0;
	const struct skm_png_square wrong[] = {{modules, 0, 4, 8}, {modules, 178, 4, 8}, {modules, 1, 17, 8},
		{modules, 1, 4, 0}, {modules, 1, 4, 17}};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(wrong); i++)
		cr_expect_eq(skm_png_encode(&wrong[i], &made, &len), -EINVAL);
	cr_expect_null(made);
}
