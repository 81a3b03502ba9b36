// SPDX-License-Identifier: Apache-2.0
/* Who may do what for whom, what is on record of it. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fake_people.h"

static struct people people;

static void make(void)
{
	people_make(&people);
}

static void finish(void)
{
	people_remove(&people);
}

TestSuite(administration, .init = make, .fini = finish);

static enum skm_auth_outcome ask(enum people_uid by, enum skm_auth_operation operation, const char *user)
{
	return people_ask(&people, people_peer(by), operation,
		&(struct people_request){.user = user, .reason = "reason"});
}

/* ---- rights ---- */

struct right {
	enum skm_auth_operation operation;
	/* root, alice, bob, carol (helpdesk), dave (auditor), erin (admin) about alice: who is not denied */
	bool may[6];
};

Test(administration, everybody_may_what_the_table_says_about_alice)
{
	static const struct right rights[] = {
		{SKM_AUTH_ENROL_BEGIN, {1, 1, 0, 0, 0, 1}},
		{SKM_AUTH_ENROL_FINISH, {1, 1, 0, 0, 0, 1}},
		{SKM_AUTH_STATUS, {1, 1, 0, 1, 1, 1}},
		{SKM_AUTH_LIST, {1, 0, 0, 1, 1, 1}},
		{SKM_AUTH_DISABLE, {1, 0, 0, 0, 0, 1}},
		{SKM_AUTH_UNLOCK, {1, 0, 0, 1, 0, 1}},
		{SKM_AUTH_RECOVERY, {1, 1, 0, 0, 0, 1}},
		{SKM_AUTH_RESYNC, {1, 1, 0, 0, 0, 1}},
		{SKM_AUTH_IMPORT, {1, 0, 0, 0, 0, 1}},
		{SKM_AUTH_SUBSTITUTE, {1, 0, 0, 1, 0, 1}},
		{SKM_AUTH_SWITCH, {1, 0, 0, 0, 0, 0}},
		{SKM_AUTH_POLICY, {1, 0, 0, 0, 0, 0}},
	};
	static const enum people_uid callers[] = {ROOT, ALICE, BOB, CAROL, DAVE, ERIN};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(rights); i++) {
		for (size_t j = 0; j < SKM_ARRAY_SIZE(callers); j++) {
			people_enrol(&people, "alice");
			enum skm_auth_outcome outcome = ask(callers[j], rights[i].operation, "alice");
			cr_expect_eq(outcome != SKM_AUTH_DENIED, rights[i].may[j],
				"operation %d by %u: outcome %d", rights[i].operation, callers[j], outcome);
			if (outcome == SKM_AUTH_DENIED) {
				const struct skm_record *record = people_only(&people, SKM_EVENT_AUTH_DENIED);
				cr_assert_not_null(record);
				cr_assert_eq(record->caller_uid, callers[j]);
				cr_assert_eq(people.flushed, people.record_count);
			}
			(void)ask(ROOT, SKM_AUTH_DISABLE, "alice");
		}
	}
}

Test(administration, without_a_role_nobody_learns_who_exists)
{
	people_enrol(&people, "alice");
	for (unsigned operation = SKM_AUTH_ENROL_BEGIN; operation <= SKM_AUTH_POLICY; operation++) {
		if (operation == SKM_AUTH_LIST)
			continue;
		cr_assert_eq(ask(BOB, (enum skm_auth_operation)operation, "alice"), SKM_AUTH_DENIED);
		cr_assert_eq(ask(BOB, (enum skm_auth_operation)operation, "nobody"), SKM_AUTH_DENIED);
	}
	cr_assert_eq(ask(ERIN, SKM_AUTH_STATUS, "nobody"), SKM_AUTH_WRONG);
}

