// SPDX-License-Identifier: Apache-2.0
/* What takes records: Kafka, OpenSearch, or what a test puts in their place. */
#ifndef SEKIMORI_OUTPUT_SINK_H
#define SEKIMORI_OUTPUT_SINK_H

#include "output_batch.h"
#include "output_settings.h"

/* Whom a sink asks and tells while it works. */
struct skm_sink_host {
	bool (*is_stopping)(void *user);
	/* Nothing goes, and why: one line. May be called often. */
	void (*tell)(void *user, const char *trouble);
	void *user;
};

#define SKM_SINK_AGAIN 1
struct skm_sink {
	/* Sends what is pending in the batch and marks as done what the other side has confirmed, nothing
	 * else. 0: some of it was confirmed, or nothing is pending; SKM_SINK_AGAIN: nothing goes now (told),
	 * or the host stops; -errno: it will never go. */
	int (*send)(void *state, struct skm_output_batch *batch, const struct skm_sink_host *host);
	void (*close)(void *state);
	void *state;
};

#define SKM_SINK_PASSWORD_BYTES 257
struct skm_sink_secrets {
	char password[SKM_SINK_PASSWORD_BYTES]; /* "" when nobody logs in */
	char certificate[512];			/* file: the client's certificate and its key; "" = none */
};

/* What they are given has to stay until the sink is closed. 0 or -errno (told to the host). */
SKM_NODISCARD int skm_opensearch_open(const struct skm_output_settings *settings,
	const struct skm_sink_secrets *secrets, const struct skm_sink_host *host, struct skm_sink *ret_sink);
SKM_NODISCARD int skm_kafka_open(const struct skm_output_settings *settings,
	const struct skm_sink_secrets *secrets, const struct skm_sink_host *host, struct skm_sink *ret_sink);

#endif
