// SPDX-License-Identifier: Apache-2.0
/* What the store finds, for everything that can lie under a person's names, and what it does when the disk
 * fails. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "store_world.h"

#define UID 1000u

static struct store_world world;
static struct skm_key key, other_key;
static struct skm_store_options options;
static struct skm_store *store;

static void reopen(void)
{
	store = skm_store_free(store);
	cr_assert_eq(skm_store_new(&options, &store), 0);
}

static void setup(void)
{
	cr_assert_eq(skm_seal_start(), 0);
	store_world_make(&world);
	skm_key_generate(&key);
	skm_key_generate(&other_key);
	options = (struct skm_store_options){
		.folder = world.folder,
		.fallback_folder = world.fallback,
		.ops = &store_faulty_ops,
		.key = &key,
		.machine = {1, 2, 3},
		.boot_id = {4, 5, 6},
		.free_tries = 5,
	};
	reopen();
}

static void teardown(void)
{
	store = skm_store_free(store);
	store_world_remove(&world);
}

TestSuite(store, .init = setup, .fini = teardown);

static int load_as(uint32_t uid, struct skm_person *person, struct skm_person_state *state, unsigned *notes)
{
	struct skm_timestamp now = store_now();
	return skm_store_load(store, uid, &now, person, state, notes);
}

static int result_of(uint32_t uid)
{
	struct skm_person person = {.uid = 4711};
	struct skm_person_state state = {.revision = 4711};
	unsigned notes = 4711;
	int r = load_as(uid, &person, &state, &notes);
	cr_assert_neq(notes, 4711u, "the notes are always set");
	cr_assert(r == 0 || (person.uid == 4711 && state.revision == 4711), "touched on failure");
	return r;
}

static struct skm_person enrol(uint32_t uid)
{
	struct skm_person person = store_person(uid);
	struct skm_person_state state = {0};
	cr_assert_eq(skm_store_save_person(store, &person, &state), 0);
	cr_assert_eq(person.generation, 1);
	cr_assert_eq(state.generation, 1);
	return person;
}

/* One accepted code: two saves. Returns the state that is stored. */
static struct skm_person_state log_in(uint32_t uid, uint64_t step, unsigned expected_notes)
{
	struct skm_person person;
	struct skm_person_state state;
	unsigned notes = 0;
	cr_assert_eq(load_as(uid, &person, &state, &notes), 0);
	cr_assert_eq(notes, expected_notes, "notes %u", notes);
	state.throttles[0].failures++;
	cr_assert_geq(skm_store_save_state(store, uid, &state), 0);
	state.throttles[0].failures = 0;
	state.tokens[0].last = step;
	cr_assert_geq(skm_store_save_state(store, uid, &state), 0);
	return state;
}

static uint64_t last_step(uint32_t uid, unsigned expected_notes)
{
	struct skm_person person;
	struct skm_person_state state;
	unsigned notes = 0;
	cr_assert_eq(load_as(uid, &person, &state, &notes), 0);
	cr_assert_eq(notes, expected_notes, "notes %u", notes);
	cr_assert_eq(person.token_count, 3);
	return state.tokens[0].last;
}

static void path_of(const char *name, char ret_path[256])
{
	(void)snprintf(ret_path, 256, "%s/%s", world.folder, name);
}

/* ---- what it is for ---- */

Test(store, somebody_is_enrolled_logs_in_and_goes)
{
	cr_assert_eq(result_of(UID), SKM_STORE_ABSENT);
	struct skm_person person = enrol(UID), back;
	struct skm_person_state state;
	unsigned notes = 0;
	reopen();
	cr_assert_eq(load_as(UID, &back, &state, &notes), 0);
	cr_assert_eq(memcmp(back.tokens, person.tokens, sizeof(back.tokens)), 0);
	cr_assert_eq(memcmp(back.machine, options.machine, sizeof(back.machine)), 0);
	cr_assert_eq(state.tokens[1].last, 41);
	cr_assert_eq(notes, 0);
	for (uint64_t step = 100; step < 105; step++) {
		struct skm_person_state stored = log_in(UID, step, 0);
		reopen();
		cr_assert_eq(load_as(UID, &back, &state, &notes), 0);
		cr_assert_eq(state.revision, stored.revision);
		cr_assert_eq(state.tokens[0].last, step);
	}
	cr_assert_eq(skm_store_remove(store, UID), 0);
	cr_assert_eq(result_of(UID), SKM_STORE_ABSENT);
	cr_assert_eq(store_file_size(world.folder, "1000.state"), -1);
	cr_assert_eq(skm_store_remove(store, UID), 0, "also when there is nothing");
}

