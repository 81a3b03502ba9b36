// SPDX-License-Identifier: Apache-2.0
/* Records on their way out: some lines of the day files, each with the name it has everywhere. */
#ifndef SEKIMORI_OUTPUT_BATCH_H
#define SEKIMORI_OUTPUT_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "../store/byte_buffer.h"
#include "../store/day_file.h"

/* CHAIN-N: the chain in hex and the number, as in 00112233445566778899aabbccddeeff-42. The record's
 * identity: what is sent twice has the same one. */
#define SKM_OUTPUT_ID_BYTES 48
#define SKM_OUTPUT_CHAIN_LETTERS 32

#define SKM_BATCH_RECORDS_MAX 2000
#define SKM_BATCH_BYTES_MAX ((size_t)4 << 20) /* a little more, by one line */

enum skm_output_form {
	SKM_OUTPUT_AS_IT_IS,
	SKM_OUTPUT_IN_BASE64, /* as it is, the other side cannot take it */
	SKM_OUTPUT_BY_NAME,   /* nor like that: only which record it is */
	SKM_OUTPUT_FORM_COUNT_
};

struct skm_output_record {
	size_t offset, len; /* in the batch's text; the line without its newline */
	char id[SKM_OUTPUT_ID_BYTES];
	bool is_done; /* the other side has it for good */
	enum skm_output_form form;
	bool is_named;	  /* the other side took its name */
	bool is_left_out; /* done, and the name is all that the other side has */
};

/* The last bytes before a place in the files, in hex. A line ends in its record's MAC, so they tell whether
 * the file under that name is still the one that was read. */
#define SKM_OUTPUT_TAIL_BYTES 65

struct skm_output_batch {
	struct skm_bytes text;
	struct skm_output_record *records; /* SKM_BATCH_RECORDS_MAX */
	size_t count;
	size_t strange;			       /* lines that are no records, left out */
	struct skm_day_position next;	       /* behind the last line */
	char next_tail[SKM_OUTPUT_TAIL_BYTES]; /* of that place */
};

/* 0 or -ENOMEM */
SKM_NODISCARD int skm_output_batch_init(struct skm_output_batch *ret_batch);
void skm_output_batch_free(struct skm_output_batch *batch);

#define SKM_BATCH_MISFIT 1
/* Fills the batch with what stands from `from` on, at most up to `end`. `recordsfd` is the folder of the day
 * files, `tail` what stood before `from` when that was reached ("" = not known). 0 (count 0 and strange 0:
 * there is nothing); SKM_BATCH_MISFIT: something else stands there, so the files are not those that the
 * position was made from; -errno. */
SKM_NODISCARD int skm_output_batch_read(int recordsfd, const struct skm_day_position *from, const char *tail,
	const struct skm_day_position *end, struct skm_output_batch *batch);

size_t skm_output_batch_pending(const struct skm_output_batch *batch);
/* Negative, 0, positive. */
int skm_day_position_compare(const struct skm_day_position *a, const struct skm_day_position *b);

#endif
