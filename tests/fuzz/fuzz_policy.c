// SPDX-License-Identifier: Apache-2.0
/* The hash index against a loop over the rules: both must give the same answer, whatever the rules and the
 * device. All values come from small alphabets, so that rules meet, repeat and contradict each other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "policy_office.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RULES_MAX 64u

struct input {
	const uint8_t *data;
	size_t size;
};

static void demand(bool condition)
{
	if (!condition)
		abort();
}

static uint8_t take(struct input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

static const char *const serials[] = {"", "S", "T", "SS"};
static const char *const ports[] = {"", "1-1", "1-2", "1-1.1"};
static const uint8_t triples[][3] = {{0x08, 0x06, 0x50}, {0x08, 0x06, 0x62}, {0x03, 0x01, 0x01},
	{0x03, 0x00, 0x00}, {0xe0, 0x01, 0x03}, {0xe0, 0x01, 0x01}, {0x09, 0x00, 0x00}, {0x08, 0x04, 0x00}};

static struct skm_class_pattern take_triple(struct input *input)
{
	const uint8_t *triple = triples[take(input) % SKM_ARRAY_SIZE(triples)];
	return (struct skm_class_pattern){triple[0], triple[1], triple[2], 3};
}

static struct skm_class_pattern take_pattern(struct input *input)
{
	struct skm_class_pattern pattern = take_triple(input);
	pattern.depth = (uint8_t)(1 + take(input) % SKM_CLASS_DEPTH_KIND);
	if (pattern.depth == SKM_CLASS_DEPTH_KIND) {
		struct skm_usb_interface interface = {
			0, 0, pattern.class_code, pattern.subclass, pattern.protocol};
		pattern.class_code = (uint8_t)skm_usb_interface_kind(&interface);
	}
	if (pattern.depth != 3)
		pattern.protocol = 0;
	if (pattern.depth != 2 && pattern.depth != 3)
		pattern.subclass = 0;
	return pattern;
}

static void add_rule(struct input *input, struct skm_rule_set *set)
{
	struct skm_class_pattern classes[3], interfaces[3];
	char id[16];
	uint8_t head = take(input), values = take(input), counts = take(input);
	struct skm_rule rule = {.id = id,
		.reason = "r",
		.action = head & 0x80 ? SKM_RULE_DENY : SKM_RULE_ALLOW,
		.criteria = head & 0x7f,
		.vendor_id = values & 1,
		.product_id = values >> 1 & 1,
		.connect_type = (enum skm_connect_type)(values >> 2 & 1),
		.serial = serials[1 + (values >> 3) % 3],
		.port = ports[1 + (values >> 5) % 3],
		.classes = classes,
		.class_count = 1u + counts % 3u,
		.interfaces = interfaces,
		.interface_count = 1u + (counts >> 2) % 3u};
	(void)snprintf(id, sizeof(id), "r%zu", set->count);
	rule.descriptor_hash[31] = counts >> 7;
	for (size_t i = 0; i < 3; i++) {
		classes[i] = take_pattern(input);
		interfaces[i] = take_triple(input);
	}
	demand(skm_rule_set_add(set, &rule) == (rule.criteria ? 0 : -EINVAL));
}

static int compare_interfaces(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct skm_usb_interface));
}

static void take_device(struct input *input, struct skm_device *device)
{
	uint8_t values = take(input), more = take(input);
	*device = (struct skm_device){.vendor_id = values & 1,
		.product_id = values >> 1 & 1,
		.connect_type = (enum skm_connect_type)(values >> 2 & 1),
		.interface_count = more % 8};
	strcpy(device->serial, serials[(values >> 3) % SKM_ARRAY_SIZE(serials)]);
	strcpy(device->port, ports[(values >> 5) % SKM_ARRAY_SIZE(ports)]);
	device->descriptor_hash[31] = more >> 7;
	for (size_t i = 0; i < device->interface_count; i++) {
		uint8_t place = take(input);
		struct skm_class_pattern triple = take_triple(input);
		device->interfaces[i] = (struct skm_usb_interface){(uint8_t)(1 + place % 2), place / 2 % 4,
			triple.class_code, triple.subclass, triple.protocol};
	}
	qsort(device->interfaces, device->interface_count, sizeof(device->interfaces[0]), compare_interfaces);
}

/* ---- the obvious way ---- */

static bool class_holds(const struct skm_rule *rule, const struct skm_usb_interface *interface)
{
	for (size_t i = 0; i < rule->class_count; i++) {
		const struct skm_class_pattern *pattern = &rule->classes[i];
		if (pattern->depth == SKM_CLASS_DEPTH_KIND) {
			if (skm_usb_interface_kind(interface) == (enum skm_device_kind)pattern->class_code)
				return true;
		} else if (pattern->class_code == interface->class_code &&
			   (pattern->depth < 2 || pattern->subclass == interface->subclass) &&
			   (pattern->depth < 3 || pattern->protocol == interface->protocol)) {
			return true;
		}
	}
	return false;
}

