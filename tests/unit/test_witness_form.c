// SPDX-License-Identifier: Apache-2.0
/* The paper: one page, in both languages, and what is typed in from it is taken or refused where it is wrong.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "form.h"
#include "sekimori/io.h"
#include "witness_book.h"

static void start(void)
{
	cr_assert_eq(skm_chain_start(), 0);
}

TestSuite(witness_form, .init = start);

static char *print(const struct skm_witness_entry *entry, const uint8_t *earlier_root)
{
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	cr_assert_not_null(file);
	skm_witness_form_print(file, entry, earlier_root);
	fclose(file);
	return text;
}

static size_t columns(const char *line, size_t len)
{
	size_t width = 0;
	for (size_t i = 0; i < len; i++)
		width += ((unsigned char)line[i] & 0xc0) == 0x80 ? 0 : (unsigned char)line[i] < 0x80 ? 1 : 2;
	return width;
}

/* The worst case: everything that can be said is said. */
Test(witness_form, is_one_page_whatever_was_found)
{
	struct skm_witness_key key = witness_key(1);
	struct skm_witness_entry entry = witness_entry(&key, NULL);
	uint8_t earlier[SKM_WITNESS_HASH_BYTES] = {1};
	entry.again = 999999;
	entry.changed = 999999;
	entry.first_day = 20260101;
	entry.records = entry.files = entry.chains = entry.terminals = SKM_WITNESS_COUNT_MAX;
	entry.is_complete = false;
	entry.exit_code = 21;
	for (unsigned kind = 0; kind < SKM_FINDING_COUNT_; kind++)
		entry.findings[kind] = 1000000 + kind;
	char *text = print(&entry, earlier);
	size_t lines = 0;
	cr_expect(skm_utf8_is_valid(text, strlen(text)));
	for (const char *line = text; *line; lines++) {
		size_t len = strcspn(line, "\n");
		cr_expect_leq(columns(line, len), 80u, "too wide: %.*s", (int)len, line);
		line += len + 1;
	}
	cr_expect_leq(lines, (size_t)SKM_WITNESS_FORM_LINES_MAX, "%zu lines", lines);
	for (unsigned kind = 0; kind < SKM_FINDING_COUNT_; kind++)
		cr_expect_not_null(strstr(text, skm_finding_to_string((enum skm_finding_kind)kind)));
	free(text);
}

Test(witness_form, says_what_an_auditor_needs)
{
	static const char *const words[] = {"2026-11-20\n", "1,234,567\n", "2,000\n", "4,000\n",
		"証明値 / root", "担当者印", "立会人印", "完全で検証済み / complete and verified\n",
		"2026-11-21T02:30:00Z"};
	struct skm_witness_key key = witness_key(1);
	struct skm_witness_entry entry = witness_entry(&key, NULL);
	uint8_t fingerprint[SKM_WITNESS_FINGERPRINT_BYTES], typed[SKM_WITNESS_FINGERPRINT_BYTES];
	char *text = print(&entry, NULL);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(words); i++)
		cr_expect_not_null(strstr(text, words[i]), "%s is missing", words[i]);
	const char *at = strstr(text, "fingerprint of the signing key");
	cr_assert_not_null(at);
	at += strspn(strchr(at, '\n'), "\n ") + (size_t)(strchr(at, '\n') - at);
	char line[64];
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
	cr_expect_eq(skm_witness_typed_parse(line, typed, sizeof(typed)), 0, "%s", line);
	skm_witness_fingerprint(entry.key, fingerprint);
	cr_expect_eq(memcmp(fingerprint, typed, sizeof(typed)), 0);
	free(text);
}

/* "Complete" is said in one case only. */
Test(witness_form, does_not_say_complete_of_what_is_not)
{
	struct skm_witness_key key = witness_key(1);
	struct skm_witness_entry entry = witness_entry(&key, NULL);
	entry.is_complete = false;
	for (unsigned exit_code = 0; exit_code <= 21; exit_code++) {
		entry.exit_code = exit_code;
		char *text = print(&entry, NULL);
		cr_expect_null(strstr(text, "complete and verified"), "exit %u", exit_code);
		free(text);
	}
	entry.findings[SKM_FINDING_EDIT] = 1;
	char *text = print(&entry, NULL);
	cr_expect_not_null(strstr(text, "NOT COMPLETE"));
	free(text);
}

