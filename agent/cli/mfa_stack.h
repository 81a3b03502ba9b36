// SPDX-License-Identifier: Apache-2.0
/* The PAM stack of the machine: is the second factor in it, a copy of what was there before, and the switch,
 * which is the distribution's own program. `root` goes before every path: "" for the real ones. */
#ifndef SKM_MFA_STACK_H
#define SKM_MFA_STACK_H

#include <stdbool.h>

#include "sekimori/result.h"

#define SKM_MFA_STACK_PROFILES "sekimori, sekimori-split" /* what is switched, in words */
#define SKM_MFA_STACK_FOLDER "/etc/pam.d"
#define SKM_MFA_STACK_KEPT "/var/lib/sekimori/pam-before"

/* The file that every login includes: Debian's, or authselect's where there is none of that name. */
#define SKM_MFA_STACK_FILES "common-auth (system-auth)"

/* 1 when a line of that file that is no comment names our module; 0; -errno. */
SKM_NODISCARD int skm_mfa_stack_is_on(const char *root);

/* Copies all service files into SKM_MFA_STACK_KEPT, in place of an older copy; either stands whole. 0 or
 * -errno. */
SKM_NODISCARD int skm_mfa_stack_keep(const char *root);
/* Calls `on_difference` for each service file that is not what was kept (changed, gone or new). How many, or
 * -errno (-ENOENT: nothing was kept). */
SKM_NODISCARD int skm_mfa_stack_compare(
	const char *root, void (*on_difference)(void *user, const char *name), void *user);

/* Runs pam-auth-update, or what takes its arguments (conf/authselect/pam-switch). 0; SKM_MFA_STACK_FAILED
 * when it ended with an error; -errno. */
#define SKM_MFA_STACK_FAILED 1
SKM_NODISCARD int skm_mfa_stack_switch(const char *program, bool on);

#endif
