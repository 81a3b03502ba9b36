// SPDX-License-Identifier: Apache-2.0
/* What no login needs: removing, counting, resealing, restoring. Names are read from the folder in one go
 * before anything is done with them: a folder that changes while it is read may show a name twice or not at
 * all. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/parse.h"
#include "store_internal.h"

int skm_store_remove(struct skm_store *store, uint32_t uid)
{
	struct skm_store_names names = skm_store_names_of(uid);
	int r = skm_store_enter(store);
	if (r != 0)
		return r == SKM_STORE_FILE_UNFIT ? -EPERM : r;
	const struct skm_store_ops *ops = store->ops;
	r = skm_store_file_remove(ops, store->folder, names.state);
	if (r == 0)
		r = skm_store_remove_fallback(store, &names);
	/* Before the person goes, the state must be gone for good: the other way round it would look like a
	 * record that somebody deleted. */
	if (r == 0 && ops->fsync(store->folder) < 0)
		r = -errno;
	static const char *const suffixes[] = {"escrow.new", "escrow", "state.new", "person.new", "person"};
	for (size_t i = 0; r == 0 && i < SKM_ARRAY_SIZE(suffixes); i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "%" PRIu32 ".%s", uid, suffixes[i]);
		r = skm_store_file_remove(ops, store->folder, name);
	}
	if (r == 0 && ops->fsync(store->folder) < 0)
		r = -errno;
	return r;
}

/* ---- who is there ---- */

static bool uid_of_name(const char *name, const char *suffix, uint32_t *ret_uid)
{
	char digits[11], canonical[11];
	const char *dot = strchr(name, '.');
	size_t len = dot ? (size_t)(dot - name) : 0;
	if (len == 0 || len >= sizeof(digits) || strcmp(dot, suffix) != 0)
		return false;
	memcpy(digits, name, len);
	digits[len] = '\0';
	uint64_t uid = 0;
	if (skm_parse_uint(digits, 0, UINT32_MAX, &uid) != 0)
		return false;
	/* "007.person" is no file of ours. */
	(void)snprintf(canonical, sizeof(canonical), "%" PRIu32, (uint32_t)uid);
	*ret_uid = (uint32_t)uid;
	return strcmp(digits, canonical) == 0;
}

struct uid_list {
	uint32_t *uids;
	size_t count, room;
};

static int append(struct uid_list *list, uint32_t uid)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		uint32_t *uids = reallocarray(list->uids, room, sizeof(*uids));
		if (!uids)
			return -ENOMEM;
		list->uids = uids;
		list->room = room;
	}
	list->uids[list->count++] = uid;
	return 0;
}

int skm_store_list(int folder, const char *suffix, uint32_t **ret_uids, size_t *ret_count)
{
	/* A descriptor of its own: reading moves the position, and closedir closes it. */
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		int error = errno;
		(void)close(fd);
		return -error;
	}
	struct uid_list list = {0};
	int r = 0;
	while (r == 0) {
		errno = 0;
		const struct dirent *entry = readdir(dir);
		uint32_t uid = 0;
		if (!entry) {
			r = -errno;
			break;
		}
		if (uid_of_name(entry->d_name, suffix, &uid))
			r = append(&list, uid);
	}
	(void)closedir(dir);
	if (r < 0) {
		free(list.uids);
		return r;
	}
	*ret_uids = list.uids;
	*ret_count = list.count;
	return 0;
}

int skm_store_each(struct skm_store *store, skm_store_uid_fn on_uid, void *user)
{
	int r = skm_store_enter(store);
	if (r != 0)
		return r == SKM_STORE_FILE_UNFIT ? -EPERM : r;
	SKM_CLEANUP(skm_free) uint32_t *uids = NULL;
	size_t count = 0;
	r = skm_store_list(store->folder, ".person", &uids, &count);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = on_uid(user, uids[i]);
	return r;
}

/* ---- under another key ---- */

/* Into the disk's file, whole, wherever the newest was found. */
static int rewrite_state(struct skm_store *store, const struct skm_store_names *names, uint32_t uid,
	struct skm_person_state *state)
{
	struct skm_slot_owner owner = skm_store_owner_of(store, uid);
	state->revision++;
	int r = skm_slots_replace(store->ops, store->folder, names->state, &owner, state, true);
	return r == 0 ? skm_store_remove_fallback(store, names) : r;
}

static int enter_with_key(struct skm_store *store)
{
	if (!store->key)
		return SKM_STORE_WRONG_KEY;
	int r = skm_store_enter(store);
	return r == SKM_STORE_FILE_UNFIT ? -EPERM : r;
}

int skm_store_reseal(struct skm_store *store, uint32_t uid)
{
	struct skm_store_names names = skm_store_names_of(uid);
	int r = enter_with_key(store);
	if (r != 0)
		return r;
	SKM_CLEANUP(skm_person_clear) struct skm_person person = {0};
	struct skm_store_states states;
	r = skm_store_read_person(store, &names, uid, &person);
	if (r == 0)
		r = skm_store_read_states(store, &names, uid, &states);
	if (r != 0)
		return r;
	if (states.has_state)
		r = rewrite_state(store, &names, uid, &states.newest);
	if (r == 0)
		r = skm_store_write_escrow(store, &names, &person);
	return r == 0 ? skm_store_write_person(store, &names, &person) : r;
}

int skm_store_restore(
	struct skm_store *store, const struct skm_person *person, const struct skm_timestamp *now)
{
	struct skm_store_names names = skm_store_names_of(person->uid);
	int r = enter_with_key(store);
	if (r != 0)
		return r;
	SKM_CLEANUP(skm_person_clear) struct skm_person next = {0};
	r = skm_store_read_person(store, &names, person->uid, &next);
	if (r == 0)
		return SKM_STORE_KEPT;
	struct skm_store_states states;
	if (r > 0)
		r = skm_store_read_states(store, &names, person->uid, &states);
	if (r < 0)
		return r;
	next = *person;
	memcpy(next.machine, store->machine, sizeof(next.machine));
	if (states.has_state && states.newest.generation >= next.generation)
		next.generation = states.newest.generation + 1;
	if (!states.has_state) {
		skm_person_state_strictest(&next, now, store->boot_id, 0, &states.newest);
		/* Whoever restores stands beside it; there is nothing to be slowed down. */
		memset(states.newest.throttles, 0, sizeof(states.newest.throttles));
	}
	skm_person_state_follow(&next, &states.newest);
	/* The person first: at a cut the old state is there, which opens (and is behind) or does not. */
	r = skm_store_write_escrow(store, &names, &next);
	if (r == 0)
		r = skm_store_write_person(store, &names, &next);
	return r == 0 ? rewrite_state(store, &names, next.uid, &states.newest) : r;
}
