// SPDX-License-Identifier: Apache-2.0
/* A state machine on a non-blocking socket: connecting, proving, opening, open. Whatever goes wrong ends the
 * link with a sentence; nothing is repaired in place, since a new connection costs one handshake and a
 * doubtful one costs records.
 *
 * librelp, as most servers, leaves Nagle's algorithm on: its second small answer waits for our
 * acknowledgement of the first, which the kernel delays by 40 ms. So delayed acknowledgements are switched
 * off after each read.
 *
 * Rejected: a thread that blocks in connect and write (a black hole holds it for minutes), and librelp
 * (relp.c). */
#include "link.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define ANSWER_BYTES_MAX ((size_t)4096) /* of data: the answer to "open" lists what the server can do */
#define RECEIVE_BYTES (ANSWER_BYTES_MAX + SKM_RELP_HEAD_BYTES)
#define FIRST_TXNR 1

enum state { CONNECTING, PROVING, OPENING, OPEN };

struct skm_link {
	struct skm_link_options options;
	struct skm_link_handler handler;
	enum state state;
	int fd;
	struct skm_source *source, *timer;
	struct skm_transport transport;
	uint32_t txnr;	    /* of the last command */
	unsigned in_flight; /* messages without an answer */
	const char *out;    /* what is being written */
	size_t out_len;
	bool reads_to_write, writes_to_read; /* TLS needs the other direction first */
	uint32_t events;		     /* what the loop waits for */
	size_t received;
	char in[RECEIVE_BYTES];
	struct skm_message message;
	char why[SKM_LINK_ERROR_BYTES];
};

/* ---- beginning and end ---- */

static int parse_address(
	const char *host, uint16_t port, struct sockaddr_storage *ret_address, socklen_t *ret_len)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*ret_len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*ret_len = sizeof(*v6);
	} else {
		return -EINVAL;
	}
	*ret_address = address;
	return 0;
}

static void set_option(int fd, int level, int option)
{
	int on = 1;
	/* Each makes things better, none is needed. */
	(void)setsockopt(fd, level, option, &on, sizeof(on));
}

static int begin_connect(struct skm_link *link)
{
	struct sockaddr_storage address;
	socklen_t len = 0;
	int r = parse_address(link->options.host, link->options.port, &address, &len);
	if (r < 0)
		return r;
	link->fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (link->fd < 0)
		return -errno;
	set_option(link->fd, IPPROTO_TCP, TCP_NODELAY);
	set_option(link->fd, SOL_SOCKET, SO_KEEPALIVE);
	if (connect(link->fd, (const struct sockaddr *)&address, len) < 0 && errno != EINPROGRESS)
		return -errno;
	return 0;
}

static int on_socket(struct skm_source *source, uint32_t events, void *user);
static int on_timeout(struct skm_source *source, uint32_t events, void *user);

int skm_link_new(struct skm_loop *loop, const struct skm_link_options *options,
	const struct skm_link_handler *handler, struct skm_link **ret_link)
{
	struct skm_link *link = calloc(1, sizeof(*link));
	if (!link)
		return -ENOMEM;
	link->options = *options;
	link->handler = *handler;
	link->fd = -1;
	link->events = EPOLLOUT;
	int r = begin_connect(link);
	if (r == 0)
		r = skm_loop_add_fd(loop, link->fd, link->events, on_socket, link, &link->source);
	if (r == 0)
		r = skm_loop_add_timer(loop, CLOCK_MONOTONIC, on_timeout, link, &link->timer);
	if (r < 0) {
		(void)skm_link_free(link);
		return r;
	}
	skm_timer_arm(link->timer, options->open_timeout_ms, 0);
	*ret_link = link;
	return 0;
}

struct skm_link *skm_link_free(struct skm_link *link)
{
	if (!link)
		return NULL;
	link->source = skm_source_remove(link->source);
	link->timer = skm_source_remove(link->timer);
	if (link->transport.object)
		link->transport.ops->free(link->transport.object);
	skm_fd_close(&link->fd);
	free(link);
	return NULL;
}

SKM_PRINTF(3, 4) static int fail(struct skm_link *link, int r, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(link->why, sizeof(link->why), format, arguments);
	va_end(arguments);
	return r;
}

