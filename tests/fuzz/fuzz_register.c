// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a device register: either every row is a sound rule, or nothing is added and the error can be
 * shown. */
#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "sekimori/config.h"
#include "sekimori/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
	if (!condition)
		abort();
}

static void check_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);
	demand(len < size);
	for (size_t at = 0; at < len;) {
		size_t sequence = skm_utf8_sequence((const unsigned char *)text + at, len - at);
		demand(sequence > 0);
		demand((unsigned char)text[at] >= 0x20 && text[at] != 0x7f);
		demand((unsigned char)text[at] != 0xc2 || (unsigned char)text[at + 1] >= 0xa0);
		at += sequence;
	}
}

static void check_error(const struct skm_config_error *error)
{
	check_text(error->file, sizeof(error->file));
	check_text(error->key, sizeof(error->key));
	check_text(error->found, sizeof(error->found));
	check_text(error->allowed, sizeof(error->allowed));
	check_text(error->allowed_ja, sizeof(error->allowed_ja));
	demand(error->allowed[0] != '\0' && error->allowed_ja[0] != '\0');
}

static void check_rules(const struct skm_rule_set *set)
{
	struct skm_rule_set copy = {0};
	struct skm_policy *policy = NULL;
	for (size_t i = 0; i < set->count; i++) {
		demand(set->rules[i].action == SKM_RULE_ALLOW);
		demand(skm_rule_set_add(&copy, &set->rules[i]) == 0);
	}
	demand(skm_policy_compile(&copy, &policy) == 0);
	static struct skm_device stick = {.interface_count = 1, .interfaces = {{1, 0, 0x08, 0x06, 0x50}}};
	struct skm_decision decision;
	skm_policy_judge(policy, &stick, &(struct skm_judge_context){0}, &decision);
	(void)skm_policy_free(policy);
	skm_rule_set_finish(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skm_rule_set set = {0};
	struct skm_config_error error;
	struct skm_rule first = {.id = "first",
		.reason = "r",
		.action = SKM_RULE_ALLOW,
		.criteria = SKM_RULE_VID_PID,
		.vendor_id = 1};
	demand(skm_rule_set_add(&set, &first) == 0);
	memset(&error, 0xa5, sizeof(error));
	int r = skm_register_parse("register.csv", (const char *)data, size, &set, &error);
	if (r == 0) {
		check_rules(&set);
	} else {
		demand(r == SKM_REGISTER_INVALID);
		demand(set.count == 1 && strcmp(set.rules[0].id, "first") == 0);
		check_error(&error);
	}
	skm_rule_set_finish(&set);
	return 0;
}
