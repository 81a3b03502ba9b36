// SPDX-License-Identifier: Apache-2.0
/* Rivals compare first and count afterwards: 256 sessions at once are 256 guesses, and a kill in between is a
 * free one. Here the attempt is on disk as a failure before the code is looked at, and is taken back when it
 * was none.
 *
 * A success clears the counter of its own way and no other. If a login at the console cleared the counter of
 * the session's way, malware in the session would get new guesses with every login; the other way round it
 * could clear the console's.
 *
 * What is not counted: no code at all, a used code, a code while the clock stands before the last accepted
 * one. None of these could have been accepted, so nothing is guessed with them; people type them every day.
 */
#include "attempt.h"

#include <string.h>

#include "recovery.h"

enum settlement { SETTLE_COUNTED, SETTLE_REFUNDED, SETTLE_CLEARED };

struct trial {
	struct skm_attempt *attempt;
	struct skm_answer first, second;
	struct skm_verify_limits limits;
	struct skm_throttle before; /* of this way, as it was */
	enum settlement settlement;
	bool would_come_back; /* the code, at a boot that forgets its use */
};

static void conclude(
	struct trial *trial, enum skm_auth_outcome outcome, enum settlement settlement, const char *detail)
{
	trial->attempt->outcome = outcome;
	trial->attempt->detail = detail;
	trial->settlement = settlement;
}

static void read_answer(
	const struct skm_inquiry *inquiry, enum skm_auth_tag tag, struct skm_answer *ret_answer)
{
	const uint8_t *field = inquiry->request->field[tag];
	skm_answer_parse(
		field ? (const char *)field : "", field ? inquiry->request->field_len[tag] : 0, ret_answer);
}

static struct skm_verify_limits limits_of(const struct skm_config *config)
{
	return (struct skm_verify_limits){
		.window_steps = config->mfa.window_steps,
		.drift_max_steps = config->mfa.drift_max_steps,
		.look_ahead = config->mfa.look_ahead,
		.algorithms = config->mfa.algorithms,
	};
}

/* ---- before the comparison ---- */

/* OK: there is something to compare with, and it may be. */
static void check_throttle(
	const struct skm_inquiry *inquiry, const struct skm_subject *subject, struct trial *trial)
{
	const struct skm_config *config = inquiry->authenticator->config;
	const struct skm_throttle_limits limits = {
		.free_tries = config->mfa.free_tries,
		.delay_sec = config->mfa.delay_sec,
		.delay_max_sec = config->mfa.delay_max_sec,
	};
	const struct skm_throttle *throttle = &subject->state.throttles[inquiry->way];
	uint32_t wait_sec = skm_throttle_wait_sec(throttle, &limits, &inquiry->now, inquiry->boot_id);
	if (trial->attempt->outcome != SKM_AUTH_OK || wait_sec == 0)
		return;
	trial->attempt->tries = throttle->failures;
	trial->attempt->wait_sec = wait_sec;
	trial->attempt->mark = throttle->boottime_usec + throttle->failures;
	conclude(trial, SKM_AUTH_LOCKED, SETTLE_COUNTED, "too many failures; nothing was compared");
}

/* Stores the state, or does the same work on the decoy. 0, SKM_STORE_FELL_BACK, -errno. */
static int save(const struct skm_inquiry *inquiry, struct skm_subject *subject, bool is_real)
{
	struct skm_store *store = inquiry->authenticator->store;
	if (is_real)
		return skm_store_save_state(store, subject->uid, &subject->state);
	struct skm_person_state decoy = {0};
	skm_store_save_decoy(store, &decoy);
	return 0;
}

/* An attempt that is on no disk must not be made. One that is only in memory may, but not with a code that
 * would come back to life at the next boot. */
