// SPDX-License-Identifier: Apache-2.0
/* The file of an output: what is taken, and what is said of what is not. */
#include <criterion/criterion.h>
#include <string.h>

#include "output_settings.h"
#include "output_state.h"

static int parse(const char *text, struct skm_output_settings *settings, struct skm_output_fault *fault)
{
	return skm_output_settings_parse(text, strlen(text), settings, fault);
}

Test(output_settings, kinds_round_trip)
{
	for (int i = 0; i < SKM_OUTPUT_KIND_COUNT_; i++) {
		enum skm_output_kind kind = SKM_OUTPUT_KIND_COUNT_;
		cr_assert_eq(skm_output_kind_from_string(
				     skm_output_kind_to_string((enum skm_output_kind)i), &kind),
			0);
		cr_assert_eq((int)kind, i);
	}
}

Test(output_settings, both_kinds)
{
	struct skm_output_settings settings;
	struct skm_output_fault fault;
	char target[SKM_OUTPUT_TARGET_BYTES];
	cr_assert_eq(
		parse("# of ours\noutput=kafka\nbrokers=k1:9093,[fd00::1]:9093\ntopic=audit\nca=/x/ca\nuser=山田\n",
			&settings, &fault),
		0);
	cr_assert_str_eq(settings.place, "k1:9093,[fd00::1]:9093");
	cr_assert_str_eq(settings.user, "山田");
	cr_assert(!settings.is_plain);
	skm_output_settings_target(&settings, target);
	cr_assert_str_eq(target, "kafka:audit");
	cr_assert_eq(parse("output=opensearch\nurl=https://os.example.jp:9200//\nindex=audit-1", &settings,
			     &fault),
		0);
	skm_output_settings_target(&settings, target);
	cr_assert_str_eq(target, "https://os.example.jp:9200/audit-1");
}

Test(output_settings, faults_name_line_and_key)
{
	static const struct {
		const char *text, *key, *found;
		unsigned line;
	} cases[] = {
		{"", "output", "nothing", 0},
		{"topic=a\n", "output", "topic", 1},
		{"output=syslog\n", "output", "syslog", 1},
		{"output=kafka\noutput=kafka\n", "output", "twice", 2},
		{"output=kafka\ntopic=a\n", "brokers", "nothing", 0},
		{"output=kafka\nbrokers=k:1\n", "topic", "nothing", 0},
		{"output=kafka\nbrokers=k\n", "brokers", "k", 2},
		{"output=kafka\nbrokers=\n", "brokers", "", 2},
		{"output=kafka\nbrokers=k:1,,l:1\n", "brokers", "k:1,,l:1", 2},
		{"output=kafka\nbrokers=[::1:1\n", "brokers", "[::1:1", 2},
		{"output=kafka\nbrokers=-k:1\n", "brokers", "-k:1", 2},
		{"output=kafka\nurl=https://x\n", "?", "url", 2},
		{"output=kafka\nfrob\n", "?", "frob", 2},
		{"output=kafka\nbrokers=k:1\ntopic=t\nplaintext=maybe\n", "plaintext", "maybe", 4},
		{"output=kafka\nbrokers=k:1\ntopic=t\nplaintext=yes\nuser=u\n", "plaintext", "yes with user",
			0},
		{"output=kafka\nca=rel\n", "ca", "rel", 2},
		{"output=kafka\nuser=a\tb\n", "user", "a?b", 2},
		{"output=opensearch\nurl=http://x\n", "url", "http://x", 2},
		{"output=opensearch\nurl=https://\n", "url", "https://", 2},
		{"output=opensearch\nurl=https://u:p@x\n", "url", "https://u:p@x", 2},
		{"output=opensearch\nurl=https://x/?a\n", "url", "https://x/?a", 2},
		{"output=opensearch\nurl=https://x:\n", "url", "https://x:", 2},
		{"output=opensearch\nindex=Audit\n", "index", "Audit", 2},
		{"output=opensearch\nindex=-a\n", "index", "-a", 2},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		struct skm_output_settings settings = {.is_plain = true};
		struct skm_output_fault fault = {.line = 99};
		cr_assert_eq(parse(cases[i].text, &settings, &fault), SKM_OUTPUT_SETTINGS_WRONG, "%s",
			cases[i].text);
		cr_assert_str_eq(fault.key, cases[i].key, "%s", cases[i].text);
		cr_assert_str_eq(fault.found, cases[i].found, "%s", cases[i].text);
		cr_assert_eq(fault.line, cases[i].line, "%s", cases[i].text);
		cr_assert(fault.allowed_en && fault.allowed_ja);
		cr_assert(settings.is_plain && settings.place[0] == '\0', "untouched on failure");
	}
	struct skm_output_settings settings;
	struct skm_output_fault fault;
	cr_assert_eq(skm_output_settings_parse("output=kafka\0x", 14, &settings, &fault),
		SKM_OUTPUT_SETTINGS_WRONG);
}

Test(output_state, round_trip_and_nothing_else)
{
	struct skm_output_state state = {.target = "kafka:audit",
					.sent = {20261121, 2, 12345},
					.tail = "0a0b",
					.records = 7,
					.strange = 1,
					.sent_sec = 1795264180,
					.trouble_sec = 1795264190,
					.trouble = "down"},
				again = {.records = 0};
	char text[SKM_OUTPUT_STATE_BYTES_MAX];
	size_t len = skm_output_state_format(&state, text);
	cr_assert_eq(skm_output_state_parse(text, len, &again), 0);
	cr_assert_str_eq(again.target, "kafka:audit");
	cr_assert(again.sent.day == 20261121 && again.sent.part == 2 && again.sent.offset == 12345);
	cr_assert(again.records == 7 && again.strange == 1 && again.sent_sec == 1795264180);
	cr_assert_str_eq(again.trouble, "down");
	cr_assert_str_eq(again.tail, "0a0b");
	for (size_t cut = 0; cut < len; cut++)
		cr_assert_eq(skm_output_state_parse(text, cut, &again), -EBADMSG, "cut at %zu", cut);
	static const char *const wrong[] = {
		"target=x\nfile=-\noffset=01\ntail=\nrecords=0\nstrange=0\nsent_at=0\ntrouble_since=0\ntrouble=\n",
		"target=x\nfile=2026-13-01.001.jsonl\noffset=1\ntail=\nrecords=0\nstrange=0\nsent_at=0\ntrouble_since=0\ntrouble=\n",
		"target=x\nfile=-\noffset=1\ntail=\nrecords=0\nstrange=0\nsent_at=-1\ntrouble_since=0\ntrouble=\n",
		"target=x\nfile=-\noffset=1\ntail=\nrecords=0\nstrange=0\nsent_at=0\ntrouble_since=0\ntrouble=\nmore\n"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(wrong); i++)
		cr_assert_eq(
			skm_output_state_parse(wrong[i], strlen(wrong[i]), &again), -EBADMSG, "%s", wrong[i]);
	/* A server's words make no second line. */
	(void)strcpy(state.trouble, "a\nfile=-");
	len = skm_output_state_format(&state, text);
	cr_assert_eq(skm_output_state_parse(text, len, &again), 0);
	cr_assert_str_eq(again.trouble, "a?file=-");
}
