// SPDX-License-Identifier: Apache-2.0
/* Words for somebody who only wanted to copy a file: no blame, no class codes, one thing to do next.
 *
 * Some notification servers read the body as markup, some show it as it is, and what one says of itself
 * (GetCapabilities) is not always what it does. So nothing is escaped: the three characters that mean
 * something in markup are replaced by their full-width look-alikes, which are text everywhere. What the
 * device calls itself stands in quotation marks that it cannot close. */
#include "bubble_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/text.h"

#define SAY(japanese, english) skm_text(language, japanese, english)

/* A character that means something here, and what stands for it. */
static const struct {
	const char *found, *shown;
} stand_ins[] = {
	{"<", "\uff1c"},
	{">", "\uff1e"},
	{"&", "\uff06"},
	{"\"", "'"},
	{"\u201c", "'"},
	{"\u201d", "'"},
	{"\u300c", "'"},
	{"\u300d", "'"},
};

/* Cleaned once more: this program trusts the agent, but need not. */
static void show_as_text(const char *text, char *buf, size_t size)
{
	char clean[SKM_REASON_BYTES];
	size_t len = 0;
	(void)skm_text_clean(text, sizeof(clean), clean, sizeof(clean));
	for (const char *at = clean; *at;) {
		const char *shown = at;
		size_t shown_len = 1;
		size_t used = 1;
		for (size_t i = 0; i < SKM_ARRAY_SIZE(stand_ins); i++) {
			if (strncmp(at, stand_ins[i].found, strlen(stand_ins[i].found)) != 0)
				continue;
			shown = stand_ins[i].shown;
			shown_len = strlen(shown);
			used = strlen(stand_ins[i].found);
		}
		if (len + shown_len >= size)
			break;
		memcpy(buf + len, shown, shown_len);
		len += shown_len;
		at += used;
	}
	buf[len] = '\0';
}

static bool is_one_of(enum skm_device_kind kind, const enum skm_device_kind *kinds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (kinds[i] == kind)
			return true;
	return false;
}

static const char *why(enum skm_language language, const struct skm_refusal *refusal)
{
	static const enum skm_device_kind networks[] = {SKM_KIND_NETWORK, SKM_KIND_WIRELESS, SKM_KIND_MODEM};
	static const enum skm_device_kind inputs[] = {
		SKM_KIND_KEYBOARD, SKM_KIND_MOUSE, SKM_KIND_HID, SKM_KIND_HUB, SKM_KIND_SMART_CARD};
	enum skm_device_kind kind = refusal->kind;
	if (refusal->is_partial)
		return SAY("この機器の一部の機能は使用できません。接続は記録されました。",
			"A part of this device cannot be used here. The connection was recorded.");
	if (kind == SKM_KIND_IMAGING)
		return SAY("スマートフォンやカメラは接続・充電ともできません。接続は記録されました。",
			"Phones and cameras cannot be connected or charged here. The connection was recorded.");
	if (is_one_of(kind, networks, SKM_ARRAY_SIZE(networks)))
		return SAY("通信機器は接続できません（ネットワーク分離）。接続は記録されました。",
			"Network adapters are not allowed here (network separation). The connection was recorded.");
	if (is_one_of(kind, inputs, SKM_ARRAY_SIZE(inputs)))
		return SAY("登録されていない機器は使用できません。接続は記録されました。",
			"Only registered devices can be used here. The connection was recorded.");
	/* Could carry data out, or nobody knows what it is. */
	return SAY("この端末では情報の持ち出しができない設定になっています。接続は記録されました。",
		"This terminal is set so that data cannot be taken out. The connection was recorded.");
}

void skm_bubble_refusal(
	enum skm_language language, const struct skm_refusal *refusal, struct skm_bubble *ret_bubble)
{
	char product[SKM_REFUSAL_PRODUCT_BYTES * 3];
	char reason[SKM_REASON_BYTES * 3];
	show_as_text(refusal->product, product, sizeof(product));
	show_as_text(refusal->reason, reason, sizeof(reason));
	(void)snprintf(ret_bubble->title, sizeof(ret_bubble->title), "%s",
		refusal->is_partial ? SAY("USB機器の一部は使用できません", "Part of a USB device blocked")
				    : SAY("USB機器は使用できません", "USB device blocked"));
	(void)snprintf(ret_bubble->body, sizeof(ret_bubble->body),
		SAY("%s\n%s%s%s機器: %s%s%s%s (%04x:%04x)\n"
		    "必要な場合は使用申請をしてください。お問い合わせは情報システム課へ。\n"
		    "受付番号 %" PRIu64,
			"%s\n%s%s%sDevice: %s%s%s%s (%04x:%04x)\n"
			"If needed, file a use request. Questions: call the IT section.\n"
			"No. %" PRIu64),
		why(language, refusal), *reason ? SAY("理由: ", "Reason: ") : "", reason, *reason ? "\n" : "",
		skm_device_kind_to_text((enum skm_device_kind)refusal->kind, language == SKM_LANGUAGE_JA),
		*product ? SAY("「", " \"") : "", product, *product ? SAY("」", "\"") : "",
		refusal->vendor_id, refusal->product_id, refusal->receipt);
}

void skm_bubble_more(enum skm_language language, uint64_t count, uint64_t first, uint64_t last,
	struct skm_bubble *ret_bubble)
{
	char numbers[64];
	(void)snprintf(numbers, sizeof(numbers),
		first == last ? "%" PRIu64 : SAY("%" PRIu64 "～%" PRIu64, "%" PRIu64 "-%" PRIu64), first,
		last);
	(void)snprintf(ret_bubble->title, sizeof(ret_bubble->title),
		count == 1 ? SAY("ほかに%" PRIu64 "件の接続を遮断しました",
				     "%" PRIu64 " more connection blocked")
			   : SAY("ほかに%" PRIu64 "件の接続を遮断しました",
				     "%" PRIu64 " more connections blocked"),
		count);
	(void)snprintf(ret_bubble->body, sizeof(ret_bubble->body),
		SAY("すべて記録されました。機器を取り外してください。\n受付番号 %s",
			"All of them were recorded. Please unplug the device.\nNo. %s"),
		numbers);
}
