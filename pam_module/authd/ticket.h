// SPDX-License-Identifier: Apache-2.0
/* What authd hands to whoever begins an enrolment and gets back at its end: the pending token, sealed. So
 * nothing is kept in memory, authd may end in between, and nobody can fill it with enrolments that are never
 * finished. Valid for 15 minutes of one boot, for one caller, for one generation of the record: storing the
 * token makes a new one, so a ticket works once. */
#ifndef SKM_TICKET_H
#define SKM_TICKET_H

#include "person.h"
#include "seal.h"

#define SKM_TICKET_LIFE_SEC 900

struct skm_ticket {
	uint32_t uid, peer_uid;
	uint64_t generation; /* of the person's record; 0 = there is none */
	uint8_t boot_id[16];
	uint64_t boottime_usec;
	struct skm_token token; /* without id and enrolled_sec */
};

#define SKM_TICKET_TEXT_BYTES 192
#define SKM_TICKET_BYTES (SKM_TICKET_TEXT_BYTES + SKM_SEAL_OVERHEAD)

void skm_ticket_seal(
	const struct skm_key *key, const struct skm_ticket *ticket, uint8_t ret_box[SKM_TICKET_BYTES]);
/* 0, SKM_SEAL_WRONG_KEY, SKM_SEAL_DAMAGED (also a wrong length). */
SKM_NODISCARD int skm_ticket_open(
	const struct skm_key *key, const uint8_t *box, size_t box_len, struct skm_ticket *ret_ticket);
/* Is it of this boot and young enough? */
bool skm_ticket_is_fresh(
	const struct skm_ticket *ticket, const struct skm_timestamp *now, const uint8_t boot_id[16]);

#endif
