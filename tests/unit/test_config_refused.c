// SPDX-License-Identifier: Apache-2.0
/* What the loader refuses, and that a person is told the line, the key, what stands there and what may. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sekimori/config.h"

#define NOW INT64_C(1795219200) /* 2026-11-21T00:00:00Z */
#define RULE "id = \"a\"; action = \"allow\"; reason = \"r\"; "

struct refusal {
	const char *text;
	unsigned line;
	const char *key;
	const char *found;   /* a part of it */
	const char *allowed; /* a part of it */
};

static void check(const struct refusal *wanted, size_t len)
{
	struct skm_config *config = NULL;
	struct skm_config_error error = {0};
	int r = skm_config_parse("test.conf", wanted->text, len, NOW, &config, &error);
	cr_expect(r == SKM_CONFIG_INVALID, "accepted: %s", wanted->text);
	cr_expect(config == NULL, "no object: %s", wanted->text);
	config = skm_config_free(config);
	cr_expect(strcmp(error.file, "test.conf") == 0, "%s", wanted->text);
	cr_expect(error.line == wanted->line, "line %u, not %u: %s", error.line, wanted->line, wanted->text);
	cr_expect(strcmp(error.key, wanted->key) == 0, "key \"%s\": %s", error.key, wanted->text);
	cr_expect(strstr(error.found, wanted->found) != NULL, "found \"%s\": %s", error.found, wanted->text);
	cr_expect(strstr(error.allowed, wanted->allowed) != NULL, "allowed \"%s\": %s", error.allowed,
		wanted->text);
	cr_expect(error.allowed_ja[0] != '\0', "%s", wanted->text);
}

static void check_all(const struct refusal *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(&cases[i], strlen(cases[i].text));
}

Test(refused, unknown_keys)
{
	static const struct refusal cases[] = {
		{"usb: {\n mode = \"enforce\";\n mod = \"audit\";\n};", 3, "usb.mod", "\"audit\"",
			"mode, audit_until"},
		{"otp: {};", 1, "otp", "{ … }", "terminal, usb, audit, mfa"},
		{"mfa: { free_trys = \"3\"; };", 1, "mfa.free_trys", "\"3\"", "free_tries"},
		{"mode = \"enforce\";", 1, "mode", "\"enforce\"", "terminal"},
		{"\n\naudit: { size = 5; };", 3, "audit.size", "5", "segment_size"},
		{"usb: { rules = (\n{ " RULE "class = \"07\";\n vidpid = \"1\"; } ); };", 3,
			"usb.rules[0].vidpid", "\"1\"", "vid_pid"},
		{"usb: { Mode = \"enforce\"; };", 1, "usb.Mode", "enforce", "mode"},
	};
	check_all(cases, SKM_ARRAY_SIZE(cases));
}

Test(refused, wrong_types)
{
	static const struct refusal cases[] = {
		{"usb = \"x\";", 1, "usb", "\"x\"", "a group"},
		{"usb = 5;", 1, "usb", "5", "a group"},
		{"usb = ();", 1, "usb", "( … )", "a group"},
		{"usb: {\n reconcile_interval = 300; };", 2, "usb.reconcile_interval", "300",
			"\"10s\" to \"1d\""},
		{"usb: { mode = true; };", 1, "usb.mode", "true", "enforce"},
		{"usb: { mode = 1.5; };", 1, "usb.mode", "1.5", "enforce"},
		{"usb: { mode = [ \"enforce\" ]; };", 1, "usb.mode", "[ … ]", "enforce"},
		{"usb: { mode = { }; };", 1, "usb.mode", "{ … }", "enforce"},
		{"usb: { rules = { }; };", 1, "usb.rules", "{ … }", "a list"},
		{"usb: { rules = [ \"a\" ]; };", 1, "usb.rules", "[ … ]", "a list"},
		{"usb: { rules = ( \"a\" ); };", 1, "usb.rules[0]", "\"a\"", "a rule"},
		{"usb: { rules = (\n{ " RULE "\n class = 7; } ); };", 3, "usb.rules[0].class", "7", "08:06"},
		{"usb: { rules = (\n{ " RULE "\n class = [ 7 ]; } ); };", 3, "usb.rules[0].class[0]", "7",
			"08:06"},
		{"usb: { rules = (\n{ " RULE "\n class = ( \"07\", { } ); } ); };", 3,
			"usb.rules[0].class[1]", "{ … }", "08:06"},
		{"usb: { rules = (\n{ " RULE "\n class = [ ]; } ); };", 3, "usb.rules[0].class", "[ … ]",
			"08:06"},
		{"usb: { rules = ( { " RULE "\n class = [ \"07\", 5 ]; } ); };", 2, "usb.rules[0].class[1]",
			"5", "all elements"},
		{"usb: { rules = ( { " RULE "\n class = [ 5, \"07\" ]; } ); };", 2, "usb.rules[0].class[1]",
			"\"07\"", "all elements"},
		{"usb: { rules = ( { " RULE "\n class = [ true, 5 ]; } ); };", 2, "usb.rules[0].class[1]",
			"5", "all elements"},
	};
	check_all(cases, SKM_ARRAY_SIZE(cases));
}

