// SPDX-License-Identifier: Apache-2.0
/* The adapter: the only file that knows libconfig. It hands out the settings of a text that config_scan.c has
 * passed. libconfig keeps what it read before a syntax error; here no tree is given out then. */
#include <libconfig.h>
#include <stdio.h>
#include <string.h>

#include "config_internal.h"

struct skm_config_tree {
	config_t config;
};

/* libconfig 1.5 takes a comment on the last line for rubbish when no newline follows. */
static char *copy_with_newline(const char *text, size_t len)
{
	char *copy = malloc(len + 2);
	if (!copy)
		return NULL;
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\n';
	copy[len + 1] = '\0';
	return copy;
}

int skm_config_tree_parse(const char *file, const char *text, size_t len, struct skm_config_tree **ret_tree,
	struct skm_config_error *error)
{
	SKM_CLEANUP(skm_config_tree_freep) struct skm_config_tree *tree = calloc(1, sizeof(*tree));
	if (!tree)
		return -ENOMEM;
	config_init(&tree->config);
	SKM_CLEANUP(skm_free) char *copy = copy_with_newline(text, len);
	if (!copy)
		return -ENOMEM;
	if (config_read_string(&tree->config, copy) != CONFIG_TRUE) {
		/* The scan passed it, so this is what nobody has thought of. */
		int line = config_error_line(&tree->config);
		const char *found = config_error_text(&tree->config);
		struct skm_config_place place = {file, line > 0 ? (unsigned)line : 0, ""};
		if (!found)
			found = "";
		return skm_config_refuse(error, &place, found, strlen(found),
			(struct skm_config_text){"the syntax of libconfig", "libconfigの書式"});
	}
	*ret_tree = tree;
	tree = NULL;
	return 0;
}

void skm_config_tree_freep(struct skm_config_tree **tree)
{
	if (*tree) {
		config_destroy(&(*tree)->config);
		free(*tree);
	}
	*tree = NULL;
}

const struct config_setting_t *skm_config_tree_root(const struct skm_config_tree *tree)
{
	return config_root_setting(&tree->config);
}

const struct config_setting_t *skm_config_tree_find(const struct skm_config_tree *tree, const char *path)
{
	return config_lookup(&tree->config, path);
}

enum skm_config_kind skm_config_node_kind(const struct config_setting_t *node)
{
	switch (config_setting_type(node)) {
	case CONFIG_TYPE_GROUP:
		return SKM_CONFIG_GROUP;
	case CONFIG_TYPE_LIST:
		return SKM_CONFIG_LIST;
	case CONFIG_TYPE_ARRAY:
		return SKM_CONFIG_ARRAY;
	case CONFIG_TYPE_STRING:
		return SKM_CONFIG_STRING;
	default:
		return SKM_CONFIG_OTHER;
	}
}

unsigned skm_config_node_line(const struct config_setting_t *node)
{
	return (unsigned)config_setting_source_line(node);
}

const char *skm_config_node_name(const struct config_setting_t *node)
{
	return config_setting_name(node);
}

const char *skm_config_node_text(const struct config_setting_t *node)
{
	const char *text = config_setting_get_string(node);
	return text ? text : "";
}

void skm_config_node_describe(const struct config_setting_t *node, char *buf, size_t size)
{
	switch (config_setting_type(node)) {
	case CONFIG_TYPE_GROUP:
		(void)snprintf(buf, size, "{ … }");
		break;
	case CONFIG_TYPE_LIST:
		(void)snprintf(buf, size, "( … )");
		break;
	case CONFIG_TYPE_ARRAY:
		(void)snprintf(buf, size, "[ … ]");
		break;
	case CONFIG_TYPE_STRING:
		(void)snprintf(buf, size, "\"%s\"", skm_config_node_text(node));
		break;
	case CONFIG_TYPE_BOOL:
		(void)snprintf(buf, size, "%s", config_setting_get_bool(node) ? "true" : "false");
		break;
	case CONFIG_TYPE_FLOAT:
		(void)snprintf(buf, size, "%g", config_setting_get_float(node));
		break;
	default:
		(void)snprintf(buf, size, "%d", config_setting_get_int(node));
		break;
	}
}

size_t skm_config_node_count(const struct config_setting_t *node)
{
	int count = config_setting_length(node);
	return count > 0 ? (size_t)count : 0;
}

const struct config_setting_t *skm_config_node_child(const struct config_setting_t *node, size_t index)
{
	return config_setting_get_elem(node, (unsigned)index);
}

const struct config_setting_t *skm_config_node_member(const struct config_setting_t *node, const char *name)
{
	return config_setting_get_member(node, name);
}
