// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdlib.h>

#include "sekimori/language.h"

static void set(const char *own, const char *all, const char *messages, const char *lang)
{
	const char *const names[] = {"SEKIMORI_LANG", "LC_ALL", "LC_MESSAGES", "LANG"};
	const char *const values[] = {own, all, messages, lang};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(names); i++) {
		if (values[i])
			(void)setenv(names[i], values[i], 1);
		else
			(void)unsetenv(names[i]);
	}
}

Test(language, the_first_variable_that_says_something_counts)
{
	set(NULL, NULL, NULL, NULL);
	cr_expect_eq(skm_language_from_environment(), SKM_LANGUAGE_EN, "nothing is set");
	set(NULL, NULL, NULL, "ja_JP.UTF-8");
	cr_expect_eq(skm_language_from_environment(), SKM_LANGUAGE_JA);
	set(NULL, NULL, "en_US.UTF-8", "ja_JP.UTF-8");
	cr_expect_eq(skm_language_from_environment(), SKM_LANGUAGE_EN);
	set(NULL, "ja_JP.UTF-8", "en_US.UTF-8", "en_US.UTF-8");
	cr_expect_eq(skm_language_from_environment(), SKM_LANGUAGE_JA);
	set("en", "ja_JP.UTF-8", "ja_JP.UTF-8", "ja_JP.UTF-8");
	cr_expect_eq(skm_language_from_environment(), SKM_LANGUAGE_EN, "ours overrides all");
	set("", "", "", "ja");
	cr_expect_eq(skm_language_from_environment(), SKM_LANGUAGE_JA, "empty is not set");
	set(NULL, "C.UTF-8", NULL, "ja_JP.UTF-8");
	cr_expect_eq(skm_language_from_environment(), SKM_LANGUAGE_EN);
}

Test(language, words_round_trip_and_nothing_else_is_taken)
{
	enum skm_language language = SKM_LANGUAGE_COUNT_;
	for (int i = 0; i < SKM_LANGUAGE_COUNT_; i++) {
		cr_assert_eq(
			skm_language_from_string(skm_language_to_string((enum skm_language)i), &language), 0);
		cr_expect_eq((int)language, i);
	}
	language = SKM_LANGUAGE_JA;
	const char *const wrong[] = {"", "JA", "ja_JP", "english", "fr"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(wrong); i++)
		cr_expect_eq(skm_language_from_string(wrong[i], &language), -EINVAL, "%s", wrong[i]);
	cr_expect_eq(language, SKM_LANGUAGE_JA);
	cr_expect_str_eq(skm_language_to_string(SKM_LANGUAGE_COUNT_), "en");
}

Test(language, both_texts_stand_side_by_side)
{
	cr_expect_str_eq(skm_text(SKM_LANGUAGE_JA, "はい", "yes"), "はい");
	cr_expect_str_eq(skm_text(SKM_LANGUAGE_EN, "はい", "yes"), "yes");
}
