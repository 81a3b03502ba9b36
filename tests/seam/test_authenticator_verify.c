// SPDX-License-Identifier: Apache-2.0
/* VERIFY against the real store and the real comparison: what is accepted, what is counted, what is told to
 * the person and to the log. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fake_people.h"
#include "otp_code.h"

static struct people people;
static char code[16];

static void make(void)
{
	people_make(&people);
	people_enrol(&people, "alice");
}

static void finish(void)
{
	people_remove(&people);
}

TestSuite(verify, .init = make, .fini = finish);

static enum skm_auth_outcome by_self(const char *answer)
{
	return people_ask(&people, people_peer(ALICE), SKM_AUTH_VERIFY,
		&(struct people_request){.user = "alice", .service = "i3lock", .answer = answer});
}

static enum skm_auth_outcome right(void)
{
	return people_verify(&people, "alice", people_code(&people, 0, code));
}

static enum skm_auth_outcome wrong(void)
{
	return people_verify(&people, "alice", people_wrong_code(&people, code));
}

static void use_up_tries(void)
{
	for (unsigned i = 0; i < people.config->mfa.free_tries; i++)
		cr_assert_eq(wrong(), SKM_AUTH_WRONG);
}

/* What the disk knows, by an administrator's eyes. */
static bool status_has(const char *text)
{
	cr_assert_eq(people_ask(&people, people_peer(ERIN), SKM_AUTH_STATUS,
			     &(struct people_request){.user = "alice"}),
		SKM_AUTH_OK);
	return strstr(people_text(&people), text) != NULL;
}

/* ---- right and wrong ---- */

Test(verify, a_right_code_is_accepted_once)
{
	cr_assert_eq(right(), SKM_AUTH_OK);
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_FACTOR), SKM_AUTH_FACTOR_TOKEN);
	const struct skm_record *record = people_only(&people, SKM_EVENT_AUTH_OK);
	cr_assert_not_null(record);
	cr_assert_str_eq(record->auth.subject, "alice");
	cr_assert_eq(record->auth.subject_uid, ALICE);
	cr_assert_str_eq(record->auth.service, "login");
	cr_assert_str_eq(record->auth.factor, "token");
	cr_assert_str_eq(record->auth.token, "phone");
	cr_assert_eq(record->outcome, SKM_OUTCOME_ALLOWED);
	cr_assert_eq(record->caller_pid, 4242);
	cr_assert_eq(people.flushed, 1, "answered before the record was stored");
	cr_assert_eq(right(), SKM_AUTH_REPLAYED);
	cr_assert_not_null(people_only(&people, SKM_EVENT_AUTH_REPLAY));
	people_restart(&people);
	cr_assert_eq(right(), SKM_AUTH_REPLAYED, "forgotten with the process");
	people_advance(&people, 30);
	cr_assert_eq(right(), SKM_AUTH_OK);
}

Test(verify, a_wrong_code_is_counted_and_a_right_one_forgives)
{
	cr_assert_eq(wrong(), SKM_AUTH_WRONG);
	cr_assert(status_has("\"failures\":{\"system\":1,\"self\":0}"));
	const struct skm_record *record = people_only(&people, SKM_EVENT_AUTH_FAIL);
	cr_assert_not_null(record);
	cr_assert_eq(record->outcome, SKM_OUTCOME_BLOCKED);
	people_expect_untold(&people, code);
	cr_assert_eq(right(), SKM_AUTH_OK);
	cr_assert(status_has("\"failures\":{\"system\":0,\"self\":0}"));
}

Test(verify, what_could_never_be_right_is_not_counted)
{
	cr_assert_eq(right(), SKM_AUTH_OK);
	for (unsigned i = 0; i < 10; i++) {
		cr_assert_eq(right(), SKM_AUTH_REPLAYED);
		cr_assert_eq(people_verify(&people, "alice", "my password"), SKM_AUTH_NOT_A_CODE);
		cr_assert_eq(people_verify(&people, "alice", NULL), SKM_AUTH_NOT_A_CODE);
		cr_assert_eq(people_verify(&people, "alice", "12345678"), SKM_AUTH_NOT_A_CODE,
			"no token of hers has eight digits");
	}
	cr_assert(status_has("\"failures\":{\"system\":0,\"self\":0}"));
	people_restart(&people);
	cr_assert(status_has("\"failures\":{\"system\":0,\"self\":0}"), "given back in memory only");
	cr_assert_eq(people_count(&people, SKM_EVENT_AUTH_FAIL), 30);
	people_expect_untold(&people, "my password");
}

