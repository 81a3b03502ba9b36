// SPDX-License-Identifier: Apache-2.0
/* What the loader accepts and becomes; test_config_refused.c has what it refuses. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../lib/config_internal.h"
#include "sekimori/otp.h"

#define NOW INT64_C(1795219200) /* 2026-11-21T00:00:00Z */

static struct skm_config *parsed(const char *text)
{
	struct skm_config *config = NULL;
	struct skm_config_error error = {0};
	int r = skm_config_parse("test.conf", text, strlen(text), NOW, &config, &error);
	cr_assert(r == 0, "line %u: %s: found %s, allowed %s", error.line, error.key, error.found,
		error.allowed);
	return config;
}

static void check_defaults(const struct skm_config *config)
{
	char host[64] = "";
	cr_assert(gethostname(host, sizeof(host)) == 0);
	cr_assert_str_eq(config->terminal.number, host);
	cr_assert_str_eq(config->terminal.section, "");
	cr_assert(config->terminal.language == SKM_LANGUAGE_JA);
	cr_assert(config->usb.mode == SKM_MODE_ENFORCE);
	cr_assert(config->usb.audit_until_sec == 0);
	cr_assert_str_eq(config->usb.register_path, "");
	cr_assert(config->usb.rules.count == 0);
	cr_assert(config->usb.reconcile_sec == 300);
	cr_assert(config->usb.write_deadline_ms == 5000);
	cr_assert(config->usb.receive_buffer_bytes == 1048576);
	cr_assert(config->audit.segment_bytes == 16777216);
	cr_assert(config->mfa.require == SKM_MFA_REQUIRE_ALL && config->mfa.group_count == 0);
	cr_assert(config->mfa.grace_until_sec == 0);
	cr_assert(config->mfa.free_tries == 5);
	cr_assert(config->mfa.delay_sec == 900 && config->mfa.delay_max_sec == 14400);
	cr_assert(config->mfa.window_steps == 1 && config->mfa.drift_max_steps == 4);
	cr_assert(config->mfa.look_ahead == 5);
	cr_assert(config->mfa.algorithms == (1u << SKM_OTP_SHA256 | 1u << SKM_OTP_SHA512));
	cr_assert(config->mfa.self_enrol);
	cr_assert(config->mfa.substitute_days_max == 7);
	cr_assert_str_eq(config->mfa.issuer, "Sekimori");
	cr_assert(!config->mfa.has_escrow_key);
	cr_assert(!config->audit.has_verifier_key);
	cr_assert(config->audit.checkpoint_sec == 600);
	cr_assert(config->audit.retention_sec == 400 * 86400);
}

Test(config, empty_files_take_the_defaults)
{
	static const char *const texts[] = {"", "\n", "# only a comment, without a newline", "/* a */ // b",
		"usb: {};", "usb: { rules = (); };", "terminal: {}; usb: {}; audit: {};", "\r\n\f\t "};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(texts); i++) {
		SKM_CLEANUP(skm_config_freep) struct skm_config *config = parsed(texts[i]);
		check_defaults(config);
		cr_assert(strlen(config->version) == 16);
	}
}

Test(config, the_default_needs_no_file)
{
	SKM_CLEANUP(skm_config_freep) struct skm_config *config = NULL;
	cr_assert(skm_config_default(&config) == 0);
	check_defaults(config);
	cr_assert_str_eq(config->version, "builtin");
	cr_assert(skm_config_free(NULL) == NULL);
}

