// SPDX-License-Identifier: Apache-2.0
/* Comma-separated values (RFC 4180), field by field. Stricter than the RFC in one point: a field has one line
 * and no control characters, since none of ours is more than a name or a sentence. Internal to lib/. */
#ifndef SEKIMORI_LIB_CSV_H
#define SEKIMORI_LIB_CSV_H

#include <stdbool.h>

#include "sekimori/result.h"

struct skm_csv {
	const char *text; /* borrowed; need not be terminated */
	size_t len;
	size_t pos;    /* pos == len: no further row */
	unsigned line; /* of pos, from 1 */
};

enum skm_csv_fault {
	SKM_CSV_CONTROL_CHARACTER =
		1,	     /* NUL and bare CR included; a closing quote that was forgotten ends here, too */
	SKM_CSV_STRAY_QUOTE, /* in a field that does not begin with one, or text behind the closing one */
	SKM_CSV_TOO_LONG,    /* does not fit into buf */
};

/* Reads one field into buf (NUL-terminated) and steps over what ends it. 0 or enum skm_csv_fault; then buf
 * holds what was read so far, for the message, and csv->line is the line of the fault. */
SKM_NODISCARD int skm_csv_next(struct skm_csv *csv, char *buf, size_t size, bool *ret_ends_row);

#endif
