// SPDX-License-Identifier: Apache-2.0
/* By the thousand: no changed bit passes, no honest history fails. The numbers are the same in each run. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "verdicts.h"

#define FLIPS 10000
#define HISTORIES 200

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static bool passes(const char *text, size_t len, const struct judging *judging, uint64_t last)
{
	static struct verdicts verdicts;
	judge_bytes(text, len, judging, &verdicts);
	return verdicts.is_complete && verdicts.count == 0 && verdicts.chain.records == last;
}

static char *make_log(struct sample_chain *chain, size_t count, size_t *ret_len)
{
	struct sample_lines lines = {.lines = NULL};
	sample_chain_begin(chain, "agent");
	sample_chain_run(chain, count, &lines);
	char *text = sample_lines_join(&lines, ret_len);
	sample_lines_finish(&lines);
	return text;
}

Test(verifier_random, no_flipped_bit_passes, .timeout = 240)
{
	struct sample_chain chain;
	size_t len = 0, passed = 0;
	char *text = make_log(&chain, 9, &len);
	const struct judging judging = {.key_of = &chain};
	uint64_t state = 20261121;
	cr_assert(passes(text, len, &judging, 9));
	for (unsigned i = 0; i < FLIPS; i++) {
		uint64_t bit = next_random(&state) % (len * 8);
		text[bit / 8] = (char)((unsigned char)text[bit / 8] ^ 1u << (bit % 8));
		passed += passes(text, len, &judging, 9) ? 1 : 0;
		text[bit / 8] = (char)((unsigned char)text[bit / 8] ^ 1u << (bit % 8));
	}
	cr_expect_eq(passed, 0, "%zu of %u passed", passed, FLIPS);
	cr_expect(passes(text, len, &judging, 9));
	free(text);
}

/* Whatever is cut off: the whole log is complete, and of no beginning it is said that it is the whole one. */
Test(verifier_random, no_beginning_passes_for_the_whole, .timeout = 240)
{
	struct sample_chain chain;
	struct verdicts verdicts;
	size_t len = 0;
	char *text = make_log(&chain, 4, &len);
	struct skm_watermark mark = {.sequence = 4};
	const struct judging judging = {.key_of = &chain, .watermarks = &mark, .watermark_count = 1};
	memcpy(mark.chain_id, chain.chain.id, sizeof(mark.chain_id));
	memcpy(mark.hash, chain.chain.head, sizeof(mark.hash));
	for (size_t cut = 0; cut < len; cut++) {
		judge_bytes(text, cut, &judging, &verdicts);
		cr_assert_not(verdicts.is_complete && verdicts.count == 0, "cut at %zu of %zu", cut, len);
	}
	cr_expect(passes(text, len, &judging, 4));
	free(text);
}

/* Lines in any order, some twice, some not at all. */
Test(verifier_random, no_shuffled_log_passes, .timeout = 240)
{
	struct sample_chain chain;
	struct sample_lines lines = {.lines = NULL};
	struct verdicts verdicts;
	uint64_t state = 7;
	sample_chain_begin(&chain, "agent");
	sample_chain_run(&chain, 12, &lines);
	const struct judging judging = {.key_of = &chain};
	for (unsigned i = 0; i < 1000; i++) {
		struct sample_lines shuffled = {.lines = NULL};
		size_t count = 1 + next_random(&state) % 16;
		bool is_same = count == lines.count;
		for (size_t j = 0; j < count; j++) {
			size_t pick = next_random(&state) % lines.count;
			is_same = is_same && pick == j;
			sample_lines_copy(&shuffled, &lines, pick, pick + 1);
		}
		judge_lines(&shuffled, &judging, &verdicts);
		bool is_whole = verdicts.is_complete && verdicts.count == 0 && verdicts.until == 12;
		/* "1" alone is an honest beginning. */
		bool is_beginning = verdicts.chain.last == count && verdicts.count == 0;
		cr_assert(!is_whole || is_same);
		cr_assert(verdicts.count > 0 || is_beginning);
		sample_lines_finish(&shuffled);
	}
	sample_lines_finish(&lines);
}

/* What happens to an honest terminal. */
static void live(struct sample_chain *chain, uint64_t *state, struct sample_lines *lines)
{
	uint64_t sleep_usec = next_random(state) % 100000 * 1000000;
	switch (next_random(state) % 6) {
	case 0: /* power cut: the torn line was cut off, its key state is that of the line before */
		sample_chain_reboot(chain);
		chain->time.realtime_usec += 30000000;
		sample_chain_checkpoint(chain, "start", lines);
		break;
	case 1: /* shut down over night */
		sample_chain_checkpoint(chain, "stop", lines);
		sample_chain_reboot(chain);
		chain->time.realtime_usec += (int64_t)sleep_usec;
		sample_chain_checkpoint(chain, "start", lines);
		break;
	case 2: /* suspended */
		chain->time.realtime_usec += (int64_t)sleep_usec;
		chain->time.boottime_usec += sleep_usec;
		sample_chain_event(chain, SKM_EVENT_RESUMED, lines);
		break;
	case 3: /* idle */
		chain->time.realtime_usec += 599000000;
		chain->time.boottime_usec += 599000000;
		chain->time.monotonic_usec += 599000000;
		sample_chain_checkpoint(chain, "time", lines);
		break;
	case 4: /* killed and started again at once */
		sample_chain_checkpoint(chain, "start", lines);
		break;
	default:
		sample_chain_records(chain, next_random(state) % 300, lines);
	}
}

Test(verifier_random, no_honest_history_fails, .timeout = 240)
{
	uint64_t state = 99;
	for (unsigned i = 0; i < HISTORIES; i++) {
		struct sample_chain chain;
		struct sample_lines lines = {.lines = NULL};
		struct verdicts verdicts;
		sample_chain_begin(&chain, "agent");
		sample_chain_checkpoint(&chain, "start", &lines);
		for (unsigned event = 0; event < 12; event++)
			live(&chain, &state, &lines);
		const struct judging judging = {.key_of = &chain};
		judge_lines(&lines, &judging, &verdicts);
		expect_findings(&verdicts, "");
		cr_expect(verdicts.is_complete);
		cr_expect_eq(verdicts.chain.last, lines.count);
		sample_lines_finish(&lines);
	}
}
