// SPDX-License-Identifier: Apache-2.0
/* A Kafka cluster for a test: librdkafka's own mock, in a process that can be told what to do. Prints its
 * bootstrap servers, then answers each line of standard input with lines that end in "." alone: down | up all
 * brokers fail N            the next N produce requests are refused (not enough replicas, which may be tried
 * again) drop N            the next N produce requests are not answered: the connection breaks dump every
 * message: PARTITION KEY VALUE, partition by partition, in order
 *
 * usage: kafka_broker BROKERS TOPIC PARTITIONS */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API_PRODUCE 0
#define POLL_MS 5000

struct cluster {
	rd_kafka_t *owner;
	rd_kafka_mock_cluster_t *mock;
	const char *topic;
	int broker_count, partition_count;
};

static void fail(const char *what)
{
	(void)fprintf(stderr, "kafka_broker: %s\n", what);
	exit(1);
}

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
	(void)client, (void)level, (void)facility, (void)text;
}

static rd_kafka_t *make_client(rd_kafka_type_t type, const char *const options[][2], size_t count)
{
	char error[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set_log_cb(conf, on_log);
	for (size_t i = 0; i < count; i++) {
		if (rd_kafka_conf_set(conf, options[i][0], options[i][1], error, sizeof(error)) !=
			RD_KAFKA_CONF_OK)
			fail(error);
	}
	rd_kafka_t *client = rd_kafka_new(type, conf, error, sizeof(error));
	if (!client)
		fail(error);
	return client;
}

static void start(struct cluster *cluster)
{
	static const char *const options[][2] = {{"client.id", "mock"}};
	cluster->owner = make_client(RD_KAFKA_PRODUCER, options, 1);
	cluster->mock = rd_kafka_mock_cluster_new(cluster->owner, cluster->broker_count);
	if (!cluster->mock ||
		rd_kafka_mock_topic_create(cluster->mock, cluster->topic, cluster->partition_count,
			cluster->broker_count) != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail("cannot make the mock cluster");
}

/* All partitions from their beginning to their end. */
static void dump(const struct cluster *cluster)
{
	const char *const options[][2] = {
		{"bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster->mock)}, {"group.id", "dump"},
		{"enable.partition.eof", "true"}, {"enable.auto.commit", "false"},
		{"fetch.wait.max.ms", "10"}, {"fetch.error.backoff.ms", "10"}};
	rd_kafka_t *reader = make_client(RD_KAFKA_CONSUMER, options, sizeof(options) / sizeof(options[0]));
	for (int partition = 0; partition < cluster->partition_count; partition++) {
		rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
		rd_kafka_topic_partition_list_add(list, cluster->topic, partition)->offset =
			RD_KAFKA_OFFSET_BEGINNING;
		if (rd_kafka_assign(reader, list) != RD_KAFKA_RESP_ERR_NO_ERROR)
			fail("cannot read");
		for (bool is_over = false; !is_over;) {
			rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, POLL_MS);
			if (!message)
				fail("no answer to a fetch");
			is_over = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
			if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
				(void)printf("%d %.*s %.*s\n", partition, (int)message->key_len,
					(const char *)message->key, (int)message->len,
					(const char *)message->payload);
			else if (!is_over)
				fail(rd_kafka_message_errstr(message));
			rd_kafka_message_destroy(message);
		}
		rd_kafka_topic_partition_list_destroy(list);
	}
	(void)rd_kafka_consumer_close(reader);
	rd_kafka_destroy(reader);
}

static void obey(const struct cluster *cluster, const char *command)
{
	int count = 0;
	if (strcmp(command, "dump") == 0) {
		dump(cluster);
		return;
	}
	for (int broker = 1; broker <= cluster->broker_count; broker++) {
		if (strcmp(command, "down") == 0)
			(void)rd_kafka_mock_broker_set_down(cluster->mock, broker);
		else if (strcmp(command, "up") == 0)
			(void)rd_kafka_mock_broker_set_up(cluster->mock, broker);
	}
	if (sscanf(command, "fail %d", &count) == 1) {
		while (count-- > 0)
			rd_kafka_mock_push_request_errors(
				cluster->mock, API_PRODUCE, 1, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
	} else if (sscanf(command, "drop %d", &count) == 1) {
		while (count-- > 0)
			rd_kafka_mock_push_request_errors(
				cluster->mock, API_PRODUCE, 1, RD_KAFKA_RESP_ERR__TRANSPORT);
	}
}

int main(int argc, char **argv)
{
	char line[64];
	struct cluster cluster = {0};
	if (argc != 4)
		return 2;
	cluster.broker_count = atoi(argv[1]);
	cluster.topic = argv[2];
	cluster.partition_count = atoi(argv[3]);
	start(&cluster);
	(void)printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster.mock));
	(void)fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		obey(&cluster, line);
		(void)printf(".\n");
		(void)fflush(stdout);
	}
	rd_kafka_mock_cluster_destroy(cluster.mock);
	rd_kafka_destroy(cluster.owner);
	return 0;
}