Test(administration, nobody_helps_themselves)
{
	static const enum skm_auth_operation operations[] = {SKM_AUTH_SUBSTITUTE, SKM_AUTH_UNLOCK};
	static const struct people_request for_carol = {.user = "carol", .reason = "me"};
	people_enrol(&people, "carol");
	people_enrol(&people, "erin");
	people_enrol(&people, "root");
	for (size_t i = 0; i < SKM_ARRAY_SIZE(operations); i++) {
		cr_expect_eq(ask(CAROL, operations[i], "carol"), SKM_AUTH_DENIED);
		cr_expect_eq(ask(ERIN, operations[i], "erin"), SKM_AUTH_DENIED);
		cr_expect_eq(ask(ROOT, operations[i], "root"), SKM_AUTH_DENIED);
		cr_expect_eq(people_ask(&people, people_sudo(CAROL), operations[i], &for_carol),
			SKM_AUTH_DENIED, "root by sudo is the person who logged in");
		cr_expect_eq(people_ask(&people, people_sudo(ALICE), operations[i], &for_carol), SKM_AUTH_OK);
		cr_expect_eq(people_ask(&people, people_peer(ROOT), operations[i], &for_carol), SKM_AUTH_OK,
			"root at the console");
		cr_expect_eq(ask(CAROL, operations[i], "erin"), SKM_AUTH_OK);
	}
}

Test(administration, a_reason_is_asked_for_and_kept)
{
	static const enum skm_auth_operation operations[] = {
		SKM_AUTH_SUBSTITUTE, SKM_AUTH_UNLOCK, SKM_AUTH_DISABLE};
	char long_reason[257];
	memset(long_reason, 'r', sizeof(long_reason) - 1);
	long_reason[sizeof(long_reason) - 1] = '\0';
	const char *const bad[] = {NULL, "two\nlines", "\xff\xfe", "escape\x1b[2J", "\xc2\x9b", long_reason};
	people_enrol(&people, "alice");
	for (size_t i = 0; i < SKM_ARRAY_SIZE(operations); i++) {
		for (size_t j = 0; j < SKM_ARRAY_SIZE(bad); j++)
			cr_expect_eq(people_ask(&people, people_peer(ERIN), operations[i],
					     &(struct people_request){.user = "alice", .reason = bad[j]}),
				SKM_AUTH_BAD_REQUEST, "%zu %zu", i, j);
		people_forget(&people);
		long_reason[255] = '\0';
		cr_expect_eq(people_ask(&people, people_peer(ERIN), operations[i],
				     &(struct people_request){.user = "alice", .reason = long_reason}),
			SKM_AUTH_OK);
		long_reason[255] = 'r';
		cr_expect_eq(strlen(people.records[0].auth.reason), 255);
	}
}

/* What runs in the session of an administrator has the role, and may have the password. */
Test(administration, an_administrators_own_factor_takes_a_code_like_anybodys)
{
	char code[16], path[200];
	struct people_request request = {
		.user = "erin", .label = "mine", .secret = PEOPLE_SECRET, .secret_len = 32};
	static const enum skm_auth_operation operations[] = {
		SKM_AUTH_ENROL_BEGIN, SKM_AUTH_IMPORT, SKM_AUTH_RECOVERY, SKM_AUTH_DISABLE};
	cr_expect_eq(people_ask(&people, people_peer(ERIN), SKM_AUTH_IMPORT, &request), SKM_AUTH_OK,
		"there is nothing to protect yet");
	for (size_t i = 0; i < SKM_ARRAY_SIZE(operations); i++) {
		request.answer = NULL;
		cr_expect_eq(people_ask(&people, people_peer(ERIN), operations[i], &request), SKM_AUTH_PROMPT,
			"%zu", i);
		request.answer = people_wrong_code(&people, code);
		cr_expect_eq(people_ask(&people, people_peer(ERIN), operations[i], &request), SKM_AUTH_WRONG,
			"%zu", i);
		request.answer = people_code(&people, 0, code);
		cr_expect_eq(people_ask(&people, people_peer(ERIN), operations[i], &request), SKM_AUTH_OK,
			"%zu", i);
		people_advance(&people, 60);
	}
	people_enrol(&people, "erin");
	request.answer = NULL;
	cr_expect_eq(people_ask(&people, people_sudo(ERIN), SKM_AUTH_IMPORT, &request), SKM_AUTH_OK,
		"sudo has asked for a code");
	(void)snprintf(path, sizeof(path), "%s/1004.person", people.state_folder);
	cr_assert_eq(truncate(path, 3), 0);
	cr_expect_eq(people_ask(&people, people_peer(ERIN), SKM_AUTH_DISABLE, &request), SKM_AUTH_DENIED,
		"damage is no code");
	cr_expect_eq(people_ask(&people, people_peer(ROOT), SKM_AUTH_DISABLE,
			     &(struct people_request){.user = "erin", .reason = "damaged"}),
		SKM_AUTH_OK);
}

