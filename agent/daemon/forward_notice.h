// SPDX-License-Identifier: Apache-2.0
/* What sekimori-forward asks to have put on record, in the agent's words. Pure. */
#ifndef SEKIMORI_FORWARD_NOTICE_H
#define SEKIMORI_FORWARD_NOTICE_H

#include "sekimori/control.h"
#include "sekimori/record.h"

/* A forwarder that was taken over must not fill the log. */
#define SKM_FORWARD_NOTICE_INTERVAL_USEC (30 * SKM_USEC_PER_SEC)

struct skm_forward_notice_gate {
	uint64_t next_usec[SKM_FORWARD_NOTICE_COUNT_]; /* boot time */
};

/* 0: *ret_record is to be stored. -EAGAIN: there was one of its kind a moment ago. */
SKM_NODISCARD int skm_forward_notice_take(struct skm_forward_notice_gate *gate,
	const struct skm_forward_notice *notice, uint64_t now_usec, struct skm_record *ret_record);

#endif
