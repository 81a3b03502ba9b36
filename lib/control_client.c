// SPDX-License-Identifier: Apache-2.0
/* The asking side of the control protocol: one connection, one question, one deadline for all of it.
 * Blocking, because a command has nothing else to do; every wait is a poll with what is left of the time, so
 * that an agent that is frozen is reported and not waited for. */
#include "sekimori/control.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

static uint64_t now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int wait_readable(int fd, uint64_t deadline_ms)
{
	for (;;) {
		uint64_t now = now_ms();
		if (now >= deadline_ms)
			return -ETIMEDOUT;
		uint64_t left_ms = deadline_ms - now;
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		int n = poll(&poll_fd, 1, left_ms < INT_MAX ? (int)left_ms : INT_MAX);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

/* Who listens there, by the kernel's word: a stranger's socket must not tell an administrator that all is
 * well. */
static int check_server(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	return peer.uid == 0 || peer.uid == geteuid() ? 0 : -EPERM;
}

static int connect_to_server(const char *path, uint32_t timeout_ms)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	if (len >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, len + 1);
	SKM_CLEANUP(skm_fd_close) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A full queue of connections makes connect wait; this bounds it (unix(7) has no poll for that). */
	struct timeval timeout = {
		.tv_sec = (time_t)(timeout_ms / 1000), .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
	if (timeout_ms == 0)
		timeout.tv_usec = 1; /* 0 would mean for ever */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	int r = check_server(fd);
	return r < 0 ? r : skm_fd_take(&fd);
}

#define REQUEST_BODY_MAX 64
struct request {
	enum skm_control_operation operation;
	uint8_t body[REQUEST_BODY_MAX];
	size_t body_len;
};

static int send_request(int fd, const struct request *request)
{
	uint8_t packet[SKM_CONTROL_HEADER_BYTES + REQUEST_BODY_MAX];
	struct skm_control_header header = {.version = SKM_CONTROL_VERSION,
		.code = (uint8_t)request->operation,
		.body_bytes = (uint32_t)request->body_len};
	int r = skm_control_header_encode(&header, packet, SKM_CONTROL_HEADER_BYTES);
	if (r < 0)
		return r;
	memcpy(packet + SKM_CONTROL_HEADER_BYTES, request->body, request->body_len);
	if (send(fd, packet, SKM_CONTROL_HEADER_BYTES + request->body_len, MSG_NOSIGNAL) >= 0)
		return 0;
	/* A server that refuses at the door answers and hangs up before it is asked: the answer is there to
	 * be read. */
	if (errno == EPIPE || errno == ECONNRESET)
		return 0;
	return errno == EAGAIN ? -ETIMEDOUT : -errno;
}

static int receive_packet(int fd, uint64_t deadline_ms, uint8_t *buf, size_t size, size_t *ret_len)
{
	bool was_reset = false;
	for (;;) {
		int r = wait_readable(fd, deadline_ms);
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

/* 0 = go on, SKM_ANSWER_ENDED = that was the last. */
#define SKM_ANSWER_ENDED 100
static int take_answer(const uint8_t *packet, size_t len, skm_control_body_fn on_body, void *user)
{
	struct skm_control_header header;
	int r = skm_control_header_decode(packet, len, &header);
	if (r < 0)
		return r;
	if (header.version != SKM_CONTROL_VERSION)
		return -EBADMSG;
	bool has_body = header.code == SKM_CONTROL_OK || header.code == SKM_CONTROL_MORE;
	if (!has_body && header.body_bytes != 0)
		return -EBADMSG;
	switch (header.code) {
	case SKM_CONTROL_OK:
	case SKM_CONTROL_MORE:
		r = on_body(user, packet + SKM_CONTROL_HEADER_BYTES, header.body_bytes);
		if (r < 0)
			return r;
		return header.code == SKM_CONTROL_OK ? SKM_ANSWER_ENDED : 0;
	case SKM_CONTROL_END:
		return SKM_ANSWER_ENDED;
	case SKM_CONTROL_DENIED:
		return SKM_CONTROL_CLIENT_DENIED;
	case SKM_CONTROL_BUSY:
		return SKM_CONTROL_CLIENT_BUSY;
	default: /* BAD_REQUEST: it does not know what we ask, so it is of another version */
		return -EBADMSG;
	}
}

static int exchange(const char *path, const struct request *request, uint32_t timeout_ms,
	skm_control_body_fn on_body, void *user)
{
	uint64_t deadline_ms = now_ms() + timeout_ms;
	SKM_CLEANUP(skm_fd_close) int fd = connect_to_server(path, timeout_ms);
	if (fd < 0)
		return fd;
	int r = send_request(fd, request);
	while (r == 0) {
		uint8_t packet[SKM_CONTROL_MESSAGE_MAX];
		size_t len = 0;
		r = receive_packet(fd, deadline_ms, packet, sizeof(packet), &len);
		if (r == 0)
			r = take_answer(packet, len, on_body, user);
	}
	return r == SKM_ANSWER_ENDED ? 0 : r;
}

int skm_control_ask(const char *path, enum skm_control_operation operation, uint32_t timeout_ms,
	skm_control_body_fn on_body, void *user)
{
	const struct request request = {.operation = operation};
	return exchange(path, &request, timeout_ms, on_body, user);
}

static int expect_nothing(void *user, const uint8_t *body, size_t len)
{
	(void)user;
	(void)body;
	return len == 0 ? 0 : -EBADMSG;
}

int skm_control_tell(const char *path, const struct skm_forward_notice *notice, uint32_t timeout_ms)
{
	struct request request = {.operation = SKM_CONTROL_NOTICE};
	int r = skm_forward_notice_encode(notice, request.body, sizeof(request.body), &request.body_len);
	return r < 0 ? r : exchange(path, &request, timeout_ms, expect_nothing, NULL);
}

static int take_welcome(int fd, uint64_t deadline_ms)
{
	uint8_t packet[SKM_CONTROL_HEADER_BYTES];
	size_t len = 0;
	int r = receive_packet(fd, deadline_ms, packet, sizeof(packet), &len);
	if (r < 0)
		return r;
	r = take_answer(packet, len, expect_nothing, NULL);
	return r == SKM_ANSWER_ENDED ? 0 : r == 0 ? -EBADMSG : r;
}

int skm_control_subscribe(const char *path, uint32_t timeout_ms, int *ret_fd)
{
	const struct request request = {.operation = SKM_CONTROL_SUBSCRIBE};
	uint64_t deadline_ms = now_ms() + timeout_ms;
	SKM_CLEANUP(skm_fd_close) int fd = connect_to_server(path, timeout_ms);
	if (fd < 0)
		return fd;
	int r = send_request(fd, &request);
	if (r == 0)
		r = take_welcome(fd, deadline_ms);
	if (r == 0)
		*ret_fd = skm_fd_take(&fd);
	return r;
}

int skm_control_next_refusal(int fd, struct skm_refusal *ret_refusal)
{
	uint8_t packet[SKM_CONTROL_MESSAGE_MAX];
	struct skm_control_header header;
	ssize_t n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? SKM_CONTROL_CLIENT_NOTHING : -errno;
	if (n == 0)
		return -ECONNRESET;
	if ((size_t)n > sizeof(packet))
		return -EBADMSG;
	int r = skm_control_header_decode(packet, (size_t)n, &header);
	if (r < 0)
		return r;
	if (header.version != SKM_CONTROL_VERSION || header.code != SKM_CONTROL_MORE)
		return -EBADMSG;
	return skm_refusal_decode(packet + SKM_CONTROL_HEADER_BYTES, header.body_bytes, ret_refusal);
}
