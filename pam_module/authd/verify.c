// SPDX-License-Identifier: Apache-2.0
/* The comparison of a code. Stopping at the first match (as liboath does) was rejected: time would tell which
 * step fitted, and to people without a record it would tell that. Trying wide offsets after a failure (as the
 * Google module does) was rejected: it makes a wrong code dearer than a right one. So each place for a token
 * costs the same number of HMACs, and only afterwards it is asked what they gave. */
#include "verify.h"

#include "otp_code.h"

#define WINDOW_STEPS_MAX 2
#define LOOK_AHEAD_MAX 10
#define WINDOW_TRIALS (2 * WINDOW_STEPS_MAX + 1)
/* HOTP: the counter before the next one, to know a code that was just used, and those ahead. */
#define TRIALS (1 + LOOK_AHEAD_MAX)
/* TOTP: around the time of the token and around the time of the terminal. The second, because a drift may
 * have been learned from a terminal whose clock was wrong: when that is mended, everybody would be kept out
 * at once. */
_Static_assert(2 * WINDOW_TRIALS <= TRIALS, "two windows fit into the trials of a place");

#define RESYNC_STEPS 1500
#define RESYNC_COUNTERS 1000

struct trial {
	uint64_t counter;
	bool is_usable; /* else it is computed for the work's sake and never fits */
	bool is_fresh;	/* later than all that was accepted with this token */
};

/* What may be tried with the token in one place. Nothing in it is secret. */
struct plan {
	const struct skm_token *token;
	struct skm_token_state *state; /* NULL: this place fits nothing */
	struct trial trials[TRIALS];
	bool is_set_back; /* the last accepted step is beyond what the clock allows */
};

struct match {
	uint64_t counter; /* the latest fresh one that fitted */
	unsigned is_fresh, is_used;
};

/* For empty places; the decoy of a person without a record consists of these. */
static const struct skm_token empty_token = {
	.parameters = {SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 30},
	.secret_len = 32,
};

static struct skm_token_state *find_state(struct skm_person_state *state, uint8_t id)
{
	struct skm_token_state *found = NULL;
	for (size_t i = 0; i < SKM_TOKENS_MAX; i++)
		if (id != 0 && state->tokens[i].id == id)
			found = &state->tokens[i];
	return found;
}

static bool is_admitted(const struct skm_token *token, const struct skm_verify_limits *limits)
{
	return skm_otp_parameters_check(&token->parameters) == 0 &&
	       (limits->algorithms & 1u << token->parameters.algorithm) != 0 &&
	       token->secret_len <= sizeof(token->secret);
}

static bool is_code(const struct skm_answer *answer, const struct skm_token *token)
{
	return answer->kind == SKM_ANSWER_CODE && answer->digits == token->parameters.digits;
}

static uint8_t window_of(const struct skm_verify_limits *limits)
{
	return limits->window_steps < WINDOW_STEPS_MAX ? limits->window_steps : WINDOW_STEPS_MAX;
}

static int64_t step_of(const struct skm_token *token, int64_t now_sec)
{
	return (int64_t)skm_otp_step(now_sec, token->parameters.period_sec);
}

static void plan_totp(struct plan *plan, const struct skm_token_state *state,
	const struct skm_verify_limits *limits, int64_t now_sec)
{
	int64_t now_step = step_of(plan->token, now_sec);
	int64_t window = window_of(limits);
	const int64_t centres[] = {now_step, now_step + state->drift_steps};
	for (size_t i = 0; i < 2 * (size_t)WINDOW_TRIALS; i++) {
		int64_t distance = (int64_t)(i % WINDOW_TRIALS) - WINDOW_STEPS_MAX;
		int64_t step = centres[i / WINDOW_TRIALS] + distance;
		plan->trials[i] = (struct trial){
			.counter = (uint64_t)step,
			.is_usable = step >= 0 && distance >= -window && distance <= window,
			.is_fresh = (uint64_t)step > state->last,
		};
	}
	int64_t reach = (centres[0] > centres[1] ? centres[0] : centres[1]) + window;
	plan->is_set_back = state->last > (uint64_t)reach;
}

static void plan_hotp(
	struct plan *plan, const struct skm_token_state *state, const struct skm_verify_limits *limits)
{
	/* UINT64_MAX says "refused until resynchronised"; accepting it would begin again at 0. */
	bool is_open = state->last != UINT64_MAX;
	plan->trials[0] = (struct trial){
		.counter = state->last - 1,
		.is_usable = is_open && state->last > plan->token->first_counter,
	};
	for (uint64_t ahead = 0; ahead < LOOK_AHEAD_MAX; ahead++) {
		uint64_t counter = state->last + ahead;
		plan->trials[1 + ahead] = (struct trial){
			.counter = counter,
			.is_usable = is_open && ahead < limits->look_ahead && counter >= state->last &&
				     counter != UINT64_MAX,
			.is_fresh = true,
		};
	}
}

