// SPDX-License-Identifier: Apache-2.0
/* The rules of the file and of the register into one rule set. What a VID:PID or a class is, lib/rule.c
 * knows. */
#include <stdio.h>
#include <string.h>

#include "config_internal.h"
#include "sekimori/language.h"

int skm_config_set_rule_id(const struct skm_config_key *key, const char *text, void *target)
{
	int r = skm_rule_id_check(text);
	return r < 0 ? r : skm_config_set_text(key, text, target);
}

int skm_config_set_rule_action(const struct skm_config_key *key, const char *text, void *target)
{
	(void)key;
	struct skm_config_rule_draft *draft = target;
	bool is_allow = strcmp(text, "allow") == 0;
	if (!is_allow && strcmp(text, "deny") != 0)
		return -EINVAL;
	draft->rule.action = is_allow ? SKM_RULE_ALLOW : SKM_RULE_DENY;
	return 0;
}

int skm_config_set_rule_vid_pid(const struct skm_config_key *key, const char *text, void *target)
{
	(void)key;
	struct skm_config_rule_draft *draft = target;
	return skm_vid_pid_parse(text, &draft->rule.vendor_id, &draft->rule.product_id);
}

int skm_config_set_rule_hash(const struct skm_config_key *key, const char *text, void *target)
{
	(void)key;
	struct skm_config_rule_draft *draft = target;
	return skm_descriptor_hash_parse(text, draft->rule.descriptor_hash);
}

int skm_config_set_rule_port(const struct skm_config_key *key, const char *text, void *target)
{
	int r = skm_port_check(text);
	return r < 0 ? r : skm_config_set_text(key, text, target);
}

int skm_config_set_rule_connect_type(const struct skm_config_key *key, const char *text, void *target)
{
	(void)key;
	struct skm_config_rule_draft *draft = target;
	return skm_connect_type_from_string(text, &draft->rule.connect_type);
}

int skm_config_set_rule_class(const struct skm_config_key *key, const char *text, void *target)
{
	(void)key;
	struct skm_config_rule_draft *draft = target;
	if (draft->rule.class_count == SKM_RULE_CLASSES_MAX)
		return -ERANGE;
	int r = skm_class_pattern_parse(text, &draft->classes[draft->rule.class_count]);
	if (r == 0)
		draft->rule.class_count++;
	return r;
}

int skm_config_set_rule_interface(const struct skm_config_key *key, const char *text, void *target)
{
	(void)key;
	struct skm_config_rule_draft *draft = target;
	if (draft->rule.interface_count == SKM_RULE_INTERFACES_MAX)
		return -ERANGE;
	struct skm_class_pattern *pattern = &draft->interfaces[draft->rule.interface_count];
	int r = skm_class_pattern_parse(text, pattern);
	if (r < 0)
		return r;
	if (pattern->depth != 3)
		return -EINVAL;
	draft->rule.interface_count++;
	return 0;
}

/* The line of the rule of that id among the first `count` of the list, or 0. */
static unsigned line_of_id(const struct config_setting_t *rules, size_t count, const char *id)
{
	for (size_t i = 0; i < count; i++) {
		const struct config_setting_t *node =
			skm_config_node_member(skm_config_node_child(rules, i), "id");
		if (node && strcmp(skm_config_node_text(node), id) == 0)
			return skm_config_node_line(node);
	}
	return 0;
}

static int refuse_duplicate(const char *file, const struct config_setting_t *rules, size_t index,
	unsigned earlier_line, struct skm_config_error *error)
{
	const struct config_setting_t *node =
		skm_config_node_member(skm_config_node_child(rules, index), "id");
	char key[64];
	char found[SKM_RULE_ID_BYTES + 4];
	char allowed[96];
	char allowed_ja[128];
	(void)snprintf(key, sizeof(key), "usb.rules[%zu].id", index);
	skm_config_node_describe(node, found, sizeof(found));
	(void)snprintf(allowed, sizeof(allowed), "an id that no other rule has; it is also on line %u",
		earlier_line);
	(void)snprintf(allowed_ja, sizeof(allowed_ja), "他の規則と重複しないid(%u行目にも同じidがあります)",
		earlier_line);
	struct skm_config_place place = {file, skm_config_node_line(node), key};
	return skm_config_refuse(
		error, &place, found, strlen(found), (struct skm_config_text){allowed, allowed_ja});
}

static int take_rule(const char *file, const struct config_setting_t *rules, size_t index,
	struct skm_rule_set *set, struct skm_config_error *error)
{
	const struct config_setting_t *node = skm_config_node_child(rules, index);
	char key[64];
	(void)snprintf(key, sizeof(key), "usb.rules[%zu]", index);
	bool is_group = skm_config_node_kind(node) == SKM_CONFIG_GROUP;
	struct skm_config_place place = {file, skm_config_node_line(is_group ? node : rules), key};
	if (!is_group) {
		char found[256];
		skm_config_node_describe(node, found, sizeof(found));
		return skm_config_refuse(error, &place, found, strlen(found),
			(struct skm_config_text){"a rule: { id = …; action = …; reason = …; … }",
				"規則: { id = …; action = …; reason = …; … }"});
	}
	struct skm_config_rule_draft draft = {0};
	unsigned criteria = 0;
	int r = skm_config_take_group("usb.rules[]", &place, node, &draft, &criteria, error);
	if (r != 0)
		return r;
	if (criteria == 0)
		return skm_config_refuse_words(error, &place,
			(struct skm_config_text){"no criterion: the rule would hold for every device",
				"条件なし(すべての機器に当てはまってしまいます)"},
			(struct skm_config_text){
				"at least one of vid_pid, serial, hash, port, connect_type, class, interfaces",
				"vid_pid、serial、hash、port、connect_type、class、interfaces のうち1つ以上"});
	unsigned earlier_line = line_of_id(rules, index, draft.id);
	if (earlier_line > 0)
		return refuse_duplicate(file, rules, index, earlier_line, error);
	draft.rule.criteria = criteria;
	draft.rule.id = draft.id;
	draft.rule.reason = draft.reason;
	draft.rule.serial = draft.serial;
	draft.rule.port = draft.port;
	draft.rule.classes = draft.classes;
	draft.rule.interfaces = draft.interfaces;
	return skm_rule_set_add(set, &draft.rule);
}

int skm_config_take_rules(const char *file, const struct config_setting_t *node, struct skm_rule_set *set,
	struct skm_config_error *error)
{
	size_t count = skm_config_node_count(node);
	for (size_t i = 0; i < count; i++) {
		int r = take_rule(file, node, i, set, error);
		if (r != 0)
			return r;
	}
	return 0;
}

int skm_config_take_register(const char *file, const struct config_setting_t *rules,
	const char *register_path, const char *text, size_t len, struct skm_rule_set *set,
	struct skm_config_error *error)
{
	int r = skm_register_parse(register_path, text, len, set, error);
	if (r != SKM_REGISTER_INVALID)
		return r;
	/* The register knows its own line only; the other half of a clash may stand in the file. */
	unsigned line = 0;
	if (rules && strcmp(error->key, "id") == 0)
		line = line_of_id(rules, skm_config_node_count(rules), error->found);
	if (line > 0) {
		(void)snprintf(error->allowed, sizeof(error->allowed),
			"an id that no other rule has; it is also on line %u of %.128s", line, file);
		(void)snprintf(error->allowed_ja, sizeof(error->allowed_ja),
			"他の規則と重複しないid(%.128s の%u行目にも同じidがあります)", file, line);
	}
	return SKM_CONFIG_INVALID;
}
