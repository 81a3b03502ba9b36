// SPDX-License-Identifier: Apache-2.0
/* One question over systemd's own socket, in D-Bus's wire format (D-Bus Specification 0.43). Rejected:
 * libdbus or libsystemd for one string; systemctl as a child, which is a program more that the sandbox must
 * let us run, in the two seconds before we are killed; ExecStop= in the unit, which whoever stops the service
 * by a signal goes round, and a drop-in changes; utmp and /run/nologin, which are written at no fixed time
 * before us. All of these are as much root's word as this one. */
#include "service_manager.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

enum {
	METHOD_CALL = 1,
	METHOD_RETURN = 2,
	METHOD_ERROR = 3,
	PROTOCOL = 1,
	FIELD_PATH = 1,
	FIELD_INTERFACE = 2,
	FIELD_MEMBER = 3,
	FIELD_DESTINATION = 6,
	FIELD_SIGNATURE = 8,
	HEADER_BYTES = 16, /* up to and with the length of the fields */
};
#define MESSAGE_BYTES 512
#define MESSAGE_MAX (UINT32_C(128) << 20) /* the specification's limit */
#define LINE_BYTES 128
#define MSEC_PER_SEC 1000
#define NSEC_PER_MSEC 1000000

/* ---- bytes with a deadline ---- */

struct peer {
	int fd;
	int64_t until_ms;
};

static int64_t now_ms(void)
{
	struct timespec now = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * MSEC_PER_SEC + now.tv_nsec / NSEC_PER_MSEC;
}

