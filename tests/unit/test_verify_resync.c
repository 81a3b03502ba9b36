// SPDX-License-Identifier: Apache-2.0
/* Resynchronisation, and what an enrolment's wrong code tells. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "otp_code.h"
#include "verify.h"

#define NOW INT64_C(1795230015)
#define STEP ((int64_t)(NOW / 30))

static const struct skm_verify_limits limits = {
	.window_steps = 1, .drift_max_steps = 4, .look_ahead = 5, .algorithms = 7};

struct bench {
	struct skm_person person;
	struct skm_person_state state;
	int token;
};

static struct bench with_token(enum skm_otp_type type)
{
	struct bench bench = {.person.token_count = 1};
	bench.person.tokens[0] = (struct skm_token){
		.id = 4,
		.parameters = {type, SKM_OTP_SHA256, 6, type == SKM_OTP_TOTP ? 30 : 0},
		.secret = {1, 2, 3},
		.secret_len = 32,
	};
	bench.state.tokens[0].id = 4;
	return bench;
}

static struct skm_answer code_of(const struct skm_token *token, int64_t counter)
{
	return (struct skm_answer){.kind = SKM_ANSWER_CODE,
		.digits = token->parameters.digits,
		.code = skm_otp_code(token->parameters.algorithm, token->secret, token->secret_len,
			(uint64_t)counter, token->parameters.digits)};
}

/* Also: a failure changes nothing. */
static bool resync(struct bench *bench, int64_t first, int64_t second)
{
	struct skm_person_state before = bench->state;
	struct skm_answer a = code_of(&bench->person.tokens[0], first);
	struct skm_answer b = code_of(&bench->person.tokens[0], second);
	bool is_done = skm_verify_resync(&bench->person, &bench->state, &a, &b, &limits, NOW, &bench->token);
	cr_assert(is_done == (bench->token >= 0));
	cr_assert(is_done == (memcmp(&before, &bench->state, sizeof(before)) != 0));
	return is_done;
}

static enum skm_code_verdict verify(struct bench *bench, int64_t counter, int64_t now_sec)
{
	int token = 0;
	struct skm_answer answer = code_of(&bench->person.tokens[0], counter);
	return skm_verify_code(&bench->person, &bench->state, &answer, &limits, now_sec, &token);
}

Test(resync, steps_up_to_1500_each_way)
{
	static const int64_t inside[] = {-1500, -1499, -100, 0, 1, 77, 1499, 1500};
	static const int64_t outside[] = {-1502, -1501, 1501, 1502, 3000};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(inside); i++) {
		struct bench bench = with_token(SKM_OTP_TOTP);
		int64_t second = STEP + inside[i];
		cr_assert(resync(&bench, second - 1, second), "%d", (int)inside[i]);
		cr_assert(bench.token == 0 && bench.state.tokens[0].last == (uint64_t)second);
		cr_assert(bench.state.tokens[0].drift_steps == inside[i]);
		cr_assert(verify(&bench, second, NOW) == SKM_CODE_REPLAYED, "both count as used");
		cr_assert(verify(&bench, second + 1, NOW + 30) == SKM_CODE_RIGHT, "%d", (int)inside[i]);
	}
	for (size_t i = 0; i < SKM_ARRAY_SIZE(outside); i++) {
		struct bench bench = with_token(SKM_OTP_TOTP);
		cr_assert(!resync(&bench, STEP + outside[i] - 1, STEP + outside[i]), "%d", (int)outside[i]);
	}
}

Test(resync, codes_must_follow_each_other)
{
	struct bench bench = with_token(SKM_OTP_TOTP);
	cr_assert(!resync(&bench, STEP, STEP));
	cr_assert(!resync(&bench, STEP, STEP - 1));
	cr_assert(!resync(&bench, STEP, STEP + 2));
	cr_assert(!resync(&bench, STEP, STEP + 5000));
	cr_assert(!resync(&bench, STEP - 5000, STEP));
}

