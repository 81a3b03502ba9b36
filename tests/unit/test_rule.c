// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/rule.h"

Test(rule, class_patterns)
{
	static const struct {
		const char *text;
		int result;
		struct skm_class_pattern pattern;
	} rows[] = {
		{"08", 0, {0x08, 0, 0, 1}},
		{"08:06", 0, {0x08, 0x06, 0, 2}},
		{"08:06:50", 0, {0x08, 0x06, 0x50, 3}},
		{"eF:04:aB", 0, {0xef, 0x04, 0xab, 3}},
		{"00:00:00", 0, {0, 0, 0, 3}},
		{"mass-storage", 0, {SKM_KIND_STORAGE, 0, 0, SKM_CLASS_DEPTH_KIND}},
		{"unknown", 0, {SKM_KIND_UNKNOWN, 0, 0, SKM_CLASS_DEPTH_KIND}},
		{"", -EINVAL, {0}},
		{"8", -EINVAL, {0}},
		{"8:6:50", -EINVAL, {0}},
		{"08:", -EINVAL, {0}},
		{"08:0", -EINVAL, {0}},
		{"08:06:", -EINVAL, {0}},
		{"08:06:5", -EINVAL, {0}},
		{"08:06:50:", -EINVAL, {0}},
		{"08:06:50:00", -EINVAL, {0}},
		{"0806", -EINVAL, {0}},
		{"08-06", -EINVAL, {0}},
		{" 08", -EINVAL, {0}},
		{"08 ", -EINVAL, {0}},
		{"0x8", -EINVAL, {0}},
		{"+8", -EINVAL, {0}},
		{"g8", -EINVAL, {0}},
		{"8g", -EINVAL, {0}},
		{"storage", -EINVAL, {0}},
		{"mass-storage ", -EINVAL, {0}},
		{"08:*", -EINVAL, {0}},
		{":", -EINVAL, {0}},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(rows); i++) {
		struct skm_class_pattern pattern = {0};
		cr_assert_eq(skm_class_pattern_parse(rows[i].text, &pattern), rows[i].result, "'%s'",
			rows[i].text);
		cr_assert_eq(memcmp(&pattern, &rows[i].pattern, sizeof(pattern)), 0, "'%s'", rows[i].text);
	}
}

Test(rule, vid_pid)
{
	static const char *const bad[] = {"", "0781", "0781:", "0781:558", "0781:55811", "781:5581",
		"0781-5581", "07815581", "0x781:5581", "0781:5581 ", " 781:5581", "g781:5581", "0781:558g",
		"07:81:5581", "0781::581"};
	uint16_t vendor = 1, product = 2;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(bad); i++)
		cr_assert_eq(skm_vid_pid_parse(bad[i], &vendor, &product), -EINVAL, "'%s'", bad[i]);
	cr_assert_eq(vendor, 1);
	cr_assert_eq(product, 2);
	cr_assert_eq(skm_vid_pid_parse("0781:aBcD", &vendor, &product), 0);
	cr_assert_eq(vendor, 0x0781);
	cr_assert_eq(product, 0xabcd);
}

Test(rule, descriptor_hash)
{
	char text[66];
	uint8_t hash[SKM_DESCRIPTOR_HASH_BYTES];
	for (size_t i = 0; i < 32; i++)
		(void)snprintf(text + 2 * i, 3, i % 2 ? "%02x" : "%02X", (unsigned)(i * 8 + 7));
	cr_assert_eq(skm_descriptor_hash_parse(text, hash), 0);
	for (size_t i = 0; i < 32; i++)
		cr_assert_eq(hash[i], i * 8 + 7);
	text[63] = 'g';
	hash[0] = 99;
	cr_assert_eq(skm_descriptor_hash_parse(text, hash), -EINVAL);
	cr_assert_eq(hash[0], 99, "untouched on failure");
	text[63] = '\0';
	cr_assert_eq(skm_descriptor_hash_parse(text, hash), -EINVAL);
	memset(text, '0', 65);
	text[65] = '\0';
	cr_assert_eq(skm_descriptor_hash_parse(text, hash), -EINVAL);
	cr_assert_eq(skm_descriptor_hash_parse("", hash), -EINVAL);
}

Test(rule, ids)
{
	static const char *const good[] = {
		"a", "USB-0001", "2026.04_b:3", "builtin", "Builtin:x", "x-builtin:y"};
	static const char *const bad[] = {
		"", "a b", "a/b", "台帳1", "a\n", "builtin:office", "builtin:", "a,b", "\"a\""};
	char longest[66];
	for (size_t i = 0; i < SKM_ARRAY_SIZE(good); i++)
		cr_assert_eq(skm_rule_id_check(good[i]), 0, "'%s'", good[i]);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(bad); i++)
		cr_assert_eq(skm_rule_id_check(bad[i]), -EINVAL, "'%s'", bad[i]);
	memset(longest, 'a', 65);
	longest[65] = '\0';
	cr_assert_eq(skm_rule_id_check(longest), -EINVAL, "65 characters");
	longest[64] = '\0';
	cr_assert_eq(skm_rule_id_check(longest), 0, "64 characters");
}

