// SPDX-License-Identifier: Apache-2.0
/* Brings the records of the terminal's streams to the collector: in order, each at least once, and never
 * counted as delivered before the collector has said that it is stored. */
#ifndef SKM_FORWARD_FORWARDER_H
#define SKM_FORWARD_FORWARDER_H

#include "position.h"
#include "sekimori/clock.h"
#include "sekimori/config.h"
#include "sekimori/control.h"
#include "sekimori/loop.h"
#include "transport.h"

#define SKM_FORWARD_LOG_ROOT "/var/log/sekimori"
#define SKM_FORWARD_STATE_FOLDER "/var/lib/sekimori-forward"

struct skm_forwarder;

/* Everything outside, so that tests own it. Strings are borrowed for the forwarder's life. */
struct skm_forwarder_options {
	const char *log_root;	  /* the streams are folders in it */
	const char *state_folder; /* must exist */
	struct skm_clock clock;
	uint64_t (*random)(void *user);
	/* How a connection is secured with the settings in force. NULL: TLS. */
	int (*open_transport)(void *user, const struct skm_config *config, int fd,
		struct skm_transport *ret_transport, int64_t *ret_not_after_sec,
		char error[SKM_TRANSPORT_ERROR_BYTES]);
	/* Puts a fact on record. 0, or it is tried again later. */
	int (*tell)(void *user, const struct skm_forward_notice *notice);
	void *user;
	uint32_t open_timeout_ms, answer_timeout_ms;
	const char *boot_id; /* of the running system, as records name it; NULL or "": not known */
	/* So long without a record of the agent in this boot, and the collector hears that the machine is on
	 * all the same; the first time. 0: a minute after the start, then the checkpoint period. */
	uint32_t alive_first_ms, alive_ms;
	uint32_t quiet_ms, end_ms; /* at the end: so long without a new record, and so long at most */
};

/* Takes over the configuration. Reads the state; nothing is sent yet. 0 or -errno. */
SKM_NODISCARD int skm_forwarder_new(struct skm_loop *loop, const struct skm_forwarder_options *options,
	struct skm_config **config, struct skm_forwarder **ret_forwarder);
/* Sets itself as the loop's after_round. The first connection follows after the start's jitter. */
void skm_forwarder_start(struct skm_forwarder *forwarder);
/* Another configuration, taken over: the connection is made anew, at once. */
void skm_forwarder_reconfigure(struct skm_forwarder *forwarder, struct skm_config **config);
/* Sends what is there, and what still comes within quiet_ms; then the loop stops. Without a connection, at
 * once. */
void skm_forwarder_end(struct skm_forwarder *forwarder);
/* What is acknowledged (and, as far as the disk allowed it, saved). */
const struct skm_forward_state *skm_forwarder_state(const struct skm_forwarder *forwarder);
struct skm_forwarder *skm_forwarder_free(struct skm_forwarder *forwarder);

#endif
