// SPDX-License-Identifier: Apache-2.0
/* The one encoding of a person and of a state: every byte has a place, numbers are little-endian, unused
 * places are zero, and nothing but what the encoder writes is decoded. So there is one form of each value, an
 * older or newer program's file is told from ours by its first byte, and the length says nothing about the
 * contents. Structs written as they lie in memory were rejected (padding carries what was on the stack), JSON
 * too (its length counts the tokens, and its parser would stand between a secret and its wiping). */
#include <string.h>

#include "person.h"

#define PERSON_VERSION 1
#define STATE_VERSION 1
#define PERIOD_SHORT_SEC 30
#define PERIOD_LONG_SEC 60
/* A drift comes from a login (10 steps at most) or from a resynchronisation (1,500). What is far beyond was
 * written by no program of ours. */
#define DRIFT_STEPS_LIMIT 100000
#define RECOVERY_ALL_USED ((UINT32_C(1) << SKM_RECOVERY_CODES) - 1)
/* The furthest that an accepted step can have lain ahead of the clock: the widest window and the largest
 * learned drift that the configuration allows (verify.h). */
#define REACH_STEPS (2 + 10)

/* ---- bytes ---- */

struct writer {
	uint8_t *at;
};

static void put(struct writer *writer, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		*writer->at++ = (uint8_t)(value >> (8 * i));
}

static void put_bytes(struct writer *writer, const void *data, size_t len)
{
	memcpy(writer->at, data, len);
	writer->at += len;
}

/* What stands behind the NUL does not get into the file. */
static void put_text(struct writer *writer, const char *text, size_t size)
{
	memset(writer->at, 0, size);
	memcpy(writer->at, text, strnlen(text, size - 1));
	writer->at += size;
}

/* Remembers that something was wrong; the caller asks once, at the end. */
struct reader {
	const uint8_t *at;
	bool is_bad;
};

static uint64_t get(struct reader *reader, size_t bytes)
{
	uint64_t value = 0;
	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)*reader->at++ << (8 * i);
	return value;
}

static void get_bytes(struct reader *reader, void *ret_data, size_t len)
{
	memcpy(ret_data, reader->at, len);
	reader->at += len;
}

static void demand(struct reader *reader, bool is_right)
{
	if (!is_right)
		reader->is_bad = true;
}

static bool is_zero(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint8_t any = 0;
	for (size_t i = 0; i < len; i++)
		any |= bytes[i];
	return any == 0;
}

static void get_text(struct reader *reader, char *ret_text, size_t size)
{
	get_bytes(reader, ret_text, size);
	size_t len = strnlen(ret_text, size);
	demand(reader, len < size && is_zero(ret_text + len, size - len));
	ret_text[size - 1] = '\0';
}

/* ---- person ---- */

static void put_token(struct writer *writer, const struct skm_token *token)
{
	put(writer, token->id, 1);
	put(writer, (uint64_t)token->parameters.type, 1);
	put(writer, (uint64_t)token->parameters.algorithm, 1);
	put(writer, token->parameters.digits, 1);
	put(writer, token->parameters.period_sec, 1);
	put(writer, token->secret_len, 1);
	put_bytes(writer, token->secret, sizeof(token->secret));
	put_text(writer, token->label, sizeof(token->label));
	put(writer, (uint64_t)token->enrolled_sec, 8);
	put(writer, token->first_counter, 8);
}

static void demand_parameters(struct reader *reader, const struct skm_otp_parameters *parameters)
{
	bool is_totp = parameters->type == SKM_OTP_TOTP;
	uint8_t period = parameters->period_sec;
	demand(reader, parameters->type < SKM_OTP_TYPE_COUNT_);
	demand(reader, parameters->algorithm < SKM_OTP_ALGORITHM_COUNT_);
	demand(reader, parameters->digits == 6 || parameters->digits == 8);
	demand(reader, is_totp ? period == PERIOD_SHORT_SEC || period == PERIOD_LONG_SEC : period == 0);
}

