// SPDX-License-Identifier: Apache-2.0
/* The plain line, as login and the greeters run it. */
#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "pam_scene.h"
#include "pam_sekimori.h"

#define JA_PROMPT "[ask] 確認コード (6桁): \n"
#define UNAVAILABLE "[error] 確認サービスが応答しません。情報システム課に連絡してください。\n"

static struct scene scene;

static void begin(void)
{
	memset(&scene, 0, sizeof(scene));
	scene.answers[0] = "123456";
	fake_authd_say(&scene.orders.prepare, SKM_AUTH_PROMPT);
	fake_authd_say_number(&scene.orders.prepare, SKM_AUTH_TAG_DIGITS, 6);
	fake_authd_say(&scene.orders.verify, SKM_AUTH_OK);
}

static void expect(int result, const char *said, unsigned verifies)
{
	scene_play(&scene);
	cr_expect_eq(scene.result, result, "%d", scene.result);
	cr_expect_str_eq(scene.said, said);
	cr_expect_eq(scene.authd.seen->verifies, verifies, "%u", scene.authd.seen->verifies);
	if (result == PAM_SUCCESS)
		cr_expect_eq(scene.setcred_result, PAM_SUCCESS);
	else
		cr_expect(scene.fail_delay_usec >= 1000000 && scene.fail_delay_usec <= 3000000, "%u",
			scene.fail_delay_usec); /* libpam varies it by half */
	scene_end(&scene);
}

static bool field_is(enum skm_auth_tag tag, const char *text)
{
	size_t len = strlen(text);
	return scene.verify.field[tag] && scene.verify.field_len[tag] == len &&
	       memcmp(scene.verify.field[tag], text, len) == 0;
}

TestSuite(pam_module, .init = begin, .timeout = 60);

Test(pam_module, a_right_code)
{
	scene.tty = ":0";
	scene.rhost = "192.0.2.7";
	scene.answers[0] = "１２３ 456";
	scene_play(&scene);
	cr_expect_eq(scene.result, PAM_SUCCESS);
	cr_expect_eq(scene.setcred_result, PAM_SUCCESS);
	cr_expect_str_eq(scene.said, JA_PROMPT);
	cr_expect_eq(scene.authd.seen->prepares, 1);
	cr_expect(field_is(SKM_AUTH_TAG_USER, "yamada"));
	cr_expect(field_is(SKM_AUTH_TAG_SERVICE, "login"));
	cr_expect(field_is(SKM_AUTH_TAG_TTY, ":0"));
	cr_expect(field_is(SKM_AUTH_TAG_RHOST, "192.0.2.7"));
	cr_expect(field_is(SKM_AUTH_TAG_ANSWER, "１２３ 456"), "as typed");
	cr_expect_null(scene.verify.field[SKM_AUTH_TAG_FLAGS]);
	scene_end(&scene);
}

Test(pam_module, every_outcome)
{
	static const struct {
		enum skm_auth_outcome outcome;
		int result;
		const char *said;
	} cases[] = {
		{SKM_AUTH_MORE, PAM_SYSTEM_ERR, UNAVAILABLE},
		{SKM_AUTH_PROMPT, PAM_SYSTEM_ERR, UNAVAILABLE},
		{SKM_AUTH_WRONG, PAM_AUTH_ERR, "[error] 確認コードが違います。\n"},
		{SKM_AUTH_REPLAYED, PAM_AUTH_ERR,
			"[error] 使用済みのコードです。次の表示を待ってください。\n"},
		{SKM_AUTH_LOCKED, PAM_AUTH_ERR,
			"[error] 入力を5回誤りました。15分後にやり直してください。\n"},
		{SKM_AUTH_CLOCK, PAM_AUTH_ERR,
			"[error] 端末の時刻がずれています。情報システム課に連絡してください。\n"},
		{SKM_AUTH_UNENROLLED, PAM_AUTH_ERR,
			"[error] 多要素認証が未登録のため使用できません。所属長に連絡してください。\n"},
		{SKM_AUTH_NOT_A_CODE, PAM_AUTH_ERR,
			"[error] 確認コードの形式が違います。表示された数字を入力してください。\n"},
		{SKM_AUTH_DAMAGED, PAM_SYSTEM_ERR,
			"[error] 多要素認証の記録を読めません。情報システム課に連絡してください。\n"},
		{SKM_AUTH_WRONG_KEY, PAM_SYSTEM_ERR,
			"[error] 多要素認証の記録を読めません。情報システム課に連絡してください。\n"},
		{SKM_AUTH_UNAVAILABLE, PAM_SYSTEM_ERR, UNAVAILABLE},
		{SKM_AUTH_DENIED, PAM_AUTH_ERR, "[error] 認証できませんでした。\n"},
		{SKM_AUTH_BUSY, PAM_SYSTEM_ERR, UNAVAILABLE},
		{SKM_AUTH_BAD_REQUEST, PAM_SYSTEM_ERR, "[error] 認証できませんでした。\n"},
		{SKM_AUTH_CONFLICT, PAM_SYSTEM_ERR, "[error] 認証できませんでした。\n"},
		{SKM_AUTH_REFUSED, PAM_SYSTEM_ERR, "[error] 認証できませんでした。\n"},
		{(enum skm_auth_outcome)99, PAM_SYSTEM_ERR, UNAVAILABLE},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		begin();
		fake_authd_say(&scene.orders.verify, cases[i].outcome);
		fake_authd_say_number(&scene.orders.verify, SKM_AUTH_TAG_TRIES, 5);
		fake_authd_say_number(&scene.orders.verify, SKM_AUTH_TAG_WAIT_SEC, 841); /* 14 min 1 s */
		char said[512] = JA_PROMPT;
		expect(cases[i].result, strcat(said, cases[i].said), 1);
	}
}

