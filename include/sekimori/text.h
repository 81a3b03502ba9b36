// SPDX-License-Identifier: Apache-2.0
/* Text for a terminal: harmless, of known width and whole. Pure but for what prints. */
#ifndef SEKIMORI_TEXT_H
#define SEKIMORI_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include "sekimori/language.h"

/* Copies text, cut to at most `columns_max` columns ("…" marks the cut) and to what fits in buf (always
 * terminated). Whatever a terminal would obey instead of showing becomes U+FFFD: controls of C0 and C1, DEL,
 * marks that turn the writing direction, invisible characters, line separators, and bytes that are no UTF-8.
 * Returns the columns used. Wide characters (Unicode Standard Annex #11, W and F) take two columns, combining
 * marks none, ambiguous ones one. */
size_t skm_text_clean(const char *text, size_t columns_max, char *buf, size_t size);
/* As many columns as skm_text_clean would use without a limit. */
size_t skm_text_columns(const char *text);

/* Prints text cleaned and uncut. */
void skm_text_print(FILE *file, const char *text);
/* Prints text cleaned, cut and padded to exactly `columns` (at most SKM_TEXT_CELL_MAX). */
#define SKM_TEXT_CELL_MAX 200
void skm_text_cell(FILE *file, const char *text, size_t columns);

/* The end of a program that prints: its exit status, or 3 ("could not tell"), said on stderr, when stdout did
 * not take all. An answer that is cut off by a full disk must not look complete. */
int skm_text_finish(const char *program, enum skm_language language, int status);

#endif