static void get_token(struct reader *reader, bool is_used, struct skm_token *ret_token)
{
	const uint8_t *begin = reader->at;
	ret_token->id = (uint8_t)get(reader, 1);
	ret_token->parameters.type = (enum skm_otp_type)get(reader, 1);
	ret_token->parameters.algorithm = (enum skm_otp_algorithm)get(reader, 1);
	ret_token->parameters.digits = (uint8_t)get(reader, 1);
	ret_token->parameters.period_sec = (uint8_t)get(reader, 1);
	ret_token->secret_len = (uint8_t)get(reader, 1);
	get_bytes(reader, ret_token->secret, sizeof(ret_token->secret));
	get_text(reader, ret_token->label, sizeof(ret_token->label));
	ret_token->enrolled_sec = (int64_t)get(reader, 8);
	ret_token->first_counter = get(reader, 8);
	if (!is_used) {
		demand(reader, is_zero(begin, (size_t)(reader->at - begin)));
		return;
	}
	size_t len = ret_token->secret_len;
	demand(reader, ret_token->id != 0);
	demand_parameters(reader, &ret_token->parameters);
	bool has_length = len >= SKM_OTP_SECRET_BYTES_MIN && len <= sizeof(ret_token->secret);
	demand(reader, has_length && is_zero(ret_token->secret + len, sizeof(ret_token->secret) - len));
}

static void put_hash(struct writer *writer, const struct skm_recovery_hash *hash)
{
	put_bytes(writer, hash->salt, sizeof(hash->salt));
	put_bytes(writer, hash->hash, sizeof(hash->hash));
}

static void get_hash(struct reader *reader, bool is_used, struct skm_recovery_hash *ret_hash)
{
	get_bytes(reader, ret_hash->salt, sizeof(ret_hash->salt));
	get_bytes(reader, ret_hash->hash, sizeof(ret_hash->hash));
	demand(reader, is_used || is_zero(ret_hash, sizeof(*ret_hash)));
}

void skm_person_encode(const struct skm_person *person, uint8_t ret_buf[SKM_PERSON_ENCODED_BYTES])
{
	memset(ret_buf, 0, SKM_PERSON_ENCODED_BYTES);
	struct writer writer = {.at = ret_buf};
	put(&writer, PERSON_VERSION, 1);
	put(&writer, person->uid, 4);
	put_text(&writer, person->name, sizeof(person->name));
	put_bytes(&writer, person->machine, sizeof(person->machine));
	put(&writer, person->generation, 8);
	put(&writer, person->token_count, 1);
	put(&writer, person->last_token_id, 1);
	for (size_t i = 0; i < SKM_TOKENS_MAX; i++)
		put_token(&writer, &person->tokens[i]);
	put(&writer, person->recovery_series, 4);
	put(&writer, person->recovery_count, 1);
	for (size_t i = 0; i < SKM_RECOVERY_CODES; i++)
		put_hash(&writer, &person->recovery[i]);
	put(&writer, person->substitute_series, 4);
	put(&writer, (uint64_t)person->substitute_until_sec, 8);
	put_hash(&writer, &person->substitute);
}

static void demand_own_ids(struct reader *reader, const struct skm_person *person)
{
	for (size_t i = 0; i < person->token_count; i++) {
		demand(reader, person->tokens[i].id <= person->last_token_id);
		for (size_t j = 0; j < i; j++)
			demand(reader, person->tokens[i].id != person->tokens[j].id);
	}
}

static void get_person(struct reader *reader, struct skm_person *ret_person)
{
	demand(reader, get(reader, 1) == PERSON_VERSION);
	ret_person->uid = (uint32_t)get(reader, 4);
	get_text(reader, ret_person->name, sizeof(ret_person->name));
	demand(reader, ret_person->name[0] != '\0');
	get_bytes(reader, ret_person->machine, sizeof(ret_person->machine));
	ret_person->generation = get(reader, 8);
	demand(reader, ret_person->generation != 0);
	ret_person->token_count = (uint8_t)get(reader, 1);
	ret_person->last_token_id = (uint8_t)get(reader, 1);
	for (size_t i = 0; i < SKM_TOKENS_MAX; i++)
		get_token(reader, i < ret_person->token_count, &ret_person->tokens[i]);
	if (ret_person->token_count <= SKM_TOKENS_MAX)
		demand_own_ids(reader, ret_person);
	else
		demand(reader, false);
	ret_person->recovery_series = (uint32_t)get(reader, 4);
	ret_person->recovery_count = (uint8_t)get(reader, 1);
	demand(reader, ret_person->recovery_count <= SKM_RECOVERY_CODES);
	demand(reader, ret_person->recovery_count == 0 || ret_person->recovery_series != 0);
	for (size_t i = 0; i < SKM_RECOVERY_CODES; i++)
		get_hash(reader, i < ret_person->recovery_count, &ret_person->recovery[i]);
	ret_person->substitute_series = (uint32_t)get(reader, 4);
	ret_person->substitute_until_sec = (int64_t)get(reader, 8);
	bool has_substitute = ret_person->substitute_series != 0;
	demand(reader, has_substitute || ret_person->substitute_until_sec == 0);
	get_hash(reader, has_substitute, &ret_person->substitute);
}

