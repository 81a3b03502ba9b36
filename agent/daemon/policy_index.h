// SPDX-License-Identifier: Apache-2.0
/* Pure: the rules, hashed by exactly the criteria they name. Internal to the policy.
 *
 * A shape is a combination of criteria, together with how much of the class a pattern spells (there are at
 * most 5 * 2^6 of them, whatever the rules). For each shape that occurs the device's own values make one key,
 * and the key is looked up once. Rules with equal keys and equal action can only say the same, so the first
 * of them stands for all. */
#ifndef SEKIMORI_POLICY_INDEX_H
#define SEKIMORI_POLICY_INDEX_H

#include "policy.h"

/* No lookup looks at more slots than this, as long as 64-bit hashes of different keys differ: the table grows
 * until it holds. */
#define SKM_POLICY_PROBES_MAX 24u

struct skm_policy_index;

/* What a judgement cost. Tests demand bounds of it; time would depend on the machine. */
struct skm_policy_cost {
	uint64_t lookups;     /* keys looked up */
	uint64_t probes;      /* slots looked at */
	uint64_t comparisons; /* keys compared in full */
};

/* The first rules in the file that match, as index + 1; 0 = none. */
struct skm_policy_match {
	uint32_t deny;
	uint32_t allow;
	uint32_t
		voided; /* the allow rule that would match, were the serial not shown by another device too */
};

/* A device as the index sees it: computed once per judgement, borrows the device. */
struct skm_policy_subject {
	const struct skm_device *device;
	bool serial_is_duplicate;
	unsigned criteria;					   /* those that the device has a value for */
	struct skm_class_pattern triples[SKM_RULE_INTERFACES_MAX]; /* sorted, distinct */
	size_t triple_count;
	uint64_t hashes[8]; /* of each criterion's value, by bit number */
};

/* Borrows `rules`. 0 or -ENOMEM. */
SKM_NODISCARD int skm_policy_index_new(const struct skm_rule_set *rules, struct skm_policy_index **ret_index);
struct skm_policy_index *skm_policy_index_free(
	struct skm_policy_index *index); /* NULL is fine; returns NULL */

void skm_policy_subject_init(
	struct skm_policy_subject *subject, const struct skm_device *device, bool serial_is_duplicate);
/* Adds to *match what rules say that do not ask for a class: once per device. */
void skm_policy_index_match_device(const struct skm_policy_index *index,
	const struct skm_policy_subject *subject, struct skm_policy_match *match,
	struct skm_policy_cost *cost);
/* Adds to *match what rules say that ask for a class: once per interface entry. */
void skm_policy_index_match_interface(const struct skm_policy_index *index,
	const struct skm_policy_subject *subject, const struct skm_usb_interface *interface,
	struct skm_policy_match *match, struct skm_policy_cost *cost);

/* skm_policy_judge that also counts. */
void skm_policy_judge_counted(const struct skm_policy *policy, const struct skm_device *device,
	const struct skm_judge_context *context, struct skm_decision *ret_decision,
	struct skm_policy_cost *cost);

#endif