Test(administration, who_for_whom_and_why_is_on_record)
{
	people_enrol(&people, "alice");
	cr_assert_eq(people_ask(&people, people_sudo(BOB), SKM_AUTH_SUBSTITUTE,
			     &(struct people_request){.user = "alice", .reason = "電話を忘れた"}),
		SKM_AUTH_OK);
	const struct skm_record *record = people_only(&people, SKM_EVENT_SUBSTITUTE_ISSUED);
	cr_assert_not_null(record);
	cr_assert_eq(record->caller_uid, ROOT);
	cr_assert_eq(record->caller_pid, 4242);
	cr_assert_str_eq(record->login_user, "bob");
	cr_assert_str_eq(record->auth.subject, "alice");
	cr_assert_eq(record->auth.subject_uid, ALICE);
	cr_assert_str_eq(record->auth.reason, "電話を忘れた");
	people_expect_untold(&people, people_text(&people));
}

/* ---- the record comes first ---- */

Test(administration, what_cannot_be_recorded_is_not_done)
{
	char before[SKM_AUTH_PACKET_MAX], code[16];
	static const enum skm_auth_operation operations[] = {
		SKM_AUTH_DISABLE, SKM_AUTH_UNLOCK, SKM_AUTH_RECOVERY, SKM_AUTH_SUBSTITUTE, SKM_AUTH_IMPORT};
	people_enrol(&people, "alice");
	cr_assert_eq(people_verify(&people, "alice", people_wrong_code(&people, code)), SKM_AUTH_WRONG);
	cr_assert_eq(ask(ERIN, SKM_AUTH_STATUS, "alice"), SKM_AUTH_OK);
	(void)snprintf(before, sizeof(before), "%s", people_text(&people));
	for (size_t i = 0; i < SKM_ARRAY_SIZE(operations); i++) {
		people.flush_error = -ENOSPC;
		cr_expect_eq(people_ask(&people, people_peer(ERIN), operations[i],
				     &(struct people_request){.user = "alice",
					     .reason = "reason",
					     .secret = PEOPLE_SECRET,
					     .secret_len = 32}),
			SKM_AUTH_UNAVAILABLE, "%zu", i);
		cr_expect_str_empty(people_text(&people));
		people.flush_error = 0;
		cr_expect_eq(ask(ERIN, SKM_AUTH_STATUS, "alice"), SKM_AUTH_OK);
		cr_expect_str_eq(people_text(&people), before, "%zu", i);
	}
}

Test(administration, a_change_that_fails_is_on_record_as_failed)
{
	people_enrol(&people, "alice");
	people_faults.everywhere_error = EIO;
	cr_assert_eq(ask(ERIN, SKM_AUTH_RECOVERY, "alice"), SKM_AUTH_UNAVAILABLE);
	cr_assert_str_empty(people_text(&people));
	cr_assert_eq(people.record_count, 2);
	cr_assert_eq(people.records[0].event, SKM_EVENT_MFA_RECOVERY);
	cr_assert_eq(people.records[1].event, SKM_EVENT_AUTH_ERROR);
	cr_assert_eq(people.flushed, 2);
}

