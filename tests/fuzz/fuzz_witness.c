// SPDX-License-Identifier: Apache-2.0
/* Whatever stands in witness.jsonl, in a report or on paper: read without reading outside, and what is taken
 * for an entry is exactly what would be written. */
#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "form.h"
#include "verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void check_line(const char *line, size_t len)
{
	char again[SKM_WITNESS_LINE_BYTES];
	struct skm_witness_entry entry;
	if (skm_witness_entry_parse(line, len, &entry) < 0)
		return;
	CHECK(skm_witness_entry_format(&entry, again) == len);
	CHECK(memcmp(again, line, len) == 0);
}

static void check_book(const char *text, size_t len)
{
	struct skm_witness_book book = {.entries = NULL};
	CHECK(skm_witness_book_parse(&book, text, len) == 0);
	for (size_t i = 0; i < book.count; i++)
		CHECK(book.entries[i].number == i + 1);
	skm_witness_book_finish(&book);
}

static void check_typed(const char *text)
{
	uint8_t root[SKM_WITNESS_HASH_BYTES];
	size_t digits = 0;
	unsigned row = 0;
	if (skm_witness_root_parse(text, root, &digits, &row) == -EBADMSG)
		CHECK(row >= 1 && row <= SKM_WITNESS_ROWS);
	(void)!skm_witness_typed_parse(text, root, SKM_WITNESS_FINGERPRINT_BYTES);
}

static void check_report(const char *text, size_t len)
{
	struct skm_witness_heads heads = {.marks = NULL};
	struct skm_witness_verdict verdict;
	if (skm_witness_verdict_read(text, len, 0, &heads, &verdict) == 0)
		CHECK(verdict.exit_code == 0);
	skm_witness_heads_finish(&heads);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (skm_chain_start() < 0)
		return 0;
	char *text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	const char *newline = memchr(text, '\n', size);
	check_line(text, newline ? (size_t)(newline - text) : size);
	check_book(text, size);
	check_typed(text);
	check_report(text, size);
	free(text);
	return 0;
}
