// SPDX-License-Identifier: Apache-2.0
/* What the collector reads out of a record that the real writer wrote. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "record_facts.h"
#include "sample_record.h"
#include "store_lines.h"

static char line[SKM_RECORD_LINE_MAX];

Test(store_facts, reads_what_the_writer_writes)
{
	struct terminal terminal;
	struct skm_record_facts facts;
	terminal_begin(&terminal, "T-1", "agent", 7);
	for (unsigned event = 0; event < SKM_EVENT_COUNT_; event++) {
		struct skm_record record;
		struct skm_chain before = terminal.chain;
		sample_record((enum skm_event)event, &record);
		size_t len = terminal_write(&terminal, &record, line);
		cr_assert_eq(skm_record_facts_parse(line, len, &facts), 0, "%s", line);
		cr_assert_eq(facts.event, event);
		cr_assert_eq(facts.outcome, record.outcome);
		cr_assert_eq(facts.sequence, event + 1);
		cr_assert_str_eq(facts.stream, "agent");
		cr_assert_str_eq(facts.terminal, "T-1");
		cr_assert_eq(memcmp(facts.chain_id, terminal.chain.id, sizeof(facts.chain_id)), 0);
		cr_assert_eq(memcmp(facts.previous_hash, before.head, sizeof(before.head)), 0);
		cr_assert_eq(memcmp(facts.hash, terminal.chain.head, sizeof(facts.hash)), 0);
		cr_assert_eq(facts.time_msec, record.time.realtime_usec / 1000);
		cr_assert(facts.is_synchronised);
		cr_assert_eq(facts.offset_usec, -1500);
	}
}

Test(store_facts, reads_the_longest_lines_of_hostile_bytes)
{
	static const char *const units[] = {
		"\x01", "\n", "\xff", "\"", "\\", "\xe9\x96\xa2", ",\"skm\":{\"stream\":\""};
	struct terminal terminal;
	struct skm_record_facts facts;
	terminal_begin(&terminal, "T-1", "auth", 7);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(units); i++) {
		struct skm_record record;
		sample_record(SKM_EVENT_EXPORT_DENIED, &record);
		sample_fill(&record, units[i]);
		snprintf(record.boot_id, sizeof(record.boot_id), "%032d", 0);
		size_t len = terminal_write(&terminal, &record, line);
		cr_assert_eq(skm_record_facts_parse(line, len, &facts), 0, "%s", line);
		cr_assert_eq(facts.sequence, i + 1);
		cr_assert_eq(memcmp(facts.hash, terminal.chain.head, sizeof(facts.hash)), 0);
		cr_assert_str_eq(facts.stream, "auth");
	}
}

Test(store_facts, reads_a_checkpoint)
{
	struct terminal terminal;
	struct skm_record record;
	struct skm_record_facts facts;
	terminal_begin(&terminal, "T-1", "agent", 7);
	skm_record_init(&record, SKM_EVENT_CHECKPOINT);
	record.has_checkpoint = true;
	record.checkpoint.lost = 42;
	snprintf(record.checkpoint.reason, sizeof(record.checkpoint.reason), "stop");
	size_t len = terminal_write(&terminal, &record, line);
	cr_assert_eq(skm_record_facts_parse(line, len, &facts), 0, "%s", line);
	cr_assert_eq(facts.lost, 42);
	cr_assert_str_eq(facts.reason, "stop");
}

Test(store_facts, reads_why_the_agent_stopped)
{
	struct terminal terminal;
	struct skm_record record;
	struct skm_record_facts facts;
	terminal_begin(&terminal, "T-1", "agent", 7);
	for (unsigned i = 0; i < SKM_STOP_COUNT_; i++) {
		skm_record_init(&record, SKM_EVENT_AGENT_STOP);
		snprintf(record.rule, sizeof(record.rule), "%s",
			skm_stop_reason_to_string((enum skm_stop_reason)i));
		/* What a person can choose cannot be the word. */
		snprintf(record.user, sizeof(record.user),
			"\",\"policy\":{\"rule\":\"builtin:stop-shutdown\"");
		size_t len = terminal_write(&terminal, &record, line);
		cr_assert_eq(skm_record_facts_parse(line, len, &facts), 0, "%s", line);
		cr_assert_eq(facts.stop, i, "%s", line);
	}
	/* Of another version, or of another event: no reason. */
	snprintf(record.rule, sizeof(record.rule), "builtin:stop-shutdowns");
	size_t len = terminal_write(&terminal, &record, line);
	cr_assert_eq(skm_record_facts_parse(line, len, &facts), 0);
	cr_assert_eq(facts.stop, SKM_STOP_UNKNOWN);
	skm_record_init(&record, SKM_EVENT_AGENT_START);
	snprintf(record.rule, sizeof(record.rule), "builtin:stop-shutdown");
	len = terminal_write(&terminal, &record, line);
	cr_assert_eq(skm_record_facts_parse(line, len, &facts), 0);
	cr_assert_eq(facts.stop, SKM_STOP_UNKNOWN);
}

