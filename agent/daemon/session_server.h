// SPDX-License-Identifier: Apache-2.0
/* The socket of people's sessions: whoever connects may wait there for what concerns themselves, and can ask
 * nothing. One user has at most SKM_SESSION_PER_USER places, all together SKM_SESSION_PLACES_MAX; who does
 * not subscribe within SKM_SESSION_PATIENCE_MS, says anything more, or does not read is dropped. */
#ifndef SEKIMORI_SESSION_SERVER_H
#define SEKIMORI_SESSION_SERVER_H

#include <sys/types.h>

#include "sekimori/control.h"
#include "sekimori/loop.h"

#define SKM_SESSION_PATIENCE_MS 2000
#define SKM_SESSION_PER_USER 4
#define SKM_SESSION_PLACES_MAX 64

struct skm_session_server;

/* Creates the socket at `path` (replacing a stale one) and serves it in `loop`. 0 or -errno. */
SKM_NODISCARD int skm_session_server_new(
	struct skm_loop *loop, const char *path, struct skm_session_server **ret_server);
/* Tells every subscriber of this user, and nobody else. Never blocks. */
void skm_session_server_tell(struct skm_session_server *server, uid_t uid, const struct skm_refusal *refusal);
/* Removes the socket file. NULL is fine. Returns NULL. */
struct skm_session_server *skm_session_server_free(struct skm_session_server *server);

#endif
