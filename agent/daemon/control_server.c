// SPDX-License-Identifier: Apache-2.0
/* Answers questions on the control socket without ever waiting for a caller.
 *
 * Who calls is decided once, at the door, by what the kernel recorded at connect(2): user (SO_PEERCRED) and
 * groups (SO_PEERGROUPS). A caller without a role is told so and let go in the same breath: he never holds a
 * descriptor or a place, so a thousand of him cost a thousand accepts. Those with a role are limited per user
 * and altogether; root is not, since an administrator who looks into a flood must get his answer. No NSS
 * lookup happens while somebody waits: role groups are resolved at start and after a reload. Rejected:
 * reading /proc/PID/status of the caller (the PID may be another's by then). A list is sent as the socket
 * drains. Only the name of the last device sent is kept per caller, so a slow reader costs a few bytes and
 * never sees half of a device. */
#include "control_server.h"

#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "sekimori/decision.h"

#define SKM_BACKLOG 128 /* waiting in the kernel; costs no descriptor of ours */
#define SKM_PER_ROUND \
	16 /* accepts or messages in one callback, so that the loop's other sources get their turn */
#define SKM_SEND_BUFFER_BYTES \
	32768		 /* what a caller who does not read costs; the kernel doubles it (socket(7)) */
#define SKM_PAUSE_MS 250 /* how long we stop accepting when descriptors or memory are gone */
#define SKM_ROLES_MAX 8
#define SKM_GROUP_BYTES_MAX ((size_t)1024 * 1024) /* one line of group(5) */

struct role {
	char name[64];
	gid_t gid;
	bool is_known;
};

struct connection {
	struct skm_control_server *server;
	struct connection *next, *previous; /* skm_control_server::connections */
	int fd;
	uid_t uid;
	struct skm_source *source;
	uint64_t deadline_ms;		/* of CLOCK_BOOTTIME; moved on whenever the caller takes something */
	uint8_t operation;		/* 0 until the request is read */
	char after[SKM_USB_PORT_BYTES]; /* SKM_CONTROL_DEVICES: the last one that was sent */
};

struct skm_control_server {
	struct skm_loop *loop;
	const struct skm_control_source *asked; /* borrowed */
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int listen_fd;
	bool is_bound; /* the socket file is ours to remove */
	struct skm_source *listener;
	struct skm_source *patience; /* armed while somebody is connected */
	struct skm_source *pause;    /* armed while the listener is silenced */
	struct connection *connections;
	unsigned connection_count;
	size_t role_count;
	struct role roles[SKM_ROLES_MAX];
};

static uint64_t now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

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
	for (size_t size = 1024; r == -ERANGE && size <= SKM_GROUP_BYTES_MAX; size *= 4) {
		char *buf = malloc(size);
		if (!buf)
			return -ENOMEM;
		r = lookup_group_in(name, buf, size, ret_gid);
		free(buf);
	}
	return r;
}

void skm_control_server_refresh_roles(struct skm_control_server *server)
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

static bool is_role(const struct skm_control_server *server, gid_t gid)
{
	for (size_t i = 0; i < server->role_count; i++)
		if (server->roles[i].is_known && server->roles[i].gid == gid)
			return true;
	return false;
}

/* False whenever the kernel does not say yes. */
static bool has_role(const struct skm_control_server *server, int fd, const struct ucred *peer)
{
	if (peer->uid == 0 || is_role(server, peer->gid))
		return true;
	gid_t few[64];
	socklen_t len = sizeof(few);
	gid_t *gids = few;
	SKM_CLEANUP(skm_free) gid_t *many = NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, few, &len) < 0) {
		/* ERANGE: len is now what it takes, at most NGROUPS_MAX (65,536) of them. */
		if (errno != ERANGE || !(many = malloc(len)))
			return false;
		gids = many;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, many, &len) < 0)
			return false;
	}
	for (size_t i = 0; i < len / sizeof(*gids); i++)
		if (is_role(server, gids[i]))
			return true;
	return false;
}

static void arm_patience(struct skm_control_server *server)
{
	uint64_t earliest_ms = UINT64_MAX;
	for (const struct connection *connection = server->connections; connection;
		connection = connection->next)
		if (connection->deadline_ms < earliest_ms)
			earliest_ms = connection->deadline_ms;
	uint64_t delay_ms = 0; /* disarms: an idle agent has no wake-ups */
	if (earliest_ms != UINT64_MAX) {
		uint64_t now = now_ms();
		delay_ms = earliest_ms > now ? earliest_ms - now + 1 : 1;
	}
	skm_timer_arm(server->patience, delay_ms, 0);
}

static void drop(struct connection *connection)
{
	struct skm_control_server *server = connection->server;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		server->connections = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	server->connection_count--;
	connection->source = skm_source_remove(connection->source);
	skm_fd_close(&connection->fd);
	free(connection);
}

