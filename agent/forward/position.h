// SPDX-License-Identifier: Apache-2.0
/* How far a stream has come, and everything else that the forwarder must know after a restart: one small
 * text. Pure. */
#ifndef SKM_FORWARD_POSITION_H
#define SKM_FORWARD_POSITION_H

#include <stdint.h>

#include "sekimori/result.h"

enum skm_forward_stream { SKM_FORWARD_AGENT, SKM_FORWARD_AUTH, SKM_FORWARD_STREAM_COUNT_ };
const char *skm_forward_stream_to_string(enum skm_forward_stream stream); /* "agent" */

/* The end of a line of a stream. A line ends in its record's MAC, so its last bytes tell whether the file
 * under that name is still the one that was read. */
#define SKM_POSITION_TAIL_BYTES 48
struct skm_position {
	uint32_t segment;  /* 0 = before everything */
	uint64_t offset;   /* behind the line's newline */
	uint64_t sequence; /* n of the record; 0 = none yet, or not a record */
	uint64_t missing;  /* records that had vanished before they could be sent, of all time */
	uint64_t unsent;   /* lines that no message can carry, of all time */
	uint8_t tail_len;
	uint8_t tail[SKM_POSITION_TAIL_BYTES]; /* of the line, without its newline */
};

struct skm_forward_state {
	struct skm_position acknowledged[SKM_FORWARD_STREAM_COUNT_];
	uint64_t told_missing[SKM_FORWARD_STREAM_COUNT_]; /* how many of them are on record */
	uint64_t told_unsent[SKM_FORWARD_STREAM_COUNT_];
	/* About which certificate (its end, UNIX time; 0 = none) a warning is on record, and at how many
	 * days. */
	int64_t warned_not_after_sec;
	uint32_t warned_days;
};

#define SKM_FORWARD_STATE_BYTES_MAX 1024
/* Returns the length, without the NUL. */
size_t skm_forward_state_format(
	const struct skm_forward_state *state, char ret_text[SKM_FORWARD_STATE_BYTES_MAX]);
/* Exactly what the other one writes. 0 or -EBADMSG. */
SKM_NODISCARD int skm_forward_state_parse(const char *text, size_t len, struct skm_forward_state *ret_state);

/* ---- on disk ---- */

#define SKM_FORWARD_STATE_NEW 1
#define SKM_FORWARD_STATE_DAMAGED 2
/* `folder_fd` is the state folder. 0; SKM_FORWARD_STATE_NEW: there is none; SKM_FORWARD_STATE_DAMAGED: it is
 * no such text; -errno. */
SKM_NODISCARD int skm_forward_state_load(int folder_fd, struct skm_forward_state *ret_state);
/* After a power cut either the old or the new one is there, whole. 0 or -errno: the old one is. */
SKM_NODISCARD int skm_forward_state_save(int folder_fd, const struct skm_forward_state *state);

#endif
