// SPDX-License-Identifier: Apache-2.0
/* Another key, cut at every system call; and everybody back from the escrow, on another machine. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "rekey.h"
#include "store_world.h"

#define PERSONS 3
#define CALLS_MAX 400

static struct store_world world;

static void setup(void)
{
	cr_assert_eq(skm_seal_start(), 0);
}

TestSuite(rekey, .init = setup, .timeout = 240);

/* As authd does at its start: both keys, then the store. */
struct authd {
	struct skm_key key, previous;
	struct skm_store *store;
};

static void start(struct authd *authd, const char *credentials)
{
	struct skm_store_options options = {
		.folder = world.folder,
		.fallback_folder = world.fallback,
		.ops = &store_faulty_ops,
		.machine = {1, 2, 3},
		.free_tries = 5,
	};
	memset(authd, 0, sizeof(*authd));
	int r = skm_key_load(credentials, world.key, &authd->key);
	cr_assert_eq(r, 0, "no key: %d", r);
	options.key = &authd->key;
	r = skm_key_load_previous(credentials, world.key, &authd->previous);
	cr_assert(r == 0 || r == SKM_KEY_ABSENT, "previous key: %d", r);
	options.previous_key = r == 0 ? &authd->previous : NULL;
	cr_assert_eq(skm_store_new(&options, &authd->store), 0);
}

static int load(struct authd *authd, uint32_t uid, struct skm_person *person, struct skm_person_state *state)
{
	struct skm_timestamp now = store_now();
	unsigned notes = 0;
	int r = skm_store_load(authd->store, uid, &now, person, state, &notes);
	return r == 0 && notes != 0 ? 100 + (int)notes : r;
}

static void prepare(void)
{
	store_world_make(&world);
	cr_assert_eq(skm_key_create(world.key), 0);
	struct authd authd;
	start(&authd, NULL);
	for (uint32_t uid = 1; uid <= PERSONS; uid++) {
		struct skm_person person = store_person(uid);
		struct skm_person_state state = {0};
		cr_assert_eq(skm_store_save_person(authd.store, &person, &state), 0);
		state.tokens[0].last = 100 * uid;
		cr_assert_eq(skm_store_save_state(authd.store, uid, &state), 0);
	}
	skm_store_free(authd.store);
}

static void expect_all(const char *where)
{
	struct authd authd;
	start(&authd, NULL);
	for (uint32_t uid = 1; uid <= PERSONS; uid++) {
		struct skm_person person, expected = store_person(uid);
		struct skm_person_state state;
		int r = load(&authd, uid, &person, &state);
		cr_assert_eq(r, 0, "%s: %u gives %d", where, uid, r);
		cr_assert_eq(memcmp(person.tokens, expected.tokens, sizeof(person.tokens)), 0, "%s", where);
		cr_assert_eq(person.generation, 1, "%s", where);
		cr_assert_eq(state.tokens[0].last, 100 * uid, "%s: a used step is forgotten", where);
	}
	skm_store_free(authd.store);
}

static struct skm_rekey_options rekey_options(void)
{
	return (struct skm_rekey_options){
		.folder = world.folder,
		.fallback_folder = world.fallback,
		.key_path = world.key,
		.ops = &store_faulty_ops,
		.machine = {1, 2, 3},
	};
}

static int rekey(struct skm_rekey_report *ret_report)
{
	struct skm_rekey_options options = rekey_options();
	return skm_rekey(&options, ret_report);
}

Test(rekey, everything_is_under_a_new_key)
{
	char before[80] = "", after[80] = "";
	struct skm_rekey_report report = {0};
	prepare();
	store_file_get(world.root, "machine.key", before, sizeof(before) - 1);
	cr_assert_eq(rekey(&report), 0);
	cr_assert_eq(report.resealed, PERSONS);
	cr_assert_eq(report.unreadable, 0);
	cr_assert(!report.was_resumed);
	store_file_get(world.root, "machine.key", after, sizeof(after) - 1);
	cr_assert_str_neq(before, after);
	cr_assert_eq(store_file_size(world.root, "machine.key.old"), -1);
	cr_assert_eq(store_file_size(world.root, "machine.key.new"), -1);
	expect_all("new key");
	/* the old key opens nothing any more: not the state either */
	store_file_put(world.root, "machine.key", before, 65);
	struct authd authd;
	struct skm_person person;
	struct skm_person_state state;
	start(&authd, NULL);
	cr_assert_eq(load(&authd, 1, &person, &state), SKM_STORE_WRONG_KEY);
	skm_store_free(authd.store);
	store_world_remove(&world);
}

