// SPDX-License-Identifier: Apache-2.0
/* Enrol, change, log in, remove: stopped at every system call, by kill -9, by an error, by a power cut.
 * Whatever is found afterwards: who was enrolled is enrolled, a code that was accepted is not accepted again,
 * and what was reported as stored is there. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store_disk.h"
#include "store_world.h"

#define UID 1000u
#define CALLS_MAX 200

static struct store_world world;
static struct skm_key key;
static uint8_t escrow_key[32], escrow_secret[32];

static void setup(void)
{
	cr_assert_eq(skm_seal_start(), 0);
	skm_key_generate(&key);
	skm_escrow_keypair(escrow_key, escrow_secret);
}

TestSuite(crash, .init = setup, .timeout = 240);

static struct skm_store *open_store(const struct skm_store_ops *ops, const char *folder)
{
	struct skm_store *store = NULL;
	struct skm_store_options options = {
		.folder = folder,
		.fallback_folder = world.fallback,
		.ops = ops,
		.key = &key,
		.machine = {1, 2, 3},
		.boot_id = {4, 5, 6},
		.free_tries = 5,
		.escrow_public_key = escrow_key,
	};
	if (skm_store_new(&options, &store) != 0)
		abort();
	return store;
}

static int load(
	struct skm_store *store, struct skm_person *person, struct skm_person_state *state, unsigned *notes)
{
	struct skm_timestamp now = store_now();
	return skm_store_load(store, UID, &now, person, state, notes);
}

/* ---- what is done ---- */

static int enrol(struct skm_store *store)
{
	struct skm_person person = store_person(UID);
	struct skm_person_state state = {0};
	return skm_store_save_person(store, &person, &state);
}

static int change(struct skm_store *store)
{
	struct skm_person person;
	struct skm_person_state state;
	unsigned notes = 0;
	int r = load(store, &person, &state, &notes);
	if (r != 0)
		return r < 0 ? r : -EUCLEAN;
	person.recovery_series++;
	return skm_store_save_person(store, &person, &state);
}

static int accept_step(struct skm_store *store, uint64_t step)
{
	struct skm_person person;
	struct skm_person_state state;
	unsigned notes = 0;
	int r = load(store, &person, &state, &notes);
	if (r != 0)
		return r < 0 ? r : -EUCLEAN;
	state.throttles[0].failures++;
	r = skm_store_save_state(store, UID, &state);
	if (r < 0)
		return r;
	state.throttles[0].failures--;
	state.tokens[0].last = step;
	return skm_store_save_state(store, UID, &state);
}

static int log_in(struct skm_store *store)
{
	return accept_step(store, 101);
}

static int removal(struct skm_store *store)
{
	return skm_store_remove(store, UID);
}

/* ---- what may be found; `result` is what the act said, or 1 when it was stopped ---- */

struct found {
	int loaded, result;
	unsigned notes;
	struct skm_person person;
	struct skm_person_state state;
};

static void judge_enrol(struct skm_store *store, const struct found *found, const char *where)
{
	bool is_there = found->loaded == 0;
	cr_assert(is_there || found->loaded == SKM_STORE_ABSENT, "%s: %d", where, found->loaded);
	cr_assert(is_there || found->result != 0, "%s: said to be stored", where);
	cr_assert(!is_there || (!(found->notes & SKM_STORE_NOTE_STATE_REBUILT) &&
				       found->state.tokens[1].last == 41 && found->state.recovery_used == 0),
		"%s: not usable, notes %u", where, found->notes);
	cr_assert(is_there || enrol(store) == 0, "%s: cannot be enrolled again", where);
}

static void judge_change(struct skm_store *store, const struct found *found, const char *where)
{
	cr_assert_eq(found->loaded, 0, "%s: %d", where, found->loaded);
	cr_assert_eq(found->state.tokens[0].last, 100, "%s: an accepted step is forgotten", where);
	cr_assert(found->notes == 0 || found->notes == SKM_STORE_NOTE_SLOT_LOST ||
			  found->notes == SKM_STORE_NOTE_FALLBACK,
		"%s: notes %u", where, found->notes);
	bool is_new = found->person.recovery_series == 4;
	cr_assert(is_new || found->result != 0, "%s: said to be stored", where);
	cr_assert_eq(found->person.generation, is_new ? 2u : 1u, "%s", where);
	cr_assert_eq(found->state.recovery_used, is_new ? 0u : 4u, "%s: used codes", where);
	cr_assert_eq(change(store), 0, "%s: cannot be changed again", where);
}

