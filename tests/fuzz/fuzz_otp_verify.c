// SPDX-License-Identifier: Apache-2.0
/* Any person, state, limits, time and code: no step is accepted twice, only a right code changes the state,
 * and the last accepted step only grows. One byte of input may choose the real code of a token, so that the
 * fuzzer need not guess it. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "otp_code.h"
#include "verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
	if (!condition)
		abort();
}

struct input {
	const uint8_t *data;
	size_t size;
};

/* Little-endian; nought when the input is at its end. */
static uint64_t take(struct input *input, unsigned bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < bytes; i++) {
		if (input->size == 0)
			return value;
		value |= (uint64_t)*input->data << (8 * i);
		input->data++;
		input->size--;
	}
	return value;
}

/* No two tokens have one id: the codec of the record sees to it. The states stand in another order. */
static void make_token(
	struct input *input, uint8_t place, struct skm_token *token, struct skm_token_state *state)
{
	uint8_t shape = (uint8_t)take(input, 1);
	token->id = (uint8_t)(place * 16 + take(input, 1) % 2);
	token->parameters.type = shape & 1 ? SKM_OTP_HOTP : SKM_OTP_TOTP;
	token->parameters.algorithm = (enum skm_otp_algorithm)(shape >> 1 & 3);
	token->parameters.digits = shape & 8 ? 8 : 6;
	token->parameters.period_sec = shape & 1 ? 0 : shape & 16 ? 60 : 30;
	token->secret_len = (uint8_t)(16 + take(input, 1) % 49);
	token->secret[0] = (uint8_t)take(input, 1);
	token->first_counter = take(input, 1);
	state->id = (uint8_t)((SKM_TOKENS_MAX - 1 - place) * 16 + take(input, 1) % 2);
	state->last = take(input, 8);
	state->drift_steps = (int32_t)(uint32_t)take(input, 4);
}

static struct skm_answer make_answer(struct input *input, const struct skm_person *person, int64_t now_sec)
{
	const struct skm_token *token = &person->tokens[take(input, 1) % SKM_TOKENS_MAX];
	int64_t away = (int8_t)(uint8_t)take(input, 1);
	struct skm_answer answer = {
		SKM_ANSWER_CODE, token->parameters.digits, (uint32_t)take(input, 4), 0, ""};
	if (skm_otp_parameters_check(&token->parameters) < 0)
		return answer;
	uint64_t counter = token->parameters.type == SKM_OTP_HOTP
				   ? token->first_counter
				   : skm_otp_step(now_sec, token->parameters.period_sec);
	answer.code = skm_otp_code(token->parameters.algorithm, token->secret, token->secret_len,
		counter + (uint64_t)away, token->parameters.digits);
	return answer;
}

static void check_states(
	const struct skm_person_state *before, const struct skm_person_state *after, bool is_right)
{
	bool is_changed = false;
	for (size_t i = 0; i < SKM_TOKENS_MAX; i++) {
		demand(after->tokens[i].id == before->tokens[i].id);
		demand(after->tokens[i].last >= before->tokens[i].last);
		is_changed = is_changed || after->tokens[i].last > before->tokens[i].last;
	}
	demand(is_changed == is_right);
	if (!is_right)
		demand(memcmp(before, after, sizeof(*before)) == 0);
}

/* A window that moved may by chance show the same digits once more: then it is the code of the step just
 * accepted. */
static bool is_another_code(
	const struct skm_token *token, const struct skm_person_state *state, const struct skm_answer *answer)
{
	for (size_t i = 0; i < SKM_TOKENS_MAX; i++) {
		if (state->tokens[i].id != token->id)
			continue;
		uint64_t counter = state->tokens[i].last - (token->parameters.type == SKM_OTP_HOTP);
		return skm_otp_code(token->parameters.algorithm, token->secret, token->secret_len, counter,
			       token->parameters.digits) == answer->code;
	}
	return false;
}

static void check_resync(const struct skm_person *person, struct skm_person_state *state,
	const struct skm_answer *answer, const struct skm_verify_limits *limits, int64_t now_sec)
{
	struct skm_person_state before = *state;
	int token = 77;
	bool is_done = skm_verify_resync(person, state, answer, answer, limits, now_sec, &token);
	demand(is_done == (token >= 0) && token < SKM_TOKENS_MAX);
	if (!is_done)
		demand(memcmp(&before, state, sizeof(before)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct skm_person person = {0};
	struct skm_person_state state = {0};
	struct skm_verify_limits limits = {(uint8_t)take(&input, 1), (uint8_t)take(&input, 1),
		(uint8_t)take(&input, 1), (unsigned)take(&input, 1)};
	int64_t now_sec = (int64_t)take(&input, 8);
	bool is_resync = (take(&input, 1) & 15) == 15; /* seldom: it is slow */
	person.token_count = (uint8_t)take(&input, 1);
	for (size_t i = 0; i < SKM_TOKENS_MAX; i++)
		make_token(&input, (uint8_t)i, &person.tokens[i], &state.tokens[i]);
	struct skm_answer answer = make_answer(&input, &person, now_sec);

	struct skm_person_state before = state;
	int token = 77;
	enum skm_code_verdict verdict = skm_verify_code(&person, &state, &answer, &limits, now_sec, &token);
	demand(token < SKM_TOKENS_MAX && (verdict == SKM_CODE_WRONG ? token == -1 : token >= 0));
	check_states(&before, &state, verdict == SKM_CODE_RIGHT);
	before = state;
	verdict = skm_verify_code(&person, &state, &answer, &limits, now_sec, &token);
	check_states(&before, &state, verdict == SKM_CODE_RIGHT);
	if (verdict == SKM_CODE_RIGHT)
		demand(is_another_code(&person.tokens[token], &state, &answer));
	if (is_resync)
		check_resync(&person, &state, &answer, &limits, now_sec);
	return 0;
}
