// SPDX-License-Identifier: Apache-2.0
/* Why the agent ended. The word stands in the member "rule" of its AGENT_STOP, and the collector judges by
 * it: whoever shuts a terminal down in the evening is no alarm, whoever stops its agent is one. */
#ifndef SEKIMORI_STOP_REASON_H
#define SEKIMORI_STOP_REASON_H

#include "sekimori/result.h"

enum skm_stop_reason {
	SKM_STOP_UNKNOWN,  /* could not be told, or is not said: to be judged like SERVICE */
	SKM_STOP_SHUTDOWN, /* the machine is going down, or starts anew */
	SKM_STOP_SERVICE,  /* the machine goes on: somebody stopped it, or it starts again after an upgrade */
	SKM_STOP_ERROR,	   /* it could not go on */
	SKM_STOP_COUNT_,
};

/* "builtin:stop-shutdown"; never NULL. */
const char *skm_stop_reason_to_string(enum skm_stop_reason reason);
/* 0 or -EINVAL. */
SKM_NODISCARD int skm_stop_reason_from_string(const char *word, enum skm_stop_reason *ret_reason);

#endif
