// SPDX-License-Identifier: Apache-2.0
/* What a verification costs must not tell how it ended: system calls, records and flushes. Instructions are
 * counted by tests/bench/bench_authd_cost.c. */
#include <criterion/criterion.h>
#include <string.h>

#include "fake_people.h"

static struct people people;
static char code[16];

struct cost {
	unsigned calls[PEOPLE_CALL_COUNT];
	size_t records;
	unsigned flushes;
};

static struct cost cost_of(const char *user, const char *answer, enum skm_auth_outcome outcome)
{
	struct cost cost;
	people_forget(&people);
	cr_assert_eq(people_verify(&people, user, answer), outcome, "%s", user);
	memcpy(cost.calls, people_faults.calls, sizeof(cost.calls));
	cost.records = people.record_count;
	cost.flushes = people.flushes;
	return cost;
}

/* What cannot be avoided: that there is no file is known only when it was looked for. */
static void expect_equal(
	const struct cost *cost, const struct cost *other, unsigned more_opens, const char *what)
{
	for (size_t i = 0; i < PEOPLE_CALL_COUNT; i++) {
		unsigned more = i == PEOPLE_OPEN || i == PEOPLE_OTHER ? more_opens : 0;
		cr_expect(other->calls[i] >= cost->calls[i] && other->calls[i] <= cost->calls[i] + more,
			"%s: %u calls of kind %zu, not %u", what, other->calls[i], i, cost->calls[i]);
	}
	cr_expect_eq(cost->records, other->records, "%s", what);
	cr_expect_eq(cost->flushes, other->flushes, "%s", what);
}

Test(cost, every_outcome_costs_the_same)
{
	people_make(&people);
	people_enrol(&people, "alice");
	/* The first decoy and the first state may have to be made. */
	(void)people_verify(&people, "nobody", "123456");
	cr_assert_eq(people_verify(&people, "alice", people_code(&people, 0, code)), SKM_AUTH_OK);
	people_advance(&people, 60);
	struct cost wrong_cost = cost_of("alice", people_wrong_code(&people, code), SKM_AUTH_WRONG);
	struct cost right_cost = cost_of("alice", people_code(&people, 0, code), SKM_AUTH_OK);
	struct cost replayed = cost_of("alice", people_code(&people, 0, code), SKM_AUTH_REPLAYED);
	struct cost malformed = cost_of("alice", "hello", SKM_AUTH_NOT_A_CODE);
	struct cost unknown = cost_of("nobody", "123456", SKM_AUTH_WRONG);
	struct cost impossible = cost_of("a/b", "123456", SKM_AUTH_WRONG);
	struct cost unenrolled = cost_of("bob", "123456", SKM_AUTH_UNENROLLED);
	for (unsigned i = 0; i < people.config->mfa.free_tries; i++)
		(void)people_verify(&people, "alice", people_wrong_code(&people, code));
	struct cost locked = cost_of("alice", people_code(&people, 0, code), SKM_AUTH_LOCKED);
	cr_assert_geq(wrong_cost.calls[PEOPLE_SYNC], 2, "reserved and settled");
	cr_assert_eq(wrong_cost.records, 1);
	expect_equal(&wrong_cost, &right_cost, 0, "right");
	expect_equal(&wrong_cost, &replayed, 0, "replayed");
	expect_equal(&wrong_cost, &malformed, 0, "malformed");
	expect_equal(&wrong_cost, &unknown, 0, "unknown");
	expect_equal(&wrong_cost, &impossible, 0, "impossible");
	expect_equal(&wrong_cost, &unenrolled, 4, "unenrolled");
	expect_equal(&wrong_cost, &locked, 0, "locked");
	people_remove(&people);
}