Test(store, a_change_raises_the_generation_and_keeps_the_state)
{
	enrol(UID);
	log_in(UID, 100, 0);
	struct skm_person person;
	struct skm_person_state state;
	unsigned notes = 0;
	cr_assert_eq(load_as(UID, &person, &state, &notes), 0);
	person.recovery_series++;
	cr_assert_eq(skm_store_save_person(store, &person, &state), 0);
	cr_assert_eq(person.generation, 2);
	cr_assert_eq(state.recovery_series, 4);
	cr_assert_eq(last_step(UID, 0), 100);
	person.generation = 0;
	cr_assert_eq(
		skm_store_save_person(store, &person, &state), -EEXIST, "nobody is enrolled over somebody");
	cr_assert_eq(last_step(UID, 0), 100);
}

Test(store, a_login_is_few_calls_and_needs_no_space)
{
	enrol(UID);
	long size = store_file_size(world.folder, "1000.state");
	struct skm_person person;
	struct skm_person_state state;
	unsigned notes = 0;
	store_faults = (struct store_faults){0};
	cr_assert_eq(load_as(UID, &person, &state, &notes), 0);
	cr_assert_eq(store_faults.reads, 3, "two slots and a person, %u", store_faults.reads);
	cr_assert_eq(store_faults.syncs, 0);
	cr_assert_eq(skm_store_save_state(store, UID, &state), 0);
	cr_assert_eq(skm_store_save_state(store, UID, &state), 0);
	cr_assert_eq(store_faults.writes, 2);
	cr_assert_eq(store_faults.syncs, 2);
	cr_assert_eq(store_faults.reads, 3);
	cr_assert_eq(size, 8192);
	cr_assert_eq(store_file_size(world.folder, "1000.state"), size);
	struct stat st;
	char path[256];
	path_of("1000.state", path);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_geq(st.st_blocks * 512, size, "no holes");
	cr_assert_eq(st.st_mode & 07777, 0600);
}

Test(store, the_older_slot_is_written)
{
	enrol(UID);
	unsigned char before[8192], after[8192];
	unsigned last = 2;
	for (unsigned i = 0; i < 6; i++) {
		struct skm_person person;
		struct skm_person_state state;
		unsigned notes = 0;
		store_file_get(world.folder, "1000.state", before, sizeof(before));
		cr_assert_eq(load_as(UID, &person, &state, &notes), 0);
		cr_assert_eq(skm_store_save_state(store, UID, &state), 0);
		store_file_get(world.folder, "1000.state", after, sizeof(after));
		bool is_first = memcmp(before, after, 4096) != 0;
		bool is_second = memcmp(before + 4096, after + 4096, 4096) != 0;
		cr_assert_neq(is_first, is_second, "one of them");
		cr_assert_neq(last, (unsigned)is_second, "in turn");
		last = is_second;
	}
}

static int add(void *user, uint32_t uid)
{
	*(uint64_t *)user += uid + UINT64_C(1000000000000);
	return 0;
}

static int stop(void *user, uint32_t uid)
{
	(void)user;
	(void)uid;
	return 42;
}

Test(store, each_names_persons_and_nothing_else)
{
	enrol(0);
	enrol(4294967294u);
	struct skm_timestamp now = store_now();
	struct skm_person person;
	struct skm_person_state state;
	skm_store_load_decoy(store, &now, &person, &state);
	static const char *const others[] = {"01.person", "5.person.new", "5.state", "x.person", ".person",
		"4294967296.person", "-1.person"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(others); i++)
		store_file_put(world.folder, others[i], "", 0);
	uint64_t sum = 0;
	cr_assert_eq(skm_store_each(store, add, &sum), 0);
	cr_assert_eq(sum, UINT64_C(4294967294) + 2 * 1000000000000);
	cr_assert_eq(skm_store_each(store, stop, NULL), 42);
}

/* ---- everything that can be wrong with the person ---- */

