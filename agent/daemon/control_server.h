// SPDX-License-Identifier: Apache-2.0
/* The control socket's server side: accepts, asks the kernel who calls, answers. Never blocks: a caller that
 * sends half a message, nothing, or does not read is dropped after SKM_CONTROL_PATIENCE_MS; one uid has at
 * most SKM_CONTROL_CONNECTIONS_PER_UID connections, all together SKM_CONTROL_CONNECTIONS_MAX (root is always
 * let in). */
#ifndef SEKIMORI_CONTROL_SERVER_H
#define SEKIMORI_CONTROL_SERVER_H

#include "sekimori/control.h"
#include "sekimori/loop.h"
#include "sekimori/packet_server.h"

#define SKM_CONTROL_PATIENCE_MS 5000
#define SKM_CONTROL_CONNECTIONS_PER_UID 8
#define SKM_CONTROL_CONNECTIONS_MAX 64

struct skm_control_server;

/* What the server asks of the agent. Copied. */
struct skm_control_source {
	void (*status)(void *user, struct skm_status *ret_status);
	/* The device with the smallest port name greater than `after` ("" = from the start): 1 and
	 * *ret_report, or 0 at the end. A cursor by name, so that devices may come and go while a slow caller
	 * reads. */
	int (*next_device)(void *user, const char *after, struct skm_device_report *ret_report);
	/* sekimori-forward (or root) says something that belongs on record. 0: it is there; or -errno. NULL:
	 * nothing is taken. */
	int (*notice)(
		void *user, const struct skm_packet_caller *caller, const struct skm_forward_notice *notice);
	void *user;
};

/* Whose members may say it, and nothing else. */
#define SKM_CONTROL_FORWARD_GROUP "sekimori-forward"

/* Creates the socket at `path` (replacing a stale one; mode 0666: the right to ask is decided per caller) and
 * serves it in `loop`. `role_groups` are the names of the groups that may read (SKM_CONTROL_FORWARD_GROUP:
 * that may say a notice); those that do not exist are passed over; root always may. 0 or -errno. */
SKM_NODISCARD int skm_control_server_new(struct skm_loop *loop, const char *path,
	const struct skm_control_source *source, const char *const *role_groups, size_t role_group_count,
	struct skm_control_server **ret_server);
/* Group numbers are looked up at start and again here (after a reload), never while somebody waits. */
void skm_control_server_refresh_roles(struct skm_control_server *server);
struct skm_control_server *skm_control_server_free(
	struct skm_control_server *server); /* removes the socket file */

#endif