static const char whole[] =
	"terminal: { number = \"T-0123\"; section = \"市民課\"; language = \"en\"; };\n"
	"usb: {\n"
	"  mode = \"audit\"; audit_until = \"2026-12-31\";\n"
	"  register = \"/etc/sekimori/devices.csv\";\n"
	"  reconcile_interval = \"1h\"; write_deadline = \"250ms\"; receive_buffer = \"128M\";\n"
	"  rules = (\n"
	"    { id = \"counter-printer\"; action = \"allow\"; reason = \"窓口\"; vid_pid = \"04a9:1234\"; serial = \"A\\x01B\";\n"
	"      hash = \"00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\"; port = \"1-2.3\";\n"
	"      connect_type = \"hardwired\"; class = [ \"07\", \"08:06\" ]; interfaces = [ \"07:01:02\", \"07:01:02\" ]; },\n"
	"    { id = \"b\"; action = \"deny\"; reason = \"r\"; class = \"mass-storage\"; }\n"
	"  );\n"
	"};\n"
	"audit: { segment_size = \"64K\"; checkpoint_interval = \"90s\"; retention = \"60d\"; verifier_key =\n"
	"  \"00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\"; };\n";

Test(config, records_may_stay_for_ever)
{
	SKM_CLEANUP(skm_config_freep)
	struct skm_config *config = parsed("audit: { retention = \"never\"; };\n");
	cr_assert(config->audit.retention_sec == 0);
}

Test(config, every_key_arrives)
{
	cr_assert(setenv("TZ", "JST-9", 1) == 0);
	tzset();
	SKM_CLEANUP(skm_config_freep) struct skm_config *config = parsed(whole);
	cr_assert_str_eq(config->terminal.number, "T-0123");
	cr_assert_str_eq(config->terminal.section, "市民課");
	cr_assert(config->terminal.language == SKM_LANGUAGE_EN);
	cr_assert(config->usb.mode == SKM_MODE_AUDIT);
	cr_assert(config->usb.audit_until_sec == 1798729200, "2027-01-01T00:00:00+09:00");
	cr_assert_str_eq(config->usb.register_path, "/etc/sekimori/devices.csv");
	cr_assert(config->usb.reconcile_sec == 3600);
	cr_assert(config->usb.write_deadline_ms == 250);
	cr_assert(config->usb.receive_buffer_bytes == 134217728);
	cr_assert(config->audit.segment_bytes == 65536);
	cr_assert(config->audit.checkpoint_sec == 90);
	cr_assert(config->audit.retention_sec == 60 * 86400);
	cr_assert(config->audit.has_verifier_key && config->audit.verifier_key[1] == 0x11 &&
		  config->audit.verifier_key[31] == 0xff);
}

Test(config, every_key_of_the_second_factor_arrives)
{
	cr_assert(setenv("TZ", "JST-9", 1) == 0);
	tzset();
	SKM_CLEANUP(skm_config_freep)
	struct skm_config *config = parsed(
		"mfa: { require = [ \"staff\", \"CITY\\\\domain users\" ]; grace_until = \"2026-12-31\";"
		" free_tries = \"100\"; delay = \"1s\"; delay_max = \"1s\"; window = \"0\"; drift_max = \"10\";"
		" look_ahead = \"1\"; algorithms = [ \"sha1\", \"sha512\" ]; self_enrol = \"no\";"
		" substitute_days_max = \"1\"; issuer = \"○○市\"; escrow_key ="
		" \"00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\"; };");
	cr_assert(config->mfa.require == SKM_MFA_REQUIRE_GROUPS && config->mfa.group_count == 2);
	cr_assert_str_eq(config->mfa.groups[0], "staff");
	cr_assert_str_eq(config->mfa.groups[1], "CITY\\domain users");
	cr_assert(config->mfa.grace_until_sec == 1798729200, "2027-01-01T00:00:00+09:00");
	cr_assert(config->mfa.free_tries == 100);
	cr_assert(config->mfa.delay_sec == 1 && config->mfa.delay_max_sec == 1);
	cr_assert(config->mfa.window_steps == 0 && config->mfa.drift_max_steps == 10);
	cr_assert(config->mfa.look_ahead == 1);
	cr_assert(config->mfa.algorithms == (1u << SKM_OTP_SHA1 | 1u << SKM_OTP_SHA512),
		"a list takes the default's place");
	cr_assert(!config->mfa.self_enrol);
	cr_assert(config->mfa.substitute_days_max == 1);
	cr_assert_str_eq(config->mfa.issuer, "○○市");
	cr_assert(config->mfa.has_escrow_key && config->mfa.escrow_key[1] == 0x11 &&
		  config->mfa.escrow_key[31] == 0xff);
}