Test(refused, values_out_of_range)
{
	static const struct refusal cases[] = {
		{"terminal: { number = \"\"; };", 1, "terminal.number", "\"\"", "1 to 64"},
		{"terminal: { number = \"a\\nb\"; };", 1, "terminal.number", "\"a\\x0ab\"", "printable"},
		{"terminal: { number = \"a\\xffb\"; };", 1, "terminal.number", "\"a\\xffb\"", "UTF-8"},
		{"terminal: { section = \"\\xc2\\x85\"; };", 1, "terminal.section", "\\xc2\\x85",
			"printable"},
		{"terminal: { number = \"12345678901234567890123456789012345678901234567890123456789012345\"; };",
			1, "terminal.number", "1234", "64"},
		{"terminal: { language = \"fr\"; };", 1, "terminal.language", "\"fr\"", "\"ja\" or \"en\""},
		{"usb: { mode = \"off\"; };", 1, "usb.mode", "\"off\"", "enforce"},
		{"usb: { mode = \"Enforce\"; };", 1, "usb.mode", "\"Enforce\"", "enforce"},
		{"usb: { register = \"devices.csv\"; };", 1, "usb.register", "devices.csv", "absolute"},
		{"usb: { reconcile_interval = \"9s\"; };", 1, "usb.reconcile_interval", "9s", "10s"},
		{"usb: { reconcile_interval = \"86401s\"; };", 1, "usb.reconcile_interval", "86401s", "1d"},
		{"usb: { reconcile_interval = \"10500ms\"; };", 1, "usb.reconcile_interval", "10500ms",
			"whole seconds"},
		{"usb: { reconcile_interval = \"300\"; };", 1, "usb.reconcile_interval", "300", "10s"},
		{"usb: { write_deadline = \"99ms\"; };", 1, "usb.write_deadline", "99ms", "100ms"},
		{"usb: { write_deadline = \"61s\"; };", 1, "usb.write_deadline", "61s", "1min"},
		{"usb: { receive_buffer = \"4095\"; };", 1, "usb.receive_buffer", "4095", "4K"},
		{"usb: { receive_buffer = \"129M\"; };", 1, "usb.receive_buffer", "129M", "128M"},
		{"usb: { receive_buffer = \"1048576K1\"; };", 1, "usb.receive_buffer", "1048576K1", "128M"},
		{"audit: { segment_size = \"65535\"; };", 1, "audit.segment_size", "65535", "64K"},
		{"audit: { segment_size = \"2G\"; };", 1, "audit.segment_size", "2G", "1G"},
		{"audit: { segment_size = \"18446744073709551616\"; };", 1, "audit.segment_size", "18446744",
			"1G"},
		{"audit: { checkpoint_interval = \"59s\"; };", 1, "audit.checkpoint_interval", "59s", "1min"},
		{"audit: { checkpoint_interval = \"61min\"; };", 1, "audit.checkpoint_interval", "61min",
			"1h"},
		{"audit: { checkpoint_interval = \"60500ms\"; };", 1, "audit.checkpoint_interval", "60500ms",
			"whole seconds"},
		{"audit: { retention = \"59d\"; };", 1, "audit.retention", "59d", "60d"},
		{"audit: { retention = \"3651d\"; };", 1, "audit.retention", "3651d", "3650d"},
		{"audit: { retention = \"0\"; };", 1, "audit.retention", "0", "never"},
		{"audit: { verifier_key = \"00\"; };", 1, "audit.verifier_key", "00", "64 hex digits"},
		{"audit: { verifier_key = "
		 "\"0000000000000000000000000000000000000000000000000000000000000000\"; };",
			1, "audit.verifier_key", "0000", "64 hex digits"},
	};
	check_all(cases, SKM_ARRAY_SIZE(cases));
}

