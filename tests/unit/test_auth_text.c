// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "sekimori/auth_text.h"
#include "sekimori/io.h"

static char line[256];
static const char *format(
	enum skm_auth_text text, enum skm_language language, unsigned number, unsigned number2)
{
	/* 2026-12-31 is the last day */
	struct tm first_after = {.tm_year = 127, .tm_mon = 0, .tm_mday = 1, .tm_isdst = -1};
	struct skm_auth_text_values values = {
		.number = number, .number2 = number2, .until_sec = mktime(&first_after)};
	skm_auth_text_format(text, language, &values, line, sizeof(line));
	return line;
}
#define JA(text, ...) format(SKM_AUTH_TEXT_##text, SKM_LANGUAGE_JA, __VA_ARGS__)
#define EN(text, ...) format(SKM_AUTH_TEXT_##text, SKM_LANGUAGE_EN, __VA_ARGS__)

Test(auth_text, the_agreed_wording)
{
	cr_expect_str_eq(JA(PROMPT, 6, 0), "確認コード (6桁): ");
	cr_expect_str_eq(EN(PROMPT, 6, 0), "Verification code (6 digits): ");
	cr_expect_str_eq(JA(PROMPT, 8, 0), "確認コード (8桁): ");
	cr_expect_str_eq(JA(WRONG, 0, 0), "確認コードが違います。");
	cr_expect_str_eq(EN(WRONG, 0, 0), "Wrong verification code.");
	cr_expect_str_eq(JA(REPLAYED, 0, 0), "使用済みのコードです。次の表示を待ってください。");
	cr_expect_str_eq(EN(REPLAYED, 0, 0), "Code already used. Wait for the next one.");
	cr_expect_str_eq(JA(LOCKED, 5, 15), "入力を5回誤りました。15分後にやり直してください。");
	cr_expect_str_eq(EN(LOCKED, 5, 15), "Too many attempts (5). Try again in 15 minutes.");
	cr_expect_str_eq(EN(LOCKED, 6, 1), "Too many attempts (6). Try again in 1 minute.");
	cr_expect_str_eq(JA(CLOCK, 0, 0), "端末の時刻がずれています。情報システム課に連絡してください。");
	cr_expect_str_eq(EN(CLOCK, 0, 0), "This terminal's clock is wrong. Call the IT section.");
	cr_expect_str_eq(JA(GRACE, 0, 0), "多要素認証が未登録です。2026年12月31日までに登録してください。");
	cr_expect_str_eq(EN(GRACE, 0, 0), "MFA is not set up. Enrol by 2026-12-31.");
	cr_expect_str_eq(
		JA(UNENROLLED, 0, 0), "多要素認証が未登録のため使用できません。所属長に連絡してください。");
	cr_expect_str_eq(
		EN(UNENROLLED, 0, 0), "MFA is not set up; sign-in is not allowed. Ask your section head.");
	cr_expect_str_eq(JA(GENERIC, 0, 0), "認証できませんでした。");
	cr_expect_str_eq(EN(GENERIC, 0, 0), "Authentication failed.");
	cr_expect_str_eq(JA(RECOVERY_USED, 9, 0), "代用コードで認証しました。残り9個です。");
	cr_expect_str_eq(EN(RECOVERY_USED, 9, 0), "Signed in with a recovery code (9 left).");
}

Test(auth_text, the_last_recovery_code_says_what_to_do)
{
	cr_expect_str_eq(
		JA(RECOVERY_USED, 0, 0), "最後の代用コードで認証しました。再発行を依頼してください。");
	cr_expect_str_eq(EN(RECOVERY_USED, 0, 0), "Signed in with the last recovery code. Ask for new ones.");
}

Test(auth_text, unknown_digits_are_not_named)
{
	cr_expect_str_eq(JA(PROMPT, 0, 0), "確認コード: ");
	cr_expect_str_eq(EN(PROMPT, 0, 0), "Verification code: ");
	cr_expect_null(strchr(JA(SPLIT_PROMPT, 0, 0), '0'));
	cr_expect_null(strchr(EN(SPLIT_PROMPT, 0, 0), '0'));
}

static unsigned columns_of(const char *text)
{
	unsigned columns = 0;
	for (; *text; text++)
		if (((unsigned char)*text & 0xc0) != 0x80)
			columns += (unsigned char)*text >= 0x80 ? 2 : 1;
	return columns;
}