Test(config, of_whom_a_second_factor_is_required)
{
	SKM_CLEANUP(skm_config_freep) struct skm_config *all = parsed("mfa: { require = [ \"all\" ]; };");
	SKM_CLEANUP(skm_config_freep)
	struct skm_config *enrolled = parsed("mfa: { require = \"enrolled\"; };");
	SKM_CLEANUP(skm_config_freep) struct skm_config *one = parsed("mfa: { require = \"allies\"; };");
	cr_assert(all->mfa.require == SKM_MFA_REQUIRE_ALL);
	cr_assert(enrolled->mfa.require == SKM_MFA_REQUIRE_ENROLLED);
	cr_assert(one->mfa.require == SKM_MFA_REQUIRE_GROUPS && one->mfa.group_count == 1);
	cr_assert_str_eq(one->mfa.groups[0], "allies");
}

Test(config, a_grace_that_is_over_is_no_fault)
{
	cr_assert(setenv("TZ", "UTC0", 1) == 0);
	tzset();
	SKM_CLEANUP(skm_config_freep)
	struct skm_config *over = parsed("mfa: { grace_until = \"2026-11-20\"; };");
	SKM_CLEANUP(skm_config_freep)
	struct skm_config *far = parsed("mfa: { grace_until = \"2027-11-22\"; };");
	cr_assert(over->mfa.grace_until_sec == NOW, "the first second after it");
	cr_assert(far->mfa.grace_until_sec > NOW, "366 days ahead");
}

Test(config, every_criterion_arrives)
{
	SKM_CLEANUP(skm_config_freep) struct skm_config *config = parsed(whole);
	cr_assert(config->usb.rules.count == 2);
	const struct skm_rule *rule = &config->usb.rules.rules[0];
	cr_assert_str_eq(rule->id, "counter-printer");
	cr_assert_str_eq(rule->reason, "窓口");
	cr_assert(rule->action == SKM_RULE_ALLOW);
	cr_assert(rule->criteria == (SKM_RULE_CLASS | SKM_RULE_VID_PID | SKM_RULE_SERIAL | SKM_RULE_HASH |
					    SKM_RULE_PORT | SKM_RULE_CONNECT_TYPE | SKM_RULE_INTERFACES));
	cr_assert(rule->vendor_id == 0x04a9 && rule->product_id == 0x1234);
	cr_assert_str_eq(rule->serial, "A\001B");
	cr_assert_str_eq(rule->port, "1-2.3");
	cr_assert(rule->descriptor_hash[1] == 0x11 && rule->descriptor_hash[31] == 0xff);
	cr_assert(rule->connect_type == SKM_CONNECT_HARDWIRED);
	cr_assert(rule->class_count == 2);
	cr_assert(rule->classes[0].class_code == 7 && rule->classes[0].depth == 1);
	cr_assert(rule->classes[1].class_code == 8 && rule->classes[1].subclass == 6 &&
		  rule->classes[1].depth == 2);
	cr_assert(rule->interface_count == 1, "a triple that is listed twice counts once");
	cr_assert(rule->interfaces[0].class_code == 7 && rule->interfaces[0].protocol == 2);
	cr_assert(config->usb.rules.rules[1].action == SKM_RULE_DENY);
	cr_assert(config->usb.rules.rules[1].criteria == SKM_RULE_CLASS);
}

