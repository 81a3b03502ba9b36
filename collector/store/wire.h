// SPDX-License-Identifier: Apache-2.0
/* What rsyslog hands over for one message of a terminal, one line:
 *
 *     ADDRESS SP MESSAGE-AS-JSON-STRING LF
 *
 * the template "%fromhost-ip% %rawmsg:::json%\n". The message is
 * `<109>1 - TERMINAL sekimori-STREAM - - - LINE[0x1E LINE…]`, or, with no record in it,
 * `<109>1 - TERMINAL sekimori-STREAM - alive - on`: the terminal is on, and has had nothing of that stream to
 * send for a while. And rsyslogd's own beat, `resource-usage: origin=impstats …` from 127.0.0.1: it has
 * rsyslogd start us where no terminal says anything (conf/collector). Pure. */
#ifndef SEKIMORI_STORE_WIRE_H
#define SEKIMORI_STORE_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#define SKM_WIRE_ADDRESS_BYTES 46  /* the longest IPv6 address and its NUL */
#define SKM_WIRE_TERMINAL_BYTES 65 /* as record.h's terminal_number */
#define SKM_WIRE_STREAM_BYTES 17
#define SKM_WIRE_SEPARATOR '\x1e'

struct skm_wire {
	char address[SKM_WIRE_ADDRESS_BYTES]; /* "" when it is none */
	bool is_ours;			      /* the envelope is the forwarder's; else all of it is payload */
	bool is_alive;			      /* it says no more than that the terminal is on */
	bool is_beat;			      /* rsyslogd's own: it says nothing */
	char terminal[SKM_WIRE_TERMINAL_BYTES];
	char stream[SKM_WIRE_STREAM_BYTES];
	const char *payload; /* within the line */
	size_t payload_len;
};

/* Undoes the JSON escapes in place and reads the envelope. Never fails: whatever is not of this form is
 * payload without an envelope, to be kept as evidence. `line` is without its newline. */
void skm_wire_parse(char *line, size_t len, struct skm_wire *ret_wire);
/* Takes the next record off the payload; false when there is none left. An empty payload has none. */
bool skm_wire_next(struct skm_wire *wire, const char **ret_record, size_t *ret_len);

#endif
