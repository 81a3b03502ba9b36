// SPDX-License-Identifier: Apache-2.0
/* Is this code right, now, for this person? Pure: no clock, no file, no log.
 *
 * Does the same work whatever the answer: every place for a token is computed (an empty one with a key of
 * zeros), every step of the window, no early end, comparison without branches. Accepts only a step later than
 * the last one accepted with that token (RFC 6238, 5.2), so no clock can bring an old code back. */
#ifndef SKM_VERIFY_H
#define SKM_VERIFY_H

#include "answer.h"
#include "person.h"

struct skm_verify_limits {
	uint8_t window_steps;	 /* TOTP: steps before and after, 0 to 2 (RFC 6238, 5.2 recommends 1) */
	uint8_t drift_max_steps; /* TOTP: how far from the terminal's time the window may be learned to reach
				    (RFC 6238, 6), 0 to 10; not above window_steps = nothing is learned */
	uint8_t look_ahead;	 /* HOTP: counters, 1 to 10 (RFC 4226, 7.4) */
	unsigned algorithms;	 /* bit 1 << enum skm_otp_algorithm: a token of another one never matches */
};

enum skm_code_verdict {
	SKM_CODE_WRONG,
	SKM_CODE_RIGHT,
	SKM_CODE_REPLAYED, /* the code of a step within the window that was used already, or is older than
				 one that was */
	SKM_CODE_CLOCK,	   /* the last accepted step is beyond the window's reach: the clock was set back
				 since. Said of any code with that token's digits, since until the clock is
				 mended none can be right: the person's real code lies outside the window */
};

/* A TOTP token's window lies around the terminal's time and around the token's own (the learned drift): a
 * drift that was learned from a wrong clock keeps nobody out when that is set right. A code that fits several
 * steps or several tokens is used up with all of them.
 *
 * *state gets the accepted step and the drift (of the token that decided; at most one step nearer per login)
 * when the verdict is RIGHT, else it stays as it is. ret_token: index of the token that decided, -1 = none.
 * An answer that is no CODE is WRONG, after the same work. A token without a place in *state never matches.
 */
enum skm_code_verdict skm_verify_code(const struct skm_person *person, struct skm_person_state *state,
	const struct skm_answer *answer, const struct skm_verify_limits *limits, int64_t now_sec,
	int *ret_token);

/* Resynchronisation by two codes that follow each other (RFC 4226, 7.4): searched up to 1,000 counters ahead
 * (from the token's first counter where the state was lost), or ±1,500 steps around now, where the second
 * code is the one being shown; never at or before the last accepted step. True: *state has the new drift
 * (which may be beyond drift_max_steps: an administrator saw to it) or counter and both steps count as used.
 * The throttle is the caller's. */
bool skm_verify_resync(const struct skm_person *person, struct skm_person_state *state,
	const struct skm_answer *first, const struct skm_answer *second,
	const struct skm_verify_limits *limits, int64_t now_sec, int *ret_token);

/* Why an enrolment's code does not fit (enum skm_auth_diagnosis): tries the same secret with what apps are
 * known to ignore, and other times up to a day away (the nearest). *ret_is_right: it fits as it is.
 * *ret_offset_sec: 0 unless the answer is CLOCK. verify_diagnose.c */
enum skm_auth_diagnosis skm_verify_diagnose(const struct skm_token *token, const char *answer,
	size_t answer_len, const struct skm_verify_limits *limits, int64_t now_sec, bool *ret_is_right,
	int64_t *ret_offset_sec);

#endif
