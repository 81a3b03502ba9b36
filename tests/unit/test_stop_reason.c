// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>

#include "sekimori/decision.h"
#include "sekimori/stop_reason.h"

Test(stop_reason, each_has_a_word_and_the_word_leads_back)
{
	for (unsigned i = 0; i < SKM_STOP_COUNT_; i++) {
		const char *word = skm_stop_reason_to_string((enum skm_stop_reason)i);
		enum skm_stop_reason back = SKM_STOP_COUNT_;
		cr_assert_lt(strlen(word), (size_t)SKM_RULE_ID_BYTES);
		cr_assert_eq(skm_stop_reason_from_string(word, &back), 0);
		cr_assert_eq(back, i);
	}
}

Test(stop_reason, what_is_none_is_suspicious)
{
	enum skm_stop_reason reason = SKM_STOP_ERROR;
	cr_assert_eq(skm_stop_reason_from_string("builtin:agent", &reason), -EINVAL);
	cr_assert_eq(skm_stop_reason_from_string("", &reason), -EINVAL);
	cr_assert_eq(reason, SKM_STOP_ERROR, "untouched");
	cr_assert_str_eq(
		skm_stop_reason_to_string(SKM_STOP_COUNT_), skm_stop_reason_to_string(SKM_STOP_UNKNOWN));
}