static void judge_log_in(struct skm_store *store, const struct found *found, const char *where)
{
	cr_assert_eq(found->loaded, 0, "%s: %d", where, found->loaded);
	cr_assert_eq(found->notes & SKM_STORE_NOTE_STATE_REBUILT, 0, "%s: both slots lost", where);
	uint64_t last = found->state.tokens[0].last;
	cr_assert(last == 101 || (last == 100 && found->result != 0), "%s: step %lu, %d", where,
		(unsigned long)last, found->result);
	cr_assert_eq(found->state.recovery_used, 4u, "%s", where);
	cr_assert_geq(accept_step(store, 102), 0, "%s: cannot log in again", where);
}

static void judge_removal(struct skm_store *store, const struct found *found, const char *where)
{
	bool is_gone = found->loaded == SKM_STORE_ABSENT;
	cr_assert(is_gone || (found->loaded == 0 && found->result != 0), "%s: %d", where, found->loaded);
	cr_assert(is_gone || (found->notes & SKM_STORE_NOTE_STATE_REBUILT) ||
			  found->state.tokens[0].last == 100,
		"%s: an accepted step is forgotten", where);
	struct skm_person person;
	struct skm_person_state state;
	unsigned notes = 0;
	cr_assert_eq(removal(store), 0, "%s: cannot be removed again", where);
	cr_assert_eq(load(store, &person, &state, &notes), SKM_STORE_ABSENT, "%s", where);
}

static const struct act {
	const char *name;
	bool is_enrolled; /* before */
	int (*run)(struct skm_store *store);
	void (*judge)(struct skm_store *store, const struct found *found, const char *where);
} acts[] = {
	{"enrol", false, enrol, judge_enrol},
	{"change", true, change, judge_change},
	{"log in", true, log_in, judge_log_in},
	{"remove", true, removal, judge_removal},
};

static void prepare(const struct act *act)
{
	store_world_make(&world);
	struct skm_store *store = open_store(&store_faulty_ops, world.folder);
	struct skm_person person;
	struct skm_person_state state;
	unsigned notes = 0;
	if (act->is_enrolled) {
		cr_assert_eq(enrol(store), 0);
		cr_assert_eq(accept_step(store, 100), 0);
		cr_assert_eq(load(store, &person, &state, &notes), 0);
		state.recovery_used = 4;
		cr_assert_eq(skm_store_save_state(store, UID, &state), 0);
	}
	skm_store_free(store);
}

static void judge(const struct act *act, const char *folder, int result, const char *where)
{
	struct skm_store *store = open_store(&store_faulty_ops, folder);
	struct found found = {.result = result};
	found.loaded = load(store, &found.person, &found.state, &found.notes);
	act->judge(store, &found, where);
	skm_store_free(store);
}

/* ---- kill -9 ---- */

/* True when the act ended by itself. */
static bool run_and_kill(const struct act *act, unsigned at, int *ret_result)
{
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		store_faults =
			(struct store_faults){.fault = STORE_FAULT_KILL, .kinds = STORE_CALLS_ALL, .at = at};
		struct skm_store *store = open_store(&store_faulty_ops, world.folder);
		_exit(act->run(store) == 0 ? 0 : 1);
	}
	int status = 0;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	cr_assert(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == STORE_KILLED);
	*ret_result = WEXITSTATUS(status) == 0 ? 0 : 1;
	return WEXITSTATUS(status) == 0;
}

Test(crash, killed_at_every_call)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(acts); i++) {
		bool is_done = false;
		unsigned at = 0;
		while (!is_done && at < CALLS_MAX) {
			char where[64];
			int result = 1;
			prepare(&acts[i]);
			is_done = run_and_kill(&acts[i], ++at, &result);
			(void)snprintf(where, sizeof(where), "%s, killed at %u", acts[i].name, at);
			judge(&acts[i], world.folder, result, where);
			store_world_remove(&world);
		}
		cr_assert(is_done && at > 8, "%s: %u calls", acts[i].name, at);
	}
}

