// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a line of a segment. What is understood as a link of a chain must be one of our lines, with
 * the same number, and a body that the chain's own splitter finds too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/stream_link.h"
#include "../../lib/stream_segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data;
	struct skm_line_link link;
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	uint64_t sequence = 0;
	size_t body_len = 0;
	if (skm_line_link_parse(line, size, &link) < 0)
		return 0;
	require(size <= SKM_RECORD_LINE_MAX, "longer than any line of ours");
	require(skm_segment_line_sequence(line, size, &sequence) == 0 && sequence == link.sequence,
		"the number");
	require(sequence > 0 && sequence <= SKM_SEQUENCE_MAX, "the number's range");
	require(skm_chain_line_split(line, size, &body_len, mac) == 0, "no MAC");
	require(body_len == link.body_len && body_len < size, "the body");
	require(memcmp(mac, link.mac, sizeof(mac)) == 0, "the MAC");
	require(line[body_len - 1] == '}', "the chain is not the last member");
	return 0;
}
