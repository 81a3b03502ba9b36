// SPDX-License-Identifier: Apache-2.0
/* One RELP frame with one syslog message that carries whole records, byte for byte:
 *
 *   <109>1 - TERMINAL sekimori-STREAM - - - LINE[0x1E LINE…]
 *
 * Several lines only when several wait. RFC 5424: 109 is facility 13 (log audit), severity 5 (notice). Or no
 * record at all: `<109>1 - TERMINAL sekimori-STREAM - alive - on`. Pure. */
#ifndef SKM_FORWARD_MESSAGE_H
#define SKM_FORWARD_MESSAGE_H

#include <stdbool.h>

#include "relp.h"

#define SKM_MESSAGE_BYTES_MAX ((size_t)64000) /* of the syslog message: the collector's limit is 128 KiB */
#define SKM_MESSAGE_LINE_MAX \
	((size_t)60000) /* a longer line fits in no message; a record has at most 8,000 */

struct skm_message {
	size_t len; /* of the message in buf */
	unsigned line_count;
	char buf[SKM_RELP_HEAD_BYTES + SKM_MESSAGE_BYTES_MAX + 1];
};

/* Can a line travel whole? Not when it is empty or too long, and not with a byte below 0x20, which would be
 * taken for an end or a separator at the other side: no record of ours has one. */
bool skm_message_can_carry(const char *line, size_t len);
/* `terminal` as skm_terminal_name gives it (sekimori/terminal_name.h). */
void skm_message_begin(struct skm_message *message, const char *terminal, const char *stream);
/* False: it is full, nothing was added. The line must be one that can be carried; the first always fits. */
bool skm_message_add(struct skm_message *message, const char *line, size_t len);
/* In place of a message with lines: the terminal is on, and there was nothing of the stream to send. */
void skm_message_alive(struct skm_message *message, const char *terminal, const char *stream);
/* The whole frame; lives in the message. */
const char *skm_message_frame(struct skm_message *message, uint32_t txnr, size_t *ret_len);

#endif
