// SPDX-License-Identifier: Apache-2.0
/* `sekimori mfa enrol`: what is asked, shown, drawn and told when a code is wrong. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mfa_scene.h"

TestSuite(mfa_enrol, .init = mfa_scene_make, .fini = mfa_scene_remove, .timeout = 60);

Test(mfa_enrol, enrol_asks_for_a_code_tells_what_is_wrong_and_shows_recovery_codes_once)
{
	mfa_answer_begun(MFA_URI);
	mfa_answer_diagnosis(SKM_AUTH_DIAGNOSIS_SHA1, 0);
	mfa_answer_text(SKM_AUTH_OK, "1-ACEF-HJKL\n2-MQRT-UWXY");
	cr_expect_eq(
		mfa_run(skm_verb_mfa_enrol, "111111\r\n222222\n", "--user sato --label phone"), SKM_EXIT_YES);
	cr_expect_eq(mfa_request_count, 3u);
	mfa_expect_operation(0, SKM_AUTH_ENROL_BEGIN);
	mfa_expect_text(0, SKM_AUTH_TAG_USER, "sato");
	mfa_expect_text(0, SKM_AUTH_TAG_LABEL, "phone");
	mfa_expect_number(0, SKM_AUTH_TAG_TYPE, SKM_OTP_TOTP);
	mfa_expect_number(0, SKM_AUTH_TAG_ALGORITHM, SKM_OTP_SHA256);
	mfa_expect_number(0, SKM_AUTH_TAG_DIGITS, 6);
	mfa_expect_number(0, SKM_AUTH_TAG_PERIOD, 30);
	for (size_t i = 1; i < 3; i++) {
		mfa_expect_operation(i, SKM_AUTH_ENROL_FINISH);
		mfa_expect_text(i, SKM_AUTH_TAG_USER, "sato");
		mfa_expect_bytes(i, SKM_AUTH_TAG_TICKET, "tick\0et", 7);
		mfa_expect_number(i, SKM_AUTH_TAG_FLAGS, UINT64_MAX);
	}
	mfa_expect_bytes(1, SKM_AUTH_TAG_ANSWER, "111111", 6);
	mfa_expect_bytes(2, SKM_AUTH_TAG_ANSWER, "222222", 6);
	mfa_says("Your app ignored SHA256 and used SHA-1.");
	cr_expect_str_eq(mfa_out, MFA_URI "\n1-ACEF-HJKL\n2-MQRT-UWXY\n",
		"no terminal: the URI, then the codes:\n%s", mfa_out);
}

Test(mfa_enrol, enrol_ends_after_three_wrong_codes_and_at_the_end_of_the_input)
{
	mfa_answer_begun(MFA_URI);
	for (unsigned i = 0; i < 4; i++)
		mfa_answer_diagnosis(SKM_AUTH_DIAGNOSIS_NONE, 0);
	cr_expect_eq(mfa_run(skm_verb_mfa_enrol, "1\n2\n3\n4\n", "--user sato"), SKM_EXIT_NO);
	cr_expect_eq(mfa_request_count, 4u, "asked %zu times", mfa_request_count);
	mfa_says("nothing was registered");
	mfa_answer_begun(MFA_URI);
	cr_expect_eq(mfa_run(skm_verb_mfa_enrol, "", "--user sato"), SKM_EXIT_NO);
	cr_expect_eq(mfa_request_count, 1u);
	mfa_says("nothing was registered");
}

Test(mfa_enrol, every_diagnosis_says_what_to_do)
{
	static const struct {
		enum skm_auth_diagnosis diagnosis;
		int64_t offset_sec;
		const char *en, *ja;
	} cases[] = {
		{SKM_AUTH_DIAGNOSIS_NONE, 0, "Wrong code.", "確認コードが違います。"},
		{SKM_AUTH_DIAGNOSIS_CLOCK, 90, "about 90 s ahead of this terminal's", "約90秒進んでいます"},
		{SKM_AUTH_DIAGNOSIS_CLOCK, -3600, "about 3600 s behind this terminal's",
			"約3600秒遅れています"},
		{SKM_AUTH_DIAGNOSIS_CLOCK, INT64_MIN, "behind", "遅れています"},
		{SKM_AUTH_DIAGNOSIS_SHA1, 0, "--algorithm sha1 (mfa.algorithms", "SHA-1 で計算しています"},
		{SKM_AUTH_DIAGNOSIS_SHA256, 0, "--algorithm sha256", "SHA-256 で計算しています"},
		{SKM_AUTH_DIAGNOSIS_DIGITS, 0, "number of digits (6). Enrol again with --digits 8",
			"--digits 8"},
		{SKM_AUTH_DIAGNOSIS_PERIOD, 0, "period (30 s). Enrol again with --period 60", "--period 60"},
		{(enum skm_auth_diagnosis)99, 0, "Wrong code.", "確認コードが違います。"},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		for (unsigned is_ja = 0; is_ja < 2; is_ja++) {
			mfa_answer_begun(MFA_URI);
			mfa_answer_diagnosis(cases[i].diagnosis, cases[i].offset_sec);
			cr_expect_eq(mfa_run(skm_verb_mfa_enrol, "1\n", "%s --user sato", is_ja ? "ja|" : ""),
				SKM_EXIT_NO);
			mfa_says(is_ja ? cases[i].ja : cases[i].en);
		}
	}
}

Test(mfa_enrol, the_uri_alone_is_one_line_and_nothing_else)
{
	mfa_answer_begun(MFA_URI);
	mfa_answer_text(SKM_AUTH_OK, "1-SECRET");
	cr_expect_eq(mfa_run(skm_verb_mfa_enrol, "",
			     "--user sato --no-confirm --uri --type hotp --algorithm SHA512 --digits 8"),
		SKM_EXIT_YES);
	cr_expect_str_eq(mfa_out, MFA_URI "\n");
	cr_expect_null(strstr(mfa_err, "1-SECRET"), "codes do not go where nobody asked for them");
	mfa_says("sekimori mfa recovery");
	mfa_expect_number(0, SKM_AUTH_TAG_TYPE, SKM_OTP_HOTP);
	mfa_expect_number(0, SKM_AUTH_TAG_ALGORITHM, SKM_OTP_SHA512);
	mfa_expect_number(0, SKM_AUTH_TAG_DIGITS, 8);
	mfa_expect_number(0, SKM_AUTH_TAG_PERIOD, UINT64_MAX);
	mfa_expect_number(1, SKM_AUTH_TAG_FLAGS, SKM_AUTH_FLAG_NO_CONFIRM);
	cr_expect_null(mfa_requests[1].field[SKM_AUTH_TAG_ANSWER]);
	/* What is not stored is not shown. */
	mfa_answer_begun(MFA_URI);
	(void)mfa_answer(SKM_AUTH_DENIED);
	cr_expect_eq(mfa_run(skm_verb_mfa_enrol, "", "--user sato --no-confirm --uri"), SKM_EXIT_UNKNOWN);
	cr_expect_str_eq(mfa_out, "");
}