/* Its GTK greeter writes "Your password is incorrect" over what was sent as an error. */
Test(pam_module, lightdm_is_told_by_information)
{
	scene.service = "lightdm";
	fake_authd_say(&scene.orders.verify, SKM_AUTH_WRONG);
	expect(PAM_AUTH_ERR, JA_PROMPT "[info] 確認コードが違います。\n", 1);
}

/* Alone in its stack, PAM_IGNORE is no permission; beside one that permits, it does not hinder. */
#define PERMITTED "auth required STUB ask=secret\nauth required SEKIMORI\n"

Test(pam_module, not_required_is_ignored_with_a_word)
{
	fake_authd_say(&scene.orders.prepare, SKM_AUTH_NOT_REQUIRED);
	scene.lines = PERMITTED;
	scene.answers[0] = "secret";
	expect(PAM_SUCCESS, "[ask] Password: \n[info] 確認コードは不要です。\n", 0);

	begin();
	fake_authd_say(&scene.orders.prepare, SKM_AUTH_NOT_REQUIRED);
	expect(PAM_PERM_DENIED, "[info] 確認コードは不要です。\n", 0);
}

Test(pam_module, not_required_until_a_day)
{
	struct tm first_after = {.tm_year = 127, .tm_mon = 3, .tm_mday = 1, .tm_isdst = -1};
	fake_authd_say(&scene.orders.prepare, SKM_AUTH_NOT_REQUIRED);
	fake_authd_say_number(&scene.orders.prepare, SKM_AUTH_TAG_UNTIL, (uint64_t)mktime(&first_after));
	scene.lines = PERMITTED;
	scene.answers[0] = "secret";
	expect(PAM_SUCCESS,
		"[ask] Password: \n[info] 多要素認証が未登録です。2027年3月31日までに登録してください。\n",
		0);
}

Test(pam_module, no_error_is_ignored)
{
	static const enum fake_authd_way ways[] = {
		FAKE_AUTHD_ABSENT, FAKE_AUTHD_DEAD, FAKE_AUTHD_HANGS_UP, FAKE_AUTHD_ANSWERS_AT_DOOR};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(ways); i++) {
		begin();
		scene.orders.way = ways[i];
		fake_authd_say(&scene.orders.other, SKM_AUTH_BUSY);
		scene_play(&scene);
		cr_expect_eq(scene.result, PAM_SYSTEM_ERR, "%zu", i);
		cr_expect_str_eq(scene.said, "[ask] 確認コード: \n" UNAVAILABLE, "%s", scene.said);
		scene_end(&scene);
	}
}

Test(pam_module, prepare_never_permits)
{
	for (unsigned outcome = 0; outcome <= SKM_AUTH_OUTCOME_COUNT_; outcome++) {
		if (outcome == SKM_AUTH_NOT_REQUIRED)
			continue;
		begin();
		fake_authd_say(&scene.orders.prepare, (enum skm_auth_outcome)outcome);
		fake_authd_say(&scene.orders.verify, SKM_AUTH_WRONG);
		expect(PAM_AUTH_ERR, "[ask] 確認コード: \n[error] 確認コードが違います。\n", 1);
	}
}

Test(pam_module, a_hung_authd_costs_three_seconds_and_no_more)
{
	struct timespec start, end;
	scene.orders.way = FAKE_AUTHD_NEVER_ANSWERS;
	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	scene_play(&scene);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	double used_sec = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
	cr_expect_eq(scene.result, PAM_SYSTEM_ERR);
	cr_expect_str_eq(scene.said, "[ask] 確認コード: \n" UNAVAILABLE);
	cr_expect(used_sec > 2.5 && used_sec < 3.6, "%f", used_sec);
	scene_end(&scene);
}

