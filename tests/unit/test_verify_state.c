// SPDX-License-Identifier: Apache-2.0
/* The verifier's sets of fixed size, its hashing threads, and its words. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "../../lib/verify_hash.h"
#include "../../lib/verify_internal.h"
#include "../../lib/verify_key.h"
#include "sample_chain.h"

/* ---- ranges ---- */

static const char *show(const struct skm_verify_ranges *ranges)
{
	static char text[4096];
	size_t len = 0;
	text[0] = '\0';
	for (size_t i = 0; i < ranges->count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%llu-%llu", i ? " " : "",
			(unsigned long long)ranges->ranges[i].first,
			(unsigned long long)ranges->ranges[i].last);
	return text;
}

Test(verify_state, ranges_join_where_they_touch)
{
	struct skm_verify_ranges ranges = {.count = 0};
	skm_verify_ranges_add(&ranges, 10, 20);
	skm_verify_ranges_add(&ranges, 30, 40);
	skm_verify_ranges_add(&ranges, 1, 1);
	cr_expect_str_eq(show(&ranges), "1-1 10-20 30-40");
	skm_verify_ranges_add(&ranges, 21, 21);
	skm_verify_ranges_add(&ranges, 2, 2);
	skm_verify_ranges_add(&ranges, 32, 35);
	cr_expect_str_eq(show(&ranges), "1-2 10-21 30-40");
	skm_verify_ranges_add(&ranges, 5, 29);
	cr_expect_str_eq(show(&ranges), "1-2 5-40");
	skm_verify_ranges_add(&ranges, 3, 4);
	cr_expect_str_eq(show(&ranges), "1-40");
}

/* Whatever was added stays in, however many there are; what lies between may come in. */
Test(verify_state, a_full_set_of_ranges_gets_coarser_and_never_kinder)
{
	struct skm_verify_ranges ranges = {.count = 0};
	for (uint64_t i = 0; i < 1000; i++) {
		skm_verify_ranges_add(&ranges, 1 + 10 * (i * 617 % 1000), 3 + 10 * (i * 617 % 1000));
		cr_assert_leq(ranges.count, SKM_VERIFY_RANGES_MAX);
	}
	for (uint64_t i = 0; i < 1000; i++) {
		bool is_in = false;
		for (size_t j = 0; j < ranges.count; j++)
			is_in = is_in ||
				(ranges.ranges[j].first <= 1 + 10 * i && 3 + 10 * i <= ranges.ranges[j].last);
		cr_expect(is_in, "%llu", (unsigned long long)i);
	}
	for (size_t j = 1; j < ranges.count; j++)
		cr_expect_lt(ranges.ranges[j - 1].last + 1, ranges.ranges[j].first);
}

/* ---- keys ---- */

Test(verify_state, a_key_follows_from_its_number_alone)
{
	uint8_t first[SKM_CHAIN_KEY_BYTES] = {1, 2, 3}, expected[SKM_CHAIN_KEY_BYTES];
	struct skm_verify_key cursor = {.sequence = 0};
	uint64_t budget = 1000;
	static const uint64_t asked[] = {1, 2, 9, 4, 4, 5, 1, 100};
	cr_assert_eq(skm_chain_start(), 0);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(asked); i++) {
		memcpy(expected, first, sizeof(expected));
		for (uint64_t n = 1; n < asked[i]; n++)
			skm_chain_ratchet(expected);
		cr_assert(skm_verify_key_seek(&cursor, first, asked[i], &budget));
		cr_expect_eq(memcmp(cursor.key, expected, sizeof(expected)), 0, "K_%llu",
			(unsigned long long)asked[i]);
	}
	/* A number that somebody made up costs no more than the budget. */
	cr_expect_not(skm_verify_key_seek(&cursor, first, UINT64_C(1) << 53, &budget));
	cr_expect_eq(cursor.sequence, 100, "nothing was done");
	cr_expect(skm_verify_key_seek(&cursor, first, 101, &budget));
}

/* ---- what was seen ---- */

