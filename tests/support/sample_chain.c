// SPDX-License-Identifier: Apache-2.0
#include "sample_chain.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "sample_record.h"

#define USEC_PER_DAY INT64_C(86400000000)

void sample_chain_begin(struct sample_chain *chain, const char *stream)
{
	cr_assert_eq(skm_chain_start(), 0);
	*chain = (struct sample_chain){.stream = stream,
		.time = {.realtime_usec = 1795219200000000,
			.boottime_usec = 20000000,
			.monotonic_usec = 20000000,
			.is_synchronised = true,
			.utc_offset_sec = 32400},
		.step_usec = 1000000};
	skm_chain_begin(&chain->chain, chain->first_key);
	chain->chain.boot_number = 1;
	snprintf(chain->boot_id, sizeof(chain->boot_id), "0123456789abcdef0123456789abcdef");
}

void sample_chain_reboot(struct sample_chain *chain)
{
	chain->chain.boot_number++;
	snprintf(chain->boot_id, sizeof(chain->boot_id), "fedcba9876543210%016llx",
		(unsigned long long)chain->chain.boot_number);
	chain->time.boottime_usec = chain->time.monotonic_usec = 20000000;
}

/* ---- lines ---- */

void sample_lines_finish(struct sample_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->lines[i].text);
	free(lines->lines);
	*lines = (struct sample_lines){.lines = NULL};
}

void sample_lines_push(struct sample_lines *lines, const char *text, size_t len)
{
	if (lines->count == lines->room) {
		lines->room = lines->room ? 2 * lines->room : 64;
		lines->lines = reallocarray(lines->lines, lines->room, sizeof(*lines->lines));
		cr_assert_not_null(lines->lines);
	}
	char *copy = malloc(len + 1);
	cr_assert_not_null(copy);
	memcpy(copy, text, len);
	copy[len] = '\0';
	lines->lines[lines->count++] = (struct sample_line){copy, len};
}

void sample_lines_copy(
	struct sample_lines *lines, const struct sample_lines *others, size_t begin, size_t end)
{
	cr_assert_leq(end, others->count);
	for (size_t i = begin; i < end; i++)
		sample_lines_push(lines, others->lines[i].text, others->lines[i].len);
}

void sample_lines_remove(struct sample_lines *lines, size_t begin, size_t end)
{
	cr_assert_leq(end, lines->count);
	for (size_t i = begin; i < end; i++)
		free(lines->lines[i].text);
	memmove(&lines->lines[begin], &lines->lines[end], (lines->count - end) * sizeof(lines->lines[0]));
	lines->count -= end - begin;
}

void sample_lines_swap(struct sample_lines *lines, size_t a, size_t b)
{
	cr_assert(a < lines->count && b < lines->count);
	struct sample_line line = lines->lines[a];
	lines->lines[a] = lines->lines[b];
	lines->lines[b] = line;
}

void sample_lines_replace(struct sample_lines *lines, size_t index, const char *old, const char *new)
{
	struct sample_line *line = &lines->lines[index];
	char *text = NULL;
	cr_assert_lt(index, lines->count);
	char *at = strstr(line->text, old);
	cr_assert_not_null(at, "%s is not in %s", old, line->text);
	int len = asprintf(&text, "%.*s%s%s", (int)(at - line->text), line->text, new, at + strlen(old));
	cr_assert_geq(len, 0);
	free(line->text);
	*line = (struct sample_line){text, (size_t)len};
}

char *sample_lines_join(const struct sample_lines *lines, size_t *ret_len)
{
	size_t len = 0, at = 0;
	for (size_t i = 0; i < lines->count; i++)
		len += lines->lines[i].len + 1;
	char *text = malloc(len + 1);
	cr_assert_not_null(text);
	for (size_t i = 0; i < lines->count; i++) {
		memcpy(text + at, lines->lines[i].text, lines->lines[i].len);
		at += lines->lines[i].len;
		text[at++] = '\n';
	}
	text[at] = '\0';
	*ret_len = len;
	return text;
}

