// SPDX-License-Identifier: Apache-2.0
/* What a connection is made of, so that the protocol's tests need no certificates. */
#ifndef SKM_FORWARD_TRANSPORT_H
#define SKM_FORWARD_TRANSPORT_H

#include <stdint.h>

#include "sekimori/result.h"

/* Outcomes of each call: come back when the socket can be read, or written. */
#define SKM_TRANSPORT_READ 1
#define SKM_TRANSPORT_WRITE 2

struct skm_transport_ops {
	/* 0 when the other side has proved who it is. Negative: `error` says why. */
	int (*handshake)(void *object);
	/* 0: *ret_sent > 0 bytes were taken. After READ or WRITE the same data must come again. */
	int (*send)(void *object, const void *data, size_t len, size_t *ret_sent);
	/* 0: *ret_len bytes; 0 bytes = the other side has ended. */
	int (*receive)(void *object, void *buf, size_t size, size_t *ret_len);
	/* English, of the last failure; "" = the errno says it all. Valid until the next call. */
	const char *(*error)(void *object);
	void (*free)(void *object);
};

struct skm_transport {
	const struct skm_transport_ops *ops;
	void *object;
};

/* Puts a transport over a connected non-blocking socket, which stays the caller's. On failure `error` says
 * what is wrong with which file. */
#define SKM_TRANSPORT_ERROR_BYTES 256
struct skm_transport_source {
	int (*open)(void *user, int fd, struct skm_transport *ret_transport,
		char error[SKM_TRANSPORT_ERROR_BYTES]);
	void *user;
};

#endif