static int fail_transport(struct skm_link *link, const char *what, int r)
{
	const char *error = link->transport.ops->error(link->transport.object);
	return fail(link, r, "%s: %s", what, error[0] ? error : strerrordesc_np(-r));
}

#define QUOTED_BYTES 84
/* What the other side says, cut, and in printable ASCII: it goes to a journal. */
static const char *quote(const struct skm_relp_frame *frame, char ret_text[QUOTED_BYTES])
{
	size_t len = 0;
	for (; len < frame->data_len && len < QUOTED_BYTES - 1; len++) {
		ret_text[len] = frame->data[len];
		if (ret_text[len] < ' ' || ret_text[len] > '~')
			ret_text[len] = '?';
	}
	ret_text[len] = '\0';
	return ret_text;
}

/* ---- writing ---- */

static void put_open(struct skm_link *link)
{
	static const char offers[] =
		"relp_version=0\nrelp_software=sekimori-forward," SKM_VERSION "\ncommands=syslog";
	char head[SKM_RELP_HEAD_BYTES];
	link->txnr = FIRST_TXNR;
	(void)skm_relp_head_format(link->txnr, "open", sizeof(offers) - 1, head);
	link->out_len =
		(size_t)snprintf(link->message.buf, sizeof(link->message.buf), "%s%s\n", head, offers);
	link->out = link->message.buf;
}

static int write_out(struct skm_link *link)
{
	link->writes_to_read = false;
	while (link->out_len > 0) {
		size_t sent = 0;
		int r = link->transport.ops->send(link->transport.object, link->out, link->out_len, &sent);
		link->writes_to_read = r == SKM_TRANSPORT_READ;
		if (r < 0)
			return fail_transport(link, "cannot send", r);
		if (r > 0)
			return 0;
		link->out += sent;
		link->out_len -= sent;
	}
	return 0;
}

bool skm_link_is_open(const struct skm_link *link)
{
	return link->state == OPEN;
}

bool skm_link_has_room(const struct skm_link *link)
{
	return link->state == OPEN && link->out_len == 0 && link->in_flight < SKM_LINK_WINDOW;
}

struct skm_message *skm_link_message(struct skm_link *link)
{
	return &link->message;
}

static void wait_for(struct skm_link *link);

uint32_t skm_link_send(struct skm_link *link)
{
	link->txnr = skm_relp_txnr_next(link->txnr);
	link->out = skm_message_frame(&link->message, link->txnr, &link->out_len);
	if (link->in_flight++ == 0)
		skm_timer_arm(link->timer, link->options.answer_timeout_ms, 0);
	wait_for(link); /* it is written when the loop says that it can be: nothing fails in here */
	return link->txnr;
}

/* ---- reading ---- */

static int take_open_answer(struct skm_link *link, const struct skm_relp_frame *frame, unsigned status)
{
	char text[QUOTED_BYTES];
	if (frame->txnr != FIRST_TXNR)
		return fail(link, -EBADMSG, "it answers a question that was not asked");
	if (status != SKM_RELP_OK || !skm_relp_offers_command(frame, "syslog"))
		return fail(link, -EPROTO, "it does not take log records: %s", quote(frame, text));
	link->state = OPEN;
	skm_timer_arm(link->timer, 0, 0);
	link->handler.on_open(link->handler.user);
	return 0;
}

static int take_message_answer(struct skm_link *link, const struct skm_relp_frame *frame, unsigned status)
{
	char text[QUOTED_BYTES];
	if (link->in_flight == 0)
		return fail(link, -EBADMSG, "it answers a question that was not asked");
	if (status != SKM_RELP_OK)
		return fail(link, -EPROTO, "it cannot store records: %s", quote(frame, text));
	int r = link->handler.on_stored(link->handler.user, frame->txnr);
	if (r < 0)
		return fail(link, r, "it answers a question that was not asked");
	link->in_flight--;
	skm_timer_arm(link->timer, link->in_flight > 0 ? link->options.answer_timeout_ms : 0, 0);
	return 0;
}