/* ---- errors ---- */

static void run_with_faults(const struct act *act, const struct store_faults *faults, const char *kind)
{
	for (unsigned at = 1; at < CALLS_MAX; at++) {
		char where[96];
		prepare(act);
		struct skm_store *store = open_store(&store_faulty_ops, world.folder);
		store_faults = *faults;
		store_faults.at = at;
		int result = act->run(store);
		unsigned hits = store_faults.hits;
		store_faults = (struct store_faults){0};
		skm_store_free(store);
		(void)snprintf(where, sizeof(where), "%s, %s at %u: %d", act->name, kind, at, result);
		judge(act, world.folder, result > 0 ? 0 : result, where);
		store_world_remove(&world);
		if (hits == 0)
			return;
	}
	cr_assert_fail("%s: no end", act->name);
}

Test(crash, an_error_at_every_call)
{
	static const struct {
		const char *name;
		struct store_faults faults;
	} kinds[] = {
		{"EIO", {.fault = STORE_FAULT_ERROR, .error = EIO, .kinds = STORE_CALLS_WRITING}},
		{"ENOSPC", {.fault = STORE_FAULT_ERROR, .error = ENOSPC, .kinds = STORE_CALLS_WRITING}},
		{"EROFS", {.fault = STORE_FAULT_ERROR,
				  .error = EROFS,
				  .kinds = STORE_CALLS_WRITING | STORE_OPENAT}},
		{"EIO for good", {.fault = STORE_FAULT_ERROR,
					 .error = EIO,
					 .kinds = STORE_CALLS_WRITING,
					 .is_for_good = true}},
		{"a short write", {.fault = STORE_FAULT_HALF, .kinds = STORE_PWRITE}},
		{"a short read", {.fault = STORE_FAULT_HALF, .kinds = STORE_PREAD}},
		{"EINTR", {.fault = STORE_FAULT_ERROR, .error = EINTR, .kinds = STORE_PWRITE | STORE_PREAD}},
		{"EMFILE", {.fault = STORE_FAULT_ERROR, .error = EMFILE, .kinds = STORE_OPENAT}},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(acts); i++)
		for (size_t j = 0; j < SKM_ARRAY_SIZE(kinds); j++)
			run_with_faults(&acts[i], &kinds[j].faults, kinds[j].name);
}

/* ---- power cut ---- */

static void judge_each_disk(const struct act *act, int result, unsigned at)
{
	for (unsigned names = 0; names < STORE_NAMES_COUNT; names++)
		for (unsigned data = 0; data < STORE_DATA_COUNT; data++) {
			char where[96], folder[STORE_PATH_BYTES];
			(void)snprintf(where, sizeof(where), "%s, cut at %u, names %u, data %u", act->name,
				at, names, data);
			(void)snprintf(folder, sizeof(folder), "%s/after%u%u", world.root, names, data);
			cr_assert_eq(mkdir(folder, 0700), 0);
			store_disk_after(folder, (enum store_disk_names)names, (enum store_disk_data)data);
			/* /run does not outlive it */
			char state[STORE_PATH_BYTES + 32];
			(void)snprintf(state, sizeof(state), "%s/%u.state", world.fallback, UID);
			(void)unlink(state);
			judge(act, folder, result, where);
		}
}

Test(crash, power_is_cut_at_every_call)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(acts); i++) {
		bool was_cut = true;
		unsigned at = 0;
		while (was_cut && at < CALLS_MAX) {
			prepare(&acts[i]);
			store_disk_begin(world.folder, ++at);
			struct skm_store *store = open_store(&store_disk_ops, world.folder);
			int result = acts[i].run(store);
			was_cut = store_disk_was_cut();
			skm_store_free(store);
			judge_each_disk(&acts[i], result, at);
			store_disk_end();
			store_world_remove(&world);
		}
		cr_assert(!was_cut && at > 8, "%s: %u calls", acts[i].name, at);
	}
}