Test(pam_module, malformed_answers_are_failures)
{
	static const char *const answers[] = {"\2\3", "\1", "\1\3\x2c\x07", "\1\x12"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(answers); i++) {
		begin();
		scene.orders.prepare.len = strlen(answers[i]);
		memcpy(scene.orders.prepare.bytes, answers[i], scene.orders.prepare.len);
		scene.orders.verify = scene.orders.prepare;
		expect(PAM_SYSTEM_ERR, "[ask] 確認コード: \n" UNAVAILABLE, 1);
	}
}

Test(pam_module, authtok_and_user_stay_as_they_are)
{
	scene.lines = "auth required STUB ask=secret\nauth required SEKIMORI\nauth required STUB show\n";
	scene.answers[0] = "secret";
	scene.answers[1] = "123456";
	expect(PAM_SUCCESS, "[ask] Password: \n" JA_PROMPT "[info] AUTHTOK=secret USER=yamada\n", 1);
}

Test(pam_module, an_application_that_answers_with_the_password_is_not_counted)
{
	scene.lines = PERMITTED;
	scene.application = SCENE_SAME_ANSWER;
	scene.answers[0] = "secret";
	expect(PAM_AUTH_ERR,
		"[ask] Password: \n" JA_PROMPT
		"[error] パスワードではなく、確認コードを入力してください。入力欄が1つなら情報システム課に連絡してください。\n",
		0);
}

Test(pam_module, sshd_s_placeholder_is_not_counted)
{
	static const char *const answers[] = {
		"\b\n\r\177INCORRECT", "\b\n\r\177INCORRECT\b\n\r\177INC", "\b\n\r\177IN", "\b"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(answers); i++) {
		begin();
		scene.answers[0] = answers[i];
		expect(PAM_AUTH_ERR,
			JA_PROMPT
			"[error] パスワードではなく、確認コードを入力してください。入力欄が1つなら情報システム課に連絡してください。\n",
			0);
	}
}

Test(pam_module, an_empty_answer_is_authd_s_to_judge)
{
	scene.answers[0] = "";
	fake_authd_say(&scene.orders.verify, SKM_AUTH_NOT_A_CODE);
	expect(PAM_AUTH_ERR,
		JA_PROMPT "[error] 確認コードの形式が違います。表示された数字を入力してください。\n", 1);
}

Test(pam_module, answers_of_any_bytes)
{
	char *large = malloc(1024 * 1024 + 1);
	cr_assert_not_null(large);
	memset(large, '1', 1024 * 1024);
	large[1024 * 1024] = '\0';
	scene.answers[0] = large;
	expect(PAM_AUTH_ERR,
		JA_PROMPT "[error] 確認コードの形式が違います。表示された数字を入力してください。\n", 0);
	large[SKM_PAM_ANSWER_MAX] = '\0'; /* the longest that is sent */
	begin();
	scene.answers[0] = large;
	expect(PAM_SUCCESS, JA_PROMPT, 1);
	free(large);
	begin();
	scene.answers[0] = "\xff\xfe\x80%s%n\n";
	expect(PAM_SUCCESS, JA_PROMPT, 1);
}

Test(pam_module, applications_that_converse_wrongly)
{
	static const enum scene_application applications[] = {
		SCENE_NULL_RESPONSE, SCENE_NULL_ANSWER, SCENE_ABORT, SCENE_ERROR_AND_GARBAGE};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(applications); i++) {
		begin();
		scene.application = applications[i];
		expect(PAM_CONV_ERR, JA_PROMPT, 0);
	}
	begin();
	scene.application = SCENE_NO_CONV;
	expect(PAM_CONV_ERR, "", 0);
	begin();
	scene.application = SCENE_RESPONDS_TO_INFO;
	fake_authd_say(&scene.orders.verify, SKM_AUTH_WRONG);
	expect(PAM_AUTH_ERR, JA_PROMPT "[error] 確認コードが違います。\n", 1);
}

Test(pam_module, an_application_that_is_not_ready_is_asked_again)
{
	scene.application = SCENE_AGAIN;
	expect(PAM_SUCCESS, JA_PROMPT JA_PROMPT, 1);
}

Test(pam_module, the_user_is_asked_for_when_nobody_said)
{
	scene.user_is_asked = true;
	scene.answers[0] = "suzuki";
	scene.answers[1] = "123456";
	scene_play(&scene);
	cr_expect_eq(scene.result, PAM_SUCCESS);
	cr_expect(field_is(SKM_AUTH_TAG_USER, "suzuki"));
	scene_end(&scene);
}

