// SPDX-License-Identifier: Apache-2.0
/* PREPARE, and what is no request at all. Whatever is wrong, a person is asked for a code. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fake_people.h"

static struct people people;

static void make(void)
{
	people_make(&people);
	/* The first question makes the decoy's files. */
	(void)people_ask(&people, people_peer(ROOT), SKM_AUTH_PREPARE, &(struct people_request){0});
	people_forget(&people);
}

static void finish(void)
{
	people_remove(&people);
}

TestSuite(authenticator, .init = make, .fini = finish);

static enum skm_auth_outcome prepare(struct skm_peer peer, const char *user)
{
	return people_ask(
		&people, peer, SKM_AUTH_PREPARE, &(struct people_request){.user = user, .service = "login"});
}

static void expect_prompt(struct skm_peer peer, const char *user, uint64_t digits)
{
	cr_assert_eq(prepare(peer, user), SKM_AUTH_PROMPT, "%s", user);
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_DIGITS), digits);
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_LANGUAGE), SKM_LANGUAGE_JA);
	cr_assert_eq(people.record_count, 0, "nobody has tried anything yet");
	cr_assert_eq(people_faults.calls[PEOPLE_SYNC], 0);
}

static void import(const char *user, uint64_t digits)
{
	cr_assert_eq(people_ask(&people, people_peer(ROOT), SKM_AUTH_IMPORT,
			     &(struct people_request){.user = user,
				     .digits = digits,
				     .secret = PEOPLE_SECRET,
				     .secret_len = strlen(PEOPLE_SECRET)}),
		SKM_AUTH_OK);
	people_forget(&people);
}

Test(authenticator, everybody_is_asked_for_a_code)
{
	import("alice", 6);
	expect_prompt(people_peer(ROOT), "alice", 6);
	expect_prompt(people_peer(ALICE), "alice", 6);
	expect_prompt(people_peer(ROOT), "bob", 6);
}

Test(authenticator, the_prompt_names_the_digits_of_the_tokens)
{
	import("alice", 8);
	expect_prompt(people_peer(ROOT), "alice", 8);
	import("alice", 8);
	expect_prompt(people_peer(ROOT), "alice", 8);
	import("alice", 6);
	expect_prompt(people_peer(ROOT), "alice", 6);
}

Test(authenticator, the_prompt_tells_strangers_nothing)
{
	import("alice", 8);
	people.config->mfa.require = SKM_MFA_REQUIRE_ENROLLED;
	expect_prompt(people_peer(BOB), "alice", 6);
	expect_prompt(people_peer(BOB), "carol", 6);
	expect_prompt(people_peer(BOB), "nobody", 6);
}

Test(authenticator, the_prompt_follows_the_configured_language)
{
	people.config->terminal.language = SKM_LANGUAGE_EN;
	cr_assert_eq(prepare(people_peer(ROOT), "bob"), SKM_AUTH_PROMPT);
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_LANGUAGE), SKM_LANGUAGE_EN);
}

Test(authenticator, whoever_does_not_exist_is_asked_like_the_others)
{
	people.config->mfa.require = SKM_MFA_REQUIRE_ENROLLED;
	expect_prompt(people_peer(ROOT), "nobody", 6);
	expect_prompt(people_peer(ROOT), "a\nb", 6);
	expect_prompt(people_peer(ROOT), NULL, 6);
	people.lookup_error = -EIO;
	expect_prompt(people_peer(ROOT), "bob", 6);
}

Test(authenticator, a_damaged_record_is_asked_for_whatever_the_policy_says)
{
	char path[200];
	import("alice", 6);
	people.config->mfa.require = SKM_MFA_REQUIRE_ENROLLED;
	(void)snprintf(path, sizeof(path), "%s/1000.person", people.state_folder);
	cr_assert_eq(truncate(path, 0), 0);
	expect_prompt(people_peer(ROOT), "alice", 6);
}

