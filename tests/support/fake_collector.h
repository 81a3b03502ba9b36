// SPDX-License-Identifier: Apache-2.0
/* A collector that speaks RELP over plain TCP in the test's own thread, and misbehaves as it is told. Each
 * call does what can be done at once; the test turns it and its forwarder by turns. */
#ifndef SKM_TEST_FAKE_COLLECTOR_H
#define SKM_TEST_FAKE_COLLECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "transport.h"

#define COLLECTOR_MESSAGES_MAX 64

struct collector_message {
	uint32_t txnr;
	char *text; /* the syslog message */
	size_t len;
	unsigned connection; /* which one it came by, from 1 */
};

struct fake_collector {
	int listen_fd, fd;
	uint16_t port;
	unsigned connections;
	const char *open_answer; /* NULL: none; default: as librelp */
	bool is_manual;		 /* messages are answered by collector_answer only */
	bool is_slow;		 /* answers leave byte by byte */
	char in[512 * 1024];
	size_t in_len;
	char out[65536];
	size_t out_len;
	struct collector_message messages[COLLECTOR_MESSAGES_MAX];
	unsigned message_count;
};

void collector_start(struct fake_collector *collector);
void collector_stop(struct fake_collector *collector);
/* Accepts, reads, answers. */
void collector_turn(struct fake_collector *collector);
void collector_answer(struct fake_collector *collector, uint32_t txnr, const char *data);
void collector_send(struct fake_collector *collector, const void *bytes, size_t len);
/* Ends the connection: with a reset, or in good order. */
void collector_hang_up(struct fake_collector *collector, bool with_reset);
void collector_forget(struct fake_collector *collector);

/* A transport without secrets over the socket. */
int plain_transport_open(int fd, struct skm_transport *ret_transport);

#endif