Test(verify_state, contents_are_compared_near_by_and_in_samples_far_back)
{
	struct skm_verify_seen *seen = calloc(1, sizeof(*seen));
	uint8_t hash[SKM_CHAIN_HASH_BYTES] = {0};
	for (uint64_t n = 1; n <= 100000; n++) {
		memcpy(hash, &n, sizeof(n));
		skm_verify_seen_put(seen, 1, n, hash);
	}
	for (uint64_t n = 1; n <= 100000; n++) {
		bool is_kept = n > 100000 - SKM_VERIFY_SEEN_SLOTS || n % SKM_VERIFY_SEEN_STEP == 0;
		memcpy(hash, &n, sizeof(n));
		cr_assert_eq(skm_verify_seen_compare(seen, 1, n, hash),
			is_kept ? SKM_VERIFY_SAME : SKM_VERIFY_UNKNOWN);
		hash[15] = 1;
		cr_assert_eq(skm_verify_seen_compare(seen, 1, n, hash),
			is_kept ? SKM_VERIFY_OTHER : SKM_VERIFY_UNKNOWN);
		hash[15] = 0;
		cr_assert_eq(
			skm_verify_seen_compare(seen, 2, n, hash), SKM_VERIFY_UNKNOWN, "another chain's");
	}
	free(seen);
}

/* ---- threads ---- */

Test(verify_state, hashes_are_the_same_with_any_number_of_threads)
{
	struct sample_chain chain;
	struct sample_lines lines = {.lines = NULL};
	sample_chain_begin(&chain, "agent");
	sample_chain_run(&chain, 700, &lines);
	sample_lines_push(&lines, "no record", 9);
	struct skm_verify_hashed *hashed = calloc(lines.count, sizeof(*hashed));
	for (unsigned threads = 0; threads <= SKM_VERIFY_THREADS_MAX + 1; threads++) {
		struct skm_verify_hasher *hasher = NULL;
		cr_assert_eq(skm_verify_hasher_new(threads, &hasher), 0);
		for (size_t count = 0; count <= lines.count; count += 117) {
			for (size_t i = 0; i < count; i++)
				hashed[i] = (struct skm_verify_hashed){
					.text = lines.lines[i].text, .len = lines.lines[i].len};
			skm_verify_hasher_run(hasher, hashed, count);
			for (size_t i = 0; i < count && i < 700; i++) {
				cr_assert(hashed[i].has_hash);
				/* The next record names it. */
				char text[2 * SKM_CHAIN_HASH_BYTES + 1];
				skm_hex_format(hashed[i].hash, sizeof(hashed[i].hash), text);
				cr_assert(i + 1 == 700 || strstr(lines.lines[i + 1].text, text));
			}
		}
		hashed[0] = (struct skm_verify_hashed){
			.text = lines.lines[700].text, .len = lines.lines[700].len};
		skm_verify_hasher_run(hasher, hashed, 1);
		cr_expect_not(hashed[0].has_hash);
		hasher = skm_verify_hasher_free(hasher);
		cr_expect_null(hasher);
	}
	cr_expect_null(skm_verify_hasher_free(NULL));
	free(hashed);
	sample_lines_finish(&lines);
}

/* ---- words ---- */

Test(verify_state, every_kind_and_cause_has_its_words_in_both_languages)
{
	for (unsigned kind = 0; kind < SKM_FINDING_COUNT_; kind++) {
		const char *word = skm_finding_to_string((enum skm_finding_kind)kind);
		cr_expect_gt(strlen(word), 2);
		for (unsigned other = 0; other < kind; other++)
			cr_expect_str_neq(word, skm_finding_to_string((enum skm_finding_kind)other));
	}
	for (unsigned cause = 0; cause < SKM_CAUSE_COUNT_; cause++) {
		char english[256], japanese[512];
		const struct skm_finding finding = {.cause = (enum skm_finding_cause)cause,
			.kind = skm_cause_kind((enum skm_finding_cause)cause),
			.first = 1203,
			.last = 48211,
			.value = 1234567};
		const char *word = skm_cause_to_string((enum skm_finding_cause)cause);
		skm_finding_describe(&finding, false, english, sizeof(english));
		skm_finding_describe(&finding, true, japanese, sizeof(japanese));
		cr_expect_gt(strlen(english), 10, "%s", word);
		cr_expect_gt(strlen(japanese), 10, "%s", word);
		cr_expect_str_neq(english, japanese);
		cr_expect_null(strchr(english, '%'), "%s: %s", word, english);
		cr_expect_null(strchr(japanese, '%'), "%s: %s", word, japanese);
		for (unsigned other = 0; other < cause; other++)
			cr_expect_str_neq(word, skm_cause_to_string((enum skm_finding_cause)other));
	}
	cr_expect_str_eq(skm_finding_to_string(SKM_FINDING_COUNT_), "UNKNOWN");
	cr_expect_str_eq(skm_cause_to_string(SKM_CAUSE_COUNT_), "unknown");
}

