// SPDX-License-Identifier: Apache-2.0
/* TOTP and HOTP: what is right, used, too early, too late. The work is counted in test_verify_work.c. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "otp_code.h"
#include "verify.h"

#define NOW INT64_C(1795230015) /* in the middle of a step of 30 s */
#define STEP ((uint64_t)(NOW / 30))
#define ALL_ALGORITHMS 7u

static const struct skm_verify_limits limits = {
	.window_steps = 1, .drift_max_steps = 4, .look_ahead = 5, .algorithms = ALL_ALGORITHMS};

struct bench {
	struct skm_person person;
	struct skm_person_state state;
	int token; /* of the last verdict */
};

static struct skm_token *add(struct bench *bench, enum skm_otp_type type, uint8_t digits, uint8_t seed)
{
	uint8_t place = bench->person.token_count++;
	struct skm_token *token = &bench->person.tokens[place];
	*token = (struct skm_token){
		.id = (uint8_t)(place + 1),
		.parameters = {type, SKM_OTP_SHA256, digits, type == SKM_OTP_TOTP ? 30 : 0},
		.secret_len = 32,
	};
	memset(token->secret, seed, token->secret_len);
	bench->state.tokens[place].id = token->id;
	return token;
}

static struct bench totp(void)
{
	struct bench bench = {0};
	(void)add(&bench, SKM_OTP_TOTP, 6, 1);
	return bench;
}

static struct bench hotp(uint64_t first_counter)
{
	struct bench bench = {0};
	add(&bench, SKM_OTP_HOTP, 6, 2)->first_counter = first_counter;
	bench.state.tokens[0].last = first_counter;
	return bench;
}

static struct skm_answer code_of(const struct skm_token *token, uint64_t counter)
{
	return (struct skm_answer){.kind = SKM_ANSWER_CODE,
		.digits = token->parameters.digits,
		.code = skm_otp_code(token->parameters.algorithm, token->secret, token->secret_len, counter,
			token->parameters.digits)};
}

/* Also: only RIGHT changes the state. */
static enum skm_code_verdict verify_with(struct bench *bench, const struct skm_answer *answer,
	const struct skm_verify_limits *with, int64_t now_sec)
{
	struct skm_person_state before = bench->state;
	bench->token = 77;
	enum skm_code_verdict verdict =
		skm_verify_code(&bench->person, &bench->state, answer, with, now_sec, &bench->token);
	cr_assert((verdict == SKM_CODE_RIGHT) == (memcmp(&before, &bench->state, sizeof(before)) != 0));
	cr_assert((verdict == SKM_CODE_WRONG) == (bench->token == -1), "token %d", bench->token);
	return verdict;
}

/* The code of token `place` at `counter`, typed at `now_sec`. */
static enum skm_code_verdict type_at(struct bench *bench, size_t place, uint64_t counter, int64_t now_sec)
{
	struct skm_answer answer = code_of(&bench->person.tokens[place], counter);
	return verify_with(bench, &answer, &limits, now_sec);
}

Test(verify, window)
{
	for (uint8_t window = 0; window <= 2; window++) {
		struct skm_verify_limits with = limits;
		with.window_steps = window;
		for (int distance = -4; distance <= 4; distance++) {
			struct bench bench = totp();
			uint64_t step = STEP + (uint64_t)(int64_t)distance;
			struct skm_answer answer = code_of(&bench.person.tokens[0], step);
			bool is_inside = distance >= -window && distance <= window;
			cr_expect(verify_with(&bench, &answer, &with, NOW) ==
					  (is_inside ? SKM_CODE_RIGHT : SKM_CODE_WRONG),
				"window %u, %d", window, distance);
			cr_expect(bench.state.tokens[0].last == (is_inside ? step : 0));
		}
	}
}

Test(verify, border_of_a_step)
{
	struct skm_verify_limits exact = limits;
	exact.window_steps = 0;
	int64_t begin = (int64_t)STEP * 30;
	for (int64_t now = begin - 1; now <= begin + 30; now++) {
		struct bench bench = totp();
		struct skm_answer answer = code_of(&bench.person.tokens[0], STEP);
		bool is_inside = now >= begin && now < begin + 30;
		cr_expect(verify_with(&bench, &answer, &exact, now) ==
			  (is_inside ? SKM_CODE_RIGHT : SKM_CODE_WRONG));
	}
}

