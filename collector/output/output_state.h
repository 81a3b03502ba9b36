// SPDX-License-Identifier: Apache-2.0
/* How far an output has come, and what troubles it: one small text, KIND.state. */
#ifndef SEKIMORI_OUTPUT_STATE_H
#define SEKIMORI_OUTPUT_STATE_H

#include "output_batch.h"
#include "output_settings.h"

#define SKM_OUTPUT_TROUBLE_BYTES 200
struct skm_output_state {
	char target[SKM_OUTPUT_TARGET_BYTES]; /* skm_output_settings_target */
	struct skm_day_position sent;	      /* the other side has all that stands before it */
	char tail[SKM_OUTPUT_TAIL_BYTES];     /* of that place; \"\" = none */
	uint64_t records, strange;	      /* sent, left out since the first record of this target */
	int64_t sent_sec;		      /* when the last record was taken; 0 = never */
	int64_t trouble_sec;		      /* since when nothing goes; 0 = all is well */
	char trouble[SKM_OUTPUT_TROUBLE_BYTES];
};

#define SKM_OUTPUT_STATE_BYTES_MAX 2048
/* Returns the length, without the NUL. Characters of `trouble` that are not printable become '?'. */
size_t skm_output_state_format(
	const struct skm_output_state *state, char ret_text[SKM_OUTPUT_STATE_BYTES_MAX]);
/* Exactly what the other one writes. 0 or -EBADMSG. */
SKM_NODISCARD int skm_output_state_parse(const char *text, size_t len, struct skm_output_state *ret_state);

#define SKM_OUTPUT_STATE_NEW 1
#define SKM_OUTPUT_STATE_DAMAGED 2
/* 0, one of the above, -errno. */
SKM_NODISCARD int skm_output_state_load(
	int folderfd, enum skm_output_kind kind, struct skm_output_state *ret_state);
/* After a power cut the old or the new one is there, whole. 0 or -errno: the old one is. */
SKM_NODISCARD int skm_output_state_save(
	int folderfd, enum skm_output_kind kind, const struct skm_output_state *state);

#endif
