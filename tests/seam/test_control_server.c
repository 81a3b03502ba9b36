// SPDX-License-Identifier: Apache-2.0
/* The server runs in a process of its own, with the real loop on a real socket; the test is its callers. What
 * needs other users needs root, as the agent itself does. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "control_server.h"
#include "tmpdir.h"

#define NOBODY 65534
#define SOMEBODY 54321
#define ROLE_GROUP "games" /* Debian's and Fedora's base system both have it */
#define DEVICES 400	   /* of several kB each: more than a socket's buffer takes */
#define ASK_MS 2000

struct agent {
	char folder[TMPDIR_BYTES];
	char path[TMPDIR_BYTES + 16];
	pid_t pid;
	int stop_fd;
};

static void give_status(void *user, struct skm_status *ret_status)
{
	(void)user;
	*ret_status = (struct skm_status){
		.version = "test", .pid = 42, .gate_is_closed = true, .device_count = DEVICES};
}

static int give_next_device(void *user, const char *after, struct skm_device_report *ret_report)
{
	(void)user;
	unsigned next = after[0] ? (unsigned)strtoul(after + 2, NULL, 10) + 1 : 0;
	if (next >= DEVICES)
		return 0;
	*ret_report = (struct skm_device_report){.state = SKM_DEVICE_STATE_SETTLED};
	(void)snprintf(ret_report->device.port, sizeof(ret_report->device.port), "1-%u", next);
	memset(ret_report->device.serial, 's', sizeof(ret_report->device.serial) - 1);
	ret_report->device.interface_count = SKM_USB_INTERFACES_MAX;
	return 1;
}

static const struct skm_control_source asked = {.status = give_status, .next_device = give_next_device};
static const char *const roles[] = {"no-such-group-of-sekimori", ROLE_GROUP};

static int on_stop(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	skm_loop_stop(user);
	return 0;
}

/* A test that fails half-way leaves no process behind. A change of user takes this back, so it comes after
 * that. */
static void die_with_parent(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Exits 0 only when the loop ended in good order. */
static _Noreturn void serve(const char *path, int stop_fd, unsigned spare_fds)
{
	struct skm_loop *loop = NULL;
	struct skm_control_server *server = NULL;
	struct skm_source *stop = NULL;
	die_with_parent();
	if (skm_loop_new(&loop) != 0 || skm_loop_add_fd(loop, stop_fd, EPOLLIN, on_stop, loop, &stop) != 0)
		_exit(10);
	if (skm_control_server_new(loop, path, &asked, roles, SKM_ARRAY_SIZE(roles), &server) != 0)
		_exit(11);
	if (spare_fds) {
		int next = dup(0);
		struct rlimit limit = {
			.rlim_cur = (rlim_t)next + spare_fds, .rlim_max = (rlim_t)next + spare_fds};
		(void)close(next);
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			_exit(12);
	}
	int r = skm_loop_run(loop);
	(void)skm_control_server_free(server);
	(void)skm_loop_free(loop);
	_exit(r == 0 ? 0 : 13);
}

static void agent_start(struct agent *agent, unsigned spare_fds)
{
	int pipes[2];
	tmpdir_make(agent->folder);
	cr_assert_eq(chmod(agent->folder, 0755), 0);
	(void)snprintf(agent->path, sizeof(agent->path), "%s/control", agent->folder);
	cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
	agent->pid = fork();
	cr_assert_geq(agent->pid, 0);
	if (agent->pid == 0) {
		(void)close(pipes[1]);
		serve(agent->path, pipes[0], spare_fds);
	}
	(void)close(pipes[0]);
	agent->stop_fd = pipes[1];
	for (int i = 0; i < 500 && access(agent->path, F_OK) != 0; i++)
		(void)usleep(10000);
	(void)usleep(20000); /* between bind and listen */
}

/* The pipe's end is the sign to leave; whatever connections there are are closed by the server. */
static void agent_stop(struct agent *agent)
{
	int status = -1;
	skm_fd_close(&agent->stop_fd);
	cr_assert_eq(waitpid(agent->pid, &status, 0), agent->pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the server's end: %x", (unsigned)status);
	cr_expect_eq(access(agent->path, F_OK), -1, "the socket file is taken away");
	tmpdir_remove(agent->folder);
}

static unsigned agent_fds(const struct agent *agent)
{
	char command[64];
	unsigned count = 0;
	(void)snprintf(command, sizeof(command), "ls /proc/%d/fd | wc -l", (int)agent->pid);
	FILE *pipe = popen(command, "r");
	cr_assert_not_null(pipe);
	cr_assert_eq(fscanf(pipe, "%u", &count), 1);
	(void)pclose(pipe);
	return count;
}

static unsigned long agent_cpu_ticks(const struct agent *agent)
{
	char path[64];
	unsigned long user = 0;
	unsigned long system = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)agent->pid);
	FILE *file = fopen(path, "re");
	cr_assert_not_null(file);
	cr_assert_eq(
		fscanf(file, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system),
		2);
	(void)fclose(file);
	return user + system;
}

