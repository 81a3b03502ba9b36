// SPDX-License-Identifier: Apache-2.0
/* The control protocol between `sekimori` and `sekimorid`: AF_UNIX SOCK_SEQPACKET at SKM_CONTROL_PATH, one
 * message a packet.
 *
 * A message is a header of SKM_CONTROL_HEADER_BYTES (version, operation or result, body length;
 * little-endian) and a body. A packet whose size does not agree exactly with its header is a protocol error,
 * and the connection is closed. One request a connection; the answer is any number of RESULT_MORE messages
 * and one that ends it. Who may ask is decided by the kernel's word on the caller (SO_PEERCRED,
 * SO_PEERGROUPS), never by what is in a message. */
#ifndef SEKIMORI_CONTROL_H
#define SEKIMORI_CONTROL_H

#include "sekimori/decision.h"
#include "sekimori/gate.h"

#define SKM_CONTROL_PATH "/run/sekimori/control"
#define SKM_SESSION_PATH "/run/sekimori/session" /* for people without a role: SKM_CONTROL_SUBSCRIBE only */
#define SKM_CONTROL_VERSION 1
#define SKM_CONTROL_HEADER_BYTES 8
#define SKM_CONTROL_MESSAGE_MAX 16384
#define SKM_SYSTEM_DISKS_NAMED_MAX 8

enum skm_control_operation {
	SKM_CONTROL_STATUS = 1,
	SKM_CONTROL_DEVICES = 2,
	SKM_CONTROL_NOTICE = 3, /* body: a notice of sekimori-forward, which alone (and root) may say it */
	/* At SKM_SESSION_PATH, by anybody. Answered with OK and an empty body; from then on each refusal that
	 * concerns the caller follows as MORE, until one of the two hangs up. */
	SKM_CONTROL_SUBSCRIBE = 4,
};

enum skm_control_result {
	SKM_CONTROL_OK = 0,	/* body present, this is the last message */
	SKM_CONTROL_MORE = 1,	/* body present, more follow */
	SKM_CONTROL_DENIED = 2, /* the caller has no role that may ask this; empty body */
	SKM_CONTROL_BAD_REQUEST = 3,
	SKM_CONTROL_BUSY = 4, /* too many connections of this caller */
	SKM_CONTROL_END = 5,  /* empty body, last message of a list */
};

struct skm_control_header {
	uint8_t version;
	uint8_t code; /* operation in a request, result in an answer */
	uint32_t body_bytes;
};

/* What an administrator wants to know at a glance. A value. */
struct skm_status {
	char version[32];
	int32_t pid;
	uint64_t started_realtime_usec;
	bool gate_is_closed;
	struct skm_gate_state gate;
	uint8_t mode; /* enum skm_mode */
	int64_t audit_until_sec;
	char policy_version[17];
	uint64_t rule_count;
	bool config_is_broken;	/* the file on disk is not what is in force */
	char config_error[768]; /* formatted, "" = none */
	bool log_is_failing;
	char log_error[256];
	uint64_t log_pending;  /* records that wait in memory */
	uint64_t log_lost;     /* records that no longer fitted there, since start */
	uint64_t log_sequence; /* last stored */
	uint32_t device_count, refused_count, partial_count, hung_count;
	uint64_t overflow_count;
	uint64_t last_reconcile_realtime_usec;
	uint32_t system_disk_count; /* all of them; the first SKM_SYSTEM_DISKS_NAMED_MAX are named */
	char system_disks[SKM_SYSTEM_DISKS_NAMED_MAX]
			 [SKM_USB_PORT_BYTES]; /* ports whose device carries a mounted system file system */
};

/* Where a device stands. */
enum skm_device_state {
	SKM_DEVICE_STATE_NEW,	  /* being read or judged */
	SKM_DEVICE_STATE_SETTLED, /* the kernel's state is what the verdict asks for */
	SKM_DEVICE_STATE_HUNG,
	SKM_DEVICE_STATE_FAILED, /* could not be brought to the verdict; closed */
	SKM_DEVICE_STATE_COUNT_,
};

struct skm_device_report {
	struct skm_device device;
	struct skm_decision decision;
	uint8_t state; /* enum skm_device_state */
	bool is_system_disk;
	bool is_observed; /* let pass by mode "audit" */
};

/* What sekimori-forward has to put on record. Numbers only: nothing that comes from the network gets near the
 * agent, and the agent's own words go into the record. */
enum skm_forward_notice_kind {
	SKM_FORWARD_NOTICE_CERTIFICATE, /* `days` (90, 30, 7, or 0: it is over) until `until_sec` */
	SKM_FORWARD_NOTICE_MISSING,	/* `count` records of `stream` had vanished before they were sent */
	SKM_FORWARD_NOTICE_UNSENT,	/* `count` lines of `stream` are no records and were not sent */
	SKM_FORWARD_NOTICE_COUNT_,
};
struct skm_forward_notice {
	uint8_t kind;	/* enum skm_forward_notice_kind */
	uint8_t stream; /* 0 agent, 1 auth */
	uint32_t days;
	uint64_t count;
	int64_t until_sec; /* UNIX time */
};

