// SPDX-License-Identifier: Apache-2.0
/* An agent that lives writes a checkpoint each period, so while it lives the timer finds that a record was
 * sent and nothing more happens: no message, no work for the collector. Sending in every period was rejected:
 * ten thousand terminals would say seventeen times a second what their records say better.
 *
 * What is sent may be old: a machine that was switched off before its last records were delivered sends them
 * when it is on again, be its agent there or not. So only a record of this boot counts, told by the boot id
 * that each record carries. Asking whether somebody listens at the agent's socket was rejected: at a shutdown
 * the agent is gone a moment before this program, and would be called silent for it. */
#include "alive.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sekimori/clock.h"

/* An agent that starts at all has written its first record long before the forwarder starts. So a machine
 * that was booted without it is told of at once, and not only if it stays on for a whole period. */
#define FIRST_MS UINT64_C(60000)
#define MSEC_PER_SEC UINT64_C(1000)

static int on_timer(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct skm_alive *alive = user;
	alive->is_owed = !alive->was_read;
	alive->was_read = false;
	return 0;
}

int skm_alive_begin(struct skm_loop *loop, const char *boot_id, struct skm_alive *alive)
{
	*alive = (struct skm_alive){.boot_id = boot_id ? boot_id : ""};
	/* Boot time: after a sleep it is due at once, as the agent's checkpoint is. */
	return skm_loop_add_timer(loop, CLOCK_BOOTTIME, on_timer, alive, &alive->timer);
}

void skm_alive_end(struct skm_alive *alive)
{
	alive->timer = skm_source_remove(alive->timer);
}

void skm_alive_arm(
	struct skm_alive *alive, const struct skm_config *config, uint64_t first_ms, uint64_t period_ms)
{
	bool is_on = config->forward.host[0] != '\0';
	if (first_ms == 0)
		first_ms = FIRST_MS;
	if (period_ms == 0)
		period_ms = config->audit.checkpoint_sec * MSEC_PER_SEC;
	alive->was_read = alive->is_owed = false;
	skm_timer_arm(alive->timer, is_on ? first_ms : 0, is_on ? period_ms : 0);
}

/* As the record's format writes it; in a text of somebody's the quotation marks would have a backslash. */
static bool is_of_boot(const char *boot_id, const char *line, size_t len)
{
	char member[SKM_BOOT_ID_BYTES + 8];
	int n = snprintf(member, sizeof(member), ",\"b\":\"%s\",", boot_id);
	return n > 0 && memmem(line, len, member, (size_t)n) != NULL;
}

void skm_alive_record(struct skm_alive *alive, const char *line, size_t len)
{
	if (alive->boot_id[0] && !is_of_boot(alive->boot_id, line, len))
		return;
	alive->was_read = true;
	alive->is_owed = false;
}
