// SPDX-License-Identifier: Apache-2.0
/* Bytes as people and records write them. Not sscanf or strtoul: they take capitals, signs and blanks. */
#include <string.h>

#include "sekimori/chain.h"

#define SIXTEEN(high)                                                                                  \
	high "0" high "1" high "2" high "3" high "4" high "5" high "6" high "7" high "8" high "9" high \
	     "a" high "b" high "c" high "d" high "e" high "f"

/* Both digits of a byte at once: a record has 96 of them. */
static const char pairs[] = SIXTEEN("0") SIXTEEN("1") SIXTEEN("2") SIXTEEN("3") SIXTEEN("4") SIXTEEN("5")
	SIXTEEN("6") SIXTEEN("7") SIXTEEN("8") SIXTEEN("9") SIXTEEN("a") SIXTEEN("b") SIXTEEN("c")
		SIXTEEN("d") SIXTEEN("e") SIXTEEN("f");
_Static_assert(sizeof(pairs) == 2 * 256 + 1, "one pair a byte");

void skm_hex_format(const uint8_t *bytes, size_t len, char *ret_text)
{
	for (size_t i = 0; i < len; i++)
		memcpy(ret_text + 2 * i, pairs + (size_t)2 * bytes[i], 2);
	ret_text[2 * len] = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int skm_hex_parse(const char *text, size_t len, uint8_t *ret_bytes)
{
	for (size_t i = 0; i < 2 * len; i++)
		if (digit(text[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; i < len; i++)
		ret_bytes[i] =
			(uint8_t)((unsigned)digit(text[2 * i]) << 4 | (unsigned)digit(text[2 * i + 1]));
	return 0;
}