Test(store, each_way_of_being_wrong_has_its_own_result)
{
	enrol(UID);
	enrol(1001);
	store_file_copy(world.folder, "1000.person", "1002.person");
	cr_assert_eq(result_of(1002), SKM_STORE_MISMATCH, "renamed");
	store_file_copy(world.folder, "1000.state", "1001.person");
	cr_assert_eq(result_of(1001), SKM_STORE_DAMAGED, "a state is no person");

	options.machine[0] = 9;
	reopen();
	cr_assert_eq(result_of(UID), SKM_STORE_OTHER_MACHINE);
	options.machine[0] = 1;
	options.key = &other_key;
	reopen();
	cr_assert_eq(result_of(UID), SKM_STORE_WRONG_KEY);
	cr_assert_eq(result_of(1003), SKM_STORE_ABSENT, "who has nothing is not locked out");
	options.previous_key = &key;
	reopen();
	cr_assert_eq(result_of(UID), 0, "the key before");
	options.key = NULL;
	options.previous_key = NULL;
	reopen();
	cr_assert_eq(result_of(UID), SKM_STORE_WRONG_KEY, "no key");
	cr_assert_eq(result_of(1003), SKM_STORE_ABSENT);
	struct skm_person person = store_person(1004);
	struct skm_person_state state = {0};
	cr_assert_eq(skm_store_save_person(store, &person, &state), SKM_STORE_WRONG_KEY);
	cr_assert_eq(skm_store_save_state(store, UID, &state), -ENOKEY);
	options.key = &key;
	reopen();
	cr_assert_eq(result_of(UID), 0, "and all is as before");
}

Test(store, an_older_person_is_seen)
{
	struct skm_person person = enrol(UID);
	struct skm_person_state state = log_in(UID, 100, 0);
	store_file_copy(world.folder, "1000.person", "older");
	cr_assert_eq(skm_store_save_person(store, &person, &state), 0);
	store_file_copy(world.folder, "older", "1000.person");
	cr_assert_eq(result_of(UID), SKM_STORE_ROLLED_BACK);
}

Test(store, a_deleted_person_is_not_somebody_who_never_was)
{
	enrol(UID);
	char path[256];
	path_of("1000.person", path);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(result_of(UID), SKM_STORE_DAMAGED);
	options.key = &other_key;
	reopen();
	cr_assert_eq(result_of(UID), SKM_STORE_WRONG_KEY);
	options.key = &key;
	reopen();
	store_file_put(world.folder, "1000.state", "", 0);
	cr_assert_eq(result_of(UID), SKM_STORE_DAMAGED, "not by emptying the state either");
	cr_assert_eq(skm_store_remove(store, UID), 0);
	cr_assert_eq(result_of(UID), SKM_STORE_ABSENT);
}

Test(store, every_flipped_byte_of_a_person_is_seen)
{
	enrol(UID);
	long size = store_file_size(world.folder, "1000.person");
	for (long i = 0; i < size; i++) {
		store_file_flip(world.folder, "1000.person", i, 0x10);
		int r = result_of(UID);
		cr_assert_eq(
			r, i >= 5 && i < 13 ? SKM_STORE_WRONG_KEY : SKM_STORE_DAMAGED, "byte %ld: %d", i, r);
		store_file_flip(world.folder, "1000.person", i, 0x10);
	}
	cr_assert_eq(result_of(UID), 0);
}

Test(store, every_length_but_the_right_one_is_damaged)
{
	enrol(UID);
	unsigned char box[4096] = {0};
	size_t size = store_file_get(world.folder, "1000.person", box, sizeof(box));
	for (size_t len = 0; len < size + 2; len += len + 40 < size ? 37 : 1) {
		store_file_put(world.folder, "1000.person", box, len);
		cr_assert_eq(result_of(UID), len == size ? 0 : SKM_STORE_DAMAGED, "%zu bytes", len);
	}
	memset(box, 0, sizeof(box));
	store_file_put(world.folder, "1000.person", box, size);
	cr_assert_eq(result_of(UID), SKM_STORE_DAMAGED, "zeroed");
}

/* What else can have a file's name. */
enum odd { ODD_LINK, ODD_DANGLING, ODD_FIFO, ODD_FOLDER, ODD_GROUP_WRITES, ODD_OTHERS_WRITE, ODD_COUNT };