Test(verify, a_refund_gives_back_no_more_than_was_taken)
{
	use_up_tries();
	people_advance(&people, 15 * 60);
	cr_assert_eq(people_verify(&people, "alice", "oops"), SKM_AUTH_NOT_A_CODE);
	cr_assert(status_has("\"failures\":{\"system\":5,\"self\":0}"));
	cr_assert_eq(wrong(), SKM_AUTH_WRONG);
	cr_assert_eq(right(), SKM_AUTH_LOCKED);
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_WAIT_SEC), 30 * 60, "the wait doubles");
}

/* ---- locked ---- */

Test(verify, after_the_free_tries_nothing_is_compared)
{
	use_up_tries();
	cr_assert_eq(right(), SKM_AUTH_LOCKED);
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_TRIES), 5);
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_WAIT_SEC), 15 * 60);
	people_restart(&people);
	cr_assert_eq(right(), SKM_AUTH_LOCKED);
	people_advance(&people, 15 * 60 - 1);
	cr_assert_eq(right(), SKM_AUTH_LOCKED);
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_WAIT_SEC), 1);
	people_advance(&people, 1);
	cr_assert_eq(right(), SKM_AUTH_OK);
}

Test(verify, a_code_tried_while_locked_is_not_used_up)
{
	char early[16];
	use_up_tries();
	people_advance(&people, 15 * 60 - 1);
	people_code(&people, 0, early);
	cr_assert_eq(people_verify(&people, "alice", early), SKM_AUTH_LOCKED);
	people_advance(&people, 1);
	cr_assert_eq(people_verify(&people, "alice", early), SKM_AUTH_OK);
}

Test(verify, setting_the_clock_ends_no_wait)
{
	use_up_tries();
	people.now.realtime_usec += INT64_C(86400) * (int64_t)SKM_USEC_PER_SEC;
	cr_assert_eq(right(), SKM_AUTH_LOCKED);
	people.now.realtime_usec -= INT64_C(30) * 86400 * (int64_t)SKM_USEC_PER_SEC;
	cr_assert_eq(right(), SKM_AUTH_LOCKED);
}

Test(verify, a_flood_while_locked_is_one_record_and_a_count)
{
	use_up_tries();
	people_forget(&people);
	for (unsigned i = 0; i < 100; i++)
		cr_assert_eq(right(), SKM_AUTH_LOCKED);
	const struct skm_record *record = people_only(&people, SKM_EVENT_AUTH_LOCKED);
	cr_assert_not_null(record);
	cr_assert_eq(record->count, 0);
	people_advance(&people, 15 * 60);
	people_forget(&people);
	cr_assert_eq(wrong(), SKM_AUTH_WRONG);
	record = people_only(&people, SKM_EVENT_AUTH_LOCKED);
	cr_assert_not_null(record, "the count is told before anything else of her");
	cr_assert_eq(record->count, 99);
	cr_assert_eq(record->auth.subject_uid, ALICE);
	cr_assert_eq(people.records[1].event, SKM_EVENT_AUTH_FAIL);
	cr_assert_eq(right(), SKM_AUTH_LOCKED);
	cr_assert_eq(people_count(&people, SKM_EVENT_AUTH_LOCKED), 2, "a new failure, a new record");
}

Test(verify, counts_are_told_before_authd_ends)
{
	use_up_tries();
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(right(), SKM_AUTH_LOCKED);
	people_forget(&people);
	skm_authenticator_settle(&people.authenticator);
	cr_assert_not_null(people_only(&people, SKM_EVENT_AUTH_LOCKED));
	cr_assert_eq(people.records[0].count, 3);
	cr_assert_eq(people.flushed, 1);
	skm_authenticator_settle(&people.authenticator);
	cr_assert_eq(people.record_count, 1, "told twice");
}

