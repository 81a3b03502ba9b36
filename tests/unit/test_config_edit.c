// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/config_edit.h"

static char *edit(const char *text, const struct skm_config_change *changes, size_t count)
{
	char *result = NULL;
	size_t len = 0;
	struct skm_config_error error = {0};
	int r = skm_config_edit("t.conf", text, strlen(text),
		&(struct skm_config_edit){"mfa", changes, count}, &result, &len, &error);
	cr_assert_eq(r, 0, "%d: %s", r, error.allowed);
	cr_assert_eq(strlen(result), len);
	return result;
}

static void expect(const char *text, const char *name, const char *value, const char *wanted)
{
	const struct skm_config_change change = {name, value};
	SKM_CLEANUP(skm_free) char *result = edit(text, &change, 1);
	cr_expect_str_eq(result, wanted, "from:\n%s\ngot:\n%s\nwanted:\n%s", text, result, wanted);
	/* Doing it again changes nothing. */
	SKM_CLEANUP(skm_free) char *again = edit(result, &change, 1);
	cr_expect_str_eq(again, result);
}

Test(config_edit, a_setting_is_changed_in_its_place)
{
	expect("# 窓口\nmfa: {\n  require = \"all\"; # 稟議 2026-045\n};\nusb: { mode = \"enforce\"; };\n",
		"require", "\"enrolled\"",
		"# 窓口\nmfa: {\n  require = \"enrolled\"; # 稟議 2026-045\n};\nusb: { mode = \"enforce\"; };\n");
	expect("mfa = { require = [ \"a\",\n \"b\" ] };", "require", "\"all\"",
		"mfa = { require = \"all\" };");
	expect("mfa: { require = \"a\" /* x */ \"ll\", issuer = \"I\" };", "require", "\"all\"",
		"mfa: { require = \"all\", issuer = \"I\" };");
	expect("mfa: { rules = ( { require = \"no\"; } ); require = \"all\"; };", "require", "\"x\"",
		"mfa: { rules = ( { require = \"no\"; } ); require = \"x\"; };");
}

Test(config_edit, a_setting_is_added_with_its_neighbours_indent)
{
	expect("mfa: {\n\trequire = \"all\";\n};\n", "grace_until", "\"2026-12-31\"",
		"mfa: {\n\trequire = \"all\";\n\tgrace_until = \"2026-12-31\";\n};\n");
	expect("mfa: {\n    require = \"all\"\n}", "grace_until", "\"x\"",
		"mfa: {\n    require = \"all\"\n    grace_until = \"x\";\n}");
	expect("  mfa:\n  {\n    # nothing yet\n  };\n", "require", "\"all\"",
		"  mfa:\n  {\n    # nothing yet\n    require = \"all\";\n  };\n");
	expect("mfa: { issuer = \"I\" };", "require", "\"all\"",
		"mfa: { issuer = \"I\"; require = \"all\"; };");
	expect("mfa: { issuer = \"I\"; };", "require", "\"all\"",
		"mfa: { issuer = \"I\"; require = \"all\"; };");
	expect("mfa: { issuer = \"I\" /* } */ };", "require", "\"all\"",
		"mfa: { issuer = \"I\"; require = \"all\"; /* } */ };");
	expect("mfa: {};", "require", "\"all\"", "mfa: { require = \"all\"; };");
	expect("mfa: { };", "require", "\"all\"", "mfa: { require = \"all\"; };");
}

Test(config_edit, a_group_that_is_not_there_is_appended)
{
	expect("", "require", "\"all\"", "mfa: {\n  require = \"all\";\n};\n");
	expect("#mfa: {\n#  require = \"all\";\n#};", "require", "\"all\"",
		"#mfa: {\n#  require = \"all\";\n#};\n\nmfa: {\n  require = \"all\";\n};\n");
	expect("usb: { mode = \"enforce\" }\n", "require", "\"all\"",
		"usb: { mode = \"enforce\" }\n\nmfa: {\n  require = \"all\";\n};\n");
	/* The group of that name somewhere else is another one. */
	expect("usb: { mfa: { require = \"x\"; }; };\n", "require", "\"all\"",
		"usb: { mfa: { require = \"x\"; }; };\n\nmfa: {\n  require = \"all\";\n};\n");
}