Test(verify, each_algorithm_digits_and_period)
{
	for (int algorithm = 0; algorithm < SKM_OTP_ALGORITHM_COUNT_; algorithm++) {
		for (uint8_t variant = 0; variant < 4; variant++) {
			struct bench bench = totp();
			struct skm_token *token = &bench.person.tokens[0];
			token->parameters =
				(struct skm_otp_parameters){SKM_OTP_TOTP, (enum skm_otp_algorithm)algorithm,
					variant & 1 ? 8 : 6, variant & 2 ? 60 : 30};
			token->secret_len = (uint8_t)skm_otp_secret_bytes(token->parameters.algorithm);
			memset(token->secret, 9, token->secret_len);
			uint64_t step = (uint64_t)NOW / token->parameters.period_sec;
			cr_expect(type_at(&bench, 0, step, NOW) == SKM_CODE_RIGHT);
			cr_expect(bench.state.tokens[0].last == step);
			cr_expect(type_at(&bench, 0, step, NOW) == SKM_CODE_REPLAYED);
			cr_expect(type_at(&bench, 0, step + 2, NOW) == SKM_CODE_WRONG);
		}
	}
}

Test(verify, used_once_and_nothing_older_after_it)
{
	struct bench bench = totp();
	cr_assert(type_at(&bench, 0, STEP, NOW) == SKM_CODE_RIGHT && bench.token == 0);
	cr_assert(type_at(&bench, 0, STEP, NOW) == SKM_CODE_REPLAYED && bench.token == 0);
	cr_assert(type_at(&bench, 0, STEP - 1, NOW) == SKM_CODE_REPLAYED, "older than the accepted one");
	cr_assert(type_at(&bench, 0, STEP + 1, NOW) == SKM_CODE_RIGHT);
	cr_assert(type_at(&bench, 0, STEP, NOW) == SKM_CODE_REPLAYED);
	cr_assert(type_at(&bench, 0, STEP + 1, NOW + 30) == SKM_CODE_REPLAYED);
	cr_assert(type_at(&bench, 0, STEP + 1, NOW + 120) == SKM_CODE_WRONG, "no longer in the window");
}

Test(verify, before_1970_and_at_its_beginning)
{
	struct bench bench = totp();
	cr_assert(
		type_at(&bench, 0, 0, -5) == SKM_CODE_REPLAYED, "step 0 means that nothing was accepted yet");
	cr_assert(type_at(&bench, 0, 0, 0) == SKM_CODE_REPLAYED);
	cr_assert(type_at(&bench, 0, UINT64_MAX, 0) == SKM_CODE_WRONG, "there is no step -1");
	cr_assert(type_at(&bench, 0, 1, 0) == SKM_CODE_RIGHT);
	struct bench late = totp();
	cr_assert(type_at(&late, 0, (uint64_t)(INT64_MAX / 30), INT64_MAX) == SKM_CODE_RIGHT);
}

Test(verify, clock_set_back_an_hour)
{
	struct bench bench = totp();
	cr_assert(type_at(&bench, 0, STEP, NOW) == SKM_CODE_RIGHT);
	int64_t back = NOW - 3600;
	cr_assert(type_at(&bench, 0, STEP - 120, back) == SKM_CODE_CLOCK, "the code of that hour");
	cr_assert(type_at(&bench, 0, STEP, back) == SKM_CODE_CLOCK, "the one accepted before");
	cr_assert(type_at(&bench, 0, STEP + 1, back) == SKM_CODE_CLOCK, "the one that the phone shows now");
	cr_assert(bench.token == 0);
	cr_assert(type_at(&bench, 0, STEP + 1, NOW + 30) == SKM_CODE_RIGHT, "and mended");
}

Test(verify, clock_set_back_by_less_than_the_window_is_a_replay)
{
	struct bench bench = totp();
	cr_assert(type_at(&bench, 0, STEP, NOW) == SKM_CODE_RIGHT);
	cr_assert(type_at(&bench, 0, STEP, NOW - 30) == SKM_CODE_REPLAYED);
	cr_assert(type_at(&bench, 0, STEP - 1, NOW - 30) == SKM_CODE_REPLAYED);
	cr_assert(type_at(&bench, 0, STEP - 1, NOW - 60) == SKM_CODE_CLOCK);
}