Test(refused, a_lifted_ban_without_a_near_end)
{
	cr_assert(setenv("TZ", "UTC0", 1) == 0);
	static const struct refusal cases[] = {
		{"usb: {\n mode = \"audit\"; };", 2, "usb.audit_until", "", "last day"},
		{"usb: {\n mode = \"audit\";\n audit_until = \"\"; };", 3, "usb.audit_until", "\"\"",
			"YYYY-MM-DD"},
		{"usb: {\n mode = \"audit\";\n audit_until = \"never\"; };", 3, "usb.audit_until", "never",
			"YYYY-MM-DD"},
		{"usb: {\n mode = \"audit\";\n audit_until = \"2027-02-29\"; };", 3, "usb.audit_until",
			"2027-02-29", "YYYY"},
		{"usb: {\n mode = \"audit\";\n audit_until = \"2027-11-23\"; };", 3, "usb.audit_until",
			"2027-11-23", "366"},
		{"usb: {\n mode = \"audit\";\n audit_until = \"9999-12-31\"; };", 3, "usb.audit_until",
			"9999-12-31", "366"},
		{"usb: {\n mode = \"enforce\";\n audit_until = \"soon\"; };", 3, "usb.audit_until", "soon",
			"YYYY"},
	};
	check_all(cases, SKM_ARRAY_SIZE(cases));
}

Test(refused, values_of_the_second_factor)
{
	static const struct refusal cases[] = {
		{"mfa = \"on\";", 1, "mfa", "\"on\"", "a group"},
		{"mfa: { require = \"\"; };", 1, "mfa.require", "\"\"", "\"enrolled\""},
		{"mfa: { require = { }; };", 1, "mfa.require", "{ … }", "\"enrolled\""},
		{"mfa: { require = [ ]; };", 1, "mfa.require", "[ … ]", "\"enrolled\""},
		{"mfa: { require = \"a:b\"; };", 1, "mfa.require", "a:b", "groups"},
		{"mfa: { require = \"a,b\"; };", 1, "mfa.require", "a,b", "groups"},
		{"mfa: { require = \" a\"; };", 1, "mfa.require", "\" a\"", "groups"},
		{"mfa: { require = [ \"a\", \"a \" ]; };", 1, "mfa.require[1]", "\"a \"", "groups"},
		{"mfa: { require = \"a\\nb\"; };", 1, "mfa.require", "a\\x0ab", "groups"},
		{"mfa: { require = \"123456789012345678901234567890123\"; };", 1, "mfa.require", "1234",
			"32 bytes"},
		{"mfa: {\n require = [ \"staff\",\n \"all\" ]; };", 2, "mfa.require", "[ … ]", "stand alone"},
		{"mfa: { require = ( \"enrolled\", \"staff\" ); };", 1, "mfa.require", "( … )",
			"stand alone"},
		{"mfa: { free_tries = 5; };", 1, "mfa.free_tries", "5", "\"1\" to \"100\""},
		{"mfa: { free_tries = \"0\"; };", 1, "mfa.free_tries", "\"0\"", "\"1\" to \"100\""},
		{"mfa: { free_tries = \"101\"; };", 1, "mfa.free_tries", "101", "\"1\" to \"100\""},
		{"mfa: { free_tries = \"-1\"; };", 1, "mfa.free_tries", "-1", "\"1\" to \"100\""},
		{"mfa: { free_tries = \"4294967297\"; };", 1, "mfa.free_tries", "4294967297", "100"},
		{"mfa: { delay = \"0s\"; };", 1, "mfa.delay", "0s", "\"1s\" to \"1h\""},
		{"mfa: { delay = \"61min\"; };", 1, "mfa.delay", "61min", "\"1s\" to \"1h\""},
		{"mfa: { delay = \"1500ms\"; };", 1, "mfa.delay", "1500ms", "whole seconds"},
		{"mfa: { delay_max = \"25h\"; };", 1, "mfa.delay_max", "25h", "\"1d\""},
		{"mfa: {\n delay = \"2min\";\n delay_max = \"119s\"; };", 3, "mfa.delay_max", "119s",
			"at least mfa.delay"},
		{"mfa: { delay_max = \"14min\"; };", 1, "mfa.delay_max", "14min", "at least mfa.delay"},
		{"mfa: { window = \"3\"; };", 1, "mfa.window", "3", "\"0\" to \"2\""},
		{"mfa: { window = \"256\"; };", 1, "mfa.window", "256", "\"0\" to \"2\""},
		{"mfa: { drift_max = \"11\"; };", 1, "mfa.drift_max", "11", "\"0\" to \"10\""},
		{"mfa: { look_ahead = \"0\"; };", 1, "mfa.look_ahead", "\"0\"", "\"1\" to \"10\""},
		{"mfa: { look_ahead = \"11\"; };", 1, "mfa.look_ahead", "11", "\"1\" to \"10\""},
		{"mfa: { algorithms = [ ]; };", 1, "mfa.algorithms", "[ … ]", "sha512"},
		{"mfa: { algorithms = [ \"sha256\", \"md5\" ]; };", 1, "mfa.algorithms[1]", "md5", "sha1"},
		{"mfa: { algorithms = \"SHA256\"; };", 1, "mfa.algorithms", "SHA256", "\"sha256\""},
		{"mfa: { self_enrol = true; };", 1, "mfa.self_enrol", "true", "\"yes\" or \"no\""},
		{"mfa: { self_enrol = \"maybe\"; };", 1, "mfa.self_enrol", "maybe", "\"yes\" or \"no\""},
		{"mfa: { substitute_days_max = \"8\"; };", 1, "mfa.substitute_days_max", "8", "\"7\""},
		{"mfa: { issuer = \"\"; };", 1, "mfa.issuer", "\"\"", "1 to 64"},
		{"mfa: { issuer = \"a:b\"; };", 1, "mfa.issuer", "a:b", "colon"},
		{"mfa: { escrow_key = \"00\"; };", 1, "mfa.escrow_key", "00", "64 hex digits"},
		{"mfa: { escrow_key = "
		 "\"0000000000000000000000000000000000000000000000000000000000000000\"; };",
			1, "mfa.escrow_key", "0000", "--escrow-keypair"},
	};
	check_all(cases, SKM_ARRAY_SIZE(cases));
}

