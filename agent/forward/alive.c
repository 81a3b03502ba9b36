// SPDX-License-Identifier: Apache-2.0
/* An agent that lives writes a checkpoint each period, so while it lives the timer finds that a record was
 * sent and nothing more happens: no message, no work for the collector. Sending in every period was rejected:
 * ten thousand terminals would say seventeen times a second what their records say better. */
#include "alive.h"

#include <time.h>

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

int skm_alive_begin(struct skm_loop *loop, struct skm_alive *alive)
{
	*alive = (struct skm_alive){.is_owed = false};
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

void skm_alive_record(struct skm_alive *alive)
{
	alive->was_read = true;
	alive->is_owed = false;
}
