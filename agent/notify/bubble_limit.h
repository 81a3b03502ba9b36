// SPDX-License-Identifier: Apache-2.0
/* How many bubbles a burst of refusals makes: SKM_BUBBLES_MAX, and one that counts the rest. A burst is over
 * when nothing was refused for SKM_BUBBLE_QUIET_MS. Pure. */
#ifndef SEKIMORI_BUBBLE_LIMIT_H
#define SEKIMORI_BUBBLE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define SKM_BUBBLES_MAX 3
#define SKM_BUBBLE_QUIET_MS 10000u

/* Zero-initialised: nothing was ever refused. */
struct skm_bubble_limit {
	bool has_begun;
	uint64_t last_ms; /* of any clock that does not go back */
	unsigned shown;
	/* Those without a bubble of their own. */
	uint64_t more, first_receipt, last_receipt;
};

/* True: it gets a bubble of its own. False: it is counted in `more`. */
bool skm_bubble_limit_take(struct skm_bubble_limit *limit, uint64_t now_ms, uint64_t receipt);
/* Counts one that had no bubble for another reason. */
void skm_bubble_limit_count(struct skm_bubble_limit *limit, uint64_t receipt);

#endif
