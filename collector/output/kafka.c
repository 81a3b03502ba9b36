// SPDX-License-Identifier: Apache-2.0
/* An idempotent producer: confirmed by all replicas, in order within a partition, and a message that
 * librdkafka sends again is written once. Messages never time out: with a cluster that is down, librdkafka
 * goes on trying, and the order of a chain holds; what is under way is told as trouble.
 *
 * rsyslog's omkafka was rejected: it reports a message as done when librdkafka has it in memory, so a kill or
 * a power cut takes up to a hundred thousand records that nobody sends again.
 *
 * The key is the record's identity, so that a reader (or compaction) drops what came twice. The partition is
 * that of the chain alone, by the hash that Java's clients use: one chain stays in one partition, in its
 * order. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sink.h"

#define POLL_MS 100
#define TELL_AFTER_MS 3000
#define PURGE_MS 1000

struct kafka {
	const struct skm_output_settings *settings;
	const struct skm_sink_secrets *secrets;
	rd_kafka_t *producer; /* NULL: to be made (again) */
	rd_kafka_topic_t *topic;
	size_t confirmed, answered; /* of this send */
	char error[160];	    /* the last one */
};

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *user)
{
	struct kafka *kafka = user;
	struct skm_output_record *record = message->_private;
	(void)producer;
	kafka->answered++;
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
		kafka->confirmed++;
		record->is_done = true;
	} else {
		(void)snprintf(kafka->error, sizeof(kafka->error), "%s", rd_kafka_err2str(message->err));
	}
}

static void on_error(rd_kafka_t *producer, int error, const char *reason, void *user)
{
	struct kafka *kafka = user;
	(void)producer, (void)error;
	(void)snprintf(kafka->error, sizeof(kafka->error), "%s", reason);
}

/* What matters of it comes as an error too. */
static void on_log(const rd_kafka_t *producer, int level, const char *facility, const char *text)
{
	(void)producer, (void)level, (void)facility, (void)text;
}

static int32_t choose_partition(const rd_kafka_topic_t *topic, const void *key, size_t key_len, int32_t count,
	void *topic_user, void *message_user)
{
	(void)key_len;
	return rd_kafka_msg_partitioner_murmur2(
		topic, key, SKM_OUTPUT_CHAIN_LETTERS, count, topic_user, message_user);
}

/* ---- the producer ---- */

struct option {
	const char *name, *value; /* NULL value: not set */
};

static bool set_options(rd_kafka_conf_t *conf, const struct kafka *kafka, char *error, size_t error_size)
{
	const struct skm_output_settings *settings = kafka->settings;
	const struct skm_sink_secrets *secrets = kafka->secrets;
	bool has_user = settings->user[0], has_certificate = secrets->certificate[0];
	const struct option options[] = {
		{"bootstrap.servers", settings->place},
		{"client.id", "sekimori-collector"},
		{"enable.idempotence", "true"},
		{"acks", "all"},
		{"message.timeout.ms", "0"},
		{"reconnect.backoff.max.ms", "5000"},
		{"linger.ms", "5"},
		{"security.protocol", settings->is_plain ? "plaintext"
				      : has_user	 ? "sasl_ssl"
							 : "ssl"},
		{"enable.ssl.certificate.verification", settings->is_plain ? NULL : "true"},
		{"ssl.endpoint.identification.algorithm", settings->is_plain ? NULL : "https"},
		{"ssl.ca.location", settings->ca[0] ? settings->ca : NULL},
		{"ssl.certificate.location", has_certificate ? secrets->certificate : NULL},
		{"ssl.key.location", has_certificate ? secrets->certificate : NULL},
		{"sasl.mechanisms", has_user ? "SCRAM-SHA-512" : NULL},
		{"sasl.username", has_user ? settings->user : NULL},
		{"sasl.password", has_user ? secrets->password : NULL},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(options); i++) {
		if (options[i].value && rd_kafka_conf_set(conf, options[i].name, options[i].value, error,
						error_size) != RD_KAFKA_CONF_OK)
			return false;
	}
	return true;
}