/* ---- records ---- */

void sample_chain_record(struct sample_chain *chain, struct skm_record *record, struct sample_lines *lines)
{
	char line[SKM_RECORD_LINE_MAX];
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	record->stream = chain->stream;
	record->time = chain->time;
	record->sequence = chain->chain.sequence + 1;
	record->boot_number = chain->chain.boot_number;
	snprintf(record->boot_id, sizeof(record->boot_id), "%s", chain->boot_id);
	skm_hex_format(chain->chain.id, sizeof(chain->chain.id), record->chain_id);
	skm_hex_format(chain->chain.head, sizeof(chain->chain.head), record->previous_hash);
	memset(record->mac, '0', sizeof(record->mac) - 1);
	if (record->has_checkpoint) {
		char reason[sizeof(record->checkpoint.reason)];
		memcpy(reason, record->checkpoint.reason, sizeof(reason));
		skm_checkpoint_sign(&chain->chain, chain->time.realtime_usec / 1000 * 1000,
			chain->time.boottime_usec, chain->time.realtime_usec / USEC_PER_DAY,
			&record->checkpoint);
		memcpy(record->checkpoint.reason, reason, sizeof(reason));
		record->checkpoint.lost = chain->lost;
		chain->lost = 0;
	}
	size_t len = skm_record_format(record, line), body_len = 0;
	cr_assert_eq(skm_chain_line_split(line, len, &body_len, NULL), 0);
	skm_chain_extend(&chain->chain, line, body_len, mac);
	skm_hex_format(mac, sizeof(mac), record->mac);
	memcpy(line + body_len + strlen(",\"m\":\""), record->mac, sizeof(record->mac) - 1);
	sample_lines_push(lines, line, len - 1);
	chain->time.realtime_usec += (int64_t)chain->step_usec;
	chain->time.boottime_usec += chain->step_usec;
	chain->time.monotonic_usec += chain->step_usec;
}

void sample_chain_event(struct sample_chain *chain, enum skm_event event, struct sample_lines *lines)
{
	static struct skm_record record; /* large */
	sample_record(event, &record);
	record.count = 0;
	sample_chain_record(chain, &record, lines);
}

void sample_chain_resumed(struct sample_chain *chain, uint64_t lost, struct sample_lines *lines)
{
	static struct skm_record record;
	sample_record(SKM_EVENT_LOG_RESUMED, &record);
	record.count = lost;
	chain->lost += lost;
	sample_chain_record(chain, &record, lines);
}

void sample_chain_records(struct sample_chain *chain, size_t count, struct sample_lines *lines)
{
	static const enum skm_event events[] = {SKM_EVENT_EXPORT_DENIED, SKM_EVENT_DEVICE_ALLOWED,
		SKM_EVENT_AUTH_OK, SKM_EVENT_RESUMED, SKM_EVENT_DEVICE_REMOVED, SKM_EVENT_POLICY_CHANGED};
	for (size_t i = 0; i < count; i++)
		sample_chain_event(chain, events[chain->chain.sequence % SKM_ARRAY_SIZE(events)], lines);
}

void sample_chain_checkpoint(struct sample_chain *chain, const char *reason, struct sample_lines *lines)
{
	static struct skm_record record;
	sample_record(SKM_EVENT_CHECKPOINT, &record);
	record.count = 0;
	record.has_checkpoint = true;
	snprintf(record.checkpoint.reason, sizeof(record.checkpoint.reason), "%s", reason);
	sample_chain_record(chain, &record, lines);
}

void sample_chain_run(struct sample_chain *chain, size_t count, struct sample_lines *lines)
{
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || i + 1 == count || i % 256 == 255)
			sample_chain_checkpoint(chain,
				i == 0		 ? "start"
				: i + 1 == count ? "stop"
						 : "count",
				lines);
		else
			sample_chain_records(chain, 1, lines);
	}
}