/* ---- who asks ---- */

Test(verify, the_two_ways_do_not_know_of_each_other)
{
	for (unsigned i = 0; i < 5; i++)
		cr_assert_eq(by_self(people_wrong_code(&people, code)), SKM_AUTH_WRONG);
	cr_assert_eq(by_self(people_code(&people, 0, code)), SKM_AUTH_LOCKED);
	cr_assert_eq(wrong(), SKM_AUTH_WRONG, "malware in the session locked the console");
	cr_assert_eq(right(), SKM_AUTH_OK);
	people_advance(&people, 30);
	cr_assert_eq(by_self(people_code(&people, 0, code)), SKM_AUTH_LOCKED,
		"a login gave malware in the session new guesses");
}

Test(verify, a_success_of_ones_own_programs_clears_nothing_at_the_console)
{
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(wrong(), SKM_AUTH_WRONG);
	cr_assert_eq(by_self(people_code(&people, 0, code)), SKM_AUTH_OK);
	cr_assert(status_has("\"failures\":{\"system\":4,\"self\":0}"));
}

Test(verify, others_are_denied_and_nothing_is_counted)
{
	cr_assert_eq(
		people_ask(&people, people_peer(BOB), SKM_AUTH_VERIFY,
			&(struct people_request){.user = "alice", .answer = people_code(&people, 0, code)}),
		SKM_AUTH_DENIED);
	cr_assert_eq(people_ask(&people, people_peer(ERIN), SKM_AUTH_VERIFY,
			     &(struct people_request){.user = "nobody", .answer = "123456"}),
		SKM_AUTH_DENIED, "an administrator is not a login program");
	cr_assert_eq(people_count(&people, SKM_EVENT_AUTH_DENIED), 2);
	cr_assert_eq(people.records[0].caller_uid, BOB);
	cr_assert_str_eq(people.records[0].auth.subject, "alice");
	cr_assert_eq(people.flushed, 2);
	cr_assert_eq(people_faults.calls[PEOPLE_WRITE], 0);
	cr_assert_eq(right(), SKM_AUTH_OK, "the code was used up");
}

Test(verify, whoever_asks_for_others_cannot_fill_the_log)
{
	char name[32];
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "user%u", i);
		cr_assert_eq(people_ask(&people, people_peer(BOB), SKM_AUTH_VERIFY,
				     &(struct people_request){.user = name, .answer = "123456"}),
			SKM_AUTH_DENIED);
	}
	cr_assert_eq(people.record_count, 100);
	skm_authenticator_settle(&people.authenticator);
	cr_assert_eq(people.records[100].count, 900);
	cr_assert_eq(people.records[100].caller_uid, BOB);
}

/* ---- people of whom there is nothing, or nothing readable ---- */

Test(verify, somebody_unknown_is_wrong_and_leaves_no_file)
{
	char long_name[1025];
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	const char *const names[] = {
		"nobody", "a\nb", "../../etc/passwd", "%s%n", "\xff\xfe", long_name, NULL};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(names); i++) {
		people_forget(&people);
		cr_assert_eq(people_verify(&people, names[i], "123456"), SKM_AUTH_WRONG);
		cr_assert_eq(people.record_count, 1);
		cr_assert_eq(people.records[0].event, SKM_EVENT_AUTH_FAIL);
		cr_assert_eq(people.records[0].auth.subject_uid, -1);
	}
	cr_assert_eq(people_verify(&people, "nobody", "hello"), SKM_AUTH_NOT_A_CODE);
	cr_assert_eq(people_ask(&people, people_peer(ERIN), SKM_AUTH_LIST, &(struct people_request){0}),
		SKM_AUTH_OK);
	cr_assert_eq(people.answers, 2, "alice and the end");
}

