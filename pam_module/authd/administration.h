// SPDX-License-Identifier: Apache-2.0
/* What `sekimori mfa …` asks. Rights:
 *
 *   root                   SWITCH, POLICY
 *   sekimori-admin, root   everything else, but never SUBSTITUTE or UNLOCK for themselves; an administrator
 * who is not root does to their own factor only what a person may, or DISABLE and IMPORT with a code of it
 *   sekimori-helpdesk      LIST, STATUS; SUBSTITUTE and UNLOCK for somebody else
 *   the other roles        LIST, STATUS
 *   a person for themselves  STATUS; ENROL of a first token where mfa.self_enrol allows it; RESYNC; with a
 *                          code of what they have (ANSWER; without it the answer is PROMPT): RECOVERY, and
 *                          ENROL_BEGIN of a further token
 *
 * "Themselves" is by the peer's uid and by the uid that logged in: root through sudo is not somebody else.
 * Reading is not recorded; everything else is, before it happens. Without a role and about somebody else the
 * answer is DENIED, whether that person exists or not; of unknown people the others hear WRONG.
 *
 * USER "uid:N" names an account that is gone (LIST shows it so), for DISABLE. */
#ifndef SKM_ADMINISTRATION_H
#define SKM_ADMINISTRATION_H

#include "attempt.h"

SKM_NODISCARD int skm_administration_answer(struct skm_inquiry *inquiry);

/* ---- for enrolment.c and listing.c ---- */

int skm_enrol_begin(struct skm_inquiry *inquiry, struct skm_subject *subject);
int skm_enrol_finish(struct skm_inquiry *inquiry, struct skm_subject *subject);
int skm_token_import(struct skm_inquiry *inquiry, struct skm_subject *subject);
int skm_list(struct skm_inquiry *inquiry);
int skm_status(struct skm_inquiry *inquiry, struct skm_subject *subject);

/* Records what is about to be done, durably. False: it could not be, and must not be done. */
bool skm_act_begin(struct skm_inquiry *inquiry, enum skm_event event, const char *detail_format, ...)
	SKM_PRINTF(3, 4);
/* What a change's result means; a failure is recorded, since the record before says otherwise. */
enum skm_auth_outcome skm_act_end(struct skm_inquiry *inquiry, int result);
/* Is it the peer's own factor, and the peer not root? Then a role is no right: what runs in an
 * administrator's session would otherwise give itself a token and pass sudo(8) with it. Root, through sudo,
 * has shown a code. */
bool skm_act_is_on_own_factor(const struct skm_inquiry *inquiry, const struct skm_subject *subject);
/* The code that a person has to show for a change of their own. True: shown, or not needed. False: answered,
 * with *ret_result. */
bool skm_act_is_proved(struct skm_inquiry *inquiry, struct skm_subject *subject, int *ret_result);
/* New recovery codes for the person, one a line in ret_text. 0 or -ENOMEM. */
#define SKM_RECOVERY_LIST_BYTES 512
SKM_NODISCARD int skm_recovery_issue(struct skm_person *person, char ret_text[SKM_RECOVERY_LIST_BYTES]);
SKM_NODISCARD int skm_reply_text(const struct skm_inquiry *inquiry, enum skm_auth_outcome outcome,
	const char *text, int64_t until_sec);

/* ---- of authenticator.c ---- */

bool skm_inquiry_is_required(
	struct skm_inquiry *inquiry, const char *name, bool is_enrolled, int64_t *ret_until_sec);
SKM_NODISCARD int skm_inquiry_reply_prompt(
	const struct skm_inquiry *inquiry, const struct skm_subject *subject);

#endif
