// SPDX-License-Identifier: Apache-2.0
/* Time, as a vtable so that tests own it. */
#ifndef SEKIMORI_CLOCK_H
#define SEKIMORI_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define SKM_USEC_PER_SEC UINT64_C(1000000)
#define SKM_BOOT_ID_BYTES 33 /* 32 hex digits of /proc/sys/kernel/random/boot_id without dashes, + NUL */

struct skm_timestamp {
	int64_t realtime_usec;	 /* CLOCK_REALTIME since the epoch */
	uint64_t boottime_usec;	 /* CLOCK_BOOTTIME: goes on in suspend, never back */
	uint64_t monotonic_usec; /* CLOCK_MONOTONIC: stops in suspend */
	bool is_synchronised;	 /* adjtimex(2): STA_UNSYNC is not set */
	int64_t offset_usec;	 /* adjtimex offset; 0 when not synchronised */
	int32_t utc_offset_sec;	 /* of the local time zone at this time */
};

struct skm_clock {
	void (*now)(void *user, struct skm_timestamp *ret_now);
	void *user;
};

/* The machine's clocks. */
struct skm_clock skm_clock_system(void);
/* 0, or -errno when the kernel does not tell. */
int skm_boot_id_read(char ret_boot_id[SKM_BOOT_ID_BYTES]);
/* RFC 3339 with milliseconds and offset, "2026-11-21T09:00:00.123+09:00": 29 characters + NUL fit in 40
 * bytes. */
#define SKM_RFC3339_BYTES 40
void skm_timestamp_format(const struct skm_timestamp *timestamp, char ret_text[SKM_RFC3339_BYTES]);

#endif
