// SPDX-License-Identifier: Apache-2.0
/* One person's second factor. Two values that live in two files (store.h):
 *   skm_person        what an administrator or an enrolment changes: secrets, hashes. Rewritten whole.
 *   skm_person_state  what every login changes: last steps, counters. Rewritten in place.
 * `generation` grows with every rewrite of the person; a state with a greater one than its person shows that
 * an older person was put back. Codecs are pure, strict, and of fixed size, so that a file's length says
 * nothing. */
#ifndef SKM_PERSON_H
#define SKM_PERSON_H

#include <stdbool.h>

#include "sekimori/auth.h"
#include "sekimori/clock.h"
#include "sekimori/otp.h"

#define SKM_TOKENS_MAX 8
#define SKM_RECOVERY_CODES 10
#define SKM_RECOVERY_HASH_BYTES 32
#define SKM_RECOVERY_SALT_BYTES 16
#define SKM_PERSON_NAME_BYTES 257
#define SKM_MACHINE_ID_BYTES 16

struct skm_token {
	uint8_t id; /* 1 to 255, not used again while the person is enrolled */
	struct skm_otp_parameters parameters;
	uint8_t secret[SKM_OTP_SECRET_BYTES_MAX];
	uint8_t secret_len;
	char label[SKM_OTP_LABEL_BYTES];
	int64_t enrolled_sec;
	uint64_t first_counter; /* HOTP: codes of smaller counters were never accepted */
};

/* Argon2id of the letters. All zeros when there is none. */
struct skm_recovery_hash {
	uint8_t salt[SKM_RECOVERY_SALT_BYTES];
	uint8_t hash[SKM_RECOVERY_HASH_BYTES];
};

struct skm_person {
	uint32_t uid;
	char name[SKM_PERSON_NAME_BYTES]; /* login name at enrolment: another person may get the uid later */
	uint8_t machine[SKM_MACHINE_ID_BYTES];
	uint64_t generation; /* from 1 */
	uint8_t token_count, last_token_id;
	struct skm_token tokens[SKM_TOKENS_MAX];
	uint32_t recovery_series; /* grows with each issue; 0 = none were ever issued */
	uint8_t recovery_count;
	struct skm_recovery_hash recovery[SKM_RECOVERY_CODES];
	uint32_t substitute_series; /* as above, for the one dated substitute code */
	int64_t substitute_until_sec;
	struct skm_recovery_hash substitute;
};

struct skm_token_state {
	uint64_t last;	     /* TOTP: last accepted time step; HOTP: next counter that may be accepted */
	int32_t drift_steps; /* TOTP: the token's clock is that many steps ahead */
	uint8_t id;	     /* of the token; 0 = empty place */
};

/* Consecutive failures of one way in. See throttle.h. */
struct skm_throttle {
	uint32_t failures;	/* a reserved attempt counts as one until it is settled */
	uint8_t boot_id[16];	/* of the last failure */
	uint64_t boottime_usec; /* of the last failure */
	int64_t realtime_sec;	/* of the last failure */
};

/* Who asked: separate counters, so that malware in a session cannot lock the console. */
enum skm_way { SKM_WAY_SYSTEM, /* the peer is root: login, sudo, greeter */ SKM_WAY_SELF, SKM_WAY_COUNT_ };

struct skm_person_state {
	uint64_t generation; /* of the person that it was last written for; never greater than its; 0 = of
				nobody yet: an enrolment that was not finished */
	uint64_t revision;   /* grows with each write: the newer of two slots wins */
	struct skm_token_state tokens[SKM_TOKENS_MAX];
	struct skm_throttle throttles[SKM_WAY_COUNT_];
	uint32_t recovery_series, recovery_used; /* bit n: code n + 1 of that series is used */
	uint32_t substitute_series_used;	 /* the last series whose code was used */
	int64_t latest_sec; /* the latest wall-clock time seen at an accepted attempt: an expiry is measured
			       against it when the clock was set back */
};

#define SKM_PERSON_ENCODED_BYTES 2048
#define SKM_PERSON_STATE_ENCODED_BYTES 512
void skm_person_encode(const struct skm_person *person, uint8_t ret_buf[SKM_PERSON_ENCODED_BYTES]);
/* 0 or -EBADMSG (a number out of its range, text without end, padding that is not zero, two tokens of one
 * id).
 */
SKM_NODISCARD int skm_person_decode(
	const uint8_t buf[SKM_PERSON_ENCODED_BYTES], struct skm_person *ret_person);
void skm_person_state_encode(
	const struct skm_person_state *state, uint8_t ret_buf[SKM_PERSON_STATE_ENCODED_BYTES]);
SKM_NODISCARD int skm_person_state_decode(
	const uint8_t buf[SKM_PERSON_STATE_ENCODED_BYTES], struct skm_person_state *ret_state);

/* Brings a state into line with a person that was rewritten: places for new tokens (last = nothing accepted
 * yet, or the HOTP token's first counter), none for tokens that are gone, a new (greater) recovery series
 * begins unused. Afterwards state->tokens[i] belongs to person->tokens[i]. Keeps everything else. */
void skm_person_state_follow(const struct skm_person *person, struct skm_person_state *state);
/* The state of a person whose state was lost: nothing that could have been used before is accepted again.
 * TOTP: only steps after the furthest that can have been accepted until now (widest window plus largest
 * learned drift; if the clock stands before the enrolment, counted from there); HOTP: refused until resync
 * (last = UINT64_MAX); recovery codes and substitute code: used; both throttles as after the last free try.
 */
void skm_person_state_strictest(const struct skm_person *person, const struct skm_timestamp *now,
	const uint8_t boot_id[16], uint32_t free_tries, struct skm_person_state *ret_state);
/* Wipes. */
void skm_person_clear(struct skm_person *person);

#endif
