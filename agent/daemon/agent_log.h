// SPDX-License-Identifier: Apache-2.0
/* The agent's audit stream and what keeps it going: another try while records cannot be stored, another look
 * at the folder when something was mounted, and a signed checkpoint at intervals, which is the terminal's
 * sign of life. Floods are counted on the way in: what a crash (not a stop) can lose of that are the counts
 * of the last SKM_FLOOD_WINDOW_SEC seconds; that counting had begun is on disk by then, and the next start
 * finds no stop before it. Stream "auth" has no such thing: authd throttles wrong codes, and counts by itself
 * what comes while somebody waits (AUTH_LOCKED with its count). */
#ifndef SEKIMORI_AGENT_LOG_H
#define SEKIMORI_AGENT_LOG_H

#include "sekimori/config.h"
#include "sekimori/loop.h"
#include "sekimori/stream.h"

struct skm_agent_log;

/* Strings are borrowed for the log's life. */
struct skm_agent_log_options {
	const char *folder;	    /* of the stream */
	const char *chain_path;	    /* of its chain's state */
	const char *collected_path; /* the forwarder's state */
	const char *proc_root;
	const char *boot_id;
	skm_stream_stamp_fn stamp;
	void (*on_resumed)(void *user); /* records that waited are on disk */
	skm_stream_stored_fn on_stored; /* each record; NULL = nobody asks */
	void *user;
};

/* Stores nothing yet. 0 or -errno. */
SKM_NODISCARD int skm_agent_log_new(struct skm_loop *loop, const struct skm_agent_log_options *options,
	const struct skm_config *config, struct skm_agent_log **ret_log);
/* Ends with a checkpoint. Returns NULL. */
struct skm_agent_log *skm_agent_log_free(struct skm_agent_log *log);

/* All of these take NULL for an agent without a log. */
void skm_agent_log_configure(struct skm_agent_log *log, const struct skm_config *config);
/* The record is stamped. False: it is one of a flood, and only its count will be stored (flood.h). */
bool skm_agent_log_append(struct skm_agent_log *log, const struct skm_record *record);
/* As skm_stream_flush. */
SKM_NODISCARD int skm_agent_log_flush(struct skm_agent_log *log);
/* Stores what the round left; tells the system's log once when that begins to fail, and when it works again.
 */
void skm_agent_log_end_round(struct skm_agent_log *log);
void skm_agent_log_get_state(const struct skm_agent_log *log, struct skm_stream_state *ret_state);

#endif
