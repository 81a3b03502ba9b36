// SPDX-License-Identifier: Apache-2.0
/* The state's file: two slots, each a sealed box at the begin of a page of its own. Revision n lives in slot
 * n % 2, so the slot that is written is always the older one, and nobody has to remember which that is.
 *
 * A state that cannot be written takes the fallback's file with its revision raised by two, not by one. So it
 * is newer than what the failed write may have left in the page cache, and the next attempt goes to the slot
 * that failed, not to the last good one. */
#ifndef SKM_STORE_SLOTS_H
#define SKM_STORE_SLOTS_H

#include "store_files.h"

#define SKM_SLOT_COUNT 2
#define SKM_SLOT_PAGE_BYTES 4096
#define SKM_SLOTS_FILE_BYTES 8192
/* uid and machine stand in each slot: a state knows whose it is. */
#define SKM_SLOT_TEXT_BYTES (4 + SKM_MACHINE_ID_BYTES + SKM_PERSON_STATE_ENCODED_BYTES)
#define SKM_SLOT_BOX_BYTES (SKM_SLOT_TEXT_BYTES + SKM_SEAL_OVERHEAD)

/* Current key, and the one before (may be NULL, as may be both). */
struct skm_slot_owner {
	const struct skm_key *key, *previous_key;
	uint32_t uid;
	uint8_t machine[SKM_MACHINE_ID_BYTES];
};

/* What one file holds. All zeros: nothing is there. */
struct skm_slots {
	bool exists;	    /* something has that name, be it what it may */
	bool has_state;	    /* `newest` is set */
	bool has_other_key; /* a slot is sealed with a key that we do not have */
	unsigned lost;	    /* slots that give no state: 0 to 2 */
	struct skm_person_state newest;
};
/* 0 or -errno. A slot that cannot be read is lost; that is no error. */
SKM_NODISCARD int skm_slots_read(const struct skm_store_ops *ops, int folder, const char *name,
	const struct skm_slot_owner *owner, struct skm_slots *ret_slots);
/* Writes the state, durably, into the slot of its revision. 0; SKM_STORE_FILE_UNFIT: there is no file with
 * two whole slots, make one by skm_slots_replace; -errno. */
SKM_NODISCARD int skm_slots_write(const struct skm_store_ops *ops, int folder, const char *name,
	const struct skm_slot_owner *owner, const struct skm_person_state *state);
/* A new file; its other slot holds the same state as the revision before (which must be 1 or more). */
SKM_NODISCARD int skm_slots_replace(const struct skm_store_ops *ops, int folder, const char *name,
	const struct skm_slot_owner *owner, const struct skm_person_state *state, bool is_durable);
/* With the current key, else with the previous one. As skm_unseal; WRONG_KEY also without any key. */
SKM_NODISCARD int skm_slot_owner_unseal(const struct skm_slot_owner *owner, enum skm_seal_purpose purpose,
	const uint8_t *box, size_t box_len, uint8_t *ret_text);

#endif
