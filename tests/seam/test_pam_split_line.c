// SPDX-License-Identifier: Apache-2.0
/* The split line before a password module, the plain line after it, as lockers with one field run them. */
#include <criterion/criterion.h>
#include <string.h>

#include "pam_scene.h"

#define STACK \
	"auth required SEKIMORI split\nauth required STUB ask=secret\nauth required SEKIMORI\nauth required STUB show\n"
#define ONE_PROMPT "[ask] パスワードに続けて確認コード (6桁): \n"
#define KEYRING "[info] AUTHTOK=secret USER=yamada\n"

static struct scene scene;

static void begin(void)
{
	memset(&scene, 0, sizeof(scene));
	scene.lines = STACK;
	scene.service = "i3lock";
	scene.application = SCENE_SAME_ANSWER;
	scene.answers[0] = "secret123456";
	fake_authd_say(&scene.orders.prepare, SKM_AUTH_PROMPT);
	fake_authd_say_number(&scene.orders.prepare, SKM_AUTH_TAG_DIGITS, 6);
	fake_authd_say(&scene.orders.verify, SKM_AUTH_OK);
}

static void expect(int result, const char *said, unsigned verifies)
{
	scene_play(&scene);
	cr_expect_eq(scene.result, result, "%d", scene.result);
	cr_expect_str_eq(scene.said, said);
	cr_expect_eq(scene.authd.seen->verifies, verifies);
	cr_expect(result != PAM_SUCCESS || scene.setcred_result == PAM_SUCCESS);
}

static void expect_code(const char *code)
{
	cr_expect_eq(scene.verify.field_len[SKM_AUTH_TAG_ANSWER], strlen(code));
	cr_expect_eq(memcmp(scene.verify.field[SKM_AUTH_TAG_ANSWER], code, strlen(code)), 0);
	cr_expect_eq(skm_auth_packet_number(&scene.verify, SKM_AUTH_TAG_FLAGS, 0), SKM_AUTH_FLAG_SPLIT);
}

TestSuite(pam_split_line, .init = begin, .timeout = 60);

Test(pam_split_line, one_field_one_prompt)
{
	expect(PAM_SUCCESS, ONE_PROMPT KEYRING, 1);
	expect_code("123456");
	cr_expect_eq(scene.authd.seen->prepares, 2);
	scene_end(&scene);
}

Test(pam_split_line, eight_digits_and_a_recovery_code)
{
	fake_authd_say(&scene.orders.prepare, SKM_AUTH_PROMPT);
	fake_authd_say_number(&scene.orders.prepare, SKM_AUTH_TAG_DIGITS, 8);
	scene.answers[0] = "secret12345678";
	expect(PAM_SUCCESS, "[ask] パスワードに続けて確認コード (8桁): \n" KEYRING, 1);
	expect_code("12345678");
	scene_end(&scene);
	begin();
	scene.answers[0] = "secret10-ACEF-HJKL-MQRT-UWXY-ACEF";
	fake_authd_say_number(&scene.orders.verify, SKM_AUTH_TAG_LEFT, 3);
	fake_authd_say_number(&scene.orders.verify, SKM_AUTH_TAG_FACTOR, SKM_AUTH_FACTOR_RECOVERY);
	expect(PAM_SUCCESS, ONE_PROMPT "[info] 代用コードで認証しました。残り3個です。\n" KEYRING, 1);
	expect_code("10-ACEF-HJKL-MQRT-UWXY-ACEF");
	scene_end(&scene);
}

Test(pam_split_line, a_wrong_code)
{
	fake_authd_say(&scene.orders.verify, SKM_AUTH_WRONG);
	expect(PAM_AUTH_ERR, ONE_PROMPT "[error] 確認コードが違います。\n" KEYRING, 1);
	scene_end(&scene);
}

Test(pam_split_line, a_field_without_a_code_asks_nothing_more)
{
	scene.answers[0] = "secret";
	expect(PAM_AUTH_ERR, ONE_PROMPT "[error] 確認コードが違います。\n" KEYRING, 0);
	scene_end(&scene);
}

Test(pam_split_line, a_wrong_password_never_reaches_authd)
{
	scene.lines =
		"auth required SEKIMORI split\nauth requisite STUB ask=secret\nauth required SEKIMORI\n";
	scene.answers[0] = "wrong123456";
	expect(PAM_AUTH_ERR, ONE_PROMPT, 0);
	scene_end(&scene);
}

