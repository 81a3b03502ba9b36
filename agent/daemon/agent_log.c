// SPDX-License-Identifier: Apache-2.0
/* Apart from agent.c because it is a life of its own: the disk may come late, fill up, or go away, while the
 * gate does its work. */
#include "agent_log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "flood.h"
#include "sekimori/log.h"

#define RETRY_MS 5000u
#define MSEC_PER_SEC UINT64_C(1000)
#define USEC_PER_MSEC UINT64_C(1000)

struct skm_agent_log {
	struct skm_agent_log_options options;
	struct skm_stream *stream;
	int mounts_fd;
	struct skm_source *mounts, *retry, *checkpoint, *counts;
	struct skm_flood *flood;
	uint64_t counts_due_usec; /* what `counts` is armed for */
	uint32_t checkpoint_sec;
	uint32_t retention_sec; /* 0 = nothing is deleted */
	bool was_failing, is_deletion_failing;
};

/* ---- floods ---- */

/* A record that is lost because too many wait is counted as one, whatever it counts itself. So while there
 * may be no room, counts stay where they are, and stay exact. */
static bool has_room(const struct skm_agent_log *log)
{
	struct skm_stream_state state;
	skm_stream_get_state(log->stream, &state);
	return !state.is_failing && state.pending + SKM_FLOOD_COUNTS_MAX < SKM_STREAM_PENDING_MAX;
}

static void tell_counts(struct skm_agent_log *log, bool is_all)
{
	struct skm_record now, count;
	if (skm_flood_due_usec(log->flood) == UINT64_MAX)
		return;
	skm_record_init(&now, SKM_EVENT_FLOOD_COUNTED);
	log->options.stamp(log->options.user, &now);
	while (skm_flood_next(log->flood, now.time.boottime_usec, is_all, &count)) {
		count.time = now.time; /* when it is told; its detail says when it was */
		skm_log_record(&count);
		skm_stream_append(log->stream, &count);
	}
}

static void arm_counts(struct skm_agent_log *log)
{
	struct skm_record now;
	uint64_t due_usec = skm_flood_due_usec(log->flood);
	if (due_usec == log->counts_due_usec)
		return;
	log->counts_due_usec = due_usec;
	if (due_usec == UINT64_MAX) {
		skm_timer_arm(log->counts, 0, 0);
		return;
	}
	skm_record_init(&now, SKM_EVENT_FLOOD_COUNTED);
	log->options.stamp(log->options.user, &now);
	uint64_t now_usec = now.time.boottime_usec;
	uint64_t wait_ms = due_usec > now_usec ? (due_usec - now_usec) / USEC_PER_MSEC : 0;
	skm_timer_arm(log->counts, wait_ms + 1, 0);
}

static int on_counts(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct skm_agent_log *log = user;
	log->counts_due_usec = UINT64_MAX; /* it has gone off; the round's end tells, and arms anew */
	return 0;
}

/* ---- timers ---- */

static int on_retry(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	(void)user;
	return 0; /* the round's end does the work */
}

/* One segment at a time: what is late waits for the next checkpoint, and the gate for nobody. */
static void retire(struct skm_agent_log *log)
{
	char error[256];
	const struct skm_stream_retention retention = {.age_sec = log->retention_sec,
		.collected_path = log->options.collected_path,
		.name = "agent"};
	int r = skm_stream_retire(log->stream, &retention, error, sizeof(error));
	if (r < 0 && !log->is_deletion_failing)
		skm_log(SKM_SEVERITY_WARNING, "cannot delete audit records that were collected: %s", error);
	log->is_deletion_failing = r < 0;
}

static int on_checkpoint(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct skm_agent_log *log = user;
	/* What it signs is all that happened until then. */
	if (has_room(log))
		tell_counts(log, true);
	skm_stream_checkpoint(log->stream, "time");
	retire(log);
	return 0;
}

/* /var may have been mounted just now, over the folder we write to. */
static int on_mounts(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct skm_agent_log *log = user;
	skm_stream_reopen(log->stream);
	return 0;
}

static int open_mounts(struct skm_agent_log *log, struct skm_loop *loop)
{
	char path[256];
	(void)snprintf(path, sizeof(path), "%s/1/mountinfo", log->options.proc_root);
	log->mounts_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (log->mounts_fd < 0)
		return -errno;
	int r = skm_loop_add_fd(loop, log->mounts_fd, EPOLLPRI | EPOLLERR, on_mounts, log, &log->mounts);
	return r == -EPERM ? 0 : r; /* a test's plain file cannot be polled, and never changes */
}

static int open_stream(struct skm_agent_log *log, const struct skm_config *config)
{
	const struct skm_stream_chain_options chain = {.path = log->options.chain_path,
		.verifier_key = config->audit.has_verifier_key ? config->audit.verifier_key : NULL,
		.boot_id = log->options.boot_id};
	int r = skm_stream_new(log->options.folder, config->audit.segment_bytes, &log->stream);
	if (r < 0)
		return r;
	skm_stream_set_stamp(log->stream, log->options.stamp, log->options.user);
	skm_stream_set_stored(log->stream, log->options.on_stored, log->options.user);
	return skm_stream_set_chain(log->stream, &chain);
}