/* ---- DISABLE, UNLOCK, RECOVERY, RESYNC, SUBSTITUTE ---- */

static enum skm_auth_outcome disable_token(uint64_t id)
{
	return people_ask(&people, people_peer(ERIN), SKM_AUTH_DISABLE,
		&(struct people_request){.user = "alice", .reason = "lost", .token = id});
}

Test(administration, tokens_go_one_by_one_and_the_last_with_the_record)
{
	char path[200];
	people_enrol(&people, "alice");
	people_enrol(&people, "alice");
	cr_assert_eq(disable_token(3), SKM_AUTH_CONFLICT);
	cr_assert_eq(disable_token(257), SKM_AUTH_CONFLICT);
	cr_assert_eq(disable_token(1), SKM_AUTH_OK);
	cr_assert_str_eq(people.records[0].auth.token, "phone");
	cr_assert_eq(disable_token(1), SKM_AUTH_CONFLICT);
	people_enrol(&people, "alice");
	cr_assert_eq(ask(ERIN, SKM_AUTH_STATUS, "alice"), SKM_AUTH_OK);
	cr_assert_not_null(strstr(people_text(&people), "\"id\":3"), "ids are not used again");
	cr_assert_eq(disable_token(2), SKM_AUTH_OK);
	cr_assert_eq(disable_token(3), SKM_AUTH_OK);
	(void)snprintf(path, sizeof(path), "%s/1000.person", people.state_folder);
	cr_assert_neq(access(path, F_OK), 0);
	cr_assert_eq(disable_token(0), SKM_AUTH_UNENROLLED);
}

Test(administration, a_damaged_record_can_be_removed)
{
	char path[200];
	people_enrol(&people, "alice");
	(void)snprintf(path, sizeof(path), "%s/1000.person", people.state_folder);
	cr_assert_eq(truncate(path, 3), 0);
	cr_assert_eq(disable_token(1), SKM_AUTH_DAMAGED);
	cr_assert_eq(ask(ERIN, SKM_AUTH_RECOVERY, "alice"), SKM_AUTH_DAMAGED);
	cr_assert_eq(disable_token(0), SKM_AUTH_OK);
	people_enrol(&people, "alice");
}

Test(administration, the_record_of_an_account_that_is_gone_can_be_removed)
{
	char from[200], to[200];
	people_enrol(&people, "alice");
	(void)snprintf(from, sizeof(from), "%s/1000.person", people.state_folder);
	(void)snprintf(to, sizeof(to), "%s/2000.person", people.state_folder);
	cr_assert_eq(rename(from, to), 0);
	cr_assert_eq(ask(DAVE, SKM_AUTH_LIST, NULL), SKM_AUTH_OK);
	cr_assert_not_null(strstr(people.listed, "\"user\":\"uid:2000\",\"uid\":2000,"));
	cr_assert_eq(ask(ERIN, SKM_AUTH_STATUS, "uid:2000"), SKM_AUTH_WRONG);
	cr_assert_eq(ask(BOB, SKM_AUTH_DISABLE, "uid:2000"), SKM_AUTH_DENIED);
	cr_assert_eq(ask(ERIN, SKM_AUTH_DISABLE, "uid:4294967295"), SKM_AUTH_WRONG);
	cr_assert_eq(ask(ERIN, SKM_AUTH_DISABLE, "uid:2000"), SKM_AUTH_OK);
	cr_assert_neq(access(to, F_OK), 0);
}

