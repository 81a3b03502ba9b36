// SPDX-License-Identifier: Apache-2.0
/* What authd answers: the logic between a request and its outcome. No socket: requests come as parsed packets
 * with the kernel's word on the caller, answers go into a writer. One request at a time, from start to end,
 * so nothing can be raced.
 *
 * VERIFY, in this order, for everybody: look up, load (a decoy for those who have nothing), throttle, reserve
 * and sync, compare, settle and sync, record, answer. Nothing is compared that was not reserved on disk.
 *
 *   authenticator.c   PREPARE and VERIFY
 *   administration.c  who may ask what of the rest; enrolment.c and listing.c are its parts
 *   attempt.c         one attempt from reservation to settlement, for VERIFY and for acts that ask for a code
 *   subject.c         the person asked about; facts.c the request, its records and answers
 *   requirement.c, ticket.c, tally.c, users.c  what their headers say */
#ifndef SKM_AUTHENTICATOR_H
#define SKM_AUTHENTICATOR_H

#include "sekimori/config.h"
#include "sekimori/record.h"
#include "store.h"
#include "tally.h"
#include "throttle.h"
#include "users.h"
#include "verify.h"

struct skm_authenticator {
	const struct skm_config *config; /* in force; never NULL */
	struct skm_store *store;
	struct skm_users users;
	struct skm_clock clock;
	char boot_id[SKM_BOOT_ID_BYTES];
	uint8_t machine[SKM_MACHINE_ID_BYTES];
	const struct skm_key *key; /* NULL = none */
	/* Stamps (time, boot id, terminal, section, console user) and queues one record; stream, login user,
	 * caller and policy version are filled in already. `flush` stores what is queued (0 = on disk). A
	 * login does not fail for a log that cannot be written; an administrative act does: its record is on
	 * disk before anything changes, and a second one says so if the change then fails. */
	void (*record)(void *user, const struct skm_record *record);
	int (*flush)(void *user);
	void *user;
	/* --- the authenticator's own; zeros at the start --- */
	struct skm_tally tally;
	bool is_degraded;   /* it is on record that states are kept on /run */
	int64_t latest_sec; /* the latest time that any person's state has proved; 0 = not looked for yet */
};

/* Answers one request. `send` is called for each packet, the last one without MORE; a negative result ends it
 * and is handed up. */
typedef int (*skm_send_fn)(void *user, const struct skm_auth_writer *packet);
SKM_NODISCARD int skm_authenticator_answer(struct skm_authenticator *authenticator,
	const struct skm_peer *peer, const struct skm_auth_packet *request, skm_send_fn send, void *user);
/* Records what was only counted until now, and flushes. Before authd ends, and when it has nothing to do. */
void skm_authenticator_settle(struct skm_authenticator *authenticator);

/* Is a second factor required of this person? 1 = yes; 0 = no (*ret_until_sec: the grace's end, 0 = without
 * end); errors of the lookup count as "yes". Pure but for users. */
int skm_requirement(const struct skm_config *config, const struct skm_users *users, const char *name,
	bool is_enrolled, int64_t now_sec, int64_t *ret_until_sec);

#endif
