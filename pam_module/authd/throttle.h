// SPDX-License-Identifier: Apache-2.0
/* How often a person may be wrong. RFC 4226, 7.3; NIST SP 800-63B, 3.2.2. Free tries, then a wait after each
 * failure that doubles up to a limit, released by itself.
 *
 * Within one boot the wait is measured on CLOCK_BOOTTIME, so setting the clock changes nothing. After a
 * restart the wall clock counts, but never against the person for longer than the wait itself since power-on:
 * a clock that stands before the failure means waiting again, from the start of this boot. Pure. */
#ifndef SKM_THROTTLE_H
#define SKM_THROTTLE_H

#include "person.h"

struct skm_throttle_limits {
	uint32_t free_tries;	/* 1 to 100: failures before the first wait */
	uint32_t delay_sec;	/* the first wait */
	uint32_t delay_max_sec; /* the longest */
};

/* Seconds until the next attempt may be made, rounded up; 0 = now. */
uint32_t skm_throttle_wait_sec(const struct skm_throttle *throttle, const struct skm_throttle_limits *limits,
	const struct skm_timestamp *now, const uint8_t boot_id[16]);
/* One attempt begins: counted as a failure, to be stored before anything is compared. */
void skm_throttle_reserve(
	struct skm_throttle *throttle, const struct skm_timestamp *now, const uint8_t boot_id[16]);
/* The attempt was right: all is forgotten. */
void skm_throttle_clear(struct skm_throttle *throttle);

#endif
