// SPDX-License-Identifier: Apache-2.0
#include "fake_authd.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static const uint8_t more[] = {SKM_AUTH_VERSION, SKM_AUTH_MORE};

static const struct fake_authd_answer *note(
	struct fake_authd_seen *seen, const struct fake_authd_orders *orders, const uint8_t *buf, size_t len)
{
	if (len < 2)
		return NULL;
	if (buf[1] == SKM_AUTH_PREPARE) {
		seen->prepares++;
		memcpy(seen->last_prepare, buf, len);
		seen->last_prepare_len = len;
		return &orders->prepare;
	}
	if (buf[1] == SKM_AUTH_VERIFY) {
		seen->verifies++;
		memcpy(seen->last_verify, buf, len);
		seen->last_verify_len = len;
		return &orders->verify;
	}
	return &orders->other;
}

static void answer(int fd, const struct fake_authd_answer *answer)
{
	for (unsigned i = 0; i < answer->more_before; i++)
		(void)send(fd, more, sizeof(more), MSG_NOSIGNAL);
	if (answer->len)
		(void)send(fd, answer->bytes, answer->len, MSG_NOSIGNAL);
}

static void serve_one(int fd, const struct fake_authd_orders *orders, struct fake_authd_seen *seen)
{
	static uint8_t buf[SKM_AUTH_PACKET_MAX];
	seen->connections++;
	if (orders->way == FAKE_AUTHD_ANSWERS_AT_DOOR) {
		answer(fd, &orders->other);
		return;
	}
	ssize_t n = recv(fd, buf, sizeof(buf), 0);
	const struct fake_authd_answer *fitting = n > 0 ? note(seen, orders, buf, (size_t)n) : NULL;
	if (!fitting)
		return;
	if (orders->way == FAKE_AUTHD_ANSWERS)
		answer(fd, fitting);
	else if (orders->way == FAKE_AUTHD_ENDLESS_MORE)
		while (send(fd, more, sizeof(more), MSG_NOSIGNAL) > 0) {
		}
	else if (orders->way == FAKE_AUTHD_NEVER_ANSWERS)
		(void)recv(fd, buf, sizeof(buf), 0); /* until the asker hangs up */
}

static _Noreturn void serve(
	int listen_fd, const struct fake_authd_orders *orders, struct fake_authd_seen *seen)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		if (orders->late_ms)
			(void)poll(NULL, 0, (int)orders->late_ms);
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			_exit(1);
		serve_one(fd, orders, seen);
		(void)close(fd);
	}
}

/* Who calls listen(2) is who SO_PEERCRED names. */
static void listen_as(int fd, const struct fake_authd_orders *orders)
{
	uid_t before = geteuid();
	if (orders->uid)
		cr_assert_eq(seteuid(orders->uid), 0);
	cr_assert_eq(listen(fd, orders->backlog ? orders->backlog : 64), 0);
	if (orders->uid)
		cr_assert_eq(seteuid(before), 0);
}

void fake_authd_start(struct fake_authd *authd, const struct fake_authd_orders *orders)
{
	memset(authd, 0, sizeof(*authd));
	authd->listen_fd = -1;
	tmpdir_make(authd->folder);
	(void)snprintf(authd->path, sizeof(authd->path), "%s/auth", authd->folder);
	authd->seen =
		mmap(NULL, sizeof(*authd->seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq((void *)authd->seen, MAP_FAILED);
	if (orders->way == FAKE_AUTHD_ABSENT)
		return;
	authd->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	cr_assert_geq(authd->listen_fd, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, authd->path, strlen(authd->path) + 1);
	cr_assert_eq(bind(authd->listen_fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	if (orders->way == FAKE_AUTHD_DEAD)
		return;
	listen_as(authd->listen_fd, orders);
	if (orders->way == FAKE_AUTHD_NEVER_ACCEPTS)
		return;
	authd->pid = fork();
	cr_assert_geq(authd->pid, 0);
	if (authd->pid == 0)
		serve(authd->listen_fd, orders, authd->seen);
	skm_fd_close(&authd->listen_fd);
}

void fake_authd_stop(struct fake_authd *authd)
{
	if (authd->pid > 0) {
		cr_assert_eq(kill(authd->pid, SIGKILL), 0);
		cr_assert_eq(waitpid(authd->pid, NULL, 0), authd->pid);
	}
	skm_fd_close(&authd->listen_fd);
	cr_assert_eq(munmap(authd->seen, sizeof(*authd->seen)), 0);
	tmpdir_remove(authd->folder);
}

void fake_authd_say(struct fake_authd_answer *answer_to_make, enum skm_auth_outcome outcome)
{
	answer_to_make->bytes[0] = SKM_AUTH_VERSION;
	answer_to_make->bytes[1] = (uint8_t)outcome;
	answer_to_make->len = 2;
}

void fake_authd_say_number(struct fake_authd_answer *answer_to_make, enum skm_auth_tag tag, uint64_t value)
{
	uint8_t *at = answer_to_make->bytes + answer_to_make->len;
	at[0] = (uint8_t)tag;
	at[1] = 8;
	at[2] = 0;
	for (unsigned i = 0; i < 8; i++)
		at[3 + i] = (uint8_t)(value >> (8 * i));
	answer_to_make->len += 11;
}
