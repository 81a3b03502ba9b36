// SPDX-License-Identifier: Apache-2.0
/* witness.jsonl: one spelling of each entry, and every change of any byte is seen. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "witness_book.h"

static void start(void)
{
	cr_assert_eq(skm_chain_start(), 0);
}

TestSuite(witness_entry, .init = start);

#define COUNT 4

static void make(const struct skm_witness_key *key, struct skm_witness_entry entries[COUNT])
{
	for (size_t i = 0; i < COUNT; i++)
		entries[i] = witness_entry(key, i > 0 ? &entries[i - 1] : NULL);
}

static struct skm_witness_book read_book(const char *text, size_t len)
{
	struct skm_witness_book book = {.entries = NULL};
	cr_assert_eq(skm_witness_book_parse(&book, text, len), 0);
	return book;
}

static struct skm_witness_book read_entries(const struct skm_witness_entry *entries, size_t count)
{
	size_t len = 0;
	char *text = witness_text(entries, count, &len);
	struct skm_witness_book book = read_book(text, len);
	free(text);
	return book;
}

Test(witness_entry, is_read_as_it_was_written)
{
	struct skm_witness_key key = witness_key(1);
	struct skm_witness_entry entry = witness_entry(&key, NULL), again;
	char line[SKM_WITNESS_LINE_BYTES], second[SKM_WITNESS_LINE_BYTES];
	for (unsigned kind = 0; kind < SKM_FINDING_COUNT_; kind++)
		entry.findings[kind] = kind;
	entry.exit_code = 21;
	entry.is_complete = false;
	size_t len = skm_witness_entry_format(&entry, line);
	cr_assert_eq(skm_witness_entry_parse(line, len, &again), 0);
	cr_expect_eq(skm_witness_entry_format(&again, second), len);
	cr_expect_str_eq(line, second);
	cr_expect_eq(memcmp(again.key, entry.key, sizeof(entry.key)), 0);
	cr_expect_eq(again.findings[SKM_FINDING_FORGE], SKM_FINDING_FORGE);
	cr_expect_eq(again.exit_code, 21u);
	cr_expect_not(again.is_complete);
}

/* The greatest of everything fits a line. */
Test(witness_entry, has_room_for_the_greatest_numbers)
{
	struct skm_witness_key key = witness_key(1);
	struct skm_witness_entry entry = witness_entry(&key, NULL), again;
	char line[SKM_WITNESS_LINE_BYTES];
	entry.number = entry.again = entry.changed = SKM_WITNESS_NUMBER_MAX;
	entry.files = entry.records = entry.bytes = entry.terminals = entry.chains = SKM_WITNESS_COUNT_MAX;
	entry.exit_code = 255;
	for (unsigned kind = 0; kind < SKM_FINDING_COUNT_; kind++)
		entry.findings[kind] = SKM_WITNESS_COUNT_MAX;
	size_t len = skm_witness_entry_format(&entry, line);
	cr_assert_eq(line[len - 1], '}');
	cr_assert_eq(skm_witness_entry_parse(line, len, &again), 0);
	cr_expect_eq(again.findings[0], SKM_WITNESS_COUNT_MAX);
	cr_expect_eq(again.changed, SKM_WITNESS_NUMBER_MAX);
}