static bool holds(const char *text, const char *word)
{
	return strcasestr(text, word) != NULL;
}

Test(auth_text, prompts_are_short_and_without_the_word_that_programs_look_for)
{
	static const enum skm_auth_text prompts[] = {SKM_AUTH_TEXT_PROMPT, SKM_AUTH_TEXT_SPLIT_PROMPT};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(prompts); i++)
		for (unsigned language = 0; language < SKM_LANGUAGE_COUNT_; language++)
			for (unsigned digits = 0; digits <= 8; digits += 2) {
				const char *text = format(prompts[i], (enum skm_language)language, digits, 0);
				cr_expect_leq(columns_of(text), 54, "%s", text);
				cr_expect_not(holds(text, "password") || holds(text, "pasuwa"), "%s", text);
				cr_expect_str_eq(text + strlen(text) - 2, ": ");
			}
}

Test(auth_text, every_text_stands_in_both_languages_and_english_is_ascii)
{
	for (unsigned text = 0; text < SKM_AUTH_TEXT_COUNT_; text++) {
		const char *ja = format((enum skm_auth_text)text, SKM_LANGUAGE_JA, 5, 15);
		cr_expect(skm_utf8_is_valid(ja, strlen(ja)) && strlen(ja) > 0 && !holds(ja, "%"));
		cr_expect_gt(columns_of(ja), strlen(ja) / 3, "%s", ja);
		const char *en = format((enum skm_auth_text)text, SKM_LANGUAGE_EN, 5, 15);
		cr_expect_gt(strlen(en), 0);
		for (const char *at = en; *at; at++)
			cr_expect(*at >= ' ' && *at < 0x7f, "%s", en);
		cr_expect_not(holds(en, "%"));
	}
	(void)format((enum skm_auth_text)999, SKM_LANGUAGE_EN, 0, 0);
	cr_expect_str_eq(line, "Authentication failed.");
}

Test(auth_text, nothing_is_cut_inside_a_character)
{
	struct skm_auth_text_values values = {
		.number = UINT32_MAX, .number2 = UINT32_MAX, .until_sec = INT64_MAX};
	for (unsigned text = 0; text < SKM_AUTH_TEXT_COUNT_; text++) {
		size_t whole_len = 0;
		for (size_t size = 256; size > 0; size--) {
			char *exact = malloc(size); /* AddressSanitizer sees the first byte too far */
			cr_assert_not_null(exact);
			skm_auth_text_format((enum skm_auth_text)text, SKM_LANGUAGE_JA, &values, exact, size);
			size_t len = strlen(exact);
			if (size == 256)
				whole_len = len;
			cr_expect(skm_utf8_is_valid(exact, len), "%u %zu", text, size);
			cr_expect(len == whole_len || len + 4 > size, "%u %zu: cut too early", text, size);
			free(exact);
		}
	}
	char untouched = 'x';
	skm_auth_text_format(SKM_AUTH_TEXT_WRONG, SKM_LANGUAGE_JA, &values, &untouched, 0);
	cr_expect_eq(untouched, 'x');
}

Test(auth_text, a_time_that_no_calendar_holds)
{
	struct skm_auth_text_values values = {.until_sec = INT64_MIN};
	skm_auth_text_format(SKM_AUTH_TEXT_GRACE, SKM_LANGUAGE_EN, &values, line, sizeof(line));
	cr_expect_str_eq(line, "MFA is not set up. Enrol by ?.");
}

Test(auth_text, a_linux_console_draws_no_kanji)
{
	static const char *const consoles[] = {"tty1", "/dev/tty1", "tty63", "console", "/dev/console"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(consoles); i++) {
		cr_expect_not(skm_auth_text_draws_kanji("login", consoles[i]), "%s", consoles[i]);
		cr_expect_not(skm_auth_text_draws_kanji(NULL, consoles[i]), "%s", consoles[i]);
		/* GDM's worker names the console of a screen that draws everything */
		cr_expect(skm_auth_text_draws_kanji("gdm-password", consoles[i]));
		cr_expect(skm_auth_text_draws_kanji("lightdm", consoles[i]));
	}
	static const char *const others[] = {
		":0", ":10.0", "pts/0", "/dev/pts/3", "ssh", "tty", "ttyS0", "", "x"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(others); i++)
		cr_expect(skm_auth_text_draws_kanji("sudo", others[i]), "%s", others[i]);
	cr_expect(skm_auth_text_draws_kanji("i3lock", NULL));
}
