// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "policy.h"
#include "usb_descriptor.h"
#include "usb_samples.h"

/* ---- a small vocabulary: rules and interfaces as words ---- */

static struct skm_rule_set rules;
static struct skm_policy *policy;

static void finish(void)
{
	policy = skm_policy_free(policy);
	skm_rule_set_finish(&rules);
}

/* "deny d1 vid_pid=0781:5581 class=08,03 port=1-2 connect=hotplug serial=S hash
 * interfaces=08:06:50,03:01:01": one rule. */
static void add_criterion(
	struct skm_rule *rule, const char *key, char *value, struct skm_class_pattern *patterns)
{
	size_t count = 0;
	if (strcmp(key, "class") == 0 || strcmp(key, "interfaces") == 0)
		for (char *word = strtok(value, ","); word; word = strtok(NULL, ","))
			cr_assert_eq(skm_class_pattern_parse(word, &patterns[count++]), 0, "%s", word);
	if (strcmp(key, "vid_pid") == 0) {
		rule->criteria |= SKM_RULE_VID_PID;
		cr_assert_eq(skm_vid_pid_parse(value, &rule->vendor_id, &rule->product_id), 0);
	} else if (strcmp(key, "serial") == 0) {
		rule->criteria |= SKM_RULE_SERIAL;
		rule->serial = value;
	} else if (strcmp(key, "port") == 0) {
		rule->criteria |= SKM_RULE_PORT;
		rule->port = value;
	} else if (strcmp(key, "connect") == 0) {
		rule->criteria |= SKM_RULE_CONNECT_TYPE;
		cr_assert_eq(skm_connect_type_from_string(value, &rule->connect_type), 0);
	} else if (strcmp(key, "hash") == 0) {
		rule->criteria |= SKM_RULE_HASH;
		rule->descriptor_hash[0] = (uint8_t)value[0];
	} else if (strcmp(key, "class") == 0) {
		rule->criteria |= SKM_RULE_CLASS;
		rule->classes = patterns;
		rule->class_count = count;
	} else {
		cr_assert_str_eq(key, "interfaces");
		rule->criteria |= SKM_RULE_INTERFACES;
		rule->interfaces = patterns;
		rule->interface_count = count;
	}
}

static void add_rule(const char *text)
{
	char words[9][128] = {{0}};
	struct skm_class_pattern patterns[9][SKM_RULE_INTERFACES_MAX];
	struct skm_rule rule = {.reason = "as registered"};
	int count = sscanf(text, "%127s %127s %127s %127s %127s %127s %127s %127s %127s", words[0], words[1],
		words[2], words[3], words[4], words[5], words[6], words[7], words[8]);
	cr_assert_geq(count, 3, "%s", text);
	rule.action = strcmp(words[0], "deny") == 0 ? SKM_RULE_DENY : SKM_RULE_ALLOW;
	rule.id = words[1];
	for (int i = 2; i < count; i++) {
		char *value = strchr(words[i], '=');
		cr_assert_not_null(value, "%s", text);
		*value++ = '\0';
		add_criterion(&rule, words[i], value, patterns[i]);
	}
	cr_assert_eq(skm_rule_set_add(&rules, &rule), 0, "%s", text);
}

/* Rules separated by semicolons. */
static void compile(const char *text)
{
	finish();
	char copy[1024];
	(void)snprintf(copy, sizeof(copy), "%s", text);
	char *rest = copy;
	for (char *rule; (rule = strsep(&rest, ";"));)
		if (rule[strspn(rule, " ")] != '\0')
			add_rule(rule);
	cr_assert_eq(skm_policy_compile(&rules, &policy), 0);
}