Test(witness_entry, has_one_spelling)
{
	static const struct {
		const char *old, *new;
	} changes[] = {{"\"number\":1,", "\"number\":01,"}, {"\"number\":1,", "\"number\": 1,"},
		{"\"number\":1,", "\"number\":1000000,"}, {"\"number\":1,", "\"number\":,"},
		{"\"number\":1,", "\"number\":-1,"}, {"\"number\":1,", "\"Number\":1,"},
		{"2026-11-20", "2026-11-31"}, {"2026-11-20", "2026-00-20"}, {"2026-11-20", "1969-12-31"},
		{"T02:30:00Z", "T24:30:00Z"}, {"T02:30:00Z", "T02:30:00+"}, {"abab", "ABAB"},
		{"\"complete\":true", "\"complete\":True"}, {"\"complete\":true", "\"complete\":1"},
		{"\"exit\":0", "\"exit\":256"}, {"\"GAP\":0,", ""}, {"\"FOREIGN\":0}", "\"FOREIGN\":0,}"},
		{"{\"witness\":1", "{\"witness\":2"}};
	struct skm_witness_key key = witness_key(1);
	struct skm_witness_entry entry = witness_entry(&key, NULL);
	char line[SKM_WITNESS_LINE_BYTES], changed[SKM_WITNESS_LINE_BYTES + 64];
	size_t len = skm_witness_entry_format(&entry, line);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(changes); i++) {
		const char *at = strstr(line, changes[i].old);
		cr_assert_not_null(at, "%s", changes[i].old);
		int changed_len = snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - line), line,
			changes[i].new, at + strlen(changes[i].old));
		cr_expect_eq(skm_witness_entry_parse(changed, (size_t)changed_len, &entry), -EBADMSG, "%s",
			changes[i].new);
	}
	cr_expect_eq(skm_witness_entry_parse(line, len - 1, &entry), -EBADMSG);
	snprintf(changed, sizeof(changed), "%s ", line);
	cr_expect_eq(skm_witness_entry_parse(changed, len + 1, &entry), -EBADMSG);
	for (size_t cut = 0; cut < len; cut++)
		cr_expect_eq(skm_witness_entry_parse(line, cut, &entry), -EBADMSG, "cut after %zu", cut);
}

Test(witness_entry, an_honest_book_has_no_fault)
{
	struct skm_witness_key key = witness_key(1);
	struct skm_witness_entry entries[COUNT];
	make(&key, entries);
	struct skm_witness_book book = read_entries(entries, COUNT);
	cr_expect_eq(book.fault, SKM_WITNESS_FAULT_NONE);
	cr_expect_eq(book.count, COUNT);
	cr_expect_eq(book.last_day, 20261123u);
	cr_expect_eq(book.torn_bytes, 0u);
	cr_expect_eq(skm_witness_book_find(&book, 20261121)->number, 2u);
	cr_expect_null(skm_witness_book_find(&book, 20261124));
	skm_witness_book_finish(&book);
}

/* Every bit of every line. */
Test(witness_entry, no_changed_bit_passes)
{
	struct skm_witness_key key = witness_key(1);
	struct skm_witness_entry entries[COUNT];
	size_t len = 0;
	make(&key, entries);
	char *text = witness_text(entries, 2, &len);
	for (size_t i = 0; i < len - 1; i++) {
		text[i] = (char)(text[i] ^ (1 << (i % 7)));
		struct skm_witness_book book = read_book(text, len);
		cr_expect(book.fault != SKM_WITNESS_FAULT_NONE || book.count < 2, "byte %zu", i);
		skm_witness_book_finish(&book);
		text[i] = (char)(text[i] ^ (1 << (i % 7)));
	}
	free(text);
}

Test(witness_entry, an_unfinished_last_line_is_told_and_does_not_count)
{
	struct skm_witness_key key = witness_key(1);
	struct skm_witness_entry entries[COUNT];
	size_t len = 0;
	make(&key, entries);
	char *text = witness_text(entries, 2, &len);
	struct skm_witness_book book = read_book(text, len - 1);
	cr_expect_eq(book.fault, SKM_WITNESS_FAULT_NONE);
	cr_expect_eq(book.count, 1u);
	cr_expect_gt(book.torn_bytes, 800u);
	skm_witness_book_finish(&book);
	free(text);
}

static void expect_fault(
	const struct skm_witness_entry *entries, size_t count, enum skm_witness_fault fault, size_t line)
{
	struct skm_witness_book book = read_entries(entries, count);
	cr_expect_eq(book.fault, fault, "fault %d instead of %d", (int)book.fault, (int)fault);
	cr_expect_eq(book.count + 1, line, "line %zu instead of %zu", book.count + 1, line);
	skm_witness_book_finish(&book);
}