Test(config, the_bounds_belong_to_the_range)
{
	SKM_CLEANUP(skm_config_freep)
	struct skm_config *low =
		parsed("usb: { reconcile_interval = \"10s\"; write_deadline = \"100ms\"; receive_buffer = "
		       "\"4K\"; }; audit: { segment_size = \"65536\"; };");
	cr_assert(low->usb.reconcile_sec == 10 && low->usb.write_deadline_ms == 100);
	cr_assert(low->usb.receive_buffer_bytes == 4096 && low->audit.segment_bytes == 65536);
	SKM_CLEANUP(skm_config_freep)
	struct skm_config *high =
		parsed("usb: { reconcile_interval = \"1d\"; write_deadline = \"60s\"; receive_buffer = "
		       "\"131072K\"; }; audit: { segment_size = \"1G\"; };");
	cr_assert(high->usb.reconcile_sec == 86400 && high->usb.write_deadline_ms == 60000);
	cr_assert(high->usb.receive_buffer_bytes == 134217728 && high->audit.segment_bytes == 1073741824);
}

Test(config, syntax_that_people_use)
{
	/* "=" for groups, ":" for values, commas, no terminators, joined strings, an include that is only
	 * spoken of */
	SKM_CLEANUP(skm_config_freep)
	struct skm_config *config =
		parsed("usb = { mode: \"enforce\", reconcile_interval = \"1\" \"0s\"\r\n write_deadline = "
		       "\"1s\" } # see @include \"x\"\r\nterminal: { section = \"a @include \\\"b\\\"\"; }");
	cr_assert(config->usb.reconcile_sec == 10);
	cr_assert(config->usb.write_deadline_ms == 1000);
	cr_assert_str_eq(config->terminal.section, "a @include \"b\"");
}

Test(config, audit_ends_by_itself)
{
	cr_assert(setenv("TZ", "UTC0", 1) == 0);
	tzset();
	static const struct {
		const char *until;
		enum skm_mode mode;
	} cases[] = {
		{"2026-11-19", SKM_MODE_ENFORCE},
		{"2026-11-20", SKM_MODE_ENFORCE}, /* NOW is the first second after it */
		{"2026-11-21", SKM_MODE_AUDIT},	  /* the last day counts */
		{"2027-11-22", SKM_MODE_AUDIT},	  /* 366 days ahead */
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		char text[128];
		(void)snprintf(text, sizeof(text), "usb: { mode = \"audit\"; audit_until = \"%s\"; };",
			cases[i].until);
		SKM_CLEANUP(skm_config_freep) struct skm_config *config = parsed(text);
		cr_assert(config->usb.mode == cases[i].mode, "%s", cases[i].until);
		cr_assert(config->usb.audit_until_sec > 0);
	}
}

Test(config, going_back_to_enforce_is_never_refused)
{
	SKM_CLEANUP(skm_config_freep)
	struct skm_config *config = parsed("usb: { mode = \"enforce\"; audit_until = \"2099-12-31\"; };");
	cr_assert(config->usb.mode == SKM_MODE_ENFORCE);
}

Test(config, the_version_names_the_text)
{
	SKM_CLEANUP(skm_config_freep) struct skm_config *a = parsed("usb: {};");
	SKM_CLEANUP(skm_config_freep) struct skm_config *b = parsed("usb: {};");
	SKM_CLEANUP(skm_config_freep) struct skm_config *c = parsed("usb: {}; ");
	cr_assert_str_eq(a->version, b->version);
	cr_assert_str_neq(a->version, c->version);
	char x[17];
	char y[17];
	cr_assert(skm_config_version("ab", 2, "c", 1, x, sizeof(x)) == 0);
	cr_assert(skm_config_version("a", 1, "bc", 2, y, sizeof(y)) == 0);
	cr_assert_str_neq(x, y, "what stands where is part of it");
}

Test(config, modes_have_words)
{
	cr_assert_str_eq(skm_mode_to_string(SKM_MODE_ENFORCE), "enforce");
	cr_assert_str_eq(skm_mode_to_string(SKM_MODE_AUDIT), "audit");
	cr_assert_str_eq(skm_mode_to_string(SKM_MODE_COUNT_), "unknown");
}