Test(rekey, while_authd_has_the_store_nothing_is_done)
{
	struct skm_rekey_report report = {.resealed = 99};
	prepare();
	struct authd authd;
	struct skm_person person;
	struct skm_person_state state;
	start(&authd, NULL);
	cr_assert_eq(load(&authd, 1, &person, &state), 0);
	cr_assert_eq(rekey(&report), -EBUSY);
	cr_assert_eq(report.resealed, 99);
	cr_assert_eq(store_file_size(world.root, "machine.key.old"), -1);
	skm_store_free(authd.store);
	expect_all("busy");
	store_world_remove(&world);
}

Test(rekey, who_cannot_be_opened_is_counted_and_left)
{
	struct skm_rekey_report report = {0};
	prepare();
	store_file_flip(world.folder, "2.person", 500, 1);
	cr_assert_eq(rekey(&report), 0);
	cr_assert_eq(report.resealed, PERSONS - 1);
	cr_assert_eq(report.unreadable, 1);
	cr_assert_eq(unlink(world.key), 0);
	cr_assert_eq(rekey(&report), SKM_REKEY_NO_KEY);
	store_file_put(world.root, "machine.key", "short", 5);
	cr_assert_eq(rekey(&report), SKM_REKEY_INVALID);
	store_world_remove(&world);
}

Test(rekey, a_credential_is_the_administrators_to_change)
{
	struct skm_rekey_report report = {0};
	struct skm_key fresh;
	char line[SKM_HEX_LINE_BYTES], credentials[STORE_PATH_BYTES], old[STORE_PATH_BYTES + 8];
	prepare();
	(void)snprintf(credentials, sizeof(credentials), "%s/credentials", world.root);
	(void)snprintf(old, sizeof(old), "%s.old", world.key);
	cr_assert_eq(mkdir(credentials, 0700), 0);
	skm_key_generate(&fresh);
	skm_hex_line(fresh.bytes, line);
	store_file_put(credentials, SKM_KEY_CREDENTIAL, line, 65);
	struct skm_rekey_options options = rekey_options();
	options.credentials_folder = credentials;
	cr_assert_eq(skm_rekey(&options, &report), SKM_REKEY_NOTHING);
	/* from the file to the credential: the file becomes the old key */
	cr_assert_eq(rename(world.key, old), 0);
	cr_assert_eq(skm_rekey(&options, &report), 0);
	cr_assert_eq(report.resealed, PERSONS);
	cr_assert_eq(store_file_size(world.root, "machine.key.old"), -1);
	store_file_put(world.root, "machine.key", line, 65);
	expect_all("credential");
	store_world_remove(&world);
}

static bool rekey_and_kill(unsigned at)
{
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		struct skm_rekey_report report;
		store_faults =
			(struct store_faults){.fault = STORE_FAULT_KILL, .kinds = STORE_CALLS_ALL, .at = at};
		_exit(rekey(&report) == 0 ? 0 : 1);
	}
	int status = 0;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == STORE_KILLED));
	return WEXITSTATUS(status) == 0;
}

Test(rekey, killed_at_every_call)
{
	bool is_done = false;
	unsigned at = 0;
	while (!is_done && at < CALLS_MAX) {
		char where[64];
		struct skm_rekey_report report = {0};
		prepare();
		is_done = rekey_and_kill(++at);
		(void)snprintf(where, sizeof(where), "killed at %u", at);
		expect_all(where);
		/* and to the end */
		cr_assert_eq(rekey(&report), 0, "%s", where);
		cr_assert_eq(report.resealed, PERSONS, "%s", where);
		cr_assert_eq(store_file_size(world.root, "machine.key.old"), -1, "%s", where);
		expect_all(where);
		store_world_remove(&world);
	}
	cr_assert(is_done && at > 60, "%u calls", at);
}

Test(rekey, an_error_at_every_call)
{
	static const int errors[] = {EIO, ENOSPC};
	for (unsigned at = 1; at < CALLS_MAX; at++) {
		char where[64];
		struct skm_rekey_report report = {0};
		prepare();
		store_faults = (struct store_faults){.fault = STORE_FAULT_ERROR,
			.error = errors[at % 2],
			.kinds = STORE_CALLS_WRITING,
			.at = at / 2 + 1,
			.is_for_good = at % 4 > 1};
		int r = rekey(&report);
		unsigned hits = store_faults.hits;
		store_faults = (struct store_faults){0};
		(void)snprintf(where, sizeof(where), "error at %u: %d", at / 2 + 1, r);
		cr_assert(r == 0 || hits > 0, "%s", where);
		expect_all(where);
		cr_assert_eq(rekey(&report), 0, "%s", where);
		expect_all(where);
		store_world_remove(&world);
		if (hits == 0)
			return;
	}
	cr_assert_fail("no end");
}

