// SPDX-License-Identifier: Apache-2.0
/* Where the records of a request go. They are stored when its answer is out: a login does not wait for the
 * log's disk, and does not fail for it either; administrative acts flush by themselves (administration.c).
 *
 * The clock is watched here because a change of it is nothing but a record: what it means for a code is the
 * verification's to find out, from the last accepted step. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "sekimori/log.h"
#include "service_internal.h"

#define CLOCK_JUMP_USEC (60 * (int64_t)SKM_USEC_PER_SEC)

/* ---- records ---- */

static void stamp(void *user, struct skm_record *record)
{
	struct skm_service *service = user;
	const struct skm_config *config = service->config;
	record->stream = "auth";
	service->options->clock.now(service->options->clock.user, &record->time);
	memcpy(record->boot_id, service->authenticator.boot_id, sizeof(record->boot_id));
	memcpy(record->terminal_number, config->terminal.number, sizeof(record->terminal_number));
	memcpy(record->section, config->terminal.section, sizeof(record->section));
	memcpy(record->policy_version, config->version, sizeof(record->policy_version));
}

void skm_service_on_record(void *user, const struct skm_record *record)
{
	struct skm_service *service = user;
	struct skm_record stamped = *record;
	stamp(service, &stamped);
	skm_log_record(&stamped);
	skm_stream_append(service->stream, &stamped);
}

int skm_service_on_flush(void *user)
{
	const struct skm_service *service = user;
	return skm_stream_flush(service->stream);
}

void skm_service_record_fact(struct skm_service *service, enum skm_event event, enum skm_outcome outcome,
	const char *object, const char *detail, ...)
{
	struct skm_record record;
	skm_record_init(&record, event);
	record.outcome = outcome;
	(void)snprintf(record.rule, sizeof(record.rule), "builtin:authd");
	(void)snprintf(record.object, sizeof(record.object), "%s", object);
	va_list arguments;
	va_start(arguments, detail);
	(void)vsnprintf(record.detail, sizeof(record.detail), detail, arguments);
	va_end(arguments);
	skm_service_on_record(service, &record);
}

void skm_service_flush_round(struct skm_service *service)
{
	struct skm_stream_state state;
	int r = skm_stream_flush(service->stream);
	skm_stream_get_state(service->stream, &state);
	bool is_failing = r < 0 || state.is_failing;
	if (is_failing == service->log_was_failing)
		return;
	if (is_failing)
		skm_log(SKM_SEVERITY_ALERT,
			"cannot store audit records in %s: %s; logins go on, %" PRIu64 " wait in memory",
			service->options->log_folder, state.error, state.pending);
	else
		skm_log(SKM_SEVERITY_NOTICE, "audit records are stored again in %s",
			service->options->log_folder);
	if (service->log_retry) /* not yet, while it starts */
		skm_timer_arm(service->log_retry, is_failing ? SKM_SERVICE_LOG_RETRY_MS : 0,
			is_failing ? SKM_SERVICE_LOG_RETRY_MS : 0);
	service->log_was_failing = is_failing;
}

uint64_t skm_service_records_waiting(const struct skm_service *service)
{
	struct skm_stream_state state;
	skm_stream_get_state(service->stream, &state);
	return state.pending;
}

static const uint8_t *verifier_key_of(const struct skm_config *config)
{
	return config->audit.has_verifier_key ? config->audit.verifier_key : NULL;
}

/* Before everything that may have something to record. */
int skm_service_open_stream(struct skm_service *service)
{
	const struct skm_config *config = service->config;
	const struct skm_stream_chain_options chain = {.path = service->options->chain_path,
		.verifier_key = verifier_key_of(config),
		.boot_id = service->authenticator.boot_id};
	int r = skm_stream_new(service->options->log_folder, config->audit.segment_bytes, &service->stream);
	if (r < 0)
		return r;
	skm_stream_set_stamp(service->stream, stamp, service);
	return skm_stream_set_chain(service->stream, &chain);
}

/* When nobody waits: before it ends, and, where it never does, at checkpoints. */
void skm_service_retire(struct skm_service *service)
{
	char error[256];
	const struct skm_config *config = service->config;
	const struct skm_stream_retention retention = {
		.age_sec = config->forward.host[0] ? config->audit.retention_sec : 0,
		.collected_path = service->options->collected_path,
		.name = "auth"};
	if (skm_stream_retire(service->stream, &retention, error, sizeof(error)) < 0)
		skm_log(SKM_SEVERITY_WARNING, "cannot delete audit records that were collected: %s", error);
}

static void arm_checkpoints(const struct skm_service *service)
{
	uint64_t interval_ms = service->config->audit.checkpoint_sec * UINT64_C(1000);
	skm_timer_arm(service->checkpoint, interval_ms, interval_ms);
}

static int on_checkpoint(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct skm_service *service = user;
	skm_stream_checkpoint(service->stream, "time");
	skm_service_retire(service);
	return 0;
}

int skm_service_open_checkpoints(struct skm_service *service)
{
	int r = skm_loop_add_timer(
		service->loop, CLOCK_BOOTTIME, on_checkpoint, service, &service->checkpoint);
	if (r == 0)
		arm_checkpoints(service);
	return r;
}

void skm_service_configure_stream(struct skm_service *service, const struct skm_config *old)
{
	const struct skm_config *config = service->config;
	/* Armed again only by another interval, so that changes of the file do not put it off. */
	if (config->audit.checkpoint_sec != old->audit.checkpoint_sec)
		arm_checkpoints(service);
	skm_stream_set_segment_bytes(service->stream, config->audit.segment_bytes);
	skm_stream_set_verifier_key(service->stream, verifier_key_of(config));
}

/* ---- the clock ---- */

void skm_service_begin_clock(struct skm_service *service)
{
	struct skm_timestamp now;
	service->options->clock.now(service->options->clock.user, &now);
	skm_clock_mark(&service->clock_marks, &now);
}

/* A change of the clock explains codes that are refused, and may be somebody's try to bring an old one back.
 */
void skm_service_check_clock(struct skm_service *service)
{
	struct skm_timestamp now;
	service->options->clock.now(service->options->clock.user, &now);
	int64_t moved_usec = skm_clock_moved_usec(&service->clock_marks, &now, CLOCK_JUMP_USEC);
	if (!moved_usec)
		return;
	skm_service_record_fact(service, SKM_EVENT_CLOCK_JUMP, SKM_OUTCOME_LOGGED, "wall clock",
		"moved by %+" PRId64 " s against the time since boot",
		moved_usec / (int64_t)SKM_USEC_PER_SEC);
}

static int on_clock_change(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct skm_service *service = user;
	int r = skm_clock_watch_renew(service->clock_fd);
	skm_service_check_clock(service);
	return r;
}

int skm_service_open_clock(struct skm_service *service)
{
	int r = skm_clock_watch_open(&service->clock_fd);
	return r < 0 ? r
		     : skm_loop_add_fd(service->loop, service->clock_fd, EPOLLIN, on_clock_change, service,
			       &service->clock_changes);
}
