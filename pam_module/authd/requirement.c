// SPDX-License-Identifier: Apache-2.0
/* Of whom is a second factor required? The one place where "no" can be said, so every doubt ends in "yes":
 * rivals let people pass whose file was deleted or whose group could not be looked up. */
#include "authenticator.h"

/* A member of any of the groups; a lookup that fails counts as one. */
static bool is_in_required_group(
	const struct skm_config *config, const struct skm_users *users, const char *name)
{
	for (size_t i = 0; i < config->mfa.group_count; i++) {
		if (users->is_member(users->user, name, config->mfa.groups[i]) != 0)
			return true;
	}
	return false;
}

int skm_requirement(const struct skm_config *config, const struct skm_users *users, const char *name,
	bool is_enrolled, int64_t now_sec, int64_t *ret_until_sec)
{
	/* Whoever has a factor is asked for it, whatever the policy says of the others. */
	if (is_enrolled)
		return 1;
	bool is_required = true;
	if (config->mfa.require == SKM_MFA_REQUIRE_ENROLLED)
		is_required = false;
	else if (config->mfa.require == SKM_MFA_REQUIRE_GROUPS)
		is_required = is_in_required_group(config, users, name);
	if (!is_required) {
		*ret_until_sec = 0;
		return 0;
	}
	if (now_sec < config->mfa.grace_until_sec) {
		*ret_until_sec = config->mfa.grace_until_sec;
		return 0;
	}
	return 1;
}
