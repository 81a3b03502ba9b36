// SPDX-License-Identifier: Apache-2.0
/* Answers questions on a socket without ever waiting for a caller.
 *
 * Who calls is decided once, at the door. Somebody who may not ask is told so and let go in the same breath:
 * he never holds a descriptor or a place, so a thousand of him cost a thousand accepts. Those who may are
 * limited per user and altogether; root is not, since an administrator who looks into a flood must get his
 * answer, and a login must not be shut out by it. No NSS lookup happens while somebody waits.
 *
 * A request of somebody who has hung up is not looked at: he has given up and told his user so, and an
 * attempt must not be counted after that. Timers are armed lazily: a connection that comes and goes within
 * its patience costs no system call for it, but one wake-up later.
 *
 * Rejected: reading /proc/PID/status of the caller (the PID may be another's by then); a thread a caller. */
#include "sekimori/packet_server.h"

#include <grp.h>
#include <poll.h>
#include <stdalign.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define ACCEPTS_PER_ROUND 64 /* in one callback, so that the loop's other sources get their turn */
#define ANSWERS_PER_ROUND 16
#define SEND_BUFFER_BYTES                                                                        \
	32768	     /* what a caller who does not read costs; the kernel doubles it (socket(7)) \
		      */
#define PAUSE_MS 250 /* how long we stop accepting when descriptors or memory are gone */
#define GROUP_BYTES_MAX ((size_t)1024 * 1024) /* one line of group(5) */

struct role {
	char name[64];
	gid_t gid;
	bool is_known;
};

/* A packet that the caller has no room for yet. */
struct waiting {
	struct waiting *next;
	size_t len;
	uint8_t data[];
};

enum phase { PHASE_REQUEST, PHASE_MORE, PHASE_DONE, PHASE_STAY };

struct skm_packet_connection {
	struct skm_packet_server *server;
	struct skm_packet_connection *next, *previous; /* skm_packet_server::connections */
	int fd;
	struct skm_packet_caller caller;
	struct skm_source *source;
	uint64_t deadline_ms; /* of CLOCK_BOOTTIME; moved on whenever the caller takes something; UINT64_MAX:
				 none */
	enum phase phase;
	bool waits_for_room;
	struct waiting *first, *last;
	size_t waiting_bytes;
	alignas(max_align_t) uint8_t data[]; /* the handler's */
};

struct skm_packet_server {
	struct skm_loop *loop;
	struct skm_packet_handler handler;
	uint32_t patience_ms;
	unsigned per_user_max, total_max;
	size_t data_bytes;
	int listen_fd;
	struct skm_source *listener;
	struct skm_source *patience;
	struct skm_source *pause; /* armed while the listener is silenced */
	uint64_t armed_ms;	  /* when `patience` will go off; 0 = it will not */
	uint64_t last_ms;	  /* when the last one came or left */
	struct skm_packet_connection *connections;
	unsigned connection_count;
	size_t role_count;
	struct role roles[SKM_PACKET_ROLES_MAX];
};

static uint64_t now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- roles ---- */

/* 0 and the number, -ENOENT when there is no such group, or what the lookup says. */
static int lookup_group_in(const char *name, char *buf, size_t size, gid_t *ret_gid)
{
	struct group group;
	struct group *found = NULL;
	int error = getgrnam_r(name, &group, buf, size, &found);
	if (error)
		return -error;
	if (!found)
		return -ENOENT;
	*ret_gid = group.gr_gid;
	return 0;
}

/* The same, with as much memory as the group's members take. */
static int lookup_group(const char *name, gid_t *ret_gid)
{
	int r = -ERANGE;
	for (size_t size = 1024; r == -ERANGE && size <= GROUP_BYTES_MAX; size *= 4) {
		char *buf = malloc(size);
		if (!buf)
			return -ENOMEM;
		r = lookup_group_in(name, buf, size, ret_gid);
		free(buf);
	}
	return r;
}

void skm_packet_server_refresh_roles(struct skm_packet_server *server)
{
	for (size_t i = 0; i < server->role_count; i++) {
		struct role *role = &server->roles[i];
		gid_t gid = 0;
		int r = lookup_group(role->name, &gid);
		/* A group that is gone gives no right. A lookup that failed says nothing: what was known
		 * stays. A role that somebody gave the number 0 would open the door to all that runs with
		 * root's group. */
		if (r != 0 && r != -ENOENT)
			continue;
		role->gid = gid;
		role->is_known = r == 0 && gid != 0;
	}
}

static unsigned roles_of_group(const struct skm_packet_server *server, gid_t gid)
{
	unsigned roles = 0;
	for (size_t i = 0; i < server->role_count; i++)
		if (server->roles[i].is_known && server->roles[i].gid == gid)
			roles |= 1u << i;
	return roles;
}