static void close_producer(struct kafka *kafka)
{
	if (!kafka->producer)
		return;
	/* What nobody has confirmed goes again from the files: waiting for it here would only hold up the
	 * stop. */
	(void)rd_kafka_purge(kafka->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	(void)rd_kafka_flush(kafka->producer, PURGE_MS);
	if (kafka->topic)
		rd_kafka_topic_destroy(kafka->topic);
	rd_kafka_destroy(kafka->producer);
	kafka->topic = NULL;
	kafka->producer = NULL;
}

static int open_producer(struct kafka *kafka)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_conf_t *topic_conf = rd_kafka_topic_conf_new();
	rd_kafka_conf_set_opaque(conf, kafka);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_log_cb(conf, on_log);
	rd_kafka_topic_conf_set_partitioner_cb(topic_conf, choose_partition);
	if (set_options(conf, kafka, kafka->error, sizeof(kafka->error)))
		kafka->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, kafka->error, sizeof(kafka->error));
	if (!kafka->producer) {
		rd_kafka_conf_destroy(conf);
		rd_kafka_topic_conf_destroy(topic_conf);
		return -EINVAL;
	}
	kafka->topic = rd_kafka_topic_new(kafka->producer, kafka->settings->collection, topic_conf);
	if (kafka->topic)
		return 0;
	(void)snprintf(kafka->error, sizeof(kafka->error), "%s", rd_kafka_err2str(rd_kafka_last_error()));
	close_producer(kafka);
	return -EINVAL;
}

/* ---- sending ---- */

/* How many were handed over. Room comes with the reports of those before. */
static size_t produce(struct kafka *kafka, struct skm_output_batch *batch, const struct skm_sink_host *host)
{
	size_t produced = 0;
	for (size_t i = 0; i < batch->count && !host->is_stopping(host->user);) {
		struct skm_output_record *record = &batch->records[i];
		if (record->is_done) {
			i++;
			continue;
		}
		if (rd_kafka_produce(kafka->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
			    batch->text.data + record->offset, record->len, record->id, strlen(record->id),
			    record) == 0) {
			produced++;
			i++;
		} else if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
			(void)rd_kafka_poll(kafka->producer, POLL_MS);
		} else {
			(void)snprintf(kafka->error, sizeof(kafka->error), "%s",
				rd_kafka_err2str(rd_kafka_last_error()));
			break;
		}
	}
	return produced;
}

static int64_t now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until every report is there, or the host stops. */
static void await_reports(struct kafka *kafka, size_t produced, const struct skm_sink_host *host)
{
	size_t answered = kafka->answered;
	int64_t moved_ms = now_ms();
	while (kafka->answered < produced && !host->is_stopping(host->user)) {
		(void)rd_kafka_poll(kafka->producer, POLL_MS);
		if (kafka->answered != answered) {
			answered = kafka->answered;
			moved_ms = now_ms();
		}
		if (now_ms() - moved_ms < TELL_AFTER_MS)
			continue;
		host->tell(host->user, kafka->error[0] ? kafka->error : "the cluster does not answer");
		moved_ms = now_ms();
	}
}

static int send_batch(void *state, struct skm_output_batch *batch, const struct skm_sink_host *host)
{
	struct kafka *kafka = state;
	char fatal[160];
	size_t pending = skm_output_batch_pending(batch);
	if (pending == 0)
		return 0;
	if (!kafka->producer && open_producer(kafka) < 0) {
		host->tell(host->user, kafka->error);
		return SKM_SINK_AGAIN;
	}
	kafka->confirmed = kafka->answered = 0;
	kafka->error[0] = '\0';
	size_t produced = produce(kafka, batch, host);
	await_reports(kafka, produced, host);
	/* Reports that are still out point into this batch; and after a fatal error nothing goes any more. */
	if (kafka->answered < produced || rd_kafka_fatal_error(kafka->producer, fatal, sizeof(fatal)))
		close_producer(kafka);
	if (kafka->confirmed == pending)
		return 0;
	if (!host->is_stopping(host->user))
		host->tell(host->user, kafka->error[0] ? kafka->error : "not confirmed");
	return SKM_SINK_AGAIN;
}

static void close_kafka(void *state)
{
	struct kafka *kafka = state;
	if (kafka)
		close_producer(kafka);
	free(kafka);
}

int skm_kafka_open(const struct skm_output_settings *settings, const struct skm_sink_secrets *secrets,
	const struct skm_sink_host *host, struct skm_sink *ret_sink)
{
	struct kafka *kafka = calloc(1, sizeof(*kafka));
	if (!kafka)
		return -ENOMEM;
	kafka->settings = settings;
	kafka->secrets = secrets;
	int r = open_producer(kafka);
	if (r < 0) {
		host->tell(host->user, kafka->error);
		close_kafka(kafka);
		return r;
	}
	*ret_sink = (struct skm_sink){.send = send_batch, .close = close_kafka, .state = kafka};
	return 0;
}
