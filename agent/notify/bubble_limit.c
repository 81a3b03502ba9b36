// SPDX-License-Identifier: Apache-2.0
/* By arrival times alone, so that nothing has to wake up when a burst ends. A rate (so many a minute) was
 * rejected: a bad cable that reconnects every five seconds would fill the screen all day. */
#include "bubble_limit.h"

void skm_bubble_limit_count(struct skm_bubble_limit *limit, uint64_t receipt)
{
	if (limit->more++ == 0)
		limit->first_receipt = limit->last_receipt = receipt;
	if (receipt < limit->first_receipt)
		limit->first_receipt = receipt;
	if (receipt > limit->last_receipt)
		limit->last_receipt = receipt;
}

bool skm_bubble_limit_take(struct skm_bubble_limit *limit, uint64_t now_ms, uint64_t receipt)
{
	if (!limit->has_begun || now_ms - limit->last_ms >= SKM_BUBBLE_QUIET_MS)
		*limit = (struct skm_bubble_limit){.has_begun = true};
	limit->last_ms = now_ms;
	if (limit->shown < SKM_BUBBLES_MAX) {
		limit->shown++;
		return true;
	}
	skm_bubble_limit_count(limit, receipt);
	return false;
}