Test(verify, reach_is_that_of_the_later_window)
{
	struct bench bench = totp();
	bench.state.tokens[0] = (struct skm_token_state){.id = 1, .last = STEP, .drift_steps = -3};
	cr_assert(type_at(&bench, 0, STEP + 100, NOW) == SKM_CODE_WRONG);
	cr_assert(type_at(&bench, 0, STEP, NOW) == SKM_CODE_REPLAYED);
	bench.state.tokens[0] = (struct skm_token_state){.id = 1, .last = STEP + 4, .drift_steps = 3};
	cr_assert(type_at(&bench, 0, STEP + 100, NOW) == SKM_CODE_WRONG);
	cr_assert(type_at(&bench, 0, STEP, NOW - 30) == SKM_CODE_CLOCK);
}

Test(verify, clock_to_2037_and_back)
{
	const int64_t ahead = INT64_C(2114380800);
	struct bench bench = totp();
	cr_assert(type_at(&bench, 0, STEP, NOW) == SKM_CODE_RIGHT);
	cr_assert(type_at(&bench, 0, STEP + 1, ahead) == SKM_CODE_WRONG, "the phone's time is another one");
	cr_assert(type_at(&bench, 0, STEP + 1, NOW + 30) == SKM_CODE_RIGHT, "and that harmed nobody");
	cr_assert(type_at(&bench, 0, (uint64_t)ahead / 30, ahead) == SKM_CODE_RIGHT, "both in 2037");
	for (uint64_t step = STEP - 2; step < STEP + 10; step++)
		cr_assert(type_at(&bench, 0, step, NOW + 60) == SKM_CODE_CLOCK);
}

Test(verify, clock_is_said_only_of_a_token_that_could_be_meant)
{
	struct bench bench = totp();
	(void)add(&bench, SKM_OTP_TOTP, 8, 3);
	bench.state.tokens[0].last = STEP + 1000;
	struct skm_answer wrong = {.kind = SKM_ANSWER_CODE, .digits = 8, .code = 1};
	cr_assert(verify_with(&bench, &wrong, &limits, NOW) == SKM_CODE_WRONG);
	cr_assert(type_at(&bench, 1, STEP, NOW) == SKM_CODE_RIGHT && bench.token == 1);
	cr_assert(type_at(&bench, 1, STEP, NOW) == SKM_CODE_REPLAYED && bench.token == 1);
}

Test(verify, drift_is_learned_a_step_a_login_up_to_its_bound)
{
	static const int directions[] = {1, -1};
	for (size_t i = 0; i < 2; i++) {
		struct bench bench = totp();
		int64_t now = NOW;
		for (int64_t distance = 1; distance <= 4; distance++, now += 3000) {
			uint64_t step = (uint64_t)(now / 30 + directions[i] * distance);
			cr_assert(type_at(&bench, 0, step, now) == SKM_CODE_RIGHT, "%d", (int)distance);
			int64_t wanted = distance < 3 ? distance : 3; /* 3 and the window reach to 4 */
			cr_assert(bench.state.tokens[0].drift_steps == directions[i] * wanted);
		}
		uint64_t beyond = (uint64_t)(now / 30 + directions[i] * 5);
		cr_assert(type_at(&bench, 0, beyond, now) == SKM_CODE_WRONG);
		cr_assert(type_at(&bench, 0, (uint64_t)(now / 30), now) == SKM_CODE_RIGHT,
			"the terminal's own time stays in the window");
		cr_assert(bench.state.tokens[0].drift_steps == directions[i] * 2, "one step back");
	}
}

Test(verify, drift_moves_one_step_even_if_the_code_is_two_away)
{
	struct skm_verify_limits wide = limits;
	wide.window_steps = 2;
	wide.drift_max_steps = 10;
	struct bench bench = totp();
	struct skm_answer answer = code_of(&bench.person.tokens[0], STEP + 2);
	cr_assert(verify_with(&bench, &answer, &wide, NOW) == SKM_CODE_RIGHT);
	cr_assert(bench.state.tokens[0].drift_steps == 1);
}