static double now_sec(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int connect_raw(const struct agent *agent)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", agent->path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int r = -errno;
		(void)close(fd);
		return r;
	}
	return fd;
}

static int on_status(void *user, const uint8_t *body, size_t len)
{
	return skm_status_decode(body, len, user);
}

static int ask_status(const struct agent *agent)
{
	struct skm_status status = {0};
	int r = skm_control_ask(agent->path, SKM_CONTROL_STATUS, ASK_MS, on_status, &status);
	return r == 0 && status.pid != 42 ? -EPROTO : r;
}

struct seen {
	unsigned count;
	bool is_wrong;
};

static int on_device(void *user, const uint8_t *body, size_t len)
{
	struct seen *seen = user;
	static struct skm_device_report report;
	int r = skm_device_report_decode(body, len, &report);
	char port[16];
	(void)snprintf(port, sizeof(port), "1-%u", seen->count++);
	seen->is_wrong = seen->is_wrong || r < 0 || strcmp(report.device.port, port) != 0;
	return 0;
}

static int ask_devices(const struct agent *agent)
{
	struct seen seen = {0};
	int r = skm_control_ask(agent->path, SKM_CONTROL_DEVICES, ASK_MS, on_device, &seen);
	return r == 0 && (seen.is_wrong || seen.count != DEVICES) ? -EPROTO : r;
}

typedef int (*caller_fn)(const struct agent *agent);

/* What `ask` returns to a user with these groups; the first is the primary one. */
static int as_user(const struct agent *agent, uid_t uid, const gid_t *groups, size_t count, caller_fn ask)
{
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		if (setgroups(count - 1, groups + 1) < 0 || setresgid(groups[0], groups[0], groups[0]) < 0 ||
			setresuid(uid, uid, uid) < 0)
			_exit(99);
		die_with_parent();
		int r = ask(agent);
		_exit(r < 0 ? 98 : r);
	}
	int status = 0;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) != 99);
	return WEXITSTATUS(status) == 98 ? -1 : WEXITSTATUS(status);
}

static gid_t role_gid(void)
{
	const struct group *group = getgrnam(ROLE_GROUP);
	cr_assert_not_null(group);
	return group->gr_gid;
}

static void need_root(void)
{
	if (geteuid() != 0)
		cr_skip_test("needs root to be other users");
}

/* The server hung up within that time. */
static bool is_hung_up(int fd, int timeout_ms)
{
	uint8_t buf[64];
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	return poll(&poll_fd, 1, timeout_ms) == 1 && recv(fd, buf, sizeof(buf), MSG_DONTWAIT) <= 0;
}

TestSuite(control_server, .init = need_root, .timeout = 60);

Test(control_server, root_is_answered)
{
	struct agent agent;
	agent_start(&agent, 0);
	struct stat info;
	cr_assert_eq(stat(agent.path, &info), 0);
	cr_expect_eq(info.st_mode & 07777u, 0666u);
	cr_expect_eq(ask_status(&agent), 0);
	cr_expect_eq(ask_devices(&agent), 0);
	agent_stop(&agent);
}

Test(control_server, who_has_no_role_is_denied_everything)
{
	struct agent agent;
	agent_start(&agent, 0);
	const gid_t none[] = {NOBODY};
	const gid_t others[] = {NOBODY, 1, 2, 3};
	cr_expect_eq(as_user(&agent, NOBODY, none, 1, ask_status), SKM_CONTROL_CLIENT_DENIED);
	cr_expect_eq(as_user(&agent, NOBODY, none, 1, ask_devices), SKM_CONTROL_CLIENT_DENIED);
	cr_expect_eq(as_user(&agent, NOBODY, others, 4, ask_status), SKM_CONTROL_CLIENT_DENIED);
	agent_stop(&agent);
}

