// SPDX-License-Identifier: Apache-2.0
/* New tokens. A token is stored only after a code of it was seen (rivals store first: an app that ignores
 * SHA-256 then locks its owner out at the next login), unless an administrator says otherwise.
 *
 * A further token needs a code of what the person already has, or malware in the session would add its own.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "administration.h"
#include "sekimori/io.h"
#include "ticket.h"

#define DIGITS_DEFAULT 6
#define PERIOD_DEFAULT_SEC 30

static void clear_token(struct skm_token *token)
{
	explicit_bzero(token, sizeof(*token));
}

static void clear_ticket(struct skm_ticket *ticket)
{
	explicit_bzero(ticket, sizeof(*ticket));
}

/* OK, BAD_REQUEST or REFUSED. */
static enum skm_auth_outcome read_parameters(const struct skm_inquiry *inquiry, struct skm_token *ret_token)
{
	const struct skm_auth_packet *request = inquiry->request;
	uint64_t type = skm_auth_packet_number(request, SKM_AUTH_TAG_TYPE, SKM_OTP_TOTP);
	uint64_t algorithm = skm_auth_packet_number(request, SKM_AUTH_TAG_ALGORITHM, SKM_OTP_SHA256);
	uint64_t digits = skm_auth_packet_number(request, SKM_AUTH_TAG_DIGITS, DIGITS_DEFAULT);
	uint64_t period = skm_auth_packet_number(
		request, SKM_AUTH_TAG_PERIOD, type == SKM_OTP_TOTP ? PERIOD_DEFAULT_SEC : 0);
	char label[SKM_OTP_LABEL_BYTES];
	int r = skm_auth_packet_text(request, SKM_AUTH_TAG_LABEL, label, sizeof(label));
	if (type >= SKM_OTP_TYPE_COUNT_ || algorithm >= SKM_OTP_ALGORITHM_COUNT_ || digits > UINT8_MAX ||
		period > UINT8_MAX || (r != 0 && r != -ENOENT))
		return SKM_AUTH_BAD_REQUEST;
	struct skm_otp_parameters parameters = {
		.type = (enum skm_otp_type)type,
		.algorithm = (enum skm_otp_algorithm)algorithm,
		.digits = (uint8_t)digits,
		.period_sec = (uint8_t)period,
	};
	if (r == -ENOENT)
		label[0] = '\0';
	if (skm_otp_parameters_check(&parameters) != 0 || !skm_text_is_printable(label))
		return SKM_AUTH_BAD_REQUEST;
	if (!(inquiry->authenticator->config->mfa.algorithms & 1u << algorithm))
		return SKM_AUTH_REFUSED;
	ret_token->parameters = parameters;
	memcpy(ret_token->label, label, strlen(label) + 1);
	ret_token->first_counter =
		type == SKM_OTP_HOTP ? skm_auth_packet_number(request, SKM_AUTH_TAG_COUNTER, 0) : 0;
	return SKM_AUTH_OK;
}

/* May this peer add a token to this record, as far as the record goes? */
static enum skm_auth_outcome check_record(
	const struct skm_inquiry *inquiry, const struct skm_subject *subject)
{
	if (subject->load != 0 && subject->load != SKM_STORE_ABSENT)
		return skm_subject_outcome(subject);
	if (!inquiry->authenticator->key)
		return SKM_AUTH_WRONG_KEY;
	if (subject->load == SKM_STORE_ABSENT && !inquiry->peer->is_admin &&
		!inquiry->authenticator->config->mfa.self_enrol)
		return SKM_AUTH_REFUSED;
	/* An id is never used again, so that records about "token 3" mean one token. */
	if (subject->person.token_count >= SKM_TOKENS_MAX || subject->person.last_token_id == UINT8_MAX)
		return SKM_AUTH_CONFLICT;
	return SKM_AUTH_OK;
}

/* As much as fits, whole characters. A colon divides issuer and account in a URI; the configuration may name
 * the terminal as it likes. */
static void copy_name(char *ret_name, size_t size, const char *text)
{
	size_t len = strlen(text);
	if (len >= size)
		len = size - 1;
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	for (size_t i = 0; i < len; i++) {
		bool is_allowed = (unsigned char)text[i] >= ' ' && text[i] != ':' && text[i] != 0x7f;
		ret_name[i] = text[i];
		if (!is_allowed)
			ret_name[i] = '-';
	}
	ret_name[len] = '\0';
}

