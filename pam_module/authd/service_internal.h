// SPDX-License-Identifier: Apache-2.0
/* The state of the running service, and what its parts have of each other:
 *
 *   service.c          composition, requests, life
 *   service_records.c  the audit stream, and the changes of the clock that go into it
 *   service_files.c    configuration, machine key and store, and what changes in them */
#ifndef SKM_SERVICE_INTERNAL_H
#define SKM_SERVICE_INTERNAL_H

#include "file_identity.h"
#include "sekimori/packet_server.h"
#include "sekimori/stream.h"
#include "service.h"

struct skm_service {
	const struct skm_service_options *options;
	struct skm_authenticator authenticator;
	struct skm_config *config;
	struct skm_key key,
		previous_key; /* the second only while records are brought under the first (rekey.h) */
	bool has_previous_key;
	struct skm_file_identity config_file, key_file;
	struct skm_clock_marks clock_marks;
	bool is_ending, log_was_failing;
	bool config_is_broken; /* the file as it is now; what was right before is in force */

	struct skm_loop *loop;
	struct skm_stream *stream;
	struct skm_packet_server *server;
	int signal_fd, clock_fd;
	struct skm_source *signals, *clock_changes, *idle, *log_retry, *checkpoint, *watchdog;
};

/* ---- service_records.c ---- */

#define SKM_SERVICE_LOG_RETRY_MS 5000u

/* Makes the stream. 0 or -errno. */
SKM_NODISCARD int skm_service_open_stream(struct skm_service *service);
/* Of struct skm_authenticator. */
void skm_service_on_record(void *user, const struct skm_record *record);
int skm_service_on_flush(void *user);
/* Queues a record of the service itself. */
void skm_service_record_fact(struct skm_service *service, enum skm_event event, enum skm_outcome outcome,
	const char *object, const char *detail, ...) SKM_PRINTF(5, 6);
/* Stores what is queued, says once when that begins to fail, and comes back to it by a timer. */
void skm_service_flush_round(struct skm_service *service);
uint64_t skm_service_records_waiting(const struct skm_service *service);
/* Deletes the oldest segment of the stream that the collector has, when it is old enough (stream.h). */
void skm_service_retire(struct skm_service *service);
/* Makes a checkpoint at the interval of the configuration. 0 or -errno. */
SKM_NODISCARD int skm_service_open_checkpoints(struct skm_service *service);
/* Takes what another configuration says of the stream. */
void skm_service_configure_stream(struct skm_service *service, const struct skm_config *old);

/* Remembers where the clock stands. */
void skm_service_begin_clock(struct skm_service *service);
/* Records a change of it. */
void skm_service_check_clock(struct skm_service *service);
/* Hears of changes between requests. 0 or -errno. */
SKM_NODISCARD int skm_service_open_clock(struct skm_service *service);

/* ---- service_files.c ---- */

/* At the start: the configuration, or with why in `error` ("" = none) the one that was right last since boot,
 * or the built-in one; the key. 0 or -errno. */
SKM_NODISCARD int skm_service_load_files(struct skm_service *service, char *error, size_t size);
SKM_NODISCARD int skm_service_open_store(struct skm_service *service);
/* Before each request: takes what has changed. 0 or -errno: nothing can be answered. */
SKM_NODISCARD int skm_service_refresh(struct skm_service *service);

#endif
