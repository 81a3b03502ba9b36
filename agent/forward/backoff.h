// SPDX-License-Identifier: Apache-2.0
/* When to try again. Pure: the caller brings the random number. */
#ifndef SKM_FORWARD_BACKOFF_H
#define SKM_FORWARD_BACKOFF_H

#include <stdint.h>

struct skm_backoff {
	uint32_t first_ms, max_ms; /* 1 ≤ first_ms ≤ max_ms */
	uint32_t failures;	   /* one after the other */
};

/* Somewhere from 0 to jitter_ms. */
uint64_t skm_backoff_start_ms(uint32_t jitter_ms, uint64_t random);
/* The wait after another failure: first, twice that, … at most max; of it a random part of at most one half
 * is left out, so that terminals that lost one collector do not come back to it as one. Counts the failure.
 */
uint64_t skm_backoff_next_ms(struct skm_backoff *backoff, uint64_t random);
/* The collector has stored something: the next failure is the first one again. */
void skm_backoff_reset(struct skm_backoff *backoff);

#endif
