// SPDX-License-Identifier: Apache-2.0
/* What a durable record costs beside a bare write and fdatasync of as many bytes, in the same folder and in
 * turns, so that the disk's moods hit all alike; and the same for many records in groups, where the disk
 * counts little and the processor much. usage: bench_stream FOLDER [ROUNDS]; prints JSON */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "sekimori/stream.h"

#define TURNS 20u
#define TURN_RECORDS 10240u
#define FLUSH_RECORDS 512u
#define BARE_BYTES ((size_t)256000) /* the stream's own buffer */
#define SEGMENT_BYTES (UINT64_C(16) << 20)
#define BOOT_ID "0123456789abcdef0123456789abcdef"

static double clock_usec(clockid_t clock)
{
	struct timespec now;
	(void)clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double now_usec(void)
{
	return clock_usec(CLOCK_MONOTONIC);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Sorts. */
static double percentile(double *samples, size_t count, double share)
{
	qsort(samples, count, sizeof(*samples), compare);
	return samples[(size_t)((double)(count - 1) * share)];
}

static int open_stream(const char *folder, const char *name, bool has_chain, struct skm_stream **ret_stream)
{
	char path[4096], state[4096];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	(void)snprintf(state, sizeof(state), "%s/%s.chain", folder, name);
	if (mkdir(path, 0750) < 0 && errno != EEXIST)
		return -errno;
	const struct skm_stream_chain_options options = {.path = state, .boot_id = BOOT_ID};
	int r = skm_stream_new(path, SEGMENT_BYTES, ret_stream);
	return r == 0 && has_chain ? skm_stream_set_chain(*ret_stream, &options) : r;
}

static void make_record(struct skm_record *record)
{
	struct skm_clock clock = skm_clock_system();
	skm_record_init(record, SKM_EVENT_EXPORT_DENIED);
	clock.now(clock.user, &record->time);
	(void)snprintf(record->boot_id, sizeof(record->boot_id), BOOT_ID);
	(void)snprintf(record->detail, sizeof(record->detail), "a record of the usual length");
	record->has_device = true;
	record->device.interface_count = 1;
}

static double time_record(struct skm_stream *stream)
{
	struct skm_record record;
	make_record(&record);
	double begin = now_usec();
	skm_stream_append(stream, &record);
	return skm_stream_flush(stream) == 0 ? now_usec() - begin : -1;
}

static double time_bare(int fd, const char *line, size_t len)
{
	double begin = now_usec();
	return write(fd, line, len) == (ssize_t)len && fdatasync(fd) == 0 ? now_usec() - begin : -1;
}

/* Of each turn; a turn is short, so that others who use the machine do not meet all of them. */
struct grouped {
	double usec[TURNS], cpu_usec[TURNS], bare_usec[TURNS];
};

static int time_group(
	struct skm_stream *stream, const struct skm_record *record, unsigned turn, struct grouped *grouped)
{
	double begin = now_usec(), cpu_begin = clock_usec(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned i = 1; i <= TURN_RECORDS; i++) {
		skm_stream_append(stream, record);
		int r = i % FLUSH_RECORDS == 0 ? skm_stream_flush(stream) : 0;
		if (r < 0)
			return r;
	}
	grouped->usec[turn] = now_usec() - begin;
	grouped->cpu_usec[turn] = clock_usec(CLOCK_PROCESS_CPUTIME_ID) - cpu_begin;
	return 0;
}

/* As many bytes, in writes and syncs as large. */
static int time_bare_group(int fd, const char *bytes, size_t total, unsigned turn, struct grouped *grouped)
{
	double begin = now_usec();
	for (size_t done = 0; done < total;) {
		size_t len = total - done < BARE_BYTES ? total - done : BARE_BYTES;
		if (write(fd, bytes, len) != (ssize_t)len || fdatasync(fd) < 0)
			return -EIO;
		done += len;
	}
	grouped->bare_usec[turn] = now_usec() - begin;
	return 0;
}

static int time_grouped(struct skm_stream *stream, int fd, size_t line_len, struct grouped *grouped)
{
	struct skm_record record;
	make_record(&record);
	SKM_CLEANUP(skm_free) char *bytes = malloc(BARE_BYTES);
	int r = bytes ? 0 : -ENOMEM;
	if (bytes)
		memset(bytes, 'a', BARE_BYTES);
	for (unsigned i = 0; r == 0 && i < TURNS; i++) {
		r = time_bare_group(fd, bytes, TURN_RECORDS * line_len, i, grouped);
		if (r == 0)
			r = time_group(stream, &record, i, grouped);
	}
	return r;
}

struct samples {
	double *bare, *plain, *chained; /* usec */
	size_t count;
};

/* Sorts. */
static double per_second(double *turns_usec, double share)
{
	return TURN_RECORDS / percentile(turns_usec, TURNS, share) * 1e6;
}

static void print(size_t line_len, const struct samples *samples, struct grouped *grouped)
{
	double bare = percentile(samples->bare, samples->count, 0.5),
	       chained = percentile(samples->chained, samples->count, 0.5);
	(void)printf("{\"line_bytes\": %zu, \"bare_p50_usec\": %.1f, \"bare_p99_usec\": %.1f, "
		     "\"plain_p50_usec\": %.1f, \"chained_p50_usec\": %.1f, \"chained_p99_usec\": %.1f, "
		     "\"chained_over_bare\": %.3f, \"grouped_records_per_second\": %.0f, "
		     "\"grouped_best_per_second\": %.0f, \"grouped_bare_per_second\": %.0f, "
		     "\"grouped_cpu_usec\": %.2f}\n",
		line_len, bare, percentile(samples->bare, samples->count, 0.99),
		percentile(samples->plain, samples->count, 0.5), chained,
		percentile(samples->chained, samples->count, 0.99), chained / bare,
		per_second(grouped->usec, 0.5), per_second(grouped->usec, 0),
		per_second(grouped->bare_usec, 0.5), 1e6 / per_second(grouped->cpu_usec, 0.5));
}

static size_t usual_line(char line[SKM_RECORD_LINE_MAX])
{
	struct skm_record record;
	make_record(&record);
	memset(record.previous_hash, 'a', 64);
	memset(record.mac, 'a', 32);
	memset(record.chain_id, 'a', 32);
	return skm_record_format(&record, line);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		(void)fprintf(stderr, "usage: %s FOLDER [ROUNDS]\n", argv[0]);
		return 2;
	}
	char path[4096], line[SKM_RECORD_LINE_MAX];
	struct skm_stream *plain = NULL, *chained = NULL;
	struct grouped grouped = {.usec = {0}};
	struct samples samples = {.count = argc > 2 ? strtoul(argv[2], NULL, 10) : 3000};
	samples.bare = calloc(samples.count, sizeof(double));
	samples.plain = calloc(samples.count, sizeof(double));
	samples.chained = calloc(samples.count, sizeof(double));
	(void)snprintf(path, sizeof(path), "%s/bare", argv[1]);
	SKM_CLEANUP(skm_fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (samples.count == 0 || !samples.bare || !samples.plain || !samples.chained || fd < 0 ||
		open_stream(argv[1], "plain", false, &plain) < 0 ||
		open_stream(argv[1], "chained", true, &chained) < 0) {
		perror(argv[1]);
		return 1;
	}
	size_t len = usual_line(line);
	for (size_t i = 0; i < samples.count; i++) {
		samples.bare[i] = time_bare(fd, line, len);
		samples.plain[i] = time_record(plain);
		samples.chained[i] = time_record(chained);
	}
	int r = time_grouped(chained, fd, len, &grouped);
	if (r == 0)
		print(len, &samples, &grouped);
	else
		(void)fprintf(stderr, "%s: %s\n", argv[1], strerror(-r));
	(void)skm_stream_free(plain);
	(void)skm_stream_free(chained);
	free(samples.bare);
	free(samples.plain);
	free(samples.chained);
	return r < 0;
}
