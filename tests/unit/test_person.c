// SPDX-License-Identifier: Apache-2.0
/* The codecs, and what becomes of a state when its person changes or when it was lost. */
#include <criterion/criterion.h>
#include <string.h>

#include "person.h"
#include "store_world.h"

static const uint8_t boot_id[16] = {1, 2, 3};

static struct skm_person sample(void)
{
	struct skm_person person = store_person(1000);
	person.generation = 5;
	memset(person.machine, 0xab, sizeof(person.machine));
	return person;
}

static struct skm_person_state state_of(const struct skm_person *person)
{
	struct skm_person_state state = {.revision = 77, .latest_sec = -1};
	skm_person_state_follow(person, &state);
	state.tokens[0].last = 59000000;
	state.tokens[0].drift_steps = -4;
	state.recovery_used = 0x3fe;
	state.substitute_series_used = 1;
	for (unsigned i = 0; i < SKM_WAY_COUNT_; i++) {
		memset(state.throttles[i].boot_id, (int)(i + 1), 16);
		state.throttles[i].failures = UINT32_MAX - i;
		state.throttles[i].boottime_usec = UINT64_MAX - i;
		state.throttles[i].realtime_sec = INT64_MIN + i;
	}
	return state;
}

Test(person, comes_back_as_it_was)
{
	uint8_t buf[SKM_PERSON_ENCODED_BYTES], again[SKM_PERSON_ENCODED_BYTES];
	struct skm_person person = sample(), back;
	skm_person_encode(&person, buf);
	cr_assert_eq(skm_person_decode(buf, &back), 0);
	cr_assert_eq(back.uid, 1000);
	cr_assert_str_eq(back.name, "tanaka1000");
	cr_assert_eq(back.generation, 5);
	cr_assert_eq(back.tokens[1].first_counter, 41);
	cr_assert_eq(back.tokens[2].secret_len, 48);
	cr_assert_eq(memcmp(back.tokens, person.tokens, sizeof(person.tokens)), 0);
	cr_assert_eq(memcmp(back.recovery, person.recovery, sizeof(person.recovery)), 0);
	cr_assert_eq(memcmp(&back.substitute, &person.substitute, sizeof(person.substitute)), 0);
	cr_assert_eq(back.substitute_until_sec, 1800000000);
	skm_person_encode(&back, again);
	cr_assert_eq(memcmp(buf, again, sizeof(buf)), 0);
}

/* Places of the encoding, counted by hand. */
enum {
	AT_VERSION = 0,
	AT_NAME = 5,
	AT_GENERATION = 278,
	AT_TOKEN_COUNT = 286,
	AT_LAST_TOKEN_ID = 287,
	AT_TOKENS = 288,
	TOKEN_BYTES = 151,
	AT_RECOVERY_SERIES = AT_TOKENS + 8 * TOKEN_BYTES,
	AT_RECOVERY_COUNT = AT_RECOVERY_SERIES + 4,
	AT_SUBSTITUTE_SERIES = AT_RECOVERY_COUNT + 1 + 480,
	AT_PADDING = AT_SUBSTITUTE_SERIES + 4 + 8 + 48,
};