static void plan_place(const struct skm_person *person, struct skm_person_state *state, size_t place,
	const struct skm_verify_limits *limits, int64_t now_sec, struct plan *ret_plan)
{
	bool is_taken = place < person->token_count;
	*ret_plan = (struct plan){.token = is_taken ? &person->tokens[place] : &empty_token};
	if (!is_taken)
		return;
	if (!is_admitted(ret_plan->token, limits)) {
		ret_plan->token = &empty_token;
		return;
	}
	struct skm_token_state *token_state = find_state(state, ret_plan->token->id);
	if (!token_state)
		return;
	ret_plan->state = token_state;
	if (ret_plan->token->parameters.type == SKM_OTP_HOTP)
		plan_hotp(ret_plan, token_state, limits);
	else
		plan_totp(ret_plan, token_state, limits, now_sec);
}

/* 1 when equal, 0 when not, without a branch. */
static unsigned equals(uint32_t a, uint32_t b)
{
	return (unsigned)(((uint64_t)(a ^ b) - 1) >> 63);
}

static struct match try_place(const struct plan *plan, const struct skm_answer *answer)
{
	const struct skm_token *token = plan->token;
	bool is_comparable = plan->state && is_code(answer, token);
	struct match match = {0};
	struct skm_hmac_key key;
	skm_hmac_key_set(&key, token->parameters.algorithm, token->secret, token->secret_len);
	for (size_t i = 0; i < TRIALS; i++) {
		const struct trial *trial = &plan->trials[i];
		uint32_t code = skm_otp_code_at(&key, trial->counter, token->parameters.digits);
		unsigned fits = equals(code, answer->code) & is_comparable & trial->is_usable;
		unsigned fits_fresh = fits & trial->is_fresh;
		unsigned is_later = fits_fresh & (trial->counter >= match.counter);
		uint64_t mask = 0 - (uint64_t)is_later;
		match.counter = (match.counter & ~mask) | (trial->counter & mask);
		match.is_fresh |= fits_fresh;
		match.is_used |= fits & !trial->is_fresh;
	}
	skm_hmac_key_clear(&key);
	return match;
}

/* One step nearer to where the code was found. Outwards only while the window stays within drift_max_steps; a
 * resynchronisation may have put the drift beyond that, and then it can only come back. */
static void learn_drift(
	const struct plan *plan, uint64_t counter, const struct skm_verify_limits *limits, int64_t now_sec)
{
	int64_t drift = plan->state->drift_steps;
	int64_t seen = (int64_t)counter - step_of(plan->token, now_sec);
	int64_t learned = drift + (seen > drift) - (seen < drift);
	int64_t size = learned < 0 ? -learned : learned;
	bool is_inwards = size < (drift < 0 ? -drift : drift);
	if (is_inwards || size + window_of(limits) <= limits->drift_max_steps)
		plan->state->drift_steps = (int32_t)learned;
}

/* Uses the code up with every token that it fits, not only with the one that decides: were the same code
 * shown by another one too, it would be accepted again. */
static void settle(const struct plan plans[SKM_TOKENS_MAX], const struct match matches[SKM_TOKENS_MAX],
	int decider, const struct skm_verify_limits *limits, int64_t now_sec)
{
	for (int place = 0; place < SKM_TOKENS_MAX; place++) {
		if (!matches[place].is_fresh)
			continue;
		const struct plan *plan = &plans[place];
		bool is_totp = plan->token->parameters.type == SKM_OTP_TOTP;
		uint64_t last = matches[place].counter + (is_totp ? 0 : 1);
		if (last > plan->state->last) /* two tokens of one id would share it */
			plan->state->last = last;
		if (is_totp && place == decider)
			learn_drift(plan, matches[place].counter, limits, now_sec);
	}
}

/* What the matches mean, strongest first; *ret_token is the first place that says so. */
static enum skm_code_verdict judge(const struct plan plans[SKM_TOKENS_MAX],
	const struct match matches[SKM_TOKENS_MAX], const struct skm_answer *answer, int *ret_token)
{
	int right = -1, replayed = -1, clock = -1;
	for (int place = SKM_TOKENS_MAX - 1; place >= 0; place--) {
		const struct plan *plan = &plans[place];
		if (matches[place].is_fresh)
			right = place;
		if (matches[place].is_used && !plan->is_set_back)
			replayed = place;
		if (plan->is_set_back && is_code(answer, plan->token))
			clock = place;
	}
	*ret_token = right >= 0 ? right : replayed >= 0 ? replayed : clock;
	if (right >= 0)
		return SKM_CODE_RIGHT;
	if (replayed >= 0)
		return SKM_CODE_REPLAYED;
	return clock >= 0 ? SKM_CODE_CLOCK : SKM_CODE_WRONG;
}

