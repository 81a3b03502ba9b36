// SPDX-License-Identifier: Apache-2.0
/* Shared, because the agent writes the word and the collector reads it. It stands in "rule" (what decided)
 * and not in a member of its own: every reader of records knows that member already. */
#include "sekimori/stop_reason.h"

#include <string.h>

static const char *const words[SKM_STOP_COUNT_] = {
	[SKM_STOP_UNKNOWN] = "builtin:stop-unknown",
	[SKM_STOP_SHUTDOWN] = "builtin:stop-shutdown",
	[SKM_STOP_SERVICE] = "builtin:stop-service",
	[SKM_STOP_ERROR] = "builtin:stop-error",
};

const char *skm_stop_reason_to_string(enum skm_stop_reason reason)
{
	return words[(unsigned)reason < SKM_STOP_COUNT_ ? reason : SKM_STOP_UNKNOWN];
}

int skm_stop_reason_from_string(const char *word, enum skm_stop_reason *ret_reason)
{
	for (unsigned i = 0; i < SKM_STOP_COUNT_; i++) {
		if (strcmp(word, words[i]) == 0) {
			*ret_reason = (enum skm_stop_reason)i;
			return 0;
		}
	}
	return -EINVAL;
}