Test(verify, drift_of_nought_allowed_or_seen)
{
	struct skm_verify_limits fixed = limits;
	fixed.drift_max_steps = 0;
	struct bench bench = totp();
	struct skm_answer answer = code_of(&bench.person.tokens[0], STEP + 1);
	cr_assert(verify_with(&bench, &answer, &fixed, NOW) == SKM_CODE_RIGHT);
	cr_assert(bench.state.tokens[0].drift_steps == 0);
	struct bench exact = totp();
	cr_assert(type_at(&exact, 0, STEP, NOW) == SKM_CODE_RIGHT);
	cr_assert(exact.state.tokens[0].drift_steps == 0);
}

Test(verify, drift_beyond_the_bound_comes_back_only)
{
	struct bench bench = totp();
	bench.state.tokens[0].drift_steps = 1000;
	cr_assert(type_at(&bench, 0, STEP + 1001, NOW) == SKM_CODE_RIGHT);
	cr_assert(bench.state.tokens[0].drift_steps == 1000);
	cr_assert(type_at(&bench, 0, STEP + 1002, NOW + 90) == SKM_CODE_RIGHT);
	cr_assert(bench.state.tokens[0].drift_steps == 999);
	cr_assert(type_at(&bench, 0, STEP + 500, NOW + 90) == SKM_CODE_WRONG);
}

Test(verify, drift_of_a_damaged_state_runs_over_nowhere)
{
	static const int32_t drifts[] = {INT32_MIN, INT32_MAX};
	static const int64_t times[] = {INT64_MIN, 0, NOW, INT64_MAX};
	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < SKM_ARRAY_SIZE(times); k++) {
			struct bench bench = totp();
			bench.state.tokens[0].drift_steps = drifts[i];
			uint64_t step = skm_otp_step(times[k], 30) + 1;
			cr_assert(type_at(&bench, 0, step, times[k]) == SKM_CODE_RIGHT, "%zu %zu", i, k);
		}
	}
}

Test(verify, hotp_look_ahead_and_order)
{
	struct bench bench = hotp(100);
	cr_assert(type_at(&bench, 0, 99, NOW) == SKM_CODE_WRONG,
		"before its first counter nothing was accepted");
	cr_assert(type_at(&bench, 0, 105, NOW) == SKM_CODE_WRONG, "beyond the look-ahead");
	cr_assert(type_at(&bench, 0, 104, NOW) == SKM_CODE_RIGHT);
	cr_assert(bench.state.tokens[0].last == 105 && bench.state.tokens[0].drift_steps == 0);
	cr_assert(type_at(&bench, 0, 104, NOW) == SKM_CODE_REPLAYED && bench.token == 0);
	cr_assert(type_at(&bench, 0, 100, NOW) == SKM_CODE_WRONG, "passed over for good");
	cr_assert(type_at(&bench, 0, 105, NOW) == SKM_CODE_RIGHT);
	cr_assert(type_at(&bench, 0, 106, INT64_MIN) == SKM_CODE_RIGHT, "knows no clock");
}

Test(verify, hotp_look_ahead_bounds)
{
	for (uint8_t ahead = 1; ahead <= 20; ahead++) {
		struct skm_verify_limits with = limits;
		with.look_ahead = ahead;
		uint64_t reach = ahead < 10 ? ahead : 10;
		struct bench bench = hotp(0);
		struct skm_answer beyond = code_of(&bench.person.tokens[0], reach);
		struct skm_answer last = code_of(&bench.person.tokens[0], reach - 1);
		cr_assert(verify_with(&bench, &beyond, &with, NOW) == SKM_CODE_WRONG);
		cr_assert(verify_with(&bench, &last, &with, NOW) == SKM_CODE_RIGHT);
		cr_assert(bench.state.tokens[0].last == reach);
	}
}

Test(verify, hotp_counter_does_not_begin_again)
{
	struct bench bench = hotp(UINT64_MAX - 2);
	cr_assert(type_at(&bench, 0, UINT64_MAX, NOW) == SKM_CODE_WRONG);
	cr_assert(type_at(&bench, 0, 0, NOW) == SKM_CODE_WRONG);
	cr_assert(type_at(&bench, 0, UINT64_MAX - 1, NOW) == SKM_CODE_RIGHT);
	cr_assert(bench.state.tokens[0].last == UINT64_MAX);
	for (uint64_t counter = UINT64_MAX - 3; counter != 4; counter++)
		cr_assert(type_at(&bench, 0, counter, NOW) == SKM_CODE_WRONG, "refused until resynchronised");
}