Test(rule, ports)
{
	static const char *const good[] = {"1-1", "1-2.3", "12-14.4.4.4.4.1", "255-255"};
	static const char *const bad[] = {"", "1", "1-", "-1", "1-2.", "1-.2", "1-2..3", "1.2", "1-2-3",
		"01-2", "1-02", "0-1", "1-0", "1-2:1.0", "usb1", "1-2 ", " 1-2", "1-2.3.4.5.6.7.8",
		"1-1.1.1.1.1.1.1", "1000-1", "1-1000"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(good); i++)
		cr_assert_eq(skm_port_check(good[i]), 0, "'%s'", good[i]);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(bad); i++)
		cr_assert_eq(skm_port_check(bad[i]), -EINVAL, "'%s'", bad[i]);
}

/* A rule that names everything. */
static struct skm_rule full_rule(void)
{
	static const struct skm_class_pattern classes[] = {{0x08, 0, 0, 1}, {SKM_KIND_NETWORK, 0, 0, 4}};
	static const struct skm_class_pattern interfaces[] = {
		{0x08, 0x06, 0x62, 3}, {0x03, 0x01, 0x01, 3}, {0x08, 0x06, 0x62, 3}, {0x08, 0x06, 0x50, 3}};
	return (struct skm_rule){
		.id = "r",
		.reason = "because",
		.action = SKM_RULE_ALLOW,
		.criteria = 0x7f,
		.vendor_id = 1,
		.product_id = 2,
		.connect_type = SKM_CONNECT_HOTPLUG,
		.serial = "S",
		.port = "1-2",
		.descriptor_hash = {7},
		.classes = classes,
		.class_count = 2,
		.interfaces = interfaces,
		.interface_count = 4,
	};
}

Test(rule, set_copies_deeply)
{
	struct skm_rule_set set = {0};
	struct skm_rule rule = full_rule();
	char id[] = "borrowed", serial[] = "4C53", port[] = "1-2.3", reason[] = "窓口の帳票出力";
	rule.id = id;
	rule.serial = serial;
	rule.port = port;
	rule.reason = reason;
	cr_assert_eq(skm_rule_set_add(&set, &rule), 0);
	memset(id, 'x', sizeof(id));
	memset(serial, 'x', sizeof(serial));
	memset(port, 'x', sizeof(port));
	memset(reason, 'x', sizeof(reason));

	const struct skm_rule *copy = &set.rules[0];
	cr_assert_str_eq(copy->id, "borrowed");
	cr_assert_str_eq(copy->serial, "4C53");
	cr_assert_str_eq(copy->port, "1-2.3");
	cr_assert_str_eq(copy->reason, "窓口の帳票出力");
	cr_assert_eq(copy->criteria, 0x7f);
	cr_assert_eq(copy->descriptor_hash[0], 7);
	cr_assert_eq(copy->class_count, 2);
	cr_assert_eq(copy->classes[1].depth, SKM_CLASS_DEPTH_KIND);
	/* sorted, each once */
	cr_assert_eq(copy->interface_count, 3);
	cr_assert_eq(copy->interfaces[0].class_code, 0x03);
	cr_assert_eq(copy->interfaces[1].protocol, 0x50);
	cr_assert_eq(copy->interfaces[2].protocol, 0x62);
	skm_rule_set_finish(&set);
	cr_assert_null(set.rules);
	cr_assert_eq(set.count, 0);
	skm_rule_set_finish(&set);
	skm_rule_set_finish(NULL);
}

Test(rule, set_keeps_only_what_is_named)
{
	struct skm_rule_set set = {0};
	struct skm_rule rule = full_rule();
	rule.criteria = SKM_RULE_PORT;
	cr_assert_eq(skm_rule_set_add(&set, &rule), 0);
	cr_assert_null(set.rules[0].serial);
	cr_assert_null(set.rules[0].classes);
	cr_assert_null(set.rules[0].interfaces);
	cr_assert_eq(set.rules[0].interface_count, 0);
	cr_assert_eq(set.rules[0].vendor_id, 0);
	cr_assert_eq(set.rules[0].connect_type, SKM_CONNECT_UNKNOWN);
	cr_assert_eq(set.rules[0].descriptor_hash[0], 0);
	skm_rule_set_finish(&set);
}