Test(verify, a_long_name_is_on_record_as_far_as_it_fits)
{
	char name[300] = "";
	for (size_t i = 0; i + 3 < sizeof(name); i += 3)
		memcpy(name + i, "関", 4);
	cr_assert_eq(people_verify(&people, name, "123456"), SKM_AUTH_WRONG);
	const char *subject = people.records[0].auth.subject;
	cr_assert_eq(strlen(subject), 126 + 0);
	cr_assert_str_eq(subject + strlen(subject) - 6, "関…");
}

Test(verify, somebody_not_enrolled_hears_so)
{
	cr_assert_eq(people_verify(&people, "bob", "123456"), SKM_AUTH_UNENROLLED);
	cr_assert_eq(people_verify(&people, "bob", "hello"), SKM_AUTH_UNENROLLED);
	cr_assert_eq(people_count(&people, SKM_EVENT_AUTH_FAIL), 2);
	people.config->mfa.require = SKM_MFA_REQUIRE_ENROLLED;
	cr_assert_eq(people_verify(&people, "bob", "123456"), SKM_AUTH_NOT_REQUIRED);
	cr_assert_eq(people_verify(&people, "nobody", "123456"), SKM_AUTH_WRONG);
}

static void expect_refused(enum skm_auth_outcome outcome, const char *state)
{
	people_forget(&people);
	cr_assert_eq(right(), outcome);
	const struct skm_record *record = people_only(&people, SKM_EVENT_AUTH_ERROR);
	cr_assert_not_null(record);
	cr_assert_eq(record->outcome, SKM_OUTCOME_ERROR);
	cr_assert(status_has(state));
	/* Whatever the policy says of people without a record: there is one. */
	people.config->mfa.require = SKM_MFA_REQUIRE_ENROLLED;
	cr_assert_eq(right(), outcome);
}

static void path_of_alice(char *ret_path, size_t size)
{
	(void)snprintf(ret_path, size, "%s/1000.person", people.state_folder);
}

Test(verify, a_damaged_record_is_not_the_same_as_none)
{
	char path[200];
	path_of_alice(path, sizeof(path));
	cr_assert_eq(truncate(path, 100), 0);
	expect_refused(SKM_AUTH_DAMAGED, "\"state\":\"damaged\"");
}

Test(verify, another_key_is_its_own_outcome)
{
	people.key.id[0] ^= 1;
	people_restart(&people);
	expect_refused(SKM_AUTH_WRONG_KEY, "\"state\":\"wrong-key\"");
}

Test(verify, no_key_is_not_the_same_as_no_record)
{
	people.authenticator.key = NULL;
	people_restart(&people);
	expect_refused(SKM_AUTH_WRONG_KEY, "\"state\":\"wrong-key\"");
}

Test(verify, a_copied_disk_lets_nobody_in)
{
	people.authenticator.machine[0] ^= 1;
	people_restart(&people);
	expect_refused(SKM_AUTH_DAMAGED, "\"state\":\"other-machine\"");
}

Test(verify, an_older_record_that_was_put_back_lets_nobody_in)
{
	char path[200], kept[220];
	path_of_alice(path, sizeof(path));
	(void)snprintf(kept, sizeof(kept), "%s.kept", path);
	cr_assert_eq(link(path, kept), 0);
	people_enrol(&people, "alice");
	cr_assert_eq(right(), SKM_AUTH_OK);
	cr_assert_eq(rename(kept, path), 0);
	expect_refused(SKM_AUTH_DAMAGED, "\"state\":\"rolled-back\"");
}

Test(verify, a_name_in_another_spelling_is_the_same_person)
{
	people.alias = "ALICE";
	cr_assert_eq(people_verify(&people, "ALICE", people_code(&people, 0, code)), SKM_AUTH_OK);
}

Test(verify, somebody_who_got_the_uid_of_another_gets_no_token_with_it)
{
	char from[200], to[200];
	(void)snprintf(from, sizeof(from), "%s/1000.person", people.state_folder);
	(void)snprintf(to, sizeof(to), "%s/1001.person", people.state_folder);
	cr_assert_eq(rename(from, to), 0);
	cr_assert_eq(people_verify(&people, "bob", people_code(&people, 0, code)), SKM_AUTH_DAMAGED);
}

