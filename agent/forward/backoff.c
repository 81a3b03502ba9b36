// SPDX-License-Identifier: Apache-2.0
/* Exponential, capped, jittered. It counts failures only; success is an acknowledged record and not a
 * connection, since a collector whose disk is full still accepts connections. */
#include "backoff.h"

uint64_t skm_backoff_start_ms(uint32_t jitter_ms, uint64_t random)
{
	return random % ((uint64_t)jitter_ms + 1);
}

uint64_t skm_backoff_next_ms(struct skm_backoff *backoff, uint64_t random)
{
	uint64_t wait_ms = backoff->first_ms;
	for (uint32_t i = 0; i < backoff->failures && wait_ms < backoff->max_ms; i++)
		wait_ms *= 2;
	if (wait_ms > backoff->max_ms)
		wait_ms = backoff->max_ms;
	if (backoff->failures < UINT32_MAX)
		backoff->failures++;
	return wait_ms - random % (wait_ms / 2 + 1);
}

void skm_backoff_reset(struct skm_backoff *backoff)
{
	backoff->failures = 0;
}
