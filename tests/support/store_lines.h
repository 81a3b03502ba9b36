// SPDX-License-Identifier: Apache-2.0
/* Terminals as the collector meets them: genuine chains by skm_record_format and skm_chain_extend, and the
 * lines that omprog would write. */
#ifndef SKM_TEST_STORE_LINES_H
#define SKM_TEST_STORE_LINES_H

#include "sekimori/chain.h"
#include "sekimori/record.h"

struct terminal {
	struct skm_chain chain;
	char number[65];
	const char *stream;
	struct skm_timestamp time;
};

/* Its chain's id is made of `seed`; the same seed gives the same chain. */
void terminal_begin(struct terminal *terminal, const char *number, const char *stream, uint8_t seed);
/* The next record of its chain, without newline and terminated. */
size_t terminal_record(struct terminal *terminal, enum skm_event event, const char *detail,
	char ret_line[SKM_RECORD_LINE_MAX]);
/* The same with a record of the caller's making: stream, time and chain are set here. */
size_t terminal_write(
	struct terminal *terminal, struct skm_record *record, char ret_line[SKM_RECORD_LINE_MAX]);
/* Steps over numbers without a record that anybody has. */
void terminal_skip(struct terminal *terminal, unsigned count);

/* One line from omprog with the given records in one message. Terminated, without newline; free it. */
char *terminal_message(const struct terminal *terminal, const char *const *lines, size_t count);

#endif