Test(refused, a_grace_without_a_near_end)
{
	cr_assert(setenv("TZ", "UTC0", 1) == 0);
	static const struct refusal cases[] = {
		{"mfa: {\n grace_until = \"\"; };", 2, "mfa.grace_until", "\"\"", "YYYY-MM-DD"},
		{"mfa: {\n grace_until = \"2027-02-29\"; };", 2, "mfa.grace_until", "2027-02-29", "366"},
		{"mfa: {\n grace_until = \"2027-11-23\"; };", 2, "mfa.grace_until", "2027-11-23", "366"},
		{"mfa: {\n grace_until = \"9999-12-31\"; };", 2, "mfa.grace_until", "9999-12-31", "366"},
	};
	check_all(cases, SKM_ARRAY_SIZE(cases));
}

Test(refused, more_groups_than_there_is_room_for)
{
	char text[512] = "mfa: { require = [ ";
	for (unsigned i = 0; i <= SKM_MFA_GROUPS_MAX; i++) {
		size_t used = strlen(text);
		(void)snprintf(text + used, sizeof(text) - used, "%s\"group-%u\"", i ? ", " : "", i);
	}
	(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), " ]; };");
	const struct refusal wanted = {text, 1, "mfa.require[16]", "group-16", "1 to 16"};
	check(&wanted, strlen(text));
}