Test(administration, unlocking_clears_both_ways)
{
	char code[16];
	people_enrol(&people, "alice");
	for (unsigned i = 0; i < 5; i++) {
		people_wrong_code(&people, code);
		cr_assert_eq(people_verify(&people, "alice", code), SKM_AUTH_WRONG);
		cr_assert_eq(people_ask(&people, people_peer(ALICE), SKM_AUTH_VERIFY,
				     &(struct people_request){.user = "alice", .answer = code}),
			SKM_AUTH_WRONG);
	}
	people_code(&people, 0, code);
	cr_assert_eq(people_verify(&people, "alice", code), SKM_AUTH_LOCKED);
	cr_assert_eq(ask(CAROL, SKM_AUTH_UNLOCK, "alice"), SKM_AUTH_OK);
	cr_assert_not_null(people_only(&people, SKM_EVENT_MFA_UNLOCKED));
	people_restart(&people);
	cr_assert_eq(people_ask(&people, people_peer(ALICE), SKM_AUTH_VERIFY,
			     &(struct people_request){.user = "alice", .answer = code}),
		SKM_AUTH_OK);
	people_advance(&people, 30);
	cr_assert_eq(people_verify(&people, "alice", people_code(&people, 0, code)), SKM_AUTH_OK);
}

Test(administration, new_recovery_codes_end_the_old_ones)
{
	char first[SKM_AUTH_PACKET_MAX], code[16];
	people_enrol(&people, "alice");
	cr_assert_eq(ask(ERIN, SKM_AUTH_RECOVERY, "alice"), SKM_AUTH_OK);
	(void)snprintf(first, sizeof(first), "%s", people_text(&people));
	*strchr(first, '\n') = '\0';
	cr_assert_eq(ask(ALICE, SKM_AUTH_RECOVERY, "alice"), SKM_AUTH_PROMPT);
	struct people_request request = {.user = "alice", .answer = people_wrong_code(&people, code)};
	cr_assert_eq(people_ask(&people, people_peer(ALICE), SKM_AUTH_RECOVERY, &request), SKM_AUTH_WRONG);
	cr_assert_str_empty(people_text(&people));
	request.answer = people_code(&people, 0, code);
	cr_assert_eq(people_ask(&people, people_peer(ALICE), SKM_AUTH_RECOVERY, &request), SKM_AUTH_OK);
	cr_assert_eq(people_count(&people, SKM_EVENT_MFA_RECOVERY), 2);
	cr_assert_eq(people_verify(&people, "alice", first), SKM_AUTH_WRONG);
	cr_assert_eq(people_verify(&people, "alice", code), SKM_AUTH_REPLAYED, "the secret is the same");
	people_advance(&people, 30);
	cr_assert_eq(people_verify(&people, "alice", people_code(&people, 0, code)), SKM_AUTH_OK);
}

Test(administration, two_codes_bring_a_token_back_that_has_drifted)
{
	char first[16], second[16];
	people_enrol(&people, "alice");
	people_code(&people, 199, first);
	people_code(&people, 200, second);
	cr_assert_eq(people_verify(&people, "alice", second), SKM_AUTH_WRONG);
	struct people_request request = {.user = "alice", .answer = first};
	cr_assert_eq(
		people_ask(&people, people_peer(ALICE), SKM_AUTH_RESYNC, &request), SKM_AUTH_BAD_REQUEST);
	request.answer2 = first;
	cr_assert_eq(people_ask(&people, people_peer(ALICE), SKM_AUTH_RESYNC, &request), SKM_AUTH_WRONG);
	request.answer2 = "letters";
	cr_assert_eq(people_ask(&people, people_peer(ALICE), SKM_AUTH_RESYNC, &request), SKM_AUTH_NOT_A_CODE);
	request.answer2 = second;
	cr_assert_eq(people_ask(&people, people_peer(ALICE), SKM_AUTH_RESYNC, &request), SKM_AUTH_OK);
	const struct skm_record *record = people_only(&people, SKM_EVENT_MFA_RESYNCED);
	cr_assert_not_null(record);
	cr_assert_str_eq(record->auth.token, "phone");
	cr_assert_neq(people_verify(&people, "alice", second), SKM_AUTH_OK);
	cr_assert_eq(people_verify(&people, "alice", people_code(&people, 201, first)), SKM_AUTH_OK);
}