static void make_odd(const char *name, enum odd odd)
{
	char path[256], aside[300];
	path_of(name, path);
	(void)snprintf(aside, sizeof(aside), "%s.aside", path);
	if (odd == ODD_GROUP_WRITES || odd == ODD_OTHERS_WRITE) {
		cr_assert_eq(chmod(path, odd == ODD_GROUP_WRITES ? 0620 : 0602), 0);
		return;
	}
	cr_assert_eq(rename(path, aside), 0);
	if (odd == ODD_LINK || odd == ODD_DANGLING)
		cr_assert_eq(symlink(odd == ODD_LINK ? aside : "/nowhere", path), 0);
	else if (odd == ODD_FIFO)
		cr_assert_eq(mkfifo(path, 0600), 0);
	else
		cr_assert_eq(mkdir(path, 0700), 0);
}

Test(store, a_person_that_is_no_file_of_ours_is_damaged)
{
	for (uint32_t i = 0; i < ODD_COUNT; i++) {
		char name[32];
		enrol(2000 + i);
		(void)snprintf(name, sizeof(name), "%u.person", 2000 + i);
		make_odd(name, (enum odd)i);
		cr_expect_eq(result_of(2000 + i), SKM_STORE_DAMAGED, "%u", i);
	}
}

Test(store, a_state_that_is_no_file_of_ours_is_replaced)
{
	for (uint32_t i = 0; i < ODD_COUNT; i++) {
		char name[32];
		uint32_t uid = 2000 + i;
		enrol(uid);
		log_in(uid, 100, 0);
		(void)snprintf(name, sizeof(name), "%u.state", uid);
		make_odd(name, (enum odd)i);
		uint64_t strictest = last_step(uid, SKM_STORE_NOTE_STATE_REBUILT);
		cr_assert_gt(strictest, 59000000, "%u", i);
		unsigned notes = i == ODD_FOLDER ? SKM_STORE_NOTE_FALLBACK | SKM_STORE_NOTE_SLOT_LOST : 0;
		log_in(uid, strictest + 1, notes);
		cr_assert_eq(last_step(uid, notes), strictest + 1, "%u", i);
	}
}

Test(store, a_folder_that_others_may_write_holds_nobody)
{
	enrol(UID);
	cr_assert_eq(chmod(world.folder, 0722), 0);
	cr_assert_eq(result_of(UID), SKM_STORE_DAMAGED);
	reopen();
	cr_assert_eq(result_of(UID), SKM_STORE_DAMAGED);
	cr_assert_eq(skm_store_remove(store, UID), -EPERM);
	struct skm_person person = store_person(1001);
	struct skm_person_state state = {0};
	cr_assert_eq(skm_store_save_person(store, &person, &state), -EPERM);
	cr_assert_eq(chmod(world.folder, 0700), 0);
	cr_assert_eq(result_of(UID), 0);
	options.folder = "/nonexistent/mfa";
	reopen();
	cr_assert_eq(result_of(UID), -ENOENT, "no folder is not \"nobody is enrolled\"");
}

Test(store, one_process_at_a_time)
{
	enrol(UID);
	struct skm_store *first = store;
	store = NULL;
	cr_assert_eq(skm_store_new(&options, &store), 0);
	cr_assert_eq(result_of(UID), -EBUSY);
	struct skm_person_state state = {0};
	cr_assert_eq(skm_store_save_state(store, UID, &state), -EBUSY);
	cr_assert_eq(store_file_size(world.fallback, "1000.state"), -1, "not by way of the fallback");
	skm_store_free(first);
	cr_assert_eq(result_of(UID), 0);
}

/* ---- states ---- */

Test(store, one_lost_slot_costs_nothing_else)
{
	enrol(UID);
	for (unsigned round = 0; round < 8; round++) {
		log_in(UID, 100 + round, 0);
		/* the slot that a torn write would have hit: that of the next revision */
		unsigned char zeros[700] = {0}, file[8192];
		store_file_get(world.folder, "1000.state", file, sizeof(file));
		struct skm_person person;
		struct skm_person_state state;
		unsigned notes = 0;
		cr_assert_eq(load_as(UID, &person, &state, &notes), 0);
		long slot = (long)((state.revision + 1) % 2) * 4096;
		if (round < 4)
			store_file_flip(world.folder, "1000.state", slot + 150 * (long)round, 1);
		else {
			memcpy(file + slot, zeros, sizeof(zeros));
			store_file_put(world.folder, "1000.state", file, sizeof(file));
		}
		cr_assert_eq(last_step(UID, SKM_STORE_NOTE_SLOT_LOST), 100 + round);
		cr_assert_eq(skm_store_save_state(store, UID, &state), 0);
		cr_assert_eq(last_step(UID, 0), 100 + round, "healed by the next write");
	}
}

