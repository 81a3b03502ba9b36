// SPDX-License-Identifier: Apache-2.0
/* What the clocks in a chain tell. Numbers order the records, never times; so times are only compared.
 *
 * Within a boot the wall clock is held against CLOCK_BOOTTIME, not against the record before: a record that
 * waited in memory may stand behind a younger one, and then both clocks step back together. Silence is
 * measured by CLOCK_MONOTONIC, which stands still in suspend: a terminal that sleeps over night is not
 * silent. */
#include <string.h>

#include "sekimori/clock.h"
#include "verify_internal.h"

#define JUMP_USEC INT64_C(2000000) /* as in sekimorid's CLOCK_JUMP */
#define SLEW_DIVISOR 1000	   /* adjtime slews by 500 ppm at most; a resume may add the RTC's error */

/* Numbers in a record may be anything: no overflow. */
static int64_t difference(int64_t a, int64_t b)
{
	int64_t result;
	if (__builtin_sub_overflow(a, b, &result))
		return a < b ? INT64_MIN / 2 : INT64_MAX / 2;
	return result;
}

static int64_t to_signed(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

void skm_verify_drops(struct skm_verifier *verifier, struct skm_verify_chain *chain)
{
	const struct skm_verify_line *line = &verifier->line;
	uint64_t lost = line->lost;
	if (line->is_checkpoint && line->has_checkpoint) {
		/* It counts again what LOG_RESUMED told since the last one. */
		if (line->checkpoint.lost > chain->drops_told)
			lost = line->checkpoint.lost - chain->drops_told;
		chain->drops_told = 0;
	} else {
		chain->drops_told += lost;
	}
	if (lost > 0)
		skm_verify_tell(verifier, chain, SKM_CAUSE_DROP_COUNTED, line->sequence, line->sequence,
			verifier->place, to_signed(lost));
}

static void compare_within_boot(
	struct skm_verifier *verifier, struct skm_verify_chain *chain, int64_t realtime_before, bool is_next)
{
	const struct skm_verify_line *line = &verifier->line;
	int64_t passed = difference(to_signed(line->boottime_usec), to_signed(chain->boottime_usec));
	int64_t jump = difference(difference(line->realtime_usec, realtime_before), passed);
	int64_t tolerance = JUMP_USEC + (passed < 0 ? -passed : passed) / SLEW_DIVISOR;
	if (jump > tolerance || jump < -tolerance)
		skm_verify_tell(verifier, chain, SKM_CAUSE_CLOCK_JUMP, line->sequence, line->sequence,
			verifier->place, jump / 1000);

	uint64_t heartbeat = verifier->options.heartbeat_sec;
	/* The service of stream "auth" ends when nobody logs in, and says so. */
	if (!is_next || heartbeat == 0 || chain->is_full ||
		(chain->was_stop && strcmp(chain->result.stream, "auth") == 0) ||
		line->monotonic_nsec <= chain->monotonic_nsec)
		return;
	uint64_t silent_sec = (line->monotonic_nsec - chain->monotonic_nsec) / UINT64_C(1000000000);
	if (silent_sec / 2 >= heartbeat && silent_sec > 2 * heartbeat)
		skm_verify_tell(verifier, chain, SKM_CAUSE_SILENT, line->sequence - 1, line->sequence,
			verifier->place, to_signed(silent_sec));
}

void skm_verify_until(struct skm_verifier *verifier, struct skm_verify_chain *chain)
{
	static const struct skm_verify_place nowhere = {0, 0};
	const struct skm_verifier_options *options = &verifier->options;
	if (!options->has_until || options->heartbeat_sec == 0 || chain->was_stop)
		return;
	int64_t silent_usec = difference(options->until_usec, chain->realtime_usec);
	uint64_t silent_sec = silent_usec > 0 ? (uint64_t)silent_usec / SKM_USEC_PER_SEC : 0;
	if (silent_sec / 2 >= options->heartbeat_sec && silent_sec > 2 * options->heartbeat_sec)
		skm_verify_tell(verifier, chain, SKM_CAUSE_SILENT_SINCE, chain->result.last,
			chain->result.last, nowhere, to_signed(silent_sec));
}

static void compare_boots(
	struct skm_verifier *verifier, struct skm_verify_chain *chain, int64_t realtime_before)
{
	const struct skm_verify_line *line = &verifier->line;
	int64_t jump = difference(line->realtime_usec, realtime_before);
	if (line->boot_number < chain->boot_number)
		skm_verify_tell(verifier, chain, SKM_CAUSE_BOOT_BACK, line->sequence, line->sequence,
			verifier->place, to_signed(chain->boot_number));
	if (jump < -JUMP_USEC)
		skm_verify_tell(verifier, chain, SKM_CAUSE_CLOCK_BACK, line->sequence, line->sequence,
			verifier->place, jump / 1000);
}

/* Is it the checkpoint that a service writes for this reason? */
static bool is_because(const struct skm_verify_line *line, const char *reason)
{
	return line->is_checkpoint && line->has_checkpoint && strcmp(line->checkpoint.reason, reason) == 0;
}

void skm_verify_times(struct skm_verifier *verifier, struct skm_verify_chain *chain, bool is_next)
{
	const struct skm_verify_line *line = &verifier->line;
	if (chain->has_times) {
		bool is_same_boot = chain->has_boot_id && line->has_boot_id &&
				    memcmp(chain->boot_id, line->boot_id, sizeof(chain->boot_id)) == 0;
		/* Only the run that could not write is excused; each begins with this checkpoint. */
		if (!is_same_boot || !is_next || is_because(line, "start"))
			chain->is_full = false;
		if (is_same_boot)
			compare_within_boot(verifier, chain, chain->realtime_usec, is_next);
		else
			compare_boots(verifier, chain, chain->realtime_usec);
	}
	skm_verify_drops(verifier, chain);
	chain->has_times = true;
	chain->realtime_usec = line->realtime_usec;
	chain->boottime_usec = line->boottime_usec;
	chain->monotonic_nsec = line->monotonic_nsec;
	chain->boot_number = line->boot_number;
	chain->has_boot_id = line->has_boot_id;
	if (line->has_boot_id)
		memcpy(chain->boot_id, line->boot_id, sizeof(chain->boot_id));
	chain->is_full = line->is_full || (chain->is_full && !line->is_resumed);
	chain->was_stop = is_because(line, "stop");
}