Test(administration, a_substitute_code_ends_with_its_last_day_and_works_once)
{
	char code[64];
	people_enrol(&people, "alice");
	struct people_request request = {.user = "alice", .reason = "forgot the phone", .days = 8};
	cr_assert_eq(
		people_ask(&people, people_peer(CAROL), SKM_AUTH_SUBSTITUTE, &request), SKM_AUTH_REFUSED);
	request.days = 7;
	cr_assert_eq(people_ask(&people, people_peer(CAROL), SKM_AUTH_SUBSTITUTE, &request), SKM_AUTH_OK);
	uint64_t until = people_number(&people, SKM_AUTH_TAG_UNTIL);
	request.days = 0; /* today */
	cr_assert_eq(people_ask(&people, people_peer(CAROL), SKM_AUTH_SUBSTITUTE, &request), SKM_AUTH_OK);
	cr_assert_eq(until - people_number(&people, SKM_AUTH_TAG_UNTIL), 6 * 86400);
	until = people_number(&people, SKM_AUTH_TAG_UNTIL);
	cr_assert_eq((until + 9 * 3600) % 86400, 0, "midnight, local");
	cr_assert_gt(until, PEOPLE_NOW_SEC);
	cr_assert_leq(until, PEOPLE_NOW_SEC + 86400);
	(void)snprintf(code, sizeof(code), "%s", people_text(&people));
	cr_assert_eq(people_verify(&people, "alice", code), SKM_AUTH_OK);
	cr_assert_eq(people_verify(&people, "alice", code), SKM_AUTH_REPLAYED);
	cr_assert_eq(people_ask(&people, people_peer(CAROL), SKM_AUTH_SUBSTITUTE, &request), SKM_AUTH_OK);
	(void)snprintf(code, sizeof(code), "%s", people_text(&people));
	people_advance(&people, (int64_t)until - PEOPLE_NOW_SEC);
	cr_assert_eq(people_verify(&people, "alice", code), SKM_AUTH_WRONG, "its day is over");
	cr_assert_eq(ask(CAROL, SKM_AUTH_SUBSTITUTE, "bob"), SKM_AUTH_UNENROLLED);
}

/* ---- SWITCH ---- */

#define PROFILES "sekimori, sekimori-split"

static enum skm_auth_outcome switch_login(struct skm_peer by, uint64_t flags, const char *text)
{
	return people_ask(&people, by, SKM_AUTH_SWITCH,
		&(struct people_request){
			.user = "erin", .reason = "since April", .text = text, .flags = flags});
}

Test(administration, the_switch_of_the_login_is_on_record_with_who_and_what)
{
	static const enum skm_event events[] = {SKM_EVENT_MFA_LOGIN_OFF, SKM_EVENT_MFA_LOGIN_ON};
	for (unsigned is_on = 0; is_on < 2; is_on++) {
		people_forget(&people);
		cr_assert_eq(switch_login(people_sudo(BOB), is_on ? SKM_AUTH_FLAG_LOGIN_ON : 0, PROFILES),
			SKM_AUTH_OK);
		const struct skm_record *record = people_only(&people, events[is_on]);
		cr_assert_not_null(record);
		cr_assert_eq(people.record_count, 1);
		cr_assert_eq(people.flushed, 1, "on disk before it is answered");
		cr_assert_eq(record->caller_uid, ROOT);
		cr_assert_eq(record->caller_pid, 4242);
		cr_assert_str_eq(record->login_user, "bob");
		cr_assert_str_eq(record->object, PROFILES);
		cr_assert_str_eq(record->auth.subject, "erin");
		cr_assert_eq(record->auth.subject_uid, ERIN);
		cr_assert_str_eq(record->auth.reason, "since April");
		cr_assert_eq(record->outcome, SKM_OUTCOME_LOGGED);
	}
	people_forget(&people);
	cr_assert_eq(people_ask(&people, people_peer(ROOT), SKM_AUTH_SWITCH,
			     &(struct people_request){.text = PROFILES}),
		SKM_AUTH_OK);
	cr_assert_eq(people.records[0].auth.subject_uid, -1, "back: nobody showed a code");
	cr_assert_str_empty(people.records[0].auth.subject);
}