Test(resync, never_at_or_before_the_last_accepted_step)
{
	struct bench bench = with_token(SKM_OTP_TOTP);
	bench.state.tokens[0].last = (uint64_t)STEP;
	cr_assert(!resync(&bench, STEP - 500, STEP - 499), "two old codes");
	cr_assert(!resync(&bench, STEP - 1, STEP));
	cr_assert(!resync(&bench, STEP, STEP + 1), "the first of them was used");
	cr_assert(resync(&bench, STEP + 1, STEP + 2));
	cr_assert(!resync(&bench, STEP + 1, STEP + 2), "nor the same two again");
	static const uint64_t lasts[] = {
		(uint64_t)STEP + 1499, (uint64_t)STEP + 1500, UINT64_MAX - 1, UINT64_MAX};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(lasts); i++) {
		bench.state.tokens[0].last = lasts[i];
		cr_assert(!resync(&bench, STEP + 1499, STEP + 1500));
		cr_assert(!resync(&bench, -1, 0));
	}
}

Test(resync, at_the_beginning_of_time)
{
	struct bench bench = with_token(SKM_OTP_TOTP);
	struct skm_answer a = code_of(&bench.person.tokens[0], 1), b = code_of(&bench.person.tokens[0], 2);
	int token = 0;
	cr_assert(skm_verify_resync(&bench.person, &bench.state, &a, &b, &limits, -1, &token));
	cr_assert(bench.state.tokens[0].drift_steps == 2);
	a = code_of(&bench.person.tokens[0], INT64_MAX / 30);
	b = code_of(&bench.person.tokens[0], INT64_MAX / 30 + 1);
	cr_assert(skm_verify_resync(&bench.person, &bench.state, &a, &b, &limits, INT64_MAX, &token));
}

Test(resync, counters_up_to_1000_ahead)
{
	struct bench bench = with_token(SKM_OTP_HOTP);
	bench.state.tokens[0].last = 50;
	cr_assert(!resync(&bench, 48, 49));
	cr_assert(!resync(&bench, 49, 50), "the first of them may not be accepted any more");
	cr_assert(!resync(&bench, 1050, 1051));
	cr_assert(resync(&bench, 1049, 1050));
	cr_assert(bench.state.tokens[0].last == 1051 && bench.state.tokens[0].drift_steps == 0);
	cr_assert(verify(&bench, 1050, NOW) == SKM_CODE_REPLAYED);
	cr_assert(verify(&bench, 1051, NOW) == SKM_CODE_RIGHT);
}

Test(resync, counter_that_was_lost_with_the_state)
{
	struct bench bench = with_token(SKM_OTP_HOTP);
	bench.person.tokens[0].first_counter = 200;
	bench.state.tokens[0].last = UINT64_MAX;
	cr_assert(verify(&bench, 700, NOW) == SKM_CODE_WRONG);
	cr_assert(!resync(&bench, 198, 199), "before its first one");
	cr_assert(resync(&bench, 700, 701));
	cr_assert(bench.state.tokens[0].last == 702);
	bench.person.tokens[0].first_counter = UINT64_MAX - 500;
	bench.state.tokens[0].last = UINT64_MAX;
	cr_assert(!resync(&bench, -3, -2), "no counter runs over");
}

Test(resync, only_tokens_that_count)
{
	struct bench bench = with_token(SKM_OTP_TOTP);
	struct skm_answer a = code_of(&bench.person.tokens[0], STEP),
			  b = code_of(&bench.person.tokens[0], STEP + 1);
	struct skm_verify_limits sha512 = limits;
	int token = 0;
	sha512.algorithms = 1u << SKM_OTP_SHA512;
	cr_assert(
		!skm_verify_resync(&bench.person, &bench.state, &a, &b, &sha512, NOW, &token) && token == -1);
	struct skm_answer longer = a, recovery = b;
	longer.digits = 8;
	recovery.kind = SKM_ANSWER_RECOVERY;
	cr_assert(!skm_verify_resync(&bench.person, &bench.state, &longer, &b, &limits, NOW, &token));
	cr_assert(!skm_verify_resync(&bench.person, &bench.state, &a, &recovery, &limits, NOW, &token));
	bench.state.tokens[0].id = 5;
	cr_assert(!skm_verify_resync(&bench.person, &bench.state, &a, &b, &limits, NOW, &token));
	bench.state.tokens[0].id = 4;
	bench.person.tokens[1] = bench.person.tokens[0];
	bench.person.tokens[0].secret[0] = 99;
	bench.person.tokens[0].id = 3;
	bench.person.token_count = 2;
	bench.state.tokens[1].id = 3;
	cr_assert(skm_verify_resync(&bench.person, &bench.state, &a, &b, &limits, NOW, &token) && token == 1);
	cr_assert(bench.state.tokens[0].last == (uint64_t)STEP + 1 && bench.state.tokens[1].last == 0);
}

