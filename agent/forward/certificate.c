// SPDX-License-Identifier: Apache-2.0
/* A certificate is known by the second in which it ends: a renewed one ends later, and is warned about anew.
 * What was said is kept over restarts, or every morning's start would say it again for ninety days. Only the
 * last thing that was said counts: what was said while a clock stood in the wrong year must not silence the
 * true warning. */
#include "certificate.h"

#define SECONDS_PER_DAY INT64_C(86400)

bool skm_certificate_warning(
	const struct skm_forward_state *state, int64_t not_after_sec, int64_t now_sec, uint32_t *ret_days)
{
	static const uint32_t steps[] = {0, 7, 30, 90};
	int64_t left_sec = not_after_sec - now_sec;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(steps); i++) {
		if (left_sec > (int64_t)steps[i] * SECONDS_PER_DAY)
			continue;
		if (state->warned_not_after_sec == not_after_sec && state->warned_days == steps[i])
			return false;
		*ret_days = steps[i];
		return true;
	}
	return false;
}
