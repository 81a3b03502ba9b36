// SPDX-License-Identifier: Apache-2.0
/* Genuine chains for whoever judges them: real records, chained and signed by lib/chain.c. Each failure is
 * the test's failure. */
#ifndef SKM_TEST_SAMPLE_CHAIN_H
#define SKM_TEST_SAMPLE_CHAIN_H

#include "sekimori/record.h"

struct sample_chain {
	struct skm_chain chain; /* where it stands: copy it, and the copy can be continued */
	uint8_t first_key[SKM_CHAIN_KEY_BYTES];
	const char *stream;
	char boot_id[SKM_BOOT_ID_BYTES];
	struct skm_timestamp time; /* of the next record */
	uint64_t step_usec;	   /* from one to the next */
	uint64_t lost;		   /* what the next checkpoint says */
};

/* "agent" or "auth". */
void sample_chain_begin(struct sample_chain *chain, const char *stream);
/* The machine starts again: another boot id, boot clock at zero. */
void sample_chain_reboot(struct sample_chain *chain);

/* A line without its newline. */
struct sample_line {
	char *text; /* owned, NUL-terminated */
	size_t len;
};
struct sample_lines {
	struct sample_line *lines;
	size_t count, room;
};
void sample_lines_finish(struct sample_lines *lines);
void sample_lines_push(struct sample_lines *lines, const char *text, size_t len);
/* Copies lines [begin, end) of others behind. */
void sample_lines_copy(
	struct sample_lines *lines, const struct sample_lines *others, size_t begin, size_t end);
void sample_lines_remove(struct sample_lines *lines, size_t begin, size_t end);
void sample_lines_swap(struct sample_lines *lines, size_t a, size_t b);
/* Replaces the first occurrence in a line; it must be there. */
void sample_lines_replace(struct sample_lines *lines, size_t index, const char *old, const char *new);
/* All lines with their newlines; malloc'ed. */
char *sample_lines_join(const struct sample_lines *lines, size_t *ret_len);

/* Writes one record of the chain behind the lines; sets its time and chain members. */
void sample_chain_record(struct sample_chain *chain, struct skm_record *record, struct sample_lines *lines);
/* A sample of the event. */
void sample_chain_event(struct sample_chain *chain, enum skm_event event, struct sample_lines *lines);
void sample_chain_resumed(struct sample_chain *chain, uint64_t lost, struct sample_lines *lines);
/* `count` records of many kinds, none of them a checkpoint. */
void sample_chain_records(struct sample_chain *chain, size_t count, struct sample_lines *lines);
void sample_chain_checkpoint(struct sample_chain *chain, const char *reason, struct sample_lines *lines);
/* `count` records as a daemon writes them: a checkpoint first, every 256 and ("stop") last. */
void sample_chain_run(struct sample_chain *chain, size_t count, struct sample_lines *lines);

#endif
