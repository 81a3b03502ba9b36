// SPDX-License-Identifier: Apache-2.0
/* Writes one stream of one terminal as the daemons do, with nothing of its own between the record and the
 * disk: lib/stream, chained, in small groups, until the stream has COUNT records. Then it says so ("COUNT\n")
 * and waits: closed standard input is an orderly stop with its checkpoint, a kill is a kill at any point.
 * While the disk is full it does as the daemons do: some more happens and waits in memory, and it tries
 * again.
 *
 * With COUNT 0 it goes on until it is killed, and says after each sync how many are stored; what cannot be
 * stored, for whatever reason, waits and is tried again.
 *
 * usage: chain_writer LOG-FOLDER CHAIN-FILE STREAM TERMINAL VERIFIER-KEY COUNT [GROUP [SEGMENT-BYTES]] */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sample_record.h"
#include "sekimori/chain.h"
#include "sekimori/parse.h"
#include "sekimori/stop_reason.h"
#include "sekimori/stream.h"

#define SEGMENT_BYTES (UINT64_C(2) << 20)
#define GROUP 8		   /* records between two syncs, when nothing else is said */
#define HELD_RECORDS 2000u /* happen while the disk is full; fewer than the stream keeps */
#define RETRY_NSEC 20000000L

struct writer {
	const char *stream_name, *terminal;
	struct skm_clock clock;
	char boot_id[SKM_BOOT_ID_BYTES];
	uint64_t group, made; /* in this run */
	struct skm_stream *stream;
};

/* What the terminal adds to every record, also to those that the stream makes. */
static void stamp(void *user, struct skm_record *record)
{
	struct writer *writer = user;
	writer->clock.now(writer->clock.user, &record->time);
	record->stream = writer->stream_name;
	(void)snprintf(record->boot_id, sizeof(record->boot_id), "%s", writer->boot_id);
	(void)snprintf(record->terminal_number, sizeof(record->terminal_number), "%s", writer->terminal);
}

/* Texts that have their own ways of being broken on the road, and lines of all lengths. */
static void append(struct writer *writer)
{
	static const enum skm_event events[] = {SKM_EVENT_EXPORT_DENIED, SKM_EVENT_DEVICE_REMOVED,
		SKM_EVENT_POLICY_CHANGED, SKM_EVENT_RESUMED};
	struct skm_record record;
	sample_record(events[writer->made % SKM_ARRAY_SIZE(events)], &record);
	stamp(writer, &record);
	(void)snprintf(record.section, sizeof(record.section), "𠮷㈱\n\x1e\x1b[31m\r%%s#012");
	(void)snprintf(record.detail, sizeof(record.detail), "%0*llu \xff\xfe \"\\",
		(int)(writer->made % 400), (unsigned long long)writer->made);
	skm_stream_append(writer->stream, &record);
	writer->made++;
}

/* Says "full" once, and comes back when there is room again. */
static int flush_with_patience(struct writer *writer)
{
	int r = skm_stream_flush(writer->stream);
	if (r != -ENOSPC)
		return r;
	(void)printf("full\n");
	(void)fflush(stdout);
	for (unsigned held = 0; (r = skm_stream_flush(writer->stream)) == -ENOSPC; held++)
		if (held < HELD_RECORDS)
			append(writer);
		else
			(void)nanosleep(&(struct timespec){.tv_nsec = RETRY_NSEC}, NULL);
	return r;
}

static int tell(struct writer *writer, int r, uint64_t *ret_sequence)
{
	struct skm_stream_state state;
	skm_stream_get_state(writer->stream, &state);
	if (r < 0)
		(void)fprintf(stderr, "chain_writer: %s\n", state.error);
	*ret_sequence = state.sequence;
	return r;
}

static int flush(struct writer *writer, uint64_t *ret_sequence)
{
	return tell(writer, flush_with_patience(writer), ret_sequence);
}

static void say(uint64_t sequence)
{
	(void)printf("%llu\n", (unsigned long long)sequence);
	(void)fflush(stdout);
}

static void write_on(struct writer *writer)
{
	uint64_t sequence = 0;
	for (;;) {
		for (uint64_t i = 0; i < writer->group; i++)
			append(writer);
		while (tell(writer, skm_stream_flush(writer->stream), &sequence) < 0)
			(void)nanosleep(&(struct timespec){.tv_nsec = RETRY_NSEC}, NULL);
		say(sequence);
	}
}

/* As in the evening; a stop for another reason would be an alarm at the collector. */
static void stop(struct writer *writer)
{
	struct skm_record record;
	if (strcmp(writer->stream_name, "agent") != 0)
		return;
	skm_record_init(&record, SKM_EVENT_AGENT_STOP);
	stamp(writer, &record);
	(void)snprintf(record.rule, sizeof(record.rule), "%s", skm_stop_reason_to_string(SKM_STOP_SHUTDOWN));
	skm_stream_append(writer->stream, &record);
}

static int write_until(struct writer *writer, uint64_t count)
{
	uint64_t sequence = 0;
	char byte;
	int r = flush(writer, &sequence);
	while (r == 0 && sequence < count) {
		for (uint64_t i = 0; i < writer->group; i++)
			append(writer);
		r = flush(writer, &sequence);
	}
	if (r < 0)
		return r;
	say(sequence);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	stop(writer);
	skm_stream_checkpoint(writer->stream, "stop");
	return flush(writer, &sequence);
}

int main(int argc, char **argv)
{
	uint8_t key[32];
	uint64_t count = 0, segment_bytes = SEGMENT_BYTES;
	struct writer writer = {.clock = skm_clock_system(), .group = GROUP};
	if (argc < 7 || argc > 9 || strlen(argv[5]) != 2 * sizeof(key) ||
		skm_hex_parse(argv[5], sizeof(key), key) < 0 ||
		skm_parse_uint(argv[6], 0, UINT64_MAX, &count) < 0 ||
		(argc >= 8 && skm_parse_uint(argv[7], 1, 1000, &writer.group) < 0) ||
		(argc == 9 && skm_parse_uint(argv[8], 1, UINT64_MAX, &segment_bytes) < 0) ||
		skm_boot_id_read(writer.boot_id) < 0)
		return 2;
	writer.stream_name = argv[3];
	writer.terminal = argv[4];
	const struct skm_stream_chain_options chain = {
		.path = argv[2], .verifier_key = key, .boot_id = writer.boot_id};
	int r = skm_stream_new(argv[1], segment_bytes, &writer.stream);
	if (r == 0)
		r = skm_stream_set_chain(writer.stream, &chain);
	if (r == 0) {
		skm_stream_set_stamp(writer.stream, stamp, &writer);
		if (count == 0)
			write_on(&writer);
		r = write_until(&writer, count);
	}
	writer.stream = skm_stream_free(writer.stream);
	return r < 0 ? 1 : 0;
}
