// SPDX-License-Identifier: Apache-2.0
/* One rule for both ends. When each had its own, a number with a typographer's hyphen (U+2010, as
 * spreadsheets like to write it) was sent by the one and refused by the other: its records were acknowledged
 * and then kept aside as something foreign. */
#include "sekimori/terminal_name.h"

#include <stdbool.h>
#include <string.h>

#include "sekimori/io.h"

/* The length of the character at `at` if it may not stand in a name, else 0. */
static size_t unfit_len(const unsigned char *at, bool is_utf8)
{
	if (at[0] <= ' ' || at[0] == 0x7f || at[0] == '"' || at[0] == '\\')
		return 1;
	if (at[0] < 0x80)
		return 0;
	if (!is_utf8)
		return 1;
	if ((at[0] == 0xc2 && at[1] < 0xa0) || (at[0] == 0xd8 && at[1] == 0x9c))
		return 2;
	return at[0] == 0xe2 && (at[1] == 0x80 || at[1] == 0x81) ? 3 : 0;
}

void skm_terminal_name(const char *number, char ret_name[SKM_TERMINAL_BYTES])
{
	size_t len = 0, number_len = strnlen(number, SKM_TERMINAL_BYTES - 1);
	bool is_utf8 = skm_utf8_is_valid(number, number_len);
	for (size_t at = 0; at < number_len;) {
		size_t unfit = unfit_len((const unsigned char *)number + at, is_utf8);
		ret_name[len] = number[at];
		if (unfit > 0)
			ret_name[len] = '_';
		len++;
		at += unfit > 0 ? unfit : 1;
	}
	if (len == 0)
		ret_name[len++] = '-';
	ret_name[len] = '\0';
}