static void reserve(const struct skm_inquiry *inquiry, struct skm_subject *subject, struct trial *trial)
{
	bool is_real = trial->attempt->outcome == SKM_AUTH_OK;
	struct skm_throttle *throttle = &subject->state.throttles[inquiry->way];
	trial->before = *throttle;
	if (is_real)
		skm_throttle_reserve(throttle, &inquiry->now, inquiry->boot_id);
	int r = save(inquiry, subject, is_real);
	if (r < 0) {
		conclude(trial, SKM_AUTH_UNAVAILABLE, SETTLE_REFUNDED,
			"the attempt cannot be stored anywhere; nothing was compared");
		return;
	}
	trial->attempt->fell_back = r == SKM_STORE_FELL_BACK;
	if (trial->attempt->fell_back && trial->first.kind == SKM_ANSWER_RECOVERY)
		conclude(trial, SKM_AUTH_UNAVAILABLE, SETTLE_REFUNDED,
			"the state cannot be stored on disk; recovery codes are not accepted until it can");
}

/* ---- the comparison ---- */

/* SKM_CODE_CLOCK is said of guesses too. With one token none of them can be right; a second token's clock or
 * counter may still be within reach, and then a guess is a guess. */
static enum settlement settlement_of_clock(const struct skm_person *person)
{
	return person->token_count == 1 ? SETTLE_REFUNDED : SETTLE_COUNTED;
}

static bool has_token_of(const struct skm_person *person, uint8_t digits)
{
	for (size_t i = 0; i < person->token_count; i++) {
		if (person->tokens[i].parameters.digits == digits)
			return true;
	}
	return false;
}

static bool is_counter(const struct skm_subject *subject, int index)
{
	return index >= 0 && subject->person.tokens[index].parameters.type == SKM_OTP_HOTP;
}

static void remember_token(struct skm_inquiry *inquiry, struct skm_subject *subject, int index)
{
	if (index < 0)
		return;
	const struct skm_token *token = &subject->person.tokens[index];
	memcpy(inquiry->facts.token, token->label, sizeof(inquiry->facts.token));
	/* Only a code made of the time proves the time: anything else would let a clock in 2037 end every
	 * substitute code. */
	int64_t now_sec = skm_inquiry_now_sec(inquiry);
	if (token->parameters.type == SKM_OTP_TOTP && now_sec > subject->state.latest_sec)
		subject->state.latest_sec = now_sec;
}

static void compare_code(struct skm_inquiry *inquiry, struct skm_subject *subject, struct trial *trial)
{
	int index = -1;
	enum skm_code_verdict verdict = skm_verify_code(&subject->person, &subject->state, &trial->first,
		&trial->limits, skm_inquiry_now_sec(inquiry), &index);
	if (trial->attempt->outcome != SKM_AUTH_OK)
		return;
	if (trial->first.kind == SKM_ANSWER_MALFORMED) {
		conclude(trial, SKM_AUTH_NOT_A_CODE, SETTLE_REFUNDED, "neither a code nor a recovery code");
		return;
	}
	switch (verdict) {
	case SKM_CODE_RIGHT:
		conclude(trial, SKM_AUTH_OK, SETTLE_CLEARED, "");
		trial->attempt->factor = SKM_AUTH_FACTOR_TOKEN;
		trial->would_come_back = is_counter(subject, index);
		remember_token(inquiry, subject, index);
		return;
	case SKM_CODE_REPLAYED:
		conclude(trial, SKM_AUTH_REPLAYED, SETTLE_REFUNDED, "a code that was used before");
		return;
	case SKM_CODE_CLOCK:
		conclude(trial, SKM_AUTH_CLOCK, settlement_of_clock(&subject->person),
			"the clock stands before the last accepted code; nothing new can be accepted");
		return;
	case SKM_CODE_WRONG:
	default:
		if (has_token_of(&subject->person, trial->first.digits))
			conclude(trial, SKM_AUTH_WRONG, SETTLE_COUNTED, "wrong code");
		else
			conclude(trial, SKM_AUTH_NOT_A_CODE, SETTLE_REFUNDED,
				"the person has no token with this number of digits");
	}
}