/* "1.0 08:06:50, 1.1 03:01:01" -> a device 0781:5581 with serial S at port 1-2 */
static struct skm_device make_device(const char *interfaces)
{
	struct skm_device device = {.port = "1-2",
		.bus_number = 1,
		.device_number = 9,
		.vendor_id = 0x0781,
		.product_id = 0x5581,
		.connect_type = SKM_CONNECT_HOTPLUG,
		.serial = "S",
		.descriptor_hash = {'h'}};
	for (const char *at = interfaces; at && *at != '\0';
		at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		unsigned c, n, class_code, subclass, protocol;
		cr_assert_eq(sscanf(at, " %u.%u %x:%x:%x", &c, &n, &class_code, &subclass, &protocol), 5,
			"%s", at);
		device.interfaces[device.interface_count++] = (struct skm_usb_interface){
			(uint8_t)c, (uint8_t)n, (uint8_t)class_code, (uint8_t)subclass, (uint8_t)protocol};
	}
	return device;
}

static struct skm_decision judge(const struct skm_device *device, struct skm_judge_context context)
{
	struct skm_decision decision;
	memset(&decision, 0xa5, sizeof(decision));
	skm_policy_judge(policy, device, &context, &decision);
	return decision;
}

/* "yyn": may entry 0, 1, 2 … be used? */
static const char *allowed_entries(const struct skm_device *device, const struct skm_decision *decision)
{
	static char text[SKM_USB_INTERFACES_MAX + 1];
	for (size_t i = 0; i < device->interface_count; i++)
		text[i] = decision->interface_allowed[i] ? 'y' : 'n';
	text[device->interface_count] = '\0';
	for (size_t i = device->interface_count; i < SKM_USB_INTERFACES_MAX; i++)
		cr_assert_not(decision->interface_allowed[i], "an entry that does not exist is allowed");
	return text;
}

struct row {
	const char *rules;
	const char *interfaces;
	const char *verdict;
	const char *rule;
	const char *entries;
};

static void check_rows(const struct row *rows, size_t count, struct skm_judge_context context)
{
	for (size_t i = 0; i < count; i++) {
		compile(rows[i].rules);
		struct skm_device device = make_device(rows[i].interfaces);
		struct skm_decision decision = judge(&device, context);
		char name[512];
		(void)snprintf(name, sizeof(name), "[%s] %s -> %s %s %s", rows[i].rules, rows[i].interfaces,
			skm_verdict_to_string(decision.verdict), decision.rule,
			allowed_entries(&device, &decision));
		cr_assert_str_eq(skm_verdict_to_string(decision.verdict), rows[i].verdict, "%s", name);
		cr_assert_str_eq(decision.rule, rows[i].rule, "%s", name);
		cr_assert_str_eq(allowed_entries(&device, &decision), rows[i].entries, "%s", name);
		cr_assert_gt(strlen(decision.reason), 0, "%s", name);
		cr_assert_eq(
			decision.allow_rule[0] != '\0', decision.verdict == SKM_VERDICT_PARTIAL, "%s", name);
	}
}

#define CHECK(rows, ...) check_rows(rows, SKM_ARRAY_SIZE(rows), (struct skm_judge_context){__VA_ARGS__})

/* ---- without rules ---- */

Test(policy, office_devices, .fini = finish)
{
	static const struct row rows[] = {
		{"", "1.0 03:01:01", "allow", "builtin:office", "y"},
		{"", "1.0 03:01:02", "allow", "builtin:office", "y"},
		{"", "1.0 09:00:01, 1.0 09:00:02", "allow", "builtin:office", "yy"},
		{"", "1.0 0b:00:00", "allow", "builtin:office", "y"},
		{"", "1.0 03:01:01, 1.1 03:00:00", "allow", "builtin:office", "yy"},
		{"", "1.0 03:01:01, 1.1 03:01:02, 1.2 03:00:00", "allow", "builtin:office", "yyy"},
		{"", "1.0 03:00:00, 1.1 03:01:02", "allow", "builtin:office", "yy"},
		{"", "1.0 03:01:01, 1.1 0b:00:00", "allow", "builtin:office", "yy"},
		/* HID alone is a channel, not a keyboard */
		{"", "1.0 03:00:00", "deny", "builtin:default-deny", "n"},
		{"", "1.0 03:00:01", "deny", "builtin:default-deny", "n"},
		/* the keyboard must be in the same configuration */
		{"", "1.0 03:01:01, 2.0 03:00:00", "partial", "builtin:default-deny", "yn"},
		/* four HID interfaces are usual, five are not; the alternate settings of one count once */
		{"", "1.0 03:01:01, 1.1 03:00:00, 1.2 03:00:00, 1.3 03:00:00", "allow", "builtin:office",
			"yyyy"},
		{"", "1.0 03:01:01, 1.1 03:00:00, 1.2 03:00:00, 1.3 03:01:02, 1.4 03:00:00", "partial",
			"builtin:default-deny", "ynnyn"},
		{"", "1.0 03:01:01, 1.1 03:00:00, 1.1 03:00:01, 1.2 03:00:00, 1.3 03:00:00", "allow",
			"builtin:office", "yyyyy"},
		{"", "1.0 03:01:01, 1.1 03:00:00, 1.2 03:00:00, 1.3 03:00:00, 2.0 03:01:01", "allow",
			"builtin:office", "yyyyy"},
	};
	CHECK(rows, 0);
}

