// SPDX-License-Identifier: Apache-2.0
/* The message is built behind a place for the head, whose length is known last, so that its bytes are copied
 * once. One record a message would be simpler, but the collector syncs its disk once a message: a terminal
 * that was away for two weeks would keep it busy for all the others. */
#include "message.h"

#include <stdio.h>
#include <string.h>

#define SEPARATOR '\x1e' /* ASCII record separator */

bool skm_message_can_carry(const char *line, size_t len)
{
	if (len == 0 || len > SKM_MESSAGE_LINE_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ')
			return false;
	return true;
}

void skm_message_begin(struct skm_message *message, const char *terminal, const char *stream)
{
	int n = snprintf(message->buf + SKM_RELP_HEAD_BYTES, SKM_MESSAGE_BYTES_MAX,
		"<109>1 - %s sekimori-%s - - - ", terminal, stream);
	message->len = (size_t)n;
	message->line_count = 0;
}

bool skm_message_add(struct skm_message *message, const char *line, size_t len)
{
	char *at = message->buf + SKM_RELP_HEAD_BYTES + message->len;
	size_t separator_len = message->line_count > 0 ? 1 : 0;
	if (message->len + separator_len + len > SKM_MESSAGE_BYTES_MAX)
		return false;
	if (separator_len > 0)
		*at++ = SEPARATOR;
	memcpy(at, line, len);
	message->len += separator_len + len;
	message->line_count++;
	return true;
}

void skm_message_alive(struct skm_message *message, const char *terminal, const char *stream)
{
	int n = snprintf(message->buf + SKM_RELP_HEAD_BYTES, SKM_MESSAGE_BYTES_MAX,
		"<109>1 - %s sekimori-%s - alive - on", terminal, stream);
	message->len = (size_t)n;
	message->line_count = 0;
}

const char *skm_message_frame(struct skm_message *message, uint32_t txnr, size_t *ret_len)
{
	char head[SKM_RELP_HEAD_BYTES];
	size_t head_len = skm_relp_head_format(txnr, "syslog", message->len, head);
	char *start = message->buf + SKM_RELP_HEAD_BYTES - head_len;
	memcpy(start, head, head_len);
	message->buf[SKM_RELP_HEAD_BYTES + message->len] = '\n';
	*ret_len = head_len + message->len + 1;
	return start;
}
