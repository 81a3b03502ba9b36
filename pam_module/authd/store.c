// SPDX-License-Identifier: Apache-2.0
/* What every login needs of the files: one load, then saves. Every file is opened anew by name in a folder
 * that stays open and locked: the few microseconds are nothing beside a sync, and there is no descriptor that
 * could belong to the person before. Kept apart from each other are "there is nobody" and everything that can
 * be wrong with somebody: only a missing file, with no state left behind, is the first. A database was
 * rejected: its log needs space at the moment of a login, and one damaged page may cost all persons. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "store_internal.h"

/* (uid_t)-1 is nobody's (setreuid(2)), and "decoy" is no number. */
#define DECOY_UID UINT32_MAX
#define DECOY_NAME "decoy"

/* ---- the store ---- */

int skm_store_new(const struct skm_store_options *options, struct skm_store **ret_store)
{
	struct skm_store *store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	store->ops = options->ops;
	store->folder = -1;
	store->key = options->key;
	store->previous_key = options->previous_key;
	store->free_tries = options->free_tries;
	memcpy(store->machine, options->machine, sizeof(store->machine));
	memcpy(store->boot_id, options->boot_id, sizeof(store->boot_id));
	store->has_escrow_key = options->escrow_public_key != NULL;
	if (store->has_escrow_key)
		memcpy(store->escrow_key, options->escrow_public_key, sizeof(store->escrow_key));
	store->folder_path = strdup(options->folder);
	store->fallback_path = strdup(options->fallback_folder);
	if (!store->folder_path || !store->fallback_path) {
		skm_store_free(store);
		return -ENOMEM;
	}
	*ret_store = store;
	return 0;
}

struct skm_store *skm_store_free(struct skm_store *store)
{
	if (!store)
		return NULL;
	skm_fd_close(&store->folder);
	free(store->folder_path);
	free(store->fallback_path);
	free(store);
	return NULL;
}

