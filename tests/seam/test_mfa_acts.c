// SPDX-License-Identifier: Apache-2.0
/* The verbs of `sekimori mfa` that are one question to authd: outcomes in words, acts, import, list and
 * status. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mfa_scene.h"

TestSuite(mfa_acts, .init = mfa_scene_make, .fini = mfa_scene_remove, .timeout = 60);

/* ---- outcomes ---- */

Test(mfa_acts, every_outcome_has_its_words_and_its_exit)
{
	for (unsigned outcome = 1; outcome < SKM_AUTH_OUTCOME_COUNT_; outcome++) {
		bool is_unexpected = outcome == SKM_AUTH_MORE || outcome == SKM_AUTH_PROMPT ||
				     outcome == SKM_AUTH_NOT_REQUIRED;
		bool is_unknown = is_unexpected || outcome == SKM_AUTH_UNAVAILABLE ||
				  outcome == SKM_AUTH_DENIED || outcome == SKM_AUTH_BUSY ||
				  outcome == SKM_AUTH_BAD_REQUEST;
		for (unsigned is_ja = 0; is_ja < 2; is_ja++) {
			(void)mfa_answer((enum skm_auth_outcome)outcome);
			int exit_code = mfa_run(
				skm_verb_mfa_unlock, "", "%s --user sato --reason lost", is_ja ? "ja|" : "");
			cr_expect_eq(exit_code, is_unknown ? SKM_EXIT_UNKNOWN : SKM_EXIT_NO, "outcome %u: %d",
				outcome, exit_code);
			cr_expect_gt(strlen(mfa_err), 20u);
			cr_expect_str_eq(mfa_out, "");
		}
	}
}

Test(mfa_acts, a_wrong_name_is_not_called_a_wrong_code)
{
	(void)mfa_answer(SKM_AUTH_WRONG);
	cr_expect_eq(mfa_run(skm_verb_mfa_status, "", "--user nobody-here"), SKM_EXIT_NO);
	mfa_says("there is no such user");
	(void)mfa_answer(SKM_AUTH_WRONG);
	cr_expect_eq(mfa_run(skm_verb_mfa_resync, "1\n2\n", "--user sato"), SKM_EXIT_NO);
	mfa_says("wrong verification code");
}

Test(mfa_acts, a_wait_is_told_in_minutes_and_in_json)
{
	struct skm_auth_writer *packet = mfa_answer(SKM_AUTH_LOCKED);
	skm_auth_write_number(packet, SKM_AUTH_TAG_TRIES, 6);
	skm_auth_write_number(packet, SKM_AUTH_TAG_WAIT_SEC, 841);
	cr_expect_eq(mfa_run(skm_verb_mfa_resync, "1\n2\n", "ja| --user sato --json"), SKM_EXIT_NO);
	mfa_says("sato: 入力を6回誤りました。15分後にやり直してください。");
	cr_expect_str_eq(
		mfa_out, "{\"user\":\"sato\",\"outcome\":\"locked\",\"tries\":6,\"wait_sec\":841}\n");
}

Test(mfa_acts, no_service_is_told_and_is_no_answer)
{
	struct skm_cli cli = {.language = SKM_LANGUAGE_EN};
	char *argv[] = {(char[]){"verb"}, mfa_socket_option, (char[]){"--user=sato"}, NULL};
	cr_expect_eq(mfa_run_verb(skm_verb_mfa_status, &cli, "", 3, argv), SKM_EXIT_UNKNOWN);
	mfa_says("sekimori-authd) is not running");
	cli.json = true;
	cr_expect_eq(mfa_run_verb(skm_verb_mfa_list, &cli, "", 2, argv), SKM_EXIT_UNKNOWN);
	cr_expect_null(strstr(mfa_out, "]}"), "a list that was not made does not end like one");
}

/* ---- acts ---- */

static void expect_removal(size_t request, const char *code)
{
	mfa_expect_operation(request, SKM_AUTH_DISABLE);
	mfa_expect_text(request, SKM_AUTH_TAG_USER, "erin");
	mfa_expect_text(request, SKM_AUTH_TAG_REASON, "new");
	cr_expect_eq(mfa_requests[request].field[SKM_AUTH_TAG_ANSWER] != NULL, *code != '\0');
	if (*code)
		mfa_expect_bytes(request, SKM_AUTH_TAG_ANSWER, code, strlen(code));
}