Test(verify, several_tokens)
{
	struct bench bench = {0};
	for (uint8_t i = 0; i < SKM_TOKENS_MAX; i++)
		(void)add(&bench, i & 1 ? SKM_OTP_HOTP : SKM_OTP_TOTP, i & 2 ? 8 : 6, (uint8_t)(10 + i));
	for (size_t place = 0; place < SKM_TOKENS_MAX; place++) {
		cr_assert(type_at(&bench, place, place & 1 ? 0 : STEP, NOW) == SKM_CODE_RIGHT);
		cr_assert(bench.token == (int)place);
	}
	for (size_t place = 0; place < SKM_TOKENS_MAX; place++) {
		cr_assert(type_at(&bench, place, place & 1 ? 0 : STEP, NOW) == SKM_CODE_REPLAYED);
		cr_assert(bench.token == (int)place);
	}
}

Test(verify, state_is_found_by_id_not_by_place)
{
	struct bench bench = totp();
	bench.person.tokens[0].id = 9;
	bench.state.tokens[0] = (struct skm_token_state){.id = 3, .last = 5};
	cr_assert(type_at(&bench, 0, STEP, NOW) == SKM_CODE_WRONG, "no place in the state: never");
	bench.state.tokens[6].id = 9;
	cr_assert(type_at(&bench, 0, STEP, NOW) == SKM_CODE_RIGHT);
	cr_assert(bench.state.tokens[6].last == STEP && bench.state.tokens[0].last == 5);
	bench.person.tokens[0].id = 0;
	cr_assert(type_at(&bench, 0, STEP + 1, NOW) == SKM_CODE_WRONG, "an empty place is nobody's");
}

/* Otherwise the code of one would be accepted a second time as that of the other. */
Test(verify, code_of_two_tokens_is_used_up_with_both)
{
	struct bench bench = totp();
	(void)add(&bench, SKM_OTP_TOTP, 6, 1);
	cr_assert(type_at(&bench, 0, STEP + 1, NOW) == SKM_CODE_RIGHT && bench.token == 0);
	cr_assert(bench.state.tokens[0].last == STEP + 1 && bench.state.tokens[1].last == STEP + 1);
	cr_assert(bench.state.tokens[0].drift_steps == 1 && bench.state.tokens[1].drift_steps == 0);
	cr_assert(type_at(&bench, 1, STEP + 1, NOW) == SKM_CODE_REPLAYED);

	struct bench counters = hotp(5);
	(void)add(&counters, SKM_OTP_HOTP, 6, 2);
	counters.state.tokens[1].last = 3;
	cr_assert(type_at(&counters, 0, 6, NOW) == SKM_CODE_RIGHT);
	cr_assert(counters.state.tokens[0].last == 7 && counters.state.tokens[1].last == 7);
}

Test(verify, code_used_with_one_token_is_right_for_another)
{
	struct bench bench = totp();
	(void)add(&bench, SKM_OTP_TOTP, 6, 1);
	bench.state.tokens[0].last = STEP;
	cr_assert(type_at(&bench, 0, STEP, NOW) == SKM_CODE_RIGHT && bench.token == 1);
}

/* Two steps of one window with the same code: found by search, 1 in a million each. */
Test(verify, code_of_two_steps_is_used_up_with_the_later)
{
	struct bench bench = totp();
	struct skm_token *token = &bench.person.tokens[0];
	uint64_t step = 1;
	while (code_of(token, step).code != code_of(token, step + 2).code &&
		code_of(token, step).code != code_of(token, step + 1).code) {
		step++;
		if (step % 4096 == 0) { /* another secret now and then, to search on small steps */
			token->secret[0]++;
			token->secret[1] += token->secret[0] == 0;
			step = 1;
		}
	}
	uint64_t later = code_of(token, step).code == code_of(token, step + 2).code ? step + 2 : step + 1;
	int64_t now = (int64_t)(step + 1) * 30;
	cr_assert(type_at(&bench, 0, step, now) == SKM_CODE_RIGHT);
	cr_assert(bench.state.tokens[0].last == later, "not again at its second time");
	cr_assert(type_at(&bench, 0, step, now) == SKM_CODE_REPLAYED);
}