enum skm_code_verdict skm_verify_code(const struct skm_person *person, struct skm_person_state *state,
	const struct skm_answer *answer, const struct skm_verify_limits *limits, int64_t now_sec,
	int *ret_token)
{
	struct plan plans[SKM_TOKENS_MAX];
	struct match matches[SKM_TOKENS_MAX];
	for (size_t place = 0; place < SKM_TOKENS_MAX; place++) {
		plan_place(person, state, place, limits, now_sec, &plans[place]);
		matches[place] = try_place(&plans[place], answer);
	}
	enum skm_code_verdict verdict = judge(plans, matches, answer, ret_token);
	if (verdict == SKM_CODE_RIGHT)
		settle(plans, matches, *ret_token, limits, now_sec);
	return verdict;
}

/* Looks for two codes that follow each other in `count` counters from `from`, the first of them; the pair
 * nearest to `nearest` counts. */
struct search {
	uint64_t from, count, nearest;
};

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static bool find_pair(const struct skm_token *token, const struct search *search, uint32_t first,
	uint32_t second, uint64_t *ret_second_counter)
{
	bool is_found = false, was_first = false;
	uint64_t found = 0;
	struct skm_hmac_key key;
	skm_hmac_key_set(&key, token->parameters.algorithm, token->secret, token->secret_len);
	for (uint64_t i = 0; i <= search->count; i++) {
		uint64_t counter = search->from + i;
		uint32_t code = skm_otp_code_at(&key, counter, token->parameters.digits);
		if (was_first && code == second &&
			(!is_found ||
				distance(counter, search->nearest) < distance(found, search->nearest))) {
			is_found = true;
			found = counter;
		}
		was_first = code == first;
	}
	skm_hmac_key_clear(&key);
	if (is_found)
		*ret_second_counter = found;
	return is_found;
}

/* The pairs that may be looked for. False when none: they would all be used ones, or beyond the numbers. */
static bool plan_search(const struct skm_token *token, const struct skm_token_state *state, int64_t now_sec,
	struct search *ret_search)
{
	if (token->parameters.type == SKM_OTP_HOTP) {
		/* A counter that was lost with the state: the token's own first one is all that is known. */
		uint64_t from = state->last == UINT64_MAX ? token->first_counter : state->last;
		if (from >= UINT64_MAX - RESYNC_COUNTERS - 1)
			return false;
		*ret_search = (struct search){from, RESYNC_COUNTERS, from};
		return true;
	}
	/* The second code is the one that is being shown now. */
	uint64_t now_step = (uint64_t)step_of(token, now_sec);
	uint64_t from = now_step > RESYNC_STEPS ? now_step - RESYNC_STEPS - 1 : 0;
	if (from <= state->last)
		from = state->last + 1;
	uint64_t last_first = now_step + RESYNC_STEPS - 1;
	if (from == 0 || from > last_first) /* 0: last + 1 ran over */
		return false;
	*ret_search = (struct search){from, last_first - from + 1, now_step};
	return true;
}

static bool resync_token(const struct skm_token *token, struct skm_token_state *state,
	const struct skm_answer *first, const struct skm_answer *second, int64_t now_sec)
{
	struct search search;
	uint64_t counter = 0;
	if (!is_code(first, token) || !is_code(second, token) ||
		!plan_search(token, state, now_sec, &search) ||
		!find_pair(token, &search, first->code, second->code, &counter))
		return false;
	if (token->parameters.type == SKM_OTP_HOTP) {
		state->last = counter + 1;
		return true;
	}
	state->last = counter;
	state->drift_steps = (int32_t)((int64_t)counter - step_of(token, now_sec));
	return true;
}

bool skm_verify_resync(const struct skm_person *person, struct skm_person_state *state,
	const struct skm_answer *first, const struct skm_answer *second,
	const struct skm_verify_limits *limits, int64_t now_sec, int *ret_token)
{
	int found = -1;
	for (int place = 0; place < SKM_TOKENS_MAX && place < person->token_count; place++) {
		const struct skm_token *token = &person->tokens[place];
		struct skm_token_state *token_state = find_state(state, token->id);
		if (!token_state || !is_admitted(token, limits))
			continue;
		if (resync_token(token, token_state, first, second, now_sec) && found < 0)
			found = place;
	}
	*ret_token = found;
	return found >= 0;
}