static void no_criterion(struct skm_rule *rule)
{
	rule->criteria = 0;
}
static void unknown_criterion(struct skm_rule *rule)
{
	rule->criteria |= 0x80;
}
static void unknown_action(struct skm_rule *rule)
{
	rule->action = SKM_RULE_ACTION_COUNT_;
}
static void no_id(struct skm_rule *rule)
{
	rule->id = NULL;
}
static void builtin_id(struct skm_rule *rule)
{
	rule->id = "builtin:office";
}
static void no_reason(struct skm_rule *rule)
{
	rule->reason = NULL;
}
static void empty_reason(struct skm_rule *rule)
{
	rule->reason = "";
}
static void empty_serial(struct skm_rule *rule)
{
	rule->serial = "";
}
static void no_serial(struct skm_rule *rule)
{
	rule->serial = NULL;
}
static void empty_port(struct skm_rule *rule)
{
	rule->port = "";
}
static void bad_type(struct skm_rule *rule)
{
	rule->connect_type = SKM_CONNECT_TYPE_COUNT_;
}
static void no_classes(struct skm_rule *rule)
{
	rule->class_count = 0;
}
static void many_classes(struct skm_rule *rule)
{
	rule->class_count = SKM_RULE_CLASSES_MAX + 1;
}
static void no_interfaces(struct skm_rule *rule)
{
	rule->interface_count = 0;
}
static void many_interfaces(struct skm_rule *rule)
{
	rule->interface_count = SKM_RULE_INTERFACES_MAX + 1;
}

static void use_pattern(struct skm_rule *rule, const struct skm_class_pattern *pattern)
{
	rule->classes = pattern;
	rule->class_count = 1;
}

static void depth_zero(struct skm_rule *rule)
{
	static const struct skm_class_pattern pattern = {0x08, 0, 0, 0};
	use_pattern(rule, &pattern);
}

static void depth_five(struct skm_rule *rule)
{
	static const struct skm_class_pattern pattern = {0x08, 0, 0, 5};
	use_pattern(rule, &pattern);
}

static void unused_member(struct skm_rule *rule)
{
	static const struct skm_class_pattern pattern = {0x08, 0x06, 0, 1};
	use_pattern(rule, &pattern);
}

static void unused_protocol(struct skm_rule *rule)
{
	static const struct skm_class_pattern pattern = {0x08, 0x06, 0x50, 2};
	use_pattern(rule, &pattern);
}

static void shallow_interface(struct skm_rule *rule)
{
	static const struct skm_class_pattern pattern = {0x08, 0x06, 0, 2};
	rule->interfaces = &pattern;
	rule->interface_count = 1;
}

static const struct {
	const char *name;
	void (*spoil)(struct skm_rule *rule);
} unsound[] = {
	{"no criterion", no_criterion},
	{"unknown criterion", unknown_criterion},
	{"unknown action", unknown_action},
	{"no id", no_id},
	{"reserved id", builtin_id},
	{"no reason", no_reason},
	{"empty reason", empty_reason},
	{"empty serial", empty_serial},
	{"no serial", no_serial},
	{"empty port", empty_port},
	{"impossible connect type", bad_type},
	{"no class", no_classes},
	{"too many classes", many_classes},
	{"no interface", no_interfaces},
	{"too many interfaces", many_interfaces},
	{"depth 0", depth_zero},
	{"depth 5", depth_five},
	{"subclass at depth 1", unused_member},
	{"protocol at depth 2", unused_protocol},
	{"interface of depth 2", shallow_interface},
};

Test(rule, set_refuses_what_no_rule_may_be)
{
	struct skm_rule_set set = {0};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(unsound); i++) {
		/* room enough to read one past the limit */
		static struct skm_class_pattern plenty[64];
		for (size_t j = 0; j < SKM_ARRAY_SIZE(plenty); j++)
			plenty[j] = (struct skm_class_pattern){8, 6, (uint8_t)j, 3};
		struct skm_rule rule = full_rule();
		rule.classes = rule.interfaces = plenty;
		unsound[i].spoil(&rule);
		cr_assert_eq(skm_rule_set_add(&set, &rule), -EINVAL, "%s", unsound[i].name);
		cr_assert_eq(set.count, 0, "%s", unsound[i].name);
	}
	skm_rule_set_finish(&set);
}

Test(rule, set_has_a_limit)
{
	struct skm_rule_set set = {0};
	struct skm_rule rule = {
		.id = "r", .reason = "because", .action = SKM_RULE_ALLOW, .criteria = SKM_RULE_VID_PID};
	for (size_t i = 0; i < SKM_RULES_MAX; i++)
		cr_assert_eq(skm_rule_set_add(&set, &rule), 0, "%zu", i);
	cr_assert_eq(skm_rule_set_add(&set, &rule), -E2BIG);
	cr_assert_eq(set.count, SKM_RULES_MAX);
	skm_rule_set_finish(&set);
}