Test(person, what_the_encoder_does_not_write_is_not_read)
{
	static const struct {
		const char *what;
		unsigned at;
		uint8_t value;
	} cases[] = {
		{"version", AT_VERSION, 2},
		{"no name", AT_NAME, 0},
		{"text behind the name's end", AT_NAME + 200, 'x'},
		{"name without end", AT_NAME + 256, 'x'},
		{"generation 0", AT_GENERATION, 0},
		{"too many tokens", AT_TOKEN_COUNT, 9},
		{"a token too few", AT_TOKEN_COUNT, 2},
		{"an empty token", AT_TOKEN_COUNT, 4},
		{"id beyond the last one", AT_LAST_TOKEN_ID, 8},
		{"id 0", AT_TOKENS, 0},
		{"the second's id", AT_TOKENS, 7},
		{"type", AT_TOKENS + 1, 2},
		{"algorithm", AT_TOKENS + 2, 3},
		{"digits 7", AT_TOKENS + 3, 7},
		{"period 15", AT_TOKENS + 4, 15},
		{"period of a counter", AT_TOKENS + TOKEN_BYTES + 4, 30},
		{"short secret", AT_TOKENS + 5, 15},
		{"long secret", AT_TOKENS + 5, 65},
		{"bytes behind the secret", AT_TOKENS + 6 + 16, 1},
		{"label without end", AT_TOKENS + 6 + 64 + 64, 'x'},
		{"token in an empty place", AT_TOKENS + 7 * TOKEN_BYTES + 150, 1},
		{"codes of no series", AT_RECOVERY_SERIES, 0},
		{"too many codes", AT_RECOVERY_COUNT, 11},
		{"more codes than counted", AT_RECOVERY_COUNT, 9},
		{"substitute of no series", AT_SUBSTITUTE_SERIES, 0},
		{"padding", AT_PADDING, 1},
		{"the last byte", SKM_PERSON_ENCODED_BYTES - 1, 1},
	};
	uint8_t right[SKM_PERSON_ENCODED_BYTES];
	struct skm_person person = sample();
	skm_person_encode(&person, right);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		uint8_t buf[SKM_PERSON_ENCODED_BYTES];
		struct skm_person back = {.uid = 4711};
		memcpy(buf, right, sizeof(buf));
		cr_assert_neq(buf[cases[i].at], cases[i].value, "%s: no change", cases[i].what);
		buf[cases[i].at] = cases[i].value;
		cr_expect_eq(skm_person_decode(buf, &back), -EBADMSG, "%s", cases[i].what);
		cr_expect_eq(back.uid, 4711, "%s: touched", cases[i].what);
	}
}

Test(person, nothing_beside_a_text_gets_into_the_file)
{
	uint8_t buf[SKM_PERSON_ENCODED_BYTES];
	struct skm_person person = sample(), back;
	memcpy(person.name, "ueda\0left over", 15);
	memcpy(person.tokens[0].label, "a\0left over", 12);
	skm_person_encode(&person, buf);
	cr_assert_null(memmem(buf, sizeof(buf), "left", 4));
	cr_assert_eq(skm_person_decode(buf, &back), 0);
	cr_assert_str_eq(back.name, "ueda");
}

Test(person, clear_leaves_nothing)
{
	struct skm_person person = sample();
	static const struct skm_person empty;
	skm_person_clear(&person);
	cr_assert_eq(memcmp(&person, &empty, sizeof(person)), 0);
}

Test(state, comes_back_as_it_was)
{
	uint8_t buf[SKM_PERSON_STATE_ENCODED_BYTES], again[SKM_PERSON_STATE_ENCODED_BYTES];
	struct skm_person person = sample();
	struct skm_person_state state = state_of(&person), back;
	skm_person_state_encode(&state, buf);
	cr_assert_eq(skm_person_state_decode(buf, &back), 0);
	cr_assert_eq(back.generation, 5);
	cr_assert_eq(back.revision, 77);
	cr_assert_eq(back.tokens[0].last, 59000000);
	cr_assert_eq(back.tokens[0].drift_steps, -4);
	cr_assert_eq(back.throttles[1].failures, UINT32_MAX - 1);
	cr_assert_eq(back.throttles[1].realtime_sec, INT64_MIN + 1);
	cr_assert_eq(back.recovery_used, 0x3fe);
	cr_assert_eq(back.latest_sec, -1);
	skm_person_state_encode(&back, again);
	cr_assert_eq(memcmp(buf, again, sizeof(buf)), 0);
}

Test(state, what_the_encoder_does_not_write_is_not_read)
{
	static const struct {
		const char *what;
		unsigned at;
		uint8_t value;
	} cases[] = {
		{"version", 0, 0},
		{"the second's id", 17, 7},
		{"an empty place with a step", 17 + 7 * 13 + 1, 1},
		{"an empty place with a drift", 17 + 7 * 13 + 9, 1},
		{"drift out of range", 17 + 11, 0x7f},
		{"an eleventh code", 17 + 104 + 72 + 4 + 1, 0x04},
		{"padding", 17 + 104 + 72 + 20, 1},
		{"the last byte", SKM_PERSON_STATE_ENCODED_BYTES - 1, 1},
	};
	uint8_t right[SKM_PERSON_STATE_ENCODED_BYTES];
	struct skm_person person = sample();
	struct skm_person_state state = state_of(&person);
	skm_person_state_encode(&state, right);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		uint8_t buf[SKM_PERSON_STATE_ENCODED_BYTES];
		struct skm_person_state back = {.revision = 4711};
		memcpy(buf, right, sizeof(buf));
		cr_assert_neq(buf[cases[i].at], cases[i].value, "%s: no change", cases[i].what);
		buf[cases[i].at] = cases[i].value;
		cr_expect_eq(skm_person_state_decode(buf, &back), -EBADMSG, "%s", cases[i].what);
		cr_expect_eq(back.revision, 4711, "%s: touched", cases[i].what);
	}
}

