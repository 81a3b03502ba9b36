// SPDX-License-Identifier: Apache-2.0
/* The terminal's name: what the forwarder sends is what the store takes, and finds again in a record. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "record_facts.h"
#include "sekimori/terminal_name.h"
#include "store_lines.h"
#include "wire.h"

static void expect_name(const char *number, const char *wanted)
{
	char name[SKM_TERMINAL_BYTES];
	skm_terminal_name(number, name);
	cr_expect_str_eq(name, wanted);
}

Test(terminal_name, plain_ones_stay)
{
	expect_name("T-0123", "T-0123");
	expect_name("端末7", "端末7");
	expect_name("住民課_042.a", "住民課_042.a");
	expect_name("𠮷田-㈱", "𠮷田-㈱");
}

Test(terminal_name, what_cannot_stand_in_a_word_is_replaced)
{
	expect_name(" a b\tc\n\x7f", "_a_b_c__");
	expect_name("", "-");
	expect_name("PC\"7\\", "PC_7_");
	expect_name("PC\u2010042", "PC_042");
	expect_name("PC\u202e240", "PC_240");
	expect_name("a\xc2\x85\u061c\u2066z", "a___z");
	expect_name("\xff\x80PC\xe2\x80", "__PC__");
	expect_name("\xe2", "_");
}

Test(terminal_name, the_longest)
{
	char longest[200], name[SKM_TERMINAL_BYTES];
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	skm_terminal_name(longest, name);
	cr_expect_eq(strlen(name), SKM_TERMINAL_BYTES - 1);
}

static size_t encode(uint32_t code, char *ret)
{
	if (code < 0x80) {
		ret[0] = (char)code;
		return 1;
	}
	size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	for (size_t i = len - 1; i > 0; i--, code >>= 6)
		ret[i] = (char)(0x80 | (code & 0x3f));
	ret[0] = (char)((0xf00 >> len & 0xff) | code);
	return len;
}

static bool is_taken(const char *name)
{
	char line[200];
	struct skm_wire wire;
	int len = snprintf(line, sizeof(line), "::1 <109>1 - %s sekimori-agent - - - x", name);
	skm_wire_parse(line, (size_t)len, &wire);
	return wire.is_ours && strcmp(wire.terminal, name) == 0;
}

/* Every character there is. */
Test(terminal_name, the_store_takes_whatever_is_sent, .timeout = 120)
{
	for (uint32_t code = 1; code < 0x110000; code++) {
		char number[16] = "PC", name[SKM_TERMINAL_BYTES];
		if (code >= 0xd800 && code < 0xe000)
			continue;
		memcpy(number + 2 + encode(code, number + 2), "7", 2);
		skm_terminal_name(number, name);
		cr_assert(is_taken(name), "U+%04X", (unsigned)code);
		/* What needs no change gets none. */
		cr_assert(!is_taken(number) || strcmp(name, number) == 0, "U+%04X", (unsigned)code);
	}
	for (unsigned byte = 0x80; byte < 0x100; byte++) {
		char number[] = {'P', (char)byte, '7', '\0'}, name[SKM_TERMINAL_BYTES];
		skm_terminal_name(number, name);
		cr_assert(is_taken(name), "0x%02x", byte);
	}
}

/* After a start without a saved state the store knows a terminal by its records alone. */
Test(terminal_name, a_record_says_the_same)
{
	static const char *const numbers[] = {
		"T-1", "PC 042", "PC\u2010042", "PC\u202e1", "a\"b\\c", "端末 7", "\xc2\x85x"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(numbers); i++) {
		struct terminal terminal;
		struct skm_record_facts facts;
		char line[SKM_RECORD_LINE_MAX], name[SKM_TERMINAL_BYTES];
		terminal_begin(&terminal, numbers[i], "agent", 7);
		size_t len = terminal_record(&terminal, SKM_EVENT_EXPORT_DENIED, "", line);
		skm_terminal_name(numbers[i], name);
		cr_assert_eq(skm_record_facts_parse(line, len, &facts), 0);
		cr_expect_str_eq(facts.terminal, name);
	}
}
