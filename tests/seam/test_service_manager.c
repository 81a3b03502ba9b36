// SPDX-License-Identifier: Apache-2.0
/* The question about the machine's state, asked of a manager that answers late, wrongly, or among much else.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "service_manager.h"
#include "stop_record.h"
#include "tmpdir.h"

#define TIMEOUT_MS 20000

static char root[TMPDIR_BYTES], path[TMPDIR_BYTES + 16];
static int listen_fd = -1;
static pthread_t thread;

/* What the manager does with one caller. */
static struct {
	const char *greeting; /* NULL = none */
	uint8_t answer[8192];
	size_t answer_len;
	bool is_silent; /* keeps the connection and says nothing more */
	/* what it heard */
	char heard[1024];
	size_t heard_len;
} manager;

static void setup(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	tmpdir_make(root);
	snprintf(path, sizeof(path), "%s/private", root);
	memset(&manager, 0, sizeof(manager));
	manager.greeting = "OK 0123456789abcdef0123456789abcdef\r\n";
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listen_fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listen_fd, 1), 0);
}

static void teardown(void)
{
	close(listen_fd);
	tmpdir_remove(root);
}

TestSuite(service_manager, .init = setup, .fini = teardown, .timeout = 60);

static void hear_until(int fd, const char *end, size_t end_len)
{
	while (manager.heard_len < end_len ||
		memcmp(manager.heard + manager.heard_len - end_len, end, end_len) != 0) {
		if (manager.heard_len == sizeof(manager.heard) ||
			read(fd, manager.heard + manager.heard_len, 1) != 1)
			return;
		manager.heard_len++;
	}
}

static void *serve(void *unused)
{
	char rest[64];
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	hear_until(fd, "BEGIN\r\n", 7);
	if (manager.greeting)
		(void)!write(fd, manager.greeting, strlen(manager.greeting));
	if (manager.answer_len > 0) {
		hear_until(fd, "SystemState", 12);
		/* In two parts: an answer comes as it likes. */
		(void)!write(fd, manager.answer, 7);
		(void)!write(fd, manager.answer + 7, manager.answer_len - 7);
	}
	while (manager.is_silent && read(fd, rest, sizeof(rest)) > 0)
		;
	close(fd);
	return unused;
}

static int ask(uint32_t timeout_ms, char ret_state[SKM_MANAGER_STATE_BYTES])
{
	cr_assert_eq(pthread_create(&thread, NULL, serve, NULL), 0);
	int r = skm_manager_state_read(path, timeout_ms, ret_state);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	return r;
}

static void put(const void *bytes, size_t len)
{
	cr_assert_leq(manager.answer_len + len, sizeof(manager.answer));
	memcpy(manager.answer + manager.answer_len, bytes, len);
	manager.answer_len += len;
}

