// SPDX-License-Identifier: Apache-2.0
/* Does a PAM service let somebody in without our module? Pure.
 *
 * The stack is walked with every module free to succeed or to fail, but for pam_deny (always fails),
 * pam_rootok (fails: only root gets in by it, who needs no way), modules that are not installed, and ours,
 * which fails. Whatever still ends in success is a way round the second factor. */
#ifndef SKM_PAM_WAYS_H
#define SKM_PAM_WAYS_H

#include "pam_stack.h"

#define SKM_PAM_WAYS_MAX 8u
#define SKM_PAM_OPENERS_MAX 4u
#define SKM_PAM_OPENER_BYTES 256u

enum skm_pam_verdict {
	SKM_PAM_GUARDED,	   /* nobody gets in without our module, or nobody at all */
	SKM_PAM_OPEN,		   /* there are ways */
	SKM_PAM_OPEN_IF_INSTALLED, /* there would be, with modules that are not installed */
	SKM_PAM_INHERITED,	   /* no auth line of its own: judge "other" */
};

/* The modules that together let somebody in; none: nothing at all is asked. A module that judges instead of
 * asking (pam_succeed_if, pam_listfile …) is named with its arguments. */
struct skm_pam_way {
	unsigned count;
	char openers[SKM_PAM_OPENERS_MAX][SKM_PAM_OPENER_BYTES];
};

struct skm_pam_judgement {
	enum skm_pam_verdict verdict;
	bool has_ours; /* our module stands somewhere in the stack */
	unsigned way_count;
	struct skm_pam_way ways[SKM_PAM_WAYS_MAX]; /* those with fewest conditions first; none twice */
};

/* 0; as skm_pam_stack_read; -E2BIG also when the stack has too many states to be walked. */
SKM_NODISCARD int skm_pam_judge(
	const struct skm_pam_files *files, const char *service, struct skm_pam_judgement *ret_judgement);

#endif
