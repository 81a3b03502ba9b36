// SPDX-License-Identifier: Apache-2.0
/* Server and callers in one process, turn by turn: the loop is run as far as it goes, then a caller acts. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "sekimori/packet_server.h"
#include "tmpdir.h"

#define NOBODY 65534
#define PATIENCE_MS 200
#define LONG_ANSWER_BYTES 4096

static struct fixture {
	char folder[TMPDIR_BYTES];
	char path[TMPDIR_BYTES + 16];
	struct skm_loop *loop;
	struct skm_packet_server *server;
	/* what the handler does */
	bool denies_others;
	unsigned answers_at_once, answers_later;
	/* what it saw */
	unsigned requests;
	size_t request_len;
	struct skm_packet_caller caller;
	int last_send;
} fixture;

static bool admit(void *user, const struct skm_packet_caller *caller)
{
	const struct fixture *f = user;
	return !f->denies_others || caller->uid == 0;
}

/* Numbered, so that the order is seen. */
static int send_answer(struct skm_packet_connection *connection, unsigned number, size_t len)
{
	static uint8_t packet[LONG_ANSWER_BYTES];
	memcpy(packet, &number, sizeof(number));
	return skm_packet_send(connection, packet, len);
}

static int on_request(void *user, struct skm_packet_connection *connection, const uint8_t *packet, size_t len)
{
	struct fixture *f = user;
	f->requests++;
	f->request_len = len;
	f->caller = *skm_packet_caller_of(connection);
	if (packet[0] == 'x')
		return -EBADMSG;
	if (f->answers_later)
		return SKM_PACKET_MORE;
	for (unsigned i = 0; i < f->answers_at_once; i++) {
		f->last_send = send_answer(connection, i, LONG_ANSWER_BYTES);
		if (f->last_send < 0)
			return f->last_send;
	}
	return f->answers_at_once ? SKM_PACKET_DONE : skm_packet_send(connection, "yes", 3);
}

static int on_room(void *user, struct skm_packet_connection *connection)
{
	struct fixture *f = user;
	unsigned *next = skm_packet_data_of(connection);
	int r = send_answer(connection, *next, LONG_ANSWER_BYTES);
	if (r < 0)
		return r;
	return ++*next < f->answers_later ? SKM_PACKET_MORE : SKM_PACKET_DONE;
}

static void setup(void)
{
	static const char *const roles[] = {"no-such-group-of-sekimori", "root", "games"};
	const struct skm_packet_options options = {.patience_ms = PATIENCE_MS,
		.per_user_max = 2,
		.total_max = 3,
		.data_bytes = sizeof(unsigned),
		.role_groups = roles,
		.role_group_count = SKM_ARRAY_SIZE(roles)};
	const struct skm_packet_handler handler = {.admit = admit,
		.on_request = on_request,
		.on_room = on_room,
		.user = &fixture,
		.denied = {"no", 2},
		.busy = {"busy", 4}};
	int fd = -1;
	tmpdir_make(fixture.folder);
	cr_assert_eq(chmod(fixture.folder, 0755), 0);
	(void)snprintf(fixture.path, sizeof(fixture.path), "%s/socket", fixture.folder);
	cr_assert_eq(skm_packet_listen(fixture.path, &fd), 0);
	cr_assert_eq(skm_loop_new(&fixture.loop), 0);
	cr_assert_eq(skm_packet_server_new(fixture.loop, &fd, &options, &handler, &fixture.server), 0);
	cr_assert_eq(fd, -1, "taken over");
}

static void teardown(void)
{
	fixture.server = skm_packet_server_free(fixture.server);
	fixture.loop = skm_loop_free(fixture.loop);
	tmpdir_remove(fixture.folder);
}

TestSuite(packet_server, .init = setup, .fini = teardown, .timeout = 30);