int skm_agent_log_new(struct skm_loop *loop, const struct skm_agent_log_options *options,
	const struct skm_config *config, struct skm_agent_log **ret_log)
{
	struct skm_agent_log *log = malloc(sizeof(*log));
	if (!log)
		return -ENOMEM;
	*log = (struct skm_agent_log){.options = *options, .mounts_fd = -1, .counts_due_usec = UINT64_MAX};
	int r = skm_flood_new(&log->flood);
	if (r == 0)
		r = open_stream(log, config);
	if (r == 0)
		r = open_mounts(log, loop);
	if (r == 0)
		r = skm_loop_add_timer(loop, CLOCK_MONOTONIC, on_retry, log, &log->retry);
	/* Boot time: after a sleep it is due at once. */
	if (r == 0)
		r = skm_loop_add_timer(loop, CLOCK_BOOTTIME, on_counts, log, &log->counts);
	if (r == 0)
		r = skm_loop_add_timer(loop, CLOCK_BOOTTIME, on_checkpoint, log, &log->checkpoint);
	if (r < 0) {
		(void)skm_agent_log_free(log);
		return r;
	}
	skm_agent_log_configure(log, config);
	*ret_log = log;
	return 0;
}

struct skm_agent_log *skm_agent_log_free(struct skm_agent_log *log)
{
	if (!log)
		return NULL;
	bool was_complete = log->checkpoint != NULL; /* else it has said nothing yet that would have an end */
	log->checkpoint = skm_source_remove(log->checkpoint);
	log->counts = skm_source_remove(log->counts);
	log->retry = skm_source_remove(log->retry);
	log->mounts = skm_source_remove(log->mounts);
	skm_fd_close(&log->mounts_fd);
	if (was_complete) {
		tell_counts(log, true); /* room or not: they are not told later */
		skm_stream_checkpoint(log->stream, "stop");
	}
	log->stream = skm_stream_free(log->stream);
	log->flood = skm_flood_free(log->flood);
	free(log);
	return NULL;
}

void skm_agent_log_configure(struct skm_agent_log *log, const struct skm_config *config)
{
	if (!log)
		return;
	/* Without a collector the terminal's are the only ones. */
	log->retention_sec = config->forward.host[0] ? config->audit.retention_sec : 0;
	skm_stream_set_segment_bytes(log->stream, config->audit.segment_bytes);
	skm_stream_set_verifier_key(
		log->stream, config->audit.has_verifier_key ? config->audit.verifier_key : NULL);
	/* Reloads that come more often than checkpoints must not put them off. */
	if (config->audit.checkpoint_sec == log->checkpoint_sec)
		return;
	log->checkpoint_sec = config->audit.checkpoint_sec;
	skm_timer_arm(
		log->checkpoint, log->checkpoint_sec * MSEC_PER_SEC, log->checkpoint_sec * MSEC_PER_SEC);
}

bool skm_agent_log_append(struct skm_agent_log *log, const struct skm_record *record)
{
	if (!log)
		return true;
	if (!skm_flood_take(log->flood, record))
		return false;
	/* A start, a stop, another policy: what was counted until then stands before it. */
	if (!record->has_device && has_room(log))
		tell_counts(log, true);
	skm_stream_append(log->stream, record);
	return true;
}

int skm_agent_log_flush(struct skm_agent_log *log)
{
	return log ? skm_stream_flush(log->stream) : 0;
}

void skm_agent_log_end_round(struct skm_agent_log *log)
{
	struct skm_stream_state state;
	if (!log)
		return;
	if (has_room(log))
		tell_counts(log, false);
	int r = skm_stream_flush(log->stream);
	skm_stream_get_state(log->stream, &state);
	bool is_failing = r < 0 || state.is_failing;
	if (!is_failing)
		arm_counts(log);
	if (is_failing == log->was_failing)
		return;
	log->was_failing = is_failing;
	skm_timer_arm(log->retry, is_failing ? RETRY_MS : 0, is_failing ? RETRY_MS : 0);
	if (is_failing) {
		skm_log(SKM_SEVERITY_ALERT,
			"cannot store audit records in %s: %s; the gate stays closed, %" PRIu64
			" wait in memory",
			log->options.folder, state.error, state.pending);
	} else {
		skm_log(SKM_SEVERITY_NOTICE, "audit records are stored again in %s", log->options.folder);
		log->options.on_resumed(log->options.user);
	}
}

void skm_agent_log_get_state(const struct skm_agent_log *log, struct skm_stream_state *ret_state)
{
	if (log)
		skm_stream_get_state(log->stream, ret_state);
	else
		*ret_state = (struct skm_stream_state){.is_failing = false};
}