/* ---- diagnosis ---- */

struct seen {
	enum skm_auth_diagnosis diagnosis;
	bool is_right;
	int64_t offset_sec;
};

static struct seen diagnose_text(const struct skm_token *token, const char *text)
{
	struct seen seen = {SKM_AUTH_DIAGNOSIS_COUNT_, false, 77};
	seen.diagnosis = skm_verify_diagnose(
		token, text, strlen(text), &limits, NOW, &seen.is_right, &seen.offset_sec);
	return seen;
}

/* What an app shows that understood `app` instead of what the token's parameters are. */
static struct seen diagnose(const struct skm_token *token, struct skm_otp_parameters app, int64_t offset_sec)
{
	char text[16];
	uint64_t counter = app.type == SKM_OTP_HOTP ? token->first_counter + (uint64_t)offset_sec
						    : skm_otp_step(NOW + offset_sec, app.period_sec);
	(void)snprintf(text, sizeof(text), "%0*u", app.digits,
		skm_otp_code(app.algorithm, token->secret, token->secret_len, counter, app.digits));
	return diagnose_text(token, text);
}

static struct skm_token token_of(enum skm_otp_algorithm algorithm, uint8_t digits, uint8_t period_sec)
{
	return (struct skm_token){
		.id = 1,
		.parameters = {SKM_OTP_TOTP, algorithm, digits, period_sec},
		.secret = "a secret that gives no two equal codes near this time",
		.secret_len = (uint8_t)skm_otp_secret_bytes(algorithm),
	};
}

Test(diagnose, right)
{
	struct skm_token token = token_of(SKM_OTP_SHA256, 6, 30);
	for (int64_t offset_sec = -30; offset_sec <= 30; offset_sec += 30) {
		struct seen seen = diagnose(&token, token.parameters, offset_sec);
		cr_expect(seen.is_right && seen.diagnosis == SKM_AUTH_DIAGNOSIS_NONE && seen.offset_sec == 0);
	}
}

Test(diagnose, what_apps_ignore)
{
	static const struct {
		struct skm_otp_parameters agreed, app;
		enum skm_auth_diagnosis diagnosis;
	} cases[] = {
		{{SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 30}, {SKM_OTP_TOTP, SKM_OTP_SHA1, 6, 30},
			SKM_AUTH_DIAGNOSIS_SHA1},
		{{SKM_OTP_TOTP, SKM_OTP_SHA512, 6, 30}, {SKM_OTP_TOTP, SKM_OTP_SHA1, 6, 30},
			SKM_AUTH_DIAGNOSIS_SHA1},
		{{SKM_OTP_TOTP, SKM_OTP_SHA512, 6, 30}, {SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 30},
			SKM_AUTH_DIAGNOSIS_SHA256},
		{{SKM_OTP_TOTP, SKM_OTP_SHA256, 8, 30}, {SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 30},
			SKM_AUTH_DIAGNOSIS_DIGITS},
		{{SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 30}, {SKM_OTP_TOTP, SKM_OTP_SHA256, 8, 30},
			SKM_AUTH_DIAGNOSIS_DIGITS},
		{{SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 60}, {SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 30},
			SKM_AUTH_DIAGNOSIS_PERIOD},
		{{SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 30}, {SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 60},
			SKM_AUTH_DIAGNOSIS_PERIOD},
		/* several at once: the gravest */
		{{SKM_OTP_TOTP, SKM_OTP_SHA512, 8, 60}, {SKM_OTP_TOTP, SKM_OTP_SHA1, 6, 30},
			SKM_AUTH_DIAGNOSIS_SHA1},
		{{SKM_OTP_TOTP, SKM_OTP_SHA256, 8, 60}, {SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 30},
			SKM_AUTH_DIAGNOSIS_DIGITS},
		{{SKM_OTP_HOTP, SKM_OTP_SHA256, 6, 0}, {SKM_OTP_HOTP, SKM_OTP_SHA1, 6, 0},
			SKM_AUTH_DIAGNOSIS_SHA1},
		{{SKM_OTP_HOTP, SKM_OTP_SHA256, 8, 0}, {SKM_OTP_HOTP, SKM_OTP_SHA256, 6, 0},
			SKM_AUTH_DIAGNOSIS_DIGITS},
		/* nobody falls back from SHA-1 to something stronger */
		{{SKM_OTP_TOTP, SKM_OTP_SHA1, 6, 30}, {SKM_OTP_TOTP, SKM_OTP_SHA512, 6, 30},
			SKM_AUTH_DIAGNOSIS_NONE},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		struct skm_token token = token_of(cases[i].agreed.algorithm, 6, 30);
		token.parameters = cases[i].agreed;
		struct seen seen = diagnose(&token, cases[i].app, 0);
		cr_expect(seen.diagnosis == cases[i].diagnosis, "case %zu: %d", i, (int)seen.diagnosis);
		cr_expect(!seen.is_right && seen.offset_sec == 0, "case %zu", i);
	}
}

