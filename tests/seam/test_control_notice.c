// SPDX-License-Identifier: Apache-2.0
/* A notice on its way from the forwarder to the agent: the real client, the real server, and who may say it.
 */
#include <criterion/criterion.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "control_server.h"
#include "tmpdir.h"

#define NOBODY 65534
#define READERS "games" /* Debian's and Fedora's base system both have it */
#define ASK_MS 5000

static struct world {
	char root[TMPDIR_BYTES], path[TMPDIR_BYTES + 16];
	struct skm_loop *loop;
	struct skm_control_server *server;
	struct skm_forward_notice told;
	uid_t caller;
	unsigned count;
	int result;
} world;

static void give_status(void *user, struct skm_status *ret_status)
{
	(void)user;
	*ret_status = (struct skm_status){.pid = 1};
}

static int give_no_device(void *user, const char *after, struct skm_device_report *ret_report)
{
	(void)user;
	(void)after;
	(void)ret_report;
	return 0;
}

static int take_notice(
	void *user, const struct skm_packet_caller *caller, const struct skm_forward_notice *notice)
{
	(void)user;
	world.told = *notice;
	world.caller = caller->uid;
	world.count++;
	return world.result;
}

static void serve(bool takes_notices)
{
	static const char *const groups[] = {READERS, SKM_CONTROL_FORWARD_GROUP};
	const struct skm_control_source source = {.status = give_status,
		.next_device = give_no_device,
		.notice = takes_notices ? take_notice : NULL};
	cr_assert_eq(skm_control_server_new(
			     world.loop, world.path, &source, groups, SKM_ARRAY_SIZE(groups), &world.server),
		0);
}

static void setup(void)
{
	memset(&world, 0, sizeof(world));
	tmpdir_make(world.root);
	cr_assert_eq(chmod(world.root, 0755), 0);
	(void)snprintf(world.path, sizeof(world.path), "%s/control", world.root);
	cr_assert_eq(skm_loop_new(&world.loop), 0);
}

static void teardown(void)
{
	world.server = skm_control_server_free(world.server);
	world.loop = skm_loop_free(world.loop);
	tmpdir_remove(world.root);
}

TestSuite(control_notice, .init = setup, .fini = teardown);

static const struct skm_forward_notice notice = {
	.kind = SKM_FORWARD_NOTICE_MISSING, .stream = 1, .count = 17};

/* In a process of its own, as a user of its own: what it comes back with, negative errnos as 256 - errno. */
static int told_by(int (*say)(void), bool is_nobody)
{
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		const struct group *readers = getgrnam(READERS);
		if (is_nobody && (!readers || setgroups(1, &readers->gr_gid) < 0 ||
					 setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
					 setresuid(NOBODY, NOBODY, NOBODY) < 0))
			_exit(99);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(say() & 0xff);
	}
	int status = 0;
	while (waitpid(pid, &status, WNOHANG) == 0)
		cr_assert_eq(skm_loop_run_once(world.loop, 10), 0);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int say_it(void)
{
	return skm_control_tell(world.path, &notice, ASK_MS);
}

Test(control_notice, root_says_it)
{
	serve(true);
	cr_expect_eq(told_by(say_it, false), 0);
	cr_assert_eq(world.count, 1);
	cr_expect_eq(world.told.kind, SKM_FORWARD_NOTICE_MISSING);
	cr_expect_eq(world.told.stream, 1);
	cr_expect_eq(world.told.count, 17);
	cr_expect_eq(world.caller, getuid());
}

Test(control_notice, what_is_not_on_record_is_not_confirmed)
{
	serve(true);
	world.result = -ENOSPC;
	cr_expect_eq(told_by(say_it, false), SKM_CONTROL_CLIENT_BUSY);
	world.result = 0;
	cr_expect_eq(told_by(say_it, false), 0);
	cr_expect_eq(world.count, 2);
}

static int ignore_body(void *user, const uint8_t *body, size_t len)
{
	(void)user;
	(void)body;
	(void)len;
	return 0;
}

/* The client takes a server of root's or its own user's only, and both sides of this one are the tests'. So
 * the packet is sent by hand. Returns the answer's code. */
static int say_by_hand(const uint8_t *body, size_t len)
{
	uint8_t packet[256] = {0}, answer[256];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct skm_control_header header = {
		.version = SKM_CONTROL_VERSION, .code = SKM_CONTROL_NOTICE, .body_bytes = (uint32_t)len};
	struct skm_control_header found;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", world.path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		skm_control_header_encode(&header, packet, sizeof(packet)) < 0)
		return 98;
	memcpy(packet + SKM_CONTROL_HEADER_BYTES, body, len);
	(void)send(fd, packet, SKM_CONTROL_HEADER_BYTES + len, MSG_NOSIGNAL);
	ssize_t n = recv(fd, answer, sizeof(answer), 0);
	return n > 0 && skm_control_header_decode(answer, (size_t)n, &found) == 0 ? found.code : 97;
}

static int say_well(void)
{
	uint8_t body[64];
	size_t len = 0;
	return skm_forward_notice_encode(&notice, body, sizeof(body), &len) < 0 ? 96 : say_by_hand(body, len);
}

static int say_nonsense(void)
{
	return say_by_hand((const uint8_t *)"nonsense", 8);
}

static int say_nothing(void)
{
	return say_by_hand((const uint8_t *)"", 0);
}

Test(control_notice, an_auditor_may_not)
{
	serve(true);
	cr_expect_eq(told_by(say_well, true), SKM_CONTROL_DENIED);
	cr_expect_eq(world.count, 0);
}

Test(control_notice, nonsense)
{
	serve(true);
	cr_expect_eq(told_by(say_nonsense, false), SKM_CONTROL_BAD_REQUEST);
	cr_expect_eq(told_by(say_nothing, false), SKM_CONTROL_BAD_REQUEST);
	cr_expect_eq(world.count, 0);
	cr_expect_eq(told_by(say_well, false), SKM_CONTROL_OK);
}

static int ask_status(void)
{
	return skm_control_ask(world.path, SKM_CONTROL_STATUS, ASK_MS, ignore_body, NULL);
}

Test(control_notice, an_agent_that_takes_none)
{
	serve(false);
	cr_expect_eq(told_by(say_it, false), 256 - EBADMSG);
	cr_expect_eq(told_by(ask_status, false), 0, "the rest goes on");
}

Test(control_notice, nobody_is_there)
{
	cr_expect_eq(skm_control_tell(world.path, &notice, ASK_MS), -ENOENT);
}