/* ---- escrow ---- */

struct escrow {
	uint8_t public_key[32];
	char secret_path[STORE_PATH_BYTES], copies[STORE_PATH_BYTES];
	struct skm_key new_key;
};

/* A machine with escrow files, of which copies lie in a folder of their own. */
static void prepare_escrow(struct escrow *escrow)
{
	char hex[SKM_ESCROW_HEX_BYTES] = "", secret_hex[80] = "";
	prepare();
	(void)snprintf(escrow->secret_path, sizeof(escrow->secret_path), "%s/secret", world.root);
	(void)snprintf(escrow->copies, sizeof(escrow->copies), "%s/copies", world.root);
	cr_assert_eq(mkdir(escrow->copies, 0700), 0);
	cr_assert_eq(skm_escrow_keypair_create(escrow->secret_path, hex), 0);
	cr_assert_eq(skm_escrow_keypair_create(escrow->secret_path, hex), -EEXIST);
	cr_assert_eq(strlen(hex), 64);
	store_file_get(world.root, "secret", secret_hex, sizeof(secret_hex) - 1);
	cr_assert_neq(memcmp(hex, secret_hex, 64), 0);
	for (size_t i = 0; i < 32; i++) {
		unsigned byte = 0;
		cr_assert_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
		escrow->public_key[i] = (uint8_t)byte;
	}
	/* who was enrolled before there was an escrow gets one by rekeying */
	struct skm_rekey_options options = rekey_options();
	struct skm_rekey_report report;
	options.escrow_public_key = escrow->public_key;
	cr_assert_eq(skm_rekey(&options, &report), 0);
	for (unsigned uid = 1; uid <= PERSONS; uid++) {
		char from[2 * STORE_PATH_BYTES], to[2 * STORE_PATH_BYTES];
		(void)snprintf(from, sizeof(from), "%s/%u.escrow", world.folder, uid);
		(void)snprintf(to, sizeof(to), "%s/%u.escrow", escrow->copies, uid);
		cr_assert_eq(link(from, to), 0);
	}
	skm_key_generate(&escrow->new_key);
}

static struct skm_restore_options restore_options(struct escrow *escrow)
{
	struct skm_restore_options options = {
		.store = {.folder = world.folder,
			.fallback_folder = world.fallback,
			.ops = &store_faulty_ops,
			.key = &escrow->new_key,
			.machine = {9, 9, 9},
			.boot_id = {7},
			.free_tries = 5},
		.secret_path = escrow->secret_path,
		.now = store_now(),
	};
	return options;
}

static void expect_restored(struct escrow *escrow, uint32_t uid, const struct skm_person *expected)
{
	struct skm_restore_options options = restore_options(escrow);
	struct skm_store *store = NULL;
	cr_assert_eq(skm_store_new(&options.store, &store), 0);
	struct skm_person person;
	struct skm_person_state state;
	unsigned notes = 0;
	cr_assert_eq(skm_store_load(store, uid, &options.now, &person, &state, &notes), 0);
	cr_assert_eq(notes, 0);
	cr_assert_eq(person.uid, uid);
	cr_assert_eq(memcmp(person.tokens, expected->tokens, sizeof(person.tokens)), 0);
	cr_assert_gt(state.tokens[0].last, 59000000, "what may have been used is used");
	cr_assert_eq(state.recovery_used, 0x3ff);
	cr_assert_eq(state.throttles[0].failures, 0, "nobody has to wait");
	skm_store_free(store);
}

Test(rekey, a_lost_key_is_not_the_end)
{
	struct escrow escrow;
	struct skm_restore_report report = {0};
	prepare_escrow(&escrow);
	struct skm_restore_options options = restore_options(&escrow);
	cr_assert_eq(skm_restore_escrow(&options, &report), 0);
	cr_assert_eq(report.restored, PERSONS);
	for (uint32_t uid = 1; uid <= PERSONS; uid++) {
		struct skm_person expected = store_person(uid);
		expect_restored(&escrow, uid, &expected);
	}
	/* again: what opens is left alone */
	cr_assert_eq(skm_restore_escrow(&options, &report), 0);
	cr_assert_eq(report.restored, 0);
	cr_assert_eq(report.kept, PERSONS);
	store_world_remove(&world);
}

