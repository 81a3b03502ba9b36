// SPDX-License-Identifier: Apache-2.0
/* Server and callers in one process, turn by turn. A caller is who he is at connect(2), so the test takes on
 * another effective user for that moment; what needs other users needs root. */
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "session_server.h"
#include "tmpdir.h"

#define TARO 54321
#define HANAKO 54322
#define CHILD_ROUNDS 600 /* of 100 ms */

static struct fixture {
	char folder[TMPDIR_BYTES];
	char path[TMPDIR_BYTES + 16];
	struct skm_loop *loop;
	struct skm_session_server *server;
} fixture;

static void setup(void)
{
	if (geteuid() != 0)
		cr_skip_test("needs root to be other users");
	tmpdir_make(fixture.folder);
	cr_assert_eq(chmod(fixture.folder, 0755), 0);
	(void)snprintf(fixture.path, sizeof(fixture.path), "%s/session", fixture.folder);
	cr_assert_eq(skm_loop_new(&fixture.loop), 0);
	cr_assert_eq(skm_session_server_new(fixture.loop, fixture.path, &fixture.server), 0);
}

static void teardown(void)
{
	fixture.server = skm_session_server_free(fixture.server);
	fixture.loop = skm_loop_free(fixture.loop);
	cr_expect_eq(access(fixture.path, F_OK), -1, "the socket file is taken away");
	tmpdir_remove(fixture.folder);
}

TestSuite(session_server, .init = setup, .fini = teardown, .timeout = 60);

static void run(void)
{
	for (unsigned i = 0; i < 8; i++)
		cr_assert_eq(skm_loop_run_once(fixture.loop, 0), 0);
}

static int connect_as(uid_t uid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", fixture.path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_geq(fd, 0);
	cr_assert_eq(seteuid(uid), 0);
	int r = connect(fd, (const struct sockaddr *)&address, sizeof(address));
	cr_assert_eq(seteuid(0), 0);
	cr_assert_eq(r, 0, "cannot connect: %s", strerror(errno));
	return fd;
}

static void say(int fd, uint8_t operation)
{
	const uint8_t packet[SKM_CONTROL_HEADER_BYTES] = {SKM_CONTROL_VERSION, operation};
	cr_assert_eq(send(fd, packet, sizeof(packet), MSG_NOSIGNAL), (ssize_t)sizeof(packet));
}

/* The result in the answer; -1 = nothing yet, -2 = hung up. */
static int heard(int fd)
{
	uint8_t packet[1024];
	ssize_t n = recv(fd, packet, sizeof(packet), 0);
	if (n < 0 && errno == EAGAIN)
		return -1;
	return n < SKM_CONTROL_HEADER_BYTES ? -2 : packet[1];
}

static int subscribe_as(uid_t uid)
{
	int fd = connect_as(uid);
	say(fd, SKM_CONTROL_SUBSCRIBE);
	run();
	cr_assert_eq(heard(fd), SKM_CONTROL_OK);
	return fd;
}

static void tell(uid_t uid, uint64_t receipt)
{
	const struct skm_refusal refusal = {
		.receipt = receipt, .kind = SKM_KIND_STORAGE, .product = "Ultra", .reason = "r"};
	skm_session_server_tell(fixture.server, uid, &refusal);
}

static uint64_t next_receipt(int fd)
{
	struct skm_refusal refusal = {0};
	return skm_control_next_refusal(fd, &refusal) == 0 ? refusal.receipt : 0;
}

static bool is_gone(int fd)
{
	struct skm_refusal refusal;
	return skm_control_next_refusal(fd, &refusal) == -ECONNRESET;
}

Test(session_server, each_hears_of_themselves_and_of_nobody_else)
{
	int taro = subscribe_as(TARO);
	int hanako = subscribe_as(HANAKO);
	int root = subscribe_as(0);
	tell(TARO, 1);
	tell(HANAKO, 2);
	tell(TARO, 3);
	cr_expect_eq(next_receipt(taro), 1);
	cr_expect_eq(next_receipt(taro), 3);
	cr_expect_eq(next_receipt(taro), 0);
	cr_expect_eq(next_receipt(hanako), 2);
	cr_expect_eq(next_receipt(hanako), 0);
	cr_expect_eq(next_receipt(root), 0, "not even root is told of others");
	(void)close(taro);
	(void)close(hanako);
	(void)close(root);
	run();
	tell(TARO, 4); /* nobody is there any more */
}

Test(session_server, nothing_can_be_asked_here)
{
	static const uint8_t questions[] = {
		0, SKM_CONTROL_STATUS, SKM_CONTROL_DEVICES, SKM_CONTROL_NOTICE, 5, 255};
	for (size_t i = 0; i < sizeof(questions); i++) {
		int fd = connect_as(i % 2 ? TARO : 0);
		say(fd, questions[i]);
		run();
		cr_expect_eq(heard(fd), SKM_CONTROL_BAD_REQUEST, "operation %u", questions[i]);
		cr_expect_eq(heard(fd), -2);
		(void)close(fd);
	}
}

