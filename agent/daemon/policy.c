// SPDX-License-Identifier: Apache-2.0
/* The judgement. Each interface entry gets an answer of its own; the decision about the device follows from
 * them. Whole-device verdicts were rejected, since then a keyboard with a hidden disk is either lost as a
 * keyboard or admitted as a disk. */
#include <stdio.h>
#include <string.h>

#include "policy_index.h"
#include "policy_office.h"

struct skm_policy {
	const struct skm_rule_set *rules;
	struct skm_policy_index *index;
};

enum builtin {
	BUILTIN_DEFAULT_DENY,
	BUILTIN_DUPLICATE_SERIAL,
	BUILTIN_INITRAMFS,
	BUILTIN_OFFICE,
	BUILTIN_COUNT_,
};

static const struct {
	const char *id;
	const char *reason; /* follows "keyboard (03:01:01) " */
} builtins[BUILTIN_COUNT_] = {
	[BUILTIN_DEFAULT_DENY] = {"builtin:default-deny", "is not on the list of permitted devices"},
	[BUILTIN_DUPLICATE_SERIAL] = {"builtin:duplicate-serial",
		"is registered by its serial number, which another connected device shows, too"},
	[BUILTIN_INITRAMFS] = {"builtin:initramfs", "is not used before the system has started"},
	[BUILTIN_OFFICE] = {"builtin:office", "is an office device that needs no registration"},
};

/* What was answered about one entry, before entries of the same interface are made to agree. */
struct answer {
	const struct skm_rule *rule; /* NULL: the built-in one */
	enum builtin builtin;
	bool is_allowed;
};

/* How much a person should hear of a kind among several refused ones; what can carry data out comes first. */
static unsigned rank(enum skm_device_kind kind)
{
	switch (kind) {
	case SKM_KIND_STORAGE:
		return 5;
	case SKM_KIND_IMAGING:
		return 4;
	case SKM_KIND_NETWORK:
	case SKM_KIND_WIRELESS:
	case SKM_KIND_SERIAL:
	case SKM_KIND_PRINTER:
		return 3;
	case SKM_KIND_MODEM: /* below those whose data interface it may be */
	case SKM_KIND_VENDOR:
		return 2;
	case SKM_KIND_UNKNOWN:
	case SKM_KIND_AUDIO:
	case SKM_KIND_VIDEO:
	case SKM_KIND_FIRMWARE_UPGRADE:
	case SKM_KIND_MEASUREMENT:
	case SKM_KIND_HEALTHCARE:
	case SKM_KIND_CONTENT_SECURITY:
	case SKM_KIND_PHYSICAL:
	case SKM_KIND_BILLBOARD:
	case SKM_KIND_MISCELLANEOUS:
	case SKM_KIND_APPLICATION:
		return 1;
	case SKM_KIND_HUB:
	case SKM_KIND_KEYBOARD:
	case SKM_KIND_MOUSE:
	case SKM_KIND_HID:
	case SKM_KIND_SMART_CARD:
	case SKM_KIND_COUNT_:
		break;
	}
	return 0;
}

static const struct skm_rule *rule_at(const struct skm_policy *policy, uint32_t number)
{
	return number == 0 ? NULL : &policy->rules->rules[number - 1];
}

static struct answer answer_entry(const struct skm_policy *policy, const struct skm_device *device,
	size_t index, const struct skm_judge_context *context, const struct skm_policy_match *match)
{
	if (match->deny)
		return (struct answer){.rule = rule_at(policy, match->deny)};
	if (match->allow)
		return (struct answer){.rule = rule_at(policy, match->allow), .is_allowed = true};
	if (skm_office_allows(device, index)) {
		if (context->is_initramfs && !skm_office_allows_early(device, index))
			return (struct answer){.builtin = BUILTIN_INITRAMFS};
		return (struct answer){.builtin = BUILTIN_OFFICE, .is_allowed = true};
	}
	return (struct answer){.builtin = match->voided ? BUILTIN_DUPLICATE_SERIAL : BUILTIN_DEFAULT_DENY};
}

static bool is_same_interface(const struct skm_usb_interface *a, const struct skm_usb_interface *b)
{
	return a->configuration == b->configuration && a->number == b->number;
}

/* An interface is allowed with all its alternate settings or not at all: a driver may choose among them. */
static void agree_within_interfaces(
	const struct skm_device *device, const struct answer *answers, struct skm_decision *decision)
{
	size_t begin = 0;
	while (begin < device->interface_count) {
		bool is_allowed = true;
		size_t end = begin;
		for (; end < device->interface_count &&
			is_same_interface(&device->interfaces[begin], &device->interfaces[end]);
			end++)
			is_allowed = is_allowed && answers[end].is_allowed;
		for (; begin < end; begin++)
			decision->interface_allowed[begin] = is_allowed;
	}
}