static void put_number(uint32_t number, bool is_little)
{
	uint8_t bytes[4];
	for (unsigned i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(number >> (8 * (is_little ? i : 3 - i)));
	put(bytes, 4);
}

static void put_head(char order, uint8_t type, uint32_t body_len, uint32_t fields_len)
{
	const uint8_t head[] = {(uint8_t)order, type, 1, 1};
	put(head, sizeof(head));
	put_number(body_len, order == 'l');
	put_number(4711, order == 'l');
	put_number(fields_len, order == 'l');
}

/* Fields: REPLY_SERIAL u 1, SIGNATURE g "v", as sd-bus writes them; 15 bytes, padded to 16. */
static void put_reply(char order, const char *state)
{
	uint32_t len = (uint32_t)strlen(state);
	put_head(order, 2, 8 + len + 1, 15);
	put((const uint8_t[]){5, 1, 'u', 0}, 4);
	put_number(1, order == 'l');
	put((const uint8_t[]){8, 1, 'g', 0, 1, 'v', 0, 0}, 8);
	put((const uint8_t[]){1, 's', 0, 0}, 4);
	put_number(len, order == 'l');
	put(state, len + 1);
}

static void put_signal(uint32_t body_len)
{
	static const uint8_t zeros[4096];
	put_head('l', 4, body_len, 13);
	put(zeros, 16 + body_len);
}

static void expect_state(const char *expected)
{
	char state[SKM_MANAGER_STATE_BYTES] = "untouched";
	int r = ask(TIMEOUT_MS, state);
	cr_assert_eq(r, 0, "%d", r);
	cr_assert_str_eq(state, expected);
}

static void expect_failure(int expected, uint32_t timeout_ms)
{
	char state[SKM_MANAGER_STATE_BYTES] = "untouched";
	int r = ask(timeout_ms, state);
	cr_assert_eq(r, expected, "%d", r);
	cr_assert_str_eq(state, "untouched");
}

Test(service_manager, asks_as_the_specification_says)
{
	static const char auth[] = "\0AUTH EXTERNAL 30\r\nBEGIN\r\n";
	put_reply('l', "running");
	expect_state("running");
	if (geteuid() == 0)
		cr_assert_eq(memcmp(manager.heard, auth, sizeof(auth) - 1), 0);
	const char *begin = memmem(manager.heard, manager.heard_len, "BEGIN\r\n", 7);
	const uint8_t *message = (const uint8_t *)begin + 7;
	size_t len = manager.heard_len - (size_t)((const char *)message - manager.heard);
	cr_assert_eq(message[0], 'l');
	cr_assert_eq(message[1], 1);
	uint32_t body_len = message[4], fields_len = message[12];
	cr_assert_eq(len, 16 + (fields_len + 7) / 8 * 8 + body_len, "no byte too many: %zu", len);
	cr_assert(memmem(message, len, "\1\1o\0\x19\0\0\0/org/freedesktop/systemd1", 34));
	cr_assert(memmem(message, len, "\3\1s\0\3\0\0\0Get", 12));
	cr_assert(memmem(message, len, "\x8\1g\0\2ss", 8));
}

Test(service_manager, reads_either_byte_order)
{
	put_reply('B', "degraded");
	expect_state("degraded");
}

Test(service_manager, steps_over_the_signals_of_a_shutdown)
{
	put_signal(3);
	put_signal(4000);
	put_signal(0);
	put_reply('l', "stopping");
	expect_state("stopping");
}

Test(service_manager, does_not_wait_for_ever)
{
	manager.is_silent = true;
	expect_failure(-ETIMEDOUT, 50);
}

Test(service_manager, does_not_wait_for_ever_without_a_greeting)
{
	manager.is_silent = true;
	manager.greeting = NULL;
	expect_failure(-ETIMEDOUT, 50);
}

Test(service_manager, is_refused)
{
	manager.greeting = "REJECTED EXTERNAL\r\n";
	expect_failure(-EACCES, TIMEOUT_MS);
}

Test(service_manager, nobody_is_there)
{
	char state[SKM_MANAGER_STATE_BYTES], long_path[128];
	cr_assert_eq(skm_manager_state_read("/nonexistent/private", TIMEOUT_MS, state), -ENOENT);
	snprintf(long_path, sizeof(long_path), "%0120d", 0);
	cr_assert_eq(skm_manager_state_read(long_path, TIMEOUT_MS, state), -ENAMETOOLONG);
}

static void answer_error(void)
{
	put_head('l', 3, 0, 0);
}
static void answer_longer_than_the_room(void)
{
	put_reply('l', "a-state-of-thirty-two-characters");
}
static void answer_with_a_huge_length(void)
{
	put_head('l', 2, UINT32_MAX, UINT32_MAX);
}
static void answer_with_a_huge_signal(void)
{
	put_head('l', 4, UINT32_MAX, UINT32_MAX);
}
static void answer_no_variant_of_a_string(void)
{
	put_head('l', 2, 9, 0);
	put("\1u\0\0\1\0\0\0", 9);
}
static void answer_with_a_length_that_lies(void)
{
	put_head('l', 2, 9, 0);
	put("\1s\0\0\5\0\0\0", 9);
}
static void answer_too_short(void)
{
	put_head('l', 2, 4, 0);
	put("\1s\0\0", 4);
}
static void answer_cut_off(void)
{
	put_reply('l', "running");
	manager.answer_len -= 3;
}
static void answer_no_dbus(void)
{
	put("HTTP/1.1 400 Bad Request\r\n\r\n", 28);
}

Test(service_manager, an_answer_that_is_none_is_refused)
{
	static void (*const answers[])(void) = {answer_error, answer_longer_than_the_room,
		answer_with_a_huge_length, answer_with_a_huge_signal, answer_no_variant_of_a_string,
		answer_with_a_length_that_lies, answer_too_short, answer_cut_off, answer_no_dbus};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(answers); i++) {
		manager.answer_len = manager.heard_len = 0;
		answers[i]();
		expect_failure(-EBADMSG, TIMEOUT_MS);
	}
}

