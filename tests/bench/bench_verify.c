// SPDX-License-Identifier: Apache-2.0
/* usage: bench_verify [RECORDS]
 * How fast a stream is proven, beside `b2sum` over the same bytes: the public chain alone, and with the codes
 * of every record. What is timed is the whole program, from the files to its report. The log is genuine: a
 * checkpoint every 256 records, a day's key each 20,000. The best of five runs counts, which a busy machine
 * moves least. Prints one JSON object. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "sekimori/io.h"
#include "sekimori/record.h"
#include "sekimori/verify_command.h"

#define RECORDS_DEFAULT 200000u
#define RECORDS_PER_DAY 20000u
#define RUNS 5
#define PATH_BYTES 64

static char folder[PATH_BYTES] = "/tmp/sekimori-bench-XXXXXX";

static void die(const char *what)
{
	(void)fprintf(stderr, "bench_verify: cannot %s\n", what);
	exit(1);
}

static double now_sec(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fill(struct skm_record *record, struct skm_chain *chain, uint64_t number)
{
	bool is_checkpoint = number % 256 == 1;
	skm_record_init(record, is_checkpoint ? SKM_EVENT_CHECKPOINT : SKM_EVENT_AGENT_START);
	record->sequence = number;
	record->boot_number = 1;
	record->time =
		(struct skm_timestamp){.realtime_usec = INT64_C(1795219200000000) + (int64_t)number * 4320000,
			.boottime_usec = number * 4320000,
			.monotonic_usec = number * 4320000,
			.is_synchronised = true};
	(void)snprintf(record->boot_id, sizeof(record->boot_id), "0123456789abcdef0123456789abcdef");
	(void)snprintf(record->terminal_number, sizeof(record->terminal_number), "PC-042");
	(void)snprintf(record->section, sizeof(record->section), "市民課");
	(void)snprintf(record->user, sizeof(record->user), "tanaka");
	(void)snprintf(record->detail, sizeof(record->detail), "the bench writes record %" PRIu64, number);
	skm_hex_format(chain->id, sizeof(chain->id), record->chain_id);
	skm_hex_format(chain->head, sizeof(chain->head), record->previous_hash);
	memset(record->mac, '0', sizeof(record->mac) - 1);
	if (!is_checkpoint)
		return;
	record->has_checkpoint = true;
	(void)snprintf(record->checkpoint.reason, sizeof(record->checkpoint.reason), "count");
	skm_checkpoint_sign(chain, record->time.realtime_usec / 1000 * 1000, record->time.boottime_usec,
		(int64_t)(number / RECORDS_PER_DAY), &record->checkpoint);
}

static uint64_t write_log(struct skm_chain *chain, uint64_t records)
{
	char line[SKM_RECORD_LINE_MAX], path[2 * PATH_BYTES];
	static struct skm_record record;
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	uint64_t bytes = 0;
	(void)snprintf(path, sizeof(path), "%s/00000001.jsonl", folder);
	FILE *file = fopen(path, "we");
	if (!file)
		die("write the log");
	for (uint64_t number = 1; number <= records; number++) {
		size_t body_len = 0;
		fill(&record, chain, number);
		size_t len = skm_record_format(&record, line);
		if (skm_chain_line_split(line, len, &body_len, NULL) < 0)
			die("split a line");
		skm_chain_extend(chain, line, body_len, mac);
		skm_hex_format(mac, sizeof(mac), record.mac);
		memcpy(line + body_len + strlen(",\"m\":\""), record.mac, sizeof(record.mac) - 1);
		bytes += fwrite(line, 1, len, file);
	}
	if (fclose(file) != 0)
		die("write the log");
	return bytes;
}

/* Runs it with stdout into `path` of the folder. */
static int run_to(const char *path, int argc, char **argv)
{
	const struct skm_verify_command command = {.name = "bench_verify", .language = SKM_LANGUAGE_EN};
	(void)fflush(stdout);
	int kept = dup(STDOUT_FILENO), fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (kept < 0 || fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
		die("redirect");
	int exit_code = skm_verify_command(&command, argc, argv);
	(void)fflush(stdout);
	if (dup2(kept, STDOUT_FILENO) < 0)
		die("redirect");
	(void)close(kept);
	(void)close(fd);
	return exit_code;
}

static double time_verify(int argc, char **argv)
{
	double best = 1e9;
	for (int i = 0; i < RUNS; i++) {
		double begin = now_sec();
		if (run_to("/dev/null", argc, argv) != 0)
			die("verify an honest log");
		double took = now_sec() - begin;
		best = took < best ? took : best;
	}
	return best;
}

static double time_b2sum(void)
{
	char command[2 * PATH_BYTES];
	double best = 1e9;
	(void)snprintf(command, sizeof(command), "b2sum %s/00000001.jsonl >/dev/null", folder);
	for (int i = 0; i < RUNS; i++) {
		double begin = now_sec();
		if (system(command) !=
			0) /* NOLINT(cert-env33-c,concurrency-mt-unsafe): no stranger's words */
			die("run b2sum");
		double took = now_sec() - begin;
		best = took < best ? took : best;
	}
	return best;
}

/* The verifier's pair, and K_1 sealed to it, as a terminal does. */
static void write_keys(
	const struct skm_chain *chain, const uint8_t *first_key, char *key_path, char *sealed_path)
{
	char *argv[] = {(char[]){"-"}, (char[]){"--json"}, (char[]){"--new-key"}, key_path, NULL};
	char told[2 * PATH_BYTES], text[256] = "", id[64], sealed_hex[256];
	uint8_t public_key[32], sealed[SKM_CHAIN_SEALED_KEY_BYTES];
	size_t len = 0;
	(void)snprintf(told, sizeof(told), "%s/public", folder);
	if (run_to(told, 4, argv) != 0 || skm_file_read_at(AT_FDCWD, told, text, sizeof(text), &len) < 0)
		die("make the key");
	const char *hex = text + strlen("{\"public_key\":\"");
	for (size_t i = 0; i < sizeof(public_key); i++) {
		unsigned byte = 0;
		if (sscanf(hex + 2 * i, "%2x", &byte) !=
			1) /* NOLINT(cert-err34-c): the program's own digits */
			die("read the key");
		public_key[i] = (uint8_t)byte;
	}
	skm_chain_seal_key(public_key, first_key, sealed);
	skm_hex_format(chain->id, sizeof(chain->id), id);
	skm_hex_format(sealed, sizeof(sealed), sealed_hex);
	FILE *file = fopen(sealed_path, "we");
	if (!file || fprintf(file, "%s %s\n", id, sealed_hex) < 0 || fclose(file) != 0)
		die("seal the key");
}

int main(int argc, char **argv)
{
	char key_path[2 * PATH_BYTES], sealed_path[2 * PATH_BYTES], command[2 * PATH_BYTES];
	uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 10) : RECORDS_DEFAULT;
	struct skm_chain chain;
	uint8_t first_key[SKM_CHAIN_KEY_BYTES];
	if (skm_chain_start() < 0 || !mkdtemp(folder))
		die("begin");
	skm_chain_begin(&chain, first_key);
	uint64_t bytes = write_log(&chain, records);
	(void)snprintf(key_path, sizeof(key_path), "%s/key", folder);
	(void)snprintf(sealed_path, sizeof(sealed_path), "%s/sealed", folder);
	write_keys(&chain, first_key, key_path, sealed_path);

	char *public_argv[] = {(char[]){"-"}, (char[]){"--chain-only"}, folder, NULL};
	char *keyed_argv[] = {
		(char[]){"-"}, (char[]){"--key"}, key_path, (char[]){"--sealed"}, sealed_path, folder, NULL};
	double b2sum = time_b2sum(), chain_only = time_verify(3, public_argv),
	       keyed = time_verify(6, keyed_argv);
	(void)printf("{\"records\":%" PRIu64 ",\"bytes\":%" PRIu64
		     ",\"b2sum_mb_per_sec\":%.0f,\"chain_mb_per_sec\":%.0f,\"chain_to_b2sum\":%.2f,"
		     "\"macs_mb_per_sec\":%.0f,\"macs_records_per_sec\":%.0f}\n",
		records, bytes, (double)bytes / b2sum / 1e6, (double)bytes / chain_only / 1e6,
		b2sum / chain_only, (double)bytes / keyed / 1e6, (double)records / keyed);
	
	(void)snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) != 0; /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
}