Test(verify, a_record_of_another_login_name_is_nobodys)
{
	people.renamed = "frank";
	cr_assert_eq(people_verify(&people, "frank", people_code(&people, 0, code)), SKM_AUTH_DAMAGED);
	people.config->mfa.require = SKM_MFA_REQUIRE_ENROLLED;
	cr_assert_eq(people_verify(&people, "frank", code), SKM_AUTH_DAMAGED, "and no way around it");
	people.renamed = NULL;
	cr_assert_eq(right(), SKM_AUTH_OK);
}

Test(verify, a_name_service_that_fails_is_not_an_answer)
{
	people.lookup_error = -EIO;
	cr_assert_eq(right(), SKM_AUTH_UNAVAILABLE);
	cr_assert_not_null(people_only(&people, SKM_EVENT_AUTH_ERROR));
	people.lookup_error = 0;
	cr_assert_eq(right(), SKM_AUTH_OK);
}

/* ---- the clock ---- */

Test(verify, no_clock_brings_an_old_code_back)
{
	char old[16];
	people_code(&people, 0, old);
	cr_assert_eq(right(), SKM_AUTH_OK);
	people.now.realtime_usec -= INT64_C(3600) * (int64_t)SKM_USEC_PER_SEC;
	cr_assert_eq(right(), SKM_AUTH_CLOCK, "the code of that time was never used, and must not be now");
	cr_assert_eq(
		people_verify(&people, "alice", old), SKM_AUTH_CLOCK, "the person is told what is wrong");
	for (unsigned i = 0; i < 10; i++)
		cr_assert_eq(right(), SKM_AUTH_CLOCK);
	cr_assert_eq(people_count(&people, SKM_EVENT_AUTH_CLOCK), 12);
	cr_assert(status_has("\"failures\":{\"system\":0,\"self\":0}"), "it is not the person's fault");
	people.now.realtime_usec += INT64_C(3630) * (int64_t)SKM_USEC_PER_SEC;
	cr_assert_eq(right(), SKM_AUTH_OK);
}

Test(verify, a_clock_set_back_gives_no_free_guesses_at_another_token)
{
	cr_assert_eq(people_ask(&people, people_peer(ROOT), SKM_AUTH_IMPORT,
			     &(struct people_request){.user = "alice",
				     .type = SKM_OTP_HOTP + 1,
				     .secret = "another secret of 32 bytes......",
				     .secret_len = 32}),
		SKM_AUTH_OK);
	cr_assert_eq(right(), SKM_AUTH_OK);
	people.now.realtime_usec -= INT64_C(3600) * (int64_t)SKM_USEC_PER_SEC;
	for (unsigned i = 0; i < 5; i++)
		cr_assert_eq(wrong(), SKM_AUTH_CLOCK);
	cr_assert_eq(wrong(), SKM_AUTH_LOCKED);
}

/* ---- recovery codes ---- */

static void first_recovery_code(char ret_code[SKM_AUTH_PACKET_MAX])
{
	cr_assert_eq(people_ask(&people, people_peer(ROOT), SKM_AUTH_RECOVERY,
			     &(struct people_request){.user = "alice"}),
		SKM_AUTH_OK);
	(void)snprintf(ret_code, SKM_AUTH_PACKET_MAX, "%s", people_text(&people));
	*strchr(ret_code, '\n') = '\0';
	people_forget(&people);
}

Test(verify, a_recovery_code_works_once_and_tells_how_many_are_left)
{
	char recovery[SKM_AUTH_PACKET_MAX];
	first_recovery_code(recovery);
	/* Neither clock nor network. */
	people.now.realtime_usec = 0;
	cr_assert_eq(people_verify(&people, "alice", recovery), SKM_AUTH_OK);
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_FACTOR), SKM_AUTH_FACTOR_RECOVERY);
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_LEFT), 9);
	const struct skm_record *record = people_only(&people, SKM_EVENT_SUBSTITUTE_USED);
	cr_assert_not_null(record);
	cr_assert_str_eq(record->auth.factor, "recovery");
	people_expect_untold(&people, recovery);
	people_restart(&people);
	cr_assert_eq(people_verify(&people, "alice", recovery), SKM_AUTH_REPLAYED);
	recovery[strlen(recovery) - 1] = recovery[strlen(recovery) - 1] == 'A' ? 'C' : 'A';
	cr_assert_eq(people_verify(&people, "alice", recovery), SKM_AUTH_WRONG);
	cr_assert(status_has("\"failures\":{\"system\":1,\"self\":0}"));
}