Test(diagnose, clock_up_to_a_day_away)
{
	static const int64_t offsets[] = {90, -90, 60, -60, 300, -3600, 9 * 3600, -9 * 3600, 86400, -86400};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(offsets); i++) {
		struct skm_token token = token_of(SKM_OTP_SHA256, 8, i & 1 ? 30 : 60);
		int64_t offset_sec = i & 1 ? offsets[i] : offsets[i] * 2 > 86400 ? 86400 : offsets[i] * 2;
		struct seen seen = diagnose(&token, token.parameters, offset_sec);
		cr_expect(seen.diagnosis == SKM_AUTH_DIAGNOSIS_CLOCK && !seen.is_right, "%d s",
			(int)offset_sec);
		cr_expect(
			seen.offset_sec == offset_sec, "%d s, not %d", (int)seen.offset_sec, (int)offset_sec);
	}
	struct skm_token token = token_of(SKM_OTP_SHA256, 8, 30);
	cr_expect(diagnose(&token, token.parameters, 86430).diagnosis == SKM_AUTH_DIAGNOSIS_NONE);
	cr_expect(diagnose(&token, token.parameters, -86430).diagnosis == SKM_AUTH_DIAGNOSIS_NONE);
}

Test(diagnose, nearest_clock_wins)
{
	struct skm_token token = token_of(SKM_OTP_SHA1, 6, 30);
	/* a code of the day before that is seen again nearer to now */
	for (uint8_t seed = 0; seed < 255; seed++) {
		token.secret[0] = seed;
		for (int64_t near = -2879; near < -2; near++) {
			uint32_t code = code_of(&token, STEP + near).code;
			if (code != code_of(&token, STEP - 2880).code)
				continue;
			struct seen seen = diagnose(&token, token.parameters, -86400);
			cr_assert(seen.offset_sec == near * 30, "%d", (int)near);
			return;
		}
	}
	cr_assert_fail("no secret with two equal codes within a day");
}

Test(diagnose, what_is_no_code_or_just_wrong)
{
	static const char cases[][32] = {"", "12345", "パスワード", "3-ACEF-HJKL-MQRT-UWXY-ACEF"};
	struct skm_token token = token_of(SKM_OTP_SHA256, 8, 30);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		struct seen seen = diagnose_text(&token, cases[i]);
		cr_expect(
			seen.diagnosis == SKM_AUTH_DIAGNOSIS_NONE && !seen.is_right && seen.offset_sec == 0);
	}
	cr_expect(diagnose_text(&token, "00000000").diagnosis == SKM_AUTH_DIAGNOSIS_NONE);
}

Test(diagnose, hotp_begins_at_its_first_counter)
{
	struct skm_token token = token_of(SKM_OTP_SHA256, 6, 30);
	token.parameters = (struct skm_otp_parameters){SKM_OTP_HOTP, SKM_OTP_SHA256, 6, 0};
	token.first_counter = 1000;
	for (int64_t ahead = -1; ahead <= 5; ahead++) {
		struct seen seen = diagnose(&token, token.parameters, ahead);
		cr_expect(seen.is_right == (ahead >= 0 && ahead < 5), "%d", (int)ahead);
		cr_expect(seen.diagnosis == SKM_AUTH_DIAGNOSIS_NONE);
	}
}
