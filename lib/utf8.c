// SPDX-License-Identifier: Apache-2.0
/* UTF-8 as RFC 3629 defines it, so without the overlong forms by which a character slips past a comparison
 * and without surrogates. mbrtowc(3) was rejected: it depends on the locale, and a daemon at boot has none.
 */
#include <stdint.h>

#include "sekimori/io.h"

/* RFC 3629 §4: what the second byte may be depends on the first; all later ones are 80..BF. */
static const struct {
	uint8_t first, last;		   /* of the lead byte */
	uint8_t second_first, second_last; /* of the byte after it */
	uint8_t length;
} leads[] = {
	{0x00, 0x7f, 0, 0, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, /* below: overlong */
	{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, /* above: surrogates */
	{0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, /* below: overlong */
	{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}, /* above: beyond U+10FFFF */
};

size_t skm_utf8_sequence(const unsigned char *text, size_t len)
{
	if (len == 0)
		return 0;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(leads); i++) {
		if (text[0] < leads[i].first || text[0] > leads[i].last)
			continue;
		if (leads[i].length > len)
			return 0;
		if (leads[i].length == 1)
			return 1;
		if (text[1] < leads[i].second_first || text[1] > leads[i].second_last)
			return 0;
		for (size_t k = 2; k < leads[i].length; k++)
			if ((text[k] & 0xc0) != 0x80)
				return 0;
		return leads[i].length;
	}
	return 0;
}

bool skm_utf8_is_valid(const char *text, size_t len)
{
	const unsigned char *bytes = (const unsigned char *)text;
	for (size_t i = 0; i < len;) {
		size_t step = skm_utf8_sequence(bytes + i, len - i);
		if (step == 0)
			return false;
		i += step;
	}
	return true;
}