Test(mfa_acts, acts_carry_what_they_need)
{
	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(mfa_run(skm_verb_mfa_unlock, "", "--user sato --reason forgot"), SKM_EXIT_YES);
	mfa_expect_operation(0, SKM_AUTH_UNLOCK);
	mfa_expect_text(0, SKM_AUTH_TAG_USER, "sato");
	mfa_expect_text(0, SKM_AUTH_TAG_REASON, "forgot");
	cr_expect_str_eq(mfa_out, "sato: unlocked\n");

	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(mfa_run(skm_verb_mfa_disable, "", "--user sato --token 3 --reason lost --json"),
		SKM_EXIT_YES);
	mfa_expect_operation(0, SKM_AUTH_DISABLE);
	mfa_expect_number(0, SKM_AUTH_TAG_TOKEN, 3);
	cr_expect_str_eq(mfa_out, "{\"user\":\"sato\",\"outcome\":\"ok\"}\n");
	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(mfa_run(skm_verb_mfa_disable, "", "ja| --user uid:1234 --reason 退職"), SKM_EXIT_YES);
	mfa_expect_text(0, SKM_AUTH_TAG_USER, "uid:1234");
	mfa_expect_text(0, SKM_AUTH_TAG_REASON, "退職");
	mfa_expect_number(0, SKM_AUTH_TAG_TOKEN, UINT64_MAX);
	mfa_prints("登録をすべて削除しました");

	/* Of one's own factor, a code of it. */
	(void)mfa_answer(SKM_AUTH_PROMPT);
	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(mfa_run(skm_verb_mfa_disable, "123456\n", "--user erin --reason new"), SKM_EXIT_YES);
	expect_removal(0, "");
	expect_removal(1, "123456");

	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(mfa_run(skm_verb_mfa_resync, "123456\n654321\n", "--user sato"), SKM_EXIT_YES);
	mfa_expect_operation(0, SKM_AUTH_RESYNC);
	mfa_expect_bytes(0, SKM_AUTH_TAG_ANSWER, "123456", 6);
	mfa_expect_bytes(0, SKM_AUTH_TAG_ANSWER2, "654321", 6);
	cr_expect_eq(mfa_run(skm_verb_mfa_resync, "123456\n", "--user sato"), SKM_EXIT_USAGE);
	cr_expect_eq(mfa_request_count, 0u);
}

Test(mfa_acts, recovery_codes_are_shown_once_after_proof)
{
	(void)mfa_answer(SKM_AUTH_PROMPT);
	mfa_answer_text(SKM_AUTH_OK, "1-A\n2-B");
	cr_expect_eq(mfa_run(skm_verb_mfa_recovery, "123456\n", "--user sato"), SKM_EXIT_YES);
	mfa_expect_operation(1, SKM_AUTH_RECOVERY);
	mfa_expect_bytes(1, SKM_AUTH_TAG_ANSWER, "123456", 6);
	cr_expect_str_eq(mfa_out, "1-A\n2-B\n");
	mfa_says("The old recovery codes have ended.");
	mfa_answer_text(SKM_AUTH_OK, "1-A\n2-B");
	cr_expect_eq(mfa_run(skm_verb_mfa_recovery, "", "--user sato --json"), SKM_EXIT_YES);
	cr_expect_str_eq(
		mfa_out, "{\"user\":\"sato\",\"outcome\":\"ok\",\"recovery_codes\":[\"1-A\",\"2-B\"]}\n");
}

Test(mfa_acts, a_substitute_code_has_its_last_day)
{
	for (unsigned is_json = 0; is_json < 2; is_json++) {
		struct skm_auth_writer *packet = mfa_answer(SKM_AUTH_OK);
		skm_auth_write_text(packet, SKM_AUTH_TAG_TEXT, "00-ACEF-HJKL");
		/* 2026-11-24 00:00 in Japan: the 23rd is the last day. */
		skm_auth_write_number(packet, SKM_AUTH_TAG_UNTIL, 1795446000);
		cr_expect_eq(mfa_run(skm_verb_mfa_substitute, "", "--user sato --reason lost --days 3%s",
				     is_json ? " --json" : ""),
			SKM_EXIT_YES);
		mfa_expect_operation(0, SKM_AUTH_SUBSTITUTE);
		mfa_expect_number(0, SKM_AUTH_TAG_DAYS, 3);
		cr_expect_str_eq(
			mfa_out, is_json ? "{\"user\":\"sato\",\"outcome\":\"ok\",\"code\":\"00-ACEF-HJKL\","
					   "\"last_day\":\"2026-11-23\"}\n"
					 : "00-ACEF-HJKL\n");
	}
	(void)mfa_answer(SKM_AUTH_REFUSED);
	cr_expect_eq(mfa_run(skm_verb_mfa_substitute, "", "--user sato --reason lost"), SKM_EXIT_NO);
	mfa_expect_number(0, SKM_AUTH_TAG_DAYS, 1);
	mfa_says("mfa.substitute_days_max");
}

