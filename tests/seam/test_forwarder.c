// SPDX-License-Identifier: Apache-2.0
/* The forwarder between real folders and a collector that answers late, wrongly, out of order, or not at all.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "fake_collector.h"
#include "forwarder.h"
#include "sekimori/clock.h"
#include "tmpdir.h"

#define DEADLINE_MS 10000
#define HEAD "<109>1 - PC-042 sekimori-"
#define DAY INT64_C(86400)

static struct world {
	char root[TMPDIR_BYTES], log[TMPDIR_BYTES + 8], state[TMPDIR_BYTES + 8];
	struct skm_loop *loop;
	struct skm_forwarder *forwarder;
	struct skm_timestamp now;
	int64_t not_after_sec;
	int tell_result;
	struct skm_forward_notice told[16];
	unsigned told_count;
	uint32_t answer_timeout_ms, open_timeout_ms, alive_first_ms, alive_ms;
	const char *boot_id;
} world;
static struct fake_collector collector;

/* ---- the world ---- */

static void fake_now(void *user, struct skm_timestamp *ret_now)
{
	(void)user;
	*ret_now = world.now;
}

static uint64_t fake_random(void *user)
{
	(void)user;
	return 0;
}

static int fake_tell(void *user, const struct skm_forward_notice *notice)
{
	(void)user;
	if (world.tell_result == 0)
		world.told[world.told_count++] = *notice;
	return world.tell_result;
}

static int fake_open(void *user, const struct skm_config *config, int fd, struct skm_transport *ret_transport,
	int64_t *ret_not_after_sec, char error[SKM_TRANSPORT_ERROR_BYTES])
{
	(void)user;
	(void)config;
	(void)error;
	*ret_not_after_sec = world.not_after_sec;
	return plain_transport_open(fd, ret_transport);
}

static struct skm_config *config_for(uint16_t port)
{
	char text[300];
	struct skm_config *config = NULL;
	struct skm_config_error error;
	(void)snprintf(text, sizeof(text),
		"terminal: { number = \"PC-042\"; };\nforward: { host = \"%s\"; port = \"%u\"; name = \"c\";"
		" start_jitter = \"0s\"; retry_first = \"100ms\"; retry_max = \"1s\"; };",
		port ? "127.0.0.1" : "", port ? port : 1u);
	cr_assert_eq(skm_config_parse("t", text, strlen(text), 0, &config, &error), 0, "%s", error.key);
	return config;
}

static void start_with(struct skm_config *config)
{
	const struct skm_forwarder_options options = {
		.log_root = world.log,
		.state_folder = world.state,
		.clock = {.now = fake_now},
		.random = fake_random,
		.open_transport = fake_open,
		.tell = fake_tell,
		.open_timeout_ms = world.open_timeout_ms,
		.answer_timeout_ms = world.answer_timeout_ms,
		.alive_first_ms = world.alive_first_ms ? world.alive_first_ms : world.alive_ms,
		.alive_ms = world.alive_ms,
		.boot_id = world.boot_id,
		.quiet_ms = 50,
		.end_ms = 5000,
	};
	cr_assert_eq(skm_forwarder_new(world.loop, &options, &config, &world.forwarder), 0);
	cr_assert_null(config, "it is taken over");
	skm_forwarder_start(world.forwarder);
}

static void start(void)
{
	start_with(config_for(collector.port));
}

static void restart(void)
{
	world.forwarder = skm_forwarder_free(world.forwarder);
	collector_turn(&collector); /* sees the end */
	start();
}

static void setup(void)
{
	memset(&world, 0, sizeof(world));
	tmpdir_make(world.root);
	(void)snprintf(world.log, sizeof(world.log), "%s/log", world.root);
	(void)snprintf(world.state, sizeof(world.state), "%s/state", world.root);
	cr_assert_eq(mkdir(world.log, 0700), 0);
	cr_assert_eq(mkdir(world.state, 0700), 0);
	tmpdir_write(world.root, "", "log/agent/00000001.jsonl");
	tmpdir_write(world.root, "", "log/auth/00000001.jsonl");
	world.now.realtime_usec = INT64_C(1795219200) * (int64_t)SKM_USEC_PER_SEC;
	world.now.boottime_usec = 1000 * SKM_USEC_PER_SEC;
	world.open_timeout_ms = world.answer_timeout_ms = DEADLINE_MS;
	cr_assert_eq(skm_loop_new(&world.loop), 0);
	collector_start(&collector);
}

