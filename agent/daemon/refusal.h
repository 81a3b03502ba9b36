// SPDX-License-Identifier: Apache-2.0
/* Which stored record concerns a person at the machine, and what they may know of it. Pure. */
#ifndef SEKIMORI_REFUSAL_H
#define SEKIMORI_REFUSAL_H

#include <sys/types.h>

#include "sekimori/control.h"
#include "sekimori/record.h"

/* True when the record says that a device (or a part of it) was refused while somebody sat at the machine:
 * then *ret_uid is that person and *ret_refusal what they are told. A device that was there when the agent
 * started is nobody's act. The record must have its number. */
bool skm_refusal_from_record(
	const struct skm_record *record, uid_t *ret_uid, struct skm_refusal *ret_refusal);

#endif