static int wait_for(const struct peer *peer, short events)
{
	struct pollfd polled = {.fd = peer->fd, .events = events};
	int64_t left_ms = peer->until_ms - now_ms();
	int n = left_ms > 0 ? poll(&polled, 1, (int)left_ms) : 0;
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

static int send_all(const struct peer *peer, const void *data, size_t len)
{
	for (size_t sent = 0; sent < len;) {
		ssize_t n =
			send(peer->fd, (const char *)data + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		int r = n < 0 ? wait_for(peer, POLLOUT) : 0;
		if (r < 0)
			return r;
		sent += n < 0 ? 0 : (size_t)n;
	}
	return 0;
}

static int receive_all(const struct peer *peer, void *data, size_t len)
{
	for (size_t received = 0; received < len;) {
		int r = wait_for(peer, POLLIN);
		if (r < 0)
			return r;
		ssize_t n = recv(peer->fd, (char *)data + received, len - received, MSG_DONTWAIT);
		if (n == 0)
			return -EBADMSG;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		received += n < 0 ? 0 : (size_t)n;
	}
	return 0;
}

/* ---- the question ---- */

struct message {
	uint8_t bytes[MESSAGE_BYTES];
	size_t len;
};

static void pad(struct message *message, size_t to)
{
	while (message->len % to != 0)
		message->bytes[message->len++] = 0;
}

static void put_number(struct message *message, size_t at, size_t number)
{
	for (unsigned i = 0; i < 4; i++)
		message->bytes[at + i] = (uint8_t)(number >> (8 * i));
}

static void put_bytes(struct message *message, const char *text, size_t len)
{
	memcpy(message->bytes + message->len, text, len);
	message->len += len;
}

static void put_string(struct message *message, const char *text)
{
	pad(message, 4);
	put_number(message, message->len, strlen(text));
	message->len += 4;
	put_bytes(message, text, strlen(text) + 1);
}

static void put_field(struct message *message, uint8_t code, char type, const char *text)
{
	const char head[] = {(char)code, 1, type, '\0'};
	pad(message, 8);
	put_bytes(message, head, sizeof(head));
	if (type != 'g') {
		put_string(message, text);
		return;
	}
	message->bytes[message->len++] = (uint8_t)strlen(text);
	put_bytes(message, text, strlen(text) + 1);
}

/* Everything in it is a constant, and a third of the room is free. */
static void make_question(struct message *message)
{
	*message = (struct message){.bytes = {'l', METHOD_CALL, 0, PROTOCOL}, .len = HEADER_BYTES};
	put_number(message, 8, 1); /* our serial */
	put_field(message, FIELD_PATH, 'o', "/org/freedesktop/systemd1");
	put_field(message, FIELD_INTERFACE, 's', "org.freedesktop.DBus.Properties");
	put_field(message, FIELD_MEMBER, 's', "Get");
	put_field(message, FIELD_DESTINATION, 's', "org.freedesktop.systemd1");
	put_field(message, FIELD_SIGNATURE, 'g', "ss");
	put_number(message, 12, message->len - HEADER_BYTES);
	pad(message, 8);
	size_t head_len = message->len;
	put_string(message, "org.freedesktop.systemd1.Manager");
	put_string(message, "SystemState");
	put_number(message, 4, message->len - head_len);
}

/* We are who the kernel says; the number only repeats it, in hexadecimal ASCII. */
static int authenticate(const struct peer *peer)
{
	char uid[16], text[LINE_BYTES] = "", line[LINE_BYTES];
	size_t len = 1; /* it begins with a NUL */
	(void)snprintf(uid, sizeof(uid), "%u", (unsigned)geteuid());
	len += (size_t)snprintf(text + len, sizeof(text) - len, "AUTH EXTERNAL ");
	for (const char *at = uid; *at; at++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%02x", (unsigned)*at);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\nBEGIN\r\n");
	int r = send_all(peer, text, len);
	for (size_t at = 0; r == 0; at++) {
		if (at == sizeof(line))
			return -EBADMSG;
		r = receive_all(peer, &line[at], 1);
		if (r == 0 && line[at] == '\n')
			return at >= 3 && memcmp(line, "OK ", 3) == 0 ? 0 : -EACCES;
	}
	return r;
}

/* ---- the answer ---- */

static uint32_t get_number(const uint8_t *at, bool is_little)
{
	uint32_t number = 0;
	for (unsigned i = 0; i < 4; i++)
		number |= (uint32_t)at[i] << (8 * (is_little ? i : 3 - i));
	return number;
}

static int discard(const struct peer *peer, size_t len)
{
	char block[MESSAGE_BYTES];
	int r = 0;
	while (len > 0 && r == 0) {
		size_t part = len < sizeof(block) ? len : sizeof(block);
		r = receive_all(peer, block, part);
		len -= part;
	}
	return r;
}

/* A variant with a string: 1 's' 0, a byte of padding, length, bytes, NUL. */
static int take_state(
	const uint8_t *body, size_t len, bool is_little, char ret_state[SKM_MANAGER_STATE_BYTES])
{
	if (len < 9 || body[0] != 1 || body[1] != 's' || body[2] != 0)
		return -EBADMSG;
	size_t state_len = get_number(body + 4, is_little);
	if (state_len >= SKM_MANAGER_STATE_BYTES || 8 + state_len + 1 != len || body[len - 1] != 0)
		return -EBADMSG;
	memcpy(ret_state, body + 8, state_len + 1);
	return 0;
}

/* There is one question, so whatever is an answer answers it. Signals come in between: systemd sends them to
 * everybody on this socket, and while it goes down there are many. */
static int receive_state(const struct peer *peer, char ret_state[SKM_MANAGER_STATE_BYTES])
{
	for (;;) {
		uint8_t head[HEADER_BYTES], rest[MESSAGE_BYTES];
		int r = receive_all(peer, head, sizeof(head));
		if (r < 0)
			return r;
		bool is_little = head[0] == 'l';
		uint64_t body_len = get_number(head + 4, is_little);
		uint64_t fields_len = ((uint64_t)get_number(head + 12, is_little) + 7) / 8 * 8;
		uint64_t len = fields_len + body_len;
		if ((!is_little && head[0] != 'B') || head[3] != PROTOCOL || len > MESSAGE_MAX ||
			head[1] == METHOD_ERROR || (head[1] == METHOD_RETURN && len > sizeof(rest)))
			return -EBADMSG;
		if (head[1] != METHOD_RETURN) {
			r = discard(peer, len);
			if (r < 0)
				return r;
			continue;
		}
		r = receive_all(peer, rest, len);
		return r < 0 ? r : take_state(rest + fields_len, body_len, is_little, ret_state);
	}
}

int skm_manager_state_read(
	const char *socket_path, uint32_t timeout_ms, char ret_state[SKM_MANAGER_STATE_BYTES])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct message question;
	size_t len = strlen(socket_path);
	if (len >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, socket_path, len);
	SKM_CLEANUP(skm_fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	socklen_t address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	if (connect(fd, (const struct sockaddr *)&address, address_len) < 0)
		return -errno;
	const struct peer peer = {.fd = fd, .until_ms = now_ms() + timeout_ms};
	int r = authenticate(&peer);
	make_question(&question);
	if (r == 0)
		r = send_all(&peer, question.bytes, question.len);
	return r < 0 ? r : receive_state(&peer, ret_state);
}

enum skm_stop_reason skm_manager_stop_reason(const char *state)
{
	static const char *const going_on[] = {
		"initializing", "starting", "running", "degraded", "maintenance"};
	if (strcmp(state, "stopping") == 0)
		return SKM_STOP_SHUTDOWN;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(going_on); i++) {
		if (strcmp(state, going_on[i]) == 0)
			return SKM_STOP_SERVICE;
	}
	return SKM_STOP_UNKNOWN;
}