/* A person has one secret a terminal: the app must show which is which. */
static int format_uri(
	const struct skm_inquiry *inquiry, const struct skm_token *token, char ret_uri[SKM_OTPAUTH_BYTES])
{
	const struct skm_config *config = inquiry->authenticator->config;
	struct skm_otpauth otpauth = {.parameters = token->parameters, .secret_len = token->secret_len};
	char account[SKM_PERSON_NAME_BYTES + sizeof(config->terminal.number) + 1];
	(void)snprintf(account, sizeof(account), "%s%s%s", inquiry->name,
		config->terminal.number[0] ? "@" : "", config->terminal.number);
	copy_name(otpauth.account, sizeof(otpauth.account), account);
	copy_name(otpauth.issuer, sizeof(otpauth.issuer), config->mfa.issuer);
	memcpy(otpauth.secret, token->secret, sizeof(otpauth.secret));
	otpauth.counter = token->first_counter;
	int r = skm_otpauth_format(&otpauth, ret_uri, SKM_OTPAUTH_BYTES);
	explicit_bzero(&otpauth, sizeof(otpauth));
	return r;
}

static int reply_ticket(const struct skm_inquiry *inquiry, const struct skm_ticket *ticket)
{
	uint8_t box[SKM_TICKET_BYTES];
	char uri[SKM_OTPAUTH_BYTES];
	struct skm_auth_writer writer;
	if (format_uri(inquiry, &ticket->token, uri) != 0)
		return skm_inquiry_reply(inquiry, SKM_AUTH_UNAVAILABLE);
	skm_ticket_seal(inquiry->authenticator->key, ticket, box);
	skm_auth_write_begin(&writer, SKM_AUTH_OK);
	skm_auth_write_bytes(&writer, SKM_AUTH_TAG_TICKET, box, sizeof(box));
	skm_auth_write_text(&writer, SKM_AUTH_TAG_TEXT, uri);
	explicit_bzero(uri, sizeof(uri));
	return skm_inquiry_send(inquiry, &writer);
}

int skm_enrol_begin(struct skm_inquiry *inquiry, struct skm_subject *subject)
{
	SKM_CLEANUP(clear_ticket)
	struct skm_ticket ticket = {
		.uid = subject->uid,
		.peer_uid = inquiry->peer->uid,
		.boottime_usec = inquiry->now.boottime_usec,
	};
	struct skm_token *token = &ticket.token;
	int r = 0;
	enum skm_auth_outcome outcome = check_record(inquiry, subject);
	if (outcome == SKM_AUTH_OK)
		outcome = read_parameters(inquiry, token);
	if (outcome != SKM_AUTH_OK)
		return skm_inquiry_reply(inquiry, outcome);
	if (subject->load == 0 && !skm_act_is_proved(inquiry, subject, &r))
		return r;
	token->secret_len = (uint8_t)skm_otp_secret_bytes(token->parameters.algorithm);
	/* At most 256 bytes are given whole and without interruption, getrandom(2). */
	if (getrandom(token->secret, token->secret_len, 0) != token->secret_len)
		return skm_inquiry_reply(inquiry, SKM_AUTH_UNAVAILABLE);
	ticket.generation = subject->person.generation;
	memcpy(ticket.boot_id, inquiry->boot_id, sizeof(ticket.boot_id));
	/* Of a code that was shown; an enrolment that is only begun changes nothing. */
	(void)!skm_inquiry_flush(inquiry);
	return reply_ticket(inquiry, &ticket);
}

/* ---- storing ---- */

/* The login name that belongs to the uid, not one of its spellings. */
static void name_person(const struct skm_inquiry *inquiry, struct skm_person *person)
{
	const struct skm_users *users = &inquiry->authenticator->users;
	if (users->name_of(users->user, person->uid, person->name, sizeof(person->name)) != 0)
		memcpy(person->name, inquiry->name, sizeof(person->name));
}

