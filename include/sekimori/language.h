// SPDX-License-Identifier: Apache-2.0
/* Which language a person reads: Japanese or English. */
#ifndef SEKIMORI_LANGUAGE_H
#define SEKIMORI_LANGUAGE_H

#include "sekimori/config.h"

/* SEKIMORI_LANG, then LC_ALL, LC_MESSAGES, LANG: the first that is set and not empty; "ja…" is Japanese, all
 * else English. */
enum skm_language skm_language_from_environment(void);
SKM_NODISCARD int skm_language_from_string(
	const char *word, enum skm_language *ret_language); /* "ja", "en"; 0 or -EINVAL */
const char *skm_language_to_string(enum skm_language language);

/* Both texts stand side by side where they are used, so that neither is forgotten. Where they are formats,
 * the compiler checks the arguments against both. */
__attribute__((format_arg(2), format_arg(3))) static inline const char *skm_text(
	enum skm_language language, const char *japanese, const char *english)
{
	return language == SKM_LANGUAGE_JA ? japanese : english;
}

#endif