Test(session_server, a_malformed_word_ends_the_connection)
{
	static const struct {
		uint8_t bytes[12];
		size_t len;
	} words[] = {
		{{SKM_CONTROL_VERSION}, 1},
		{{SKM_CONTROL_VERSION, SKM_CONTROL_SUBSCRIBE, 0, 0, 0, 0, 0}, 7},
		{{SKM_CONTROL_VERSION, SKM_CONTROL_SUBSCRIBE, 0, 0, 9, 0, 0, 0, 'x'}, 9},
		{{SKM_CONTROL_VERSION, SKM_CONTROL_SUBSCRIBE, 1, 0, 0, 0, 0, 0}, 8},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(words); i++) {
		int fd = connect_as(TARO);
		cr_assert_eq(send(fd, words[i].bytes, words[i].len, MSG_NOSIGNAL), (ssize_t)words[i].len);
		run();
		cr_expect(is_gone(fd), "word %zu", i);
		(void)close(fd);
	}
	/* A body, another version: understood, and refused. */
	int fd = connect_as(TARO);
	cr_assert_eq(send(fd, "\x01\x04\0\0\x01\0\0\0x", 9, MSG_NOSIGNAL), 9);
	run();
	cr_expect_eq(heard(fd), SKM_CONTROL_BAD_REQUEST);
	(void)close(fd);
}

Test(session_server, who_has_subscribed_has_nothing_more_to_say)
{
	int talker = subscribe_as(TARO);
	int listener = subscribe_as(TARO);
	say(talker, SKM_CONTROL_SUBSCRIBE);
	run();
	cr_expect(is_gone(talker));
	tell(TARO, 5);
	cr_expect_eq(next_receipt(listener), 5);
	(void)close(talker);
	(void)close(listener);
}

Test(session_server, places_are_limited_per_user)
{
	int taro[SKM_SESSION_PER_USER];
	for (size_t i = 0; i < SKM_ARRAY_SIZE(taro); i++)
		taro[i] = subscribe_as(TARO);
	int late = connect_as(TARO);
	run();
	cr_expect_eq(heard(late), SKM_CONTROL_BUSY);
	(void)close(late);
	int hanako = subscribe_as(HANAKO); /* has her own */
	(void)close(taro[0]);
	run();
	taro[0] = subscribe_as(TARO); /* a place that was left is free */
	tell(TARO, 6);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(taro); i++) {
		cr_expect_eq(next_receipt(taro[i]), 6, "place %zu", i);
		(void)close(taro[i]);
	}
	(void)close(hanako);
}

Test(session_server, places_are_limited_in_all)
{
	int fds[SKM_SESSION_PLACES_MAX];
	for (unsigned i = 0; i < SKM_ARRAY_SIZE(fds); i++)
		fds[i] = subscribe_as(60000 + i / SKM_SESSION_PER_USER);
	int late = connect_as(TARO);
	run();
	cr_expect_eq(heard(late), SKM_CONTROL_BUSY);
	(void)close(late);
	for (unsigned i = 0; i < SKM_ARRAY_SIZE(fds); i++)
		(void)close(fds[i]);
}

Test(session_server, who_does_not_read_is_dropped_and_costs_nobody)
{
	int sleeper = subscribe_as(TARO);
	int reader = subscribe_as(TARO);
	uint64_t count = 0;
	/* Far more than a socket takes; the reader keeps up. */
	for (uint64_t i = 1; i <= 5000; i++) {
		tell(TARO, i);
		count += next_receipt(reader) == i;
	}
	cr_expect_eq(count, 5000, "%llu", (unsigned long long)count);
	uint64_t last = 0;
	for (uint64_t receipt = 0; (receipt = next_receipt(sleeper)) != 0;)
		last = receipt;
	cr_expect_lt(last, 5000u, "all of it was kept for him");
	cr_expect(is_gone(sleeper), "still there");
	int place = subscribe_as(TARO);
	(void)close(place);
	(void)close(sleeper);
	(void)close(reader);
}

Test(session_server, who_says_nothing_is_dropped_and_who_listens_is_not)
{
	int listener = subscribe_as(TARO);
	int silent = connect_as(HANAKO);
	for (unsigned i = 0; i < 10 * SKM_SESSION_PATIENCE_MS / 100 && !is_gone(silent); i++)
		cr_assert_eq(skm_loop_run_once(fixture.loop, 100), 0);
	cr_expect(is_gone(silent));
	run();
	tell(TARO, 7);
	cr_expect_eq(next_receipt(listener), 7);
	(void)close(listener);
	(void)close(silent);
}

/* The client's side in a process of its own, as another user. */
Test(session_server, the_client_subscribes_and_hears)
{
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		int fd = -1;
		struct skm_refusal refusal = {0};
		if (setresgid(TARO, TARO, TARO) < 0 || setresuid(TARO, TARO, TARO) < 0)
			_exit(10);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (skm_control_subscribe(fixture.path, 30000, &fd) != 0)
			_exit(11);
		if (skm_control_next_refusal(fd, &refusal) < 0)
			_exit(12);
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		if (poll(&poll_fd, 1, 30000) != 1 || skm_control_next_refusal(fd, &refusal) != 0)
			_exit(13);
		_exit(refusal.kind == SKM_KIND_STORAGE && strcmp(refusal.product, "Ultra") == 0 ? 0 : 14);
	}
	int status = -1;
	unsigned round = 0;
	for (; round < CHILD_ROUNDS && waitpid(pid, &status, WNOHANG) == 0; round++) {
		cr_assert_eq(skm_loop_run_once(fixture.loop, 100), 0);
		tell(TARO, 8); /* as soon as he is there */
	}
	cr_expect(round < CHILD_ROUNDS && WIFEXITED(status) && WEXITSTATUS(status) == 0,
		"the client's end: %x", (unsigned)status);
	if (round == CHILD_ROUNDS) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, &status, 0);
	}
}

Test(session_server, a_client_of_an_agent_that_is_not_there)
{
	int fd = -7;
	cr_expect_eq(skm_control_subscribe("/nonexistent/session", 1000, &fd), -ENOENT);
	cr_expect_eq(fd, -7);
}
