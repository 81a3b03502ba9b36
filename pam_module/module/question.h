// SPDX-License-Identifier: Apache-2.0
/* The module's two questions to authd. */
#ifndef SKM_PAM_QUESTION_H
#define SKM_PAM_QUESTION_H

#include <security/pam_modules.h>

#include "pam_sekimori.h"

/* A name that fits no field is sent as its first bytes and a newline, which no name holds: authd does for it
 * what it does for everybody, and finds nobody. The same for an empty name. */
#define SKM_PAM_FIELD_BYTES 256

/* Who asks and for whom: what the items of the PAM handle say. */
struct skm_pam_question {
	pam_handle_t *pamh;
	const char *socket;
	const char *user;
	uint32_t budget_ms; /* what is left of the patience for this call */
};

struct skm_pam_verdict {
	int outcome;	 /* enum skm_auth_outcome, or -errno: authd could not be asked */
	unsigned digits; /* 0 = not said */
	int language;	 /* enum skm_language, -1 = not said */
	unsigned tries, wait_min;
	int64_t until_sec;
	uint64_t factor; /* enum skm_auth_factor */
	bool says_left;
	unsigned left;
};

/* Flags: SKM_AUTH_FLAG_SPLIT or 0. */
struct skm_pam_verdict skm_pam_prepare(struct skm_pam_question *question, uint64_t flags);
struct skm_pam_verdict skm_pam_verify(
	struct skm_pam_question *question, const char *answer, size_t answer_len, uint64_t flags);

#endif