/* Everything that can be done now. */
static void run(void)
{
	for (unsigned i = 0; i < 8; i++)
		cr_assert_eq(skm_loop_run_once(fixture.loop, 0), 0);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static int caller(const void *request, size_t len)
{
	int fd = connect_to(fixture.path);
	cr_assert_geq(fd, 0);
	if (len)
		cr_assert_eq(send(fd, request, len, MSG_NOSIGNAL), (ssize_t)len);
	return fd;
}

/* Bytes of the packet; 0 = hung up; -1 = nothing yet. */
static ssize_t receive(int fd, void *buf, size_t size)
{
	ssize_t n = recv(fd, buf, size, 0);
	return n < 0 && errno == ECONNRESET ? 0 : n;
}

static void expect_answer(int fd, const char *text)
{
	char buf[16] = "";
	ssize_t n = receive(fd, buf, sizeof(buf) - 1);
	cr_expect(n == (ssize_t)strlen(text) && strcmp(buf, text) == 0, "%zd bytes \"%s\", not \"%s\"", n,
		buf, text);
}

static void expect_hung_up(int fd)
{
	char buf[16];
	cr_expect_eq(receive(fd, buf, sizeof(buf)), 0);
	(void)close(fd);
}

Test(packet_server, a_request_is_answered_and_the_kernel_says_whose)
{
	int fd = caller("hello", 5);
	run();
	expect_answer(fd, "yes");
	expect_hung_up(fd);
	cr_expect_eq(fixture.request_len, 5u);
	cr_expect_eq(fixture.caller.uid, geteuid());
	cr_expect_eq(fixture.caller.gid, getegid());
	cr_expect_eq(fixture.caller.pid, getpid());
	cr_expect_eq(fixture.caller.roles & 3u, 0u, "a group that is not there, and number 0, are nobody's");
	cr_expect_eq(skm_packet_server_connections(fixture.server), 0u);
}

Test(packet_server, who_has_given_up_is_not_asked_for)
{
	int fds[4];
	for (size_t i = 0; i < SKM_ARRAY_SIZE(fds); i++)
		fds[i] = caller("hello", 5);
	(void)close(fds[1]);
	(void)close(fds[2]);
	run();
	cr_expect_eq(fixture.requests, 2u, "%u", fixture.requests);
	expect_answer(fds[0], "yes");
	expect_answer(fds[3], "yes");
	(void)close(fds[0]);
	(void)close(fds[3]);
}

/* He sat in the queue while the one before him was served, and left meanwhile. */
static int close_fd = -1;
static int on_request_slow(
	void *user, struct skm_packet_connection *connection, const uint8_t *packet, size_t len)
{
	skm_fd_close(&close_fd);
	return on_request(user, connection, packet, len);
}

Test(packet_server, who_gives_up_while_another_is_served_is_not_asked_for)
{
	const struct skm_packet_options options = {.patience_ms = 5000, .per_user_max = 8, .total_max = 8};
	const struct skm_packet_handler handler = {.on_request = on_request_slow, .user = &fixture};
	struct skm_packet_server *server = NULL;
	char path[TMPDIR_BYTES + 16];
	int listen_fd = -1;
	(void)snprintf(path, sizeof(path), "%s/slow", fixture.folder);
	cr_assert_eq(skm_packet_listen(path, &listen_fd), 0);
	cr_assert_eq(skm_packet_server_new(fixture.loop, &listen_fd, &options, &handler, &server), 0);
	int first = connect_to(path);
	close_fd = connect_to(path);
	cr_assert_eq(skm_loop_run_once(fixture.loop, 0), 0); /* both are let in */
	cr_assert_eq(skm_packet_server_connections(server), 2u);
	cr_assert_eq(send(first, "a", 1, 0), 1);
	cr_assert_eq(send(close_fd, "b", 1, 0), 1);
	run();
	cr_expect_eq(fixture.requests, 1u, "%u", fixture.requests);
	(void)close(first);
	(void)skm_packet_server_free(server);
}

Test(packet_server, what_does_not_fit_is_kept_in_order)
{
	static uint8_t packet[LONG_ANSWER_BYTES];
	fixture.answers_at_once = 200;
	int fd = caller("hello", 5);
	run();
	cr_expect_eq(skm_packet_server_connections(fixture.server), 1u, "he has not read yet");
	for (unsigned i = 0; i < fixture.answers_at_once; i++) {
		unsigned number = 0;
		ssize_t n = receive(fd, packet, sizeof(packet));
		if (n < 0) {
			run();
			n = receive(fd, packet, sizeof(packet));
		}
		cr_assert_eq(n, LONG_ANSWER_BYTES, "packet %u: %zd", i, n);
		memcpy(&number, packet, sizeof(number));
		cr_assert_eq(number, i);
	}
	run();
	expect_hung_up(fd);
	cr_expect_eq(skm_packet_server_connections(fixture.server), 0u);
}

Test(packet_server, what_is_kept_has_an_end)
{
	fixture.answers_at_once = 1000;
	int fd = caller("hello", 5);
	run();
	cr_expect_eq(fixture.last_send, -ENOBUFS);
	cr_expect_eq(skm_packet_server_connections(fixture.server), 0u, "he is dropped");
	(void)close(fd);
}

Test(packet_server, more_is_asked_for_as_far_as_he_reads)
{
	static uint8_t packet[LONG_ANSWER_BYTES];
	fixture.answers_later = 100;
	int fd = caller("hello", 5);
	for (unsigned i = 0; i < fixture.answers_later; i++) {
		unsigned number = 0;
		run();
		cr_assert_eq(receive(fd, packet, sizeof(packet)), LONG_ANSWER_BYTES, "packet %u", i);
		memcpy(&number, packet, sizeof(number));
		cr_assert_eq(number, i);
	}
	run();
	expect_hung_up(fd);
}

Test(packet_server, what_is_no_request_ends_the_connection)
{
	static uint8_t packet[SKM_PACKET_REQUEST_MAX + 1];
	int fd = caller(packet, sizeof(packet));
	run();
	expect_hung_up(fd);
	cr_expect_eq(fixture.requests, 0u, "too long");
	fd = connect_to(fixture.path);
	cr_assert_eq(send(fd, "", 0, 0), 0);
	run();
	expect_hung_up(fd);
	cr_expect_eq(fixture.requests, 0u, "empty");
	fd = caller(packet, SKM_PACKET_REQUEST_MAX);
	run();
	expect_answer(fd, "yes");
	cr_expect_eq(fixture.request_len, SKM_PACKET_REQUEST_MAX);
	(void)close(fd);
	fd = caller("x", 1);
	run();
	expect_hung_up(fd);
}

Test(packet_server, who_says_nothing_is_dropped)
{
	int fd = caller(NULL, 0);
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	run();
	cr_expect_eq(skm_packet_server_connections(fixture.server), 1u);
	for (unsigned i = 0; i < 100 && poll(&poll_fd, 1, 0) == 0; i++)
		cr_assert_eq(skm_loop_run_once(fixture.loop, PATIENCE_MS), 0);
	expect_hung_up(fd);
	cr_expect_eq(skm_packet_server_connections(fixture.server), 0u);
}

/* The timer that was armed for the first must not be forgotten for the second. */
Test(packet_server, everybodys_patience_ends)
{
	int first = caller(NULL, 0);
	run();
	cr_assert_eq(skm_loop_run_once(fixture.loop, PATIENCE_MS / 2), 0);
	(void)close(first);
	run();
	int second = caller(NULL, 0);
	run();
	for (unsigned i = 0; i < 100 && skm_packet_server_connections(fixture.server) > 0; i++)
		cr_assert_eq(skm_loop_run_once(fixture.loop, PATIENCE_MS), 0);
	expect_hung_up(second);
}

Test(packet_server, a_closed_door_lets_those_inside_finish)
{
	int inside = caller(NULL, 0);
	run();
	int outside = caller("hello", 5);
	skm_packet_server_close_door(fixture.server);
	cr_assert_eq(send(inside, "hello", 5, 0), 5);
	run();
	expect_answer(inside, "yes");
	expect_hung_up(outside);
	cr_expect_eq(fixture.requests, 1u);
	(void)close(inside);
}

Test(packet_server, idle_begins_when_the_last_one_left)
{
	int fd = caller(NULL, 0);
	run();
	cr_expect_eq(skm_packet_server_idle_ms(fixture.server), 0u);
	(void)close(fd);
	run();
	cr_expect_eq(skm_packet_server_connections(fixture.server), 0u);
	struct pollfd poll_fd = {.fd = -1};
	cr_assert_eq(poll(&poll_fd, 1, 20), 0);
	uint64_t idle_ms = skm_packet_server_idle_ms(fixture.server);
	cr_expect(idle_ms >= 19 && idle_ms < 10000, "%lu", (unsigned long)idle_ms);
}

/* ---- other users: needs root ---- */

/* Connects `count` times as nobody, holds them, and tells on the pipe what the last was told. */
static pid_t others(unsigned count, const gid_t *groups, size_t group_count, int *ret_hold_fd)
{
	int hold[2];
	int ready[2];
	cr_assert_eq(pipe2(hold, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		char byte;
		(void)close(hold[1]);
		if (setgroups(group_count, groups) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			setresuid(NOBODY, NOBODY, NOBODY) < 0)
			_exit(99);
		int fd = -1;
		for (unsigned i = 0; i < count; i++)
			fd = connect_to(fixture.path);
		(void)!send(fd, "hello", 5, MSG_NOSIGNAL);
		(void)!write(ready[1], "", 1);
		(void)!read(hold[0], &byte, 1); /* the test has run the server */
		char answer[16] = "";
		(void)receive(fd, answer, sizeof(answer) - 1);
		_exit(strcmp(answer, "yes") == 0      ? 1
			: strcmp(answer, "busy") == 0 ? 2
			: strcmp(answer, "no") == 0   ? 3
						      : 4);
	}
	char byte;
	(void)close(hold[0]);
	(void)close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	*ret_hold_fd = hold[1];
	return pid;
}

static int exit_of(pid_t pid, int hold_fd)
{
	int status = 0;
	(void)close(hold_fd);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void need_root(void)
{
	if (geteuid() != 0)
		cr_skip_test("needs root to be other users");
}

Test(packet_server, one_user_has_only_so_many_places)
{
	need_root();
	int hold = -1;
	pid_t pid = others(3, NULL, 0, &hold);
	run();
	cr_expect_eq(skm_packet_server_connections(fixture.server), 2u);
	int fds[8];
	for (size_t i = 0; i < SKM_ARRAY_SIZE(fds); i++)
		fds[i] = caller("hello", 5);
	run();
	for (size_t i = 0; i < SKM_ARRAY_SIZE(fds); i++) {
		expect_answer(fds[i], "yes"); /* root is not shut out */
		(void)close(fds[i]);
	}
	cr_expect_eq(exit_of(pid, hold), 2, "the third was told \"busy\"");
}

Test(packet_server, who_may_not_ask_is_told_and_holds_nothing)
{
	need_root();
	fixture.denies_others = true;
	int hold = -1;
	pid_t pid = others(1, NULL, 0, &hold);
	run();
	cr_expect_eq(skm_packet_server_connections(fixture.server), 0u);
	cr_expect_eq(fixture.requests, 0u);
	cr_expect_eq(exit_of(pid, hold), 3);
}

Test(packet_server, roles_are_the_callers_groups)
{
	need_root();
	const struct group *games = getgrnam("games");
	cr_assert_not_null(games);
	gid_t groups[200];
	for (size_t i = 0; i < SKM_ARRAY_SIZE(groups); i++)
		groups[i] = (gid_t)(70000 + i);
	groups[150] = games->gr_gid;
	int hold = -1;
	pid_t pid = others(1, groups, SKM_ARRAY_SIZE(groups), &hold);
	run();
	cr_expect_eq(fixture.caller.uid, (uid_t)NOBODY);
	cr_expect_eq(
		fixture.caller.roles, 4u, "the third of the names, and no other: %x", fixture.caller.roles);
	cr_expect_eq(exit_of(pid, hold), 1);
}

/* ---- the socket that systemd hands over ---- */

/* In a process of its own, since it is descriptor 3: 0, SKM_PACKET_NOT_GIVEN, or the errno as 100 + n. */
static int given(int fd, const char *pid_text, const char *count)
{
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		char own[16];
		int got = -1;
		(void)snprintf(own, sizeof(own), "%d", (int)getpid());
		if (fd >= 0 && dup2(fd, 3) != 3)
			_exit(99);
		if (fd < 0)
			(void)close(3);
		if (pid_text)
			(void)setenv("LISTEN_PID", *pid_text ? pid_text : own, 1);
		if (count)
			(void)setenv("LISTEN_FDS", count, 1);
		int r = skm_packet_listen_given(&got);
		if (r == 0 &&
			(got != 3 || !(fcntl(3, F_GETFD) & FD_CLOEXEC) || !(fcntl(3, F_GETFL) & O_NONBLOCK)))
			_exit(98);
		_exit(r < 0 ? 100 - r : r);
	}
	int status = 0;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static int bound_socket(int type, bool listens)
{
	static unsigned number;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/given-%u", fixture.folder, number++);
	int fd = socket(AF_UNIX, type, 0);
	cr_assert_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	if (listens)
		cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

Test(packet_server, the_given_socket_is_looked_at)
{
	int right = bound_socket(SOCK_SEQPACKET, true);
	const int protocol = 100 + EPROTO;
	cr_expect_eq(given(right, "", "1"), 0);
	cr_expect_eq(given(right, NULL, "1"), SKM_PACKET_NOT_GIVEN);
	cr_expect_eq(given(right, "", NULL), SKM_PACKET_NOT_GIVEN);
	cr_expect_eq(given(right, "1", "1"), SKM_PACKET_NOT_GIVEN, "another process is meant");
	cr_expect_eq(given(right, "x", "1"), SKM_PACKET_NOT_GIVEN);
	cr_expect_eq(given(right, "", "2"), protocol);
	cr_expect_eq(given(right, "", "0"), protocol);
	cr_expect_eq(given(right, "", "-1"), protocol);
	cr_expect_eq(given(-1, "", "1"), protocol, "nothing is there");
	cr_expect_eq(given(bound_socket(SOCK_SEQPACKET, false), "", "1"), protocol, "does not listen");
	cr_expect_eq(given(bound_socket(SOCK_STREAM, true), "", "1"), protocol);
	cr_expect_eq(given(bound_socket(SOCK_DGRAM, false), "", "1"), protocol);
	cr_expect_eq(given(socket(AF_INET, SOCK_STREAM, 0), "", "1"), protocol);
	int file = open(fixture.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_expect_eq(given(file, "", "1"), protocol);
}

Test(packet_server, a_path_that_cannot_be_a_socket)
{
	char path[200];
	int fd = -1;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	cr_expect_eq(skm_packet_listen(path, &fd), -ENAMETOOLONG);
	(void)snprintf(path, sizeof(path), "%s/none/socket", fixture.folder);
	cr_expect_eq(skm_packet_listen(path, &fd), -ENOENT);
	cr_expect_eq(skm_packet_listen(fixture.path, &fd), -EADDRINUSE);
	cr_expect_eq(fd, -1);
}

Test(packet_server, what_is_too_much_leaves_the_socket_with_the_caller)
{
	static const char *const many[SKM_PACKET_ROLES_MAX + 1] = {
		"a", "b", "c", "d", "e", "f", "g", "h", "i"};
	const struct skm_packet_options options = {
		.patience_ms = 1, .role_groups = many, .role_group_count = SKM_ARRAY_SIZE(many)};
	const struct skm_packet_handler handler = {.on_request = on_request, .user = &fixture};
	struct skm_packet_server *server = NULL;
	int fd = bound_socket(SOCK_SEQPACKET, true);
	cr_expect_eq(skm_packet_server_new(fixture.loop, &fd, &options, &handler, &server), -E2BIG);
	cr_expect_geq(fcntl(fd, F_GETFD), 0);
	cr_expect_null(server);
	(void)close(fd);
}
