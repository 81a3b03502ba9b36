// SPDX-License-Identifier: Apache-2.0
#include "bubble_limit.h"

#include <criterion/criterion.h>

Test(bubble_limit, three_bubbles_then_a_count)
{
	struct skm_bubble_limit limit = {0};
	for (uint64_t i = 0; i < SKM_BUBBLES_MAX; i++)
		cr_expect(skm_bubble_limit_take(&limit, i, 10 + i));
	for (uint64_t i = 0; i < 100; i++)
		cr_expect_not(skm_bubble_limit_take(&limit, 5, 20 + i));
	cr_expect_eq(limit.more, 100);
	cr_expect_eq(limit.first_receipt, 20);
	cr_expect_eq(limit.last_receipt, 119);
}

Test(bubble_limit, a_burst_goes_on_until_it_is_quiet)
{
	struct skm_bubble_limit limit = {0};
	uint64_t now_ms = UINT64_C(5000000);
	for (unsigned i = 0; i < SKM_BUBBLES_MAX; i++)
		cr_expect(skm_bubble_limit_take(&limit, now_ms += SKM_BUBBLE_QUIET_MS - 1, i + 1));
	cr_expect_not(skm_bubble_limit_take(&limit, now_ms += SKM_BUBBLE_QUIET_MS - 1, 9), "a loose cable");
	cr_expect(skm_bubble_limit_take(&limit, now_ms += SKM_BUBBLE_QUIET_MS, 10));
	cr_expect_eq(limit.more, 0, "those were told");
	cr_expect_eq(limit.shown, 1);
}

Test(bubble_limit, the_first_one_ever_comes_at_any_time)
{
	struct skm_bubble_limit limit = {0};
	cr_expect(skm_bubble_limit_take(&limit, 0, 1));
}

Test(bubble_limit, numbers_in_any_order)
{
	struct skm_bubble_limit limit = {0};
	skm_bubble_limit_count(&limit, 5);
	skm_bubble_limit_count(&limit, 3);
	skm_bubble_limit_count(&limit, 8);
	cr_expect(limit.more == 3 && limit.first_receipt == 3 && limit.last_receipt == 8);
}