int skm_person_decode(const uint8_t buf[SKM_PERSON_ENCODED_BYTES], struct skm_person *ret_person)
{
	SKM_CLEANUP(skm_person_clear) struct skm_person person = {0};
	struct reader reader = {.at = buf};
	get_person(&reader, &person);
	size_t len = (size_t)(reader.at - buf);
	if (reader.is_bad || !is_zero(reader.at, SKM_PERSON_ENCODED_BYTES - len))
		return -EBADMSG;
	*ret_person = person;
	return 0;
}

void skm_person_clear(struct skm_person *person)
{
	explicit_bzero(person, sizeof(*person));
}

/* ---- state ---- */

void skm_person_state_encode(
	const struct skm_person_state *state, uint8_t ret_buf[SKM_PERSON_STATE_ENCODED_BYTES])
{
	memset(ret_buf, 0, SKM_PERSON_STATE_ENCODED_BYTES);
	struct writer writer = {.at = ret_buf};
	put(&writer, STATE_VERSION, 1);
	put(&writer, state->generation, 8);
	put(&writer, state->revision, 8);
	for (size_t i = 0; i < SKM_TOKENS_MAX; i++) {
		put(&writer, state->tokens[i].id, 1);
		put(&writer, state->tokens[i].last, 8);
		put(&writer, (uint32_t)state->tokens[i].drift_steps, 4);
	}
	for (size_t i = 0; i < SKM_WAY_COUNT_; i++) {
		put(&writer, state->throttles[i].failures, 4);
		put_bytes(&writer, state->throttles[i].boot_id, sizeof(state->throttles[i].boot_id));
		put(&writer, state->throttles[i].boottime_usec, 8);
		put(&writer, (uint64_t)state->throttles[i].realtime_sec, 8);
	}
	put(&writer, state->recovery_series, 4);
	put(&writer, state->recovery_used, 4);
	put(&writer, state->substitute_series_used, 4);
	put(&writer, (uint64_t)state->latest_sec, 8);
}

static void get_token_state(struct reader *reader, struct skm_token_state *ret_token)
{
	ret_token->id = (uint8_t)get(reader, 1);
	ret_token->last = get(reader, 8);
	ret_token->drift_steps = (int32_t)(uint32_t)get(reader, 4);
	int32_t drift = ret_token->drift_steps;
	demand(reader, drift >= -DRIFT_STEPS_LIMIT && drift <= DRIFT_STEPS_LIMIT);
	demand(reader, ret_token->id != 0 || (ret_token->last == 0 && drift == 0));
}

static void get_state(struct reader *reader, struct skm_person_state *ret_state)
{
	demand(reader, get(reader, 1) == STATE_VERSION);
	ret_state->generation = get(reader, 8);
	ret_state->revision = get(reader, 8);
	for (size_t i = 0; i < SKM_TOKENS_MAX; i++) {
		get_token_state(reader, &ret_state->tokens[i]);
		for (size_t j = 0; j < i; j++)
			demand(reader, ret_state->tokens[i].id == 0 ||
					       ret_state->tokens[i].id != ret_state->tokens[j].id);
	}
	for (size_t i = 0; i < SKM_WAY_COUNT_; i++) {
		ret_state->throttles[i].failures = (uint32_t)get(reader, 4);
		get_bytes(reader, ret_state->throttles[i].boot_id, sizeof(ret_state->throttles[i].boot_id));
		ret_state->throttles[i].boottime_usec = get(reader, 8);
		ret_state->throttles[i].realtime_sec = (int64_t)get(reader, 8);
	}
	ret_state->recovery_series = (uint32_t)get(reader, 4);
	ret_state->recovery_used = (uint32_t)get(reader, 4);
	demand(reader, (ret_state->recovery_used & ~RECOVERY_ALL_USED) == 0);
	ret_state->substitute_series_used = (uint32_t)get(reader, 4);
	ret_state->latest_sec = (int64_t)get(reader, 8);
}