Test(service_manager, only_a_manager_that_is_stopping_means_a_shutdown)
{
	static const struct {
		const char *state;
		enum skm_stop_reason reason;
	} cases[] = {{"stopping", SKM_STOP_SHUTDOWN}, {"running", SKM_STOP_SERVICE},
		{"degraded", SKM_STOP_SERVICE}, {"maintenance", SKM_STOP_SERVICE},
		{"starting", SKM_STOP_SERVICE}, {"initializing", SKM_STOP_SERVICE},
		{"offline", SKM_STOP_UNKNOWN}, {"", SKM_STOP_UNKNOWN}, {"stopping ", SKM_STOP_UNKNOWN}};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++)
		cr_assert_eq(skm_manager_stop_reason(cases[i].state), cases[i].reason, "%s", cases[i].state);
}

Test(service_manager, the_record_of_the_stop_carries_the_reason)
{
	struct skm_record record;
	put_reply('l', "stopping");
	cr_assert_eq(pthread_create(&thread, NULL, serve, NULL), 0);
	skm_stop_record(path, root, 0, &record);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(record.event, SKM_EVENT_AGENT_STOP);
	cr_assert_str_eq(record.rule, "builtin:stop-shutdown");
	cr_assert_eq(record.outcome, SKM_OUTCOME_LOGGED);
	skm_stop_record("/nonexistent/private", root, 0, &record);
	cr_assert_str_eq(record.rule, "builtin:stop-unknown");
	cr_assert_str_eq(record.detail,
		"stopped, and the service manager does not say why: No such file or directory; the gate stays closed");
	skm_stop_record("/nonexistent/private", root, -EIO, &record);
	cr_assert_str_eq(record.rule, "builtin:stop-error");
	cr_assert_eq(record.outcome, SKM_OUTCOME_ERROR);
	cr_assert_str_eq(record.detail, "stopped by an error: Input/output error; the gate stays closed");
}

/* When systemd has made way for systemd-shutdown, nobody answers any more. */
Test(service_manager, what_runs_at_the_very_end_is_known_by_its_name)
{
	struct skm_record record;
	tmpdir_write(root, "systemd\n", "1/comm");
	skm_stop_record("/nonexistent/private", root, 0, &record);
	cr_assert_str_eq(record.rule, "builtin:stop-unknown");
	tmpdir_write(root, "systemd-shutdow\n", "1/comm");
	skm_stop_record("/nonexistent/private", root, 0, &record);
	cr_assert_str_eq(record.rule, "builtin:stop-shutdown");
	cr_assert_str_eq(record.detail, "stopped, since the machine goes down; the gate stays closed");
	skm_stop_record("/nonexistent/private", root, -EIO, &record);
	cr_assert_str_eq(record.rule, "builtin:stop-error");
}