Test(authenticator, a_deleted_record_is_no_way_in)
{
	char path[200];
	import("alice", 6);
	(void)snprintf(path, sizeof(path), "%s/1000.person", people.state_folder);
	cr_assert_eq(unlink(path), 0);
	expect_prompt(people_peer(ROOT), "alice", 6);
	cr_assert_neq(people_verify(&people, "alice", "123456"), SKM_AUTH_OK);
	cr_assert_neq(people.answer.code, SKM_AUTH_NOT_REQUIRED);
}

Test(authenticator, who_is_not_required_passes_on_record)
{
	people.config->mfa.require = SKM_MFA_REQUIRE_ENROLLED;
	cr_assert_eq(prepare(people_peer(ROOT), "bob"), SKM_AUTH_NOT_REQUIRED);
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_UNTIL), 0);
	const struct skm_record *record = people_only(&people, SKM_EVENT_AUTH_OK);
	cr_assert_not_null(record);
	cr_assert_str_eq(record->rule, "builtin:mfa-not_required");
	cr_assert_str_eq(record->auth.factor, "");
	cr_assert_eq(people.flushed, 1);
}

/* No password was seen yet: the plain line asks again when it was right. */
Test(authenticator, the_split_line_puts_nobody_on_record_as_let_in)
{
	const struct people_request early = {
		.user = "bob", .service = "i3lock", .flags = SKM_AUTH_FLAG_SPLIT};
	people.config->mfa.require = SKM_MFA_REQUIRE_ENROLLED;
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(people_ask(&people, people_peer(ROOT), SKM_AUTH_PREPARE, &early),
			SKM_AUTH_NOT_REQUIRED);
	cr_assert_eq(people.record_count, 0);
	cr_assert_eq(prepare(people_peer(ROOT), "bob"), SKM_AUTH_NOT_REQUIRED);
	cr_assert_not_null(people_only(&people, SKM_EVENT_AUTH_OK));
	people_forget(&people);
	cr_assert_eq(people_ask(&people, people_peer(ROOT), SKM_AUTH_VERIFY, &early), SKM_AUTH_NOT_REQUIRED);
	cr_assert_not_null(people_only(&people, SKM_EVENT_AUTH_OK));
}

/* ---- the grace ---- */

Test(authenticator, the_grace_lets_pass_and_names_its_end)
{
	people.config->mfa.grace_until_sec = PEOPLE_NOW_SEC + 3600;
	cr_assert_eq(prepare(people_peer(ROOT), "bob"), SKM_AUTH_NOT_REQUIRED);
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_UNTIL), PEOPLE_NOW_SEC + 3600);
	cr_assert_eq(people_verify(&people, "bob", "123456"), SKM_AUTH_NOT_REQUIRED);
	cr_assert_eq(prepare(people_peer(ROOT), "nobody"), SKM_AUTH_PROMPT);
	people_advance(&people, 3600);
	cr_assert_eq(prepare(people_peer(ROOT), "bob"), SKM_AUTH_PROMPT);
	cr_assert_eq(people_verify(&people, "bob", "123456"), SKM_AUTH_UNENROLLED);
}

Test(authenticator, a_clock_set_back_does_not_bring_the_grace_back)
{
	char code[16];
	people.config->mfa.grace_until_sec = PEOPLE_NOW_SEC + 3600;
	import("alice", 6);
	people_advance(&people, 7200);
	cr_assert_eq(people_verify(&people, "alice", people_code(&people, 0, code)), SKM_AUTH_OK);
	people.now.realtime_usec = PEOPLE_NOW_SEC * (int64_t)SKM_USEC_PER_SEC;
	people_restart(&people);
	cr_assert_eq(prepare(people_peer(ROOT), "bob"), SKM_AUTH_PROMPT);
	cr_assert_eq(people_verify(&people, "bob", "123456"), SKM_AUTH_UNENROLLED);
}

