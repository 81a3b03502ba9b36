// SPDX-License-Identifier: Apache-2.0
/* What a person reads at the login screen, in Japanese and English, and ASCII only where the screen cannot
 * draw kanji. A prompt never holds the word "password" (SDDM would answer it with the login password) and is
 * at most 54 columns wide. Pure, libc only: linked into the module. */
#ifndef SEKIMORI_AUTH_TEXT_H
#define SEKIMORI_AUTH_TEXT_H

#include "sekimori/auth.h"
#include "sekimori/language.h"

enum skm_auth_text {
	SKM_AUTH_TEXT_PROMPT,	    /* number: digits, 0 = not known */
	SKM_AUTH_TEXT_SPLIT_PROMPT, /* one field for login password and code; number: as above */
	SKM_AUTH_TEXT_WRONG,
	SKM_AUTH_TEXT_REPLAYED,
	SKM_AUTH_TEXT_LOCKED, /* number: tries; number2: minutes, rounded up */
	SKM_AUTH_TEXT_CLOCK,
	SKM_AUTH_TEXT_RECOVERY_USED, /* accepted with a recovery code; number: codes left */
	SKM_AUTH_TEXT_GRACE,	     /* date: enrol by */
	SKM_AUTH_TEXT_UNENROLLED,
	SKM_AUTH_TEXT_NOT_A_CODE,
	SKM_AUTH_TEXT_SAME_ANSWER, /* the program answered with the password: it cannot ask a second question
				    */
	SKM_AUTH_TEXT_DAMAGED,	   /* call the IT section */
	SKM_AUTH_TEXT_UNAVAILABLE, /* the verification service does not answer: call the IT section */
	SKM_AUTH_TEXT_GENERIC,
	SKM_AUTH_TEXT_SUBSTITUTE_USED, /* accepted with the dated substitute code */
	SKM_AUTH_TEXT_NOT_REQUIRED,    /* the policy asks for no code */
	SKM_AUTH_TEXT_COUNT_,
};
struct skm_auth_text_values {
	unsigned number, number2;
	int64_t until_sec; /* UNIX time of the first second after the last day */
};
/* Terminated, at most size - 1 bytes, never cut inside a character. */
void skm_auth_text_format(enum skm_auth_text text, enum skm_language language,
	const struct skm_auth_text_values *values, char *buf, size_t size);
/* Can the screen draw kanji? False for a Linux console (PAM_TTY "tty1", "/dev/tty1", "console"), true for X
 * displays, pseudo terminals and unknown ones. The services of graphical login screens go before the
 * terminal: GDM's worker says "/dev/tty1" of a screen that draws everything. Either may be NULL. */
bool skm_auth_text_draws_kanji(const char *service, const char *tty);

#endif
