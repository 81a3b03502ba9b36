// SPDX-License-Identifier: Apache-2.0
/* What authd answers: the logic between a request and its outcome. No socket: requests come as parsed packets
 * with the kernel's word on the caller, answers go into a writer. One request at a time, from start to end,
 * so nothing can be raced.
 *
 * VERIFY, in this order, for everybody: look up, load (a decoy for those who have nothing), throttle, reserve
 * and sync, compare, settle and sync, record, answer. Nothing is compared that was not reserved on disk. */
#ifndef SKM_AUTHENTICATOR_H
#define SKM_AUTHENTICATOR_H

#include "sekimori/config.h"
#include "sekimori/record.h"
#include "store.h"
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
	/* Stamps and queues one record; `flush` stores what is queued (0 = on disk). A login does not fail
	 * for a log that cannot be written; an administrative act does. */
	void (*record)(void *user, const struct skm_record *record);
	int (*flush)(void *user);
	void *user;
};

/* Answers one request. `send` is called for each packet, the last one without MORE; a negative result ends it
 * and is handed up. */
typedef int (*skm_send_fn)(void *user, const struct skm_auth_writer *packet);
SKM_NODISCARD int skm_authenticator_answer(struct skm_authenticator *authenticator,
	const struct skm_peer *peer, const struct skm_auth_packet *request, skm_send_fn send, void *user);

/* Is a second factor required of this person? 1 = yes; 0 = no (*ret_until_sec: the grace's end, 0 = without
 * end); errors of the lookup count as "yes". Pure but for users. */
int skm_requirement(const struct skm_config *config, const struct skm_users *users, const char *name,
	bool is_enrolled, int64_t now_sec, int64_t *ret_until_sec);

#endif