static void compare_recovery(struct skm_inquiry *inquiry, struct skm_subject *subject, struct trial *trial)
{
	enum skm_recovery_verdict verdict = SKM_RECOVERY_WRONG;
	int r = skm_recovery_verify(
		&subject->person, &subject->state, &trial->first, skm_inquiry_now_sec(inquiry), &verdict);
	if (trial->attempt->outcome != SKM_AUTH_OK)
		return;
	if (r < 0) {
		conclude(trial, SKM_AUTH_UNAVAILABLE, SETTLE_REFUNDED,
			"not enough memory to compare the code");
		return;
	}
	switch (verdict) {
	case SKM_RECOVERY_RIGHT:
		conclude(trial, SKM_AUTH_OK, SETTLE_CLEARED, "");
		trial->attempt->factor =
			trial->first.number == 0 ? SKM_AUTH_FACTOR_SUBSTITUTE : SKM_AUTH_FACTOR_RECOVERY;
		trial->would_come_back = true;
		trial->attempt->left = skm_recovery_left(&subject->person, &subject->state);
		return;
	case SKM_RECOVERY_USED:
		conclude(trial, SKM_AUTH_REPLAYED, SETTLE_REFUNDED, "a recovery code that was used before");
		return;
	case SKM_RECOVERY_EXPIRED:
		conclude(trial, SKM_AUTH_WRONG, SETTLE_REFUNDED, "the substitute code's last day is over");
		return;
	case SKM_RECOVERY_WRONG:
	default:
		conclude(trial, SKM_AUTH_WRONG, SETTLE_COUNTED, "wrong recovery code");
	}
}

static void compare_two(struct skm_inquiry *inquiry, struct skm_subject *subject, struct trial *trial)
{
	int index = -1;
	bool is_right = skm_verify_resync(&subject->person, &subject->state, &trial->first, &trial->second,
		&trial->limits, skm_inquiry_now_sec(inquiry), &index);
	if (trial->attempt->outcome != SKM_AUTH_OK)
		return;
	if (trial->first.kind != SKM_ANSWER_CODE || trial->second.kind != SKM_ANSWER_CODE) {
		conclude(trial, SKM_AUTH_NOT_A_CODE, SETTLE_REFUNDED, "two codes are needed");
	} else if (is_right) {
		conclude(trial, SKM_AUTH_OK, SETTLE_CLEARED, "");
		trial->attempt->factor = SKM_AUTH_FACTOR_TOKEN;
		trial->would_come_back = is_counter(subject, index);
		/* Found far away in time: they prove nothing about the clock. */
		memcpy(inquiry->facts.token, subject->person.tokens[index].label,
			sizeof(inquiry->facts.token));
	} else {
		conclude(trial, SKM_AUTH_WRONG, SETTLE_COUNTED, "no two codes that follow each other");
	}
}

/* Where nothing may be compared, somebody who does not exist is: empty places, for the same work. */
static void compare(
	struct skm_inquiry *inquiry, struct skm_subject *subject, bool is_resync, struct trial *trial)
{
	struct skm_subject nobody;
	if (trial->attempt->outcome != SKM_AUTH_OK) {
		memset(&nobody, 0, sizeof(nobody));
		subject = &nobody;
	}
	if (is_resync)
		compare_two(inquiry, subject, trial);
	else if (trial->first.kind == SKM_ANSWER_RECOVERY)
		compare_recovery(inquiry, subject, trial);
	else
		compare_code(inquiry, subject, trial);
}

/* ---- after the comparison ---- */

static void settle(
	const struct skm_inquiry *inquiry, struct skm_subject *subject, bool is_real, struct trial *trial)
{
	struct skm_throttle *throttle = &subject->state.throttles[inquiry->way];
	if (is_real && trial->settlement == SETTLE_CLEARED)
		skm_throttle_clear(throttle);
	else if (is_real && trial->settlement == SETTLE_REFUNDED)
		*throttle = trial->before;
	int r = save(inquiry, subject, is_real);
	if (r == SKM_STORE_FELL_BACK)
		trial->attempt->fell_back = true;
	if (trial->attempt->outcome != SKM_AUTH_OK)
		return;
	/* A code is accepted when it is stored that it was, and not before. */
	if (r < 0)
		conclude(trial, SKM_AUTH_UNAVAILABLE, SETTLE_COUNTED,
			"the code was right, but its use cannot be stored anywhere");
	else if (r == SKM_STORE_FELL_BACK && trial->would_come_back)
		conclude(trial, SKM_AUTH_UNAVAILABLE, SETTLE_COUNTED,
			"the code was right, but its use cannot be stored on disk");
}

