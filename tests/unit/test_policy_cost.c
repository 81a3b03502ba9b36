// SPDX-License-Identifier: Apache-2.0
/* A register of 100,000 devices must cost no more to judge by than one of ten, whatever its rules have in
 * common. Counted, not timed: what is demanded of ten rules is demanded of all. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "policy_index.h"

#define VENDOR 0x0781
#define PRODUCT 0x5581

/* Value number i of each criterion, as a rule and as a device have it. */
struct values {
	char serial[32], port[32], id[32];
	struct skm_class_pattern triples[3];
};

static void fill_rule(unsigned criteria, unsigned i, struct values *values, struct skm_rule *rule)
{
	/* the same model throughout, unless the model is what differs */
	bool is_model = criteria == SKM_RULE_VID_PID;
	*rule = (struct skm_rule){.id = values->id,
		.reason = "registered",
		.action = SKM_RULE_ALLOW,
		.criteria = criteria,
		.vendor_id = is_model ? (uint16_t)(i >> 16) : VENDOR,
		.product_id = is_model ? (uint16_t)i : PRODUCT,
		.connect_type = SKM_CONNECT_HOTPLUG,
		.serial = values->serial,
		.port = values->port,
		.classes = values->triples,
		.class_count = 1,
		.interfaces = values->triples,
		.interface_count = 3};
	(void)snprintf(values->id, sizeof(values->id), "r%u", i);
	(void)snprintf(values->serial, sizeof(values->serial), "4C53000%07u", i);
	(void)snprintf(values->port, sizeof(values->port), "%u-%u.%u.%u", i % 7 + 1, i / 7 % 30 + 1,
		i / 210 % 30 + 1, i / 6300 + 1);
	memcpy(rule->descriptor_hash, &i, sizeof(i));
	/* storage of a protocol of its own, and a set that differs in one of three triples */
	values->triples[0] = (struct skm_class_pattern){0xff, (uint8_t)(i >> 8), (uint8_t)i, 3};
	values->triples[1] = (struct skm_class_pattern){0xfe, (uint8_t)(i >> 16), 0, 3};
	values->triples[2] = (struct skm_class_pattern){0xfe, 0xff, 0, 3};
	if (criteria & SKM_RULE_CLASS)
		values->triples[0].class_code = (uint8_t)(0x80 + (i >> 16));
}

static void fill_device(unsigned criteria, unsigned i, struct skm_device *device)
{
	struct values values;
	struct skm_rule rule;
	fill_rule(criteria, i, &values, &rule);
	*device = (struct skm_device){.vendor_id = rule.vendor_id,
		.product_id = rule.product_id,
		.connect_type = rule.connect_type,
		.interface_count = 3};
	strcpy(device->serial, values.serial);
	strcpy(device->port, values.port);
	memcpy(device->descriptor_hash, rule.descriptor_hash, sizeof(device->descriptor_hash));
	for (uint8_t j = 0; j < 3; j++)
		device->interfaces[j] = (struct skm_usb_interface){1, j, values.triples[j].class_code,
			values.triples[j].subclass, values.triples[j].protocol};
}

/* The criteria under test, and what they are combined with so that 100,000 rules differ in nothing else. */
static const struct {
	const char *name;
	unsigned criteria;
	unsigned lookups; /* that a judgement may need: one a shape, or one a shape and interface for a class
			   */
} kinds[] = {
	{"model", SKM_RULE_VID_PID, 1},
	{"serial", SKM_RULE_SERIAL, 1},
	{"serial of one model", SKM_RULE_VID_PID | SKM_RULE_SERIAL, 1},
	{"port of one model", SKM_RULE_VID_PID | SKM_RULE_PORT, 1},
	{"hash of one model", SKM_RULE_VID_PID | SKM_RULE_HASH, 1},
	{"interfaces of one model", SKM_RULE_VID_PID | SKM_RULE_INTERFACES, 1},
	{"class of one model", SKM_RULE_VID_PID | SKM_RULE_CLASS, 3},
	{"class", SKM_RULE_CLASS, 3},
	{"connect type and serial", SKM_RULE_CONNECT_TYPE | SKM_RULE_SERIAL, 1},
	{"class and serial of one model", SKM_RULE_VID_PID | SKM_RULE_SERIAL | SKM_RULE_CLASS, 3},
	{"everything", 0x7f, 3},
};

struct worst {
	uint64_t lookups, probes, comparisons, total_probes;
};

static void judge(const struct skm_policy *policy, const struct skm_device *device, const char *name,
	bool is_known, struct worst *worst)
{
	struct skm_decision decision;
	struct skm_policy_cost cost;
	skm_policy_judge_counted(policy, device, &(struct skm_judge_context){0}, &decision, &cost);
	/* a rule by class allows the first interface only */
	cr_assert_eq(decision.verdict != SKM_VERDICT_DENY, is_known, "%s: %s", name, decision.rule);
	worst->lookups = cost.lookups > worst->lookups ? cost.lookups : worst->lookups;
	worst->probes = cost.probes > worst->probes ? cost.probes : worst->probes;
	worst->comparisons = cost.comparisons > worst->comparisons ? cost.comparisons : worst->comparisons;
	worst->total_probes += cost.probes;
}