Test(control_server, a_role_is_any_of_the_callers_groups)
{
	struct agent agent;
	agent_start(&agent, 0);
	const gid_t primary[] = {role_gid()};
	const gid_t supplementary[] = {NOBODY, role_gid()};
	gid_t many[200]; /* more than the server's first guess holds */
	for (size_t i = 0; i < SKM_ARRAY_SIZE(many); i++)
		many[i] = (gid_t)(70000 - i);
	many[150] = role_gid();
	cr_expect_eq(as_user(&agent, SOMEBODY, primary, 1, ask_status), 0);
	cr_expect_eq(as_user(&agent, SOMEBODY, supplementary, 2, ask_devices), 0);
	cr_expect_eq(as_user(&agent, SOMEBODY, many, SKM_ARRAY_SIZE(many), ask_status), 0);
	many[150] = 70001;
	cr_expect_eq(
		as_user(&agent, SOMEBODY, many, SKM_ARRAY_SIZE(many), ask_status), SKM_CONTROL_CLIENT_DENIED);
	agent_stop(&agent);
}

Test(control_server, half_a_message_ends_the_connection)
{
	struct agent agent;
	agent_start(&agent, 0);
	const uint8_t whole[] = {SKM_CONTROL_VERSION, SKM_CONTROL_STATUS, 0, 0, 0, 0, 0, 0, 'x'};
	for (size_t len = 1; len <= sizeof(whole); len++) {
		if (len == SKM_CONTROL_HEADER_BYTES)
			continue;
		int fd = connect_raw(&agent);
		cr_assert_geq(fd, 0);
		cr_assert_eq(send(fd, whole, len, MSG_NOSIGNAL), (ssize_t)len);
		cr_expect(is_hung_up(fd, 1000), "%zu bytes", len);
		(void)close(fd);
	}
	cr_expect_eq(ask_status(&agent), 0);
	agent_stop(&agent);
}

Test(control_server, what_it_does_not_know_is_a_bad_request)
{
	struct agent agent;
	agent_start(&agent, 0);
	const uint8_t packets[][9] = {
		{9, SKM_CONTROL_STATUS, 0, 0, 0, 0, 0, 0},
		{SKM_CONTROL_VERSION, 77, 0, 0, 0, 0, 0, 0},
		{SKM_CONTROL_VERSION, 0, 0, 0, 0, 0, 0, 0},
		{SKM_CONTROL_VERSION, SKM_CONTROL_STATUS, 0, 0, 1, 0, 0, 0, 'x'},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(packets); i++) {
		uint8_t answer[64];
		int fd = connect_raw(&agent);
		cr_assert_geq(fd, 0);
		cr_assert_gt(send(fd, packets[i], SKM_CONTROL_HEADER_BYTES + packets[i][4], MSG_NOSIGNAL), 0);
		cr_assert_eq(recv(fd, answer, sizeof(answer), 0), SKM_CONTROL_HEADER_BYTES, "packet %zu", i);
		cr_expect_eq(answer[0], SKM_CONTROL_VERSION);
		cr_expect_eq(answer[1], SKM_CONTROL_BAD_REQUEST);
		cr_expect(is_hung_up(fd, 1000));
		(void)close(fd);
	}
	agent_stop(&agent);
}

Test(control_server, who_says_nothing_is_dropped_after_a_while)
{
	struct agent agent;
	agent_start(&agent, 0);
	unsigned before = agent_fds(&agent);
	double start = now_sec();
	int fd = connect_raw(&agent);
	cr_assert_geq(fd, 0);
	cr_expect_not(is_hung_up(fd, SKM_CONTROL_PATIENCE_MS - 1000));
	cr_expect(is_hung_up(fd, 4000));
	cr_expect_lt(now_sec() - start, SKM_CONTROL_PATIENCE_MS / 1000.0 + 3);
	cr_expect_eq(agent_fds(&agent), before);
	(void)close(fd);
	agent_stop(&agent);
}

Test(control_server, who_does_not_read_costs_nobody_else)
{
	struct agent agent;
	agent_start(&agent, 0);
	unsigned before = agent_fds(&agent);
	const uint8_t request[] = {SKM_CONTROL_VERSION, SKM_CONTROL_DEVICES, 0, 0, 0, 0, 0, 0};
	int fd = connect_raw(&agent);
	cr_assert_geq(fd, 0);
	cr_assert_eq(send(fd, request, sizeof(request), MSG_NOSIGNAL), (ssize_t)sizeof(request));
	(void)usleep(200000);
	unsigned long ticks = agent_cpu_ticks(&agent);
	for (int i = 0; i < 10; i++) {
		cr_expect_eq(ask_status(&agent), 0);
		(void)usleep(100000);
	}
	cr_expect_lt(agent_cpu_ticks(&agent) - ticks, 50u, "the server spins");
	(void)usleep((SKM_CONTROL_PATIENCE_MS - 1000 + 500) * 1000);
	cr_expect_eq(agent_fds(&agent), before, "still there");
	(void)close(fd);
	agent_stop(&agent);
}