Test(verify_state, findings_are_sentences)
{
	char text[512];
	struct skm_finding finding = {
		.cause = SKM_CAUSE_LINK, .kind = SKM_FINDING_EDIT, .first = 1203, .last = 1203};
	skm_finding_describe(&finding, false, text, sizeof(text));
	cr_expect_str_eq(text, "record 1,203 was changed: what follows does not continue from these bytes");
	finding.last = 1204;
	skm_finding_describe(&finding, false, text, sizeof(text));
	cr_expect_str_eq(
		text, "records 1,203..1,204 were changed: what follows does not continue from these bytes");
	finding =
		(struct skm_finding){.cause = SKM_CAUSE_CLOCK_JUMP, .first = 5, .last = 5, .value = -3600250};
	skm_finding_describe(&finding, false, text, sizeof(text));
	cr_expect_not_null(strstr(text, "by -3,600.2 s"), "%s", text);
	finding.value = INT64_MIN;
	skm_finding_describe(&finding, true, text, sizeof(text));
	/* Cut at a character's end, wherever that is. */
	for (size_t size = 0; size < 100; size++) {
		char *cut = malloc(size + 1);
		cut[size] = 'x';
		skm_finding_describe(&finding, true, cut, size);
		cr_expect_eq(cut[size], 'x');
		cr_expect(size == 0 || strncmp(cut, text, strlen(cut)) == 0);
		if (size > 0)
			cr_expect_neq((unsigned char)text[strlen(cut)] & 0xc0, 0x80, "size %zu", size);
		free(cut);
	}
}

Test(verify_state, numbers_have_commas)
{
	static const struct {
		uint64_t number;
		const char *text;
	} cases[] = {{0, "0"}, {999, "999"}, {1000, "1,000"}, {48211, "48,211"}, {1000000, "1,000,000"},
		{UINT64_MAX, "18,446,744,073,709,551,615"}};
	char text[SKM_NUMBER_BYTES];
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++)
		cr_expect_str_eq(skm_number_format(cases[i].number, text), cases[i].text);
}

/* ---- what people hand over ---- */

#define CHAIN "00112233445566778899aabbccddeeff"
#define HASH CHAIN CHAIN

Test(verify_state, watermarks_have_one_spelling)
{
	static const char *const wrong[] = {"", "17", CHAIN, CHAIN ":17", CHAIN ":17:" CHAIN,
		CHAIN ":0:" HASH, CHAIN ":-1:" HASH, CHAIN ":9007199254740993:" HASH, CHAIN ":17:" HASH "0",
		CHAIN ":17:" HASH ":x", "00112233445566778899AABBCCDDEEFF:17:" HASH, CHAIN ":1 7:" HASH,
		CHAIN "0:17:" HASH};
	struct skm_verify_watermarks watermarks = {.marks = NULL};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(wrong); i++)
		cr_expect_eq(skm_verify_watermarks_add(&watermarks, wrong[i]), -EINVAL, "%s", wrong[i]);
	cr_expect_eq(watermarks.count, 0);
	for (size_t i = 0; i < 40; i++)
		cr_expect_eq(
			skm_verify_watermarks_add(&watermarks, i % 2 ? CHAIN ":17:" HASH : CHAIN " 17 " HASH),
			0);
	cr_expect_eq(watermarks.count, 40);
	cr_expect_eq(watermarks.marks[39].sequence, 17);
	cr_expect_eq(watermarks.marks[39].hash[31], 0xff);
	skm_verify_watermarks_finish(&watermarks);
}
