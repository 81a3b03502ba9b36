// SPDX-License-Identifier: Apache-2.0
/* What a durable record costs beside a bare write and fdatasync of as many bytes, in the same folder and in
 * turns, so that the disk's moods hit all alike; and how many records a second go in groups. usage:
 * bench_stream FOLDER [ROUNDS]; prints JSON */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "sekimori/stream.h"

#define GROUPED 200000u
#define SEGMENT_BYTES (UINT64_C(16) << 20)
#define BOOT_ID "0123456789abcdef0123456789abcdef"

static double now_usec(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
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

static double grouped_per_second(struct skm_stream *stream)
{
	struct skm_record record;
	make_record(&record);
	double begin = now_usec();
	for (unsigned i = 0; i < GROUPED; i++) {
		skm_stream_append(stream, &record);
		if (i % 512 == 511 && skm_stream_flush(stream) < 0)
			return -1;
	}
	return skm_stream_flush(stream) < 0 ? -1 : GROUPED / ((now_usec() - begin) / 1e6);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		(void)fprintf(stderr, "usage: %s FOLDER [ROUNDS]\n", argv[0]);
		return 2;
	}
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 3000;
	char path[4096], line[SKM_RECORD_LINE_MAX];
	struct skm_record record;
	struct skm_stream *plain = NULL, *chained = NULL;
	double *bare_usec = calloc(rounds, sizeof(double)), *plain_usec = calloc(rounds, sizeof(double)),
	       *chained_usec = calloc(rounds, sizeof(double));
	(void)snprintf(path, sizeof(path), "%s/bare", argv[1]);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (rounds == 0 || !bare_usec || !plain_usec || !chained_usec || fd < 0 ||
		open_stream(argv[1], "plain", false, &plain) < 0 ||
		open_stream(argv[1], "chained", true, &chained) < 0) {
		perror(argv[1]);
		return 1;
	}
	make_record(&record);
	memset(record.previous_hash, 'a', 64);
	memset(record.mac, 'a', 32);
	memset(record.chain_id, 'a', 32);
	size_t len = skm_record_format(&record, line);
	for (size_t i = 0; i < rounds; i++) {
		bare_usec[i] = time_bare(fd, line, len);
		plain_usec[i] = time_record(plain);
		chained_usec[i] = time_record(chained);
	}
	double grouped = grouped_per_second(chained);
	double bare = percentile(bare_usec, rounds, 0.5), with = percentile(chained_usec, rounds, 0.5);
	(void)printf("{\"line_bytes\": %zu, \"bare_p50_usec\": %.1f, \"bare_p99_usec\": %.1f, "
		     "\"plain_p50_usec\": %.1f, \"chained_p50_usec\": %.1f, \"chained_p99_usec\": %.1f, "
		     "\"chained_over_bare\": %.3f, \"grouped_records_per_second\": %.0f}\n",
		len, bare, percentile(bare_usec, rounds, 0.99), percentile(plain_usec, rounds, 0.5), with,
		percentile(chained_usec, rounds, 0.99), with / bare, grouped);
	(void)skm_stream_free(plain);
	(void)skm_stream_free(chained);
	free(bare_usec);
	free(plain_usec);
	free(chained_usec);
	skm_fd_close(&fd);
	return 0;
}
