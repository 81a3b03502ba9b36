// SPDX-License-Identifier: Apache-2.0
/* Pure: the policy and a device -> a decision. No IO, no clock, no log.
 *
 * Evaluation, for each interface of every configuration: a matching deny rule refuses it; otherwise a
 * matching allow rule allows it; otherwise the built-in list of office devices allows it; otherwise it is
 * refused
 * ("builtin:default-deny"). Among rules that match, the first in the file is named. An interface is refused
 * with all its alternate settings when one of them is.
 *
 * Built-in list ("builtin:office"): hubs (09), smart-card readers (0b), boot keyboards (03:01:01) and mice
 * (03:01:02), and other HID interfaces (03:*) of a device that has a boot keyboard or mouse in the same
 * configuration and at most four HID interfaces there. A device whose descriptors cannot be believed, or
 * without any interface, is refused whole whatever the rules say ("builtin:malformed",
 * "builtin:no-interface"). A permit that fails only because another present device shows the same serial says
 * so ("builtin:duplicate-serial"), since the person who stands there with a registered device needs to know.
 *
 * Compiled once into a hash index over the exact criteria a rule names: judging costs one lookup per
 * combination of criteria that occurs among the rules (of which there is a fixed number), not one per rule.
 * Collisions only cost a comparison: every hit is checked in full. */
#ifndef SEKIMORI_POLICY_H
#define SEKIMORI_POLICY_H

#include "sekimori/rule.h"

struct skm_policy;

struct skm_judge_context {
	/* Another present device shows the same vendor, product and serial: rules that ask for a serial allow
	 * nothing (deny rules still refuse). */
	bool serial_is_duplicate;
	/* In the initramfs: only hubs and boot keyboards (and what the rules allow) pass; other office
	 * devices are refused by "builtin:initramfs" until the agent of the running system judges them. */
	bool is_initramfs;
};

/* Borrows `rules`, which skm_rule_set_add has made, until skm_policy_free. 0 or -ENOMEM. */
SKM_NODISCARD int skm_policy_compile(const struct skm_rule_set *rules, struct skm_policy **ret_policy);
struct skm_policy *skm_policy_free(struct skm_policy *policy); /* NULL is fine; returns NULL */

/* Always gives a decision; the whole of *ret_decision is set. */
void skm_policy_judge(const struct skm_policy *policy, const struct skm_device *device,
	const struct skm_judge_context *context, struct skm_decision *ret_decision);

/* May the whole interface be used, with all its alternate settings? False for one that the device does not
 * have. */
bool skm_decision_allows(const struct skm_decision *decision, const struct skm_device *device,
	uint8_t configuration, uint8_t number);

#endif
