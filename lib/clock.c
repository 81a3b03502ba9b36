// SPDX-License-Identifier: Apache-2.0
/* The machine's clocks, and time as people read it. A record carries the wall clock for people, the boot
 * clock for order between two suspends, and whether the wall clock could be believed at all. */
#include <fcntl.h>
#include <sys/timex.h>
#include <time.h>

#include "sekimori/clock.h"
#include "sekimori/io.h"

#define NSEC_PER_USEC 1000
#define SEC_PER_DAY 86400
/* RFC 3339 has four digits for the year: 0000-01-01T00:00:00Z to 9999-12-31T23:59:59Z. */
#define FIRST_SEC INT64_C(-62167219200)
#define LAST_SEC INT64_C(253402300799)

static uint64_t read_usec(clockid_t id)
{
	struct timespec now = {0};
	/* Cannot fail for the clocks named below and an address of our own. */
	(void)clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * SKM_USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

static void system_now(void *user, struct skm_timestamp *ret_now)
{
	(void)user;
	struct skm_timestamp now = {
		.realtime_usec = (int64_t)read_usec(CLOCK_REALTIME),
		.boottime_usec = read_usec(CLOCK_BOOTTIME),
		.monotonic_usec = read_usec(CLOCK_MONOTONIC),
	};
	/* A sandbox may forbid adjtimex(2) even for reading: a clock that nobody vouches for is not
	 * synchronised. */
	struct timex timex = {.modes = 0};
	if (adjtimex(&timex) >= 0 && !(timex.status & STA_UNSYNC)) {
		now.is_synchronised = true;
		now.offset_usec = timex.status & STA_NANO ? timex.offset / NSEC_PER_USEC : timex.offset;
	}
	time_t seconds = (time_t)(now.realtime_usec / (int64_t)SKM_USEC_PER_SEC);
	struct tm local;
	if (localtime_r(&seconds, &local))
		now.utc_offset_sec = (int32_t)local.tm_gmtoff;
	*ret_now = now;
}

struct skm_clock skm_clock_system(void)
{
	return (struct skm_clock){.now = system_now};
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

int skm_boot_id_read(char ret_boot_id[SKM_BOOT_ID_BYTES])
{
	char text[64];
	size_t len;
	int r = skm_file_read_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", text, sizeof(text), &len);
	if (r < 0)
		return r;
	char boot_id[SKM_BOOT_ID_BYTES] = "";
	size_t digits = 0;
	for (size_t i = 0; i < len && text[i] != '\n'; i++) {
		if (text[i] == '-')
			continue;
		if (!is_hex(text[i]) || digits == sizeof(boot_id) - 1)
			return -EBADMSG;
		boot_id[digits++] = text[i];
	}
	if (digits != sizeof(boot_id) - 1)
		return -EBADMSG;
	for (size_t i = 0; i < sizeof(boot_id); i++)
		ret_boot_id[i] = boot_id[i];
	return 0;
}

/* Division that rounds down: a clock before 1970 must not give negative milliseconds. */
static int64_t divide_down(int64_t value, int64_t by)
{
	return value / by - (value % by < 0);
}

/* So many digits, and what stands behind them. Returns where the text goes on. Not printf, which would cost
 * as much as a record's hash. */
static char *put_digits(char *at, unsigned value, size_t width, char behind)
{
	for (size_t i = width; i-- > 0; value /= 10)
		at[i] = (char)('0' + value % 10);
	at[width] = behind;
	return at + width + 1;
}

void skm_timestamp_format(const struct skm_timestamp *timestamp, char ret_text[SKM_RFC3339_BYTES])
{
	int64_t ms = divide_down(timestamp->realtime_usec, 1000);
	int64_t sec = divide_down(ms, 1000);
	int millisecond = (int)(ms - sec * 1000);
	/* RFC 3339 knows whole minutes, less than a day. */
	int offset_min = timestamp->utc_offset_sec / 60;
	if (offset_min <= -SEC_PER_DAY / 60 || offset_min >= SEC_PER_DAY / 60)
		offset_min = 0;

	int64_t local_sec = sec + (int64_t)offset_min * 60;
	if (local_sec < FIRST_SEC || local_sec > LAST_SEC) {
		local_sec = local_sec < FIRST_SEC ? FIRST_SEC : LAST_SEC;
		millisecond = 0;
	}
	time_t seconds = (time_t)local_sec;
	struct tm tm = {0};
	/* Cannot fail within the years above. */
	(void)gmtime_r(&seconds, &tm);
	unsigned distance_min = (unsigned)(offset_min < 0 ? -offset_min : offset_min);
	char *at = put_digits(ret_text, (unsigned)tm.tm_year + 1900, 4, '-');
	at = put_digits(at, (unsigned)tm.tm_mon + 1, 2, '-');
	at = put_digits(at, (unsigned)tm.tm_mday, 2, 'T');
	at = put_digits(at, (unsigned)tm.tm_hour, 2, ':');
	at = put_digits(at, (unsigned)tm.tm_min, 2, ':');
	at = put_digits(at, (unsigned)tm.tm_sec, 2, '.');
	at = put_digits(at, (unsigned)millisecond, 3, offset_min < 0 ? '-' : '+');
	at = put_digits(at, distance_min / 60, 2, ':');
	(void)put_digits(at, distance_min % 60, 2, '\0');
}