static void name_rule(
	const struct skm_usb_interface *interface, const struct answer *answer, struct skm_decision *decision)
{
	decision->kind = skm_usb_interface_kind(interface);
	if (answer->rule) {
		(void)snprintf(decision->rule, sizeof(decision->rule), "%s", answer->rule->id);
		(void)snprintf(decision->reason, sizeof(decision->reason), "%s", answer->rule->reason);
		return;
	}
	(void)snprintf(decision->rule, sizeof(decision->rule), "%s", builtins[answer->builtin].id);
	(void)snprintf(decision->reason, sizeof(decision->reason), "%s (%02x:%02x:%02x) %s",
		skm_device_kind_to_text(decision->kind, false), (unsigned)interface->class_code,
		(unsigned)interface->subclass, (unsigned)interface->protocol,
		builtins[answer->builtin].reason);
}

static void summarise(
	const struct skm_device *device, const struct answer *answers, struct skm_decision *decision)
{
	size_t allowed = device->interface_count, worst = device->interface_count;
	for (size_t i = 0; i < device->interface_count; i++) {
		if (decision->interface_allowed[i] && allowed == device->interface_count)
			allowed = i;
		if (answers[i].is_allowed)
			continue;
		if (worst == device->interface_count ||
			rank(skm_usb_interface_kind(&device->interfaces[i])) >
				rank(skm_usb_interface_kind(&device->interfaces[worst])))
			worst = i;
	}
	if (worst == device->interface_count) {
		decision->verdict = SKM_VERDICT_ALLOW;
		name_rule(&device->interfaces[0], &answers[0], decision);
		return;
	}
	name_rule(&device->interfaces[worst], &answers[worst], decision);
	if (allowed == device->interface_count)
		return;
	decision->verdict = SKM_VERDICT_PARTIAL;
	const struct answer *answer = &answers[allowed];
	(void)snprintf(decision->allow_rule, sizeof(decision->allow_rule), "%s",
		answer->rule ? answer->rule->id : builtins[answer->builtin].id);
}

/* What no rule can allow. True when that settled it. */
static bool refuse_whole(const struct skm_device *device, struct skm_decision *decision)
{
	if (device->descriptor_state != SKM_DESCRIPTOR_OK ||
		device->interface_count > SKM_USB_INTERFACES_MAX) {
		(void)snprintf(decision->rule, sizeof(decision->rule), "builtin:malformed");
		(void)snprintf(decision->reason, sizeof(decision->reason),
			"the device describes itself in a way that cannot be believed (%s)",
			skm_descriptor_state_to_string(device->descriptor_state));
		return true;
	}
	if (device->interface_count == 0) {
		(void)snprintf(decision->rule, sizeof(decision->rule), "builtin:no-interface");
		(void)snprintf(decision->reason, sizeof(decision->reason), "the device has no interface");
		return true;
	}
	return false;
}

void skm_policy_judge_counted(const struct skm_policy *policy, const struct skm_device *device,
	const struct skm_judge_context *context, struct skm_decision *ret_decision,
	struct skm_policy_cost *cost)
{
	*ret_decision = (struct skm_decision){.verdict = SKM_VERDICT_DENY};
	*cost = (struct skm_policy_cost){0};
	if (refuse_whole(device, ret_decision))
		return;

	struct skm_policy_subject subject;
	skm_policy_subject_init(&subject, device, context->serial_is_duplicate);
	struct skm_policy_match device_match = {0};
	skm_policy_index_match_device(policy->index, &subject, &device_match, cost);

	struct answer answers[SKM_USB_INTERFACES_MAX];
	for (size_t i = 0; i < device->interface_count; i++) {
		struct skm_policy_match match = device_match;
		skm_policy_index_match_interface(
			policy->index, &subject, &device->interfaces[i], &match, cost);
		answers[i] = answer_entry(policy, device, i, context, &match);
	}
	agree_within_interfaces(device, answers, ret_decision);
	summarise(device, answers, ret_decision);
}

void skm_policy_judge(const struct skm_policy *policy, const struct skm_device *device,
	const struct skm_judge_context *context, struct skm_decision *ret_decision)
{
	struct skm_policy_cost cost;
	skm_policy_judge_counted(policy, device, context, ret_decision, &cost);
}

bool skm_decision_allows(const struct skm_decision *decision, const struct skm_device *device,
	uint8_t configuration, uint8_t number)
{
	bool is_allowed = false;
	for (size_t i = 0; i < device->interface_count && i < SKM_USB_INTERFACES_MAX; i++) {
		const struct skm_usb_interface *interface = &device->interfaces[i];
		if (interface->configuration != configuration || interface->number != number)
			continue;
		if (!decision->interface_allowed[i])
			return false;
		is_allowed = true;
	}
	return is_allowed;
}

int skm_policy_compile(const struct skm_rule_set *rules, struct skm_policy **ret_policy)
{
	struct skm_policy *policy = calloc(1, sizeof(*policy));
	if (!policy)
		return -ENOMEM;
	policy->rules = rules;
	int r = skm_policy_index_new(rules, &policy->index);
	if (r < 0) {
		(void)skm_policy_free(policy);
		return r;
	}
	*ret_policy = policy;
	return 0;
}

struct skm_policy *skm_policy_free(struct skm_policy *policy)
{
	if (policy)
		(void)skm_policy_index_free(policy->index);
	free(policy);
	return NULL;
}
