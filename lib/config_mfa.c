// SPDX-License-Identifier: Apache-2.0
/* The group "mfa": values that no other group has, and what concerns several of its keys. */
#include <string.h>

#include "config_internal.h"
#include "sekimori/otp.h"

#define GRACE_DAYS_MAX 366
#define SECONDS_PER_DAY INT64_C(86400)

static const char word_all[] = "all";
static const char word_enrolled[] = "enrolled";

/* In small letters like every other word of the file; an otpauth URI writes them in capitals. */
static const char *const algorithms[SKM_OTP_ALGORITHM_COUNT_] = {
	[SKM_OTP_SHA256] = "sha256", [SKM_OTP_SHA512] = "sha512", [SKM_OTP_SHA1] = "sha1"};

void skm_config_mfa_defaults(struct skm_config *config)
{
	config->mfa.algorithms = 1u << SKM_OTP_SHA256 | 1u << SKM_OTP_SHA512;
}

/* Printable, and nothing that group(5) takes for a separator or that nobody sees: whose members have to bring
 * a second factor must not depend on a blank. Inner blanks and a backslash are names of a directory service.
 */
static bool is_group_name(const struct skm_config_key *key, const char *text)
{
	char name[SKM_GROUP_NAME_BYTES];
	struct skm_config_key as_text = *key;
	as_text.offset = 0;
	as_text.size = sizeof(name);
	size_t len = strlen(text);
	return skm_config_set_text(&as_text, text, name) == 0 && !strpbrk(text, ":,") && text[0] != ' ' &&
	       text[len - 1] != ' ';
}

int skm_config_set_mfa_require(const struct skm_config_key *key, const char *text, void *target)
{
	struct skm_config *config = target;
	if (strcmp(text, word_all) == 0 || strcmp(text, word_enrolled) == 0) {
		config->mfa.require = text[0] == 'a' ? SKM_MFA_REQUIRE_ALL : SKM_MFA_REQUIRE_ENROLLED;
		return 0;
	}
	if (!is_group_name(key, text))
		return -EINVAL;
	if (config->mfa.group_count == SKM_MFA_GROUPS_MAX)
		return -ERANGE;
	config->mfa.require = SKM_MFA_REQUIRE_GROUPS;
	memcpy(config->mfa.groups[config->mfa.group_count++], text, strlen(text) + 1);
	return 0;
}

int skm_config_set_mfa_algorithm(const struct skm_config_key *key, const char *text, void *target)
{
	(void)key;
	struct skm_config *config = target;
	for (unsigned i = 0; i < SKM_OTP_ALGORITHM_COUNT_; i++)
		if (strcmp(algorithms[i], text) == 0) {
			config->mfa.algorithms |= 1u << i;
			return 0;
		}
	return -EINVAL;
}

int skm_config_set_mfa_issuer(const struct skm_config_key *key, const char *text, void *target)
{
	/* The colon ends the issuer in an otpauth label, and some apps look for it after decoding. */
	return strchr(text, ':') ? -EINVAL : skm_config_set_text(key, text, target);
}

int skm_config_set_mfa_escrow_key(const struct skm_config_key *key, const char *text, void *target)
{
	(void)key;
	struct skm_config *config = target;
	int r = skm_config_parse_public_key(text, config->mfa.escrow_key);
	if (r == 0)
		config->mfa.has_escrow_key = true;
	return r;
}

/* ---- what concerns several keys ---- */

static int refuse(const char *file, const struct config_setting_t *node, const char *key,
	struct skm_config_text allowed, struct skm_config_error *error)
{
	struct skm_config_place place = {file, node ? skm_config_node_line(node) : 0, key};
	char found[sizeof(error->found) * 2] = "";
	if (node)
		skm_config_node_describe(node, found, sizeof(found));
	return skm_config_refuse(error, &place, found, strlen(found), allowed);
}

/* "all" beside a group would silently mean one or the other. */
static int check_require(
	const char *file, const struct config_setting_t *node, struct skm_config_error *error)
{
	static const struct skm_config_text allowed = {
		"\"all\", \"enrolled\", or names of groups; the two words stand alone",
		"\"all\"、\"enrolled\"、またはグループ名(この2語は単独でのみ使用可)"};
	size_t count = node ? skm_config_node_count(node) : 0;
	for (size_t i = 0; count > 1 && i < count; i++) {
		const char *text = skm_config_node_text(skm_config_node_child(node, i));
		if (strcmp(text, word_all) == 0 || strcmp(text, word_enrolled) == 0)
			return refuse(file, node, "mfa.require", allowed, error);
	}
	return 0;
}

/* A grace is a lifted ban: it needs a near end. One that is over is no error, or a file that was good would
 * be refused the day after. */
static int check_grace(const char *file, const struct config_setting_t *node, int64_t now_sec,
	const struct skm_config *config, struct skm_config_error *error)
{
	static const struct skm_config_text allowed = {
		"a date at most 366 days ahead: \"YYYY-MM-DD\"", "366日先までの日付: \"YYYY-MM-DD\""};
	/* The end is the midnight after the last day, and up to 25 hours lie between two midnights. */
	int64_t limit_sec = now_sec + (GRACE_DAYS_MAX + 1) * SECONDS_PER_DAY + 3600;
	return config->mfa.grace_until_sec > limit_sec ? refuse(file, node, "mfa.grace_until", allowed, error)
						       : 0;
}

int skm_config_check_mfa(const char *file, const struct skm_config_tree *tree, int64_t now_sec,
	const struct skm_config *config, struct skm_config_error *error)
{
	static const struct skm_config_text longer = {
		"a duration of at least mfa.delay", "mfa.delay 以上の時間"};
	int r = check_require(file, skm_config_tree_find(tree, "mfa.require"), error);
	if (r == 0)
		r = check_grace(file, skm_config_tree_find(tree, "mfa.grace_until"), now_sec, config, error);
	if (r != 0 || config->mfa.delay_max_sec >= config->mfa.delay_sec)
		return r;
	/* The default of delay_max is longer than any delay: so it is in the file. */
	return refuse(file, skm_config_tree_find(tree, "mfa.delay_max"), "mfa.delay_max", longer, error);
}