static int take_frame(struct skm_link *link, const struct skm_relp_frame *frame)
{
	unsigned status = 0;
	if (strcmp(frame->command, "serverclose") == 0)
		return fail(link, -ECONNRESET, "it has ended the session");
	if (strcmp(frame->command, "rsp") != 0 || skm_relp_status(frame, &status) < 0)
		return fail(link, -EBADMSG, "it does not speak RELP");
	return link->state == OPENING ? take_open_answer(link, frame, status)
				      : take_message_answer(link, frame, status);
}

static int take_frames(struct skm_link *link)
{
	size_t taken = 0;
	for (;;) {
		struct skm_relp_frame frame;
		size_t used = 0;
		int r = skm_relp_frame_parse(
			link->in + taken, link->received - taken, ANSWER_BYTES_MAX, &frame, &used);
		if (r < 0)
			return fail(link, r, "it does not speak RELP");
		if (r == SKM_RELP_PARTIAL)
			break;
		taken += used;
		r = take_frame(link, &frame);
		if (r < 0)
			return r;
	}
	link->received -= taken;
	memmove(link->in, link->in + taken, link->received);
	return 0;
}

static int read_in(struct skm_link *link)
{
	link->reads_to_write = false;
	for (;;) {
		size_t len = 0;
		/* Never full: the longest frame that is accepted fits, and whole ones are taken out. */
		int r = link->transport.ops->receive(link->transport.object, link->in + link->received,
			sizeof(link->in) - link->received, &len);
		link->reads_to_write = r == SKM_TRANSPORT_WRITE;
		if (r < 0)
			return fail_transport(link, "cannot receive", r);
		if (r > 0)
			return 0;
		if (len == 0)
			return fail(link, -ECONNRESET, "it has closed the connection");
		set_option(link->fd, IPPROTO_TCP, TCP_QUICKACK);
		link->received += len;
		r = take_frames(link);
		if (r < 0)
			return r;
	}
}

/* ---- the steps ---- */

static int finish_connect(struct skm_link *link)
{
	int error = 0;
	socklen_t len = sizeof(error);
	char text[SKM_TRANSPORT_ERROR_BYTES] = "";
	if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error != 0)
		return fail(link, -error, "cannot connect: %s", strerrordesc_np(error));
	int r = link->options.transport.open(link->options.transport.user, link->fd, &link->transport, text);
	if (r < 0)
		return fail(link, r, "%s", text[0] ? text : strerrordesc_np(-r));
	link->state = PROVING;
	return 0;
}

static int prove(struct skm_link *link)
{
	int r = link->transport.ops->handshake(link->transport.object);
	link->reads_to_write = r == SKM_TRANSPORT_WRITE;
	if (r < 0)
		return fail_transport(link, "no TLS", r);
	if (r == 0) {
		link->state = OPENING;
		put_open(link);
	}
	return 0;
}

static int step(struct skm_link *link)
{
	int r = 0;
	if (link->state == CONNECTING)
		r = finish_connect(link);
	if (r == 0 && link->state == PROVING)
		r = prove(link);
	if (r == 0 && link->state >= OPENING)
		r = write_out(link);
	if (r == 0 && link->state >= OPENING)
		r = read_in(link);
	return r;
}

static void wait_for(struct skm_link *link)
{
	bool wants_to_write = link->out_len > 0 && !link->writes_to_read;
	uint32_t events = EPOLLIN | (wants_to_write || link->reads_to_write ? EPOLLOUT : 0u);
	/* Cannot fail for a descriptor that the loop watches. */
	if (events != link->events && skm_source_set_events(link->source, events) == 0)
		link->events = events;
}

static int on_socket(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct skm_link *link = user;
	if (step(link) < 0) {
		link->handler.on_end(link->handler.user, link->why);
		return 0;
	}
	wait_for(link);
	return 0;
}

static int on_timeout(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct skm_link *link = user;
	static const char *const late[] = {[CONNECTING] = "it does not answer (connecting)",
		[PROVING] = "it does not answer (TLS)",
		[OPENING] = "it does not answer (opening the session)",
		[OPEN] = "it does not say that it has stored the records"};
	link->handler.on_end(link->handler.user, late[link->state]);
	return 0;
}
