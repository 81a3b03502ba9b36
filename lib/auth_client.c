// SPDX-License-Identifier: Apache-2.0
/* The asking side, as it runs inside login, sshd and screen lockers: one connection, one question, one
 * patience for all of it. Nothing of the host process is touched: no signal (MSG_NOSIGNAL), no descriptor
 * that a child could inherit, no memory kept.
 *
 * connect(2) is the one call that may block, bounded by SO_SNDTIMEO: an AF_UNIX socket whose queue is full
 * gives poll(2) nothing to wait for, and asking again and again (non-blocking connect) would let whoever asks
 * oftenest jump the queue; the kernel's own queue is fair. A request is sent only after the server has proved
 * who it is: a code must not be read by a stranger. */
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "sekimori/auth.h"

#define NSEC_PER_MSEC 1000000u

static uint64_t now_nsec(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * NSEC_PER_MSEC + (uint64_t)now.tv_nsec;
}

/* Rounded up, so that a wait never ends early and is asked for again. */
static uint32_t left_ms(uint64_t deadline_nsec)
{
	uint64_t now = now_nsec();
	if (now >= deadline_nsec)
		return 0;
	return (uint32_t)((deadline_nsec - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

static int wait_for(int fd, short events, uint64_t deadline_nsec)
{
	for (;;) {
		uint32_t left = left_ms(deadline_nsec);
		if (left == 0)
			return -ETIMEDOUT;
		struct pollfd poll_fd = {.fd = fd, .events = events};
		int n = poll(&poll_fd, 1, left < INT_MAX ? (int)left : INT_MAX);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int check_server(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	return peer.uid == 0 || peer.uid == geteuid() ? 0 : -EPERM;
}

static int connect_until(int fd, const struct sockaddr_un *address, uint64_t deadline_nsec)
{
	int r = -ETIMEDOUT;
	for (uint32_t left; (left = left_ms(deadline_nsec)) > 0;) {
		struct timeval timeout = {
			.tv_sec = (time_t)(left / 1000), .tv_usec = (suseconds_t)(left % 1000) * 1000};
		if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
			return -errno;
		if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
			return 0;
		/* A signal ends the wait early; EAGAIN is its regular end, or a queue that filled again. */
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
		r = -errno;
	}
	return r == -EINTR ? -ETIMEDOUT : r;
}

static int open_connection(const char *path, uint64_t deadline_nsec)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	if (len >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, len + 1);
	SKM_CLEANUP(skm_fd_close) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int r = connect_until(fd, &address, deadline_nsec);
	if (r == 0)
		r = check_server(fd);
	return r < 0 ? r : skm_fd_take(&fd);
}

static int send_request(int fd, const struct skm_auth_writer *request, uint64_t deadline_nsec)
{
	for (;;) {
		if (send(fd, request->buf, request->len, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		/* A server that refuses at the door answers and hangs up before it is asked: the answer is
		 * there to be read. */
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		int r = wait_for(fd, POLLOUT, deadline_nsec);
		if (r < 0)
			return r;
	}
}

static int receive(int fd, uint64_t deadline_nsec, uint8_t *buf, size_t size, size_t *ret_len)
{
	bool was_reset = false;
	for (;;) {
		int r = wait_for(fd, POLLIN, deadline_nsec);
		if (r < 0)
			return r;
		ssize_t n = recv(fd, buf, size, MSG_DONTWAIT | MSG_TRUNC);
		if (n > 0) {
			*ret_len = (size_t)n;
			return (size_t)n > size ? -EBADMSG : 0;
		}
		if (n == 0)
			return -ECONNRESET;
		/* The kernel reports once that the peer left our request unread, and only then what it had
		 * said before. */
		if (errno == ECONNRESET && !was_reset)
			was_reset = true;
		else if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

/* 0 = that was the last one; 1 = more will come; -errno. */
static int take_answer(const uint8_t *buf, size_t len, skm_auth_answer_fn on_answer, void *user)
{
	struct skm_auth_packet answer;
	int r = skm_auth_packet_parse(buf, len, &answer);
	if (r < 0)
		return r;
	if (answer.code >= SKM_AUTH_OUTCOME_COUNT_)
		return -EBADMSG;
	r = on_answer(user, &answer);
	if (r < 0)
		return r;
	return answer.code == SKM_AUTH_MORE ? 1 : 0;
}

static int ask(const char *path, const struct skm_auth_writer *request, uint64_t deadline_nsec,
	skm_auth_answer_fn on_answer, void *user)
{
	SKM_CLEANUP(skm_fd_close) int fd = open_connection(path, deadline_nsec);
	if (fd < 0)
		return fd;
	int r = send_request(fd, request, deadline_nsec);
	if (r < 0)
		return r;
	uint8_t buf[SKM_AUTH_PACKET_MAX];
	do {
		size_t len = 0;
		r = receive(fd, deadline_nsec, buf, sizeof(buf), &len);
		if (r == 0)
			r = take_answer(buf, len, on_answer, user);
	} while (r > 0);
	explicit_bzero(buf, sizeof(buf));
	return r;
}

int skm_auth_ask(const char *path, const struct skm_auth_writer *request, uint32_t *budget_ms,
	skm_auth_answer_fn on_answer, void *user)
{
	int r = skm_auth_write_end(request);
	if (r < 0)
		return r;
	uint64_t deadline_nsec = now_nsec() + (uint64_t)*budget_ms * NSEC_PER_MSEC;
	r = ask(path, request, deadline_nsec, on_answer, user);
	uint32_t left = left_ms(deadline_nsec);
	if (left < *budget_ms) /* rounding up must not give back what was used */
		*budget_ms = left;
	return r;
}
