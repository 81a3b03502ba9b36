// SPDX-License-Identifier: Apache-2.0
/* What rsyslog hands over, taken apart. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/result.h"
#include "wire.h"

static char line[4096];

static struct skm_wire parse_bytes(const char *text, size_t len)
{
	struct skm_wire wire;
	memcpy(line, text, len);
	skm_wire_parse(line, len, &wire);
	return wire;
}

static struct skm_wire parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static bool holds(const struct skm_wire *wire, const char *expected, size_t len)
{
	return wire->payload_len == len && memcmp(wire->payload, expected, len) == 0;
}

Test(store_wire, takes_the_envelope_off)
{
	struct skm_wire wire = parse("10.0.0.7 <109>1 - T-1203 sekimori-agent - - - {\\\"a\\\":1}");
	cr_assert(wire.is_ours);
	cr_assert_str_eq(wire.address, "10.0.0.7");
	cr_assert_str_eq(wire.terminal, "T-1203");
	cr_assert_str_eq(wire.stream, "agent");
	cr_assert(holds(&wire, "{\"a\":1}", 7));
}

Test(store_wire, takes_a_japanese_number_and_an_address_of_ipv6)
{
	struct skm_wire wire = parse("2001:db8::1 <13>1 2026-11-21T09:00:00Z 税務-07 sekimori-auth 1 2 - x");
	cr_assert(wire.is_ours);
	cr_assert_str_eq(wire.address, "2001:db8::1");
	cr_assert_str_eq(wire.terminal, "税務-07");
	cr_assert_str_eq(wire.stream, "auth");
}

Test(store_wire, gives_back_every_byte)
{
	struct skm_wire wire = parse(
		"::1 <109>1 - T sekimori-agent - - - \\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u001E\\u001b\xff\xe6\xbc\xa2");
	cr_assert(wire.is_ours);
	cr_assert(holds(&wire, "\"\\/\b\f\n\r\t\0\x1e\x1b\xff\xe6\xbc\xa2", 15));
}

Test(store_wire, leaves_alone_what_is_no_escape)
{
	struct skm_wire wire = parse("::1 <109>1 - T sekimori-agent - - - \\x \\u12 \\u1234 \\u00zz \\");
	cr_assert(holds(&wire, "\\x \\u12 \\u1234 \\u00zz \\", 23));
}

Test(store_wire, splits_at_the_separator)
{
	struct skm_wire wire = parse("::1 <109>1 - T sekimori-agent - - - one\\u001Etwo\\u001E\\u001Ethree");
	static const char *const expected[] = {"one", "two", "", "three"};
	const char *record = NULL;
	size_t len = 0;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(expected); i++) {
		cr_assert(skm_wire_next(&wire, &record, &len));
		cr_assert_eq(len, strlen(expected[i]));
		cr_assert_eq(memcmp(record, expected[i], len), 0);
	}
	cr_assert_not(skm_wire_next(&wire, &record, &len));
}

Test(store_wire, knows_a_sign_of_life)
{
	struct skm_wire wire = parse("10.0.0.7 <109>1 - T-1203 sekimori-agent - alive - on");
	cr_assert(wire.is_ours);
	cr_assert(wire.is_alive);
	cr_assert_str_eq(wire.terminal, "T-1203");
	cr_assert_str_eq(wire.stream, "agent");
	/* Nothing else is one: what it carries is to be kept. */
	static const char *const others[] = {"- - - on", "- alive - ", "- alive - on ", "- alive - one",
		"- alive - {\"a\":1}", "- Alive - on", "alive - - on", "- alive on", "- alive x on"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(others); i++) {
		char text[128];
		snprintf(text, sizeof(text), "10.0.0.7 <109>1 - T-1203 sekimori-agent %s", others[i]);
		cr_assert_not(parse(text).is_alive, "%s", others[i]);
	}
	cr_assert_not(parse("10.0.0.7 <109>1 - T-1203 rsyslogd - alive - on").is_alive);
	cr_assert_not(parse("10.0.0.7 <109>1 - T\x1b sekimori-agent - alive - on").is_alive);
}

