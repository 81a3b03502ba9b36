// SPDX-License-Identifier: Apache-2.0
/* Recovery codes (代用コード): NIST SP 800-63B, 3.1.2 look-up secrets, numbered, hashed with Argon2id (one
 * hash an attempt), used once. Depend on no clock and no network. */
#ifndef SKM_RECOVERY_H
#define SKM_RECOVERY_H

#include "answer.h"
#include "person.h"

#define SKM_RECOVERY_TEXT_BYTES 32 /* "10-ACEF-HJKL-MQRT-UWXY-ACEF" + NUL */

/* A new code: random letters, its hash, and the text for the person. 0 or -ENOMEM (Argon2's memory). */
SKM_NODISCARD int skm_recovery_new(
	uint8_t number, struct skm_recovery_hash *ret_hash, char ret_text[SKM_RECOVERY_TEXT_BYTES]);

enum skm_recovery_verdict {
	SKM_RECOVERY_WRONG,
	SKM_RECOVERY_RIGHT,
	SKM_RECOVERY_USED,    /* right, but used before */
	SKM_RECOVERY_EXPIRED, /* right, but the substitute code's days are over */
};
/* `answer` must be a SKM_ANSWER_RECOVERY. One Argon2id in every case, also when there is no such code. RIGHT
 * marks it used in *state. `now_sec` is compared together with state->latest_sec: the later counts. 0 or
 * -ENOMEM. */
SKM_NODISCARD int skm_recovery_verify(const struct skm_person *person, struct skm_person_state *state,
	const struct skm_answer *answer, int64_t now_sec, enum skm_recovery_verdict *ret_verdict);
/* How many numbered codes are left. */
unsigned skm_recovery_left(const struct skm_person *person, const struct skm_person_state *state);

#endif
