// SPDX-License-Identifier: Apache-2.0
/* What a person reads, and that nothing a device says of itself is read as anything but its name. */
#include <criterion/criterion.h>
#include <string.h>

#include "bubble_text.h"

static struct skm_refusal stick(void)
{
	struct skm_refusal refusal = {
		.receipt = 1234, .kind = SKM_KIND_STORAGE, .vendor_id = 0x0781, .product_id = 0x5581};
	(void)strcpy(refusal.product, "Ultra");
	return refusal;
}

Test(bubble_text, a_stick_in_both_languages)
{
	const struct skm_refusal refusal = stick();
	struct skm_bubble bubble;
	skm_bubble_refusal(SKM_LANGUAGE_JA, &refusal, &bubble);
	cr_expect_str_eq(bubble.title, "USB機器は使用できません");
	cr_expect_str_eq(bubble.body,
		"この端末では情報の持ち出しができない設定になっています。接続は記録されました。\n"
		"機器: USBメモリ等の記憶装置「Ultra」 (0781:5581)\n"
		"必要な場合は使用申請をしてください。お問い合わせは情報システム課へ。\n"
		"受付番号 1234");
	skm_bubble_refusal(SKM_LANGUAGE_EN, &refusal, &bubble);
	cr_expect_str_eq(bubble.title, "USB device blocked");
	cr_expect_str_eq(bubble.body,
		"This terminal is set so that data cannot be taken out. The connection was recorded.\n"
		"Device: mass storage \"Ultra\" (0781:5581)\n"
		"If needed, file a use request. Questions: call the IT section.\n"
		"No. 1234");
}

Test(bubble_text, a_reason_of_the_configuration_has_a_line)
{
	struct skm_refusal refusal = stick();
	struct skm_bubble bubble;
	refusal.product[0] = '\0';
	(void)strcpy(refusal.reason, "ウイルス検査は窓口2番へ");
	skm_bubble_refusal(SKM_LANGUAGE_JA, &refusal, &bubble);
	cr_expect_not_null(
		strstr(bubble.body,
			"\n理由: ウイルス検査は窓口2番へ\n機器: USBメモリ等の記憶装置 (0781:5581)\n"),
		"%s", bubble.body);
}

Test(bubble_text, each_kind_of_device_has_its_words)
{
	static const struct {
		uint8_t kind;
		const char *japanese, *english;
	} cases[] = {
		{SKM_KIND_IMAGING, "スマートフォン", "Phones"},
		{SKM_KIND_NETWORK, "ネットワーク分離", "network separation"},
		{SKM_KIND_WIRELESS, "ネットワーク分離", "network separation"},
		{SKM_KIND_HID, "登録されていない機器", "Only registered devices"},
		{SKM_KIND_PRINTER, "持ち出し", "taken out"},
		{SKM_KIND_UNKNOWN, "持ち出し", "taken out"},
	};
	struct skm_bubble bubble;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		struct skm_refusal refusal = stick();
		refusal.kind = cases[i].kind;
		skm_bubble_refusal(SKM_LANGUAGE_JA, &refusal, &bubble);
		cr_expect_not_null(strstr(bubble.body, cases[i].japanese), "%s", bubble.body);
		cr_expect_not_null(strstr(bubble.body, "受付番号 1234"), "%s", bubble.body);
		skm_bubble_refusal(SKM_LANGUAGE_EN, &refusal, &bubble);
		cr_expect_not_null(strstr(bubble.body, cases[i].english), "%s", bubble.body);
	}
	struct skm_refusal refusal = stick();
	refusal.is_partial = true;
	skm_bubble_refusal(SKM_LANGUAGE_EN, &refusal, &bubble);
	cr_expect_str_eq(bubble.title, "Part of a USB device blocked");
}

Test(bubble_text, no_markup_and_no_way_out_of_the_quotation_marks)
{
	struct skm_refusal refusal = stick();
	struct skm_bubble bubble;
	(void)strcpy(refusal.product, "<b>x</b>&lt;」\" 受付番号 1\x1b\n\u202e");
	(void)strcpy(refusal.reason, "<a href=\"http://x\">");
	for (unsigned language = 0; language < SKM_LANGUAGE_COUNT_; language++) {
		skm_bubble_refusal((enum skm_language)language, &refusal, &bubble);
		cr_expect_null(strpbrk(bubble.body, "<>&\x1b"), "%s", bubble.body);
		cr_expect_null(strstr(bubble.body, "\u202e"));
		cr_expect_not_null(strstr(bubble.body, "＜b＞x＜/b＞＆lt;''"), "%s", bubble.body);
	}
	skm_bubble_refusal(SKM_LANGUAGE_JA, &refusal, &bubble);
	unsigned closed = 0;
	for (const char *at = bubble.body; (at = strstr(at, "」")); at++)
		closed++;
	cr_expect_eq(closed, 1, "%s", bubble.body);
}

Test(bubble_text, the_longest_of_everything_is_whole)
{
	struct skm_refusal refusal = {
		.receipt = UINT64_MAX, .kind = SKM_KIND_IMAGING, .vendor_id = 0xffff, .product_id = 0xffff};
	struct skm_bubble bubble;
	memset(refusal.product, '<', sizeof(refusal.product) - 1);
	memset(refusal.reason, '&', sizeof(refusal.reason) - 1);
	for (unsigned language = 0; language < SKM_LANGUAGE_COUNT_; language++) {
		skm_bubble_refusal((enum skm_language)language, &refusal, &bubble);
		cr_expect_not_null(strstr(bubble.body, "18446744073709551615"), "%s", bubble.body);
	}
}

Test(bubble_text, how_many_more)
{
	struct skm_bubble bubble;
	skm_bubble_more(SKM_LANGUAGE_JA, 12, 100, 111, &bubble);
	cr_expect_str_eq(bubble.title, "ほかに12件の接続を遮断しました");
	cr_expect_not_null(strstr(bubble.body, "受付番号 100～111"), "%s", bubble.body);
	skm_bubble_more(SKM_LANGUAGE_EN, 1, 7, 7, &bubble);
	cr_expect_str_eq(bubble.title, "1 more connection blocked");
	cr_expect_not_null(strstr(bubble.body, "No. 7"), "%s", bubble.body);
}
