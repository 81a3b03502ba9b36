// SPDX-License-Identifier: Apache-2.0
/* When the collector has to be told that the machine is on although its agent writes nothing. */
#ifndef SKM_FORWARD_ALIVE_H
#define SKM_FORWARD_ALIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sekimori/config.h"
#include "sekimori/loop.h"

struct skm_alive {
	struct skm_source *timer;
	const char *boot_id; /* "": not known, every record counts */
	bool was_read;	     /* a record of the agent, since the timer fired last */
	bool is_owed;
};

/* 0 or -errno. It lives where it is until it is ended. boot_id is borrowed: 32 hex digits; NULL or "" when it
 * is not known, then every record counts. */
SKM_NODISCARD int skm_alive_begin(struct skm_loop *loop, const char *boot_id, struct skm_alive *alive);
void skm_alive_end(struct skm_alive *alive);
/* From now on: the first time after first_ms (0 = a minute), then each period_ms (0 = the configuration's
 * checkpoint period). Without a collector no timer runs and nothing is owed. */
void skm_alive_arm(
	struct skm_alive *alive, const struct skm_config *config, uint64_t first_ms, uint64_t period_ms);
/* A record of the agent was sent. One of this boot says more than a sign of life; one that had waited since
 * another boot says nothing about now. */
void skm_alive_record(struct skm_alive *alive, const char *line, size_t len);

#endif
