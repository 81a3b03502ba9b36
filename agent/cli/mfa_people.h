// SPDX-License-Identifier: Apache-2.0
/* Who can log in here, and who is an administrator. With a `root` other than "" the files below it are asked
 * instead of the name service. */
#ifndef SKM_MFA_PEOPLE_H
#define SKM_MFA_PEOPLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sekimori/result.h"

/* Calls for root and for everybody with a uid of a person (1000 and above, without nobody) and a shell that
 * lets people in. 0, what `on_person` returned when it is not 0, or -errno. */
SKM_NODISCARD int skm_mfa_people_each(
	const char *root, int (*on_person)(void *user, const char *name), void *user);

bool skm_mfa_people_has_login_shell(const char *shell);

/* Is the person a member of the group, as primary or supplementary one? 1, 0, -ENOENT (no such person), or
 * -errno. A group that does not exist has no members. */
SKM_NODISCARD int skm_mfa_people_is_member(const char *root, const char *name, const char *group);
/* 1, 0, -errno. */
SKM_NODISCARD int skm_mfa_people_has_group(const char *root, const char *group);

/* Who logged in, also behind sudo: /proc/self/loginuid; the real user where that is not set. 0, -ENOENT,
 * -ENOBUFS. */
SKM_NODISCARD int skm_mfa_people_login_name(char *ret_name, size_t size);

#endif
