// SPDX-License-Identifier: Apache-2.0
/* The texts in one table, both languages side by side. gettext was rejected: it reads catalogues by the
 * process's locale, which a login program has not set, from within a privileged process. Japanese ones are
 * 敬体, English ones ASCII, which is what the Linux console draws. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sekimori/auth_text.h"
#include "sekimori/io.h"

#define TEXT_BYTES 256
#define DATE_BYTES 64

/* What fills a gap: %n number, %m number2, %d the last day. */
static const struct {
	const char *ja, *en;
} texts[SKM_AUTH_TEXT_COUNT_] = {
	[SKM_AUTH_TEXT_PROMPT] = {"確認コード (%n桁): ", "Verification code (%n digits): "},
	[SKM_AUTH_TEXT_SPLIT_PROMPT] = {"パスワードに続けて確認コード (%n桁): ",
		"Passphrase, then verification code (%n digits): "},
	[SKM_AUTH_TEXT_WRONG] = {"確認コードが違います。", "Wrong verification code."},
	[SKM_AUTH_TEXT_REPLAYED] = {"使用済みのコードです。次の表示を待ってください。",
		"Code already used. Wait for the next one."},
	[SKM_AUTH_TEXT_LOCKED] = {"入力を%n回誤りました。%m分後にやり直してください。",
		"Too many attempts (%n). Try again in %m minutes."},
	[SKM_AUTH_TEXT_CLOCK] = {"端末の時刻がずれています。情報システム課に連絡してください。",
		"This terminal's clock is wrong. Call the IT section."},
	[SKM_AUTH_TEXT_RECOVERY_USED] = {"代用コードで認証しました。残り%n個です。",
		"Signed in with a recovery code (%n left)."},
	[SKM_AUTH_TEXT_GRACE] = {"多要素認証が未登録です。%dまでに登録してください。",
		"MFA is not set up. Enrol by %d."},
	[SKM_AUTH_TEXT_UNENROLLED] = {"多要素認証が未登録のため使用できません。所属長に連絡してください。",
		"MFA is not set up; sign-in is not allowed. Ask your section head."},
	[SKM_AUTH_TEXT_NOT_A_CODE] = {"確認コードの形式が違います。表示された数字を入力してください。",
		"That is not a verification code. Enter the digits that are shown."},
	[SKM_AUTH_TEXT_SAME_ANSWER] =
		{"パスワードではなく、確認コードを入力してください。入力欄が1つなら情報システム課に連絡してください。",
			"Enter the code, not the password. If there is one field only, call the IT section."},
	[SKM_AUTH_TEXT_DAMAGED] = {"多要素認証の記録を読めません。情報システム課に連絡してください。",
		"The MFA record cannot be read. Call the IT section."},
	[SKM_AUTH_TEXT_UNAVAILABLE] = {"確認サービスが応答しません。情報システム課に連絡してください。",
		"The verification service does not answer. Call the IT section."},
	[SKM_AUTH_TEXT_GENERIC] = {"認証できませんでした。", "Authentication failed."},
	[SKM_AUTH_TEXT_SUBSTITUTE_USED] = {"代用コードで認証しました。このコードはもう使えません。",
		"Signed in with a substitute code. It cannot be used again."},
	[SKM_AUTH_TEXT_NOT_REQUIRED] = {"確認コードは不要です。", "No verification code is needed."},
};

/* A few values read badly in the sentence above. */
static const char *text_of(
	enum skm_auth_text text, enum skm_language language, const struct skm_auth_text_values *values)
{
	if ((unsigned)text >= SKM_AUTH_TEXT_COUNT_)
		text = SKM_AUTH_TEXT_GENERIC;
	if (text == SKM_AUTH_TEXT_PROMPT && values->number == 0)
		return skm_text(language, "確認コード: ", "Verification code: ");
	if (text == SKM_AUTH_TEXT_SPLIT_PROMPT && values->number == 0)
		return skm_text(
			language, "パスワードに続けて確認コード: ", "Passphrase, then verification code: ");
	if (text == SKM_AUTH_TEXT_LOCKED && values->number2 == 1 && language == SKM_LANGUAGE_EN)
		return "Too many attempts (%n). Try again in 1 minute.";
	if (text == SKM_AUTH_TEXT_RECOVERY_USED && values->number == 0)
		return skm_text(language, "最後の代用コードで認証しました。再発行を依頼してください。",
			"Signed in with the last recovery code. Ask for new ones.");
	return language == SKM_LANGUAGE_JA ? texts[text].ja : texts[text].en;
}

/* The last day, in the machine's own time, in which the configuration has it too. */
static void date_format(int64_t until_sec, enum skm_language language, char ret_date[DATE_BYTES])
{
	time_t last_second = (time_t)(until_sec - (until_sec > INT64_MIN ? 1 : 0));
	struct tm day;
	if (!localtime_r(&last_second, &day)) {
		(void)snprintf(ret_date, DATE_BYTES, "?"); /* a year that an int does not hold */
		return;
	}
	(void)snprintf(ret_date, DATE_BYTES, skm_text(language, "%lld年%d月%d日", "%04lld-%02d-%02d"),
		(long long)day.tm_year + 1900, day.tm_mon + 1, day.tm_mday);
}

void skm_auth_text_format(enum skm_auth_text text, enum skm_language language,
	const struct skm_auth_text_values *values, char *buf, size_t size)
{
	if (size == 0)
		return;
	const char *at = text_of(text, language, values);
	char whole[TEXT_BYTES];
	size_t len = 0;
	while (*at && len < sizeof(whole) - DATE_BYTES) {
		if (*at != '%') {
			whole[len++] = *at++;
			continue;
		}
		int n = 0;
		if (at[1] == 'd') {
			date_format(values->until_sec, language, whole + len);
			n = (int)strlen(whole + len);
		} else {
			n = snprintf(whole + len, DATE_BYTES, "%u",
				at[1] == 'n' ? values->number : values->number2);
		}
		len += (size_t)n;
		at += 2;
	}
	size_t fitting = 0;
	for (size_t step; fitting < len; fitting += step) {
		step = skm_utf8_sequence((const unsigned char *)whole + fitting, len - fitting);
		if (step == 0 || step > size - 1 - fitting)
			break;
	}
	memcpy(buf, whole, fitting);
	buf[fitting] = '\0';
}

/* Their screens draw kanji whatever they say of their terminal. Prefixes: gdm-password, lightdm-greeter … */
static bool is_graphical(const char *service)
{
	static const char *const prefixes[] = {"gdm", "lightdm", "sddm", "kde", "lxdm", "xdm"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(prefixes); i++)
		if (strncmp(service, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

bool skm_auth_text_draws_kanji(const char *service, const char *tty)
{
	if (!tty || (service && is_graphical(service)))
		return true;
	if (strncmp(tty, "/dev/", 5) == 0)
		tty += 5;
	if (strcmp(tty, "console") == 0)
		return false;
	if (strncmp(tty, "tty", 3) != 0)
		return true;
	/* "tty1" is a console; "ttyS0" is a serial line with a screen of its own, "tty" says nothing. */
	return tty[3] < '0' || tty[3] > '9';
}