int skm_person_state_decode(
	const uint8_t buf[SKM_PERSON_STATE_ENCODED_BYTES], struct skm_person_state *ret_state)
{
	struct skm_person_state state = {0};
	struct reader reader = {.at = buf};
	get_state(&reader, &state);
	size_t len = (size_t)(reader.at - buf);
	if (reader.is_bad || !is_zero(reader.at, SKM_PERSON_STATE_ENCODED_BYTES - len))
		return -EBADMSG;
	*ret_state = state;
	return 0;
}

/* ---- state beside person ---- */

static struct skm_token_state token_state_of(
	const struct skm_token *token, const struct skm_person_state *state)
{
	for (size_t i = 0; i < SKM_TOKENS_MAX; i++)
		if (state->tokens[i].id == token->id)
			return state->tokens[i];
	bool is_counter = token->parameters.type == SKM_OTP_HOTP;
	return (struct skm_token_state){.id = token->id, .last = is_counter ? token->first_counter : 0};
}

void skm_person_state_follow(const struct skm_person *person, struct skm_person_state *state)
{
	struct skm_token_state tokens[SKM_TOKENS_MAX] = {0};
	for (size_t i = 0; i < person->token_count && i < SKM_TOKENS_MAX; i++)
		tokens[i] = token_state_of(&person->tokens[i], state);
	memcpy(state->tokens, tokens, sizeof(tokens));
	/* Only a greater series is a new one. A smaller one was used up: its marks are gone with it. */
	if (person->recovery_series > state->recovery_series)
		state->recovery_used = 0;
	else if (person->recovery_series < state->recovery_series)
		state->recovery_used = RECOVERY_ALL_USED;
	state->recovery_series = person->recovery_series;
	state->generation = person->generation;
}

/* A clock that stands before the enrolment was set back: the enrolment is the later time that is known. */
static int64_t later_of_now_and(const struct skm_timestamp *now, int64_t enrolled_sec)
{
	int64_t now_sec = now->realtime_usec / (int64_t)SKM_USEC_PER_SEC;
	return now_sec > enrolled_sec ? now_sec : enrolled_sec;
}

static struct skm_token_state strictest_token(const struct skm_token *token, const struct skm_timestamp *now)
{
	uint64_t last = UINT64_MAX;
	if (token->parameters.type == SKM_OTP_TOTP && token->parameters.period_sec > 0) {
		int64_t time_sec = later_of_now_and(now, token->enrolled_sec);
		last = (time_sec > 0 ? (uint64_t)time_sec / token->parameters.period_sec : 0) + REACH_STEPS;
	}
	return (struct skm_token_state){.id = token->id, .last = last};
}

void skm_person_state_strictest(const struct skm_person *person, const struct skm_timestamp *now,
	const uint8_t boot_id[16], uint32_t free_tries, struct skm_person_state *ret_state)
{
	struct skm_person_state state = {
		.generation = person->generation,
		.recovery_series = person->recovery_series,
		.recovery_used = RECOVERY_ALL_USED,
		.substitute_series_used = person->substitute_series,
		.latest_sec = later_of_now_and(now, 0),
	};
	for (size_t i = 0; i < person->token_count && i < SKM_TOKENS_MAX; i++) {
		state.tokens[i] = strictest_token(&person->tokens[i], now);
		int64_t later = later_of_now_and(now, person->tokens[i].enrolled_sec);
		if (later > state.latest_sec)
			state.latest_sec = later;
	}
	for (size_t i = 0; i < SKM_WAY_COUNT_; i++) {
		state.throttles[i].failures = free_tries;
		memcpy(state.throttles[i].boot_id, boot_id, sizeof(state.throttles[i].boot_id));
		state.throttles[i].boottime_usec = now->boottime_usec;
		state.throttles[i].realtime_sec = now->realtime_usec / (int64_t)SKM_USEC_PER_SEC;
	}
	*ret_state = state;
}