void skm_attempt_make(struct skm_inquiry *inquiry, struct skm_subject *subject, bool is_resync,
	struct skm_attempt *ret_attempt)
{
	*ret_attempt = (struct skm_attempt){.outcome = skm_subject_outcome(subject)};
	struct trial trial = {.attempt = ret_attempt, .limits = limits_of(inquiry->authenticator->config)};
	ret_attempt->detail = skm_subject_finding(subject);
	read_answer(inquiry, SKM_AUTH_TAG_ANSWER, &trial.first);
	read_answer(inquiry, SKM_AUTH_TAG_ANSWER2, &trial.second);
	/* Of somebody who does not exist all that can be said is what is wrong with the answer itself. */
	if (ret_attempt->outcome == SKM_AUTH_WRONG && trial.first.kind == SKM_ANSWER_MALFORMED)
		ret_attempt->outcome = SKM_AUTH_NOT_A_CODE;
	check_throttle(inquiry, subject, &trial);
	bool is_real = ret_attempt->outcome == SKM_AUTH_OK;
	reserve(inquiry, subject, &trial);
	compare(inquiry, subject, is_resync, &trial);
	settle(inquiry, subject, is_real, &trial);
	explicit_bzero(&trial, sizeof(trial));
	if (ret_attempt->fell_back)
		skm_inquiry_record_fallback(inquiry);
	else if (is_real && ret_attempt->outcome != SKM_AUTH_UNAVAILABLE)
		inquiry->authenticator->is_degraded = false;
}

void skm_attempt_record(struct skm_inquiry *inquiry, const struct skm_attempt *attempt)
{
	static const char *const factors[SKM_AUTH_FACTOR_COUNT_] = {
		[SKM_AUTH_FACTOR_NONE] = "",
		[SKM_AUTH_FACTOR_TOKEN] = "token",
		[SKM_AUTH_FACTOR_RECOVERY] = "recovery",
		[SKM_AUTH_FACTOR_SUBSTITUTE] = "substitute",
	};
	const char *factor = factors[attempt->factor];
	memcpy(inquiry->facts.factor, factor, strlen(factor) + 1);
	if (attempt->outcome == SKM_AUTH_OK && attempt->factor != SKM_AUTH_FACTOR_TOKEN)
		skm_inquiry_record(inquiry, SKM_EVENT_SUBSTITUTE_USED, SKM_OUTCOME_ALLOWED, "ok",
			"%u recovery codes are left", attempt->left);
	else
		skm_inquiry_record_outcome(inquiry, attempt->outcome, attempt->mark, attempt->detail);
}

int skm_attempt_reply(const struct skm_inquiry *inquiry, const struct skm_attempt *attempt)
{
	struct skm_auth_writer writer;
	skm_auth_write_begin(&writer, (uint8_t)attempt->outcome);
	if (attempt->outcome == SKM_AUTH_LOCKED) {
		skm_auth_write_number(&writer, SKM_AUTH_TAG_TRIES, attempt->tries);
		skm_auth_write_number(&writer, SKM_AUTH_TAG_WAIT_SEC, attempt->wait_sec);
	}
	if (attempt->outcome == SKM_AUTH_OK && attempt->factor != SKM_AUTH_FACTOR_TOKEN)
		skm_auth_write_number(&writer, SKM_AUTH_TAG_LEFT, attempt->left);
	if (attempt->outcome == SKM_AUTH_OK)
		skm_auth_write_number(&writer, SKM_AUTH_TAG_FACTOR, attempt->factor);
	return skm_inquiry_send(inquiry, &writer);
}