Test(policy, everything_else_is_refused, .fini = finish)
{
	static const struct row rows[] = {
		{"", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"", "1.0 06:01:01", "deny", "builtin:default-deny", "n"},
		{"", "1.0 ff:42:01", "deny", "builtin:default-deny", "n"},
		{"", "1.0 e0:01:03, 1.1 0a:00:00", "deny", "builtin:default-deny", "nn"},
		{"", "1.0 07:01:02", "deny", "builtin:default-deny", "n"},
		{"", "1.0 00:00:00", "deny", "builtin:default-deny", "n"},
		{"", "1.0 03:01:01, 1.1 08:06:50", "partial", "builtin:default-deny", "yn"},
		{"", "1.0 03:01:01, 2.0 08:06:50", "partial", "builtin:default-deny", "yn"},
		/* an interface that changes its class with a setting is refused with all its settings */
		{"", "1.0 03:01:01, 1.0 08:06:50", "deny", "builtin:default-deny", "nn"},
		{"", "1.0 03:01:01, 1.1 03:00:00, 1.1 08:06:50", "partial", "builtin:default-deny", "ynn"},
		{"", "1.0 03:01:01, 1.0 08:06:50, 1.1 03:01:01, 2.0 03:01:01", "partial",
			"builtin:default-deny", "nnyy"},
	};
	CHECK(rows, 0);
}

Test(policy, samples_without_rules, .fini = finish)
{
	static const struct {
		const char *sample, *verdict, *entries;
	} rows[] = {
		{"boot_keyboard", "allow", "y"},
		{"media_keyboard", "allow", "yy"},
		{"three_hid_keyboard", "allow", "yyy"},
		{"receiver", "allow", "yyy"},
		{"mouse", "allow", "y"},
		{"hub", "allow", "yy"},
		{"stick", "deny", "n"},
		{"uas_disk", "deny", "nn"},
		{"mtp_phone", "deny", "n"},
		{"rndis", "deny", "nn"},
		{"ecm", "deny", "nn"},
		{"acm", "deny", "nn"},
		{"ccid_reader", "allow", "y"},
		{"keyboard_and_stick", "partial", "yn"},
		{"second_configuration", "partial", "yn"},
		{"hidden_alternate", "deny", "nn"},
	};
	cr_assert_eq(SKM_ARRAY_SIZE(rows), SKM_ARRAY_SIZE(usb_samples));
	compile("");
	for (size_t i = 0; i < SKM_ARRAY_SIZE(rows); i++) {
		static struct skm_device device;
		cr_assert_str_eq(rows[i].sample, usb_samples[i].name);
		skm_usb_descriptors_parse(usb_samples[i].bytes, usb_samples[i].len, &device);
		struct skm_decision decision = judge(&device, (struct skm_judge_context){0});
		cr_assert_str_eq(
			skm_verdict_to_string(decision.verdict), rows[i].verdict, "%s", rows[i].sample);
		cr_assert_str_eq(allowed_entries(&device, &decision), rows[i].entries, "%s", rows[i].sample);
	}
}