Test(control_server, who_reads_slowly_gets_all_of_it)
{
	struct agent agent;
	agent_start(&agent, 0);
	const uint8_t request[] = {SKM_CONTROL_VERSION, SKM_CONTROL_DEVICES, 0, 0, 0, 0, 0, 0};
	static uint8_t packet[SKM_CONTROL_MESSAGE_MAX];
	struct seen seen = {0};
	int fd = connect_raw(&agent);
	cr_assert_geq(fd, 0);
	cr_assert_eq(send(fd, request, sizeof(request), MSG_NOSIGNAL), (ssize_t)sizeof(request));
	for (;;) {
		(void)usleep(seen.count % 50 == 0 ? 200000 : 0);
		ssize_t n = recv(fd, packet, sizeof(packet), 0);
		cr_assert_geq(n, SKM_CONTROL_HEADER_BYTES);
		if (packet[1] == SKM_CONTROL_END)
			break;
		cr_assert_eq(packet[1], SKM_CONTROL_MORE);
		(void)on_device(
			&seen, packet + SKM_CONTROL_HEADER_BYTES, (size_t)n - SKM_CONTROL_HEADER_BYTES);
	}
	cr_expect_eq(seen.count, DEVICES);
	cr_expect_not(seen.is_wrong);
	(void)close(fd);
	agent_stop(&agent);
}

/* Connects a thousand times, says so, and holds what it has until it is killed. */
static _Noreturn void flood(const struct agent *agent, int done_fd)
{
	static int fds[1000];
	die_with_parent();
	for (size_t i = 0; i < SKM_ARRAY_SIZE(fds); i++) {
		fds[i] = connect_raw(agent);
		if (fds[i] >= 0)
			(void)send(fds[i], "\x01", 1, MSG_NOSIGNAL | MSG_DONTWAIT); /* half a message */
	}
	if (write(done_fd, "x", 1) == 1)
		(void)pause();
	_exit(0);
}

static void expect_calm_under_flood(uid_t uid, gid_t gid)
{
	struct agent agent;
	int done[2];
	agent_start(&agent, 0);
	unsigned before = agent_fds(&agent);
	cr_assert_eq(pipe2(done, O_CLOEXEC | O_NONBLOCK), 0);
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
			_exit(99);
		flood(&agent, done[1]);
	}
	unsigned asked_times = 0;
	char sign = 0;
	while (read(done[0], &sign, 1) < 0) {
		cr_assert_eq(errno, EAGAIN);
		cr_assert_eq(ask_status(&agent), 0, "root is answered during the flood");
		cr_assert_leq(agent_fds(&agent), before + SKM_CONTROL_CONNECTIONS_PER_UID + 1);
		asked_times++;
	}
	cr_expect_eq(sign, 'x');
	cr_expect_eq(ask_devices(&agent), 0);
	cr_expect_leq(agent_fds(&agent), before + SKM_CONTROL_CONNECTIONS_PER_UID);
	cr_log_info("asked %u times meanwhile", asked_times);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	cr_expect_eq(ask_status(&agent), 0);
	agent_stop(&agent);
}

Test(control_server, a_thousand_connections_of_an_unprivileged_user)
{
	expect_calm_under_flood(NOBODY, NOBODY);
}

Test(control_server, a_thousand_connections_of_an_auditor)
{
	expect_calm_under_flood(SOMEBODY, role_gid());
}

static int fill_own_places(const struct agent *agent)
{
	for (int i = 0; i < SKM_CONTROL_CONNECTIONS_PER_UID; i++)
		if (connect_raw(agent) < 0)
			return -1;
	(void)usleep(50000);
	return ask_status(agent);
}

Test(control_server, one_user_has_only_so_many_places)
{
	struct agent agent;
	agent_start(&agent, 0);
	const gid_t groups[] = {role_gid()};
	cr_expect_eq(as_user(&agent, SOMEBODY, groups, 1, fill_own_places), SKM_CONTROL_CLIENT_BUSY);
	cr_expect_eq(as_user(&agent, SOMEBODY, groups, 1, ask_status), 0,
		"places are free again once he has left");
	agent_stop(&agent);
}