Test(pam_split_line, not_required_means_the_whole_field_is_the_password)
{
	fake_authd_say(&scene.orders.prepare, SKM_AUTH_NOT_REQUIRED);
	scene.lines =
		"auth required SEKIMORI split\nauth required STUB ask=secret123456\nauth required SEKIMORI\n";
	expect(PAM_SUCCESS, "[ask] Password: \n[info] 確認コードは不要です。\n", 0);
	scene_end(&scene);
}

static uint64_t flags_of_last_prepare(void)
{
	const struct fake_authd_seen *seen = scene.authd.seen;
	struct skm_auth_packet packet;
	cr_assert_eq(skm_auth_packet_parse(seen->last_prepare, seen->last_prepare_len, &packet), 0);
	return skm_auth_packet_number(&packet, SKM_AUTH_TAG_FLAGS, 0);
}

static void expect_last_prepare(const char *password, int result, const char *said, uint64_t flags)
{
	begin();
	fake_authd_say(&scene.orders.prepare, SKM_AUTH_NOT_REQUIRED);
	scene.lines = "auth required SEKIMORI split\nauth requisite STUB ask=right\nauth required SEKIMORI\n";
	scene.answers[0] = password;
	expect(result, said, 0);
	cr_expect_eq(flags_of_last_prepare(), flags);
	scene_end(&scene);
}

Test(pam_split_line, authd_learns_which_line_asks)
{
	expect_last_prepare("wrong", PAM_AUTH_ERR, "[ask] Password: \n", SKM_AUTH_FLAG_SPLIT);
	expect_last_prepare("right", PAM_SUCCESS, "[ask] Password: \n[info] 確認コードは不要です。\n", 0);
}

Test(pam_split_line, other_services_are_asked_twice)
{
	scene.service = "login";
	scene.application = SCENE_NORMAL;
	scene.answers[0] = "secret";
	scene.answers[1] = "123456";
	expect(PAM_SUCCESS, "[ask] Password: \n[ask] 確認コード (6桁): \n" KEYRING, 1);
	cr_expect_eq(scene.authd.seen->prepares, 1);
	scene_end(&scene);
}

Test(pam_split_line, an_absent_authd_leaves_the_password_right)
{
	scene.orders.way = FAKE_AUTHD_ABSENT;
	expect(PAM_SYSTEM_ERR,
		"[ask] パスワードに続けて確認コード: \n"
		"[error] 確認サービスが応答しません。情報システム課に連絡してください。\n" KEYRING,
		0);
	scene_end(&scene);
}

Test(pam_split_line, a_module_before_us_has_asked)
{
	scene.lines = "auth optional STUB ask=x\n" STACK;
	expect(PAM_SUCCESS, "[ask] Password: \n" KEYRING, 1);
	expect_code("123456");
	scene_end(&scene);
}

Test(pam_split_line, it_decides_nothing)
{
	static const enum scene_application applications[] = {
		SCENE_NULL_RESPONSE, SCENE_NULL_ANSWER, SCENE_ABORT, SCENE_ERROR_AND_GARBAGE};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(applications); i++) {
		begin();
		scene.application = applications[i];
		scene.lines = "auth required SEKIMORI split\n";
		expect(PAM_PERM_DENIED, ONE_PROMPT, 0);
		scene_end(&scene);
	}
	begin();
	scene.lines = "auth required SEKIMORI split\n";
	expect(PAM_PERM_DENIED, ONE_PROMPT, 0); /* ignored by all: nobody permitted */
	scene_end(&scene);
}

Test(pam_split_line, an_application_that_is_not_ready)
{
	scene.application = SCENE_AGAIN;
	expect(PAM_SUCCESS, ONE_PROMPT ONE_PROMPT KEYRING, 1);
	scene_end(&scene);
}

Test(pam_split_line, an_unknown_argument_fails_it)
{
	scene.lines = "auth required SEKIMORI split servces=i3lock\nauth required STUB ask=secret123456\n";
	expect(PAM_SYSTEM_ERR, "[ask] Password: \n", 0);
	scene_end(&scene);
}