Test(refused, rules)
{
	static const struct refusal cases[] = {
		{"usb: { rules = (\n{ action = \"allow\"; reason = \"r\"; class = \"07\"; } ); };", 2,
			"usb.rules[0].id", "", "1 to 64"},
		{"usb: { rules = (\n{ id = \"a\"; reason = \"r\"; class = \"07\"; } ); };", 2,
			"usb.rules[0].action", "", "allow"},
		{"usb: { rules = (\n{ id = \"a\"; action = \"deny\"; class = \"07\"; } ); };", 2,
			"usb.rules[0].reason", "", "why"},
		{"usb: { rules = (\n{ " RULE "},\n{ id = \"b\"; } ); };", 2, "usb.rules[0]", "no criterion",
			"vid_pid"},
		{"usb: { rules = ( { } ); };", 1, "usb.rules[0].id", "", "1 to 64"},
		{"usb: { rules = (\n{ " RULE "port = \"1-1\"; },\n{\n" RULE "port = \"1-2\"; } ); };", 4,
			"usb.rules[1].id", "\"a\"", "also on line 2"},
		{"usb: { rules = ( { " RULE "\nserial = \"\"; } ); };", 2, "usb.rules[0].serial", "\"\"",
			"1 to 379"},
		{"usb: { rules = ( { " RULE "\nserial = \"\\xff\"; } ); };", 2, "usb.rules[0].serial", "xff",
			"serial"},
		{"usb: { rules = ( { " RULE "\nvid_pid = \"04a9\"; } ); };", 2, "usb.rules[0].vid_pid",
			"04a9", "four hex"},
		{"usb: { rules = ( { " RULE "\nvid_pid = \"04a9:12345\"; } ); };", 2, "usb.rules[0].vid_pid",
			"12345", "hex"},
		{"usb: { rules = ( { " RULE "\nhash = \"00\"; } ); };", 2, "usb.rules[0].hash", "00",
			"64 hex"},
		{"usb: { rules = ( { " RULE "\nport = \"usb1\"; } ); };", 2, "usb.rules[0].port", "usb1",
			"1-2.3"},
		{"usb: { rules = ( { " RULE "\nconnect_type = \"in\"; } ); };", 2,
			"usb.rules[0].connect_type", "in", "hotplug"},
		{"usb: { rules = ( { " RULE "\nclass = \"7\"; } ); };", 2, "usb.rules[0].class", "\"7\"",
			"08"},
		{"usb: { rules = ( { " RULE "\nclass = [ \"07\",\n\n\"zz\" ]; } ); };", 2,
			"usb.rules[0].class[1]", "zz", "08"},
		{"usb: { rules = ( { " RULE "\ninterfaces = [ \"07:01\" ]; } ); };", 2,
			"usb.rules[0].interfaces[0]", "07:01", "triples"},
		{"usb: { rules = ( { " RULE
		 "\nclass = [ \"01\",\"02\",\"03\",\"04\",\"05\",\"06\",\"07\",\"08\",\"09\",\"0a\",\"0b\",\"0c\","
		 "\"0d\",\"0e\",\"0f\",\"10\",\"11\" ]; } ); };",
			2, "usb.rules[0].class[16]", "11", "1 to 16"},
		{"usb: { rules = ( { id = \"builtin:x\"; } ); };", 1, "usb.rules[0].id", "builtin:x",
			"builtin:"},
		{"usb: { rules = ( { id = \"a b\"; } ); };", 1, "usb.rules[0].id", "a b", "A-Z"},
		{"usb: { rules = ( { action = \"block\"; } ); };", 1, "usb.rules[0].action", "block", "deny"},
		{"usb: { rules = ( { reason = \"\"; } ); };", 1, "usb.rules[0].reason", "\"\"", "1 to 255"},
	};
	check_all(cases, SKM_ARRAY_SIZE(cases));
}

