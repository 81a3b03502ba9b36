// SPDX-License-Identifier: Apache-2.0
/* What authd tells of one person's second factor: the object of LIST and STATUS, as far as people read it. */
#ifndef SKM_MFA_PERSON_H
#define SKM_MFA_PERSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sekimori/language.h"

#define SKM_MFA_PERSON_TOKENS_MAX 8

struct skm_mfa_person_token {
	int64_t id, digits, period_sec;
	const char *label, *type, *algorithm, *enrolled, *last_used;
};

/* Strings are borrowed from `tree` and never NULL. */
struct skm_mfa_person {
	void *tree; /* owned; skm_mfa_person_finish */
	const char *user;
	const char *state;			    /* "ok", "absent", or what is wrong with the record */
	const char *grace_until, *substitute_until; /* RFC 3339; "" = none */
	bool is_enrolled, is_required;
	int64_t recovery_left;
	int64_t failures, locked_sec; /* the larger of the ways in */
	size_t token_count;
	struct skm_mfa_person_token tokens[SKM_MFA_PERSON_TOKENS_MAX];
};

/* 0 or -EBADMSG (no object of that form). */
SKM_NODISCARD int skm_mfa_person_parse(const char *text, struct skm_mfa_person *ret_person);
void skm_mfa_person_finish(struct skm_mfa_person *person);

/* Registered, readable, and not waiting after wrong codes? */
bool skm_mfa_person_is_well(const struct skm_mfa_person *person);
void skm_mfa_person_print(FILE *file, enum skm_language language, const struct skm_mfa_person *person);
/* One line of a table, at most 80 columns. */
void skm_mfa_person_print_head(FILE *file, enum skm_language language);
void skm_mfa_person_print_row(FILE *file, enum skm_language language, const struct skm_mfa_person *person);

#endif
