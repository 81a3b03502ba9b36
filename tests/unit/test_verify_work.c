// SPDX-License-Identifier: Apache-2.0
/* The same work whatever the answer. The linker takes the skm_hmac of this file instead of the real one, so
 * the calls are counted: how many, with how much key. */
#include <criterion/criterion.h>
#include <string.h>

#include "hmac.h"
#include "verify.h"

#define NOW INT64_C(1795230015)
#define STEP ((uint64_t)(NOW / 30))

static struct {
	unsigned calls, keys, wiped;
	size_t key_bytes, message_bytes;
} work;

void skm_hmac_key_set(
	struct skm_hmac_key *key, enum skm_otp_algorithm algorithm, const uint8_t *bytes, size_t len)
{
	cr_assert(bytes != NULL);
	work.keys++;
	work.key_bytes += len;
	key->algorithm = algorithm;
}

void skm_hmac_key_clear(struct skm_hmac_key *key)
{
	work.wiped++;
	memset(key, 0, sizeof(*key));
}

/* Not a hash, but different for different counters. The code at counter c is c + 1, modulo a million. */
size_t skm_hmac(const struct skm_hmac_key *key, const uint8_t *message, size_t message_len,
	uint8_t ret_mac[SKM_HMAC_BYTES_MAX])
{
	static const size_t lengths[] = {[SKM_OTP_SHA256] = 32, [SKM_OTP_SHA512] = 64, [SKM_OTP_SHA1] = 20};
	work.calls++;
	work.message_bytes += message_len;
	cr_assert(message_len == 8);
	uint32_t low = (uint32_t)message[4] << 24 | (uint32_t)message[5] << 16 | (uint32_t)message[6] << 8 |
		       message[7];
	memset(ret_mac, 0, SKM_HMAC_BYTES_MAX);
	low++;
	for (int i = 0; i < 4; i++)
		ret_mac[i] = (uint8_t)(low >> (24 - 8 * i));
	return lengths[key->algorithm];
}

static struct skm_person person_with(unsigned count, enum skm_otp_type type, struct skm_person_state *state)
{
	struct skm_person person = {.token_count = (uint8_t)count};
	*state = (struct skm_person_state){0};
	for (unsigned i = 0; i < count; i++) {
		person.tokens[i] = (struct skm_token){.id = (uint8_t)(i + 1),
			.parameters = {type, SKM_OTP_SHA256, 6, type == SKM_OTP_TOTP ? 30 : 0},
			.secret_len = 32};
		state->tokens[i].id = (uint8_t)(i + 1);
	}
	return person;
}

static struct skm_answer code(uint64_t counter)
{
	return (struct skm_answer){SKM_ANSWER_CODE, 6, (uint32_t)((counter + 1) % 1000000), 0, ""};
}

static enum skm_code_verdict verify(const struct skm_person *person, struct skm_person_state *state,
	const struct skm_answer *answer, const struct skm_verify_limits *limits)
{
	int token = 0;
	memset(&work, 0, sizeof(work));
	enum skm_code_verdict verdict = skm_verify_code(person, state, answer, limits, NOW, &token);
	cr_expect(work.calls == SKM_TOKENS_MAX * 11, "%u calls", work.calls);
	cr_expect(work.keys == SKM_TOKENS_MAX && work.wiped == SKM_TOKENS_MAX);
	cr_expect(work.key_bytes == work.keys * 32 && work.message_bytes == work.calls * 8);
	return verdict;
}

Test(verify_work, same_for_every_verdict)
{
	static const struct skm_verify_limits limits = {1, 4, 5, 7};
	struct skm_person_state state;
	struct skm_person person = person_with(1, SKM_OTP_TOTP, &state);
	const struct skm_answer right = code(STEP), wrong = code(STEP + 5000),
				longer = {SKM_ANSWER_CODE, 8, 0, 0, ""}, none = {0},
				recovery = {.kind = SKM_ANSWER_RECOVERY, .number = 1};
	cr_assert(verify(&person, &state, &wrong, &limits) == SKM_CODE_WRONG);
	cr_assert(verify(&person, &state, &right, &limits) == SKM_CODE_RIGHT);
	cr_assert(verify(&person, &state, &right, &limits) == SKM_CODE_REPLAYED);
	cr_assert(verify(&person, &state, &longer, &limits) == SKM_CODE_WRONG);
	cr_assert(verify(&person, &state, &none, &limits) == SKM_CODE_WRONG);
	cr_assert(verify(&person, &state, &recovery, &limits) == SKM_CODE_WRONG);
	state.tokens[0].last = STEP + 1000;
	cr_assert(verify(&person, &state, &right, &limits) == SKM_CODE_CLOCK);
	state = (struct skm_person_state){0};
	cr_assert(verify(&person, &state, &right, &limits) == SKM_CODE_WRONG, "the token has no place");
	static const struct skm_verify_limits sha512 = {1, 4, 5, 1u << SKM_OTP_SHA512};
	cr_assert(verify(&person, &state, &right, &sha512) == SKM_CODE_WRONG, "not allowed");
}

Test(verify_work, same_for_nobody_and_for_every_number_of_tokens)
{
	static const struct skm_verify_limits limits = {1, 4, 5, 7};
	for (int type = 0; type < SKM_OTP_TYPE_COUNT_; type++) {
		for (unsigned count = 0; count <= SKM_TOKENS_MAX; count++) {
			struct skm_person_state state;
			struct skm_person person = person_with(count, (enum skm_otp_type)type, &state);
			struct skm_answer right = code(type == SKM_OTP_TOTP ? STEP : 0);
			enum skm_code_verdict wanted = count ? SKM_CODE_RIGHT : SKM_CODE_WRONG;
			cr_assert(verify(&person, &state, &right, &limits) == wanted);
		}
	}
}

Test(verify_work, same_for_every_window_drift_and_look_ahead)
{
	for (uint8_t window = 0; window <= 2; window++) {
		for (uint8_t ahead = 1; ahead <= 10; ahead++) {
			const struct skm_verify_limits limits = {window, 10, ahead, 7};
			struct skm_person_state state;
			struct skm_person person = person_with(3, SKM_OTP_TOTP, &state);
			person.tokens[1].parameters =
				(struct skm_otp_parameters){SKM_OTP_HOTP, SKM_OTP_SHA256, 6, 0};
			state.tokens[0].drift_steps = ahead;
			state.tokens[2].drift_steps = -window;
			struct skm_answer wrong = code(500000);
			(void)verify(&person, &state, &wrong, &limits);
		}
	}
}