Test(refused, syntax)
{
	static const struct refusal cases[] = {
		{"usb: {\n mode = enforce;\n};", 2, "usb.mode", "enforce", "quotation marks"},
		{"usb: {\n reconcile_interval = 5min;\n};", 2, "usb.reconcile_interval", "5min",
			"quotation marks"},
		{"usb: {\n mode = \"enforce;\n};\n", 2, "usb.mode", "\"enforce;", "same line"},
		{"usb: {\n mode = \"enforce;\n register = \"/x\";\n};", 2, "usb.mode", "\"enforce;",
			"same line"},
		{"usb: {\n mode = \"enforce", 2, "usb.mode", "\"enforce", "same line"},
		{"usb: {\n mode \"enforce\";\n};", 2, "usb.mode", "\"enforce\"", "after the name"},
		{"usb: {\n mode = ;\n};", 2, "usb.mode", ";", "quotation marks"},
		{"usb: {\n mode = \"enforce\";;\n};", 2, "usb", ";", "name = \"value\""},
		{"usb: {\n mode = \"enforce\";\n", 3, "usb", "end of the file",
			"\"}\" to close the \"{\" of line 1"},
		{"usb: {\n rules = (\n { id = \"a\"; }\n};", 4, "usb.rules", "}",
			"\")\" to close the \"(\" of line 2"},
		{"usb: { };\n};", 2, "", "}", "opening"},
		{"usb: { rules = ( { id = \"a\"; }, ); };", 1, "usb.rules[1]", ")", "no comma"},
		{"usb: { rules = ( { id = \"a\"; }\n{ id = \"b\"; } ); };", 2, "usb.rules[0]", "{",
			"a comma"},
		{"usb: { rules = [ { } ]; };", 1, "usb.rules[0]", "{", "quotation marks"},
		{"\n\"usb\": { };", 2, "", "\"usb\"", "name = "},
		{"usb: { };\n/* never closed\nusb2: {};", 2, "", "/* never closed", "*/"},
		{"usb: { mode = \"a\\qb\"; };", 1, "usb.mode", "\\q", "escapes"},
		{"usb: { mode = \"a\\x0\"; };", 1, "usb.mode", "\\x0", "escapes"},
		{"usb: { mode = \"a\\x00b\"; };", 1, "usb.mode", "\\x00", "escapes"},
		{"usb: {\n mode = \"enforce\";\n mode = \"audit\"; };", 3, "usb.mode", "mode", "on line 2"},
		{"usb: { };\nusb: { };", 2, "usb", "usb", "on line 1"},
		{"usb: { rules = (\n{ id = \"a\";\nid = \"b\"; } ); };", 3, "usb.rules[0].id", "id",
			"on line 2"},
		{"true = \"x\";", 1, "", "true", "name ="},
		{"usb: { mode = \"enforce\" $ };", 1, "usb.mode", "$", "name ="},
		{"# a comment\rusb: { mode = \"audit\"; };", 1, "", "\\x0d", "LF"},
		{"usb: {};\rusb2: {};", 1, "", "\\x0d", "LF"},
		{"usb: { a = 99999999999; };", 1, "usb.a", "99999999999", "2147483647"},
		{"usb: { a = 2147483648; };", 1, "usb.a", "2147483648", "2147483647"},
		{"usb: { a = -2147483649; };", 1, "usb.a", "-2147483649", "2147483647"},
		{"usb: { a = 99999999999999999999999L; };", 1, "usb.a", "999", "2147483647"},
		{"usb: { a = 0x80000000; };", 1, "usb.a", "0x80000000", "2147483647"},
		{"usb: { a = 2147483647; };", 1, "usb.a", "2147483647", "mode"},
		{"usb: { a = -2147483648; };", 1, "usb.a", "-2147483648", "mode"},
		{"usb: { a = 0x7fffffff; };", 1, "usb.a", "2147483647", "mode"},
		{"a={b={c={d={e={f={g={h={}}}}}}}}", 1, "a.b.c.d.e.f.g.h", "{", "7 deep"},
		{"a={b={c={d={e={f={g={}}}}}}}", 1, "a", "{ … }", "terminal"},
	};
	check_all(cases, SKM_ARRAY_SIZE(cases));
}

Test(refused, bytes)
{
	static const struct refusal cases[] = {
		{"\xef\xbb\xbfusb: { };", 1, "", "byte order mark", "without"},
		{"usb: { };\n# \x8e\x73\x96\xaf", 2, "", "# \\x8es\\x96\\xaf", "Shift_JIS"},
		{"usb: { };\n@include \"/etc/shadow\"\n", 2, "", "@include", "no @include"},
		{"usb: { };\n \t@include \"/etc/shadow\"\n", 2, "", "@include", "no @include"},
		{"/*\n@include \"/etc/shadow\"\n*/", 2, "", "@include", "no @include"},
		{"usb: { mode = \"\n@include \\\"x\\\"\"; };", 2, "", "@include", "no @include"},
		{"\r@INCLUDE", 1, "", "@INCLUDE", "no @include"},
	};
	check_all(cases, SKM_ARRAY_SIZE(cases));
	static const struct refusal nul = {"usb: { };\n\n\0", 3, "", "NUL", "text"};
	check(&nul, 12);
	static const struct refusal late_include = {"usb: { }; @include \"x\"", 1, "", "@include", "name ="};
	check(&late_include, strlen(late_include.text));
}

