// SPDX-License-Identifier: Apache-2.0
/* What a person typed. Unicode normalisation (NFKC, ICU) was rejected: it folds thousands of characters, of
 * which a keyboard gives these few, and an answer is short enough to list them. */
#include "answer.h"

#include <stdbool.h>
#include <string.h>

#include "sekimori/io.h"

#define DIGITS_SHORT 6
#define DIGITS_LONG 8
#define NUMBER_DIGITS_MAX 2

struct range {
	uint32_t first, last;
};

/* Passed over wherever they stand: people group digits as they like. */
static const struct range fillers[] = {
	{'\t', '\n'}, {'\r', '\r'}, {' ', ' '}, {'-', '-'}, /* line ends come with what is pasted */
	{0x00a0, 0x00a0}, {0x2000, 0x200a}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, /* blanks */
	{0x00ad, 0x00ad}, {0x2010, 0x2015}, {0x2043, 0x2043}, {0x2212, 0x2212}, /* hyphens, dashes, minus */
	{0x2500, 0x2501}, {0xfe58, 0xfe58}, {0xfe63, 0xfe63}, {0xff0d, 0xff0d}, /* 罫線, small, full-width */
	{0x30fc, 0x30fc}, {0xff70, 0xff70}, /* ー and its half-width form */
};

static bool is_filler(uint32_t character)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(fillers); i++)
		if (character >= fillers[i].first && character <= fillers[i].last)
			return true;
	return false;
}

/* The character of a sequence that skm_utf8_sequence found valid. */
static uint32_t decode(const unsigned char *text, size_t len)
{
	static const uint8_t lead_bits[] = {0x7f, 0x1f, 0x0f, 0x07};
	uint32_t character = text[0] & lead_bits[len - 1];
	for (size_t i = 1; i < len; i++)
		character = character << 6 | (text[i] & 0x3f);
	return character;
}

/* U+FF01 to U+FF5E are the printable ASCII characters, full-width. */
static uint32_t to_half_width(uint32_t character)
{
	return character >= 0xff01 && character <= 0xff5e ? character - 0xff01 + '!' : character;
}

/* What has been read so far: digits, then letters. */
struct reading {
	uint32_t value;
	unsigned digits, letter_count;
	char letters[SKM_RECOVERY_LETTERS + 1];
};

static bool take(struct reading *reading, uint32_t character)
{
	if (character >= '0' && character <= '9') {
		if (reading->letter_count > 0 || reading->digits == DIGITS_LONG)
			return false;
		reading->value = reading->value * 10 + (character - '0');
		reading->digits++;
		return true;
	}
	if (character >= 'a' && character <= 'z')
		character -= 'a' - 'A';
	if (character < 'A' || character > 'Z' || !strchr(SKM_RECOVERY_ALPHABET, (int)character) ||
		reading->letter_count == SKM_RECOVERY_LETTERS)
		return false;
	reading->letters[reading->letter_count++] = (char)character;
	return true;
}

static bool read_all(const char *text, size_t len, struct reading *reading)
{
	const unsigned char *bytes = (const unsigned char *)text;
	for (size_t at = 0; at < len;) {
		size_t sequence = skm_utf8_sequence(bytes + at, len - at);
		if (sequence == 0)
			return false;
		uint32_t character = decode(bytes + at, sequence);
		at += sequence;
		if (is_filler(character))
			continue;
		if (!take(reading, to_half_width(character)))
			return false;
	}
	return true;
}

void skm_answer_parse(const char *text, size_t len, struct skm_answer *ret_answer)
{
	struct reading reading = {0};
	*ret_answer = (struct skm_answer){.kind = SKM_ANSWER_MALFORMED};
	bool is_sound = read_all(text, len, &reading);
	if (is_sound && reading.letter_count == 0 &&
		(reading.digits == DIGITS_SHORT || reading.digits == DIGITS_LONG)) {
		ret_answer->kind = SKM_ANSWER_CODE;
		ret_answer->digits = (uint8_t)reading.digits;
		ret_answer->code = reading.value;
	} else if (is_sound && reading.letter_count == SKM_RECOVERY_LETTERS && reading.digits > 0 &&
		   reading.digits <= NUMBER_DIGITS_MAX) {
		ret_answer->kind = SKM_ANSWER_RECOVERY;
		ret_answer->number = (uint8_t)reading.value;
		memcpy(ret_answer->letters, reading.letters, sizeof(ret_answer->letters));
	}
	explicit_bzero(&reading, sizeof(reading));
}