static int other_uids(void *user, const char *name, uint32_t *ret_uid)
{
	(void)user;
	if (strcmp(name, "tanaka3") == 0)
		return -ENOENT;
	/* the two exchanged their numbers */
	*ret_uid = strcmp(name, "tanaka1") == 0 ? 2 : 1;
	return 0;
}

static void remember(void *user, uint32_t uid, int outcome)
{
	int *outcomes = user;
	outcomes[uid] = outcome;
}

Test(rekey, on_another_machine_the_name_counts)
{
	struct escrow escrow;
	struct skm_restore_report report = {0};
	int outcomes[PERSONS + 1] = {-1, -1, -1, -1};
	prepare_escrow(&escrow);
	const struct skm_users users = {.uid_of = other_uids};
	struct skm_restore_options options = restore_options(&escrow);
	options.users = &users;
	options.tell = remember;
	options.user = outcomes;
	/* in one folder the one's escrow would take the other's place */
	cr_assert_eq(skm_restore_escrow(&options, &report), 0);
	cr_assert_eq(report.unknown, PERSONS);
	options.escrow_folder = escrow.copies;
	options.store.escrow_public_key = escrow.public_key;
	store_file_flip(escrow.copies, "1.escrow", 100, 1);
	cr_assert_eq(skm_restore_escrow(&options, &report), 0);
	cr_assert_eq(report.restored, 1);
	cr_assert_eq(report.unreadable, 1);
	cr_assert_eq(report.unknown, 1);
	cr_assert_eq(outcomes[1], SKM_RESTORE_UNREADABLE);
	cr_assert_eq(outcomes[2], 0);
	cr_assert_eq(outcomes[3], SKM_RESTORE_UNKNOWN);
	struct skm_person expected = store_person(2);
	expect_restored(&escrow, 1, &expected);
	store_world_remove(&world);
}

Test(rekey, without_the_secret_nothing_comes_back)
{
	struct escrow escrow;
	struct skm_restore_report report = {.restored = 99};
	prepare_escrow(&escrow);
	struct skm_restore_options options = restore_options(&escrow);
	options.secret_path = "/nonexistent/secret";
	cr_assert_eq(skm_restore_escrow(&options, &report), SKM_RESTORE_NO_SECRET);
	options.secret_path = escrow.secret_path;
	cr_assert_eq(chmod(escrow.secret_path, 0644), 0);
	cr_assert_eq(skm_restore_escrow(&options, &report), SKM_RESTORE_INVALID);
	cr_assert_eq(chmod(escrow.secret_path, 0600), 0);
	options.store.key = NULL;
	cr_assert_eq(skm_restore_escrow(&options, &report), SKM_RESTORE_NO_KEY);
	cr_assert_eq(report.restored, 99);
	options.store.key = &escrow.new_key;
	options.secret_path = world.key; /* some other 32 bytes */
	cr_assert_eq(skm_restore_escrow(&options, &report), 0);
	cr_assert_eq(report.unreadable, PERSONS);
	store_world_remove(&world);
}

Test(rekey, restoring_stopped_at_every_call_can_be_repeated)
{
	for (unsigned at = 1; at < CALLS_MAX; at++) {
		struct escrow escrow;
		struct skm_restore_report report = {0};
		prepare_escrow(&escrow);
		struct skm_restore_options options = restore_options(&escrow);
		store_faults = (struct store_faults){.fault = STORE_FAULT_ERROR,
			.error = EIO,
			.kinds = STORE_CALLS_WRITING,
			.at = at,
			.is_for_good = true};
		int r = skm_restore_escrow(&options, &report);
		unsigned hits = store_faults.hits;
		store_faults = (struct store_faults){0};
		cr_assert((r == 0) == (hits == 0), "stopped at %u: %d", at, r);
		cr_assert_eq(skm_restore_escrow(&options, &report), 0);
		cr_assert_eq(report.restored + report.kept, PERSONS, "stopped at %u", at);
		cr_assert_eq(report.unreadable + report.unknown, 0, "stopped at %u", at);
		store_world_remove(&world);
		if (hits == 0)
			return;
	}
	cr_assert_fail("no end");
}