Test(store_wire, keeps_what_has_another_envelope_as_it_is)
{
	static const char *const messages[] = {"", "x", "<109>1 - T sekimori-agent - - -",
		"<109>1 - T sekimori-agent - - x payload", "<109>2 - T sekimori-agent - - - x",
		"<>1 - T sekimori-agent - - - x", "<1090>1 - T sekimori-agent - - - x",
		"<1a>1 - T sekimori-agent - - - x", "109>1 - T sekimori-agent - - - x",
		"<109>1 - T sekimori- - - - x", "<109>1 - T sekimori-Agent - - - x",
		"<109>1 - T sekimori-abcdefghijklmnopq - - - x", "<109>1 - T rsyslogd - - - x",
		"<109>1 -  sekimori-agent - - - x", "<109>1 - T\x1b sekimori-agent - - - x",
		"<109>1 - T\nT sekimori-agent - - - x"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(messages); i++) {
		char text[256];
		snprintf(text, sizeof(text), "10.0.0.7 %s", messages[i]);
		struct skm_wire wire = parse(text);
		cr_assert_not(wire.is_ours, "%s", messages[i]);
		cr_assert(holds(&wire, messages[i], strlen(messages[i])), "%s", messages[i]);
		cr_assert_str_eq(wire.terminal, "");
		cr_assert_str_eq(wire.stream, "");
		cr_assert_str_eq(wire.address, "10.0.0.7");
	}
}

Test(store_wire, refuses_a_name_that_would_act_on_a_terminal)
{
	char text[256];
	static const char *const names[] = {"a\\\"b", "a\\\\b", "a\x7f", "a\\u0007"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(names); i++) {
		snprintf(text, sizeof(text), "::1 <109>1 - %s sekimori-agent - - - x", names[i]);
		cr_assert_not(parse(text).is_ours, "%s", names[i]);
	}
	static const char c1[] = "::1 <109>1 - a\xc2\x9b"
				 "31m sekimori-agent - - - x";
	cr_assert_not(parse(c1).is_ours, "CSI in one character");
	static const char bidi[] = "::1 <109>1 - a\xe2\x80\xae"
				   "b sekimori-agent - - - x";
	cr_assert_not(parse(bidi).is_ours, "turns the writing direction");
	static const char broken[] = "::1 <109>1 - a\xff sekimori-agent - - - x";
	cr_assert_not(parse(broken).is_ours, "no UTF-8");
	snprintf(text, sizeof(text), "::1 <109>1 - %065d sekimori-agent - - - x", 0);
	cr_assert_not(parse(text).is_ours, "longer than a number may be");
}

Test(store_wire, has_no_address_where_there_is_none)
{
	struct skm_wire wire = parse("<109>1-without-a-space");
	cr_assert_str_eq(wire.address, "");
	cr_assert(holds(&wire, "<109>1-without-a-space", 22));
	wire = parse_bytes("", 0);
	cr_assert_eq(wire.payload_len, 0);
	wire = parse(" <109>1 - T sekimori-agent - - - x");
	cr_assert(wire.is_ours);
	cr_assert_str_eq(wire.address, "");
}

Test(store_wire, knows_the_beat_of_its_rsyslogd)
{
	cr_assert(parse("127.0.0.1 resource-usage: origin=impstats utime=0 stime=2727 ").is_beat);
	cr_assert_not(parse("10.0.0.7 resource-usage: origin=impstats utime=0").is_beat, "a terminal's word");
	cr_assert_not(parse("127.0.0.1 resource-usage: origin=impstat").is_beat);
	cr_assert_not(parse("127.0.0.1 global: origin=dynstats ").is_beat);
	cr_assert_not(parse("127.0.0.1 <109>1 - T-1203 sekimori-agent - - - {}").is_beat);
}
