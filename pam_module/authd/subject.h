// SPDX-License-Identifier: Apache-2.0
/* The person that a request is about: looked up, and with all that is stored of them. */
#ifndef SKM_SUBJECT_H
#define SKM_SUBJECT_H

#include "facts.h"

struct skm_subject {
	uint32_t uid;	/* valid when lookup is 0 */
	int lookup;	/* as skm_users.uid_of */
	int load;	/* as skm_store_load; -ENOENT for a name that is nobody's */
	unsigned notes; /* SKM_STORE_NOTE_… */
	/* Empty unless load is 0. */
	struct skm_person person;
	struct skm_person_state state;
};

/* The name alone; the request's facts learn the uid. */
void skm_subject_find(struct skm_inquiry *inquiry, struct skm_subject *ret_subject);
/* Reads what is stored of the uid, and nothing besides. A lost state is made anew by that, for good, so it is
 * recorded here, of that person, whatever the request is. */
void skm_subject_read(const struct skm_inquiry *inquiry, struct skm_subject *subject);
/* Reads, or reads a decoy: the same work whoever it is. A record made for another login name is a MISMATCH:
 * uids are given to other people. */
void skm_subject_load(const struct skm_inquiry *inquiry, struct skm_subject *subject);
/* Records what else was found on the way. Not for PREPARE: it mends nothing of that, and VERIFY follows. */
void skm_subject_record_notes(const struct skm_inquiry *inquiry, const struct skm_subject *subject);
/* Wipes. */
void skm_subject_clear(struct skm_subject *subject);

/* What this finding means to somebody who wants to log in: OK when there is a record to compare with. */
enum skm_auth_outcome skm_subject_outcome(const struct skm_subject *subject);
/* One word for lists, "ok", "wrong-key"; and one sentence for records, why nothing could be compared. */
const char *skm_subject_state_word(const struct skm_subject *subject);
const char *skm_subject_finding(const struct skm_subject *subject);

#endif
