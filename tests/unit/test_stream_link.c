// SPDX-License-Identifier: Apache-2.0
/* What a line says about the chain, and that only our own lines say anything. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "../../lib/stream_link.h"
#include "sample_record.h"

static char line[SKM_RECORD_LINE_MAX + 1];

static void sample(enum skm_event event, struct skm_record *ret_record)
{
	sample_record(event, ret_record);
	snprintf(ret_record->previous_hash, sizeof(ret_record->previous_hash), "%064x", 0xabcdefu);
	snprintf(ret_record->mac, sizeof(ret_record->mac), "%032x", 0x12345u);
}

static size_t format(enum skm_event event)
{
	struct skm_record record;
	sample(event, &record);
	size_t len = skm_record_format(&record, line) - 1;
	line[len] = '\0';
	return len;
}

static bool is_hex(const uint8_t *bytes, size_t len, const char *text)
{
	char formatted[2 * 64 + 1];
	skm_hex_format(bytes, len, formatted);
	return strcmp(formatted, text) == 0;
}

Test(stream_link, an_ordinary_record)
{
	struct skm_line_link link;
	struct skm_record record;
	size_t len = format(SKM_EVENT_EXPORT_DENIED);
	sample(SKM_EVENT_EXPORT_DENIED, &record);
	cr_assert_eq(skm_line_link_parse(line, len, &link), 0);
	cr_expect(is_hex(link.chain_id, sizeof(link.chain_id), record.chain_id));
	cr_expect(is_hex(link.previous_hash, sizeof(link.previous_hash), record.previous_hash));
	cr_expect(is_hex(link.mac, sizeof(link.mac), record.mac));
	cr_expect(is_hex(link.boot_id, sizeof(link.boot_id), record.boot_id));
	cr_expect_eq(link.sequence, 17);
	cr_expect_eq(link.boot_number, 3);
	cr_expect_eq(link.day, 20778); /* 2026-11-21 */
	cr_expect_not(link.is_checkpoint);
	cr_expect_eq(strncmp(line + link.body_len, ",\"m\":\"", 6), 0);
}

Test(stream_link, a_checkpoint)
{
	struct skm_line_link link;
	struct skm_record record;
	sample(SKM_EVENT_CHECKPOINT, &record);
	memset(record.checkpoint.next_key, 0xa7, sizeof(record.checkpoint.next_key));
	size_t len = skm_record_format(&record, line) - 1;
	cr_assert_eq(skm_line_link_parse(line, len, &link), 0);
	cr_expect(link.is_checkpoint);
	cr_expect_eq(memcmp(link.next_key, record.checkpoint.next_key, sizeof(link.next_key)), 0);
}

/* Texts of strangers look like members, and are not: their quotes are escaped. */
Test(stream_link, texts_are_no_members)
{
	struct skm_line_link link;
	struct skm_record record;
	sample(SKM_EVENT_EXPORT_DENIED, &record);
	snprintf(record.device.product, sizeof(record.device.product), "\",\"checkpoint\":{\"h\":\"");
	snprintf(record.detail, sizeof(record.detail),
		",\"skm\":{\"stream\":\"agent\",\"c\":\"%032d\",\"n\":99,\"b\":null,\"bn\":1}", 0);
	size_t len = skm_record_format(&record, line) - 1;
	cr_assert_eq(skm_line_link_parse(line, len, &link), 0);
	cr_expect_eq(link.sequence, 17);
	cr_expect_not(link.is_checkpoint);
}

Test(stream_link, days_before_1970)
{
	struct skm_line_link link;
	struct skm_record record;
	sample(SKM_EVENT_AGENT_START, &record);
	record.time.realtime_usec = -1;
	size_t len = skm_record_format(&record, line) - 1;
	cr_assert_eq(skm_line_link_parse(line, len, &link), 0);
	cr_expect_eq(link.day, -1);
	record.time.realtime_usec = 0;
	len = skm_record_format(&record, line) - 1;
	cr_assert_eq(skm_line_link_parse(line, len, &link), 0);
	cr_expect_eq(link.day, 0);
}

Test(stream_link, a_record_without_a_chain_is_none)
{
	struct skm_line_link link = {.sequence = 5};
	struct skm_record record;
	sample(SKM_EVENT_AGENT_START, &record);
	record.chain_id[0] = record.previous_hash[0] = record.mac[0] = '\0';
	record.boot_number = 0;
	size_t len = skm_record_format(&record, line) - 1;
	cr_expect_eq(skm_line_link_parse(line, len, &link), -EBADMSG);
	cr_expect_eq(link.sequence, 5, "an output was touched");
}

Test(stream_link, a_boot_that_is_not_known_is_zeros)
{
	static const uint8_t zeros[16];
	struct skm_line_link link;
	struct skm_record record;
	sample(SKM_EVENT_AGENT_START, &record);
	record.boot_id[0] = '\0';
	size_t len = skm_record_format(&record, line) - 1;
	cr_assert_eq(skm_line_link_parse(line, len, &link), 0);
	cr_expect_eq(memcmp(link.boot_id, zeros, sizeof(zeros)), 0);
}

Test(stream_link, no_part_of_a_line_is_a_line)
{
	struct skm_line_link link;
	size_t len = format(SKM_EVENT_CHECKPOINT);
	for (size_t cut = 0; cut < len; cut++)
		cr_assert_eq(skm_line_link_parse(line, cut, &link), -EBADMSG, "cut at %zu", cut);
	for (size_t skip = 1; skip <= len; skip++)
		cr_assert_eq(skm_line_link_parse(line + skip, len - skip, &link), -EBADMSG, "from %zu", skip);
}

/* One byte changed within the chain's own members, to anything that is no hex digit there. */
Test(stream_link, the_members_have_one_spelling)
{
	struct skm_line_link link;
	size_t len = format(SKM_EVENT_AGENT_START);
	char *chain = strstr(line, ",\"skm\":{");
	cr_assert_not_null(chain);
	for (char *at = chain; at < line + len; at++) {
		char kept = *at;
		/* the name of the stream is not looked at here */
		if (at >= chain + strlen(",\"skm\":{\"stream\":\"") && at < strstr(chain, "\",\"c\""))
			continue;
		for (const char *other = "AF gZ\"{"; *other; other++) {
			*at = *other;
			if (*at != kept)
				cr_assert_eq(skm_line_link_parse(line, len, &link), -EBADMSG, "%s", chain);
		}
		*at = kept;
	}
	cr_expect_eq(skm_line_link_parse(line, len, &link), 0);
}