/* ---- import ---- */

Test(mfa_acts, import_takes_secrets_and_uris_also_from_stdin)
{
	static const char secret[] = "12345678901234567890";
	static const char *const forms[] = {
		"--secret GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ --type hotp --algorithm sha1 --digits 8 --counter 7",
		"--secret - --type hotp --algorithm sha1 --digits 8 --counter 7",
		"--uri otpauth://hotp/X:y?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=SHA1&digits=8&counter=7",
		"--uri -"};
	static const char *const typed[] = {"", "gezd gnbv gy3t qojq-gezd-gnbv-gy3t-qojq\n", "",
		"otpauth://hotp/X:y?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=SHA1&digits=8&counter=7\n"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(forms); i++) {
		(void)mfa_answer(SKM_AUTH_OK);
		cr_expect_eq(
			mfa_run(skm_verb_mfa_import, typed[i], "--user sato --label Counter %s", forms[i]),
			SKM_EXIT_YES, "%s: %s", forms[i], mfa_err);
		mfa_expect_operation(0, SKM_AUTH_IMPORT);
		mfa_expect_text(0, SKM_AUTH_TAG_LABEL, "Counter");
		mfa_expect_bytes(0, SKM_AUTH_TAG_SECRET, secret, 20);
		mfa_expect_number(0, SKM_AUTH_TAG_TYPE, SKM_OTP_HOTP);
		mfa_expect_number(0, SKM_AUTH_TAG_ALGORITHM, SKM_OTP_SHA1);
		mfa_expect_number(0, SKM_AUTH_TAG_DIGITS, 8);
		mfa_expect_number(0, SKM_AUTH_TAG_COUNTER, 7);
		mfa_expect_number(0, SKM_AUTH_TAG_PERIOD, UINT64_MAX);
	}
}

Test(mfa_acts, import_for_oneself_is_proved_by_the_line_that_follows)
{
	(void)mfa_answer(SKM_AUTH_PROMPT);
	mfa_answer_text(SKM_AUTH_OK, "");
	cr_expect_eq(mfa_run(skm_verb_mfa_import, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n654321\n",
			     "--user erin --secret -"),
		SKM_EXIT_YES, "%s", mfa_err);
	mfa_expect_operation(1, SKM_AUTH_IMPORT);
	mfa_expect_bytes(1, SKM_AUTH_TAG_SECRET, "12345678901234567890", 20);
	mfa_expect_bytes(1, SKM_AUTH_TAG_ANSWER, "654321", 6);
}

Test(mfa_acts, import_tells_what_is_wrong_without_repeating_the_secret)
{
	static const struct {
		const char *options, *says;
	} cases[] = {
		{"--user s", "one of --uri and --secret"},
		{"--user s --secret A --uri B", "one of --uri and --secret"},
		{"--secret GEZDGNBVGY3TQOJQ", "--user NAME"},
		{"--user s --secret 0189", "the secret is not base32"},
		{"--user s --secret GEZDGNBV", "16 to 64 bytes"},
		{"--user s --uri https://x", "no otpauth URI"},
		{"--user s --uri otpauth://totp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=7",
			"6 or 8 digits"},
		{"--user s --uri otpauth://totp/a?secret=GEZDGNBV", "16 to 64 bytes"},
		{"--user s --uri otpauth://totp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ --digits 8",
			"the URI itself says"},
		{"--user s --uri -", "no line on stdin"},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		cr_expect_eq(mfa_run(skm_verb_mfa_import, "", "%s", cases[i].options), SKM_EXIT_USAGE, "%s",
			cases[i].options);
		mfa_says(cases[i].says);
		cr_expect_null(strstr(mfa_err, "GEZD"), "%s", mfa_err);
		cr_expect_eq(mfa_request_count, 0u);
	}
}

/* ---- list and status ---- */