/* None whenever the kernel does not say. */
static unsigned roles_of_peer(const struct skm_packet_server *server, int fd, gid_t primary)
{
	unsigned roles = roles_of_group(server, primary);
	gid_t few[64];
	socklen_t len = sizeof(few);
	gid_t *gids = few;
	SKM_CLEANUP(skm_free) gid_t *many = NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, few, &len) < 0) {
		/* ERANGE: len is now what it takes, at most NGROUPS_MAX (65,536) of them. */
		if (errno != ERANGE || !(many = malloc(len)))
			return roles;
		gids = many;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, many, &len) < 0)
			return roles;
	}
	for (size_t i = 0; i < len / sizeof(*gids); i++)
		roles |= roles_of_group(server, gids[i]);
	return roles;
}

/* ---- connections ---- */

const struct skm_packet_caller *skm_packet_caller_of(const struct skm_packet_connection *connection)
{
	return &connection->caller;
}

void *skm_packet_data_of(struct skm_packet_connection *connection)
{
	return connection->data;
}

static void arm_patience(struct skm_packet_server *server)
{
	uint64_t earliest_ms = UINT64_MAX;
	for (const struct skm_packet_connection *connection = server->connections; connection;
		connection = connection->next)
		if (connection->deadline_ms < earliest_ms)
			earliest_ms = connection->deadline_ms;
	if (earliest_ms == UINT64_MAX || (server->armed_ms && server->armed_ms <= earliest_ms))
		return;
	uint64_t now = now_ms();
	skm_timer_arm(server->patience, earliest_ms > now ? earliest_ms - now + 1 : 1, 0);
	server->armed_ms = earliest_ms;
}

/* What waits may be a secret. */
static void drop_first_waiting(struct skm_packet_connection *connection)
{
	struct waiting *first = connection->first;
	connection->first = first->next;
	if (!connection->first)
		connection->last = NULL;
	connection->waiting_bytes -= first->len;
	explicit_bzero(first->data, first->len);
	free(first);
}

static void drop(struct skm_packet_connection *connection)
{
	struct skm_packet_server *server = connection->server;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		server->connections = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	server->connection_count--;
	server->last_ms = now_ms();
	while (connection->first)
		drop_first_waiting(connection);
	connection->source = skm_source_remove(connection->source);
	skm_fd_close(&connection->fd);
	explicit_bzero(connection->data, server->data_bytes);
	free(connection);
}

static int on_patience(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct skm_packet_server *server = user;
	uint64_t now = now_ms();
	struct skm_packet_connection *next = NULL;
	server->armed_ms = 0;
	for (struct skm_packet_connection *connection = server->connections; connection; connection = next) {
		next = connection->next;
		if (connection->deadline_ms <= now)
			drop(connection);
	}
	arm_patience(server);
	return 0;
}

/* 0, -EAGAIN when the caller has not read enough yet, or why he cannot be told. A packet goes whole or not at
 * all. */
