// SPDX-License-Identifier: Apache-2.0
/* Why an enrolment's code does not fit. Authenticator apps ignore parts of an otpauth URI without a word
 * (Microsoft's, Authy and Duo take SHA-1 whatever it says), and then simply show wrong codes; a person in
 * front of that cannot know. What needs the fewest trials is tried first: each trial may fit by chance (one
 * in a million with six digits), and the search of the clock makes thousands. */
#include <string.h>

#include "otp_code.h"
#include "verify.h"

#define SEARCH_SEC 86400
#define OTHER_PERIOD(period) ((period) == 30 ? 60 : 30)

/* The code that the token would show `offset` steps (HOTP: counters) from now. */
struct trial {
	const struct skm_token *token;
	struct skm_otp_parameters parameters; /* as the app understood them */
	const struct skm_answer *answer;
	int64_t now_sec;
};

static bool fits_at(const struct trial *trial, int64_t offset)
{
	const struct skm_token *token = trial->token;
	const struct skm_otp_parameters *parameters = &trial->parameters;
	uint64_t counter = 0;
	if (parameters->type == SKM_OTP_HOTP) {
		counter = token->first_counter + (uint64_t)offset;
	} else {
		int64_t step = (int64_t)skm_otp_step(trial->now_sec, parameters->period_sec) + offset;
		if (step < 0)
			return false;
		counter = (uint64_t)step;
	}
	return parameters->digits == trial->answer->digits &&
	       skm_otp_code(parameters->algorithm, token->secret, token->secret_len, counter,
		       parameters->digits) == trial->answer->code;
}

static bool fits_now(const struct trial *trial, const struct skm_verify_limits *limits)
{
	bool is_hotp = trial->parameters.type == SKM_OTP_HOTP;
	int64_t first = is_hotp ? 0 : -(int64_t)limits->window_steps;
	int64_t last = is_hotp ? (int64_t)limits->look_ahead - 1 : (int64_t)limits->window_steps;
	bool fits = false;
	for (int64_t offset = first; offset <= last; offset++)
		fits = fits_at(trial, offset) || fits;
	return fits;
}

/* The gravest of the differences between what was agreed and what the app understood. */
static enum skm_auth_diagnosis name_difference(
	const struct skm_otp_parameters *agreed, const struct skm_otp_parameters *app)
{
	if (app->algorithm != agreed->algorithm)
		return app->algorithm == SKM_OTP_SHA1 ? SKM_AUTH_DIAGNOSIS_SHA1 : SKM_AUTH_DIAGNOSIS_SHA256;
	if (app->digits != agreed->digits)
		return SKM_AUTH_DIAGNOSIS_DIGITS;
	return app->period_sec != agreed->period_sec ? SKM_AUTH_DIAGNOSIS_PERIOD : SKM_AUTH_DIAGNOSIS_NONE;
}

/* The agreed algorithm and those that apps fall back to, each with the digits that were typed and both
 * periods. */
static enum skm_auth_diagnosis find_ignored(
	const struct trial *agreed, const struct skm_verify_limits *limits)
{
	const struct skm_otp_parameters *own = &agreed->parameters;
	const enum skm_otp_algorithm algorithms[] = {own->algorithm, SKM_OTP_SHA1, SKM_OTP_SHA256};
	/* nobody falls back from SHA-1 */
	size_t algorithm_count = own->algorithm == SKM_OTP_SHA1 ? 1 : SKM_ARRAY_SIZE(algorithms);
	const uint8_t periods[] = {own->period_sec, OTHER_PERIOD(own->period_sec)};
	size_t period_count = own->type == SKM_OTP_HOTP ? 1 : SKM_ARRAY_SIZE(periods);
	struct trial trial = *agreed;
	trial.parameters.digits = agreed->answer->digits;
	for (size_t i = 0; i < algorithm_count * period_count; i++) {
		trial.parameters.algorithm = algorithms[i / period_count];
		trial.parameters.period_sec = periods[i % period_count];
		if (fits_now(&trial, limits))
			return name_difference(own, &trial.parameters);
	}
	return SKM_AUTH_DIAGNOSIS_NONE;
}

/* The nearest other time at which the code is right. */
static bool find_offset(const struct trial *agreed, int64_t *ret_offset_sec)
{
	int64_t period = agreed->parameters.period_sec;
	if (agreed->parameters.type == SKM_OTP_HOTP)
		return false;
	for (int64_t offset = 1; offset <= SEARCH_SEC / period; offset++) {
		bool is_behind = fits_at(agreed, -offset);
		if (!is_behind && !fits_at(agreed, offset))
			continue;
		*ret_offset_sec = (is_behind ? -offset : offset) * period;
		return true;
	}
	return false;
}

enum skm_auth_diagnosis skm_verify_diagnose(const struct skm_token *token, const char *answer,
	size_t answer_len, const struct skm_verify_limits *limits, int64_t now_sec, bool *ret_is_right,
	int64_t *ret_offset_sec)
{
	struct skm_answer parsed;
	skm_answer_parse(answer, answer_len, &parsed);
	struct trial agreed = {token, token->parameters, &parsed, now_sec};
	enum skm_auth_diagnosis diagnosis = SKM_AUTH_DIAGNOSIS_NONE;
	int64_t offset_sec = 0;
	bool is_code = parsed.kind == SKM_ANSWER_CODE;
	bool is_right = is_code && fits_now(&agreed, limits);
	if (is_code && !is_right) {
		diagnosis = find_ignored(&agreed, limits);
		if (diagnosis == SKM_AUTH_DIAGNOSIS_NONE && find_offset(&agreed, &offset_sec))
			diagnosis = SKM_AUTH_DIAGNOSIS_CLOCK;
	}
	explicit_bzero(&parsed, sizeof(parsed));
	*ret_is_right = is_right;
	*ret_offset_sec = offset_sec;
	return diagnosis;
}