static void answer_people(const char *first, const char *second)
{
	struct mfa_exchange *exchange = &mfa_exchanges[mfa_exchange_count];
	(void)mfa_answer(SKM_AUTH_MORE);
	skm_auth_write_text(&exchange->packets[0], SKM_AUTH_TAG_TEXT, first);
	skm_auth_write_begin(&exchange->packets[1], SKM_AUTH_MORE);
	skm_auth_write_text(&exchange->packets[1], SKM_AUTH_TAG_TEXT, second);
	skm_auth_write_begin(&exchange->packets[2], SKM_AUTH_OK);
	exchange->count = 3;
}

Test(mfa_acts, the_list_is_harmless_and_says_who_needs_attention)
{
	answer_people(MFA_PERSON("sato", "ok", "0"), MFA_PERSON("e\\u001b[2Jvil\\u202e", "damaged", "0"));
	cr_expect_eq(mfa_run(skm_verb_mfa_list, "", "%s", ""), SKM_EXIT_NO);
	mfa_prints("sato                     registered       yes      1        9\n");
	mfa_prints("RECORD DAMAGED");
	mfa_prints("\n2 people\n");
	cr_expect_null(strchr(mfa_out, '\033'));
	cr_expect_null(strstr(mfa_out, "\xe2\x80\xae"));
	answer_people(MFA_PERSON("sato", "ok", "0"), MFA_PERSON("ito", "ok", "0"));
	cr_expect_eq(mfa_run(skm_verb_mfa_list, "", "--json"), SKM_EXIT_YES);
	cr_expect_str_eq(mfa_out,
		"{\"people\":[" MFA_PERSON("sato", "ok", "0") "," MFA_PERSON("ito", "ok", "0") "]}\n");
	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(mfa_run(skm_verb_mfa_list, "", "--json"), SKM_EXIT_YES);
	cr_expect_str_eq(mfa_out, "{\"people\":[]}\n");
	struct mfa_exchange *exchange = &mfa_exchanges[mfa_exchange_count];
	mfa_answer_text(SKM_AUTH_MORE, MFA_PERSON("ito", "ok", "0"));
	skm_auth_write_begin(&exchange->packets[1], SKM_AUTH_OK);
	exchange->count = 2;
	cr_expect_eq(mfa_run(skm_verb_mfa_list, "", "%s", ""), SKM_EXIT_YES);
	mfa_prints("\n1 person\n");
	(void)mfa_answer(SKM_AUTH_DENIED);
	cr_expect_eq(mfa_run(skm_verb_mfa_list, "", "ja|"), SKM_EXIT_UNKNOWN);
	mfa_says("権限がありません");
}

Test(mfa_acts, status_is_0_only_when_the_factor_can_be_used)
{
	mfa_answer_text(SKM_AUTH_OK, MFA_PERSON("sato", "ok", "0"));
	cr_expect_eq(mfa_run(skm_verb_mfa_status, "", "ja| --user sato"), SKM_EXIT_YES);
	mfa_prints("状態              登録済み\n");
	mfa_prints("トークン 1        totp SHA256 6桁 30秒 登録 2026-11-21  窓口\n");
	mfa_prints("代用コード        残り9個\n");
	mfa_answer_text(SKM_AUTH_OK, MFA_PERSON("sato", "ok", "61"));
	cr_expect_eq(mfa_run(skm_verb_mfa_status, "", "--user sato"), SKM_EXIT_NO);
	mfa_prints("LOCKED (2 wrong codes, 2 min to go)");
	mfa_answer_text(SKM_AUTH_OK, MFA_PERSON("sato", "rolled-back", "0"));
	cr_expect_eq(
		mfa_run(skm_verb_mfa_status, "", "--user sato --json --root %s", mfa_folder), SKM_EXIT_NO);
	/* what authd said, as it came, and what the command adds at its end */
	char wanted[] = MFA_PERSON("sato", "rolled-back", "0");
	wanted[sizeof(wanted) - 2] = '\0';
	cr_expect_eq(strncmp(mfa_out, wanted, sizeof(wanted) - 2), 0, "%s", mfa_out);
	cr_expect_str_eq(mfa_out + sizeof(wanted) - 2,
		",\"login\":{\"asks_for_code\":false,\"ways_around\":[],\"closed_as_installed\":[],"
		"\"not_judged\":[]}}\n");
	/* Without --user it is the caller. */
	mfa_answer_text(SKM_AUTH_OK, MFA_PERSON("sato", "ok", "0"));
	(void)mfa_run(skm_verb_mfa_status, "", "%s", "");
	cr_expect_not_null(mfa_requests[0].field[SKM_AUTH_TAG_USER]);
}