Test(authenticator, a_login_during_the_grace_moves_what_is_known_of_the_time)
{
	char code[16];
	people.config->mfa.grace_until_sec = PEOPLE_NOW_SEC + 3600;
	import("alice", 6);
	cr_assert_eq(prepare(people_peer(ROOT), "bob"), SKM_AUTH_NOT_REQUIRED);
	people_advance(&people, 7200);
	cr_assert_eq(people_verify(&people, "alice", people_code(&people, 0, code)), SKM_AUTH_OK);
	people.now.realtime_usec = PEOPLE_NOW_SEC * (int64_t)SKM_USEC_PER_SEC;
	cr_assert_eq(prepare(people_peer(ROOT), "bob"), SKM_AUTH_PROMPT);
}

/* ---- a lost state ---- */

/* Whoever comes first mends it for good, so nobody after them can tell. */
static void expect_lost_state_on_record(
	struct skm_peer peer, enum skm_auth_operation operation, const char *user)
{
	char path[200], code[16];
	(void)snprintf(path, sizeof(path), "%s/1000.state", people.state_folder);
	cr_assert_eq(truncate(path, 0), 0);
	people_restart(&people);
	people_forget(&people);
	(void)people_ask(&people, peer, operation, &(struct people_request){.user = user});
	(void)people_verify(&people, "alice", people_code(&people, 0, code));
	const struct skm_record *record = people_only(&people, SKM_EVENT_AUTH_DEGRADED);
	cr_assert_not_null(record, "%u: %zu", operation, people_count(&people, SKM_EVENT_AUTH_DEGRADED));
	cr_assert_str_eq(record->rule, "builtin:mfa-state-rebuilt");
	cr_assert_str_eq(record->auth.subject, "alice");
	cr_assert_eq(record->auth.subject_uid, ALICE);
}

Test(authenticator, a_lost_state_is_on_record_whoever_finds_it)
{
	import("alice", 6);
	expect_lost_state_on_record(people_peer(ROOT), SKM_AUTH_VERIFY, "alice");
	expect_lost_state_on_record(people_peer(ROOT), SKM_AUTH_PREPARE, "alice");
	expect_lost_state_on_record(people_peer(CAROL), SKM_AUTH_STATUS, "alice");
	expect_lost_state_on_record(people_peer(CAROL), SKM_AUTH_LIST, NULL);
	people.config->mfa.grace_until_sec = PEOPLE_NOW_SEC + 3600;
	expect_lost_state_on_record(people_peer(ROOT), SKM_AUTH_PREPARE, "bob");
}

/* ---- no request ---- */

Test(authenticator, an_operation_that_does_not_exist_is_a_bad_request)
{
	for (unsigned operation = 0; operation < 256; operation++) {
		bool exists = operation == SKM_AUTH_PREPARE || operation == SKM_AUTH_VERIFY ||
			      (operation >= SKM_AUTH_ENROL_BEGIN && operation <= SKM_AUTH_POLICY);
		enum skm_auth_outcome outcome =
			people_ask(&people, people_peer(ROOT), (enum skm_auth_operation)operation,
				&(struct people_request){.user = "alice", .answer = "123456"});
		if (!exists)
			cr_assert_eq(outcome, SKM_AUTH_BAD_REQUEST, "%u", operation);
	}
}

static int refuse_to_send(void *user, const struct skm_auth_writer *packet)
{
	(void)user;
	(void)packet;
	return -EPIPE;
}

Test(authenticator, a_caller_who_has_gone_is_handed_up)
{
	struct skm_auth_writer writer;
	struct skm_auth_packet packet;
	struct skm_peer peer = people_peer(ROOT);
	skm_auth_write_begin(&writer, SKM_AUTH_LIST);
	cr_assert_eq(skm_auth_packet_parse(writer.buf, writer.len, &packet), 0);
	import("alice", 6);
	cr_assert_eq(skm_authenticator_answer(&people.authenticator, &peer, &packet, refuse_to_send, NULL),
		-EPIPE);
}
