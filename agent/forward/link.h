// SPDX-License-Identifier: Apache-2.0
/* One RELP session with the collector: connects, proves itself, opens, sends messages, hears their answers.
 * It keeps no copy of what it has sent: who wants to know what the collector has stored listens to on_stored.
 */
#ifndef SKM_FORWARD_LINK_H
#define SKM_FORWARD_LINK_H

#include <stdbool.h>

#include "message.h"
#include "sekimori/loop.h"
#include "transport.h"

/* Messages that may be on their way: enough to hide a round trip and the collector's disk, few enough to be
 * sent again after a break without being noticed. */
#define SKM_LINK_WINDOW 8
#define SKM_LINK_ERROR_BYTES 384

struct skm_link_options {
	const char *host; /* IPv4 or IPv6 address */
	uint16_t port;
	uint32_t open_timeout_ms;   /* until the session is open */
	uint32_t answer_timeout_ms; /* between two signs of life while answers are awaited */
	struct skm_transport_source transport;
};

struct skm_link_handler {
	/* The session is open. */
	void (*on_open)(void *user);
	/* The collector has stored a message. 0, or -EBADMSG: there is none of that number, which ends the
	 * link. */
	int (*on_stored)(void *user, uint32_t txnr);
	/* It is over, for a reason that a person reads. Nothing else is called afterwards; it may be freed
	 * here, and only here. */
	void (*on_end)(void *user, const char *why);
	void *user;
};

struct skm_link;

/* Begins to connect; everything given is copied but the host, which must live as long. 0 or -errno; what
 * fails later is told by on_end. */
SKM_NODISCARD int skm_link_new(struct skm_loop *loop, const struct skm_link_options *options,
	const struct skm_link_handler *handler, struct skm_link **ret_link);
/* NULL is fine. Returns NULL. */
struct skm_link *skm_link_free(struct skm_link *link);
bool skm_link_is_open(const struct skm_link *link);
/* Open, nothing waits to be written, and fewer than SKM_LINK_WINDOW messages are on their way. */
bool skm_link_has_room(const struct skm_link *link);
/* The message to fill when there is room, with skm_message_begin. */
struct skm_message *skm_link_message(struct skm_link *link);
/* Sends it; there must be room. Returns its number. */
uint32_t skm_link_send(struct skm_link *link);

#endif
