// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/event.h"
#include "sekimori/io.h"

Test(event, ids_round_trip)
{
	for (unsigned i = 0; i < SKM_EVENT_COUNT_; i++) {
		enum skm_event event = SKM_EVENT_COUNT_;
		const char *word = skm_event_to_string((enum skm_event)i);
		cr_assert_not_null(word, "event %u has no id", i);
		cr_assert_eq(skm_event_from_string(word, &event), 0, "%s", word);
		cr_expect_eq(event, (enum skm_event)i, "%s stands for two events", word);
		cr_expect_eq(strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), strlen(word), "%s", word);
	}
}

Test(event, refuses_other_words)
{
	static const char *const words[] = {"", "export_denied", "EXPORT_DENIED ", "EXPORT", "UNKNOWN"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(words); i++) {
		enum skm_event event = SKM_EVENT_RESUMED;
		cr_expect_eq(skm_event_from_string(words[i], &event), -EINVAL, "%s", words[i]);
		cr_expect_eq(event, SKM_EVENT_RESUMED, "output touched for %s", words[i]);
	}
}

Test(event, all_have_both_texts)
{
	for (unsigned i = 0; i < SKM_EVENT_COUNT_; i++) {
		enum skm_event event = (enum skm_event)i;
		const char *english = skm_event_to_text(event, false),
			   *japanese = skm_event_to_text(event, true);
		cr_assert(english && english[0] && japanese && japanese[0], "%s", skm_event_to_string(event));
		for (const char *c = english; *c; c++)
			cr_expect(*c >= ' ' && *c < 0x7f, "%s: the English text is not ASCII", english);
		cr_expect(skm_utf8_is_valid(japanese, strlen(japanese)));
		cr_expect((unsigned char)japanese[0] >= 0x80 || strncmp(japanese, "USB", 3) == 0,
			"%s is not Japanese", japanese);
		/* 体言止め: a noun form has no full stop and no polite ending */
		cr_expect_null(strstr(japanese, "。"), "%s", japanese);
		cr_expect_null(strstr(japanese, "ました"), "%s", japanese);
		cr_expect_lt((unsigned)skm_event_severity(event), (unsigned)SKM_SEVERITY_COUNT_);
	}
}

Test(event, severities_sort_and_have_words)
{
	static const char *const words[] = {"info", "notice", "warning", "alert"};
	cr_assert_eq(SKM_ARRAY_SIZE(words), SKM_SEVERITY_COUNT_);
	for (unsigned i = 0; i < SKM_SEVERITY_COUNT_; i++)
		cr_expect_str_eq(skm_severity_to_string((enum skm_severity)i), words[i]);
	cr_expect_eq(skm_event_severity(SKM_EVENT_EXPORT_DENIED), SKM_SEVERITY_WARNING);
	cr_expect_eq(skm_event_severity(SKM_EVENT_CONTROLLER_OPEN), SKM_SEVERITY_ALERT);
	cr_expect_eq(skm_event_severity(SKM_EVENT_AUDIT_MODE), SKM_SEVERITY_ALERT);
	cr_expect_eq(skm_event_severity(SKM_EVENT_DEVICE_ALLOWED), SKM_SEVERITY_INFO);
	cr_expect_eq(skm_event_severity(SKM_EVENT_AUTH_OK), SKM_SEVERITY_INFO);
	cr_expect_eq(skm_event_severity(SKM_EVENT_AUTH_LOCKED), SKM_SEVERITY_WARNING);
	cr_expect_eq(skm_event_severity(SKM_EVENT_SUBSTITUTE_ISSUED), SKM_SEVERITY_WARNING);
	cr_expect_eq(skm_event_severity(SKM_EVENT_AUTH_ERROR), SKM_SEVERITY_ALERT);
}

Test(event, impossible_values_are_seen_not_hidden)
{
	enum skm_event none = (enum skm_event)(SKM_EVENT_COUNT_ + 7);
	cr_expect_str_eq(skm_event_to_string(none), "UNKNOWN");
	cr_expect_eq(skm_event_severity(none), SKM_SEVERITY_ALERT);
	cr_expect(skm_event_to_text(none, true)[0] && skm_event_to_text(none, false)[0]);
	cr_expect_str_eq(skm_severity_to_string((enum skm_severity)99), "alert");
}

/* The catalogue that people read: each event with its severity and both texts, in both languages' pages. */
static void check_page(const char *path, bool japanese_first)
{
	static char page[64 * 1024];
	FILE *file = fopen(path, "re");
	cr_assert_not_null(file, "%s", path);
	size_t len = fread(page, 1, sizeof(page) - 1, file);
	fclose(file);
	page[len] = '\0';
	for (unsigned i = 0; i < SKM_EVENT_COUNT_; i++) {
		enum skm_event event = (enum skm_event)i;
		char head[512];
		snprintf(head, sizeof(head), "\n*%s* (%s)\n\t%s / %s\n\n\t", skm_event_to_string(event),
			skm_severity_to_string(skm_event_severity(event)),
			skm_event_to_text(event, japanese_first), skm_event_to_text(event, !japanese_first));
		cr_expect_not_null(strstr(page, head), "%s lacks %s", path, head);
	}
}

Test(event, the_manual_lists_them_all)
{
	check_page(SKM_SOURCE_DIR "/docs/sekimori-events.7.scd", false);
	check_page(SKM_SOURCE_DIR "/docs/sekimori-events.7.ja.scd", true);
}
