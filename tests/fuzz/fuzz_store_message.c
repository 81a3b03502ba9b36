// SPDX-License-Identifier: Apache-2.0
/* Any line from omprog: taken apart, judged and put aside without reading or writing outside, and nothing
 * that is taken for a record can break the file of records into other lines. */
#include <stdlib.h>
#include <string.h>

#include "aside.h"
#include "gap_list.h"
#include "record_facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void check_aside(const struct skm_wire *wire, const char *bytes, size_t len)
{
	static const struct skm_timestamp time = {.realtime_usec = 1};
	struct skm_bytes text = {.data = NULL};
	CHECK(skm_aside_add(&text, &time, "FOREIGN", wire, bytes, len) == 0);
	CHECK(memchr(text.data, '\n', text.len) == text.data + text.len - 1);
	skm_bytes_free(&text);
}

static void check_record(
	struct skm_ledger *ledger, const struct skm_wire *wire, const char *record, size_t len)
{
	struct skm_record_facts facts;
	struct skm_arrival arrival = {wire->terminal, wire->stream, wire->address, 1, false};
	enum skm_judgement judgement;
	check_aside(wire, record, len);
	if (skm_record_facts_parse(record, len, &facts) < 0)
		return;
	CHECK(!memchr(record, '\n', len));
	CHECK(facts.sequence >= 1 && facts.sequence <= SKM_RECORD_FACTS_SEQUENCE_MAX);
	CHECK(skm_ledger_take(ledger, &facts, &arrival, &judgement) == 0);
	const struct skm_chain_entry *entry = skm_ledger_find(ledger, facts.chain_id);
	CHECK(entry && skm_gaps_are_sound(entry) && skm_chain_entry_complete(entry) <= entry->sequence);
	CHECK(skm_chain_entry_missing(entry) < entry->sequence || entry->sequence == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct skm_ledger_options none = {.known = NULL};
	struct skm_ledger *ledger = NULL;
	struct skm_wire wire;
	const char *record = NULL;
	size_t len = 0, total = 0;
	if (size == 0 || skm_chain_start() < 0)
		return 0;
	char *line = malloc(size);
	CHECK(line && skm_ledger_new(&none, &ledger) == 0);
	memcpy(line, data, size);
	skm_wire_parse(line, size, &wire);
	CHECK(wire.payload >= line && wire.payload + wire.payload_len <= line + size);
	CHECK(memchr(wire.address, '\0', sizeof(wire.address)) &&
		memchr(wire.terminal, '\0', sizeof(wire.terminal)));
	CHECK(wire.is_ours == (wire.terminal[0] != '\0') && wire.is_ours == (wire.stream[0] != '\0'));
	CHECK(!wire.is_alive || wire.is_ours);
	if (wire.is_alive)
		CHECK(!skm_ledger_alive(ledger, wire.terminal, wire.stream, 1) &&
			skm_ledger_count(ledger) == 0);
	while (skm_wire_next(&wire, &record, &len)) {
		total += len + 1;
		check_record(ledger, &wire, record, len);
	}
	CHECK(total <= size + 1);
	skm_ledger_undo(ledger);
	CHECK(skm_ledger_count(ledger) == 0);
	ledger = skm_ledger_free(ledger);
	free(line);
	return 0;
}
