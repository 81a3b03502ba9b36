// SPDX-License-Identifier: Apache-2.0
/* Enrolment from the first question to the last, and tokens with a given secret. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fake_people.h"
#include "otp_code.h"
#include "ticket.h"

static struct people people;

static void make(void)
{
	people_make(&people);
}

static void finish(void)
{
	people_remove(&people);
}

TestSuite(enrolment, .init = make, .fini = finish);

static enum skm_auth_outcome ask(enum people_uid by, enum skm_auth_operation operation, const char *user)
{
	return people_ask(&people, people_peer(by), operation,
		&(struct people_request){.user = user, .reason = "reason"});
}

struct begun {
	uint8_t ticket[SKM_TICKET_BYTES];
	size_t ticket_len;
	struct skm_otpauth otpauth;
};

static void begin(enum people_uid by, const struct people_request *request, struct begun *ret_begun)
{
	cr_assert_eq(people_ask(&people, people_peer(by), SKM_AUTH_ENROL_BEGIN, request), SKM_AUTH_OK);
	ret_begun->ticket_len = people.answer.field_len[SKM_AUTH_TAG_TICKET];
	cr_assert_eq(ret_begun->ticket_len, sizeof(ret_begun->ticket));
	memcpy(ret_begun->ticket, people.answer.field[SKM_AUTH_TAG_TICKET], sizeof(ret_begun->ticket));
	cr_assert_eq(skm_otpauth_parse(people_text(&people), &ret_begun->otpauth), 0);
}

static const char *code_of(const struct begun *begun, int64_t offset_sec, char ret_code[16])
{
	const struct skm_otpauth *otpauth = &begun->otpauth;
	int64_t time = people.now.realtime_usec / (int64_t)SKM_USEC_PER_SEC + offset_sec;
	(void)snprintf(ret_code, 16, "%0*u", otpauth->parameters.digits,
		skm_otp_code(otpauth->parameters.algorithm, otpauth->secret, otpauth->secret_len,
			otpauth->parameters.type == SKM_OTP_TOTP
				? skm_otp_step(time, otpauth->parameters.period_sec)
				: otpauth->counter,
			otpauth->parameters.digits));
	return ret_code;
}

static enum skm_auth_outcome end(
	enum people_uid by, const char *user, const struct begun *begun, const char *answer, uint64_t flags)
{
	return people_ask(&people, people_peer(by), SKM_AUTH_ENROL_FINISH,
		&(struct people_request){.user = user,
			.ticket = begun->ticket,
			.ticket_len = begun->ticket_len,
			.answer = answer,
			.flags = flags});
}

Test(enrolment, a_person_enrols_and_logs_in)
{
	struct begun begun;
	char code[16], codes[SKM_AUTH_PACKET_MAX];
	(void)snprintf(people.config->terminal.number, sizeof(people.config->terminal.number), "税務:07");
	begin(ALICE, &(struct people_request){.user = "alice", .label = "電話"}, &begun);
	cr_assert_str_eq(begun.otpauth.account, "alice@税務-07");
	cr_assert_str_eq(begun.otpauth.issuer, "Sekimori");
	cr_assert_eq(begun.otpauth.parameters.algorithm, SKM_OTP_SHA256);
	cr_assert_eq(begun.otpauth.parameters.digits, 6);
	cr_assert_eq(begun.otpauth.parameters.period_sec, 30);
	cr_assert_eq(begun.otpauth.secret_len, 32);
	cr_assert_eq(people.record_count, 0, "nothing has changed yet");
	code_of(&begun, 0, code);
	people_restart(&people);
	cr_assert_eq(end(ALICE, "alice", &begun, code, 0), SKM_AUTH_OK);
	(void)snprintf(codes, sizeof(codes), "%s", people_text(&people));
	const struct skm_record *record = people_only(&people, SKM_EVENT_MFA_ENROLLED);
	cr_assert_not_null(record);
	cr_assert_str_eq(record->auth.token, "電話");
	people_expect_untold(&people, code);
	unsigned lines = 1;
	for (const char *c = codes; *c; c++)
		lines += *c == '\n';
	cr_assert_eq(lines, SKM_RECOVERY_CODES);
	cr_assert_eq(people_verify(&people, "alice", code), SKM_AUTH_REPLAYED, "the code has confirmed");
	people_advance(&people, 30);
	cr_assert_eq(people_verify(&people, "alice", code_of(&begun, 0, code)), SKM_AUTH_OK);
	*strchr(codes, '\n') = '\0';
	cr_assert_eq(people_verify(&people, "alice", codes), SKM_AUTH_OK);
}

Test(enrolment, a_ticket_works_once)
{
	struct begun begun;
	char code[16];
	begin(ALICE, &(struct people_request){.user = "alice"}, &begun);
	cr_assert_eq(end(ALICE, "alice", &begun, code_of(&begun, 0, code), 0), SKM_AUTH_OK);
	people_advance(&people, 30);
	cr_assert_eq(end(ALICE, "alice", &begun, code_of(&begun, 0, code), 0), SKM_AUTH_CONFLICT);
	cr_assert_eq(end(ERIN, "alice", &begun, code_of(&begun, 0, code), 0), SKM_AUTH_CONFLICT);
}

Test(enrolment, a_ticket_is_for_one_person_one_caller_one_boot_and_a_quarter_of_an_hour)
{
	struct begun begun;
	char code[16];
	begin(ERIN, &(struct people_request){.user = "alice"}, &begun);
	code_of(&begun, 0, code);
	cr_assert_eq(end(ERIN, "bob", &begun, code, 0), SKM_AUTH_CONFLICT);
	cr_assert_eq(end(ALICE, "alice", &begun, code, 0), SKM_AUTH_CONFLICT);
	people.authenticator.boot_id[0] ^= 1;
	cr_assert_eq(end(ERIN, "alice", &begun, code, 0), SKM_AUTH_CONFLICT);
	people.authenticator.boot_id[0] ^= 1;
	begun.ticket[sizeof(begun.ticket) - 1] ^= 1;
	cr_assert_eq(end(ERIN, "alice", &begun, code, 0), SKM_AUTH_CONFLICT);
	begun.ticket[sizeof(begun.ticket) - 1] ^= 1;
	people.now.boottime_usec += 900 * SKM_USEC_PER_SEC;
	cr_assert_eq(end(ERIN, "alice", &begun, code, 0), SKM_AUTH_CONFLICT);
	people.now.boottime_usec -= SKM_USEC_PER_SEC;
	cr_assert_eq(end(ERIN, "alice", &begun, code, 0), SKM_AUTH_OK);
}

Test(enrolment, a_wrong_code_is_explained_and_stores_nothing)
{
	struct begun begun;
	char code[16];
	begin(ALICE, &(struct people_request){.user = "alice"}, &begun);
	cr_assert_eq(end(ALICE, "alice", &begun, code_of(&begun, 600, code), 0), SKM_AUTH_WRONG);
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_DIAGNOSIS), SKM_AUTH_DIAGNOSIS_CLOCK);
	cr_assert_eq((int64_t)people_number(&people, SKM_AUTH_TAG_OFFSET_SEC), 600);
	cr_assert_eq(end(ALICE, "alice", &begun, code_of(&begun, -600, code), 0), SKM_AUTH_WRONG);
	cr_assert_eq((int64_t)people_number(&people, SKM_AUTH_TAG_OFFSET_SEC), -600);
	begun.otpauth.parameters.algorithm = SKM_OTP_SHA1;
	cr_assert_eq(end(ALICE, "alice", &begun, code_of(&begun, 0, code), 0), SKM_AUTH_WRONG);
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_DIAGNOSIS), SKM_AUTH_DIAGNOSIS_SHA1);
	cr_assert_eq(end(ALICE, "alice", &begun, NULL, 0), SKM_AUTH_BAD_REQUEST);
	cr_assert_eq(people_verify(&people, "alice", "123456"), SKM_AUTH_UNENROLLED);
	begun.otpauth.parameters.algorithm = SKM_OTP_SHA256;
	cr_assert_eq(end(ALICE, "alice", &begun, code_of(&begun, 0, code), 0), SKM_AUTH_OK);
}

Test(enrolment, only_an_administrator_stores_without_a_code)
{
	struct begun begun;
	begin(ALICE, &(struct people_request){.user = "alice"}, &begun);
	cr_assert_eq(end(ALICE, "alice", &begun, NULL, SKM_AUTH_FLAG_NO_CONFIRM), SKM_AUTH_DENIED);
	begin(ERIN, &(struct people_request){.user = "alice"}, &begun);
	cr_assert_eq(end(ERIN, "alice", &begun, NULL, SKM_AUTH_FLAG_NO_CONFIRM), SKM_AUTH_OK);
	char code[16];
	cr_assert_eq(people_verify(&people, "alice", code_of(&begun, 0, code)), SKM_AUTH_OK);
}

Test(enrolment, a_further_token_needs_a_code_of_the_first)
{
	struct begun begun;
	char code[16];
	struct people_request request = {.user = "alice", .label = "second"};
	people_enrol(&people, "alice");
	cr_assert_eq(
		people_ask(&people, people_peer(ALICE), SKM_AUTH_ENROL_BEGIN, &request), SKM_AUTH_PROMPT);
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_DIGITS), 6);
	for (unsigned i = 0; i < 5; i++) {
		request.answer = people_wrong_code(&people, code);
		cr_assert_eq(people_ask(&people, people_peer(ALICE), SKM_AUTH_ENROL_BEGIN, &request),
			SKM_AUTH_WRONG);
	}
	request.answer = people_code(&people, 0, code);
	cr_assert_eq(people_ask(&people, people_peer(ALICE), SKM_AUTH_ENROL_BEGIN, &request), SKM_AUTH_LOCKED,
		"guesses are counted here as well");
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_TRIES), 5);
	cr_assert_eq(people_count(&people, SKM_EVENT_AUTH_FAIL), 5);
	people_advance(&people, 900);
	request.answer = people_code(&people, 0, code);
	begin(ALICE, &request, &begun);
	cr_assert_eq(end(ALICE, "alice", &begun, code_of(&begun, 0, code), 0), SKM_AUTH_OK);
	cr_assert_not(people_text(&people)[0] == '\0', "an imported token brought no recovery codes");
	people_advance(&people, 30);
	cr_assert_eq(people_verify(&people, "alice", code_of(&begun, 0, code)), SKM_AUTH_OK);
	cr_assert_str_eq(people.records[people.record_count - 1].auth.token, "second");
	cr_assert_eq(people_verify(&people, "alice", people_code(&people, 0, code)), SKM_AUTH_OK);
	begin(ERIN, &(struct people_request){.user = "alice"}, &begun);
	cr_assert_eq(end(ERIN, "alice", &begun, code_of(&begun, 0, code), 0), SKM_AUTH_OK);
	cr_assert_str_empty(people_text(&people), "the codes that she has stay good");
}

Test(enrolment, the_configuration_decides_about_enrolment)
{
	people.config->mfa.self_enrol = false;
	cr_assert_eq(ask(ALICE, SKM_AUTH_ENROL_BEGIN, "alice"), SKM_AUTH_REFUSED);
	cr_assert_eq(ask(ERIN, SKM_AUTH_ENROL_BEGIN, "alice"), SKM_AUTH_OK);
	people.config->mfa.self_enrol = true;
	struct people_request request = {.user = "alice", .algorithm = SKM_OTP_SHA1 + 1};
	cr_assert_eq(
		people_ask(&people, people_peer(ALICE), SKM_AUTH_ENROL_BEGIN, &request), SKM_AUTH_REFUSED);
	request.secret = "12345678901234567890";
	request.secret_len = 20;
	cr_assert_eq(people_ask(&people, people_peer(ERIN), SKM_AUTH_IMPORT, &request), SKM_AUTH_REFUSED);
	people.config->mfa.algorithms |= 1u << SKM_OTP_SHA1;
	cr_assert_eq(people_ask(&people, people_peer(ERIN), SKM_AUTH_IMPORT, &request), SKM_AUTH_OK);
}

Test(enrolment, parameters_out_of_range_are_a_bad_request)
{
	static const struct people_request bad[] = {
		{.user = "alice", .digits = 7},
		{.user = "alice", .digits = 256 + 6},
		{.user = "alice", .period = 15},
		{.user = "alice", .period = 256 + 30},
		{.user = "alice", .algorithm = SKM_OTP_ALGORITHM_COUNT_ + 1},
		{.user = "alice", .algorithm = (UINT64_C(1) << 32) + 1},
		{.user = "alice", .type = SKM_OTP_TYPE_COUNT_ + 1},
		{.user = "alice", .type = SKM_OTP_HOTP + 1, .period = 30},
		{.user = "alice", .label = "two\nlines"},
		{.user = "alice",
			.label = "0123456789012345678901234567890123456789012345678901234567890123x"},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(bad); i++)
		cr_expect_eq(people_ask(&people, people_peer(ALICE), SKM_AUTH_ENROL_BEGIN, &bad[i]),
			SKM_AUTH_BAD_REQUEST, "%zu", i);
	for (size_t len = 0; len <= 70; len++) {
		char secret[70] = {1};
		struct people_request request = {.user = "alice", .secret = secret, .secret_len = len};
		bool is_allowed = len >= SKM_OTP_SECRET_BYTES_MIN && len <= SKM_OTP_SECRET_BYTES_MAX;
		(void)ask(ROOT, SKM_AUTH_DISABLE, "alice");
		cr_expect_eq(people_ask(&people, people_peer(ERIN), SKM_AUTH_IMPORT, &request),
			is_allowed ? SKM_AUTH_OK : SKM_AUTH_BAD_REQUEST, "%zu", len);
	}
}

Test(enrolment, a_counter_token_begins_where_it_was_imported)
{
	char code[16];
	struct people_request request = {.user = "alice",
		.type = SKM_OTP_HOTP + 1,
		.counter = 1000,
		.secret = PEOPLE_SECRET,
		.secret_len = 32};
	cr_assert_eq(people_ask(&people, people_peer(ERIN), SKM_AUTH_IMPORT, &request), SKM_AUTH_OK);
	(void)snprintf(code, sizeof(code), "%06u",
		skm_otp_code(SKM_OTP_SHA256, (const uint8_t *)PEOPLE_SECRET, 32, 999, 6));
	cr_assert_eq(people_verify(&people, "alice", code), SKM_AUTH_WRONG);
	(void)snprintf(code, sizeof(code), "%06u",
		skm_otp_code(SKM_OTP_SHA256, (const uint8_t *)PEOPLE_SECRET, 32, 1000, 6));
	cr_assert_eq(people_verify(&people, "alice", code), SKM_AUTH_OK);
}

Test(enrolment, a_counter_tokens_confirming_code_is_used_up)
{
	struct begun begun;
	char code[16];
	begin(ALICE, &(struct people_request){.user = "alice", .type = SKM_OTP_HOTP + 1}, &begun);
	code_of(&begun, 0, code);
	cr_assert_eq(end(ALICE, "alice", &begun, code, 0), SKM_AUTH_OK);
	cr_assert_neq(people_verify(&people, "alice", code), SKM_AUTH_OK);
	begun.otpauth.counter = 1;
	cr_assert_eq(people_verify(&people, "alice", code_of(&begun, 0, code)), SKM_AUTH_OK);
}

Test(enrolment, eight_tokens_are_the_most)
{
	for (unsigned i = 0; i < SKM_TOKENS_MAX; i++)
		people_enrol(&people, "alice");
	cr_assert_eq(ask(ERIN, SKM_AUTH_ENROL_BEGIN, "alice"), SKM_AUTH_CONFLICT);
	cr_assert_eq(
		people_ask(&people, people_peer(ERIN), SKM_AUTH_IMPORT,
			&(struct people_request){.user = "alice", .secret = PEOPLE_SECRET, .secret_len = 32}),
		SKM_AUTH_CONFLICT);
}

Test(enrolment, without_a_machine_key_nobody_enrols)
{
	people.authenticator.key = NULL;
	people_restart(&people);
	cr_assert_eq(ask(ALICE, SKM_AUTH_ENROL_BEGIN, "alice"), SKM_AUTH_WRONG_KEY);
	cr_assert_eq(ask(ERIN, SKM_AUTH_ENROL_FINISH, "alice"), SKM_AUTH_WRONG_KEY);
}
