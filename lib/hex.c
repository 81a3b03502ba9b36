// SPDX-License-Identifier: Apache-2.0
/* Bytes as people and records write them. Not sscanf or strtoul: they take capitals, signs and blanks. */
#include "sekimori/chain.h"

void skm_hex_format(const uint8_t *bytes, size_t len, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < len; i++) {
		ret_text[2 * i] = digits[bytes[i] >> 4];
		ret_text[2 * i + 1] = digits[bytes[i] & 0xf];
	}
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