Test(policy, not_believed, .fini = finish)
{
	compile("allow all vid_pid=0781:5581");
	for (unsigned state = 0; state < SKM_DESCRIPTOR_STATE_COUNT_; state++) {
		struct skm_device device = make_device("1.0 03:01:01");
		device.descriptor_state = (enum skm_descriptor_state)state;
		struct skm_decision decision = judge(&device, (struct skm_judge_context){0});
		if (state == SKM_DESCRIPTOR_OK) {
			cr_assert_eq(decision.verdict, SKM_VERDICT_ALLOW);
			continue;
		}
		cr_assert_eq(decision.verdict, SKM_VERDICT_DENY);
		cr_assert_str_eq(decision.rule, "builtin:malformed");
		cr_assert(strstr(
			decision.reason, skm_descriptor_state_to_string((enum skm_descriptor_state)state)));
		cr_assert_str_eq(allowed_entries(&device, &decision), "n");
	}
	struct skm_device device = make_device("");
	struct skm_decision decision = judge(&device, (struct skm_judge_context){0});
	cr_assert_eq(decision.verdict, SKM_VERDICT_DENY);
	cr_assert_str_eq(decision.rule, "builtin:no-interface");
	device.interface_count = SKM_USB_INTERFACES_MAX + 1; /* cannot be: refused before anything is read */
	decision = judge(&device, (struct skm_judge_context){0});
	cr_assert_eq(decision.verdict, SKM_VERDICT_DENY);
	cr_assert_str_eq(decision.rule, "builtin:malformed");
}

/* ---- rules ---- */

