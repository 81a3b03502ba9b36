// SPDX-License-Identifier: Apache-2.0
/* What may be seen of a second factor: everything but secrets and codes. One JSON object a person, so that
 * the command passes it on with --json, and every field is made in one place. Times are RFC 3339 like those
 * of the records. */
#include <inttypes.h>
#include <stdio.h>

#include "administration.h"
#include "recovery.h"
#include "sekimori/json.h"

#define TEXT_BYTES 7680 /* a packet holds it; eight tokens of the longest labels need half */

static void write_time(
	struct skm_json *json, const struct skm_inquiry *inquiry, const char *key, int64_t time_sec)
{
	struct skm_timestamp time = {.utc_offset_sec = inquiry->now.utc_offset_sec};
	char text[SKM_RFC3339_BYTES];
	/* Beyond any calendar: a counter that was rebuilt, not a time. */
	if (time_sec <= 0 || time_sec > INT64_C(253402300799)) {
		skm_json_null(json, key);
		return;
	}
	time.realtime_usec = time_sec * (int64_t)SKM_USEC_PER_SEC;
	skm_timestamp_format(&time, text);
	skm_json_string(json, key, text);
}

static const struct skm_token_state *state_of(const struct skm_person_state *state, uint8_t id)
{
	for (size_t i = 0; i < SKM_TOKENS_MAX; i++) {
		if (state->tokens[i].id == id)
			return &state->tokens[i];
	}
	return NULL;
}

static int64_t last_used_sec(const struct skm_subject *subject, const struct skm_token *token)
{
	const struct skm_token_state *state = state_of(&subject->state, token->id);
	if (!state || token->parameters.type != SKM_OTP_TOTP || token->parameters.period_sec == 0)
		return 0;
	uint64_t steps_max = (uint64_t)INT64_MAX / token->parameters.period_sec;
	return state->last < steps_max ? (int64_t)(state->last * token->parameters.period_sec) : 0;
}

static void write_token(struct skm_json *json, const struct skm_inquiry *inquiry,
	const struct skm_subject *subject, const struct skm_token *token)
{
	skm_json_object_begin(json, NULL);
	skm_json_uint(json, "id", token->id);
	skm_json_string(json, "label", token->label);
	skm_json_string(json, "type", skm_otp_type_to_string(token->parameters.type));
	skm_json_string(json, "algorithm", skm_otp_algorithm_to_string(token->parameters.algorithm));
	skm_json_uint(json, "digits", token->parameters.digits);
	skm_json_uint(json, "period", token->parameters.period_sec);
	write_time(json, inquiry, "enrolled", token->enrolled_sec);
	write_time(json, inquiry, "last_used", last_used_sec(subject, token));
	skm_json_object_end(json);
}

static void write_throttles(
	struct skm_json *json, const struct skm_inquiry *inquiry, const struct skm_subject *subject)
{
	static const char *const ways[SKM_WAY_COUNT_] = {
		[SKM_WAY_SYSTEM] = "system", [SKM_WAY_SELF] = "self"};
	const struct skm_config *config = inquiry->authenticator->config;
	const struct skm_throttle_limits limits = {
		.free_tries = config->mfa.free_tries,
		.delay_sec = config->mfa.delay_sec,
		.delay_max_sec = config->mfa.delay_max_sec,
	};
	skm_json_object_begin(json, "failures");
	for (size_t i = 0; i < SKM_WAY_COUNT_; i++)
		skm_json_uint(json, ways[i], subject->state.throttles[i].failures);
	skm_json_object_end(json);
	skm_json_object_begin(json, "locked_sec");
	for (size_t i = 0; i < SKM_WAY_COUNT_; i++)
		skm_json_uint(json, ways[i],
			skm_throttle_wait_sec(
				&subject->state.throttles[i], &limits, &inquiry->now, inquiry->boot_id));
	skm_json_object_end(json);
}

/* 0 when there is none that could still be used. */
static int64_t substitute_until_sec(const struct skm_inquiry *inquiry, const struct skm_subject *subject)
{
	const struct skm_person *person = &subject->person;
	int64_t now_sec = skm_inquiry_now_sec(inquiry);
	if (now_sec < subject->state.latest_sec)
		now_sec = subject->state.latest_sec;
	bool is_open = person->substitute_series > subject->state.substitute_series_used;
	return is_open && now_sec < person->substitute_until_sec ? person->substitute_until_sec : 0;
}

