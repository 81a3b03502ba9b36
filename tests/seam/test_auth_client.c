// SPDX-License-Identifier: Apache-2.0
/* The client against a server that is wrong in each way. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "fake_authd.h"

#define NOBODY 65534
#define SHORT_MS 120
#define LONG_MS 20000 /* ends early in every test that passes */

static struct fake_authd authd;
static struct fake_authd_orders orders;
static struct skm_auth_writer request;
static unsigned answer_count, last_code, code_to_refuse = 999;
static uint32_t budget_ms;

/* In place of libc's: lets a test hold the client between its connection and its request. */
static bool waits_for_the_hang_up;
int connect(int fd, const struct sockaddr *address, socklen_t len)
{
	int (*next)(int, const struct sockaddr *, socklen_t) = NULL;
	void *symbol = dlsym(RTLD_NEXT, "connect");
	memcpy(&next, &symbol, sizeof(next));
	int r = next(fd, address, len);
	if (r == 0 && waits_for_the_hang_up) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};
		cr_assert_eq(poll(&poll_fd, 1, LONG_MS), 1);
	}
	return r;
}

static int on_answer(void *user, const struct skm_auth_packet *answer)
{
	cr_expect_eq(user, (void *)&answer_count);
	answer_count++;
	last_code = answer->code;
	return answer->code == code_to_refuse ? -ENOTSUP : 0;
}

static uint64_t now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static unsigned open_fds(void)
{
	unsigned count = 0;
	DIR *dir = opendir("/proc/self/fd");
	while (readdir(dir))
		count++;
	(void)closedir(dir);
	return count;
}

/* Asks; nothing may stay open, nothing may last longer than allowed. */
static int ask(const char *path, uint32_t given_ms)
{
	answer_count = 0;
	last_code = 999;
	budget_ms = given_ms;
	unsigned fds = open_fds();
	uint64_t start = now_ms();
	int r = skm_auth_ask(path, &request, &budget_ms, on_answer, &answer_count);
	uint64_t used = now_ms() - start;
	cr_expect_eq(open_fds(), fds);
	cr_expect_leq(used, given_ms + 1000);
	cr_expect_leq(budget_ms, given_ms);
	if (r == -ETIMEDOUT || r == -EAGAIN) {
		cr_expect_eq(budget_ms, 0);
		cr_expect_geq(used + 1, given_ms);
	}
	return r;
}

static void begin(void)
{
	skm_auth_write_begin(&request, SKM_AUTH_PREPARE);
	skm_auth_write_text(&request, SKM_AUTH_TAG_USER, "yamada");
	fake_authd_say(&orders.prepare, SKM_AUTH_PROMPT);
	fake_authd_say_number(&orders.prepare, SKM_AUTH_TAG_DIGITS, 6);
	fake_authd_say(&orders.other, SKM_AUTH_BUSY);
}

static void expect(enum fake_authd_way way, uint32_t given_ms, int expected)
{
	orders.way = way;
	fake_authd_start(&authd, &orders);
	cr_expect_eq(ask(authd.path, given_ms), expected);
	fake_authd_stop(&authd);
}

TestSuite(auth_client, .init = begin, .timeout = 120);

Test(auth_client, a_question_is_answered)
{
	fake_authd_start(&authd, &orders);
	cr_expect_eq(ask(authd.path, LONG_MS), 0);
	cr_expect_eq(answer_count, 1);
	cr_expect_eq(last_code, SKM_AUTH_PROMPT);
	cr_expect_gt(budget_ms, 0);
	cr_expect_eq(authd.seen->last_prepare_len, request.len);
	cr_expect_eq(memcmp(authd.seen->last_prepare, request.buf, request.len), 0);
	fake_authd_stop(&authd);
}

Test(auth_client, nobody_there)
{
	expect(FAKE_AUTHD_ABSENT, LONG_MS, -ENOENT);
	expect(FAKE_AUTHD_DEAD, LONG_MS, -ECONNREFUSED);
	cr_expect_eq(answer_count, 0);
}