Test(store, every_flipped_byte_of_a_slot_is_seen)
{
	enrol(UID);
	struct skm_person_state state = log_in(UID, 100, 0);
	long newest = (long)(state.revision % 2) * 4096;
	for (long i = 0; i < 586; i++) {
		store_file_flip(world.folder, "1000.state", newest + i, 0x01);
		cr_assert_neq(last_step(UID, SKM_STORE_NOTE_SLOT_LOST), 100, "byte %ld", i);
		store_file_flip(world.folder, "1000.state", newest + i, 0x01);
	}
	cr_assert_eq(last_step(UID, 0), 100);
}

Test(store, without_a_state_the_strictest_one_counts)
{
	static const char *const ways[] = {"gone", "cut", "zeroed", "somebody else's", "slots exchanged"};
	for (uint32_t i = 0; i < SKM_ARRAY_SIZE(ways); i++) {
		char name[32], path[256];
		unsigned char file[8192] = {0}, exchanged[8192];
		uint32_t uid = 3000 + i;
		enrol(uid);
		log_in(uid, 100, 0);
		(void)snprintf(name, sizeof(name), "%u.state", uid);
		path_of(name, path);
		if (i == 0)
			cr_assert_eq(unlink(path), 0);
		else if (i == 1)
			cr_assert_eq(truncate(path, 100), 0);
		else if (i == 2)
			store_file_put(world.folder, name, file, sizeof(file));
		else if (i == 3)
			store_file_copy(world.folder, "3000.state", name);
		else {
			store_file_get(world.folder, name, file, sizeof(file));
			memcpy(exchanged, file + 4096, 4096);
			memcpy(exchanged + 4096, file, 4096);
			store_file_put(world.folder, name, exchanged, sizeof(exchanged));
		}
		struct skm_person person;
		struct skm_person_state state;
		unsigned notes = 0;
		cr_assert_eq(load_as(uid, &person, &state, &notes), 0, "%s", ways[i]);
		cr_assert_eq(notes, SKM_STORE_NOTE_STATE_REBUILT, "%s", ways[i]);
		cr_assert_eq(state.recovery_used, 0x3ff, "%s", ways[i]);
		cr_assert_eq(state.throttles[0].failures, 5, "%s", ways[i]);
		cr_assert_eq(state.tokens[1].last, UINT64_MAX, "%s", ways[i]);
		/* it is kept: its waits end some day */
		struct skm_timestamp later = store_now();
		later.realtime_usec += INT64_C(900000000);
		struct skm_person_state kept;
		cr_assert_eq(skm_store_load(store, uid, &later, &person, &kept, &notes), 0, "%s", ways[i]);
		cr_assert_eq(notes & SKM_STORE_NOTE_STATE_REBUILT, 0, "%s", ways[i]);
		cr_assert_eq(kept.throttles[0].realtime_sec, state.throttles[0].realtime_sec, "%s", ways[i]);
		cr_assert_eq(kept.tokens[0].last, state.tokens[0].last, "%s", ways[i]);
		cr_assert_eq(skm_store_save_state(store, uid, &kept), 0);
		cr_assert_eq(last_step(uid, 0), state.tokens[0].last, "%s", ways[i]);
		if (i == 0)
			log_in(uid, 100, 0);
	}
}

/* ---- the fallback ---- */

/* A disk that reads and does not write; /run is all right. */
static void break_disk(int error)
{
	store_faults = (struct store_faults){.fault = STORE_FAULT_ERROR,
		.error = error,
		.kinds = STORE_CALLS_WRITING | (error == EROFS ? STORE_OPENAT : 0),
		.at = 1,
		.is_for_good = true,
		.spared = world.fallback};
}