/* The four rows as they stand on the page. */
static void rows_of(const struct skm_witness_entry *entry, char rows[512])
{
	char *text = print(entry, NULL);
	const char *begin = strstr(text, "1:");
	cr_assert_not_null(begin);
	const char *end = begin;
	for (unsigned i = 0; i < SKM_WITNESS_ROWS; i++)
		end = strchr(end, '\n') + 1;
	snprintf(rows, 512, "%.*s", (int)(end - begin), begin);
	free(text);
}

Test(witness_form, a_root_is_taken_as_it_is_printed)
{
	struct skm_witness_key key = witness_key(1);
	struct skm_witness_entry entry = witness_entry(&key, NULL);
	uint8_t root[SKM_WITNESS_HASH_BYTES];
	char rows[512], plain[2 * SKM_WITNESS_HASH_BYTES + 1];
	size_t digits = 0;
	unsigned row = 0;
	rows_of(&entry, rows);
	cr_assert_eq(skm_witness_root_parse(rows, root, &digits, &row), 0, "%s", rows);
	cr_expect_eq(memcmp(root, entry.root, sizeof(root)), 0);
	for (char *at = rows; *at; at++)
		*at = (char)(*at >= 'a' && *at <= 'f' ? *at - 'a' + 'A' : *at);
	cr_expect_eq(skm_witness_root_parse(rows, root, &digits, &row), 0, "%s", rows);
	skm_hex_format(entry.root, sizeof(entry.root), plain);
	memset(root, 0, sizeof(root));
	cr_expect_eq(skm_witness_root_parse(plain, root, &digits, &row), 0);
	cr_expect_eq(memcmp(root, entry.root, sizeof(root)), 0);
}

/* By the definition, computed in Python: b2sum of the bytes 3, the row's number and the row. */
Test(witness_form, check_digits_are_those_of_the_definition)
{
	uint8_t root[SKM_WITNESS_HASH_BYTES];
	size_t digits = 0;
	unsigned row = 0;
	cr_expect_eq(skm_witness_root_parse("0001020304050607 e2 08090a0b0c0d0e0f af 1011121314151617 9a "
					    "18191a1b1c1d1e1f 38",
			     root, &digits, &row),
		0);
	cr_expect_eq(root[31], 31u);
}

Test(witness_form, a_slip_of_the_finger_is_found_at_its_row)
{
	struct skm_witness_key key = witness_key(1);
	struct skm_witness_entry entry = witness_entry(&key, NULL);
	uint8_t root[SKM_WITNESS_HASH_BYTES] = {7};
	char rows[512];
	size_t digits = 0;
	rows_of(&entry, rows);
	char *at = rows;
	for (unsigned expected = 1; expected <= SKM_WITNESS_ROWS; expected++) {
		unsigned row = 0;
		char *digit = strchr(at, ':') + 3;
		char right = *digit;
		*digit = right == '0' ? '1' : '0';
		cr_expect_eq(skm_witness_root_parse(rows, root, &digits, &row), -EBADMSG);
		cr_expect_eq(row, expected);
		*digit = right;
		at = strchr(at, '\n') + 1;
	}
	cr_expect_eq(root[0], 7u, "an output was touched on failure");
}

Test(witness_form, what_is_no_root_is_refused)
{
	static const char *const wrong[] = {"", "3f2a", "zz", "\xe3\x81\x82",
		"0000000000000000000000000000000000000000000000000000000000000000000",
		"000000000000000000000000000000000000000000000000000000000000000g",
		"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"};
	uint8_t root[SKM_WITNESS_HASH_BYTES];
	size_t digits = 0;
	unsigned row = 0;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(wrong); i++) {
		cr_expect_eq(skm_witness_root_parse(wrong[i], root, &digits, &row), -EINVAL, "%s", wrong[i]);
		cr_expect_eq(skm_witness_typed_parse(wrong[i], root, 16), -EINVAL, "%s", wrong[i]);
	}
}
