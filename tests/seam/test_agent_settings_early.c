// SPDX-License-Identifier: Apache-2.0
/* The list of devices that carry the system, as `sekimorid --system-devices` left it in the initramfs. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "agent_settings.h"
#include "tmpdir.h"

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct skm_settings *settings_of(const char *list)
{
	char root[TMPDIR_BYTES];
	char path[TMPDIR_BYTES + 32];
	struct skm_settings *settings = NULL;
	tmpdir_make(root);
	if (list)
		tmpdir_write(root, list, "devices");
	(void)snprintf(path, sizeof(path), "%s/devices", root);
	cr_assert_eq(skm_settings_early(path, &settings), 0);
	tmpdir_remove(root);
	return settings;
}

/* A disk that is refused here is a machine that does not boot. */
Test(agent_settings, the_disk_with_the_listed_serial_number_may_be_used_early)
{
	static const char *const serials[] = {"DD56419883891", "     WD-WCAV5U000001", " 0123", "AB CD ",
		"\xe6\x9c\xad\xe5\xb9\x8c \xff", " "};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(serials); i++) {
		char line[512];
		(void)snprintf(line, sizeof(line), "152d:0578 " HASH " 2-1.4 %s\n", serials[i]);
		struct skm_settings *settings = settings_of(line);
		struct skm_device device = {.vendor_id = 0x152d,
			.product_id = 0x0578,
			.port = "1-3", /* another one than when the list was made */
			.interface_count = 1,
			.interfaces = {{.configuration = 1,
				.class_code = 0x08,
				.subclass = 0x06,
				.protocol = 0x50}}};
		(void)snprintf(device.serial, sizeof(device.serial), "%s", serials[i]);
		const struct skm_judge_context context = {.is_initramfs = true};
		struct skm_decision decision;
		skm_policy_judge(settings->policy, &device, &context, &decision);
		cr_expect_eq(decision.verdict, SKM_VERDICT_ALLOW, "\"%s\": %s", serials[i], decision.rule);
		/* not any disk of that kind */
		(void)snprintf(device.serial, sizeof(device.serial), "DD56419883892");
		skm_policy_judge(settings->policy, &device, &context, &decision);
		cr_expect_eq(decision.verdict, SKM_VERDICT_DENY, "\"%s\"", serials[i]);
		(void)skm_settings_free(settings);
	}
}

Test(agent_settings, a_disk_without_a_serial_number_is_known_by_its_descriptors)
{
	static const char *const lists[] = {
		"152d:0578 " HASH " 2-1 \n", "152d:0578 " HASH " 2-1\n", "152d:0578 " HASH " 2-1"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(lists); i++) {
		struct skm_settings *settings = settings_of(lists[i]);
		cr_assert_eq(settings->config->usb.rules.count, 1, "list %zu", i);
		const struct skm_rule *rule = &settings->config->usb.rules.rules[0];
		cr_expect_eq(rule->criteria, SKM_RULE_VID_PID | SKM_RULE_HASH);
		cr_expect_eq(rule->descriptor_hash[1], 0x11);
		(void)skm_settings_free(settings);
	}
}

Test(agent_settings, what_is_no_line_permits_nothing)
{
	static const struct {
		const char *list;
		size_t count;
	} cases[] = {
		{NULL, 0},
		{"", 0},
		{"\n\n", 0},
		{"152d:0578\n", 0},
		{"152d:0578 " HASH "\n", 0},
		{"152d:057 " HASH " 2-1 S\n", 0},
		{"152d:0578 " HASH "0 2-1 S\n", 0},
		{"152d:0578 00 2-1 S\n", 0},
		{"152d:0578 " HASH " 2-1 S\n152d:0578 x 2-2 T\n152d:0579 " HASH " 2-3 U\n", 2},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		struct skm_settings *settings = settings_of(cases[i].list);
		cr_expect_eq(settings->config->usb.rules.count, cases[i].count, "case %zu", i);
		(void)skm_settings_free(settings);
	}
}

/* What does not fit is no serial number: cut, it would be another one. */
Test(agent_settings, a_serial_number_that_is_too_long_permits_nothing)
{
	char line[512];
	for (int bytes = SKM_USB_STRING_BYTES - 1; bytes <= SKM_USB_STRING_BYTES; bytes++) {
		(void)snprintf(line, sizeof(line), "152d:0578 " HASH " 2-1 %0*d\n", bytes, 0);
		struct skm_settings *settings = settings_of(line);
		cr_expect_eq(settings->config->usb.rules.count, bytes < SKM_USB_STRING_BYTES, "%d", bytes);
		(void)skm_settings_free(settings);
	}
}