/* Each criterion, where it holds and where it does not. */
Test(policy, criteria, .fini = finish)
{
	static const struct row rows[] = {
		{"allow r vid_pid=0781:5581", "1.0 08:06:50", "allow", "r", "y"},
		{"allow r vid_pid=0781:5582", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"allow r vid_pid=0782:5581", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"allow r serial=S", "1.0 08:06:50", "allow", "r", "y"},
		{"allow r serial=s", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"allow r serial=SS", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"allow r hash=h", "1.0 08:06:50", "allow", "r", "y"},
		{"allow r hash=i", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"allow r port=1-2", "1.0 08:06:50", "allow", "r", "y"},
		{"allow r port=1-2.1", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"allow r connect=hotplug", "1.0 08:06:50", "allow", "r", "y"},
		{"allow r connect=hardwired", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"allow r class=08", "1.0 08:06:50", "allow", "r", "y"},
		{"allow r class=08:06", "1.0 08:06:50", "allow", "r", "y"},
		{"allow r class=08:06:50", "1.0 08:06:50", "allow", "r", "y"},
		{"allow r class=mass-storage", "1.0 08:06:50", "allow", "r", "y"},
		{"allow r class=06", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"allow r class=08:05", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"allow r class=08:06:62", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"allow r class=imaging", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"allow r class=06,08:06:62,07,08:06:50", "1.0 08:06:50", "allow", "r", "y"},
		{"allow r class=wireless", "1.0 e0:01:01", "allow", "r", "y"},
		{"allow r class=wireless", "1.0 e0:01:03", "deny", "builtin:default-deny", "n"},
		{"allow r class=network", "1.0 e0:01:03", "allow", "r", "y"},
		{"allow r interfaces=08:06:50", "1.0 08:06:50", "allow", "r", "y"},
		{"allow r interfaces=08:06:50,03:01:01", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"allow r interfaces=08:06:50", "1.0 08:06:50, 1.1 ff:00:00", "deny", "builtin:default-deny",
			"nn"},
		{"allow r interfaces=08:06:62,08:06:50", "1.0 08:06:50, 1.0 08:06:62", "allow", "r", "yy"},
		{"allow r interfaces=08:06:50", "1.0 08:06:50, 1.1 08:06:50, 2.0 08:06:50", "allow", "r",
			"yyy"},
		/* a set: neither order nor number counts */
		{"allow r interfaces=03:01:01,08:06:50", "1.0 08:06:50, 1.1 03:01:01, 1.2 08:06:50", "allow",
			"r", "yyy"},
		/* all that are named must hold */
		{"allow r vid_pid=0781:5581 serial=S hash=h port=1-2 connect=hotplug class=08 interfaces=08:06:50",
			"1.0 08:06:50", "allow", "r", "y"},
		{"allow r vid_pid=0781:5581 serial=T", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"allow r vid_pid=0781:5581 port=1-3", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"allow r serial=S connect=unknown", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"allow r vid_pid=0781:5581 interfaces=08:06:62", "1.0 08:06:50", "deny",
			"builtin:default-deny", "n"},
		{"allow r hash=h class=03", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
	};
	CHECK(rows, 0);
}

/* Every combination of criteria, and then with one of them wrong at a time. */
Test(policy, every_combination_of_criteria, .fini = finish)
{
	static const char *const right[] = {"class=08:06", "vid_pid=0781:5581", "serial=S", "hash=h",
		"port=1-2", "connect=hotplug", "interfaces=08:06:50"};
	static const char *const wrong[] = {"class=08:05", "vid_pid=0781:5580", "serial=T", "hash=i",
		"port=1-3", "connect=hardwired", "interfaces=08:06:51"};
	struct skm_device device = make_device("1.0 08:06:50");
	for (unsigned mask = 1; mask < 128; mask++) {
		for (int spoilt = -1; spoilt < 7; spoilt++) {
			char text[256] = "allow r";
			if (spoilt >= 0 && !(mask & 1u << spoilt))
				continue;
			for (int i = 0; i < 7; i++) {
				if (!(mask & 1u << i))
					continue;
				strcat(text, " ");
				strcat(text, i == spoilt ? wrong[i] : right[i]);
			}
			compile(text);
			struct skm_decision decision = judge(&device, (struct skm_judge_context){0});
			cr_assert_eq(decision.verdict, spoilt < 0 ? SKM_VERDICT_ALLOW : SKM_VERDICT_DENY,
				"%s", text);
		}
	}
}

Test(policy, order, .fini = finish)
{
	static const struct row rows[] = {
		/* deny before allow, wherever it stands */
		{"allow a vid_pid=0781:5581; deny d class=08", "1.0 08:06:50", "deny", "d", "n"},
		{"deny d class=08; allow a vid_pid=0781:5581", "1.0 08:06:50", "deny", "d", "n"},
		{"allow a class=08; deny d class=08", "1.0 08:06:50", "deny", "d", "n"},
		/* a deny rule takes an office device away */
		{"deny d vid_pid=0781:5581", "1.0 03:01:01", "deny", "d", "n"},
		{"deny d class=keyboard", "1.0 03:01:01, 1.1 03:01:02", "partial", "d", "ny"},
		/* of rules that match, the first in the file is named, whatever its criteria */
		{"allow a serial=S; allow b vid_pid=0781:5581", "1.0 08:06:50", "allow", "a", "y"},
		{"allow b vid_pid=0781:5581; allow a serial=S", "1.0 08:06:50", "allow", "b", "y"},
		{"allow c class=08; allow b vid_pid=0781:5581", "1.0 08:06:50", "allow", "c", "y"},
		{"deny x port=9-9; deny d2 class=08; deny d1 serial=S", "1.0 08:06:50", "deny", "d2", "n"},
		/* the same criteria twice, and in both actions */
		{"allow a serial=S; allow b serial=S", "1.0 08:06:50", "allow", "a", "y"},
		{"deny a class=08; deny b class=08", "1.0 08:06:50", "deny", "a", "n"},
		{"allow a class=06,08; allow b class=08,06", "1.0 08:06:50", "allow", "a", "y"},
		{"allow a class=06,08; deny b class=07,08; deny c class=08", "1.0 08:06:50", "deny", "b",
			"n"},
		{"allow a interfaces=08:06:50,03:01:01; allow b interfaces=03:01:01,08:06:50",
			"1.0 03:01:01, 1.1 08:06:50", "allow", "a", "yy"},
		/* an allow rule before the built-in list, so that its number stands in the record */
		{"allow a class=03", "1.0 03:01:01", "allow", "a", "y"},
	};
	CHECK(rows, 0);
}

Test(policy, partial, .fini = finish)
{
	compile("allow kbd class=03; deny disk class=08");
	struct skm_device device = make_device("1.0 03:01:01, 1.1 08:06:50");
	struct skm_decision decision = judge(&device, (struct skm_judge_context){0});
	cr_assert_eq(decision.verdict, SKM_VERDICT_PARTIAL);
	cr_assert_str_eq(decision.rule, "disk");
	cr_assert_str_eq(decision.reason, "as registered");
	cr_assert_str_eq(decision.allow_rule, "kbd");
	cr_assert_eq(decision.kind, SKM_KIND_STORAGE);

	/* allowed is what may be used, not what would be but for another setting of the same interface */
	compile("allow disk class=08:06:50; allow kbd port=9-9 class=03");
	device = make_device("1.0 08:06:50, 1.0 ff:00:00, 1.1 09:00:00");
	decision = judge(&device, (struct skm_judge_context){0});
	cr_assert_str_eq(allowed_entries(&device, &decision), "nny");
	cr_assert_str_eq(decision.allow_rule, "builtin:office");
	cr_assert_str_eq(decision.rule, "builtin:default-deny");
	cr_assert_eq(decision.kind, SKM_KIND_VENDOR);
}

/* The worst is named first, and rule, reason and kind speak of the same entry. */
Test(policy, what_is_named, .fini = finish)
{
	static const struct {
		const char *rules, *interfaces, *kind, *rule, *reason;
	} rows[] = {
		{"", "1.0 08:06:50", "mass-storage", "builtin:default-deny",
			"mass storage (08:06:50) is not on the list of permitted devices"},
		{"", "1.0 01:01:00, 1.1 06:01:01, 1.2 08:06:50", "mass-storage", "builtin:default-deny",
			"mass storage (08:06:50) is not on the list of permitted devices"},
		{"", "1.0 ff:ff:00, 1.1 06:01:01", "imaging", "builtin:default-deny",
			"camera or phone (PTP/MTP) (06:01:01) is not on the list of permitted devices"},
		{"", "1.0 0a:00:00, 1.1 02:06:00", "network", "builtin:default-deny",
			"network adapter (02:06:00) is not on the list of permitted devices"},
		{"", "1.0 03:00:00, 1.1 01:01:00, 1.2 0e:01:00", "audio", "builtin:default-deny",
			"audio device (01:01:00) is not on the list of permitted devices"},
		{"deny d class=06", "1.0 06:01:01, 1.1 08:06:50", "mass-storage", "builtin:default-deny",
			"mass storage (08:06:50) is not on the list of permitted devices"},
		{"deny d class=08", "1.0 06:01:01, 1.1 08:06:50", "mass-storage", "d", "as registered"},
		{"", "1.0 03:01:02", "mouse", "builtin:office",
			"mouse (03:01:02) is an office device that needs no registration"},
		{"allow a class=ff", "1.0 03:01:01, 1.1 ff:00:00", "keyboard", "builtin:office",
			"keyboard (03:01:01) is an office device that needs no registration"},
		{"allow a vid_pid=0781:5581", "1.0 ff:00:00, 1.1 08:06:50", "vendor", "a", "as registered"},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(rows); i++) {
		compile(rows[i].rules);
		struct skm_device device = make_device(rows[i].interfaces);
		struct skm_decision decision = judge(&device, (struct skm_judge_context){0});
		cr_assert_str_eq(skm_device_kind_to_string(decision.kind), rows[i].kind, "%s: %s",
			rows[i].interfaces, skm_device_kind_to_string(decision.kind));
		cr_assert_str_eq(decision.rule, rows[i].rule, "%s: %s", rows[i].interfaces, decision.rule);
		cr_assert_str_eq(
			decision.reason, rows[i].reason, "%s: %s", rows[i].interfaces, decision.reason);
	}
}

Test(policy, longest_texts, .fini = finish)
{
	char id[SKM_RULE_ID_BYTES], reason[SKM_REASON_BYTES];
	memset(id, 'i', sizeof(id) - 1);
	memset(reason, 'r', sizeof(reason) - 1);
	id[sizeof(id) - 1] = reason[sizeof(reason) - 1] = '\0';
	struct skm_rule rule = {.id = id,
		.reason = reason,
		.action = SKM_RULE_ALLOW,
		.criteria = SKM_RULE_VID_PID,
		.vendor_id = 0x0781,
		.product_id = 0x5581};
	finish();
	cr_assert_eq(skm_rule_set_add(&rules, &rule), 0);
	cr_assert_eq(skm_policy_compile(&rules, &policy), 0);
	struct skm_device device = make_device("1.0 08:06:50");
	struct skm_decision decision = judge(&device, (struct skm_judge_context){0});
	cr_assert_str_eq(decision.rule, id);
	cr_assert_str_eq(decision.reason, reason);
}

/* ---- what identifies nothing ---- */

Test(policy, no_serial, .fini = finish)
{
	compile("allow r serial=S; allow q vid_pid=0781:5581 serial=S");
	struct skm_device device = make_device("1.0 08:06:50");
	device.serial[0] = '\0';
	cr_assert_eq(judge(&device, (struct skm_judge_context){0}).verdict, SKM_VERDICT_DENY);
	compile("allow r port=1-2");
	device.port[0] = '\0';
	cr_assert_eq(judge(&device, (struct skm_judge_context){0}).verdict, SKM_VERDICT_DENY);
}

Test(policy, longest_serial, .fini = finish)
{
	char serial[SKM_USB_STRING_BYTES];
	memset(serial, 's', sizeof(serial) - 1);
	serial[sizeof(serial) - 1] = '\0';
	struct skm_rule rule = {.id = "r",
		.reason = "r",
		.action = SKM_RULE_ALLOW,
		.criteria = SKM_RULE_SERIAL,
		.serial = serial};
	finish();
	cr_assert_eq(skm_rule_set_add(&rules, &rule), 0);
	cr_assert_eq(skm_policy_compile(&rules, &policy), 0);
	struct skm_device device = make_device("1.0 08:06:50");
	memcpy(device.serial, serial, sizeof(serial));
	cr_assert_eq(judge(&device, (struct skm_judge_context){0}).verdict, SKM_VERDICT_ALLOW);
	device.serial[sizeof(serial) - 2] = 't';
	cr_assert_eq(judge(&device, (struct skm_judge_context){0}).verdict, SKM_VERDICT_DENY);
}

Test(policy, duplicate_serial, .fini = finish)
{
	static const struct row rows[] = {
		{"allow r serial=S", "1.0 08:06:50", "deny", "builtin:duplicate-serial", "n"},
		{"allow r vid_pid=0781:5581 serial=S class=08", "1.0 08:06:50", "deny",
			"builtin:duplicate-serial", "n"},
		/* what does not ask for the serial holds as ever */
		{"allow r serial=S; allow q port=1-2", "1.0 08:06:50", "allow", "q", "y"},
		{"allow r serial=T", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		{"", "1.0 03:01:01", "allow", "builtin:office", "y"},
		{"allow r serial=S", "1.0 03:01:01, 1.1 08:06:50", "partial", "builtin:duplicate-serial",
			"yn"},
		/* a copied serial lifts no ban */
		{"deny lost serial=S; allow q vid_pid=0781:5581", "1.0 08:06:50", "deny", "lost", "n"},
		{"allow r serial=S; deny lost serial=S", "1.0 08:06:50", "deny", "lost", "n"},
	};
	CHECK(rows, .serial_is_duplicate = true);
}

Test(policy, initramfs, .fini = finish)
{
	static const struct row rows[] = {
		{"", "1.0 03:01:01", "allow", "builtin:office", "y"},
		{"", "1.0 09:00:01, 1.0 09:00:02", "allow", "builtin:office", "yy"},
		{"", "1.0 03:01:02", "deny", "builtin:initramfs", "n"},
		{"", "1.0 0b:00:00", "deny", "builtin:initramfs", "n"},
		{"", "1.0 03:01:01, 1.1 03:01:02, 1.2 03:00:00", "partial", "builtin:initramfs", "ynn"},
		{"", "1.0 08:06:50", "deny", "builtin:default-deny", "n"},
		/* what the rules say counts here, too: a security key, or a reader for unlocking */
		{"allow key vid_pid=0781:5581", "1.0 03:00:00, 1.1 0b:00:00", "allow", "key", "yy"},
		{"allow reader class=0b", "1.0 0b:00:00", "allow", "reader", "y"},
		{"deny kbd class=keyboard", "1.0 03:01:01", "deny", "kbd", "n"},
	};
	CHECK(rows, .is_initramfs = true);
}

/* ---- one interface ---- */

Test(policy, decision_allows, .fini = finish)
{
	compile("");
	struct skm_device device =
		make_device("1.0 03:01:01, 1.1 08:06:50, 2.0 08:06:50, 2.1 09:00:00, 2.1 ff:00:00");
	struct skm_decision decision = judge(&device, (struct skm_judge_context){0});
	cr_assert(skm_decision_allows(&decision, &device, 1, 0));
	cr_assert_not(skm_decision_allows(&decision, &device, 1, 1));
	cr_assert_not(skm_decision_allows(&decision, &device, 2, 0));
	cr_assert_not(skm_decision_allows(&decision, &device, 2, 1));
	cr_assert_not(skm_decision_allows(&decision, &device, 1, 2), "no such interface");
	cr_assert_not(skm_decision_allows(&decision, &device, 3, 0), "no such configuration");
	decision.interface_allowed[3] = true; /* a decision of other making, whose entries disagree */
	cr_assert_not(skm_decision_allows(&decision, &device, 2, 1));
	memset(&decision, 0, sizeof(decision));
	cr_assert_not(skm_decision_allows(&decision, &device, 1, 0), "a decision that was forgotten refuses");
}

Test(policy, as_many_interfaces_as_there_are, .fini = finish)
{
	compile("allow r class=ff; allow s interfaces=ff:00:00");
	struct skm_device device = make_device("");
	device.interface_count = SKM_USB_INTERFACES_MAX;
	for (size_t i = 0; i < SKM_USB_INTERFACES_MAX; i++)
		device.interfaces[i] = (struct skm_usb_interface){
			(uint8_t)(1 + i / 32), (uint8_t)(i % 32), 0xff, (uint8_t)(i / 16), (uint8_t)i};
	struct skm_decision decision = judge(&device, (struct skm_judge_context){0});
	cr_assert_eq(decision.verdict, SKM_VERDICT_ALLOW);
	cr_assert_str_eq(decision.rule, "r");
	device.interfaces[255].class_code = 0xfe;
	decision = judge(&device, (struct skm_judge_context){0});
	cr_assert_eq(decision.verdict, SKM_VERDICT_PARTIAL);
	cr_assert_not(decision.interface_allowed[255]);
	cr_assert(decision.interface_allowed[254]);
}

/* 32 distinct triples fill a rule; a device with one more is another device. */
Test(policy, interfaces_to_the_limit, .fini = finish)
{
	struct skm_class_pattern triples[SKM_RULE_INTERFACES_MAX];
	struct skm_device device = make_device("");
	for (size_t i = 0; i < SKM_RULE_INTERFACES_MAX; i++) {
		triples[SKM_RULE_INTERFACES_MAX - 1 - i] = (struct skm_class_pattern){0xff, 0, (uint8_t)i, 3};
		device.interfaces[i] = (struct skm_usb_interface){1, (uint8_t)i, 0xff, 0, (uint8_t)i};
	}
	device.interface_count = SKM_RULE_INTERFACES_MAX;
	struct skm_rule rule = {.id = "r",
		.reason = "r",
		.action = SKM_RULE_ALLOW,
		.criteria = SKM_RULE_INTERFACES,
		.interfaces = triples,
		.interface_count = SKM_RULE_INTERFACES_MAX};
	finish();
	cr_assert_eq(skm_rule_set_add(&rules, &rule), 0);
	cr_assert_eq(skm_policy_compile(&rules, &policy), 0);
	cr_assert_eq(judge(&device, (struct skm_judge_context){0}).verdict, SKM_VERDICT_ALLOW);
	device.interfaces[device.interface_count++] = (struct skm_usb_interface){2, 0, 0xff, 0, 200};
	cr_assert_eq(judge(&device, (struct skm_judge_context){0}).verdict, SKM_VERDICT_DENY);
}