/* A code that confirmed the enrolment is used: it must not log anybody in. */
static void use_up_code(
	const struct skm_inquiry *inquiry, const struct skm_token *token, struct skm_person_state *state)
{
	const struct skm_auth_packet *request = inquiry->request;
	const struct skm_config *config = inquiry->authenticator->config;
	struct skm_person alone = {.token_count = 1, .tokens[0] = *token};
	struct skm_person_state its = {0};
	struct skm_answer answer;
	int index = -1;
	if (!request->field[SKM_AUTH_TAG_ANSWER])
		return;
	skm_person_state_follow(&alone, &its);
	skm_answer_parse((const char *)request->field[SKM_AUTH_TAG_ANSWER],
		request->field_len[SKM_AUTH_TAG_ANSWER], &answer);
	(void)skm_verify_code(&alone, &its, &answer,
		&(struct skm_verify_limits){
			.window_steps = config->mfa.window_steps,
			.drift_max_steps = config->mfa.drift_max_steps,
			.look_ahead = config->mfa.look_ahead,
			.algorithms = config->mfa.algorithms,
		},
		skm_inquiry_now_sec(inquiry), &index);
	skm_person_clear(&alone);
	explicit_bzero(&answer, sizeof(answer));
	for (size_t i = 0; index >= 0 && i < SKM_TOKENS_MAX; i++) {
		for (size_t j = 0; j < SKM_TOKENS_MAX; j++) {
			if (state->tokens[i].id == token->id && its.tokens[j].id == token->id)
				state->tokens[i] = its.tokens[j];
		}
	}
}

/* Adds the token and, with `codes`, the first recovery codes. Answers. */
static int store_token(
	struct skm_inquiry *inquiry, struct skm_subject *subject, struct skm_token *token, bool wants_codes)
{
	struct skm_person *person = &subject->person;
	char codes[SKM_RECOVERY_LIST_BYTES] = "";
	bool is_first = subject->load == SKM_STORE_ABSENT;
	if (is_first) {
		person->uid = subject->uid;
		name_person(inquiry, person);
		memcpy(person->machine, inquiry->authenticator->machine, sizeof(person->machine));
	}
	token->id = ++person->last_token_id;
	token->enrolled_sec = skm_inquiry_now_sec(inquiry);
	person->tokens[person->token_count++] = *token;
	memcpy(inquiry->facts.token, token->label, sizeof(inquiry->facts.token));
	skm_person_state_follow(person, &subject->state);
	use_up_code(inquiry, token, &subject->state);
	if (wants_codes && person->recovery_series == 0 && skm_recovery_issue(person, codes) != 0)
		return skm_inquiry_reply(inquiry, SKM_AUTH_UNAVAILABLE);
	enum skm_auth_outcome outcome = SKM_AUTH_UNAVAILABLE;
	if (skm_act_begin(inquiry, SKM_EVENT_MFA_ENROLLED, "token %u is added (%s, %s, %u digits)%s",
		    token->id, skm_otp_type_to_string(token->parameters.type),
		    skm_otp_algorithm_to_string(token->parameters.algorithm), token->parameters.digits,
		    codes[0] ? ", with recovery codes" : ""))
		outcome = skm_act_end(inquiry,
			skm_store_save_person(inquiry->authenticator->store, person, &subject->state));
	int r = skm_reply_text(inquiry, outcome, outcome == SKM_AUTH_OK ? codes : NULL, 0);
	explicit_bzero(codes, sizeof(codes));
	return r;
}

static int reply_diagnosis(
	const struct skm_inquiry *inquiry, enum skm_auth_diagnosis diagnosis, int64_t offset_sec)
{
	struct skm_auth_writer writer;
	skm_auth_write_begin(&writer, SKM_AUTH_WRONG);
	skm_auth_write_number(&writer, SKM_AUTH_TAG_DIAGNOSIS, diagnosis);
	skm_auth_write_number(&writer, SKM_AUTH_TAG_OFFSET_SEC, (uint64_t)offset_sec);
	return skm_inquiry_send(inquiry, &writer);
}

