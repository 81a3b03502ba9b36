// SPDX-License-Identifier: Apache-2.0
/* What a notice on the desktop says: what was refused, why, whom to ask, the receipt number. Pure. */
#ifndef SEKIMORI_BUBBLE_TEXT_H
#define SEKIMORI_BUBBLE_TEXT_H

#include "sekimori/control.h"
#include "sekimori/language.h"

#define SKM_BUBBLE_TITLE_BYTES 128
#define SKM_BUBBLE_BODY_BYTES 2048

struct skm_bubble {
	char title[SKM_BUBBLE_TITLE_BYTES];
	char body[SKM_BUBBLE_BODY_BYTES]; /* some lines; no markup, and nothing that could be read as such */
};

void skm_bubble_refusal(
	enum skm_language language, const struct skm_refusal *refusal, struct skm_bubble *ret_bubble);
/* `count` more, with the receipt numbers from first to last. */
void skm_bubble_more(enum skm_language language, uint64_t count, uint64_t first, uint64_t last,
	struct skm_bubble *ret_bubble);

#endif