Test(refused, size)
{
	char *text = malloc(SKM_CONFIG_BYTES_MAX + 1);
	cr_assert(text != NULL);
	memset(text, '#', SKM_CONFIG_BYTES_MAX + 1);
	struct skm_config *config = NULL;
	struct skm_config_error error = {0};
	cr_assert(skm_config_parse("x", text, SKM_CONFIG_BYTES_MAX, NOW, &config, &error) == 0);
	config = skm_config_free(config);
	cr_assert(skm_config_parse("x", text, SKM_CONFIG_BYTES_MAX + 1, NOW, &config, &error) ==
		  SKM_CONFIG_INVALID);
	cr_assert(error.line == 0 && strstr(error.found, "262145") && strstr(error.allowed, "262144"));
	free(text);
}

Test(refused, too_many_settings)
{
	char text[8192] = "usb: {\n";
	size_t used = strlen(text);
	for (unsigned i = 0; i < 65; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "k%u = 1;\n", i);
	struct refusal many = {text, 66, "usb.k64", "k64", "64 settings"};
	check(&many, used);
}

Test(refused, deep_nesting_of_every_kind)
{
	static const char brackets[] = "([{";
	for (size_t k = 0; k < 3; k++) {
		char text[40000] = "a=";
		memset(text + 2, brackets[k], sizeof(text) - 3);
		struct skm_config *config = NULL;
		struct skm_config_error error = {0};
		cr_assert(skm_config_parse("x", text, sizeof(text) - 1, NOW, &config, &error) ==
			  SKM_CONFIG_INVALID);
		cr_assert(error.line == 1 && config == NULL);
	}
}

Test(refused, nothing_that_was_found_may_steer_a_terminal)
{
	static const struct refusal cases[] = {
		{"usb: { mode = \"\x1b[2J\"; };", 1, "usb.mode", "\\x1b[2J", "enforce"},
		{"usb: { mode = \"a\xe2\x80\xae\x62\"; };", 1, "usb.mode", "a\\xe2\\x80\\xae", "enforce"},
		{"usb: { mode = \"\xe2\x81\xa6\"; };", 1, "usb.mode", "\\xe2\\x81\\xa6", "enforce"},
		{"usb: { mode = \"市民課\"; };", 1, "usb.mode", "\"市民課\"", "enforce"},
	};
	check_all(cases, SKM_ARRAY_SIZE(cases));
	/* long values are cut between characters */
	char text[2048] = "usb: { mode = \"";
	for (unsigned i = 0; i < 200; i++)
		strcat(text, "課");
	strcat(text, "\"; };");
	struct refusal cut = {text, 1, "usb.mode", "課…", "enforce"};
	check(&cut, strlen(text));
}

Test(refused, messages)
{
	static const char text[] = "usb: {\n mode = \"off\"; };";
	struct skm_config *config = NULL;
	struct skm_config_error error = {0};
	cr_assert(skm_config_parse("a.conf", text, strlen(text), NOW, &config, &error) == SKM_CONFIG_INVALID);
	char buf[512];
	size_t len = skm_config_error_format(&error, SKM_LANGUAGE_EN, buf, sizeof(buf));
	cr_assert(len == strlen(buf));
	cr_assert_str_eq(buf,
		"a.conf:2: usb.mode: found: \"off\"; allowed: \"enforce\", or \"audit\" together with audit_until");
	(void)skm_config_error_format(&error, SKM_LANGUAGE_JA, buf, sizeof(buf));
	cr_assert_str_eq(buf,
		"a.conf:2: usb.mode: 現在の内容: \"off\"、正しい内容: \"enforce\"、または \"audit\"(audit_until とともに)");
	struct skm_config_error whole = {.file = "b.conf", .allowed = "x", .allowed_ja = "y"};
	(void)skm_config_error_format(&whole, SKM_LANGUAGE_EN, buf, sizeof(buf));
	cr_assert_str_eq(buf, "b.conf: found: nothing; allowed: x");
	(void)skm_config_error_format(&whole, SKM_LANGUAGE_JA, buf, sizeof(buf));
	cr_assert_str_eq(buf, "b.conf: 現在の内容: なし、正しい内容: y");
	char tiny[8];
	cr_assert(skm_config_error_format(&whole, SKM_LANGUAGE_EN, tiny, sizeof(tiny)) ==
		  strlen("b.conf: found: nothing; allowed: x"));
}
