// SPDX-License-Identifier: Apache-2.0
/* Bytes in hex digits, and back. */
#include <criterion/criterion.h>
#include <string.h>

#include "sekimori/chain.h"

Test(hex, every_byte_and_back)
{
	uint8_t bytes[256], parsed[256] = {0};
	char text[513];
	for (unsigned i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	skm_hex_format(bytes, sizeof(bytes), text);
	cr_expect_eq(strlen(text), 512);
	cr_expect_eq(strncmp(text, "000102030405060708090a0b0c0d0e0f10", 34), 0);
	cr_assert_eq(skm_hex_parse(text, sizeof(parsed), parsed), 0);
	cr_expect_arr_eq(parsed, bytes, sizeof(bytes));
}

Test(hex, nothing_is_nothing)
{
	char text[1] = {'x'};
	skm_hex_format(NULL, 0, text);
	cr_expect_str_empty(text);
	cr_expect_eq(skm_hex_parse("", 0, NULL), 0);
}

Test(hex, one_spelling)
{
	static const char *const others[] = {
		"0A", "a", "", "0x", " a", "+1", "-1", "g0", "0g", "/0", "0:", "`0", "0@"};
	uint8_t byte = 7;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(others); i++)
		cr_expect_eq(skm_hex_parse(others[i], 1, &byte), -EINVAL, "\"%s\"", others[i]);
	cr_expect_eq(byte, 7, "an output was touched");
	cr_expect_eq(skm_hex_parse("0fff", 1, &byte), 0);
	cr_expect_eq(byte, 15);
}