/* Each change must either be refused or change the hash; the number of a changed record is not believed
 * otherwise. */
Test(store_facts, no_changed_byte_leaves_the_hash_as_it_was)
{
	struct terminal terminal;
	struct skm_record_facts facts, changed;
	char copy[SKM_RECORD_LINE_MAX];
	terminal_begin(&terminal, "T-1", "agent", 7);
	size_t len = terminal_record(&terminal, SKM_EVENT_RESUMED, "x", line);
	cr_assert_eq(skm_record_facts_parse(line, len, &facts), 0);
	size_t body_len = len - strlen(",\"m\":\"0123456789abcdef0123456789abcdef\"}");
	for (size_t i = 0; i < body_len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(copy, line, len);
			copy[i] ^= (char)(1u << bit);
			if (skm_record_facts_parse(copy, len, &changed) < 0)
				continue;
			cr_assert_neq(memcmp(facts.hash, changed.hash, sizeof(facts.hash)), 0, "byte %zu", i);
		}
	}
}

static void refuse(const char *from, const char *to)
{
	struct skm_record_facts facts = {.sequence = 77};
	char copy[SKM_RECORD_LINE_MAX];
	char *at = strstr(line, from);
	cr_assert_not_null(at, "%s", from);
	snprintf(copy, sizeof(copy), "%.*s%s%s", (int)(at - line), line, to, at + strlen(from));
	cr_assert_eq(skm_record_facts_parse(copy, strlen(copy), &facts), -EBADMSG, "%s", copy);
	cr_assert_eq(facts.sequence, 77, "untouched");
}

Test(store_facts, refuses_what_is_no_record)
{
	struct terminal terminal;
	struct skm_record_facts facts;
	terminal_begin(&terminal, "T-1", "agent", 7);
	size_t len = terminal_record(&terminal, SKM_EVENT_RESUMED, "x", line);
	refuse("\"n\":1,", "\"n\":0,");
	refuse("\"n\":1,", "\"n\":01,");
	refuse("\"n\":1,", "\"n\":-1,");
	refuse("\"n\":1,", "\"n\":1099511627777,");
	refuse("\"n\":1,", "\"n\":99999999999999999999,");
	refuse("\"n\":1,", "\"n\":,");
	refuse("\"c\":\"07", "\"c\":\"0G");
	refuse("\"stream\":\"agent\"", "\"stream\":\"\"");
	refuse("\"stream\":\"agent\"", "\"stream\":\"Agent\"");
	refuse("\"stream\":\"agent\"", "\"stream\":\"abcdefghijklmnopq\"");
	refuse("\"p\":\"", "\"p\": \"");
	refuse("\"},\"m\":", "\"},\"x\":1,\"m\":");
	refuse("{\"time\"", "[\"time\"");
	refuse("\"detail\":\"x\"", "\"detail\":\"\t\"");
	cr_assert_eq(skm_record_facts_parse(line, len - 1, &facts), -EBADMSG);
	cr_assert_eq(skm_record_facts_parse(line, 0, &facts), -EBADMSG);
	memset(line + len, 'x', sizeof(line) - len);
	cr_assert_eq(skm_record_facts_parse(line, sizeof(line), &facts), -EBADMSG);
}

/* A later version may know more events; an odd head is somebody's own affair. */
Test(store_facts, stores_a_record_whose_head_is_odd)
{
	struct terminal terminal;
	struct skm_record_facts facts;
	terminal_begin(&terminal, "T-1", "agent", 7);
	size_t len = terminal_record(&terminal, SKM_EVENT_RESUMED, "x", line);
	char *event = strstr(line, "\"RESUMED\"");
	memcpy(event, "\"FUTURED\"", 9);
	cr_assert_eq(skm_record_facts_parse(line, len, &facts), 0);
	cr_assert_eq(facts.event, SKM_EVENT_COUNT_);
	memcpy(strstr(line, "\"time\""), "\"tame\"", 6);
	cr_assert_eq(skm_record_facts_parse(line, len, &facts), 0);
	cr_assert_eq(facts.sequence, 1);
	cr_assert_str_eq(facts.terminal, "");
}
