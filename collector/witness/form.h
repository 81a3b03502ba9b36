// SPDX-License-Identifier: Apache-2.0
/* The form for the paper witness: one A4 page of text, Japanese and English, and the reading of a root that
 * somebody typed in from it. */
#ifndef SKM_WITNESS_FORM_H
#define SKM_WITNESS_FORM_H

#include <stdio.h>

#include "entry.h"

#define SKM_WITNESS_ROWS 4	      /* of the root; each 16 digits and 2 to check them */
#define SKM_WITNESS_FORM_LINES_MAX 60 /* an A4 page has 66 at six to the inch */

/* `earlier_root`: when the days are witnessed again, the root that was printed before; else NULL. */
void skm_witness_form_print(FILE *file, const struct skm_witness_entry *entry, const uint8_t *earlier_root);
/* "3f2a 91bc 0d4e 77aa" */
void skm_witness_groups_print(FILE *file, const uint8_t *bytes, size_t len);

/* A root as people type it: 64 digits of either case, or 72 with the check digits; blanks, hyphens and the
 * numbers of rows ("1:") count for nothing. 0; -EINVAL (other letters or another number of digits:
 * *ret_digits); -EBADMSG: the check digits of row *ret_row (from 1) say that a digit of it is wrong. */
SKM_NODISCARD int skm_witness_root_parse(
	const char *text, uint8_t ret_root[SKM_WITNESS_HASH_BYTES], size_t *ret_digits, unsigned *ret_row);
/* `len` bytes, typed in the same way, without check digits. 0 or -EINVAL. */
SKM_NODISCARD int skm_witness_typed_parse(const char *text, uint8_t *ret_bytes, size_t len);

#endif