/* Whoever asks knows the secret already, so guesses are worth nothing and are not counted. */
static bool is_confirmed(const struct skm_inquiry *inquiry, const struct skm_token *token, int *ret_result)
{
	const struct skm_auth_packet *request = inquiry->request;
	const struct skm_config *config = inquiry->authenticator->config;
	const struct skm_verify_limits limits = {
		.window_steps = config->mfa.window_steps,
		.drift_max_steps = config->mfa.drift_max_steps,
		.look_ahead = config->mfa.look_ahead,
		.algorithms = config->mfa.algorithms,
	};
	bool is_right = false;
	int64_t offset_sec = 0;
	if (!request->field[SKM_AUTH_TAG_ANSWER]) {
		*ret_result = skm_inquiry_reply(inquiry, SKM_AUTH_BAD_REQUEST);
		return false;
	}
	enum skm_auth_diagnosis diagnosis = skm_verify_diagnose(token,
		(const char *)request->field[SKM_AUTH_TAG_ANSWER], request->field_len[SKM_AUTH_TAG_ANSWER],
		&limits, skm_inquiry_now_sec(inquiry), &is_right, &offset_sec);
	if (!is_right)
		*ret_result = reply_diagnosis(inquiry, diagnosis, offset_sec);
	return is_right;
}

/* OK, WRONG_KEY, or CONFLICT: not ours, too old, of another caller, or overtaken by another change. */
static enum skm_auth_outcome open_ticket(
	const struct skm_inquiry *inquiry, const struct skm_subject *subject, struct skm_ticket *ret_ticket)
{
	const struct skm_auth_packet *request = inquiry->request;
	if (!request->field[SKM_AUTH_TAG_TICKET])
		return SKM_AUTH_BAD_REQUEST;
	int r = skm_ticket_open(inquiry->authenticator->key, request->field[SKM_AUTH_TAG_TICKET],
		request->field_len[SKM_AUTH_TAG_TICKET], ret_ticket);
	if (r != 0)
		return r == SKM_SEAL_WRONG_KEY ? SKM_AUTH_WRONG_KEY : SKM_AUTH_CONFLICT;
	if (ret_ticket->uid != subject->uid || ret_ticket->peer_uid != inquiry->peer->uid ||
		ret_ticket->generation != subject->person.generation ||
		!skm_ticket_is_fresh(ret_ticket, &inquiry->now, inquiry->boot_id))
		return SKM_AUTH_CONFLICT;
	/* The configuration may have changed since. */
	if (!(inquiry->authenticator->config->mfa.algorithms & 1u << ret_ticket->token.parameters.algorithm))
		return SKM_AUTH_REFUSED;
	return SKM_AUTH_OK;
}

int skm_enrol_finish(struct skm_inquiry *inquiry, struct skm_subject *subject)
{
	SKM_CLEANUP(clear_ticket) struct skm_ticket ticket = {0};
	bool no_confirm =
		skm_auth_packet_number(inquiry->request, SKM_AUTH_TAG_FLAGS, 0) & SKM_AUTH_FLAG_NO_CONFIRM;
	int r = 0;
	if (no_confirm && !inquiry->peer->is_admin)
		return skm_inquiry_deny(inquiry, "enrolment without a code");
	enum skm_auth_outcome outcome = check_record(inquiry, subject);
	if (outcome == SKM_AUTH_OK)
		outcome = open_ticket(inquiry, subject, &ticket);
	if (outcome != SKM_AUTH_OK)
		return skm_inquiry_reply(inquiry, outcome);
	if (!no_confirm && !is_confirmed(inquiry, &ticket.token, &r))
		return r;
	return store_token(inquiry, subject, &ticket.token, true);
}

int skm_token_import(struct skm_inquiry *inquiry, struct skm_subject *subject)
{
	SKM_CLEANUP(clear_token) struct skm_token token = {0};
	const struct skm_auth_packet *request = inquiry->request;
	size_t len = request->field_len[SKM_AUTH_TAG_SECRET];
	enum skm_auth_outcome outcome = check_record(inquiry, subject);
	if (outcome == SKM_AUTH_OK)
		outcome = read_parameters(inquiry, &token);
	if (outcome == SKM_AUTH_OK &&
		(!request->field[SKM_AUTH_TAG_SECRET] || len < SKM_OTP_SECRET_BYTES_MIN ||
			len > SKM_OTP_SECRET_BYTES_MAX))
		outcome = SKM_AUTH_BAD_REQUEST;
	if (outcome != SKM_AUTH_OK)
		return skm_inquiry_reply(inquiry, outcome);
	int r = 0;
	if (subject->load == 0 && !skm_act_is_proved(inquiry, subject, &r))
		return r;
	memcpy(token.secret, request->field[SKM_AUTH_TAG_SECRET], len);
	token.secret_len = (uint8_t)len;
	/* Tokens are imported by the hundred; codes that nobody prints help nobody. */
	return store_token(inquiry, subject, &token, false);
}