Test(verify, a_recovery_code_of_somebody_else_is_wrong)
{
	char recovery[SKM_AUTH_PACKET_MAX];
	first_recovery_code(recovery);
	people_enrol(&people, "bob");
	cr_assert_eq(people_verify(&people, "bob", recovery), SKM_AUTH_WRONG);
	cr_assert_eq(people_verify(&people, "dave", recovery), SKM_AUTH_UNENROLLED);
	cr_assert_eq(people_verify(&people, "nobody", recovery), SKM_AUTH_WRONG);
	cr_assert_eq(people_verify(&people, "alice", recovery), SKM_AUTH_OK);
}

Test(verify, a_clock_in_the_future_ends_no_substitute_code)
{
	char recovery[SKM_AUTH_PACKET_MAX];
	first_recovery_code(recovery);
	cr_assert_eq(people_ask(&people, people_peer(CAROL), SKM_AUTH_SUBSTITUTE,
			     &(struct people_request){.user = "alice", .reason = "phone lost", .days = 2}),
		SKM_AUTH_OK);
	char substitute[64];
	(void)snprintf(substitute, sizeof(substitute), "%s", people_text(&people));
	people.now.realtime_usec = INT64_C(2130000000) * (int64_t)SKM_USEC_PER_SEC; /* 2037 */
	cr_assert_eq(people_verify(&people, "alice", recovery), SKM_AUTH_OK);
	people.now.realtime_usec = PEOPLE_NOW_SEC * (int64_t)SKM_USEC_PER_SEC;
	cr_assert_eq(people_verify(&people, "alice", substitute), SKM_AUTH_OK);
	cr_assert_eq(people_number(&people, SKM_AUTH_TAG_FACTOR), SKM_AUTH_FACTOR_SUBSTITUTE);
}

Test(verify, a_counter_token_proves_nothing_about_the_time)
{
	char counter_code[16], substitute[64];
	cr_assert_eq(people_ask(&people, people_peer(ROOT), SKM_AUTH_IMPORT,
			     &(struct people_request){.user = "alice",
				     .type = SKM_OTP_HOTP + 1,
				     .secret = PEOPLE_SECRET,
				     .secret_len = 32}),
		SKM_AUTH_OK);
	cr_assert_eq(people_ask(&people, people_peer(CAROL), SKM_AUTH_SUBSTITUTE,
			     &(struct people_request){.user = "alice", .reason = "phone lost"}),
		SKM_AUTH_OK);
	(void)snprintf(substitute, sizeof(substitute), "%s", people_text(&people));
	(void)snprintf(counter_code, sizeof(counter_code), "%06u",
		skm_otp_code(SKM_OTP_SHA256, (const uint8_t *)PEOPLE_SECRET, 32, 0, 6));
	people.now.realtime_usec = INT64_C(2130000000) * (int64_t)SKM_USEC_PER_SEC; /* 2037 */
	cr_assert_eq(people_verify(&people, "alice", counter_code), SKM_AUTH_OK);
	people.now.realtime_usec = PEOPLE_NOW_SEC * (int64_t)SKM_USEC_PER_SEC;
	cr_assert_eq(people_verify(&people, "alice", substitute), SKM_AUTH_OK);
}

/* ---- the disk ---- */