Test(config_edit, line_ends_stay_what_they_are)
{
	expect("mfa: {\r\n  require = \"all\";\r\n};\r\n", "issuer", "\"I\"",
		"mfa: {\r\n  require = \"all\";\r\n  issuer = \"I\";\r\n};\r\n");
	expect("usb: {};\r\n", "require", "\"all\"",
		"usb: {};\r\n\r\nmfa: {\r\n  require = \"all\";\r\n};\r\n");
}

Test(config_edit, a_setting_goes_with_its_line_and_no_comment_with_it)
{
	expect("mfa: {\n  require = \"all\";\n  grace_until = \"2026-12-31\";\n};\n", "grace_until", NULL,
		"mfa: {\n  require = \"all\";\n};\n");
	expect("mfa: {\n  grace_until = \"x\"; # until the fair\n};\n", "grace_until", NULL,
		"mfa: {\n   # until the fair\n};\n");
	expect("mfa: { grace_until = \"x\"; };", "grace_until", NULL, "mfa: {  };");
	expect("usb: {};", "grace_until", NULL, "usb: {};");
	expect("mfa: {\r\n  grace_until = \"x\";\r\n};\r\n", "grace_until", NULL, "mfa: {\r\n};\r\n");
}

Test(config_edit, several_changes_go_together)
{
	const struct skm_config_change changes[] = {
		{"require", "[ \"a\" ]"}, {"grace_until", "\"2026-12-31\""}};
	SKM_CLEANUP(skm_free) char *result = edit("# top\n", changes, 2);
	cr_expect_str_eq(
		result, "# top\n\nmfa: {\n  require = [ \"a\" ];\n  grace_until = \"2026-12-31\";\n};\n");
}

Test(config_edit, what_is_broken_is_left_alone)
{
	static const char *const broken[] = {"mfa: { require = \"all\"; ", "mfa: { a = 1; a = 2; };", "mfa {",
		"@include \"x\"", "mfa: { a = \"b; };", "mfa: {}; }"};
	const struct skm_config_change change = {"require", "\"all\""};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(broken); i++) {
		char *result = NULL;
		size_t len = 0;
		struct skm_config_error error = {0};
		cr_expect_eq(skm_config_edit("t.conf", broken[i], strlen(broken[i]),
				     &(struct skm_config_edit){"mfa", &change, 1}, &result, &len, &error),
			SKM_CONFIG_INVALID, "%s", broken[i]);
		cr_expect_null(result);
		cr_expect_str_neq(error.allowed, "");
	}
	char *result = NULL;
	size_t len = 0;
	struct skm_config_error error = {0};
	cr_expect_eq(skm_config_edit("t.conf", "mfa = \"x\";", 10,
			     &(struct skm_config_edit){"mfa", &change, 1}, &result, &len, &error),
		SKM_CONFIG_EDIT_NOT_A_GROUP);
	cr_expect_eq(skm_config_edit("t.conf", "mfa = ( );", 10, &(struct skm_config_edit){"mfa", &change, 1},
			     &result, &len, &error),
		SKM_CONFIG_EDIT_NOT_A_GROUP);
	cr_expect_null(result);
}

Test(config_edit, quotes_are_escaped_or_refused)
{
	char text[16];
	cr_expect_eq(skm_config_quote("a\"b\\", text, sizeof(text)), 0);
	cr_expect_str_eq(text, "\"a\\\"b\\\\\"");
	cr_expect_eq(skm_config_quote("", text, sizeof(text)), 0);
	cr_expect_str_eq(text, "\"\"");
	cr_expect_eq(skm_config_quote("a\nb", text, sizeof(text)), -EINVAL);
	cr_expect_eq(skm_config_quote("0123456789abc", text, sizeof(text)), 0);
	cr_expect_eq(strlen(text), 15u, "just fits");
	cr_expect_eq(skm_config_quote("0123456789abcd", text, sizeof(text)), -ENOBUFS);
	cr_expect_eq(skm_config_quote("0123456789ab\"", text, sizeof(text)), -ENOBUFS);
	cr_expect_eq(skm_config_quote("", text, 2), -ENOBUFS);
}
