// SPDX-License-Identifier: Apache-2.0
#include "fake_collector.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "relp.h"

static const char librelp_open_answer[] =
	"200 OK\nrelp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog";

void collector_start(struct fake_collector *collector)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	memset(collector, 0, sizeof(*collector));
	collector->fd = -1;
	collector->open_answer = librelp_open_answer;
	collector->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	cr_assert_geq(collector->listen_fd, 0);
	cr_assert_eq(bind(collector->listen_fd, (struct sockaddr *)&address, len), 0);
	cr_assert_eq(listen(collector->listen_fd, 8), 0);
	cr_assert_eq(getsockname(collector->listen_fd, (struct sockaddr *)&address, &len), 0);
	collector->port = ntohs(address.sin_port);
}

void collector_forget(struct fake_collector *collector)
{
	for (unsigned i = 0; i < collector->message_count; i++)
		free(collector->messages[i].text);
	collector->message_count = 0;
}

void collector_hang_up(struct fake_collector *collector, bool with_reset)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	if (with_reset)
		cr_assert_eq(setsockopt(collector->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	skm_fd_close(&collector->fd);
	collector->in_len = collector->out_len = 0;
}

void collector_stop(struct fake_collector *collector)
{
	skm_fd_close(&collector->fd);
	skm_fd_close(&collector->listen_fd);
	collector_forget(collector);
}

void collector_send(struct fake_collector *collector, const void *bytes, size_t len)
{
	cr_assert_leq(collector->out_len + len, sizeof(collector->out));
	memcpy(collector->out + collector->out_len, bytes, len);
	collector->out_len += len;
}

void collector_answer(struct fake_collector *collector, uint32_t txnr, const char *data)
{
	char frame[1024];
	int n = snprintf(frame, sizeof(frame), "%u rsp %zu %s\n", (unsigned)txnr, strlen(data), data);
	collector_send(collector, frame, (size_t)n);
}

static void take_frame(struct fake_collector *collector, const struct skm_relp_frame *frame)
{
	if (strcmp(frame->command, "open") == 0) {
		cr_expect_eq(frame->txnr, 1);
		if (collector->open_answer)
			collector_answer(collector, frame->txnr, collector->open_answer);
		return;
	}
	cr_assert_str_eq(frame->command, "syslog");
	cr_assert_lt(collector->message_count, (unsigned)COLLECTOR_MESSAGES_MAX);
	struct collector_message *message = &collector->messages[collector->message_count++];
	*message = (struct collector_message){.txnr = frame->txnr,
		.text = strndup(frame->data, frame->data_len),
		.len = frame->data_len,
		.connection = collector->connections};
	cr_assert_not_null(message->text);
	if (!collector->is_manual)
		collector_answer(collector, frame->txnr, "200 OK");
}

static void take_frames(struct fake_collector *collector)
{
	size_t taken = 0, used = 0;
	struct skm_relp_frame frame;
	int r;
	while ((r = skm_relp_frame_parse(
			collector->in + taken, collector->in_len - taken, 128 * 1024, &frame, &used)) == 0) {
		taken += used;
		take_frame(collector, &frame);
	}
	cr_assert_eq(r, SKM_RELP_PARTIAL);
	collector->in_len -= taken;
	memmove(collector->in, collector->in + taken, collector->in_len);
}

static void write_out(struct fake_collector *collector)
{
	size_t len = collector->is_slow && collector->out_len > 0 ? 1 : collector->out_len;
	ssize_t n = len > 0 ? send(collector->fd, collector->out, len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	if (n > 0) {
		collector->out_len -= (size_t)n;
		memmove(collector->out, collector->out + n, collector->out_len);
	}
}

void collector_turn(struct fake_collector *collector)
{
	if (collector->fd < 0) {
		collector->fd = accept4(collector->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (collector->fd < 0)
			return;
		collector->connections++;
	}
	ssize_t n = read(
		collector->fd, collector->in + collector->in_len, sizeof(collector->in) - collector->in_len);
	if (n > 0) {
		collector->in_len += (size_t)n;
		take_frames(collector);
	}
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		collector_hang_up(collector, false);
		return;
	}
	write_out(collector);
}

/* ---- plain transport ---- */

static int plain_handshake(void *object)
{
	(void)object;
	return 0;
}

static int plain_send(void *object, const void *data, size_t len, size_t *ret_sent)
{
	ssize_t n = send(*(int *)object, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? SKM_TRANSPORT_WRITE : -errno;
	*ret_sent = (size_t)n;
	return 0;
}

static int plain_receive(void *object, void *buf, size_t size, size_t *ret_len)
{
	ssize_t n = recv(*(int *)object, buf, size, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN ? SKM_TRANSPORT_READ : -errno;
	*ret_len = (size_t)n;
	return 0;
}

static const char *plain_error(void *object)
{
	(void)object;
	return "";
}

int plain_transport_open(int fd, struct skm_transport *ret_transport)
{
	static const struct skm_transport_ops ops = {
		plain_handshake, plain_send, plain_receive, plain_error, free};
	int *object = malloc(sizeof(*object));
	if (!object)
		return -ENOMEM;
	*object = fd;
	*ret_transport = (struct skm_transport){&ops, object};
	return 0;
}
