// SPDX-License-Identifier: Apache-2.0
/* The server's side of both sockets: AF_UNIX SOCK_SEQPACKET, one request a connection, any number of answers.
 *
 * Never waits for a caller: who sends nothing, or does not read, is dropped after his patience is over; one
 * user has only so many places, all together only so many, and root always gets one. Who calls is the
 * kernel's word, taken once, at the door: SO_PEERCRED and SO_PEERGROUPS, as they were at connect(2). */
#ifndef SEKIMORI_PACKET_SERVER_H
#define SEKIMORI_PACKET_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "sekimori/loop.h"

#define SKM_PACKET_REQUEST_MAX 8192 /* bytes; who sends a longer one is hung up on */
#define SKM_PACKET_ROLES_MAX 8

/* ---- the listening socket ---- */

/* Creates it at `path` (at most 107 bytes), mode 0666: the right to ask is decided for each caller. A stale
 * socket file is replaced. 0; -EADDRINUSE: somebody listens there; -EEXIST: something else is there; -errno.
 */
SKM_NODISCARD int skm_packet_listen(const char *path, int *ret_fd);
#define SKM_PACKET_NOT_GIVEN 1
/* The one that systemd holds for us (sd_listen_fds(3)). 0; SKM_PACKET_NOT_GIVEN: none was passed to this
 * process; -EPROTO: not exactly one, or it is no listening AF_UNIX SOCK_SEQPACKET socket. */
SKM_NODISCARD int skm_packet_listen_given(int *ret_fd);

/* ---- callers ---- */

struct skm_packet_caller {
	uid_t uid;
	gid_t gid;
	pid_t pid;	/* may be another's by now: for records, not for decisions */
	unsigned roles; /* bit n: is in the group role_groups[n] */
};
struct skm_packet_connection;
const struct skm_packet_caller *skm_packet_caller_of(const struct skm_packet_connection *connection);
/* `data_bytes` of the handler's own, zeroed when the connection begins. */
void *skm_packet_data_of(struct skm_packet_connection *connection);

/* Sends one packet, whole, after those before it. What the caller does not read fast enough is kept, up to
 * SKM_PACKET_WAITING_MAX bytes. 0; -ENOBUFS: so much waits already; -ENOMEM; -errno: the caller is gone. */
#define SKM_PACKET_WAITING_MAX ((size_t)1024 * 1024)
SKM_NODISCARD int skm_packet_send(struct skm_packet_connection *connection, const void *data, size_t len);

/* ---- the server ---- */

#define SKM_PACKET_DONE 0 /* everything is sent (or kept to be sent): the connection may end */
#define SKM_PACKET_MORE 1 /* on_room is called for the rest */
#define SKM_PACKET_STAY 2 /* on_request only: he stays, and skm_packet_server_tell reaches him */

struct skm_packet_handler {
	/* May he ask at all? Who may not is told `denied` and let go, and never holds a place. NULL =
	 * everybody. */
	bool (*admit)(void *user, const struct skm_packet_caller *caller);
	/* His request; the buffer is wiped afterwards. Not called for one who has hung up meanwhile. DONE,
	 * MORE, STAY, or a negative errno: he is dropped. */
	int (*on_request)(
		void *user, struct skm_packet_connection *connection, const uint8_t *packet, size_t len);
	/* Called again and again, as far as he reads, until it says DONE. Same results. NULL = no MORE. */
	int (*on_room)(void *user, struct skm_packet_connection *connection);
	void *user;
	struct skm_packet {
		uint8_t data[8];
		size_t len;
	} denied, busy; /* what is said at the door */
};

struct skm_packet_options {
	uint32_t patience_ms;
	unsigned per_user_max, total_max; /* places; not for root */
	size_t data_bytes;
	/* Names of at most SKM_PACKET_ROLES_MAX groups. One that does not exist is nobody's. */
	const char *const *role_groups;
	size_t role_group_count;
};

struct skm_packet_server;
/* Serves *listen_fd in `loop` and takes it over. Everything given is copied. 0; -E2BIG, -ENAMETOOLONG (of the
 * groups); -errno. */
SKM_NODISCARD int skm_packet_server_new(struct skm_loop *loop, int *listen_fd,
	const struct skm_packet_options *options, const struct skm_packet_handler *handler,
	struct skm_packet_server **ret_server);
/* Ends all connections; the socket file stays. NULL is fine. Returns NULL. */
struct skm_packet_server *skm_packet_server_free(struct skm_packet_server *server);
/* Group numbers are looked up at start and again here, never while somebody waits. */
void skm_packet_server_refresh_roles(struct skm_packet_server *server);
/* Nobody else is let in; who is, is still answered. */
void skm_packet_server_close_door(struct skm_packet_server *server);
/* Sends one packet to everybody of that user who stays. Nothing is kept for them: who has not read what came
 * before, so that his socket has no room, is dropped; so is who says another word after his request. Staying
 * costs no timer: patience does not run. */
void skm_packet_server_tell(struct skm_packet_server *server, uid_t uid, const void *data, size_t len);
unsigned skm_packet_server_connections(const struct skm_packet_server *server);
/* Milliseconds since the last one came or left; 0 while somebody is connected. */
uint64_t skm_packet_server_idle_ms(const struct skm_packet_server *server);

#endif