static struct worst measure(const char *name, unsigned criteria, unsigned count)
{
	struct skm_rule_set rules = {0};
	struct skm_policy *policy;
	struct values values;
	struct skm_rule rule;
	for (unsigned i = 0; i < count; i++) {
		fill_rule(criteria, i, &values, &rule);
		cr_assert_eq(skm_rule_set_add(&rules, &rule), 0);
	}
	cr_assert_eq(skm_policy_compile(&rules, &policy), 0);
	static struct skm_device device;
	struct worst worst = {0};
	for (unsigned i = 0; i < 1000; i++) {
		unsigned known = (unsigned)((uint64_t)i * count / 1000);
		fill_device(criteria, known, &device);
		judge(policy, &device, name, true, &worst);
		fill_device(criteria, 200000 + i, &device);
		judge(policy, &device, name, false, &worst);
	}
	(void)skm_policy_free(policy);
	skm_rule_set_finish(&rules);
	return worst;
}

Test(policy_cost, does_not_grow_with_the_number_of_rules)
{
	static const unsigned counts[] = {10, 1000, 100000};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(kinds); i++) {
		for (size_t j = 0; j < SKM_ARRAY_SIZE(counts); j++) {
			struct worst worst = measure(kinds[i].name, kinds[i].criteria, counts[j]);
			char name[160];
			(void)snprintf(name, sizeof(name),
				"%s, %u rules: %zu lookups, %zu probes, %zu comparisons", kinds[i].name,
				counts[j], (size_t)worst.lookups, (size_t)worst.probes,
				(size_t)worst.comparisons);
			cr_assert_leq(worst.lookups, kinds[i].lookups, "%s", name);
			cr_assert_leq(worst.probes, kinds[i].lookups * SKM_POLICY_PROBES_MAX, "%s", name);
			cr_assert_leq(worst.comparisons, kinds[i].lookups + 1, "%s", name);
			/* and on average next to nothing: 2,000 judgements, a table at most half full */
			cr_assert_leq(worst.total_probes, 2000 * 3 * kinds[i].lookups, "%s: %zu in all", name,
				(size_t)worst.total_probes);
		}
	}
}

/* All shapes at once: the cost is their number, not that of the rules. */
Test(policy_cost, is_bounded_by_the_shapes)
{
	static struct skm_device device;
	uint64_t lookups[2];
	static const unsigned counts[2] = {127, 127 * 500};
	for (size_t n = 0; n < 2; n++) {
		struct skm_rule_set rules = {0};
		struct skm_policy *policy;
		struct values values;
		struct skm_rule rule;
		for (unsigned i = 0; i < counts[n]; i++) {
			fill_rule(i % 127 + 1, i, &values, &rule);
			cr_assert_eq(skm_rule_set_add(&rules, &rule), 0);
		}
		cr_assert_eq(skm_policy_compile(&rules, &policy), 0);
		fill_device(SKM_RULE_SERIAL, 200000, &device);
		struct skm_decision decision;
		struct skm_policy_cost cost;
		skm_policy_judge_counted(policy, &device, &(struct skm_judge_context){0}, &decision, &cost);
		lookups[n] = cost.lookups;
		cr_assert_leq(cost.lookups, 63 + 3 * 64);
		cr_assert_leq(cost.probes, cost.lookups * SKM_POLICY_PROBES_MAX);
		(void)skm_policy_free(policy);
		skm_rule_set_finish(&rules);
	}
	cr_assert_eq(lookups[0], lookups[1]);
}

/* The one way to make a key common to many rules is to make the rules equal: then only the first is kept. */
Test(policy_cost, equal_rules_are_one)
{
	struct skm_rule_set rules = {0};
	struct skm_policy *policy;
	struct values values;
	struct skm_rule rule;
	for (unsigned i = 0; i < 100000; i++) {
		fill_rule(SKM_RULE_SERIAL, 7, &values, &rule);
		(void)snprintf(values.id, sizeof(values.id), "r%u", i);
		cr_assert_eq(skm_rule_set_add(&rules, &rule), 0);
	}
	cr_assert_eq(skm_policy_compile(&rules, &policy), 0);
	static struct skm_device device;
	fill_device(SKM_RULE_SERIAL, 7, &device);
	struct skm_decision decision;
	struct skm_policy_cost cost;
	skm_policy_judge_counted(policy, &device, &(struct skm_judge_context){0}, &decision, &cost);
	cr_assert_str_eq(decision.rule, "r0");
	cr_assert_eq(cost.probes, 1);
	(void)skm_policy_free(policy);
	skm_rule_set_finish(&rules);
}

/* Anybody can compute a serial whose hash is that of a registered one. It costs a comparison and opens
 * nothing. */
Test(policy_cost, collisions_open_nothing)
{
	struct skm_rule_set rules = {0};
	struct skm_policy *policy;
	struct values values;
	struct skm_rule rule;
	for (unsigned i = 0; i < 100000; i++) {
		fill_rule(SKM_RULE_SERIAL, i, &values, &rule);
		cr_assert_eq(skm_rule_set_add(&rules, &rule), 0);
	}
	cr_assert_eq(skm_policy_compile(&rules, &policy), 0);
	static struct skm_device device;
	fill_device(SKM_RULE_SERIAL, 0, &device);
	uint64_t collisions = 0;
	for (unsigned i = 0; i < 400000; i++) {
		(void)snprintf(device.serial, sizeof(device.serial), "unknown%u", i);
		struct skm_decision decision;
		struct skm_policy_cost cost;
		skm_policy_judge_counted(policy, &device, &(struct skm_judge_context){0}, &decision, &cost);
		cr_assert_eq(decision.verdict, SKM_VERDICT_DENY, "%s", device.serial);
		collisions += cost.comparisons;
	}
	cr_assert_gt(collisions, 0, "no two hashes met: try more serials, or this proves nothing");
	(void)skm_policy_free(policy);
	skm_rule_set_finish(&rules);
}