Test(verify, algorithm_that_is_not_allowed_never_matches)
{
	for (unsigned algorithm = 0; algorithm < SKM_OTP_ALGORITHM_COUNT_; algorithm++) {
		struct bench bench = totp();
		bench.person.tokens[0].parameters.algorithm = (enum skm_otp_algorithm)algorithm;
		struct skm_answer answer = code_of(&bench.person.tokens[0], STEP);
		struct skm_verify_limits with = limits;
		with.algorithms = ALL_ALGORITHMS & ~(1u << algorithm);
		cr_assert(verify_with(&bench, &answer, &with, NOW) == SKM_CODE_WRONG);
		bench.state.tokens[0].last = STEP;
		cr_assert(
			verify_with(&bench, &answer, &with, NOW) == SKM_CODE_WRONG, "nor is it called used");
		with.algorithms = 1u << algorithm;
		cr_assert(verify_with(&bench, &answer, &with, NOW) == SKM_CODE_REPLAYED);
	}
}

Test(verify, parameters_of_a_damaged_record_never_match)
{
	static const struct skm_otp_parameters cases[] = {{SKM_OTP_TOTP, SKM_OTP_SHA256, 0, 30},
		{SKM_OTP_TOTP, SKM_OTP_SHA256, 200, 30}, {SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 0},
		{SKM_OTP_TYPE_COUNT_, SKM_OTP_SHA256, 6, 30},
		{SKM_OTP_TOTP, (enum skm_otp_algorithm)40, 6, 30}};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		struct bench bench = totp();
		struct skm_answer answer = code_of(&bench.person.tokens[0], STEP);
		bench.person.tokens[0].parameters = cases[i];
		cr_expect(verify_with(&bench, &answer, &limits, NOW) == SKM_CODE_WRONG, "case %zu", i);
	}
	struct bench bench = totp();
	struct skm_answer answer = code_of(&bench.person.tokens[0], STEP);
	bench.person.tokens[0].secret_len = 255;
	cr_expect(verify_with(&bench, &answer, &limits, NOW) == SKM_CODE_WRONG);
	bench = totp();
	bench.person.token_count = 255;
	cr_expect(verify_with(&bench, &answer, &limits, NOW) == SKM_CODE_RIGHT,
		"reads no further than the places");
}

Test(verify, answers_that_are_no_code_of_the_token)
{
	struct bench bench = totp();
	struct skm_answer answer = code_of(&bench.person.tokens[0], STEP);
	answer.kind = SKM_ANSWER_RECOVERY;
	cr_assert(verify_with(&bench, &answer, &limits, NOW) == SKM_CODE_WRONG);
	answer.kind = SKM_ANSWER_MALFORMED;
	cr_assert(verify_with(&bench, &answer, &limits, NOW) == SKM_CODE_WRONG);
	answer.kind = SKM_ANSWER_CODE;
	answer.digits = 8;
	cr_assert(verify_with(&bench, &answer, &limits, NOW) == SKM_CODE_WRONG, "00123456 is not 123456");
	bench.person.token_count = 0;
	answer.digits = 6;
	cr_assert(verify_with(&bench, &answer, &limits, NOW) == SKM_CODE_WRONG);
}

/* The key of an empty place is known to everybody. */
Test(verify, code_of_an_empty_place_opens_nothing)
{
	static const struct skm_token empty = {
		.parameters = {SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 30}, .secret_len = 32};
	struct bench bench = totp();
	for (uint64_t counter = 0; counter < 12; counter++) {
		struct skm_answer answer = code_of(&empty, counter);
		cr_assert(verify_with(&bench, &answer, &limits, NOW) == SKM_CODE_WRONG);
		answer = code_of(&empty, STEP + counter - 6);
		cr_assert(verify_with(&bench, &answer, &limits, NOW) == SKM_CODE_WRONG);
	}
}

Test(verify, one_of_a_million_codes_at_a_time)
{
	struct bench bench = totp();
	unsigned right = 0;
	for (uint32_t code = 0; code < 1000000; code += 97) {
		struct skm_answer answer = {.kind = SKM_ANSWER_CODE, .digits = 6, .code = code};
		struct skm_person_state state = bench.state;
		int token = 0;
		right += skm_verify_code(&bench.person, &state, &answer, &limits, NOW, &token) ==
			 SKM_CODE_RIGHT;
	}
	cr_assert(right <= 3, "%u", right);
}