Test(control_server, all_together_have_only_so_many_but_root_is_let_in)
{
	struct agent agent;
	agent_start(&agent, 0);
	int fds[SKM_CONTROL_CONNECTIONS_MAX];
	for (size_t i = 0; i < SKM_ARRAY_SIZE(fds); i++)
		cr_assert_geq(fds[i] = connect_raw(&agent), 0);
	cr_expect_eq(ask_status(&agent), 0);
	const gid_t groups[] = {role_gid()};
	cr_expect_eq(as_user(&agent, SOMEBODY, groups, 1, ask_status), SKM_CONTROL_CLIENT_BUSY);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(fds); i++)
		(void)close(fds[i]);
	(void)usleep(50000);
	cr_expect_eq(as_user(&agent, SOMEBODY, groups, 1, ask_status), 0);
	agent_stop(&agent);
}

Test(control_server, without_descriptors_it_waits_and_does_not_spin)
{
	struct agent agent;
	agent_start(&agent, 3);
	int fds[10];
	for (size_t i = 0; i < SKM_ARRAY_SIZE(fds); i++)
		cr_assert_geq(fds[i] = connect_raw(&agent), 0);
	(void)usleep(100000);
	unsigned long ticks = agent_cpu_ticks(&agent);
	(void)usleep(1000000);
	cr_expect_lt(agent_cpu_ticks(&agent) - ticks, 20u, "the server spins");
	for (size_t i = 0; i < SKM_ARRAY_SIZE(fds); i++)
		(void)close(fds[i]);
	cr_expect_eq(ask_status(&agent), 0);
	agent_stop(&agent);
}

Test(control_server, a_dead_agents_socket_is_replaced_and_a_living_ones_is_not)
{
	struct agent agent;
	struct skm_loop *loop = NULL;
	struct skm_control_server *server = NULL;
	agent_start(&agent, 0);
	cr_assert_eq(skm_loop_new(&loop), 0);
	cr_expect_eq(skm_control_server_new(loop, agent.path, &asked, roles, 2, &server), -EADDRINUSE);
	cr_expect_eq(ask_status(&agent), 0, "the living one goes on");
	(void)kill(agent.pid, SIGKILL);
	(void)waitpid(agent.pid, NULL, 0);
	cr_expect_eq(ask_status(&agent), -ECONNREFUSED);
	cr_assert_eq(skm_control_server_new(loop, agent.path, &asked, roles, 2, &server), 0);
	(void)skm_control_server_free(server);
	tmpdir_write(agent.folder, "not a socket", "control");
	cr_expect_eq(skm_control_server_new(loop, agent.path, &asked, roles, 2, &server), -EEXIST);
	tmpdir_expect(agent.folder, "not a socket", "control");
	(void)skm_loop_free(loop);
	(void)close(agent.stop_fd);
	tmpdir_remove(agent.folder);
}

/* Frozen, and so many wait already that nobody else can: that is not dead. */
Test(control_server, a_crowded_agents_socket_is_not_taken)
{
	struct agent agent;
	struct skm_loop *loop = NULL;
	struct skm_control_server *server = NULL;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fds[300];
	size_t count = 0;
	agent_start(&agent, 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", agent.path);
	(void)kill(agent.pid, SIGSTOP);
	for (; count < SKM_ARRAY_SIZE(fds); count++) {
		fds[count] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (connect(fds[count], (const struct sockaddr *)&address, sizeof(address)) < 0)
			break;
	}
	cr_assert_lt(count, SKM_ARRAY_SIZE(fds), "the queue has an end");
	cr_assert_eq(skm_loop_new(&loop), 0);
	cr_expect_eq(skm_control_server_new(loop, agent.path, &asked, roles, 2, &server), -EADDRINUSE);
	cr_expect_eq(skm_control_ask(agent.path, SKM_CONTROL_STATUS, 300, on_status, NULL), -ETIMEDOUT);
	for (size_t i = 0; i <= count; i++)
		(void)close(fds[i]);
	(void)kill(agent.pid, SIGCONT);
	cr_expect_eq(ask_status(&agent), 0);
	(void)skm_loop_free(loop);
	agent_stop(&agent);
}

Test(control_server, a_frozen_agent_is_reported_in_time)
{
	struct agent agent;
	agent_start(&agent, 0);
	(void)kill(agent.pid, SIGSTOP);
	double start = now_sec();
	cr_expect_eq(skm_control_ask(agent.path, SKM_CONTROL_STATUS, 300, on_status, NULL), -ETIMEDOUT);
	cr_expect_lt(now_sec() - start, 1.5);
	(void)kill(agent.pid, SIGCONT);
	cr_expect_eq(ask_status(&agent), 0);
	agent_stop(&agent);
}
