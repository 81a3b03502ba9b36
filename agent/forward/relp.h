// SPDX-License-Identifier: Apache-2.0
/* Frames of RELP, the Reliable Event Logging Protocol (librelp's doc/relp.html):
 *
 *   TXNR SP COMMAND SP DATALEN [SP DATA] LF
 *
 * TXNR is at most nine digits, COMMAND letters, DATALEN at most nine digits; with DATALEN 0 there is no SP
 * before the LF. Each command is answered by "rsp" with its TXNR; "serverclose" with TXNR 0 is the server's
 * own. Pure. */
#ifndef SKM_FORWARD_RELP_H
#define SKM_FORWARD_RELP_H

#include <stdbool.h>
#include <stdint.h>

#include "sekimori/result.h"

#define SKM_RELP_TXNR_MAX 999999999u
#define SKM_RELP_COMMAND_BYTES 33
#define SKM_RELP_HEAD_BYTES 56 /* the longest head, with room for its NUL */
#define SKM_RELP_OK 200

/* What stands before the data. `command` is at most 32 letters. Returns its length. */
size_t skm_relp_head_format(
	uint32_t txnr, const char *command, size_t data_len, char ret_head[SKM_RELP_HEAD_BYTES]);
/* 1, 2, … SKM_RELP_TXNR_MAX, 1 … */
uint32_t skm_relp_txnr_next(uint32_t txnr);

struct skm_relp_frame {
	uint32_t txnr;
	char command[SKM_RELP_COMMAND_BYTES];
	const char *data; /* in the buffer that was parsed; not terminated */
	size_t data_len;
};

#define SKM_RELP_PARTIAL 1
/* The first frame in a buffer. 0: *ret_used bytes of it were the frame. SKM_RELP_PARTIAL: no fault so far,
 * more is needed. -EBADMSG: no frame can begin like this, or its data would be longer than data_max. */
SKM_NODISCARD int skm_relp_frame_parse(
	const char *buf, size_t len, size_t data_max, struct skm_relp_frame *ret_frame, size_t *ret_used);
/* The three digits that an answer begins with, "200 OK". 0 or -EBADMSG. */
SKM_NODISCARD int skm_relp_status(const struct skm_relp_frame *frame, unsigned *ret_status);
/* Does the answer to "open" offer a command ("commands=eventlog,syslog" on one of its lines)? */
bool skm_relp_offers_command(const struct skm_relp_frame *frame, const char *command);

#endif