Test(store, a_disk_that_does_not_write_does_not_stop_a_login)
{
	static const int errors[] = {EROFS, EIO, ENOSPC};
	enrol(UID);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(errors); i++) {
		uint64_t step = 100 * (i + 1);
		log_in(UID, step, 0);
		break_disk(errors[i]);
		struct skm_person person;
		struct skm_person_state state;
		unsigned notes = 0;
		cr_assert_eq(load_as(UID, &person, &state, &notes), 0);
		state.tokens[0].last = step + 1;
		cr_assert_eq(skm_store_save_state(store, UID, &state), SKM_STORE_FELL_BACK);
		state.tokens[0].last = step + 2;
		cr_assert_eq(skm_store_save_state(store, UID, &state), SKM_STORE_FELL_BACK);
		reopen();
		cr_assert_eq(last_step(UID, SKM_STORE_NOTE_FALLBACK), step + 2);
		log_in(UID, step + 3, SKM_STORE_NOTE_FALLBACK);
		struct stat st;
		cr_assert_eq(stat(world.fallback, &st), 0);
		cr_assert_eq(st.st_mode & 07777, 0700);

		store_faults = (struct store_faults){0};
		cr_assert_eq(last_step(UID, SKM_STORE_NOTE_FALLBACK), step + 3);
		log_in(UID, step + 4, SKM_STORE_NOTE_FALLBACK);
		cr_assert_eq(store_file_size(world.fallback, "1000.state"), -1, "back on the disk");
		cr_assert_eq(last_step(UID, 0), step + 4);
	}
}

Test(store, a_failed_sync_is_tried_again_in_the_same_slot)
{
	enrol(UID);
	log_in(UID, 100, 0);
	unsigned char good[8192], after[8192];
	store_file_get(world.folder, "1000.state", good, sizeof(good));
	struct skm_person person;
	struct skm_person_state state;
	unsigned notes = 0;
	cr_assert_eq(load_as(UID, &person, &state, &notes), 0);
	long durable = (long)(state.revision % 2) * 4096;
	for (unsigned i = 0; i < 3; i++) {
		store_faults = (struct store_faults){
			.fault = STORE_FAULT_ERROR, .error = EIO, .kinds = STORE_FDATASYNC, .at = 1};
		state.tokens[0].last++;
		cr_assert_eq(skm_store_save_state(store, UID, &state), SKM_STORE_FELL_BACK);
		store_faults = (struct store_faults){0};
		reopen();
		/* what lies in the page cache must not be taken for what is on the disk */
		cr_assert_eq(load_as(UID, &person, &state, &notes), 0);
		cr_assert_eq(notes, SKM_STORE_NOTE_FALLBACK);
		store_file_get(world.folder, "1000.state", after, sizeof(after));
		cr_assert_eq(memcmp(good + durable, after + durable, 4096), 0, "the last good slot stays");
	}
	cr_assert_eq(skm_store_save_state(store, UID, &state), 0);
	store_file_get(world.folder, "1000.state", after, sizeof(after));
	cr_assert_eq(memcmp(good + durable, after + durable, 4096), 0);
}

Test(store, with_nowhere_to_write_nothing_is_stored)
{
	enrol(UID);
	log_in(UID, 100, 0);
	break_disk(EROFS);
	store_faults.spared = NULL;
	struct skm_person person;
	struct skm_person_state state;
	unsigned notes = 0;
	cr_assert_eq(load_as(UID, &person, &state, &notes), 0, "reading works");
	uint64_t revision = state.revision;
	cr_assert_eq(skm_store_save_state(store, UID, &state), -EROFS);
	cr_assert_eq(state.revision, revision, "untouched");
	cr_assert_eq(skm_store_remove(store, UID), -EROFS);
	person.recovery_series++;
	cr_assert_eq(skm_store_save_person(store, &person, &state), -EROFS);
	cr_assert_eq(person.generation, 1);
	store_faults = (struct store_faults){0};
	cr_assert_eq(last_step(UID, 0), 100);
}

Test(store, an_unfit_fallback_decides_nothing)
{
	enrol(UID);
	log_in(UID, 100, 0);
	break_disk(EIO);
	log_in(UID, 200, 0);
	store_faults = (struct store_faults){0};
	cr_assert_eq(chmod(world.fallback, 0777), 0);
	cr_assert_eq(last_step(UID, 0), 100);
	break_disk(EIO);
	struct skm_person_state state = {.revision = 1000};
	cr_assert_eq(skm_store_save_state(store, UID, &state), -EIO);
}

