// SPDX-License-Identifier: Apache-2.0
/* What happens to the machine's clocks. A timer that the kernel cancels when the wall clock is set was chosen
 * over a comparison at an interval: a clock that was set back and forth between two looks would pass unseen,
 * and an idle daemon would have to wake up for it. */
#include <fcntl.h>
#include <limits.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "sekimori/clock.h"
#include "sekimori/io.h"

static int64_t wall_usec(const struct skm_timestamp *now)
{
	return now->realtime_usec - (int64_t)now->boottime_usec;
}

static int64_t sleep_usec(const struct skm_timestamp *now)
{
	return (int64_t)now->boottime_usec - (int64_t)now->monotonic_usec;
}

void skm_clock_mark(struct skm_clock_marks *ret_marks, const struct skm_timestamp *now)
{
	*ret_marks = (struct skm_clock_marks){.wall_usec = wall_usec(now), .sleep_usec = sleep_usec(now)};
}

static int64_t compare(int64_t *mark, int64_t now, int64_t least_usec)
{
	int64_t moved = now - *mark;
	if (moved <= least_usec && moved >= -least_usec)
		return 0;
	*mark = now;
	return moved;
}

int64_t skm_clock_moved_usec(
	struct skm_clock_marks *marks, const struct skm_timestamp *now, int64_t least_usec)
{
	return compare(&marks->wall_usec, wall_usec(now), least_usec);
}

int64_t skm_clock_slept_usec(
	struct skm_clock_marks *marks, const struct skm_timestamp *now, int64_t least_usec)
{
	int64_t slept = compare(&marks->sleep_usec, sleep_usec(now), least_usec);
	return slept > 0 ? slept : 0; /* less than before is a pause between two readings, nobody's sleep */
}

static int arm(int fd)
{
	/* As far as the kernel counts: a date that comes would ring for ever from then on. */
	const struct itimerspec never = {.it_value = {.tv_sec = LONG_MAX}};
	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0 ? -errno
												  : 0;
}

int skm_clock_watch_open(int *ret_fd)
{
	SKM_CLEANUP(skm_fd_close) int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	int r = arm(fd);
	if (r < 0)
		return r;
	*ret_fd = skm_fd_take(&fd);
	return 0;
}

int skm_clock_watch_renew(int fd)
{
	uint64_t expirations;
	(void)!read(fd, &expirations, sizeof(expirations)); /* ECANCELED: the clock was set */
	return arm(fd);
}
