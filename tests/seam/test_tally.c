// SPDX-License-Identifier: Apache-2.0
/* Nothing is told twice, nothing is forgotten: what was told and what was counted add up. */
#include <criterion/criterion.h>
#include <string.h>

#include "tally.h"

static struct skm_tally tally;
static uint64_t told, closed_count;

static bool tell(uint32_t uid, enum skm_auth_outcome kind, uint64_t mark, uint32_t burst)
{
	struct skm_tally_entry closed;
	bool is_told =
		skm_tally_tell(&tally, &(struct skm_tally_key){.uid = uid, .way = SKM_WAY_SELF, .kind = kind},
			"somebody", mark, burst, &closed);
	told += is_told;
	closed_count += closed.untold;
	return is_told;
}

Test(tally, the_first_ones_are_told_and_the_rest_is_counted)
{
	cr_assert(tell(1, SKM_AUTH_LOCKED, 7, 2));
	cr_assert(tell(1, SKM_AUTH_LOCKED, 7, 2));
	cr_assert_not(tell(1, SKM_AUTH_LOCKED, 7, 2));
	cr_assert_not(tell(1, SKM_AUTH_LOCKED, 7, 2));
	cr_assert(tell(1, SKM_AUTH_WRONG, 7, 2), "another kind");
	cr_assert(tell(2, SKM_AUTH_LOCKED, 7, 2), "another person");
	cr_assert_eq(closed_count, 0);
	cr_assert(tell(1, SKM_AUTH_LOCKED, 8, 2), "another mark");
	cr_assert_eq(closed_count, 2);
}

Test(tally, a_count_is_taken_once)
{
	struct skm_tally_entry entry;
	struct skm_tally_key key = {.uid = 1, .way = SKM_WAY_SELF}, other = {.uid = 1, .way = SKM_WAY_SYSTEM};
	for (unsigned i = 0; i < 5; i++)
		(void)tell(1, SKM_AUTH_LOCKED, 7, 1);
	cr_assert_not(skm_tally_take(&tally, &other, &entry));
	cr_assert(skm_tally_take(&tally, &key, &entry));
	cr_assert_eq(entry.untold, 4);
	cr_assert_eq(entry.key.kind, SKM_AUTH_LOCKED);
	cr_assert_str_eq(entry.subject, "somebody");
	cr_assert_not(skm_tally_take(&tally, &key, &entry));
	cr_assert_not(tell(1, SKM_AUTH_LOCKED, 7, 1), "taking a count begins no new one");
	cr_assert(skm_tally_take(&tally, NULL, &entry));
	cr_assert_eq(entry.untold, 1);
}

Test(tally, more_people_than_places_lose_nothing)
{
	struct skm_tally_entry entry;
	uint64_t calls = 0, taken = 0;
	for (unsigned round = 0; round < 10; round++) {
		for (uint32_t uid = 0; uid < 3 * SKM_TALLY_PLACES; uid++) {
			for (unsigned i = 0; i < 3; i++, calls++)
				(void)tell(uid, SKM_AUTH_DENIED, 1, 1);
		}
	}
	while (skm_tally_take(&tally, NULL, &entry))
		taken += entry.untold;
	cr_assert_eq(told + closed_count + taken, calls);
	cr_assert_gt(closed_count, 0);
}
