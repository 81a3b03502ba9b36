// SPDX-License-Identifier: Apache-2.0
/* The wait between failures. A plain "locked until" time was rejected: it is at the mercy of whoever sets the
 * clock, in both directions. Here the failure is stored by three clocks and the length of the wait follows
 * from the configuration in force, so that a mended configuration also frees those who wait. */
#include "throttle.h"

#include <string.h>

/* The wait that the failures so far have earned. */
static uint64_t delay_usec(const struct skm_throttle *throttle, const struct skm_throttle_limits *limits)
{
	if (throttle->failures < limits->free_tries)
		return 0;
	uint64_t delay_sec = limits->delay_sec;
	uint32_t doublings = throttle->failures - limits->free_tries;
	for (uint32_t i = 0; i < doublings && delay_sec > 0 && delay_sec < limits->delay_max_sec; i++)
		delay_sec *= 2; /* below 2^33: it was below delay_max_sec */
	return (delay_sec < limits->delay_max_sec ? delay_sec : limits->delay_max_sec) * SKM_USEC_PER_SEC;
}

/* By the wall clock; 0 when that stands before the failure, or the stored time makes no sense. */
static uint64_t realtime_since_usec(const struct skm_throttle *throttle, const struct skm_timestamp *now)
{
	int64_t failed_usec = 0, since_usec = 0;
	if (__builtin_mul_overflow(throttle->realtime_sec, (int64_t)SKM_USEC_PER_SEC, &failed_usec) ||
		__builtin_sub_overflow(now->realtime_usec, failed_usec, &since_usec) || since_usec < 0)
		return 0;
	return (uint64_t)since_usec;
}

/* How long ago the last failure was: at least. */
static uint64_t elapsed_usec(
	const struct skm_throttle *throttle, const struct skm_timestamp *now, const uint8_t boot_id[16])
{
	if (memcmp(throttle->boot_id, boot_id, sizeof(throttle->boot_id)) != 0) {
		/* It was before this boot, so as long ago as the machine runs, whatever the clock says. */
		uint64_t realtime = realtime_since_usec(throttle, now);
		return realtime > now->boottime_usec ? realtime : now->boottime_usec;
	}
	if (now->boottime_usec >= throttle->boottime_usec)
		return now->boottime_usec - throttle->boottime_usec;
	/* This clock never goes back: the stored value is damaged. It must not lock anybody out for ever. */
	return now->boottime_usec;
}

uint32_t skm_throttle_wait_sec(const struct skm_throttle *throttle, const struct skm_throttle_limits *limits,
	const struct skm_timestamp *now, const uint8_t boot_id[16])
{
	uint64_t delay = delay_usec(throttle, limits);
	uint64_t elapsed = elapsed_usec(throttle, now, boot_id);
	if (elapsed >= delay)
		return 0;
	return (uint32_t)((delay - elapsed + SKM_USEC_PER_SEC - 1) / SKM_USEC_PER_SEC);
}

void skm_throttle_reserve(
	struct skm_throttle *throttle, const struct skm_timestamp *now, const uint8_t boot_id[16])
{
	if (throttle->failures < UINT32_MAX)
		throttle->failures++;
	memcpy(throttle->boot_id, boot_id, sizeof(throttle->boot_id));
	throttle->boottime_usec = now->boottime_usec;
	throttle->realtime_sec = now->realtime_usec / (int64_t)SKM_USEC_PER_SEC;
}

void skm_throttle_clear(struct skm_throttle *throttle)
{
	*throttle = (struct skm_throttle){0};
}