int skm_store_enter(struct skm_store *store)
{
	if (store->folder >= 0)
		return skm_store_folder_check(store->ops, store->folder);
	SKM_CLEANUP(skm_fd_close) int fd = -1;
	int r = skm_store_folder_open(store->ops, store->folder_path, &fd);
	if (r != 0)
		return r;
	if (store->ops->flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	store->folder = skm_fd_take(&fd);
	return 0;
}

/* For functions that know no unfit folder. */
static int enter_to_write(struct skm_store *store)
{
	int r = skm_store_enter(store);
	return r == SKM_STORE_FILE_UNFIT ? -EPERM : r;
}

struct skm_slot_owner skm_store_owner_of(const struct skm_store *store, uint32_t uid)
{
	struct skm_slot_owner owner = {.key = store->key, .previous_key = store->previous_key, .uid = uid};
	memcpy(owner.machine, store->machine, sizeof(owner.machine));
	return owner;
}

static struct skm_store_names names_from(const char *stem)
{
	struct skm_store_names names;
	(void)snprintf(names.person, sizeof(names.person), "%.10s.person", stem);
	(void)snprintf(names.state, sizeof(names.state), "%.10s.state", stem);
	(void)snprintf(names.escrow, sizeof(names.escrow), "%.10s.escrow", stem);
	return names;
}

struct skm_store_names skm_store_names_of(uint32_t uid)
{
	char stem[11]; /* ten digits */
	(void)snprintf(stem, sizeof(stem), "%" PRIu32, uid);
	return names_from(stem);
}

/* ---- person ---- */

static int open_person(struct skm_store *store, uint32_t uid, const uint8_t box[SKM_STORE_PERSON_BOX_BYTES],
	struct skm_person *ret_person)
{
	struct skm_slot_owner owner = skm_store_owner_of(store, uid);
	uint8_t text[SKM_PERSON_ENCODED_BYTES];
	int r = skm_slot_owner_unseal(&owner, SKM_SEAL_PERSON, box, SKM_STORE_PERSON_BOX_BYTES, text);
	if (r != 0)
		return r == SKM_SEAL_WRONG_KEY ? SKM_STORE_WRONG_KEY : SKM_STORE_DAMAGED;
	SKM_CLEANUP(skm_person_clear) struct skm_person person = {0};
	r = skm_person_decode(text, &person);
	explicit_bzero(text, sizeof(text));
	if (r < 0)
		return SKM_STORE_DAMAGED;
	if (memcmp(person.machine, store->machine, sizeof(person.machine)) != 0)
		return SKM_STORE_OTHER_MACHINE;
	if (person.uid != uid)
		return SKM_STORE_MISMATCH;
	*ret_person = person;
	return 0;
}

int skm_store_read_person(struct skm_store *store, const struct skm_store_names *names, uint32_t uid,
	struct skm_person *ret_person)
{
	SKM_CLEANUP(skm_fd_close) int fd = -1;
	uint64_t size = 0;
	int r = skm_store_file_open(store->ops, store->folder, names->person, O_RDONLY, &fd, &size);
	if (r == -ENOENT)
		return SKM_STORE_ABSENT;
	if (r == SKM_STORE_FILE_UNFIT)
		return SKM_STORE_DAMAGED;
	if (r < 0)
		return r;
	uint8_t box[SKM_STORE_PERSON_BOX_BYTES];
	size_t len = 0;
	r = skm_store_file_read(store->ops, fd, box, sizeof(box), 0, &len);
	if (r < 0)
		return r;
	if (size != sizeof(box) || len != sizeof(box))
		return SKM_STORE_DAMAGED;
	return open_person(store, uid, box, ret_person);
}

int skm_store_write_person(
	struct skm_store *store, const struct skm_store_names *names, const struct skm_person *person)
{
	uint8_t text[SKM_PERSON_ENCODED_BYTES], box[SKM_STORE_PERSON_BOX_BYTES];
	skm_person_encode(person, text);
	skm_seal(store->key, SKM_SEAL_PERSON, text, sizeof(text), box);
	explicit_bzero(text, sizeof(text));
	return skm_store_file_replace(store->ops, store->folder, names->person, box, sizeof(box), true);
}

int skm_store_write_escrow(
	struct skm_store *store, const struct skm_store_names *names, const struct skm_person *person)
{
	if (!store->has_escrow_key)
		return 0;
	uint8_t text[SKM_PERSON_ENCODED_BYTES], box[SKM_STORE_ESCROW_BYTES];
	skm_person_encode(person, text);
	skm_escrow_seal(store->escrow_key, text, sizeof(text), box);
	explicit_bzero(text, sizeof(text));
	return skm_store_file_replace(store->ops, store->folder, names->escrow, box, sizeof(box), true);
}

/* ---- states ---- */

/* There need not be such a folder. One that others may write is as good as none: what lies there decides
 * nothing. */
static int read_fallback(struct skm_store *store, const struct skm_store_names *names,
	const struct skm_slot_owner *owner, struct skm_slots *ret_slots)
{
	SKM_CLEANUP(skm_fd_close) int folder = -1;
	int r = skm_store_folder_open(store->ops, store->fallback_path, &folder);
	if (r == 0)
		return skm_slots_read(store->ops, folder, names->state, owner, ret_slots);
	return r == SKM_STORE_FILE_UNFIT || r == -ENOENT ? 0 : r;
}

int skm_store_read_states(struct skm_store *store, const struct skm_store_names *names, uint32_t uid,
	struct skm_store_states *ret_states)
{
	struct skm_store_states states = {0};
	struct skm_slot_owner owner = skm_store_owner_of(store, uid);
	int r = skm_slots_read(store->ops, store->folder, names->state, &owner, &states.disk);
	if (r == 0)
		r = read_fallback(store, names, &owner, &states.fallback);
	if (r < 0)
		return r;
	store->has_fallback = states.fallback.exists;
	states.has_state = states.disk.has_state || states.fallback.has_state;
	states.is_fallback =
		states.fallback.has_state &&
		(!states.disk.has_state || states.fallback.newest.revision > states.disk.newest.revision);
	states.newest = states.is_fallback ? states.fallback.newest : states.disk.newest;
	*ret_states = states;
	return 0;
}

int skm_store_remove_fallback(struct skm_store *store, const struct skm_store_names *names)
{
	SKM_CLEANUP(skm_fd_close) int folder = -1;
	int r = skm_store_folder_open(store->ops, store->fallback_path, &folder);
	if (r == 0)
		return skm_store_file_remove(store->ops, folder, names->state);
	return r == SKM_STORE_FILE_UNFIT || r == -ENOENT ? 0 : r;
}

static int save_on_disk(struct skm_store *store, const struct skm_store_names *names,
	const struct skm_slot_owner *owner, const struct skm_person_state *state)
{
	int r = enter_to_write(store);
	if (r == 0)
		r = skm_slots_write(store->ops, store->folder, names->state, owner, state);
	if (r == SKM_STORE_FILE_UNFIT)
		r = skm_slots_replace(store->ops, store->folder, names->state, owner, state, true);
	return r;
}

/* Memory: a sync would add nothing, and a whole new file by rename is never torn. */
static int save_on_fallback(struct skm_store *store, const struct skm_store_names *names,
	const struct skm_slot_owner *owner, const struct skm_person_state *state)
{
	SKM_CLEANUP(skm_fd_close) int folder = -1;
	int r = skm_store_folder_open(store->ops, store->fallback_path, &folder);
	if (r == -ENOENT) {
		if (store->ops->mkdirat(AT_FDCWD, store->fallback_path, 0700) < 0 && errno != EEXIST)
			return -errno;
		r = skm_store_folder_open(store->ops, store->fallback_path, &folder);
	}
	if (r != 0)
		return r == SKM_STORE_FILE_UNFIT ? -EPERM : r;
	return skm_slots_replace(store->ops, folder, names->state, owner, state, false);
}

static int save_state(struct skm_store *store, const struct skm_store_names *names, uint32_t uid,
	struct skm_person_state *state)
{
	if (!store->key)
		return -ENOKEY;
	struct skm_slot_owner owner = skm_store_owner_of(store, uid);
	struct skm_person_state next = *state;
	next.revision++;
	int r = save_on_disk(store, names, &owner, &next);
	if (r == 0) {
		state->revision = next.revision;
		/* Older than what is on disk now, so it does no harm if it stays. */
		if (store->has_fallback && skm_store_remove_fallback(store, names) == 0)
			store->has_fallback = false;
		return 0;
	}
	/* Nobody may work on somebody else's folder by way of the fallback. */
	if (r == -EBUSY)
		return r;
	next.revision++; /* store_slots.h */
	if (save_on_fallback(store, names, &owner, &next) < 0)
		return r;
	store->has_fallback = true;
	state->revision = next.revision;
	return SKM_STORE_FELL_BACK;
}

int skm_store_save_state(struct skm_store *store, uint32_t uid, struct skm_person_state *state)
{
	struct skm_store_names names = skm_store_names_of(uid);
	return save_state(store, &names, uid, state);
}

/* ---- load ---- */

static int judge_without_person(const struct skm_store *store, const struct skm_store_states *states)
{
	if (!states->disk.exists && !states->fallback.exists)
		return SKM_STORE_ABSENT;
	if (states->has_state)
		return states->newest.generation == 0 ? SKM_STORE_ABSENT : SKM_STORE_DAMAGED;
	bool has_other_key = states->disk.has_other_key || states->fallback.has_other_key;
	return !store->key || has_other_key ? SKM_STORE_WRONG_KEY : SKM_STORE_DAMAGED;
}

static int load(struct skm_store *store, const struct skm_store_names *names, uint32_t uid,
	const struct skm_timestamp *now, struct skm_person *ret_person, struct skm_person_state *ret_state,
	unsigned *ret_notes)
{
	*ret_notes = 0;
	int r = skm_store_enter(store);
	if (r != 0)
		return r == SKM_STORE_FILE_UNFIT ? SKM_STORE_DAMAGED : r;
	struct skm_store_states states;
	r = skm_store_read_states(store, names, uid, &states);
	if (r < 0)
		return r;
	SKM_CLEANUP(skm_person_clear) struct skm_person person = {0};
	r = skm_store_read_person(store, names, uid, &person);
	if (r == SKM_STORE_ABSENT)
		return judge_without_person(store, &states);
	if (r != 0)
		return r;
	if (states.has_state && states.newest.generation > person.generation)
		return SKM_STORE_ROLLED_BACK;
	if (!states.has_state) {
		skm_person_state_strictest(&person, now, store->boot_id, store->free_tries, &states.newest);
		*ret_notes |= SKM_STORE_NOTE_STATE_REBUILT;
	} else if (states.disk.lost > 0)
		*ret_notes |= SKM_STORE_NOTE_SLOT_LOST;
	if (states.is_fallback)
		*ret_notes |= SKM_STORE_NOTE_FALLBACK;
	skm_person_state_follow(&person, &states.newest);
	/* Kept at once: its waits are counted from now, and made anew at each load they would never end.
	 * Where it cannot be kept, no attempt can be reserved either. */
	if (!states.has_state)
		(void)!save_state(store, names, uid, &states.newest);
	*ret_person = person;
	*ret_state = states.newest;
	return 0;
}

int skm_store_load(struct skm_store *store, uint32_t uid, const struct skm_timestamp *now,
	struct skm_person *ret_person, struct skm_person_state *ret_state, unsigned *ret_notes)
{
	struct skm_store_names names = skm_store_names_of(uid);
	return load(store, &names, uid, now, ret_person, ret_state, ret_notes);
}

/* ---- save a person ---- */

/* The first file that an enrolment leaves. A file of generation 0 says "not enrolled yet" at each cut until
 * the person stands there. */
static int prepare_state(struct skm_store *store, const struct skm_store_names *names, uint32_t uid,
	struct skm_person_state *state)
{
	struct skm_slot_owner owner = skm_store_owner_of(store, uid);
	/* What is left there of an earlier enrolment would be newer than this one. */
	int r = skm_store_remove_fallback(store, names);
	if (r < 0)
		return r;
	store->has_fallback = false;
	state->generation = 0;
	state->revision = 1;
	return skm_slots_replace(store->ops, store->folder, names->state, &owner, state, true);
}

static int demand_no_person(struct skm_store *store, const struct skm_store_names *names)
{
	SKM_CLEANUP(skm_fd_close) int fd = -1;
	int r = skm_store_file_open(store->ops, store->folder, names->person, O_RDONLY, &fd, NULL);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : -EEXIST;
}

static int save_person(struct skm_store *store, const struct skm_store_names *names, bool has_escrow,
	struct skm_person *person, struct skm_person_state *state)
{
	int r = enter_to_write(store);
	if (r == 0 && person->generation == 0)
		r = demand_no_person(store, names);
	if (r < 0)
		return r;
	SKM_CLEANUP(skm_person_clear) struct skm_person next = *person;
	next.generation++;
	memcpy(next.machine, store->machine, sizeof(next.machine));
	struct skm_person_state next_state = *state;
	skm_person_state_follow(&next, &next_state);
	if (person->generation == 0)
		r = prepare_state(store, names, next.uid, &next_state);
	if (r == 0 && has_escrow)
		r = skm_store_write_escrow(store, names, &next);
	if (r == 0)
		r = skm_store_write_person(store, names, &next);
	if (r < 0)
		return r;
	/* The person stands. A state that cannot be written now follows at the next load. */
	next_state.generation = next.generation;
	(void)!save_state(store, names, next.uid, &next_state);
	*person = next;
	*state = next_state;
	return 0;
}

int skm_store_save_person(struct skm_store *store, struct skm_person *person, struct skm_person_state *state)
{
	if (!store->key)
		return SKM_STORE_WRONG_KEY;
	struct skm_store_names names = skm_store_names_of(person->uid);
	return save_person(store, &names, true, person, state);
}

/* ---- decoy ---- */

void skm_store_load_decoy(struct skm_store *store, const struct skm_timestamp *now,
	struct skm_person *ret_person, struct skm_person_state *ret_state)
{
	struct skm_store_names names = names_from(DECOY_NAME);
	struct skm_person person = {.uid = DECOY_UID, .name = DECOY_NAME};
	struct skm_person_state state = {0};
	unsigned notes = 0;
	int r = load(store, &names, DECOY_UID, now, &person, &state, &notes);
	if (r != 0 && store->key && store->folder >= 0) {
		/* Absent, sealed with a key that is gone, damaged: nothing is lost with it. */
		(void)!skm_store_file_remove(store->ops, store->folder, names.person);
		(void)!save_person(store, &names, false, &person, &state);
	}
	memset(state.throttles, 0, sizeof(state.throttles));
	*ret_person = person;
	*ret_state = state;
}

void skm_store_save_decoy(struct skm_store *store, struct skm_person_state *state)
{
	struct skm_store_names names = names_from(DECOY_NAME);
	(void)!save_state(store, &names, DECOY_UID, state);
}
