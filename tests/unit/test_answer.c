// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"

/* An exact-size heap copy, so that AddressSanitizer sees the first byte read past the end. */
static struct skm_answer parse_bytes(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	cr_assert(copy);
	memcpy(copy, text, len);
	struct skm_answer answer;
	memset(&answer, 0xa5, sizeof(answer));
	skm_answer_parse(copy, len, &answer);
	free(copy);
	return answer;
}

static struct skm_answer parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

Test(answer, codes)
{
	static const struct {
		char text[48];
		uint8_t digits;
		uint32_t code;
	} cases[] = {
		{"123456", 6, 123456},
		{"000000", 6, 0},
		{"00123456", 8, 123456},
		{"99999999", 8, 99999999},
		{"123 456", 6, 123456},
		{" 123-456\n", 6, 123456},
		{"12 34 56 78", 8, 12345678},
		{"\t123456\r\n", 6, 123456},
		{"１２３４５６", 6, 123456},
		{"１２３　４５６", 6, 123456},
		{"１２３ー４５６", 6, 123456},
		{"1２3ｰ4５6", 6, 123456},
		{"123‐456", 6, 123456},
		{"123‑456", 6, 123456},
		{"123–456", 6, 123456},
		{"123—456", 6, 123456},
		{"123―456", 6, 123456},
		{"123−456", 6, 123456},
		{"123－456", 6, 123456},
		{"123─456", 6, 123456},
		{"123\u00a0456", 6, 123456},
		{"---123456---", 6, 123456},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		struct skm_answer answer = parse(cases[i].text);
		cr_expect(answer.kind == SKM_ANSWER_CODE, "\"%s\"", cases[i].text);
		cr_expect(answer.digits == cases[i].digits && answer.code == cases[i].code, "\"%s\"",
			cases[i].text);
		cr_expect(answer.number == 0 && answer.letters[0] == '\0', "\"%s\"", cases[i].text);
	}
}

Test(answer, recovery_codes)
{
	static const struct {
		char text[112];
		uint8_t number;
	} cases[] = {
		{"3-ACEF-HJKL-MQRT-UWXY-ACEF", 3},
		{"3ACEFHJKLMQRTUWXYACEF", 3},
		{"3 acef hjkl mqrt uwxy acef", 3},
		{"10-AcEf-HjKl-MqRt-UwXy-aCeF", 10},
		{"99-ACEF-HJKL-MQRT-UWXY-ACEF", 99},
		{"0-ACEF-HJKL-MQRT-UWXY-ACEF", 0},
		{"00-ACEF-HJKL-MQRT-UWXY-ACEF", 0},
		{"03-ACEF-HJKL-MQRT-UWXY-ACEF", 3},
		{"３－ＡＣＥＦ－ＨＪＫＬ－ＭＱＲＴ－ＵＷＸＹ－ＡＣＥＦ", 3},
		{"３ａｃｅｆーｈｊｋｌーｍｑｒｔーｕｗｘｙーａｃｅｆ", 3},
		{"1 0-ACEF-HJKL-MQRT-UWXY-ACEF ", 10},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		struct skm_answer answer = parse(cases[i].text);
		cr_expect(answer.kind == SKM_ANSWER_RECOVERY, "\"%s\"", cases[i].text);
		cr_expect(answer.number == cases[i].number, "\"%s\": %u", cases[i].text, answer.number);
		cr_expect(strcmp(answer.letters, "ACEFHJKLMQRTUWXYACEF") == 0, "\"%s\"", cases[i].text);
		cr_expect(answer.digits == 0 && answer.code == 0, "\"%s\"", cases[i].text);
	}
}