Test(follow, tokens_keep_their_place_by_id)
{
	struct skm_person person = sample();
	struct skm_person_state state = state_of(&person);
	state.tokens[2].last = 123;
	/* the first goes, a new one comes */
	person.tokens[0] = person.tokens[2];
	person.tokens[2] = person.tokens[1];
	person.tokens[2].id = 10;
	person.tokens[2].first_counter = 900;
	person.last_token_id = 10;
	person.generation = 6;
	skm_person_state_follow(&person, &state);
	cr_assert_eq(state.generation, 6);
	cr_assert_eq(state.revision, 77);
	cr_assert_eq(state.tokens[0].id, 5);
	cr_assert_eq(state.tokens[0].last, 123);
	cr_assert_eq(state.tokens[1].id, 7);
	cr_assert_eq(state.tokens[1].last, 41);
	cr_assert_eq(state.tokens[2].id, 10);
	cr_assert_eq(state.tokens[2].last, 900, "a counter token begins with its first counter");
	cr_assert_eq(state.tokens[3].id, 0);
	cr_assert_eq(state.throttles[0].failures, UINT32_MAX, "failures stay");
}

Test(follow, only_a_greater_series_begins_unused)
{
	struct skm_person person = sample();
	struct skm_person_state state = state_of(&person);
	skm_person_state_follow(&person, &state);
	cr_assert_eq(state.recovery_used, 0x3fe, "the same series");
	person.recovery_series++;
	skm_person_state_follow(&person, &state);
	cr_assert_eq(state.recovery_used, 0, "a new series");
	cr_assert_eq(state.recovery_series, 4);
	person.recovery_series -= 2;
	skm_person_state_follow(&person, &state);
	cr_assert_eq(state.recovery_used, 0x3ff, "an older series was used up");
	cr_assert_eq(state.substitute_series_used, 1);
}

Test(strictest, accepts_nothing_that_may_have_been_used)
{
	struct skm_person person = sample();
	struct skm_person_state state = {.revision = 9};
	struct skm_timestamp now = store_now();
	uint64_t now_sec = (uint64_t)(now.realtime_usec / 1000000);
	skm_person_state_strictest(&person, &now, boot_id, 5, &state);
	cr_assert_eq(state.generation, 5);
	cr_assert_eq(state.revision, 0);
	cr_assert_eq(state.tokens[0].last, now_sec / 30 + 12);
	cr_assert_eq(state.tokens[1].last, UINT64_MAX, "a counter is not known");
	cr_assert_eq(state.tokens[2].last, now_sec / 60 + 12);
	cr_assert_eq(state.recovery_series, 3);
	cr_assert_eq(state.recovery_used, 0x3ff);
	cr_assert_eq(state.substitute_series_used, 2);
	cr_assert_eq(state.latest_sec, (int64_t)now_sec);
	for (unsigned i = 0; i < SKM_WAY_COUNT_; i++) {
		cr_assert_eq(state.throttles[i].failures, 5);
		cr_assert_eq(memcmp(state.throttles[i].boot_id, boot_id, 16), 0);
		cr_assert_eq(state.throttles[i].boottime_usec, now.boottime_usec);
		cr_assert_eq(state.throttles[i].realtime_sec, (int64_t)now_sec);
	}
	uint8_t buf[SKM_PERSON_STATE_ENCODED_BYTES];
	skm_person_state_encode(&state, buf);
	cr_assert_eq(skm_person_state_decode(buf, &state), 0, "can be stored");
}

Test(strictest, a_clock_before_the_enrolment_is_not_believed)
{
	struct skm_person person = sample();
	struct skm_person_state state;
	const struct skm_timestamp nineteen_sixty = {.realtime_usec = INT64_C(-315619200000000)};
	skm_person_state_strictest(&person, &nineteen_sixty, boot_id, 5, &state);
	cr_assert_eq(state.tokens[0].last, 1700000000 / 30 + 12);
	cr_assert_eq(state.latest_sec, 1700000002);
	for (unsigned i = 0; i < 3; i++)
		person.tokens[i].enrolled_sec = INT64_MIN;
	skm_person_state_strictest(&person, &nineteen_sixty, boot_id, 5, &state);
	cr_assert_eq(state.tokens[0].last, 12);
}
