// SPDX-License-Identifier: Apache-2.0
/* Password and code in one field, read from its end: a password may hold anything, a code has a known shape.
 * Reading from the front, with a separator between the two, was rejected: the separator would be forbidden in
 * passwords, and people forget it. What the code's bytes mean authd decides; here only its length matters,
 * and a wrong guess costs a refused login, never an accepted one. */
#include <string.h>

#include "pam_sekimori.h"

#define RECOVERY_ALPHABET "ACEFHJKLMQRTUWXY" /* as authd issues them */
#define RECOVERY_LETTERS 20

enum sign { SIGN_NONE, SIGN_DIGIT, SIGN_LETTER, SIGN_SEPARATOR };

/* One character, and where it begins. */
struct character {
	enum sign sign;
	int ascii; /* digit, or letter in upper case */
	size_t start;
};

static bool is_wide_separator(const unsigned char *text)
{
	static const unsigned char separators[][3] = {
		{0xe3, 0x80, 0x80},					    /* U+3000 blank */
		{0xe3, 0x83, 0xbc}, {0xef, 0xbd, 0xb0},			    /* long vowel marks */
		{0xe2, 0x80, 0x90}, {0xe2, 0x80, 0x91}, {0xe2, 0x80, 0x92}, /* hyphens and dashes */
		{0xe2, 0x80, 0x93}, {0xe2, 0x80, 0x94}, {0xe2, 0x80, 0x95}, {0xe2, 0x88, 0x92},
		{0xef, 0xbc, 0x8d}, /* full-width hyphen */
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(separators); i++)
		if (memcmp(text, separators[i], 3) == 0)
			return true;
	return false;
}

static int upper(int letter)
{
	return letter >= 'a' && letter <= 'z' ? letter - 'a' + 'A' : letter;
}

/* U+FF01 to U+FF5E are ASCII, wide: U+FF01 to U+FF3F are EF BC 81…BF, U+FF40 to U+FF5E are EF BD 80…9E. */
static int narrow(const unsigned char *text)
{
	if (text[0] != 0xef || (text[1] != 0xbc && text[1] != 0xbd))
		return 0;
	unsigned offset = (unsigned)(text[1] - 0xbc) * 0x40u + (text[2] & 0x3fu);
	return offset >= 1 && offset <= 0x5e ? (int)(0x20 + offset) : 0;
}

/* The character that ends before `end`. */
static struct character last_before(const char *field, size_t end)
{
	struct character character = {.sign = SIGN_NONE, .start = end};
	if (end == 0)
		return character;
	const unsigned char *wide = end >= 3 ? (const unsigned char *)field + end - 3 : NULL;
	character.start = end - 1;
	int ascii = (unsigned char)field[end - 1];
	if (wide && (is_wide_separator(wide) || narrow(wide) != 0)) {
		character.start = end - 3;
		ascii = is_wide_separator(wide) ? '-' : narrow(wide);
	}
	character.ascii = upper(ascii);
	if (ascii == ' ' || ascii == '-')
		character.sign = SIGN_SEPARATOR;
	else if (ascii >= '0' && ascii <= '9')
		character.sign = SIGN_DIGIT;
	else if (ascii && strchr(RECOVERY_ALPHABET, character.ascii))
		character.sign = SIGN_LETTER;
	return character;
}

/* The character before `end`, or the one before a single separator there. */
static struct character last_sign_before(const char *field, size_t end)
{
	struct character character = last_before(field, end);
	return character.sign == SIGN_SEPARATOR ? last_before(field, character.start) : character;
}

/* `count` signs of a kind that end the field; *ret_start is where the first begins. */
static bool run_start(const char *field, size_t end, enum sign sign, unsigned count, size_t *ret_start)
{
	for (unsigned i = 0; i < count; i++) {
		/* a separator stands between two signs, not behind the last */
		struct character character = i == 0 ? last_before(field, end) : last_sign_before(field, end);
		if (character.sign != sign)
			return false;
		end = character.start;
	}
	*ret_start = end;
	return true;
}

static bool recovery_start(const char *field, size_t end, size_t *ret_start)
{
	size_t start = 0;
	if (!run_start(field, end, SIGN_LETTER, RECOVERY_LETTERS, &start))
		return false;
	struct character number = last_sign_before(field, start);
	if (number.sign != SIGN_DIGIT)
		return false;
	struct character tens = last_before(field, number.start);
	/* "10", or "00" of a substitute code. */
	bool has_two =
		number.ascii == '0' && tens.sign == SIGN_DIGIT && (tens.ascii == '1' || tens.ascii == '0');
	*ret_start = has_two ? tens.start : number.start;
	return true;
}

bool skm_pam_split(const char *field, unsigned digits, size_t *ret_password_len)
{
	size_t end = strlen(field);
	size_t start = 0;
	bool is_found = (digits == 8 && run_start(field, end, SIGN_DIGIT, 8, &start)) ||
			run_start(field, end, SIGN_DIGIT, 6, &start) || recovery_start(field, end, &start);
	if (!is_found || start == 0)
		return false;
	*ret_password_len = start;
	return true;
}