Test(config, the_table_of_keys_is_sound)
{
	size_t count = 0;
	const struct skm_config_key *keys = skm_config_keys(&count);
	for (size_t i = 0; i < count; i++) {
		const char *path = keys[i].path;
		bool is_container = keys[i].shape == SKM_SHAPE_GROUP || keys[i].shape == SKM_SHAPE_LIST;
		cr_expect(is_container == (keys[i].set == NULL), "%s", path);
		cr_expect(keys[i].allowed.en && keys[i].allowed.ja, "%s", path);
		cr_expect(strlen(keys[i].allowed.en) < sizeof(((struct skm_config_error *)0)->allowed), "%s",
			path);
		cr_expect(strlen(keys[i].allowed.ja) < sizeof(((struct skm_config_error *)0)->allowed_ja),
			"%s", path);
		for (size_t k = 0; k < i; k++)
			cr_expect(strcmp(path, keys[k].path) != 0, "%s is there twice", path);
		char group[64];
		const char *dot = strrchr(path, '.');
		(void)snprintf(group, sizeof(group), "%.*s", dot ? (int)(dot - path) : 0, path);
		cr_expect(skm_config_key_find(group, dot ? dot + 1 : path) == &keys[i], "%s", path);
	}
	cr_assert(skm_config_key_find("", "usb.mode") == NULL);
	cr_assert(skm_config_key_find("us", "mode") == NULL);
}

/* ---- the shipped file ---- */

static char *shipped(void)
{
	static char text[64 * 1024];
	FILE *file = fopen(SKM_SOURCE_DIR "/conf/sekimori.conf", "re");
	cr_assert(file != NULL);
	size_t len = fread(text, 1, sizeof(text) - 1, file);
	cr_assert(fclose(file) == 0 && len > 1000);
	text[len] = '\0';
	return text;
}

Test(config, the_shipped_file_is_valid_and_changes_nothing)
{
	SKM_CLEANUP(skm_config_freep) struct skm_config *config = parsed(shipped());
	check_defaults(config);
}

Test(config, the_examples_of_the_shipped_file_are_valid)
{
	/* "# prose" stays a comment, "#  setting" does not */
	char *text = shipped();
	for (char *at = text; at; at = strchr(at, '\n')) {
		if (*at == '\n')
			at++;
		if (*at == '#' && at[1] != '\n' && at[1] != '\0' && (at[1] != ' ' || at[2] == ' '))
			*at = ' ';
	}
	/* An example of a key would be a key that strangers can open: zeros are not taken. */
	unsigned keys = 0;
	for (char *at = text; (at = strstr(at, "_key = \"0000")) != NULL; at += strlen("_key = \""), keys++) {
		struct skm_config *refused = NULL;
		struct skm_config_error error;
		cr_assert(skm_config_parse("", text, strlen(text), NOW, &refused, &error) ==
			  SKM_CONFIG_INVALID);
		at[strlen("_key = \"")] = '9';
	}
	cr_assert(keys == 2);
	SKM_CLEANUP(skm_config_freep) struct skm_config *config = parsed(text);
	cr_assert(config->audit.has_verifier_key && config->audit.verifier_key[0] == 0x90);
	config->audit.has_verifier_key = false;
	cr_assert_str_eq(config->terminal.number, "T-0123");
	cr_assert(config->usb.rules.count == 3);
	(void)snprintf(config->terminal.number, sizeof(config->terminal.number), "%s", "");
	cr_assert(gethostname(config->terminal.number, sizeof(config->terminal.number)) == 0);
	config->usb.audit_until_sec = 0;
	cr_assert(config->mfa.grace_until_sec > 0 && config->mfa.has_escrow_key);
	config->mfa.grace_until_sec = 0;
	config->mfa.has_escrow_key = false;
	skm_rule_set_finish(&config->usb.rules);
	check_defaults(config);
}