static void write_person(struct skm_json *json, struct skm_inquiry *inquiry,
	const struct skm_subject *subject, const char *name)
{
	const struct skm_person *person = &subject->person;
	bool is_enrolled = subject->load != SKM_STORE_ABSENT;
	int64_t grace_until_sec = 0;
	bool is_required = skm_inquiry_is_required(inquiry, name, is_enrolled, &grace_until_sec);
	skm_json_object_begin(json, NULL);
	skm_json_string(json, "user", name);
	skm_json_uint(json, "uid", subject->uid);
	skm_json_bool(json, "enrolled", is_enrolled);
	skm_json_string(json, "state", skm_subject_state_word(subject));
	skm_json_bool(json, "required", is_required);
	write_time(json, inquiry, "grace_until", grace_until_sec);
	skm_json_array_begin(json, "tokens");
	for (size_t i = 0; i < person->token_count; i++)
		write_token(json, inquiry, subject, &person->tokens[i]);
	skm_json_array_end(json);
	skm_json_uint(json, "recovery_left", skm_recovery_left(person, &subject->state));
	write_time(json, inquiry, "substitute_until", substitute_until_sec(inquiry, subject));
	write_throttles(json, inquiry, subject);
	skm_json_object_end(json);
}

static int send_person(struct skm_inquiry *inquiry, const struct skm_subject *subject, const char *name,
	enum skm_auth_outcome outcome)
{
	char text[TEXT_BYTES];
	struct skm_json json;
	skm_json_init(&json, text, sizeof(text));
	write_person(&json, inquiry, subject, name);
	if (json.has_overflowed)
		return -ENOBUFS;
	return skm_reply_text(inquiry, outcome, text, 0);
}

int skm_status(struct skm_inquiry *inquiry, struct skm_subject *subject)
{
	return send_person(inquiry, subject, inquiry->name, SKM_AUTH_OK);
}

/* ---- LIST ---- */

struct uid_list {
	uint32_t *uids;
	size_t count, room;
};

static void uid_list_clear(struct uid_list *list)
{
	free(list->uids);
}

static int add_uid(void *user, uint32_t uid)
{
	struct uid_list *list = user;
	if (list->count == list->room) {
		size_t room = list->room > 0 ? list->room * 2 : 64;
		uint32_t *grown = reallocarray(list->uids, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->uids = grown;
		list->room = room;
	}
	list->uids[list->count++] = uid;
	return 0;
}

static int compare_uids(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;
	return (*left > *right) - (*left < *right);
}

static int send_listed(struct skm_inquiry *inquiry, uint32_t uid)
{
	const struct skm_users *users = &inquiry->authenticator->users;
	SKM_CLEANUP(skm_subject_clear) struct skm_subject subject = {.uid = uid};
	if (users->name_of(users->user, uid, inquiry->name, sizeof(inquiry->name)) != 0)
		(void)snprintf(inquiry->name, sizeof(inquiry->name), "uid:%" PRIu32, uid);
	skm_subject_load(inquiry, &subject);
	/* Removed since the list was made. */
	if (subject.load == SKM_STORE_ABSENT)
		return 0;
	return send_person(inquiry, &subject, inquiry->name, SKM_AUTH_MORE);
}

int skm_list(struct skm_inquiry *inquiry)
{
	SKM_CLEANUP(uid_list_clear) struct uid_list list = {0};
	int r = skm_store_each(inquiry->authenticator->store, add_uid, &list);
	if (r < 0)
		return skm_inquiry_reply(inquiry, SKM_AUTH_UNAVAILABLE);
	if (list.count > 0)
		qsort(list.uids, list.count, sizeof(*list.uids), compare_uids);
	for (size_t i = 0; i < list.count; i++) {
		r = send_listed(inquiry, list.uids[i]);
		if (r < 0)
			return r;
	}
	return skm_inquiry_reply(inquiry, SKM_AUTH_OK);
}
