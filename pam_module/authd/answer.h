// SPDX-License-Identifier: Apache-2.0
/* What a person typed, read generously: full-width digits and letters, any case, blanks (also U+3000) and
 * every kind of hyphen, also the long vowel mark that a Japanese keyboard gives for one. Pure. */
#ifndef SKM_ANSWER_H
#define SKM_ANSWER_H

#include <stdint.h>

#include "sekimori/result.h"

/* Sixteen letters that are told apart on paper and over the telephone, in Japanese and in English: none of
 * B D G I N O P S V Z, no digits. Four bits each. */
#define SKM_RECOVERY_ALPHABET "ACEFHJKLMQRTUWXY"
#define SKM_RECOVERY_LETTERS 20 /* 80 bits */

enum skm_answer_kind {
	SKM_ANSWER_MALFORMED,
	SKM_ANSWER_CODE,     /* 6 or 8 digits */
	SKM_ANSWER_RECOVERY, /* a number (0 = the substitute code, else 1 to 99) and SKM_RECOVERY_LETTERS
				letters: "3-ACEF-HJKL-MQRT-UWXY-ACEF" */
};

struct skm_answer {
	enum skm_answer_kind kind;
	uint8_t digits; /* 6 or 8 */
	uint32_t code;
	uint8_t number;
	char letters[SKM_RECOVERY_LETTERS + 1]; /* upper case */
};

/* Always gives an answer; what is not one is MALFORMED. `text` needs no NUL. */
void skm_answer_parse(const char *text, size_t len, struct skm_answer *ret_answer);

#endif