Test(administration, a_switch_that_cannot_be_recorded_is_not_made_and_a_failed_one_says_so)
{
	people.flush_error = -ENOSPC;
	cr_expect_eq(switch_login(people_peer(ROOT), SKM_AUTH_FLAG_LOGIN_ON, PROFILES), SKM_AUTH_UNAVAILABLE);
	cr_expect_eq(switch_login(people_peer(ROOT), SKM_AUTH_FLAG_FAILED, PROFILES), SKM_AUTH_UNAVAILABLE);
	people.flush_error = 0;
	people_forget(&people);
	cr_expect_eq(switch_login(people_peer(ROOT), SKM_AUTH_FLAG_LOGIN_ON | SKM_AUTH_FLAG_FAILED, PROFILES),
		SKM_AUTH_OK);
	const struct skm_record *record = people_only(&people, SKM_EVENT_AUTH_ERROR);
	cr_assert_not_null(record);
	cr_expect_eq(people.record_count, 1);
	cr_expect_eq(record->outcome, SKM_OUTCOME_ERROR);
	cr_expect_str_eq(record->object, PROFILES);
}

Test(administration, nobody_but_root_writes_that_the_login_was_switched)
{
	static const char *const bad[] = {NULL, "two\nlines", "\xff", "\xc2\x9b"};
	char long_text[257];
	memset(long_text, 'p', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	cr_expect_eq(switch_login(people_peer(ERIN), 0, PROFILES), SKM_AUTH_DENIED, "an administrator");
	cr_expect_eq(switch_login(people_peer(ALICE), SKM_AUTH_FLAG_FAILED, PROFILES), SKM_AUTH_DENIED);
	cr_expect_eq(people_count(&people, SKM_EVENT_AUTH_DENIED), 2);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(bad); i++)
		cr_expect_eq(switch_login(people_peer(ROOT), 0, bad[i]), SKM_AUTH_BAD_REQUEST, "%zu", i);
	cr_expect_eq(switch_login(people_peer(ROOT), 0, long_text), SKM_AUTH_BAD_REQUEST);
	cr_expect_eq(people_count(&people, SKM_EVENT_MFA_LOGIN_OFF), 0);
}

Test(administration, who_changes_the_policy_is_on_record_before_it_changes)
{
	static const char text[] = "is about to be written: require = enrolled";
	struct people_request request = {.text = text};
	cr_assert_eq(people_ask(&people, people_sudo(BOB), SKM_AUTH_POLICY, &request), SKM_AUTH_OK);
	const struct skm_record *record = people_only(&people, SKM_EVENT_POLICY_CHANGED);
	cr_assert_not_null(record);
	cr_expect_not(record->has_auth, "about the machine and no person");
	cr_expect_eq(record->caller_uid, ROOT);
	cr_expect_str_eq(record->login_user, "bob");
	cr_expect_str_eq(record->object, "mfa.require");
	cr_expect_str_eq(record->detail, text);
	cr_expect_eq(people.flushed, 1);
	people.flush_error = -ENOSPC;
	cr_expect_eq(people_ask(&people, people_peer(ROOT), SKM_AUTH_POLICY, &request), SKM_AUTH_UNAVAILABLE);
	request.text = "two\nlines";
	cr_expect_eq(people_ask(&people, people_peer(ROOT), SKM_AUTH_POLICY, &request), SKM_AUTH_BAD_REQUEST);
}

/* ---- what is shown ---- */

static json_t *status_of(const char *user)
{
	json_error_t error;
	cr_assert_eq(ask(DAVE, SKM_AUTH_STATUS, user), SKM_AUTH_OK);
	json_t *status = json_loads(people_text(&people), JSON_REJECT_DUPLICATES, &error);
	cr_assert_not_null(status, "%s", error.text);
	return status;
}

