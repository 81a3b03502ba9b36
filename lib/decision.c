// SPDX-License-Identifier: Apache-2.0
/* The words of a decision. How one is made stands in the daemon's policy; every program must be able to read
 * one. */
#include <string.h>

#include "sekimori/decision.h"

static const char *const verdict_words[SKM_VERDICT_COUNT_] = {
	[SKM_VERDICT_DENY] = "deny",
	[SKM_VERDICT_PARTIAL] = "partial",
	[SKM_VERDICT_ALLOW] = "allow",
};

const char *skm_verdict_to_string(enum skm_verdict verdict)
{
	/* A value that cannot be is a refusal, like 0. */
	return verdict_words[(unsigned)verdict < SKM_VERDICT_COUNT_ ? verdict : SKM_VERDICT_DENY];
}

int skm_verdict_from_string(const char *word, enum skm_verdict *ret_verdict)
{
	for (unsigned i = 0; i < SKM_VERDICT_COUNT_; i++) {
		if (strcmp(word, verdict_words[i]) == 0) {
			*ret_verdict = (enum skm_verdict)i;
			return 0;
		}
	}
	return -EINVAL;
}