Test(mfa_enrol, a_further_token_needs_a_code_of_an_older_one)
{
	(void)mfa_answer(SKM_AUTH_PROMPT);
	(void)mfa_answer(SKM_AUTH_WRONG);
	mfa_answer_begun(MFA_URI);
	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(mfa_run(skm_verb_mfa_enrol, "111111\n222222\n333333\n", "--user sato"), SKM_EXIT_YES);
	cr_assert_eq(mfa_request_count, 4u);
	cr_expect_null(mfa_requests[0].field[SKM_AUTH_TAG_ANSWER]);
	mfa_expect_operation(1, SKM_AUTH_ENROL_BEGIN);
	mfa_expect_bytes(1, SKM_AUTH_TAG_ANSWER, "111111", 6);
	mfa_expect_bytes(2, SKM_AUTH_TAG_ANSWER, "222222", 6);
	mfa_expect_operation(3, SKM_AUTH_ENROL_FINISH);
	mfa_expect_bytes(3, SKM_AUTH_TAG_ANSWER, "333333", 6);
	mfa_says("wrong verification code");
	(void)mfa_answer(SKM_AUTH_PROMPT);
	cr_expect_eq(mfa_run(skm_verb_mfa_enrol, "", "--user sato"), SKM_EXIT_USAGE);
	mfa_says("a code of what is registered already is needed");
}