/* What a person is told of a device that was refused while they sat at the machine: nothing that they do not
 * hold in their hand, but the number under which the record is found. A value. */
#define SKM_REFUSAL_PRODUCT_BYTES 128
struct skm_refusal {
	uint64_t receipt; /* number of the record in stream "agent"; read out over the telephone; never 0 */
	bool is_partial;  /* a part of the device may be used */
	uint8_t kind;	  /* enum skm_device_kind: what was refused of it */
	uint16_t vendor_id, product_id;
	/* Cleaned (text.h), but the words of a stranger. "" = none. */
	char product[SKM_REFUSAL_PRODUCT_BYTES];
	/* The reason that the configuration gives with the rule, cleaned; "" for built-in rules. */
	char reason[SKM_REASON_BYTES];
};

/* Pure encoders: 0 and the length; -ENOBUFS; -EINVAL for a value that no decoder would take (unterminated
 * string, number out of its enum). Pure decoders: 0, or -EBADMSG for anything that is not exactly one
 * well-formed value (wrong size, NUL in a string, number out of its enum, trailing bytes). A header is
 * decoded from the whole packet: `len` must be exactly SKM_CONTROL_HEADER_BYTES + body_bytes. Its version and
 * code are handed out as they are, so that the caller can answer a stranger. */
SKM_NODISCARD int skm_control_header_encode(
	const struct skm_control_header *header, uint8_t *buf, size_t size);
SKM_NODISCARD int skm_control_header_decode(
	const uint8_t *buf, size_t len, struct skm_control_header *ret_header);
SKM_NODISCARD int skm_status_encode(
	const struct skm_status *status, uint8_t *buf, size_t size, size_t *ret_len);
SKM_NODISCARD int skm_status_decode(const uint8_t *buf, size_t len, struct skm_status *ret_status);
SKM_NODISCARD int skm_device_report_encode(
	const struct skm_device_report *report, uint8_t *buf, size_t size, size_t *ret_len);
SKM_NODISCARD int skm_device_report_decode(
	const uint8_t *buf, size_t len, struct skm_device_report *ret_report);

SKM_NODISCARD int skm_forward_notice_encode(
	const struct skm_forward_notice *notice, uint8_t *buf, size_t size, size_t *ret_len);
SKM_NODISCARD int skm_forward_notice_decode(
	const uint8_t *buf, size_t len, struct skm_forward_notice *ret_notice);

SKM_NODISCARD int skm_refusal_encode(
	const struct skm_refusal *refusal, uint8_t *buf, size_t size, size_t *ret_len);
SKM_NODISCARD int skm_refusal_decode(const uint8_t *buf, size_t len, struct skm_refusal *ret_refusal);

const char *skm_device_state_to_string(enum skm_device_state state);

/* The client's side: connects, checks that the server is root (or the caller's own effective user, as for
 * configuration files: who could plant that server is the caller anyway, and tests need no root), sends one
 * request, and calls `on_body` for each body. All of it takes at most timeout_ms. 0; SKM_CONTROL_CLIENT_… ;
 * or -errno (-ENOENT, -ECONNREFUSED, -ECONNRESET: no agent; -ETIMEDOUT; -EPERM: the server is somebody else;
 * -EBADMSG: it does not speak our version). `on_body` returns 0 to go on or a negative errno, which ends it.
 */
#define SKM_CONTROL_CLIENT_DENIED 1
#define SKM_CONTROL_CLIENT_BUSY 2
typedef int (*skm_control_body_fn)(void *user, const uint8_t *body, size_t len);
SKM_NODISCARD int skm_control_ask(const char *path, enum skm_control_operation operation, uint32_t timeout_ms,
	skm_control_body_fn on_body, void *user);
/* The same for a notice: 0 when it is on record (or as good as: the agent stores it with its next round). */
SKM_NODISCARD int skm_control_tell(
	const char *path, const struct skm_forward_notice *notice, uint32_t timeout_ms);

/* Subscribes to what concerns the calling user; within timeout_ms. 0 and a socket to wait on (readable: a
 * refusal, or the end); SKM_CONTROL_CLIENT_BUSY: as many as are allowed listen already; else as
 * skm_control_ask. */
SKM_NODISCARD int skm_control_subscribe(const char *path, uint32_t timeout_ms, int *ret_fd);
/* Never blocks. 0; SKM_CONTROL_CLIENT_NOTHING; -ECONNRESET: the agent is gone, or has let us go; -EBADMSG. */
#define SKM_CONTROL_CLIENT_NOTHING 3
SKM_NODISCARD int skm_control_next_refusal(int fd, struct skm_refusal *ret_refusal);

#endif