static int on_patience(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct skm_control_server *server = user;
	uint64_t now = now_ms();
	struct connection *next = NULL;
	for (struct connection *connection = server->connections; connection; connection = next) {
		next = connection->next;
		if (connection->deadline_ms <= now)
			drop(connection);
	}
	arm_patience(server);
	return 0;
}

/* 0, -EAGAIN when the caller has not read enough yet, or why he cannot be told. A packet goes whole or not at
 * all. */
static int send_answer(int fd, enum skm_control_result result, uint8_t *packet, size_t body_len)
{
	struct skm_control_header header = {
		.version = SKM_CONTROL_VERSION, .code = (uint8_t)result, .body_bytes = (uint32_t)body_len};
	int r = skm_control_header_encode(&header, packet, SKM_CONTROL_HEADER_BYTES);
	if (r < 0)
		return r;
	return send(fd, packet, SKM_CONTROL_HEADER_BYTES + body_len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno
												      : 0;
}

static int send_empty(int fd, enum skm_control_result result)
{
	uint8_t packet[SKM_CONTROL_HEADER_BYTES];
	return send_answer(fd, result, packet, 0);
}

static int send_status(struct connection *connection)
{
	const struct skm_control_source *asked = connection->server->asked;
	uint8_t packet[SKM_CONTROL_MESSAGE_MAX];
	struct skm_status status = {0};
	asked->status(asked->user, &status);
	size_t len = 0;
	int r = skm_status_encode(
		&status, packet + SKM_CONTROL_HEADER_BYTES, sizeof(packet) - SKM_CONTROL_HEADER_BYTES, &len);
	return r < 0 ? r : send_answer(connection->fd, SKM_CONTROL_OK, packet, len);
}

/* One step of the list: 0 = go on, 1 = the end was sent. */
static int send_next_device(struct connection *connection)
{
	const struct skm_control_source *asked = connection->server->asked;
	uint8_t packet[SKM_CONTROL_MESSAGE_MAX];
	struct skm_device_report report = {0};
	if (asked->next_device(asked->user, connection->after, &report) == 0) {
		int r = send_empty(connection->fd, SKM_CONTROL_END);
		return r < 0 ? r : 1;
	}
	size_t len = 0;
	int r = skm_device_report_encode(
		&report, packet + SKM_CONTROL_HEADER_BYTES, sizeof(packet) - SKM_CONTROL_HEADER_BYTES, &len);
	if (r == 0)
		r = send_answer(connection->fd, SKM_CONTROL_MORE, packet, len);
	if (r == 0)
		memcpy(connection->after, report.device.port, sizeof(connection->after));
	return r;
}

/* 0 = there is more to send when the socket drains; 1 = all sent; negative = the caller cannot be served. */
static int send_devices(struct connection *connection)
{
	for (unsigned i = 0; i < SKM_PER_ROUND; i++) {
		int r = send_next_device(connection);
		if (r == -EAGAIN)
			return 0;
		if (r != 0)
			return r;
		connection->deadline_ms = now_ms() + SKM_CONTROL_PATIENCE_MS;
	}
	return 0;
}

/* 0 = come back when the socket drains; anything else = done with this caller. */
static int answer(struct connection *connection)
{
	if (connection->operation == SKM_CONTROL_DEVICES)
		return send_devices(connection);
	int r = send_status(connection);
	return r == -EAGAIN ? 0 : 1;
}

/* 0 = wait on, 1 = a request was read, negative = not one of ours. */
static int read_request(struct connection *connection)
{
	uint8_t packet[SKM_CONTROL_MESSAGE_MAX];
	ssize_t n = recv(connection->fd, packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	struct skm_control_header header;
	if ((size_t)n > sizeof(packet) || skm_control_header_decode(packet, (size_t)n, &header) < 0)
		return -EBADMSG;
	if (header.version != SKM_CONTROL_VERSION || header.body_bytes != 0 ||
		(header.code != SKM_CONTROL_STATUS && header.code != SKM_CONTROL_DEVICES)) {
		(void)send_empty(connection->fd, SKM_CONTROL_BAD_REQUEST); /* he is let go in any case */
		return -EBADMSG;
	}
	connection->operation = header.code;
	return 1;
}

static int serve(struct connection *connection, uint32_t events)
{
	if (!connection->operation) {
		int r = read_request(connection);
		if (r == 0)
			return events & (EPOLLHUP | EPOLLERR) ? -EPIPE : 0;
		if (r < 0)
			return r;
		r = skm_source_set_events(connection->source, EPOLLOUT);
		return r < 0 ? r : answer(connection);
	}
	return events & (EPOLLHUP | EPOLLERR) ? -EPIPE : answer(connection);
}

/* No fault of one caller ends the loop. */
static int on_connection(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	struct connection *connection = user;
	struct skm_control_server *server = connection->server;
	if (serve(connection, events) != 0)
		drop(connection);
	arm_patience(server);
	return 0;
}

static bool is_full(const struct skm_control_server *server, uid_t uid)
{
	if (uid == 0)
		return false;
	if (server->connection_count >= SKM_CONTROL_CONNECTIONS_MAX)
		return true;
	unsigned same = 0;
	for (const struct connection *connection = server->connections; connection;
		connection = connection->next)
		same += connection->uid == uid;
	return same >= SKM_CONTROL_CONNECTIONS_PER_UID;
}

static int admit(struct skm_control_server *server, int *fd, uid_t uid)
{
	SKM_CLEANUP(skm_free) struct connection *connection = calloc(1, sizeof(*connection));
	if (!connection)
		return -ENOMEM;
	/* Without it, as much as the machine's default lets one write: a few more bytes, and no harm. */
	int size = SKM_SEND_BUFFER_BYTES;
	(void)setsockopt(*fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	connection->server = server;
	connection->uid = uid;
	connection->deadline_ms = now_ms() + SKM_CONTROL_PATIENCE_MS;
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

/* What is said at the door fits into the empty buffer of a fresh socket; if not, being hung up on says it as
 * well. */
static void receive_caller(struct skm_control_server *server, int *fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	if (getsockopt(*fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return;
	if (!has_role(server, *fd, &peer))
		(void)send_empty(*fd, SKM_CONTROL_DENIED);
	else if (is_full(server, peer.uid) || admit(server, fd, peer.uid) < 0)
		(void)send_empty(*fd, SKM_CONTROL_BUSY);
}

static int on_listener(struct skm_source *source, uint32_t events, void *user)
{
	(void)events;
	struct skm_control_server *server = user;
	for (unsigned i = 0; i < SKM_PER_ROUND; i++) {
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
			skm_timer_arm(server->pause, SKM_PAUSE_MS, 0);
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
	struct skm_control_server *server = user;
	return skm_source_set_events(server->listener, EPOLLIN);
}

/* A socket file that nobody listens on is what a killed agent left; anything else is not ours to take away.
 */
static int clear_the_way(const struct sockaddr_un *address)
{
	struct stat info;
	if (lstat(address->sun_path, &info) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(info.st_mode))
		return -EEXIST;
	SKM_CLEANUP(skm_fd_close) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

static int listen_at(struct skm_control_server *server)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, server->path, sizeof(address.sun_path));
	int r = clear_the_way(&address);
	if (r < 0)
		return r;
	server->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->listen_fd < 0)
		return -errno;
	if (bind(server->listen_fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	server->is_bound = true;
	/* Independent of our umask. Everybody may knock; who may ask is decided at the door. */
	if (chmod(server->path, 0666) < 0)
		return -errno;
	return listen(server->listen_fd, SKM_BACKLOG) < 0 ? -errno : 0;
}

static int add_sources(struct skm_control_server *server)
{
	int r = skm_loop_add_timer(server->loop, CLOCK_BOOTTIME, on_patience, server, &server->patience);
	if (r == 0)
		r = skm_loop_add_timer(server->loop, CLOCK_BOOTTIME, on_pause_over, server, &server->pause);
	if (r == 0)
		r = skm_loop_add_fd(
			server->loop, server->listen_fd, EPOLLIN, on_listener, server, &server->listener);
	return r;
}

int skm_control_server_new(struct skm_loop *loop, const char *path, const struct skm_control_source *source,
	const char *const *role_groups, size_t role_group_count, struct skm_control_server **ret_server)
{
	struct skm_control_server *server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	*server = (struct skm_control_server){.loop = loop, .asked = source, .listen_fd = -1};
	int r = 0;
	if (strlen(path) >= sizeof(server->path))
		r = -ENAMETOOLONG;
	if (role_group_count > SKM_ROLES_MAX)
		r = -E2BIG;
	for (size_t i = 0; r == 0 && i < role_group_count; i++) {
		struct role *role = &server->roles[server->role_count++];
		if (strlen(role_groups[i]) >= sizeof(role->name))
			r = -ENAMETOOLONG;
		else
			memcpy(role->name, role_groups[i], strlen(role_groups[i]) + 1);
	}
	if (r == 0) {
		memcpy(server->path, path, strlen(path) + 1);
		skm_control_server_refresh_roles(server);
		r = listen_at(server);
	}
	if (r == 0)
		r = add_sources(server);
	if (r < 0) {
		(void)skm_control_server_free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

struct skm_control_server *skm_control_server_free(struct skm_control_server *server)
{
	if (!server)
		return NULL;
	for (struct connection *next = NULL, *connection = server->connections; connection;
		connection = next) {
		next = connection->next;
		drop(connection);
	}
	(void)skm_source_remove(server->listener);
	(void)skm_source_remove(server->patience);
	(void)skm_source_remove(server->pause);
	skm_fd_close(&server->listen_fd);
	if (server->is_bound)
		(void)unlink(server->path);
	free(server);
	return NULL;
}