Test(administration, the_status_says_everything_but_secrets)
{
	char code[16];
	people_enrol(&people, "alice");
	cr_assert_eq(people_verify(&people, "alice", people_code(&people, 0, code)), SKM_AUTH_OK);
	cr_assert_eq(people_verify(&people, "alice", people_wrong_code(&people, code)), SKM_AUTH_WRONG);
	cr_assert_eq(ask(CAROL, SKM_AUTH_SUBSTITUTE, "alice"), SKM_AUTH_OK);
	json_t *status = status_of("alice");
	cr_assert_str_eq(json_string_value(json_object_get(status, "user")), "alice");
	cr_assert_eq(json_integer_value(json_object_get(status, "uid")), ALICE);
	cr_assert(json_is_true(json_object_get(status, "enrolled")));
	cr_assert(json_is_true(json_object_get(status, "required")));
	cr_assert_str_eq(json_string_value(json_object_get(status, "state")), "ok");
	cr_assert_eq(json_integer_value(json_object_get(status, "recovery_left")), 0);
	cr_assert(json_is_string(json_object_get(status, "substitute_until")));
	json_t *failures = json_object_get(status, "failures");
	cr_assert_eq(json_integer_value(json_object_get(failures, "system")), 1);
	cr_assert_eq(json_array_size(json_object_get(status, "tokens")), 1);
	json_t *token = json_array_get(json_object_get(status, "tokens"), 0);
	cr_assert_str_eq(json_string_value(json_object_get(token, "label")), "phone");
	cr_assert_str_eq(json_string_value(json_object_get(token, "algorithm")), "SHA256");
	cr_assert_eq(json_integer_value(json_object_get(token, "period")), 30);
	cr_assert_eq(strncmp(json_string_value(json_object_get(token, "last_used")), "2026-11-", 8), 0);
	cr_assert_null(strstr(people_text(&people), "1234567890"));
	json_decref(status);
}

Test(administration, the_status_of_somebody_without_a_record)
{
	people.config->mfa.grace_until_sec = PEOPLE_NOW_SEC + 3600;
	json_t *status = status_of("bob");
	cr_assert(json_is_false(json_object_get(status, "enrolled")));
	cr_assert(json_is_false(json_object_get(status, "required")));
	cr_assert(json_is_string(json_object_get(status, "grace_until")));
	cr_assert_str_eq(json_string_value(json_object_get(status, "state")), "absent");
	json_decref(status);
	cr_assert_eq(people.record_count, 0, "reading is no act");
}

Test(administration, the_largest_status_fits_a_packet)
{
	/* A quotation mark takes two bytes. */
	char label[SKM_OTP_LABEL_BYTES];
	memset(label, '"', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	for (unsigned i = 0; i < SKM_TOKENS_MAX; i++)
		cr_assert_eq(people_ask(&people, people_peer(ERIN), SKM_AUTH_IMPORT,
				     &(struct people_request){.user = "alice",
					     .label = label,
					     .secret = PEOPLE_SECRET,
					     .secret_len = 32}),
			SKM_AUTH_OK);
	json_t *status = status_of("alice");
	cr_assert_eq(json_array_size(json_object_get(status, "tokens")), SKM_TOKENS_MAX);
	json_decref(status);
}

Test(administration, the_list_has_everybody_once_in_order)
{
	cr_assert_eq(ask(DAVE, SKM_AUTH_LIST, NULL), SKM_AUTH_OK);
	cr_assert_eq(people.answers, 1);
	people_enrol(&people, "erin");
	people_enrol(&people, "alice");
	people_enrol(&people, "bob");
	(void)people_verify(&people, "nobody", "123456");
	cr_assert_eq(ask(DAVE, SKM_AUTH_LIST, NULL), SKM_AUTH_OK);
	cr_assert_eq(people.answers, 4);
	const char *alice = strstr(people.listed, "\"alice\""), *bob = strstr(people.listed, "\"bob\"");
	const char *erin = strstr(people.listed, "\"erin\"");
	cr_assert(alice && bob && erin && alice < bob && bob < erin);
}
