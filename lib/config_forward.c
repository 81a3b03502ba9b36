// SPDX-License-Identifier: Apache-2.0
/* The group "forward": where the records go. The collector is an address and not a name: whoever answers the
 * terminal's name queries must not decide where its records go, the only program with a network needs no
 * resolver, and a connection never waits for one. Which collector answers there is proved by the
 * certificate's name, which is its own key for that reason. */
#include <arpa/inet.h>
#include <string.h>

#include "config_internal.h"

int skm_config_set_forward_host(const struct skm_config_key *key, const char *text, void *target)
{
	unsigned char address[sizeof(struct in6_addr)];
	if (*text != '\0' && inet_pton(AF_INET, text, address) != 1 &&
		inet_pton(AF_INET6, text, address) != 1)
		return -EINVAL;
	return skm_config_set_text_or_empty(key, text, target);
}

/* RFC 1123: labels of letters, digits and hyphens. A wildcard would accept whichever server of the domain. */
static bool is_dns_name(const char *text)
{
	size_t label = 0;
	for (; *text; text++) {
		bool is_alphanumeric = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
				       (*text >= '0' && *text <= '9');
		if (*text == '.' && (label == 0 || text[-1] == '-' || text[1] == '\0'))
			return false;
		if (*text == '-' && (label == 0 || text[1] == '\0'))
			return false;
		if (*text != '.' && *text != '-' && !is_alphanumeric)
			return false;
		label = *text == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return true;
}

int skm_config_set_forward_name(const struct skm_config_key *key, const char *text, void *target)
{
	return is_dns_name(text) ? skm_config_set_text_or_empty(key, text, target) : -EINVAL;
}

int skm_config_set_forward_path(const struct skm_config_key *key, const char *text, void *target)
{
	return *text == '\0' ? -EINVAL : skm_config_set_path(key, text, target);
}

static int refuse(const char *file, const struct config_setting_t *node, unsigned line, const char *key,
	struct skm_config_text allowed, struct skm_config_error *error)
{
	struct skm_config_place place = {file, node ? skm_config_node_line(node) : line, key};
	char found[sizeof(error->found) * 2] = "";
	if (node)
		skm_config_node_describe(node, found, sizeof(found));
	return skm_config_refuse(error, &place, found, strlen(found), allowed);
}

int skm_config_check_forward(const char *file, const struct skm_config_tree *tree,
	const struct skm_config *config, struct skm_config_error *error)
{
	static const struct skm_config_text name = {
		"with forward.host, the DNS name in the collector's certificate",
		"forward.host を指定したときは、収集サーバー証明書のDNS名が必要"};
	static const struct skm_config_text longer = {
		"a duration of at least forward.retry_first", "forward.retry_first 以上の時間"};
	const struct config_setting_t *host = skm_config_tree_find(tree, "forward.host");
	const struct config_setting_t *max = skm_config_tree_find(tree, "forward.retry_max");
	if (config->forward.host[0] && !config->forward.name[0])
		return refuse(file, skm_config_tree_find(tree, "forward.name"),
			host ? skm_config_node_line(host) : 0, "forward.name", name, error);
	if (config->forward.retry_max_ms >= config->forward.retry_first_ms)
		return 0;
	/* The one that is in the file: of the defaults the second is longer. */
	return max ? refuse(file, max, 0, "forward.retry_max", longer, error)
		   : refuse(file, skm_config_tree_find(tree, "forward.retry_first"), 0, "forward.retry_first",
			     (struct skm_config_text){"a duration of at most forward.retry_max",
				     "forward.retry_max 以下の時間"},
			     error);
}
