// SPDX-License-Identifier: Apache-2.0
/* What is worth a record of its own, and what is only counted: a program that asks a thousand times a second
 * must not fill the disk that the records live on. Pure.
 *
 * A kind of finding about one person by one way is recorded `burst` times while `mark` stays the same, then
 * counted. Nothing is forgotten: a count comes out before its place is used for something else. */
#ifndef SKM_TALLY_H
#define SKM_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "person.h"
#include "sekimori/record.h"

#define SKM_TALLY_PLACES 32

struct skm_tally_key {
	uint32_t uid; /* of the person, or of the peer who asked for others */
	enum skm_way way;
	enum skm_auth_outcome kind;
};

struct skm_tally_entry {
	struct skm_tally_key key;
	char subject[SKM_USER_BYTES];
	uint64_t mark;
	uint64_t untold; /* counted since the last record */
	uint64_t used;	 /* when, in calls; 0 = empty place */
	uint32_t told;
};

/* All zeros is an empty one. */
struct skm_tally {
	struct skm_tally_entry entries[SKM_TALLY_PLACES];
	uint64_t calls;
};

/* Is this one to be recorded by itself? False: it was counted. When ret_closed->untold is not 0, that many of
 * *ret_closed have to be recorded first. */
bool skm_tally_tell(struct skm_tally *tally, const struct skm_tally_key *key, const char *subject,
	uint64_t mark, uint32_t burst, struct skm_tally_entry *ret_closed);
/* Takes out one count that waits: of this person and way, or of anybody (`key` NULL). False: there is none.
 */
bool skm_tally_take(
	struct skm_tally *tally, const struct skm_tally_key *key, struct skm_tally_entry *ret_entry);

#endif
