// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>

#include "sekimori/io.h"
#include "sekimori/text.h"

struct sample {
	const char *text, *clean;
	size_t columns;
};

Test(text, width_is_what_a_terminal_shows)
{
	const struct sample samples[] = {
		{"", "", 0},
		{"USB", "USB", 3},
		{"端末", "端末", 4},
		{"ｶﾅ", "ｶﾅ", 2},			 /* half-width katakana */
		{"ＡＢ", "ＡＢ", 4},			 /* full-width letters */
		{"か\xe3\x82\x99", "か\xe3\x82\x99", 2}, /* か and a combining voicing mark */
		{"e\xcc\x81", "e\xcc\x81", 1},		 /* e and a combining acute accent */
		{"\xf0\xa0\xae\xb7", "\xf0\xa0\xae\xb7",
			2}, /* U+20BB7, a name's kanji outside of the basic plane */
		{"한", "한", 2},
		{"é", "é", 1},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(samples); i++) {
		char buf[64];
		cr_expect_eq(skm_text_columns(samples[i].text), samples[i].columns, "%s", samples[i].text);
		cr_expect_eq(skm_text_clean(samples[i].text, 80, buf, sizeof(buf)), samples[i].columns);
		cr_expect_str_eq(buf, samples[i].clean);
	}
}

/* What a terminal would obey, or what would make text read otherwise than it is. */
Test(text, nothing_a_terminal_would_obey_gets_through)
{
	const char *const hostile[] = {
		"\x1b", "\n", "\r", "\t", "\b", "\x07", "\x7f", /* C0, DEL */
		"\xc2\x9b",					/* U+009B, CSI in one character */
		"\x9b",						/* the same as a raw byte: no UTF-8 */
		"\xe2\x80\xae",					/* U+202E, turns the direction */
		"\xe2\x81\xa6",					/* U+2066 */
		"\xe2\x80\x8b",					/* U+200B, invisible */
		"\xe2\x80\xa8",					/* U+2028, ends a line */
		"\xef\xbb\xbf",					/* U+FEFF */
		"\xf3\xa0\x80\xa1",				/* U+E0021, a tag: invisible */
		"\xc0\xaf",					/* overlong */
		"\xed\xa0\x80",					/* a surrogate */
		"\xf4\x90\x80\x80",				/* above U+10FFFF */
		"\xe7\xab",					/* cut off */
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(hostile); i++) {
		char buf[64];
		(void)skm_text_clean(hostile[i], 80, buf, sizeof(buf));
		cr_expect(strncmp(buf, "\xef\xbf\xbd", 3) == 0, "sample %zu", i);
		cr_expect_null(strstr(buf, hostile[i]), "sample %zu", i);
	}
}

Test(text, what_is_too_long_is_cut_at_a_character_and_marked)
{
	char buf[64];
	cr_expect_eq(skm_text_clean("abcdef", 4, buf, sizeof(buf)), 4u);
	cr_expect_str_eq(buf, "abc…");
	/* four columns hold one kanji and the mark: half a kanji does not exist */
	cr_expect_eq(skm_text_clean("端末番号", 4, buf, sizeof(buf)), 3u);
	cr_expect_str_eq(buf, "端…");
	cr_expect_eq(skm_text_clean("端末", 4, buf, sizeof(buf)), 4u);
	cr_expect_str_eq(buf, "端末");
	cr_expect_eq(skm_text_clean("abc", 0, buf, sizeof(buf)), 0u);
	cr_expect_str_eq(buf, "");
}

Test(text, a_small_buffer_is_never_overrun_and_always_valid)
{
	for (size_t size = 1; size < 24; size++) {
		char *exact = malloc(size);
		(void)skm_text_clean("端末a\x1b番号", 80, exact, size);
		cr_expect(strlen(exact) < size);
		cr_expect(skm_utf8_is_valid(exact, strlen(exact)), "size %zu", size);
		free(exact);
	}
	cr_expect_eq(skm_text_clean("a", 80, NULL, 0), 0u);
}

static void printed_cell(const char *text, size_t columns, char *buf, size_t size)
{
	FILE *file = fmemopen(buf, size, "w");
	cr_assert_not_null(file);
	skm_text_cell(file, text, columns);
	(void)fclose(file);
}

Test(text, a_cell_is_exactly_as_wide_as_asked)
{
	const char *const texts[] = {"", "USB", "端末番号の長い名前", "\x1b[2J", "e\xcc\x81\xcc\x81\xcc\x81"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(texts); i++) {
		char buf[256] = "";
		printed_cell(texts[i], 10, buf, sizeof(buf));
		cr_expect_eq(skm_text_columns(buf), 10u, "%s", texts[i]);
	}
}