Test(mfa_enrol, enrol_in_json_has_a_line_before_and_one_after)
{
	mfa_answer_begun(MFA_URI);
	mfa_answer_text(SKM_AUTH_OK, "1-A\n2-B\n");
	cr_expect_eq(mfa_run(skm_verb_mfa_enrol, "1\n", "--user sato --json"), SKM_EXIT_YES);
	cr_expect_str_eq(mfa_out,
		"{\"user\":\"sato\",\"enrolled\":false,\"uri\":\"" MFA_URI
		"\",\"secret\":\"GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ GEZA\"}\n"
		"{\"user\":\"sato\",\"enrolled\":true,\"recovery_codes\":[\"1-A\",\"2-B\"]}\n");
	mfa_answer_begun(MFA_URI);
	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(mfa_run(skm_verb_mfa_enrol, "", "--user sato --json --no-confirm"), SKM_EXIT_YES);
	mfa_prints("\"enrolled\":true,\"uri\":\"otpauth:");
	mfa_prints("\"recovery_codes\":[]}\n");
}

Test(mfa_enrol, the_picture_is_private_new_and_goes_when_nothing_was_registered)
{
	char path[TMPDIR_BYTES + 32];
	struct stat status;
	(void)snprintf(path, sizeof(path), "%s/qr.png", mfa_folder);
	mfa_answer_begun(MFA_URI);
	(void)mfa_answer(SKM_AUTH_OK);
	(void)umask(0);
	cr_expect_eq(
		mfa_run(skm_verb_mfa_enrol, "", "--user sato --no-confirm --png %s", path), SKM_EXIT_YES);
	cr_assert_eq(stat(path, &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0600u);
	cr_expect_gt(status.st_size, 1000);
	mfa_says(path);
	cr_expect_null(strstr(mfa_out, "otpauth"), "the picture was asked for, not the text");
	/* There already: nothing is asked, the file stays. */
	cr_expect_eq(mfa_run(skm_verb_mfa_enrol, "", "--user sato --png %s", path), SKM_EXIT_UNKNOWN);
	cr_expect_eq(mfa_request_count, 0u);
	mfa_says("it exists already");
	cr_assert_eq(stat(path, &status), 0);
	cr_expect_gt(status.st_size, 1000);
	(void)unlink(path);
	mfa_answer_begun(MFA_URI);
	cr_expect_eq(mfa_run(skm_verb_mfa_enrol, "", "--user sato --png %s", path), SKM_EXIT_NO);
	cr_expect_neq(stat(path, &status), 0);
	cr_assert_eq(symlink("/nonexistent/x", path), 0);
	cr_expect_eq(mfa_run(skm_verb_mfa_enrol, "", "--user sato --png %s", path), SKM_EXIT_UNKNOWN);
}

Test(mfa_enrol, drawing_is_as_asked)
{
	mfa_answer_begun(MFA_URI);
	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(mfa_run(skm_verb_mfa_enrol, "1\n", "--user sato --qr utf8"), SKM_EXIT_YES);
	mfa_prints("\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88");
	mfa_prints("\nGEZD GNBV ");
	cr_expect_null(strchr(mfa_out, '\033'), "no colours in a file");
	mfa_answer_begun(MFA_URI);
	(void)mfa_answer(SKM_AUTH_OK);
	cr_expect_eq(mfa_run(skm_verb_mfa_enrol, "1\n", "--user sato --qr ansi --uri"), SKM_EXIT_YES);
	mfa_prints("\033[40m  ");
	mfa_prints("\n" MFA_URI "\n");
}

Test(mfa_enrol, an_answer_that_is_none_is_told)
{
	mfa_answer_text(SKM_AUTH_OK, "https://example.org/");
	cr_expect_eq(mfa_run(skm_verb_mfa_enrol, "1\n", "--user sato"), SKM_EXIT_UNKNOWN);
	mfa_says("another version");
	mfa_answer_text(SKM_AUTH_OK, MFA_URI); /* without a ticket */
	cr_expect_eq(mfa_run(skm_verb_mfa_enrol, "1\n", "--user sato"), SKM_EXIT_UNKNOWN);
	mfa_answer_text(SKM_AUTH_OK, "{\"user\":\"x\"}");
	cr_expect_eq(mfa_run(skm_verb_mfa_status, "", "--user sato"), SKM_EXIT_UNKNOWN);
	cr_expect_str_eq(mfa_out, "");
	mfa_exchange_count = 1;
	mfa_exchanges[0].count = 0; /* hangs up */
	cr_expect_eq(mfa_run(skm_verb_mfa_status, "", "--user sato"), SKM_EXIT_UNKNOWN);
	cr_expect_str_neq(mfa_err, "");
}
