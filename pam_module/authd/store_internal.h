// SPDX-License-Identifier: Apache-2.0
/* What store.c (every login) and store_admin.c (the rest) share. */
#ifndef SKM_STORE_INTERNAL_H
#define SKM_STORE_INTERNAL_H

#include "store_slots.h"

#define SKM_STORE_PERSON_BOX_BYTES (SKM_PERSON_ENCODED_BYTES + SKM_SEAL_OVERHEAD)
#define SKM_STORE_ESCROW_BYTES (SKM_PERSON_ENCODED_BYTES + SKM_ESCROW_OVERHEAD)

struct skm_store {
	const struct skm_store_ops *ops;
	char *folder_path, *fallback_path;
	int folder; /* open and locked, or -1 */
	/* The last load found a file of this person in the fallback folder, or the last save made one: to be
	 * removed once the disk has a newer state. */
	bool has_fallback;
	const struct skm_key *key, *previous_key;
	uint8_t machine[SKM_MACHINE_ID_BYTES];
	bool has_escrow_key;
	uint8_t escrow_key[32];
	uint8_t boot_id[16];
	uint32_t free_tries;
};

struct skm_store_names {
	char person[32], state[32], escrow[32];
};
struct skm_store_names skm_store_names_of(uint32_t uid);
struct skm_slot_owner skm_store_owner_of(const struct skm_store *store, uint32_t uid);

/* Opens and locks the folder, or checks that it is still the one. 0; SKM_STORE_FILE_UNFIT; -EBUSY; -errno. */
SKM_NODISCARD int skm_store_enter(struct skm_store *store);
/* 0; ABSENT; DAMAGED; WRONG_KEY; OTHER_MACHINE; MISMATCH; -errno. */
SKM_NODISCARD int skm_store_read_person(struct skm_store *store, const struct skm_store_names *names,
	uint32_t uid, struct skm_person *ret_person);
/* Durably, as it is. 0 or -errno. */
SKM_NODISCARD int skm_store_write_person(
	struct skm_store *store, const struct skm_store_names *names, const struct skm_person *person);
/* 0, also when no escrow is wanted; -errno. */
SKM_NODISCARD int skm_store_write_escrow(
	struct skm_store *store, const struct skm_store_names *names, const struct skm_person *person);

/* The state's file on disk and the one on /run, and the newest state of both. */
struct skm_store_states {
	struct skm_slots disk, fallback;
	bool has_state, is_fallback;
	struct skm_person_state newest;
};
SKM_NODISCARD int skm_store_read_states(struct skm_store *store, const struct skm_store_names *names,
	uint32_t uid, struct skm_store_states *ret_states);
/* 0 (also when there is none) or -errno. */
SKM_NODISCARD int skm_store_remove_fallback(struct skm_store *store, const struct skm_store_names *names);
/* The uids of all files UID<suffix> in the folder. malloc'ed. 0, -ENOMEM, -errno. */
SKM_NODISCARD int skm_store_list(int folder, const char *suffix, uint32_t **ret_uids, size_t *ret_count);

#endif