Test(auth_client, no_answer_in_time)
{
	expect(FAKE_AUTHD_NEVER_ACCEPTS, SHORT_MS, -ETIMEDOUT);
	expect(FAKE_AUTHD_NEVER_ANSWERS, SHORT_MS, -ETIMEDOUT);
	expect(FAKE_AUTHD_ENDLESS_MORE, SHORT_MS, -ETIMEDOUT);
	cr_expect_gt(answer_count, 0);
}

Test(auth_client, a_late_answer_takes_from_the_budget)
{
	orders.late_ms = 100;
	fake_authd_start(&authd, &orders);
	cr_expect_eq(ask(authd.path, LONG_MS), 0);
	cr_expect_leq(budget_ms, LONG_MS - 99);
	fake_authd_stop(&authd);
}

Test(auth_client, an_empty_budget_asks_nothing)
{
	fake_authd_start(&authd, &orders);
	cr_expect_eq(ask(authd.path, 0), -ETIMEDOUT);
	cr_expect_eq(authd.seen->connections, 0);
	fake_authd_stop(&authd);
}

Test(auth_client, hung_up)
{
	expect(FAKE_AUTHD_HANGS_UP, LONG_MS, -ECONNRESET);
}

Test(auth_client, an_answer_at_the_door_is_heard)
{
	for (unsigned i = 0; i < 20; i++) { /* before, while or after the request is sent */
		waits_for_the_hang_up = i % 2;
		expect(FAKE_AUTHD_ANSWERS_AT_DOOR, LONG_MS, 0);
		cr_expect_eq(last_code, SKM_AUTH_BUSY);
	}
}

Test(auth_client, a_server_that_is_somebody_else_learns_nothing)
{
	if (geteuid() != 0)
		return; /* only root can make a stranger */
	orders.uid = NOBODY;
	orders.way = FAKE_AUTHD_ANSWERS;
	fake_authd_start(&authd, &orders);
	cr_expect_eq(ask(authd.path, LONG_MS), -EPERM);
	cr_expect_eq(answer_count, 0);
	/* the next connection is accepted after ours was read to its end */
	cr_assert_eq(chmod(authd.folder, 0755), 0);
	cr_assert_eq(chmod(authd.path, 0666), 0);
	cr_assert_eq(seteuid(NOBODY), 0);
	cr_expect_eq(ask(authd.path, LONG_MS), 0, "one's own server is trusted");
	cr_assert_eq(seteuid(0), 0);
	cr_expect_eq(authd.seen->connections, 2);
	cr_expect_eq(authd.seen->prepares, 1);
	fake_authd_stop(&authd);
}

static void expect_malformed(const void *bytes, size_t len, int expected)
{
	memcpy(orders.prepare.bytes, bytes, len);
	orders.prepare.len = len;
	expect(FAKE_AUTHD_ANSWERS, LONG_MS, expected);
	cr_expect_eq(answer_count, 0);
}

Test(auth_client, malformed_answers)
{
	expect_malformed("\1", 1, -EBADMSG);
	expect_malformed("\2\2", 2, -EPROTO);
	expect_malformed("\1\2\x23\x08\0\6", 6, -EBADMSG);
	expect_malformed("\1\x12", 2, -EBADMSG); /* an outcome that does not exist */
	expect_malformed("\1\xff", 2, -EBADMSG);
	static uint8_t large[SKM_AUTH_PACKET_MAX + 1] = {
		SKM_AUTH_VERSION, SKM_AUTH_OK, SKM_AUTH_TAG_TICKET, 0xfb, 0x1f};
	expect_malformed(large, sizeof(large), -EBADMSG);
}

Test(auth_client, more_and_an_end)
{
	orders.prepare.more_before = 3;
	expect(FAKE_AUTHD_ANSWERS, LONG_MS, 0);
	cr_expect_eq(answer_count, 4);
	orders.prepare.len = 0; /* the end never comes */
	expect(FAKE_AUTHD_ANSWERS, LONG_MS, -ECONNRESET);
	cr_expect_eq(answer_count, 3);
}