Test(answer, what_is_none)
{
	static const char cases[][112] = {"", " ", "-", "12345", "1234567", "123456789",
		"1234567890123456789012", "12345a", "a123456", "123456x", "+123456", "123.456", "123_456",
		"123,456", "0x1234", "password", "パスワード", "١٢٣٤٥٦", "①②③④⑤⑥", "123~456", "123〜456",
		/* a number is missing, too long, at the wrong end, or in between */
		"ACEF-HJKL-MQRT-UWXY-ACEF", "100-ACEF-HJKL-MQRT-UWXY-ACEF", "ACEF-HJKL-MQRT-UWXY-ACEF-3",
		"3-ACEF-HJKL-4-MQRT-UWXY-ACEF", "123456-ACEF-HJKL-MQRT-UWXY-ACEF",
		/* one letter too few, one too many, one that is not ours */
		"3-ACEF-HJKL-MQRT-UWXY-ACE", "3-ACEF-HJKL-MQRT-UWXY-ACEFA", "3-ACEF-HJKL-MQRT-UWXY-ACEB",
		"3-ACEF-HJKL-MQRT-UWXY-ACEO", "3-ACEF-HJKL-MQRT-UWXY-ACE0", "3-ÀCEF-HJKL-MQRT-UWXY-ACEF",
		"3-ACEF-HJKL-MQRT-UWXY-ACEＢ"};
	static const struct skm_answer none;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		struct skm_answer answer = parse(cases[i]);
		cr_expect(answer.kind == SKM_ANSWER_MALFORMED, "\"%s\"", cases[i]);
		cr_expect(answer.digits == 0 && answer.code == 0 && answer.number == 0, "\"%s\"", cases[i]);
		cr_expect(
			memcmp(answer.letters, none.letters, sizeof(none.letters)) == 0, "\"%s\"", cases[i]);
	}
}

Test(answer, bytes_that_are_no_text)
{
	static const struct {
		char bytes[16];
		size_t len;
	} cases[] = {
		{"123456\0", 7},	   /* NUL */
		{"123\0456", 7},	   /* "123", NUL … */
		{"123456\xff", 7},	   /* no lead byte */
		{"123456\xe3\x80", 8},	   /* cut off */
		{"123456\xe3", 7},	   /* cut off */
		{"123456\xc0\xad", 8},	   /* overlong hyphen */
		{"123456\xed\xa0\x80", 9}, /* surrogate */
		{"\x82\x4f\x82\x50", 4},   /* Shift JIS */
		{"123456\x1b", 7},
		{"\b\n\r\177INCORRECT", 13},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++)
		cr_expect(parse_bytes(cases[i].bytes, cases[i].len).kind == SKM_ANSWER_MALFORMED, "case %zu",
			i);
}

Test(answer, length_decides_not_the_nul)
{
	cr_assert(parse_bytes("12345678", 6).kind == SKM_ANSWER_CODE);
	cr_assert(parse_bytes("12345678", 6).code == 123456);
	cr_assert(parse_bytes("12345678", 7).kind == SKM_ANSWER_MALFORMED);
	struct skm_answer answer;
	skm_answer_parse(NULL, 0, &answer);
	cr_assert(answer.kind == SKM_ANSWER_MALFORMED);
}

Test(answer, a_megabyte_of_hyphens)
{
	size_t len = 1024 * 1024;
	char *text = malloc(len);
	cr_assert(text);
	memset(text, '-', len);
	memcpy(text + len - 6, "123456", 6);
	struct skm_answer answer = parse_bytes(text, len);
	cr_assert(answer.kind == SKM_ANSWER_CODE && answer.code == 123456);
	memset(text, '1', len);
	cr_assert(parse_bytes(text, len).kind == SKM_ANSWER_MALFORMED);
	free(text);
}

/* The letters are told apart in speech: none of those that are mistaken for each other. */
Test(answer, alphabet)
{
	cr_assert(strlen(SKM_RECOVERY_ALPHABET) == 16);
	cr_assert(strpbrk(SKM_RECOVERY_ALPHABET, "BDGINOPSVZ0123456789") == NULL);
	for (const char *letter = SKM_RECOVERY_ALPHABET; *letter != '\0'; letter++)
		cr_assert(strchr(letter + 1, *letter) == NULL, "%c twice", *letter);
}
