// SPDX-License-Identifier: Apache-2.0
/* A QR code (ISO/IEC 18004): made by libqrencode, drawn with what a terminal has. */
#ifndef SKM_QR_H
#define SKM_QR_H

#include <stdint.h>
#include <stdio.h>

#include "sekimori/result.h"

#define SKM_QR_SIDE_MAX 177u
#define SKM_QR_MARGIN 4u /* ISO/IEC 18004, 9.1: four modules of light around it */

struct skm_qr {
	unsigned side;						    /* modules */
	uint8_t is_dark[(size_t)SKM_QR_SIDE_MAX * SKM_QR_SIDE_MAX]; /* row by row */
};

enum skm_qr_style {
	SKM_QR_NONE,
	SKM_QR_UTF8, /* half blocks, for light text on a dark ground; without colours, so it may be copied */
	SKM_QR_INVERSE,	 /* the same for dark text on a light ground */
	SKM_QR_ANSI,	 /* coloured blanks: any colour terminal, no UTF-8 needed, twice as large */
	SKM_QR_COLOURED, /* half blocks and colours: right on every ground */
	SKM_QR_STYLE_COUNT_,
};

/* 0; -EMSGSIZE when the text is too long for a code; -ENOMEM. */
SKM_NODISCARD int skm_qr_encode(const char *text, struct skm_qr *ret_qr);

/* What it takes on the terminal. */
unsigned skm_qr_columns(const struct skm_qr *qr, enum skm_qr_style style, unsigned margin);
unsigned skm_qr_rows(const struct skm_qr *qr, enum skm_qr_style style, unsigned margin);
/* A row is written at once, so that nothing of a secret stays in a buffer of an unbuffered stream. */
void skm_qr_print(FILE *file, const struct skm_qr *qr, enum skm_qr_style style, unsigned margin);

/* The words of --qr: "utf8", "ansi", "inverse", "none". 0 or -EINVAL. */
SKM_NODISCARD int skm_qr_style_from_string(const char *word, enum skm_qr_style *ret_style);

#endif