Test(store, what_an_earlier_enrolment_left_on_run_is_forgotten)
{
	enrol(UID);
	break_disk(EIO);
	log_in(UID, 900, 0);
	store_faults = (struct store_faults){0};
	store_file_copy(world.fallback, "1000.state", "left");
	cr_assert_eq(skm_store_remove(store, UID), 0);
	cr_assert_eq(store_file_size(world.fallback, "1000.state"), -1);
	store_file_copy(world.fallback, "left", "1000.state");
	cr_assert_eq(result_of(UID), SKM_STORE_DAMAGED, "a state without its person, there too");
	enrol(UID);
	cr_assert_eq(last_step(UID, 0), 0);
}

/* ---- escrow and decoy ---- */

Test(store, the_escrow_goes_before_the_person)
{
	uint8_t public_key[32], secret[32], box[4096], text[4096];
	skm_escrow_keypair(public_key, secret);
	options.escrow_public_key = public_key;
	reopen();
	enrol(UID);
	size_t len = store_file_get(world.folder, "1000.escrow", box, sizeof(box));
	cr_assert_eq(len, SKM_PERSON_ENCODED_BYTES + SKM_ESCROW_OVERHEAD);
	cr_assert_eq(skm_escrow_open(public_key, secret, box, len, text), 0);
	struct skm_person person, expected = store_person(UID);
	cr_assert_eq(skm_person_decode(text, &person), 0);
	cr_assert_eq(memcmp(person.tokens, expected.tokens, sizeof(person.tokens)), 0);
	cr_assert_eq(person.generation, 1);
	cr_assert_eq(skm_store_remove(store, UID), 0);
	cr_assert_eq(store_file_size(world.folder, "1000.escrow"), -1, "nobody comes back who was removed");
}

Test(store, the_decoy_does_the_same_work)
{
	struct skm_timestamp now = store_now();
	struct skm_person person;
	struct skm_person_state state;
	unsigned notes = 0;
	enrol(UID);
	skm_store_load_decoy(store, &now, &person, &state);
	cr_assert_neq(store_file_size(world.folder, "decoy.state"), -1);
	cr_assert_eq(
		store_file_size(world.folder, "decoy.person"), store_file_size(world.folder, "1000.person"));

	store_faults = (struct store_faults){.kinds = STORE_CALLS_ALL};
	cr_assert_eq(load_as(UID, &person, &state, &notes), 0);
	cr_assert_eq(skm_store_save_state(store, UID, &state), 0);
	cr_assert_eq(skm_store_save_state(store, UID, &state), 0);
	struct store_faults real = store_faults;
	store_faults = (struct store_faults){.kinds = STORE_CALLS_ALL};
	skm_store_load_decoy(store, &now, &person, &state);
	cr_assert_eq(person.token_count, 0);
	cr_assert_eq(person.recovery_series, 0);
	state.throttles[0].failures = 7;
	skm_store_save_decoy(store, &state);
	skm_store_save_decoy(store, &state);
	cr_assert_eq(memcmp(&real, &store_faults, sizeof(real)), 0, "%u calls, %u for the decoy", real.calls,
		store_faults.calls);
	skm_store_load_decoy(store, &now, &person, &state);
	cr_assert_eq(state.throttles[0].failures, 0, "strangers do not lock each other out");
}

Test(store, a_decoy_that_cannot_be_is_not_missed)
{
	struct skm_timestamp now = store_now();
	struct skm_person person = {.token_count = 3};
	struct skm_person_state state = {.revision = 7};
	break_disk(EROFS);
	store_faults.spared = NULL;
	skm_store_load_decoy(store, &now, &person, &state);
	cr_assert_eq(person.token_count, 0);
	skm_store_save_decoy(store, &state);
	store_faults = (struct store_faults){0};
	skm_store_load_decoy(store, &now, &person, &state);
	skm_store_save_decoy(store, &state);
	/* under another key, and damaged: made anew */
	options.key = &other_key;
	reopen();
	skm_store_load_decoy(store, &now, &person, &state);
	store_file_put(world.folder, "decoy.person", "x", 1);
	skm_store_load_decoy(store, &now, &person, &state);
	cr_assert_eq(
		store_file_size(world.folder, "decoy.person"), SKM_PERSON_ENCODED_BYTES + SKM_SEAL_OVERHEAD);
	options.key = NULL;
	reopen();
	skm_store_load_decoy(store, &now, &person, &state);
	skm_store_save_decoy(store, &state);
}
