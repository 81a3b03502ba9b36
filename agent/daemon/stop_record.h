// SPDX-License-Identifier: Apache-2.0
#ifndef SEKIMORI_STOP_RECORD_H
#define SEKIMORI_STOP_RECORD_H

#include "sekimori/record.h"

/* AGENT_STOP with its reason: `error` (-errno) ended the agent, or, with 0, the service manager behind
 * `manager_path` (service_manager.h) is asked, or looked for below `proc_root` when it is gone, which takes
 * less than a second. What is not its own reason (time, terminal, person) is left to the caller. */
void skm_stop_record(
	const char *manager_path, const char *proc_root, int error, struct skm_record *ret_record);

#endif