Test(auth_client, who_takes_the_answers_may_end_it)
{
	orders.prepare.more_before = 3;
	code_to_refuse = SKM_AUTH_MORE;
	expect(FAKE_AUTHD_ANSWERS, LONG_MS, -ENOTSUP);
	cr_expect_eq(answer_count, 1);
}

/* One connection more than the queue holds must wait. */
static unsigned fill_queue(int fds[64])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, authd.path, strlen(authd.path) + 1);
	for (unsigned i = 0; i < 64; i++) {
		fds[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (connect(fds[i], (const struct sockaddr *)&address, sizeof(address)) < 0) {
			cr_assert_eq(errno, EAGAIN);
			skm_fd_close(&fds[i]);
			return i;
		}
	}
	cr_assert_fail("the queue has no end");
	return 0;
}

Test(auth_client, a_queue_that_stays_full)
{
	orders.way = FAKE_AUTHD_NEVER_ACCEPTS;
	orders.backlog = 1;
	fake_authd_start(&authd, &orders);
	int fds[64];
	unsigned count = fill_queue(fds);
	cr_expect_eq(ask(authd.path, SHORT_MS), -EAGAIN);
	while (count > 0)
		skm_fd_close(&fds[--count]);
	fake_authd_stop(&authd);
}

Test(auth_client, a_thousand_at_once_all_get_their_answer)
{
	orders.backlog = 4;
	fake_authd_start(&authd, &orders);
	pid_t askers[20];
	for (unsigned i = 0; i < SKM_ARRAY_SIZE(askers); i++) {
		askers[i] = fork();
		cr_assert_geq(askers[i], 0);
		if (askers[i] != 0)
			continue;
		for (unsigned k = 0; k < 50; k++) {
			uint32_t patience_ms = LONG_MS;
			if (skm_auth_ask(authd.path, &request, &patience_ms, on_answer, &answer_count) != 0)
				_exit(1);
		}
		_exit(answer_count == 50 ? 0 : 2);
	}
	for (unsigned i = 0; i < SKM_ARRAY_SIZE(askers); i++) {
		int status = 0;
		cr_assert_eq(waitpid(askers[i], &status, 0), askers[i]);
		cr_expect_eq(status, 0);
	}
	cr_expect_eq(authd.seen->prepares, 1000);
	fake_authd_stop(&authd);
}

static void on_alarm(int number)
{
	(void)number;
}

Test(auth_client, signals_neither_end_nor_lengthen_it)
{
	struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
	cr_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
	struct itimerval often = {.it_interval = {.tv_usec = 2000}, .it_value = {.tv_usec = 2000}};
	orders.late_ms = 60;
	fake_authd_start(&authd, &orders);
	cr_assert_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
	cr_expect_eq(ask(authd.path, LONG_MS), 0);
	cr_assert_eq(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL), 0);
	fake_authd_stop(&authd);

	orders.way = FAKE_AUTHD_NEVER_ACCEPTS;
	orders.backlog = 1;
	fake_authd_start(&authd, &orders);
	int fds[64];
	unsigned count = fill_queue(fds);
	cr_assert_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
	int r = ask(authd.path, SHORT_MS);
	cr_assert_eq(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL), 0);
	cr_expect(r == -ETIMEDOUT || r == -EAGAIN, "%d", r);
	while (count > 0)
		skm_fd_close(&fds[--count]);
	fake_authd_stop(&authd);
}

Test(auth_client, what_cannot_be_asked_is_not)
{
	char path[200];
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	cr_expect_eq(ask(path, LONG_MS), -ENAMETOOLONG);
	fake_authd_start(&authd, &orders);
	skm_auth_write_text(&request, SKM_AUTH_TAG_USER, "again");
	cr_expect_eq(ask(authd.path, LONG_MS), -EINVAL);
	cr_expect_eq(authd.seen->connections, 0);
	fake_authd_stop(&authd);
}