Test(verify, a_full_disk_lets_token_codes_in_and_says_so_once)
{
	char recovery[SKM_AUTH_PACKET_MAX];
	first_recovery_code(recovery);
	people_faults.disk_error = ENOSPC;
	cr_assert_eq(right(), SKM_AUTH_OK);
	cr_assert_eq(right(), SKM_AUTH_REPLAYED, "what is in memory counts");
	people_advance(&people, 30);
	cr_assert_eq(right(), SKM_AUTH_OK);
	cr_assert_not_null(people_only(&people, SKM_EVENT_AUTH_DEGRADED));
	cr_assert_eq(people_verify(&people, "alice", recovery), SKM_AUTH_UNAVAILABLE);
	cr_assert(status_has("\"failures\":{\"system\":0,\"self\":0}"), "nothing was compared");
	people_faults.disk_error = 0;
	cr_assert_eq(people_verify(&people, "alice", recovery), SKM_AUTH_OK);
	people_faults.disk_error = EROFS;
	people_advance(&people, 30);
	cr_assert_eq(right(), SKM_AUTH_OK);
	cr_assert_eq(people_count(&people, SKM_EVENT_AUTH_DEGRADED), 2, "the second failure of the disk");
}

Test(verify, a_recovery_code_whose_use_cannot_be_stored_is_refused)
{
	char recovery[SKM_AUTH_PACKET_MAX];
	first_recovery_code(recovery);
	people_faults.disk_error = EIO;
	people_faults.disk_error_after = 2; /* the reservation and its sync */
	cr_assert_eq(people_verify(&people, "alice", recovery), SKM_AUTH_UNAVAILABLE);
	cr_assert_eq(people_count(&people, SKM_EVENT_SUBSTITUTE_USED), 0);
}

/* It would be right again when /run has gone with the power. */
Test(verify, nor_is_a_counter_tokens_code_accepted_whose_use_is_in_memory_only)
{
	char codes[4][16];
	cr_assert_eq(people_ask(&people, people_peer(ROOT), SKM_AUTH_IMPORT,
			     &(struct people_request){.user = "bob",
				     .type = SKM_OTP_HOTP + 1,
				     .secret = PEOPLE_SECRET,
				     .secret_len = 32}),
		SKM_AUTH_OK);
	for (unsigned i = 0; i < 4; i++)
		(void)snprintf(codes[i], sizeof(codes[i]), "%06u",
			skm_otp_code(SKM_OTP_SHA256, (const uint8_t *)PEOPLE_SECRET, 32, i, 6));
	people_faults.disk_error = EROFS;
	cr_expect_eq(people_verify(&people, "bob", codes[0]), SKM_AUTH_UNAVAILABLE);
	cr_expect_eq(
		people_ask(&people, people_peer(ROOT), SKM_AUTH_RESYNC,
			&(struct people_request){.user = "bob", .answer = codes[1], .answer2 = codes[2]}),
		SKM_AUTH_UNAVAILABLE);
	cr_expect_eq(people_count(&people, SKM_EVENT_AUTH_OK), 0);
	people_faults.disk_error = 0;
	cr_expect_eq(people_verify(&people, "bob", codes[3]), SKM_AUTH_OK);
}

Test(verify, what_can_be_stored_nowhere_is_not_compared)
{
	people_faults.everywhere_error = EIO;
	cr_assert_eq(right(), SKM_AUTH_UNAVAILABLE);
	cr_assert_not_null(people_only(&people, SKM_EVENT_AUTH_ERROR));
	people_faults.everywhere_error = 0;
	cr_assert_eq(right(), SKM_AUTH_OK, "the code was used up");
}

Test(verify, a_disk_that_fails_for_a_moment_costs_no_code_and_no_try)
{
	people_faults.everywhere_error = EIO;
	people_faults.everywhere_error_calls = 2; /* on disk and on /run: the reservation */
	cr_assert_eq(right(), SKM_AUTH_UNAVAILABLE);
	cr_assert_eq(people_faults.everywhere_error, 0, "the settlement could be stored");
	cr_assert(status_has("\"failures\":{\"system\":0,\"self\":0}"));
	cr_assert_eq(right(), SKM_AUTH_OK);
}

Test(verify, a_login_does_not_fail_for_a_log_that_cannot_be_written)
{
	people.flush_error = -ENOSPC;
	cr_assert_eq(right(), SKM_AUTH_OK);
	cr_assert_eq(people.flushes, 1);
}
