// SPDX-License-Identifier: Apache-2.0
/* When the forwarder tries again, and when it warns of its certificate's end. */
#include <criterion/criterion.h>

#include "backoff.h"
#include "certificate.h"

Test(backoff, doubles_up_to_its_cap_and_stays_there)
{
	static const uint64_t waits[] = {1000, 2000, 4000, 8000, 10000, 10000};
	struct skm_backoff backoff = {.first_ms = 1000, .max_ms = 10000};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(waits); i++)
		cr_expect_eq(skm_backoff_next_ms(&backoff, 0), waits[i], "failure %zu", i);
	backoff.failures = UINT32_MAX;
	cr_expect_eq(skm_backoff_next_ms(&backoff, 0), 10000, "weeks later");
	cr_expect_eq(backoff.failures, UINT32_MAX);
	skm_backoff_reset(&backoff);
	cr_expect_eq(skm_backoff_next_ms(&backoff, 0), 1000);
}

Test(backoff, chance_takes_at_most_a_half)
{
	for (uint64_t random = 0; random < 3000; random++) {
		struct skm_backoff backoff = {.first_ms = 1000, .max_ms = 1000};
		uint64_t wait_ms = skm_backoff_next_ms(&backoff, random);
		cr_assert(wait_ms >= 500 && wait_ms <= 1000, "%lu", (unsigned long)wait_ms);
	}
	struct skm_backoff backoff = {.first_ms = 1000, .max_ms = 1000};
	cr_expect_eq(skm_backoff_next_ms(&backoff, 500), 500);
	backoff = (struct skm_backoff){.first_ms = 1, .max_ms = 1};
	cr_expect_eq(skm_backoff_next_ms(&backoff, UINT64_MAX), 1, "never at once");
	backoff = (struct skm_backoff){.first_ms = UINT32_MAX, .max_ms = UINT32_MAX, .failures = 100};
	cr_expect_eq(skm_backoff_next_ms(&backoff, 0), UINT32_MAX);
}

Test(backoff, start)
{
	cr_expect_eq(skm_backoff_start_ms(0, 12345), 0);
	cr_expect_eq(skm_backoff_start_ms(60000, 60000), 60000);
	cr_expect_eq(skm_backoff_start_ms(60000, 60001), 0);
	cr_expect_leq(skm_backoff_start_ms(UINT32_MAX, UINT64_MAX), UINT32_MAX);
}

#define DAY INT64_C(86400)
#define END (INT64_C(20000) * DAY)

static void tell(struct skm_forward_state *state, int64_t not_after_sec, uint32_t days)
{
	state->warned_not_after_sec = not_after_sec;
	state->warned_days = days;
}

Test(certificate, each_step_once)
{
	static const struct {
		int64_t now;
		uint32_t days;
	} steps[] = {{END - 90 * DAY, 90}, {END - 30 * DAY, 30}, {END - 7 * DAY, 7}, {END, 0}};
	struct skm_forward_state state = {0};
	uint32_t days = 1;
	cr_expect_not(skm_certificate_warning(&state, END, END - 90 * DAY - 1, &days));
	cr_expect_eq(days, 1);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(steps); i++) {
		cr_expect_not(skm_certificate_warning(&state, END, steps[i].now - 1, &days), "before %u",
			steps[i].days);
		cr_assert(skm_certificate_warning(&state, END, steps[i].now, &days), "%u", steps[i].days);
		cr_expect_eq(days, steps[i].days);
		cr_expect(skm_certificate_warning(&state, END, steps[i].now, &days), "until it is told");
		tell(&state, END, days);
		cr_expect_not(skm_certificate_warning(&state, END, steps[i].now + 1, &days));
	}
	cr_expect_not(skm_certificate_warning(&state, END, END + 1000 * DAY, &days));
}

Test(certificate, the_most_urgent_alone)
{
	struct skm_forward_state state = {0};
	uint32_t days = 1;
	cr_expect(skm_certificate_warning(&state, END, END - 3 * DAY, &days), "off for a year");
	cr_expect_eq(days, 7);
	tell(&state, END, 7);
	cr_expect_not(skm_certificate_warning(&state, END, END - 1 * DAY, &days));
}

Test(certificate, a_clock_that_was_wrong_silences_nothing)
{
	struct skm_forward_state state = {0};
	uint32_t days = 1;
	cr_assert(skm_certificate_warning(&state, END, END + 4000 * DAY, &days), "in the year 2037");
	cr_expect_eq(days, 0);
	tell(&state, END, 0);
	cr_expect_not(skm_certificate_warning(&state, END, END - 100 * DAY, &days), "set right");
	cr_expect(skm_certificate_warning(&state, END, END - 90 * DAY, &days), "and now it is true");
	cr_expect_eq(days, 90);
}

Test(certificate, a_renewed_one_is_another_one)
{
	struct skm_forward_state state = {0};
	uint32_t days = 1;
	tell(&state, END, 0);
	cr_expect_not(skm_certificate_warning(&state, END + 365 * DAY, END, &days));
	cr_expect(skm_certificate_warning(&state, END + 365 * DAY, END + 275 * DAY, &days));
	cr_expect_eq(days, 90);
}
