// SPDX-License-Identifier: Apache-2.0
/* Time, as a vtable so that tests own it. */
#ifndef SEKIMORI_CLOCK_H
#define SEKIMORI_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "sekimori/result.h"

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

/* Where the clocks stood against each other when they were last compared. */
struct skm_clock_marks {
	int64_t wall_usec;  /* CLOCK_REALTIME minus CLOCK_BOOTTIME: moves when the wall clock is set */
	int64_t sleep_usec; /* CLOCK_BOOTTIME minus CLOCK_MONOTONIC: grows by each suspend. Signed: while
			       nothing was ever suspended, it is the moment between the two readings, either
			       way. */
};
void skm_clock_mark(struct skm_clock_marks *ret_marks, const struct skm_timestamp *now);
/* By how much the wall clock was set since the mark (forward is positive), or how long the machine was
 * suspended; 0 when that is not more than least_usec, which must not be less than the moment between two
 * readings on a busy machine. What is told moves the mark; what is not told stays in it, so that many small
 * steps are one great one. Pure. */
int64_t skm_clock_moved_usec(
	struct skm_clock_marks *marks, const struct skm_timestamp *now, int64_t least_usec);
int64_t skm_clock_slept_usec(
	struct skm_clock_marks *marks, const struct skm_timestamp *now, int64_t least_usec);

/* A descriptor that becomes readable when the wall clock is set, also by a resume: nobody has to poll
 * (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET). Non-blocking, the caller's to close. 0 or -errno. */
SKM_NODISCARD int skm_clock_watch_open(int *ret_fd);
/* To be called when it is readable and before the clocks are read, so that no change is lost in between. 0 or
 * -errno: then it tells nothing any more. */
SKM_NODISCARD int skm_clock_watch_renew(int fd);

/* 0, or -errno when the kernel does not tell. */
int skm_boot_id_read(char ret_boot_id[SKM_BOOT_ID_BYTES]);
/* RFC 3339 with milliseconds and offset, "2026-11-21T09:00:00.123+09:00": 29 characters + NUL fit in 40
 * bytes. */
#define SKM_RFC3339_BYTES 40
void skm_timestamp_format(const struct skm_timestamp *timestamp, char ret_text[SKM_RFC3339_BYTES]);

#endif