static bool interfaces_hold(const struct skm_rule *rule, const struct skm_device *device)
{
	bool is_found[3] = {false};
	for (size_t i = 0; i < device->interface_count; i++) {
		const struct skm_usb_interface *interface = &device->interfaces[i];
		bool is_named = false;
		for (size_t j = 0; j < rule->interface_count; j++) {
			const struct skm_class_pattern *triple = &rule->interfaces[j];
			if (triple->class_code == interface->class_code &&
				triple->subclass == interface->subclass &&
				triple->protocol == interface->protocol)
				is_named = is_found[j] = true;
		}
		if (!is_named)
			return false;
	}
	for (size_t j = 0; j < rule->interface_count; j++)
		if (!is_found[j])
			return false;
	return true;
}

static bool rule_holds(const struct skm_rule *rule, const struct skm_device *device,
	const struct skm_usb_interface *interface, bool serial_is_duplicate)
{
	unsigned criteria = rule->criteria;
	if (criteria & SKM_RULE_VID_PID &&
		(rule->vendor_id != device->vendor_id || rule->product_id != device->product_id))
		return false;
	if (criteria & SKM_RULE_SERIAL && (strcmp(rule->serial, device->serial) != 0 ||
						  (serial_is_duplicate && rule->action == SKM_RULE_ALLOW)))
		return false;
	if (criteria & SKM_RULE_HASH &&
		memcmp(rule->descriptor_hash, device->descriptor_hash, sizeof(rule->descriptor_hash)) != 0)
		return false;
	if (criteria & SKM_RULE_PORT && strcmp(rule->port, device->port) != 0)
		return false;
	if (criteria & SKM_RULE_CONNECT_TYPE && rule->connect_type != device->connect_type)
		return false;
	if (criteria & SKM_RULE_INTERFACES && !interfaces_hold(rule, device))
		return false;
	return !(criteria & SKM_RULE_CLASS) || class_holds(rule, interface);
}

static const struct skm_rule *first_that_holds(const struct skm_rule_set *set, enum skm_rule_action action,
	const struct skm_device *device, const struct skm_usb_interface *interface, bool serial_is_duplicate)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->rules[i].action == action &&
			rule_holds(&set->rules[i], device, interface, serial_is_duplicate))
			return &set->rules[i];
	return NULL;
}

/* The answer about each entry, and the names of the rules that gave one: the decision may name no other. */
static void check(const struct skm_rule_set *set, const struct skm_device *device,
	const struct skm_judge_context *context, const struct skm_decision *decision)
{
	bool is_allowed[8] = {false};
	const struct skm_rule *rule[8] = {NULL};
	for (size_t i = 0; i < device->interface_count; i++) {
		const struct skm_usb_interface *interface = &device->interfaces[i];
		bool duplicate = context->serial_is_duplicate;
		rule[i] = first_that_holds(set, SKM_RULE_DENY, device, interface, duplicate);
		if (rule[i])
			continue;
		rule[i] = first_that_holds(set, SKM_RULE_ALLOW, device, interface, duplicate);
		is_allowed[i] = rule[i] || (context->is_initramfs ? skm_office_allows_early(device, i)
								  : skm_office_allows(device, i));
	}
	bool is_any = false, is_all = device->interface_count > 0, is_named = false;
	for (size_t i = 0; i < device->interface_count; i++) {
		bool expected = true;
		for (size_t j = 0; j < device->interface_count; j++)
			if (device->interfaces[i].configuration == device->interfaces[j].configuration &&
				device->interfaces[i].number == device->interfaces[j].number)
				expected = expected && is_allowed[j];
		demand(decision->interface_allowed[i] == expected);
		is_any = is_any || expected;
		is_all = is_all && expected;
	}
	demand(decision->verdict == (is_all	     ? SKM_VERDICT_ALLOW
					    : is_any ? SKM_VERDICT_PARTIAL
						     : SKM_VERDICT_DENY));
	/* the rule that is named gave that answer to an entry */
	for (size_t i = 0; i < device->interface_count; i++)
		is_named = is_named ||
			   (is_allowed[i] == is_all && rule[i] && strcmp(rule[i]->id, decision->rule) == 0);
	demand(is_named || strncmp(decision->rule, "builtin:", 8) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct skm_rule_set set = {0};
	struct skm_policy *policy = NULL;
	static struct skm_device device;
	uint8_t head = take(&input);
	struct skm_judge_context context = {.serial_is_duplicate = head & 1, .is_initramfs = head & 2};
	take_device(&input, &device);
	for (unsigned i = 0; i < RULES_MAX && input.size > 0; i++)
		add_rule(&input, &set);
	demand(skm_policy_compile(&set, &policy) == 0);
	struct skm_decision decision;
	skm_policy_judge(policy, &device, &context, &decision);
	check(&set, &device, &context, &decision);
	(void)skm_policy_free(policy);
	skm_rule_set_finish(&set);
	return 0;
}
