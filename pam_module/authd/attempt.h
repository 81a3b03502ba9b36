// SPDX-License-Identifier: Apache-2.0
/* One attempt with a code: throttle, reserve, compare, settle. The only way in which a code is ever compared
 * with a stored secret. */
#ifndef SKM_ATTEMPT_H
#define SKM_ATTEMPT_H

#include "subject.h"

struct skm_attempt {
	enum skm_auth_outcome outcome;
	enum skm_auth_factor factor; /* when OK */
	unsigned left;		     /* recovery codes, when OK by one or by the substitute code */
	uint32_t tries, wait_sec;    /* when LOCKED */
	uint64_t mark;		     /* when LOCKED: which failure it is that the person waits for */
	bool fell_back;		     /* the state could be kept in memory only */
	const char *detail;	     /* one sentence for the record, static */
};

/* ANSWER of the request against the subject, or ANSWER and ANSWER2 (two codes that follow each other) to
 * resynchronise. The subject must be loaded; its state goes along. The same work for every subject and
 * outcome: two saves, one comparison, of a decoy where there is nothing to compare with. Records nothing but
 * that the state fell back. */
void skm_attempt_make(struct skm_inquiry *inquiry, struct skm_subject *subject, bool is_resync,
	struct skm_attempt *ret_attempt);
/* The record of it. */
void skm_attempt_record(struct skm_inquiry *inquiry, const struct skm_attempt *attempt);
SKM_NODISCARD int skm_attempt_reply(const struct skm_inquiry *inquiry, const struct skm_attempt *attempt);

#endif