static void teardown(void)
{
	world.forwarder = skm_forwarder_free(world.forwarder);
	world.loop = skm_loop_free(world.loop);
	collector_stop(&collector);
	tmpdir_remove(world.root);
}

TestSuite(forwarder, .init = setup, .fini = teardown);

static uint64_t now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void turn(void)
{
	cr_assert_eq(skm_loop_run_once(world.loop, 5), 0);
	collector_turn(&collector);
}

#define turn_until(condition)                                                          \
	do {                                                                           \
		uint64_t deadline_ms = now_ms() + DEADLINE_MS;                         \
		while (!(condition) && now_ms() < deadline_ms)                         \
			turn();                                                        \
		cr_assert(condition, "not within %d ms: %s", DEADLINE_MS, #condition); \
	} while (0)

/* Long enough for anything that would happen at once. */
static void turn_a_while(void)
{
	for (unsigned i = 0; i < 20; i++)
		turn();
}

/* ---- records ---- */

static void record_of(const char *stream, unsigned n, char ret_record[128])
{
	(void)snprintf(ret_record, 128,
		"{\"time\":1,\"skm\":{\"stream\":\"%s\",\"n\":%u,\"b\":\"x\"},\"m\":\"%08x\"}", stream, n,
		n * 2654435761u);
}

static void append(const char *stream, unsigned segment, unsigned first, unsigned last)
{
	char path[TMPDIR_BYTES + 64], record[128];
	(void)snprintf(path, sizeof(path), "%s/%s/%08u.jsonl", world.log, stream, segment);
	FILE *file = fopen(path, "ae");
	cr_assert_not_null(file);
	for (unsigned n = first; n <= last; n++) {
		record_of(stream, n, record);
		cr_assert_geq(fprintf(file, "%s\n", record), 0);
	}
	cr_assert_eq(fclose(file), 0);
}

/* The records of a stream in all messages, in the order of their arrival: "1 2 3". */
static void received(const char *stream, unsigned connection, char *ret_text, size_t size)
{
	char head[64], record[128];
	size_t used = 0;
	(void)snprintf(head, sizeof(head), HEAD "%s - - - ", stream);
	ret_text[0] = '\0';
	for (unsigned i = 0; i < collector.message_count; i++) {
		const struct collector_message *message = &collector.messages[i];
		if ((connection && message->connection != connection) ||
			strncmp(message->text, head, strlen(head)) != 0)
			continue;
		char *copy = strdup(message->text + strlen(head)), *rest = copy;
		for (char *line; (line = strsep(&rest, "\x1e"));) {
			unsigned n = 0;
			const char *at = strstr(line, "\"n\":");
			cr_assert(at && sscanf(at, "\"n\":%u", &n) == 1, "%s", line);
			record_of(stream, n, record);
			cr_expect_str_eq(line, record, "the bytes are the file's");
			used += (size_t)snprintf(ret_text + used, size - used, "%s%u", used ? " " : "", n);
		}
		free(copy);
	}
}

static void expect_received(const char *stream, unsigned connection, const char *wanted)
{
	char text[8192];
	received(stream, connection, text, sizeof(text));
	cr_expect_str_eq(text, wanted);
}

static uint64_t acknowledged(enum skm_forward_stream stream)
{
	return skm_forwarder_state(world.forwarder)->acknowledged[stream].sequence;
}

/* What a restart would find. */
static uint64_t saved(enum skm_forward_stream stream)
{
	struct skm_forward_state state = {0};
	int fd = open(world.state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = skm_forward_state_load(fd, &state);
	(void)close(fd);
	return r == 0 ? state.acknowledged[stream].sequence : 0;
}

/* ---- what must work ---- */

Test(forwarder, both_streams_arrive_in_order_and_are_remembered)
{
	append("agent", 1, 1, 3);
	append("agent", 2, 4, 5);
	append("auth", 1, 1, 2);
	start();
	turn_until(saved(SKM_FORWARD_AGENT) == 5 && saved(SKM_FORWARD_AUTH) == 2);
	expect_received("agent", 0, "1 2 3 4 5");
	expect_received("auth", 0, "1 2");
	cr_expect_eq(collector.connections, 1);
	append("auth", 1, 3, 3);
	turn_until(saved(SKM_FORWARD_AUTH) == 3);
	append("agent", 3, 6, 6);
	turn_until(saved(SKM_FORWARD_AGENT) == 6);
	cr_expect_eq(collector.connections, 1, "one connection for everything");
	cr_expect_eq(collector.messages[collector.message_count - 1].len,
		strlen(HEAD
			"agent - - - {\"time\":1,\"skm\":{\"stream\":\"agent\",\"n\":6,\"b\":\"x\"},\"m\":\"01234567\"}"),
		"live, one record a message");
}

Test(forwarder, a_restart_goes_on_where_it_was)
{
	append("agent", 1, 1, 3);
	start();
	turn_until(saved(SKM_FORWARD_AGENT) == 3);
	collector_forget(&collector);
	append("agent", 1, 4, 5);
	restart();
	turn_until(saved(SKM_FORWARD_AGENT) == 5);
	expect_received("agent", 0, "4 5");
}

Test(forwarder, waiting_records_share_messages_of_bounded_size)
{
	append("agent", 1, 1, 3000);
	start();
	turn_until(saved(SKM_FORWARD_AGENT) == 3000);
	cr_expect_leq(collector.message_count, 10u);
	for (unsigned i = 0; i < collector.message_count; i++)
		cr_expect_leq(collector.messages[i].len, (size_t)64000);
	char text[20000];
	received("agent", 0, text, sizeof(text));
	unsigned n = 0;
	for (char *at = text, *end; *at; at = end + (*end == ' '))
		cr_assert_eq(strtoul(at, &end, 10), ++n);
	cr_expect_eq(n, 3000);
}

Test(forwarder, nothing_counts_before_it_is_stored)
{
	collector.is_manual = true;
	append("agent", 1, 1, 2);
	start();
	turn_until(collector.message_count == 1);
	turn_a_while();
	cr_expect_eq(acknowledged(SKM_FORWARD_AGENT), 0);
	cr_expect_eq(saved(SKM_FORWARD_AGENT), 0);
	restart();
	turn_until(collector.message_count == 2);
	expect_received("agent", 2, "1 2");
	collector_answer(&collector, collector.messages[1].txnr, "200 OK");
	turn_until(saved(SKM_FORWARD_AGENT) == 2);
}

/* Makes n messages of one record each, not answered. */
static void send_messages(unsigned count)
{
	collector.is_manual = true;
	start();
	for (unsigned n = 1; n <= count; n++) {
		append("agent", 1, n, n);
		turn_until(collector.message_count == n);
	}
}

Test(forwarder, answers_out_of_order_count_without_a_gap)
{
	send_messages(4);
	collector_answer(&collector, collector.messages[2].txnr, "200 OK");
	collector_answer(&collector, collector.messages[1].txnr, "200 OK");
	turn_a_while();
	cr_expect_eq(acknowledged(SKM_FORWARD_AGENT), 0);
	cr_expect_eq(saved(SKM_FORWARD_AGENT), 0);
	collector_answer(&collector, collector.messages[0].txnr, "200 OK");
	turn_until(saved(SKM_FORWARD_AGENT) == 3);
	turn_a_while();
	cr_expect_eq(saved(SKM_FORWARD_AGENT), 3);
	/* Lost now, only the fourth comes again. */
	collector_hang_up(&collector, true);
	turn_until(collector.message_count == 5);
	expect_received("agent", 2, "4");
}

Test(forwarder, the_disk_is_not_asked_for_each_answer)
{
	send_messages(4);
	collector_answer(&collector, collector.messages[0].txnr, "200 OK");
	turn_until(saved(SKM_FORWARD_AGENT) == 1);
	collector_answer(&collector, collector.messages[1].txnr, "200 OK");
	turn_until(acknowledged(SKM_FORWARD_AGENT) == 2);
	cr_expect_eq(saved(SKM_FORWARD_AGENT), 1, "more answers are to come");
	world.now.boottime_usec += SKM_USEC_PER_SEC / 5;
	turn_until(saved(SKM_FORWARD_AGENT) == 2);
	collector_answer(&collector, collector.messages[2].txnr, "200 OK");
	turn_until(acknowledged(SKM_FORWARD_AGENT) == 3);
	cr_expect_eq(saved(SKM_FORWARD_AGENT), 2);
	collector_answer(&collector, collector.messages[3].txnr, "200 OK");
	turn_until(saved(SKM_FORWARD_AGENT) == 4); /* the last one waits for nothing */
}

Test(forwarder, the_window_is_bounded)
{
	send_messages(8);
	append("agent", 1, 9, 12);
	turn_a_while();
	cr_expect_eq(collector.message_count, 8);
	collector_answer(&collector, collector.messages[0].txnr, "200 OK");
	turn_until(collector.message_count == 9);
	expect_received("agent", 0, "1 2 3 4 5 6 7 8 9 10 11 12");
	for (unsigned i = 1; i < 9; i++)
		collector_answer(&collector, collector.messages[i].txnr, "200 OK");
	turn_until(saved(SKM_FORWARD_AGENT) == 12);
}

/* ---- what a collector may do ---- */

/* After it the connection is made anew and everything comes again, in order. */
static void expect_sent_again(void)
{
	collector.is_manual = false;
	turn_until(collector.connections == 2 && saved(SKM_FORWARD_AGENT) == 3);
	expect_received("agent", 2, "1 2 3");
}

Test(forwarder, an_answer_to_nothing_ends_the_connection)
{
	send_messages(3);
	collector_answer(&collector, 777, "200 OK");
	turn_until(collector.fd < 0);
	cr_expect_eq(saved(SKM_FORWARD_AGENT), 0);
	expect_sent_again();
}

Test(forwarder, an_answer_given_twice_ends_the_connection)
{
	send_messages(3);
	collector_answer(&collector, collector.messages[1].txnr, "200 OK");
	collector_answer(&collector, collector.messages[1].txnr, "200 OK");
	turn_until(collector.fd < 0);
	expect_sent_again();
}

Test(forwarder, a_refusal_counts_for_nothing)
{
	send_messages(3);
	collector_answer(&collector, collector.messages[0].txnr, "500 disk full");
	turn_until(collector.fd < 0);
	expect_sent_again();
}

Test(forwarder, reset)
{
	send_messages(3);
	collector_hang_up(&collector, true);
	expect_sent_again();
}

Test(forwarder, closed_in_good_order)
{
	send_messages(3);
	collector_hang_up(&collector, false);
	expect_sent_again();
}

Test(forwarder, serverclose)
{
	send_messages(3);
	collector_send(&collector, "0 serverclose 0\n", 16);
	turn_until(collector.fd < 0);
	expect_sent_again();
}

Test(forwarder, something_that_is_not_relp)
{
	send_messages(3);
	collector_send(&collector, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	turn_until(collector.fd < 0);
	expect_sent_again();
}

Test(forwarder, an_endless_answer)
{
	char endless[6000];
	send_messages(3);
	memset(endless, '9', sizeof(endless));
	collector_send(&collector, "2 rsp 9000 ", 11);
	collector_send(&collector, endless, sizeof(endless));
	turn_until(collector.fd < 0);
	expect_sent_again();
}

Test(forwarder, no_answer_in_time)
{
	world.answer_timeout_ms = 50;
	send_messages(1);
	append("agent", 1, 2, 3);
	expect_sent_again();
}

Test(forwarder, answers_byte_by_byte)
{
	collector.is_slow = true;
	append("agent", 1, 1, 2);
	start();
	turn_until(saved(SKM_FORWARD_AGENT) == 2);
	append("agent", 1, 3, 3);
	turn_until(saved(SKM_FORWARD_AGENT) == 3);
	cr_expect_eq(collector.connections, 1);
}

Test(forwarder, a_session_that_is_not_opened)
{
	world.open_timeout_ms = 50;
	collector.open_answer = NULL;
	append("agent", 1, 1, 3);
	start();
	turn_until(collector.connections == 2);
	cr_expect_eq(collector.message_count, 0);
	collector.open_answer = "500 go away";
	turn_until(collector.connections == 4);
	collector.open_answer = "200 OK\ncommands=eventlog";
	turn_until(collector.connections == 6);
	cr_expect_eq(collector.message_count, 0);
	collector.open_answer = "200 OK\ncommands=syslog";
	turn_until(saved(SKM_FORWARD_AGENT) == 3);
}

Test(forwarder, nobody_listens_and_then_somebody_does)
{
	skm_fd_close(&collector.listen_fd);
	append("agent", 1, 1, 3);
	start();
	turn_a_while();
	struct fake_collector *later = &collector;
	uint16_t dead = later->port;
	collector_start(later);
	cr_assert_neq(dead, 0);
	struct skm_config *config = config_for(later->port);
	skm_forwarder_reconfigure(world.forwarder, &config);
	turn_until(saved(SKM_FORWARD_AGENT) == 3);
}

/* ---- silence ---- */

Test(forwarder, nothing_to_send_is_no_connection)
{
	start();
	turn_a_while();
	cr_expect_eq(collector.connections, 0);
	append("auth", 1, 1, 1);
	turn_until(saved(SKM_FORWARD_AUTH) == 1);
	cr_expect_eq(collector.connections, 1);
	/* Lost with nothing to say: it is not made anew before there is something. */
	collector_hang_up(&collector, true);
	for (unsigned i = 0; i < 60; i++) /* longer than the first wait */
		turn();
	cr_expect_eq(collector.connections, 1);
	append("auth", 1, 2, 2);
	turn_until(saved(SKM_FORWARD_AUTH) == 2);
	cr_expect_eq(collector.connections, 2);
}

Test(forwarder, without_a_collector_nothing_is_sent)
{
	append("agent", 1, 1, 3);
	start_with(config_for(0));
	turn_a_while();
	struct skm_config *config = config_for(collector.port);
	skm_forwarder_reconfigure(world.forwarder, &config);
	cr_expect_null(config);
	turn_until(saved(SKM_FORWARD_AGENT) == 3);
}

Test(forwarder, another_collector_gets_what_the_first_has_not_stored)
{
	send_messages(2);
	collector_answer(&collector, collector.messages[0].txnr, "200 OK");
	turn_until(saved(SKM_FORWARD_AGENT) == 1);
	struct skm_config *config = config_for(collector.port);
	skm_forwarder_reconfigure(world.forwarder, &config);
	turn_until(collector.message_count == 3);
	expect_received("agent", 2, "2");
}

/* ---- the terminal's own troubles ---- */

Test(forwarder, a_partial_line_is_not_sent)
{
	append("agent", 1, 1, 1);
	tmpdir_write(world.root, "{\"time\":1,\"skm\":", "log/auth/00000002.jsonl");
	start();
	turn_until(saved(SKM_FORWARD_AGENT) == 1);
	turn_a_while();
	cr_expect_eq(collector.message_count, 1);
}

Test(forwarder, a_stream_that_comes_later)
{
	char path[TMPDIR_BYTES + 32];
	(void)snprintf(path, sizeof(path), "%s/auth", world.log);
	tmpdir_remove(path);
	append("agent", 1, 1, 1);
	start();
	turn_until(saved(SKM_FORWARD_AGENT) == 1);
	cr_assert_eq(mkdir(path, 0700), 0);
	append("auth", 1, 1, 1);
	restart(); /* the folder is looked for every minute; a restart stands for it */
	turn_until(saved(SKM_FORWARD_AUTH) == 1);
}

Test(forwarder, a_state_that_cannot_be_saved_stops_nothing)
{
	char path[TMPDIR_BYTES + 32];
	(void)snprintf(path, sizeof(path), "%s/state.new", world.state);
	cr_assert_eq(mkdir(path, 0700), 0); /* in the draft's place */
	append("agent", 1, 1, 2);
	start();
	turn_until(acknowledged(SKM_FORWARD_AGENT) == 2);
	cr_expect_eq(saved(SKM_FORWARD_AGENT), 0);
	cr_assert_eq(rmdir(path), 0);
	tmpdir_write(world.root, "{", "log/auth/00000002.jsonl"); /* anything that wakes it */
	turn_until(saved(SKM_FORWARD_AGENT) == 2);
	expect_received("agent", 0, "1 2");
}

Test(forwarder, a_damaged_state_sends_everything_again)
{
	append("agent", 1, 1, 2);
	start();
	turn_until(saved(SKM_FORWARD_AGENT) == 2);
	world.forwarder = skm_forwarder_free(world.forwarder);
	collector_turn(&collector);
	tmpdir_write(world.root, "x", "state/state");
	start();
	turn_until(saved(SKM_FORWARD_AGENT) == 2);
	expect_received("agent", 2, "1 2");
}

/* ---- what goes on record ---- */

Test(forwarder, vanished_records_are_told_once)
{
	append("agent", 1, 1, 2);
	start();
	turn_until(saved(SKM_FORWARD_AGENT) == 2);
	append("agent", 3, 8, 9);
	turn_until(saved(SKM_FORWARD_AGENT) == 9 && world.told_count == 1);
	cr_expect_eq(world.told[0].kind, SKM_FORWARD_NOTICE_MISSING);
	cr_expect_eq(world.told[0].stream, 0);
	cr_expect_eq(world.told[0].count, 5);
	restart();
	append("agent", 3, 10, 10);
	turn_until(saved(SKM_FORWARD_AGENT) == 10);
	cr_expect_eq(world.told_count, 1);
	tmpdir_write(world.root,
		"bad\x01line\n{\"time\":1,\"skm\":{\"stream\":\"auth\",\"n\":1,\"b\":\"x\"},\"m\":\"9e3779b1\"}\n",
		"log/auth/00000002.jsonl");
	turn_until(world.told_count == 2);
	cr_expect_eq(world.told[1].kind, SKM_FORWARD_NOTICE_UNSENT);
	cr_expect_eq(world.told[1].stream, 1);
	cr_expect_eq(world.told[1].count, 1);
}

Test(forwarder, what_could_not_be_told_is_told_later)
{
	world.tell_result = -ECONNREFUSED;
	append("agent", 1, 1, 1);
	start();
	turn_until(saved(SKM_FORWARD_AGENT) == 1);
	append("agent", 3, 4, 4);
	turn_until(saved(SKM_FORWARD_AGENT) == 4);
	world.tell_result = 0;
	append("agent", 3, 5, 5);
	turn_until(saved(SKM_FORWARD_AGENT) == 5);
	cr_expect_eq(world.told_count, 0, "not within a minute");
	world.now.boottime_usec += 60 * SKM_USEC_PER_SEC;
	append("agent", 3, 6, 6);
	turn_until(world.told_count == 1);
	cr_expect_eq(world.told[0].count, 2);
}

Test(forwarder, the_certificate_is_warned_about)
{
	world.not_after_sec = world.now.realtime_usec / (int64_t)SKM_USEC_PER_SEC + 40 * DAY;
	append("agent", 1, 1, 1);
	start();
	turn_until(world.told_count == 1);
	cr_expect_eq(world.told[0].kind, SKM_FORWARD_NOTICE_CERTIFICATE);
	cr_expect_eq(world.told[0].days, 90);
	cr_expect_eq(world.told[0].until_sec, world.not_after_sec);
	turn_until(saved(SKM_FORWARD_AGENT) == 1);
	restart();
	append("agent", 1, 2, 2);
	turn_until(saved(SKM_FORWARD_AGENT) == 2);
	cr_expect_eq(world.told_count, 1, "once, over a restart too");
	/* The connection stays for weeks. */
	world.now.realtime_usec += 34 * DAY * (int64_t)SKM_USEC_PER_SEC;
	append("agent", 1, 3, 3);
	turn_until(world.told_count == 2);
	cr_expect_eq(world.told[1].days, 7);
	/* Renewed: the file is read at the next connection. */
	world.not_after_sec += 365 * DAY;
	collector_hang_up(&collector, true);
	append("agent", 1, 4, 4);
	turn_until(saved(SKM_FORWARD_AGENT) == 4);
	cr_expect_eq(world.told_count, 2);
}

/* ---- a machine that is on without its agent ---- */

static unsigned signs_of_life(void)
{
	unsigned count = 0;
	for (unsigned i = 0; i < collector.message_count; i++)
		count += strcmp(collector.messages[i].text, HEAD "agent - alive - on") == 0;
	return count;
}

/* All that there was is delivered; nothing else would make a connection. */
static void deliver_and_restart(void)
{
	append("agent", 1, 1, 2);
	append("auth", 1, 1, 1);
	start();
	turn_until(saved(SKM_FORWARD_AGENT) == 2 && saved(SKM_FORWARD_AUTH) == 1);
	world.alive_ms = 30;
	collector_forget(&collector);
	restart();
}

Test(forwarder, the_collector_hears_of_a_machine_whose_agent_writes_nothing)
{
	deliver_and_restart();
	turn_until(signs_of_life() >= 2);
	cr_expect_eq(collector.message_count, signs_of_life(), "and nothing else");
	cr_expect_eq(acknowledged(SKM_FORWARD_AGENT), 2, "it is no record");
	append("agent", 1, 3, 3);
	turn_until(saved(SKM_FORWARD_AGENT) == 3);
	restart();
	turn_until(signs_of_life() >= 3);
	expect_received("agent", 0, "3");
}

Test(forwarder, a_record_of_the_second_factor_is_none_of_the_agent)
{
	deliver_and_restart();
	for (unsigned n = 2; signs_of_life() < 2; n++) {
		append("auth", 1, n, n);
		turn_until(saved(SKM_FORWARD_AUTH) == n);
	}
}

Test(forwarder, records_that_wait_come_before_a_sign_of_life_and_instead_of_it)
{
	world.alive_first_ms = 1;
	world.alive_ms = 3600000;
	append("agent", 1, 1, 3);
	start();
	turn_until(saved(SKM_FORWARD_AGENT) == 3);
	turn_a_while();
	cr_expect_eq(signs_of_life(), 0);
}

/* They were written before the machine was switched off; the agent was not started since. */
Test(forwarder, records_of_another_boot_come_before_a_sign_of_life_and_not_instead_of_it)
{
	world.alive_first_ms = 1;
	world.alive_ms = 3600000;
	world.boot_id = "0123456789abcdef0123456789abcdef";
	append("agent", 1, 1, 3);
	start();
	turn_until(signs_of_life() == 1);
	expect_received("agent", 1, "1 2 3");
	cr_expect_str_eq(collector.messages[collector.message_count - 1].text, HEAD "agent - alive - on");
	turn_until(saved(SKM_FORWARD_AGENT) == 3);
}

Test(forwarder, a_sign_of_life_that_was_not_heard_comes_again)
{
	append("agent", 1, 1, 1);
	start();
	turn_until(saved(SKM_FORWARD_AGENT) == 1);
	collector.is_manual = true;
	world.alive_ms = 3600000; /* the second one is an hour away */
	world.alive_first_ms = 20;
	restart();
	turn_until(signs_of_life() == 1);
	collector_hang_up(&collector, true);
	turn_until(signs_of_life() == 2);
	collector_answer(&collector, collector.messages[collector.message_count - 1].txnr, "200 OK");
	turn_a_while();
	collector_hang_up(&collector, false);
	turn_a_while();
	cr_expect_eq(signs_of_life(), 2, "once it was heard");
}

Test(forwarder, without_a_collector_nobody_is_told)
{
	world.alive_ms = 20;
	start_with(config_for(0));
	turn_a_while();
	cr_expect_eq(collector.connections, 0);
}

/* ---- the end ---- */

Test(forwarder, the_end_waits_for_the_last_records)
{
	append("agent", 1, 1, 1);
	start();
	turn_until(saved(SKM_FORWARD_AGENT) == 1);
	skm_forwarder_end(world.forwarder);
	turn();
	append("agent", 1, 2, 2); /* "the agent was stopped" */
	turn_until(saved(SKM_FORWARD_AGENT) == 2);
	cr_expect_eq(skm_loop_run(world.loop), 0, "it ends when nothing more comes");
}

Test(forwarder, the_end_without_a_connection_is_at_once)
{
	skm_fd_close(&collector.listen_fd);
	append("agent", 1, 1, 1);
	start();
	turn_a_while();
	uint64_t before_ms = now_ms();
	skm_forwarder_end(world.forwarder);
	cr_expect_lt(now_ms() - before_ms, (uint64_t)1000);
}