Test(pam_module, names_that_nobody_has)
{
	static char name[2048];
	static const char *const names[] = {"a\nb", "../../etc", "%s%n", "\xff\xfe", "山田"};
	fake_authd_say(&scene.orders.verify, SKM_AUTH_WRONG);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(names); i++) {
		scene.user = names[i];
		scene.said[0] = '\0';
		scene.prompts = 0;
		scene_play(&scene);
		cr_expect_eq(scene.result, PAM_AUTH_ERR);
		cr_expect(field_is(SKM_AUTH_TAG_USER, names[i]), "%zu", i);
		scene_end(&scene);
	}
	static const size_t lengths[] = {0, 256, 257, 1024, 2047};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(lengths); i++) {
		memset(name, 'a', sizeof(name));
		name[lengths[i]] = '\0';
		scene.user = name;
		scene.said[0] = '\0';
		scene.prompts = 0;
		scene_play(&scene);
		cr_expect_eq(scene.result, PAM_AUTH_ERR);
		cr_expect_str_eq(scene.said, JA_PROMPT "[error] 確認コードが違います。\n");
		if (lengths[i] == 0)
			cr_expect(field_is(SKM_AUTH_TAG_USER, "\n"));
		else if (lengths[i] > 256)
			cr_expect(scene.verify.field_len[SKM_AUTH_TAG_USER] == 256 &&
				  scene.verify.field[SKM_AUTH_TAG_USER][255] == '\n');
		else
			cr_expect(field_is(SKM_AUTH_TAG_USER, name));
		scene_end(&scene);
	}
}

Test(pam_module, silent_means_no_texts_but_the_prompt)
{
	scene.flags = (int)PAM_SILENT;
	fake_authd_say(&scene.orders.verify, SKM_AUTH_WRONG);
	expect(PAM_AUTH_ERR, JA_PROMPT, 1);
	begin();
	scene.flags = (int)PAM_SILENT;
	scene.lines = PERMITTED;
	scene.answers[0] = "secret";
	fake_authd_say(&scene.orders.prepare, SKM_AUTH_NOT_REQUIRED);
	expect(PAM_SUCCESS, "[ask] Password: \n", 0);
}

Test(pam_module, a_recovery_code_says_how_many_are_left)
{
	fake_authd_say_number(&scene.orders.verify, SKM_AUTH_TAG_LEFT, 9);
	fake_authd_say_number(&scene.orders.verify, SKM_AUTH_TAG_FACTOR, SKM_AUTH_FACTOR_RECOVERY);
	expect(PAM_SUCCESS, JA_PROMPT "[info] 代用コードで認証しました。残り9個です。\n", 1);
	begin();
	fake_authd_say_number(&scene.orders.verify, SKM_AUTH_TAG_FACTOR, SKM_AUTH_FACTOR_SUBSTITUTE);
	expect(PAM_SUCCESS, JA_PROMPT "[info] 代用コードで認証しました。このコードはもう使えません。\n", 1);
	begin();
	fake_authd_say_number(&scene.orders.verify, SKM_AUTH_TAG_FACTOR, SKM_AUTH_FACTOR_TOKEN);
	expect(PAM_SUCCESS, JA_PROMPT, 1);
}

Test(pam_module, which_language)
{
	fake_authd_say_number(&scene.orders.prepare, SKM_AUTH_TAG_LANGUAGE, SKM_LANGUAGE_EN);
	expect(PAM_SUCCESS, "[ask] Verification code (6 digits): \n", 1);
	begin(); /* authd's word goes before the line's */
	fake_authd_say_number(&scene.orders.prepare, SKM_AUTH_TAG_LANGUAGE, SKM_LANGUAGE_JA);
	scene.lines = "auth required SEKIMORI lang=en\n";
	expect(PAM_SUCCESS, JA_PROMPT, 1);
	begin();
	scene.lines = "auth required SEKIMORI lang=en\n";
	expect(PAM_SUCCESS, "[ask] Verification code (6 digits): \n", 1);
	begin(); /* what cannot be drawn is not shown, whoever wants it */
	fake_authd_say_number(&scene.orders.prepare, SKM_AUTH_TAG_LANGUAGE, SKM_LANGUAGE_JA);
	scene.tty = "/dev/tty1";
	expect(PAM_SUCCESS, "[ask] Verification code (6 digits): \n", 1);
	begin();
	scene.tty = "/dev/tty1";
	scene.service = "gdm-password";
	expect(PAM_SUCCESS, JA_PROMPT, 1);
	begin(); /* a language of the future */
	fake_authd_say_number(&scene.orders.prepare, SKM_AUTH_TAG_LANGUAGE, 77);
	expect(PAM_SUCCESS, JA_PROMPT, 1);
}

Test(pam_module, an_unknown_argument_fails_after_the_prompt)
{
	scene.lines = "auth required STUB ask=secret\nauth required SEKIMORI debug\n";
	scene.answers[0] = "secret";
	scene.answers[1] = "123456";
	expect(PAM_SYSTEM_ERR, "[ask] Password: \n[ask] 確認コード: \n[error] 認証できませんでした。\n", 0);
}