static int send_now(struct skm_packet_connection *connection, const void *data, size_t len)
{
	if (send(connection->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (connection->phase != PHASE_STAY)
		connection->deadline_ms = now_ms() + connection->server->patience_ms;
	return 0;
}

int skm_packet_send(struct skm_packet_connection *connection, const void *data, size_t len)
{
	int r = connection->first ? -EAGAIN : send_now(connection, data, len);
	if (r != -EAGAIN)
		return r;
	if (len > SKM_PACKET_WAITING_MAX - connection->waiting_bytes)
		return -ENOBUFS;
	struct waiting *waiting = malloc(sizeof(*waiting) + len);
	if (!waiting)
		return -ENOMEM;
	waiting->next = NULL;
	waiting->len = len;
	memcpy(waiting->data, data, len);
	if (connection->last)
		connection->last->next = waiting;
	else
		connection->first = waiting;
	connection->last = waiting;
	connection->waiting_bytes += len;
	return 0;
}

/* 0 = all of it is gone; -EAGAIN; -errno. */
static int send_waiting(struct skm_packet_connection *connection)
{
	while (connection->first) {
		int r = send_now(connection, connection->first->data, connection->first->len);
		if (r < 0)
			return r;
		drop_first_waiting(connection);
	}
	return 0;
}

static int wait_for_room(struct skm_packet_connection *connection)
{
	if (connection->waits_for_room)
		return 0;
	connection->waits_for_room = true;
	return skm_source_set_events(connection->source, EPOLLOUT);
}

/* 0 = come back when the socket has room; 1 = all is sent; negative = he cannot be served. */
static int answer(struct skm_packet_connection *connection)
{
	const struct skm_packet_handler *handler = &connection->server->handler;
	for (unsigned i = 0; i < ANSWERS_PER_ROUND; i++) {
		int r = send_waiting(connection);
		if (r == -EAGAIN)
			break;
		if (r < 0 || connection->phase == PHASE_DONE)
			return r < 0 ? r : 1;
		r = handler->on_room(handler->user, connection);
		if (r < 0)
			return r;
		if (r == SKM_PACKET_DONE)
			connection->phase = PHASE_DONE;
	}
	return wait_for_room(connection);
}

static bool has_hung_up(int fd)
{
	struct pollfd poll_fd = {.fd = fd};
	return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & (POLLHUP | POLLERR);
}

/* 0, or -ENOBUFS: what was said to him so far does not fit into a fresh socket. */
static int stay(struct skm_packet_connection *connection)
{
	if (connection->first)
		return -ENOBUFS;
	connection->phase = PHASE_STAY;
	connection->deadline_ms = UINT64_MAX;
	return 0;
}

/* 0 = wait on, 1 = a request was taken, negative = not one of ours, or he is gone. */
static int take_request(struct skm_packet_connection *connection)
{
	const struct skm_packet_handler *handler = &connection->server->handler;
	uint8_t packet[SKM_PACKET_REQUEST_MAX];
	ssize_t n = recv(connection->fd, packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0 || (size_t)n > sizeof(packet)) {
		explicit_bzero(packet, sizeof(packet));
		return -EBADMSG;
	}
	/* He may have given up while others were answered. */
	int r = has_hung_up(connection->fd)
			? -EPIPE
			: handler->on_request(handler->user, connection, packet, (size_t)n);
	explicit_bzero(packet, (size_t)n);
	if (r < 0)
		return r;
	if (r == SKM_PACKET_STAY)
		return stay(connection);
	connection->phase = r == SKM_PACKET_MORE && handler->on_room ? PHASE_MORE : PHASE_DONE;
	return 1;
}

static int serve(struct skm_packet_connection *connection, uint32_t events)
{
	if (events & (EPOLLHUP | EPOLLERR))
		return -EPIPE;
	if (connection->phase == PHASE_STAY)
		return -EBADMSG; /* he has said all that he has to say */
	if (connection->phase == PHASE_REQUEST) {
		int r = take_request(connection);
		if (r <= 0)
			return r;
	}
	return answer(connection);
}

/* No fault of one caller ends the loop. */
static int on_connection(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	struct skm_packet_connection *connection = user;
	struct skm_packet_server *server = connection->server;
	if (serve(connection, events) != 0)
		drop(connection);
	arm_patience(server);
	return 0;
}

void skm_packet_server_tell(struct skm_packet_server *server, uid_t uid, const void *data, size_t len)
{
	struct skm_packet_connection *next = NULL;
	for (struct skm_packet_connection *connection = server->connections; connection; connection = next) {
		next = connection->next;
		if (connection->phase == PHASE_STAY && connection->caller.uid == uid &&
			send_now(connection, data, len) < 0)
			drop(connection);
	}
}

/* ---- the door ---- */

static bool is_full(const struct skm_packet_server *server, uid_t uid)
{
	if (uid == 0)
		return false;
	if (server->connection_count >= server->total_max)
		return true;
	unsigned same = 0;
	for (const struct skm_packet_connection *connection = server->connections; connection;
		connection = connection->next)
		same += connection->caller.uid == uid;
	return same >= server->per_user_max;
}

static int let_in(struct skm_packet_server *server, int *fd, const struct skm_packet_caller *caller)
{
	SKM_CLEANUP(skm_free)
	struct skm_packet_connection *connection = calloc(1, sizeof(*connection) + server->data_bytes);
	if (!connection)
		return -ENOMEM;
	/* Without it, as much as the machine's default lets one write: a few more bytes, and no harm. */
	int size = SEND_BUFFER_BYTES;
	(void)setsockopt(*fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	connection->server = server;
	connection->caller = *caller;
	connection->deadline_ms = now_ms() + server->patience_ms;
	int r = skm_loop_add_fd(server->loop, *fd, EPOLLIN, on_connection, connection, &connection->source);
	if (r < 0)
		return r;
	connection->fd = skm_fd_take(fd);
	connection->next = server->connections;
	if (connection->next)
		connection->next->previous = connection;
	server->connections = connection;
	server->connection_count++;
	connection = NULL; /* owned by the list now */
	return 0;
}

/* It fits into the empty buffer of a fresh socket; if not, being hung up on says it as well. Mostly his
 * request is there already: closing with something unread would show him ECONNRESET before our word
 * (af_unix). */
static void tell(int fd, const struct skm_packet *packet)
{
	uint8_t byte;
	(void)shutdown(fd, SHUT_RD);
	while (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC) > 0)
		;
	(void)!send(fd, packet->data, packet->len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void receive_caller(struct skm_packet_server *server, int *fd)
{
	const struct skm_packet_handler *handler = &server->handler;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	server->last_ms = now_ms();
	if (getsockopt(*fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return;
	struct skm_packet_caller caller = {.uid = peer.uid, .gid = peer.gid, .pid = peer.pid};
	if (server->role_count > 0)
		caller.roles = roles_of_peer(server, *fd, peer.gid);
	if (handler->admit && !handler->admit(handler->user, &caller))
		tell(*fd, &handler->denied);
	else if (is_full(server, caller.uid) || let_in(server, fd, &caller) < 0)
		tell(*fd, &handler->busy);
}

static int on_listener(struct skm_source *source, uint32_t events, void *user)
{
	(void)events;
	struct skm_packet_server *server = user;
	for (unsigned i = 0; i < ACCEPTS_PER_ROUND; i++) {
		SKM_CLEANUP(skm_fd_close)
		int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			receive_caller(server, &fd);
			continue;
		}
		if (errno == EAGAIN)
			break;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			/* He stays in the queue and the listener stays readable: without a pause we would
			 * spin. */
			skm_timer_arm(server->pause, PAUSE_MS, 0);
			int r = skm_source_set_events(source, 0);
			if (r < 0)
				return r;
			break;
		}
		/* ECONNABORTED, EINTR: that one is gone, the next may be well. */
	}
	arm_patience(server);
	return 0;
}

static int on_pause_over(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct skm_packet_server *server = user;
	return server->listener ? skm_source_set_events(server->listener, EPOLLIN) : 0;
}

/* ---- life ---- */

static int set_roles(struct skm_packet_server *server, const struct skm_packet_options *options)
{
	if (options->role_group_count > SKM_ARRAY_SIZE(server->roles))
		return -E2BIG;
	for (size_t i = 0; i < options->role_group_count; i++) {
		struct role *role = &server->roles[server->role_count++];
		size_t len = strlen(options->role_groups[i]);
		if (len >= sizeof(role->name))
			return -ENAMETOOLONG;
		memcpy(role->name, options->role_groups[i], len + 1);
	}
	skm_packet_server_refresh_roles(server);
	return 0;
}

static int add_sources(struct skm_packet_server *server)
{
	int r = skm_loop_add_timer(server->loop, CLOCK_BOOTTIME, on_patience, server, &server->patience);
	if (r == 0)
		r = skm_loop_add_timer(server->loop, CLOCK_BOOTTIME, on_pause_over, server, &server->pause);
	if (r == 0)
		r = skm_loop_add_fd(
			server->loop, server->listen_fd, EPOLLIN, on_listener, server, &server->listener);
	return r;
}

int skm_packet_server_new(struct skm_loop *loop, int *listen_fd, const struct skm_packet_options *options,
	const struct skm_packet_handler *handler, struct skm_packet_server **ret_server)
{
	struct skm_packet_server *server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	*server = (struct skm_packet_server){
		.loop = loop,
		.handler = *handler,
		.patience_ms = options->patience_ms,
		.per_user_max = options->per_user_max,
		.total_max = options->total_max,
		.data_bytes = options->data_bytes,
		.listen_fd = *listen_fd,
		.last_ms = now_ms(),
	};
	int r = set_roles(server, options);
	if (r == 0)
		r = add_sources(server);
	if (r < 0) {
		server->listen_fd = -1; /* still the caller's */
		(void)skm_packet_server_free(server);
		return r;
	}
	*listen_fd = -1;
	*ret_server = server;
	return 0;
}

void skm_packet_server_close_door(struct skm_packet_server *server)
{
	server->listener = skm_source_remove(server->listener);
	skm_fd_close(&server->listen_fd);
}

unsigned skm_packet_server_connections(const struct skm_packet_server *server)
{
	return server->connection_count;
}

uint64_t skm_packet_server_idle_ms(const struct skm_packet_server *server)
{
	return server->connection_count > 0 ? 0 : now_ms() - server->last_ms;
}

struct skm_packet_server *skm_packet_server_free(struct skm_packet_server *server)
{
	if (!server)
		return NULL;
	for (struct skm_packet_connection *next = NULL, *connection = server->connections; connection;
		connection = next) {
		next = connection->next;
		drop(connection);
	}
	skm_packet_server_close_door(server);
	(void)skm_source_remove(server->patience);
	(void)skm_source_remove(server->pause);
	free(server);
	return NULL;
}