Test(witness_entry, each_fault_has_its_name)
{
	struct skm_witness_key key = witness_key(1), other = witness_key(2);
	struct skm_witness_entry entries[COUNT], changed[COUNT];
	make(&key, entries);

	memcpy(changed, entries, sizeof(changed));
	changed[1].records++;
	expect_fault(changed, COUNT, SKM_WITNESS_FAULT_ROOT, 2);
	skm_witness_entry_root(&changed[1], changed[1].root);
	expect_fault(changed, COUNT, SKM_WITNESS_FAULT_SIGNATURE, 2);
	witness_seal(&key, &changed[1]); /* by whoever has the key: the next one names what stood there */
	expect_fault(changed, COUNT, SKM_WITNESS_FAULT_PREVIOUS, 3);

	memcpy(changed, entries, sizeof(changed));
	memcpy(changed[2].key, other.public_key, sizeof(other.public_key));
	witness_seal(&other, &changed[2]);
	expect_fault(changed, COUNT, SKM_WITNESS_FAULT_KEY, 3);

	memcpy(changed, entries, sizeof(changed));
	memmove(&changed[1], &changed[2], 2 * sizeof(changed[0])); /* one cut out */
	expect_fault(changed, COUNT - 1, SKM_WITNESS_FAULT_NUMBER, 2);
	expect_fault(entries + 1, COUNT - 1, SKM_WITNESS_FAULT_NUMBER, 1);
}

Test(witness_entry, no_day_is_missing_and_none_there_twice)
{
	static const uint32_t wrong[][2] = {{20261122, 20261122}, {20261120, 20261120}, {20261120, 20261121},
		{20261121, 20261120}, {20261119, 20261121}};
	struct skm_witness_key key = witness_key(1);
	struct skm_witness_entry entries[2];
	entries[0] = witness_entry(&key, NULL);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(wrong); i++) {
		entries[1] = witness_entry(&key, &entries[0]);
		entries[1].first_day = wrong[i][0];
		entries[1].last_day = wrong[i][1];
		witness_seal(&key, &entries[1]);
		expect_fault(entries, 2, SKM_WITNESS_FAULT_DAYS, 2);
	}
}

Test(witness_entry, days_may_be_witnessed_again_when_it_says_so)
{
	struct skm_witness_key key = witness_key(1);
	struct skm_witness_entry entries[4];
	entries[0] = witness_entry(&key, NULL);
	entries[1] = witness_entry(&key, &entries[0]);
	entries[2] = witness_entry(&key, &entries[1]);
	entries[2].again = 1;
	entries[2].first_day = entries[2].last_day = entries[0].last_day;
	witness_seal(&key, &entries[2]);
	entries[3] = witness_entry(&key, &entries[2]);
	entries[3].first_day = entries[3].last_day = 20261122;
	witness_seal(&key, &entries[3]);
	struct skm_witness_book book = read_entries(entries, 4);
	cr_assert_eq(book.fault, SKM_WITNESS_FAULT_NONE);
	cr_expect_not(skm_witness_book_counts(&book, 0));
	cr_expect(skm_witness_book_counts(&book, 1));
	cr_expect(skm_witness_book_counts(&book, 2));
	cr_expect_eq(skm_witness_book_find(&book, 20261120)->number, 3u);
	skm_witness_book_finish(&book);

	entries[2].again = 2; /* names an entry of other days */
	witness_seal(&key, &entries[2]);
	expect_fault(entries, 3, SKM_WITNESS_FAULT_DAYS, 3);
	entries[2].again = 3; /* itself */
	witness_seal(&key, &entries[2]);
	expect_fault(entries, 3, SKM_WITNESS_FAULT_DAYS, 3);
}

Test(witness_entry, days_follow_each_other_as_in_the_calendar)
{
	static const uint32_t pairs[][2] = {{20261130, 20261201}, {20261231, 20270101}, {20280228, 20280229},
		{20280229, 20280301}, {20270228, 20270301}, {21000228, 21000301}, {20000228, 20000229}};
	uint32_t day = 0;
	char text[SKM_WITNESS_DAY_BYTES];
	for (size_t i = 0; i < SKM_ARRAY_SIZE(pairs); i++) {
		cr_expect_eq(skm_witness_day_after(pairs[i][0]), pairs[i][1]);
		skm_witness_day_format(pairs[i][1], text);
		cr_expect_eq(skm_witness_day_parse(text, strlen(text), &day), 0);
		cr_expect_eq(day, pairs[i][1]);
	}
	cr_expect_eq(skm_witness_day_parse("2027-02-29", 10, &day), -EINVAL);
	cr_expect_eq(skm_witness_day_parse("2026-11-2", 9, &day), -EINVAL);
	cr_expect_eq(skm_witness_day_parse("2026/11/20", 10, &day), -EINVAL);
}
