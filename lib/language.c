// SPDX-License-Identifier: Apache-2.0
/* Reads the environment itself instead of setlocale(3): a terminal without the Japanese locale generated
 * (Debian's minimal installation) would otherwise answer in English to people who asked for Japanese. */
#include "sekimori/language.h"

#include <string.h>

static const char *const words[SKM_LANGUAGE_COUNT_] = {
	[SKM_LANGUAGE_JA] = "ja",
	[SKM_LANGUAGE_EN] = "en",
};

enum skm_language skm_language_from_environment(void)
{
	/* The order of locale(7); ours first, because LC_ALL changes more than our texts. */
	static const char *const variables[] = {"SEKIMORI_LANG", "LC_ALL", "LC_MESSAGES", "LANG"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(variables); i++) {
		const char *value = getenv(variables[i]);
		if (value && *value)
			return strncmp(value, "ja", 2) == 0 ? SKM_LANGUAGE_JA : SKM_LANGUAGE_EN;
	}
	return SKM_LANGUAGE_EN;
}

int skm_language_from_string(const char *word, enum skm_language *ret_language)
{
	for (size_t i = 0; i < SKM_LANGUAGE_COUNT_; i++) {
		if (strcmp(word, words[i]) == 0) {
			*ret_language = (enum skm_language)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *skm_language_to_string(enum skm_language language)
{
	return (unsigned)language < SKM_LANGUAGE_COUNT_ ? words[language] : "en";
}
