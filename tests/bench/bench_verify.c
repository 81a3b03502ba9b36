// SPDX-License-Identifier: Apache-2.0
/* usage: bench_verify [RECORDS [CHAINS]]
 * How fast a stream is proven, beside `b2sum` over the same bytes: the public chain alone, and with the codes
 * of every record. With CHAINS it is a collector's day instead: one file of as many terminals, RECORDS of
 * each, in turns as they come in. What is timed is the whole program, from the files to its report. The logs
 * are genuine: a checkpoint every 256 records, a day's key each 20,000. The three take turns, and the best of
 * five runs counts (of two, for a fleet), which a busy machine moves least. Works in a folder
 * below the current one, prints one JSON object. */
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
#define FLEET_RUNS 2
#define PATH_BYTES 64

static char folder[PATH_BYTES] = "bench-verify-XXXXXX";

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

struct fleet {
	size_t count;
	struct skm_chain *chains;
	uint8_t (*first_keys)[SKM_CHAIN_KEY_BYTES];
};

static void begin_fleet(struct fleet *fleet)
{
	fleet->chains = calloc(fleet->count, sizeof(*fleet->chains));
	fleet->first_keys = calloc(fleet->count, sizeof(*fleet->first_keys));
	if (fleet->count == 0 || !fleet->chains || !fleet->first_keys)
		die("make the chains");
	for (size_t i = 0; i < fleet->count; i++)
		skm_chain_begin(&fleet->chains[i], fleet->first_keys[i]);
}

static uint64_t write_record(FILE *file, struct skm_chain *chain, uint64_t number)
{
	char line[SKM_RECORD_LINE_MAX];
	static struct skm_record record;
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	size_t body_len = 0;
	fill(&record, chain, number);
	size_t len = skm_record_format(&record, line);
	if (skm_chain_line_split(line, len, &body_len, NULL) < 0)
		die("split a line");
	skm_chain_extend(chain, line, body_len, mac);
	skm_hex_format(mac, sizeof(mac), record.mac);
	memcpy(line + body_len + strlen(",\"m\":\""), record.mac, sizeof(record.mac) - 1);
	return fwrite(line, 1, len, file);
}

static uint64_t write_log(const struct fleet *fleet, uint64_t records)
{
	char path[2 * PATH_BYTES];
	uint64_t bytes = 0;
	(void)snprintf(path, sizeof(path), "%s/00000001.jsonl", folder);
	FILE *file = fopen(path, "we");
	if (!file)
		die("write the log");
	for (uint64_t number = 1; number <= records; number++)
		for (size_t i = 0; i < fleet->count; i++)
			bytes += write_record(file, &fleet->chains[i], number);
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
	double begin = now_sec();
	if (run_to("/dev/null", argc, argv) != 0)
		die("verify an honest log");
	return now_sec() - begin;
}

static double time_b2sum(void)
{
	char command[2 * PATH_BYTES];
	(void)snprintf(command, sizeof(command), "b2sum %s/00000001.jsonl >/dev/null", folder);
	double begin = now_sec();
	if (system(command) != 0) /* NOLINT(cert-env33-c,concurrency-mt-unsafe): no stranger's words */
		die("run b2sum");
	return now_sec() - begin;
}

struct times {
	double b2sum, chain_only, keyed; /* seconds */
};

static void keep_best(double *best, double took)
{
	if (*best == 0 || took < *best)
		*best = took;
}

static struct times time_all(const struct fleet *fleet, char *key_path, char *sealed_path)
{
	struct times best = {.b2sum = 0};
	char mixed[] = "--mixed", name[] = "-";
	char *public_argv[] = {name, (char[]){"--chain-only"}, folder, mixed, NULL};
	char *keyed_argv[] = {
		name, (char[]){"--key"}, key_path, (char[]){"--sealed"}, sealed_path, folder, mixed, NULL};
	int more = fleet->count > 1;
	for (int i = 0; i < (more ? FLEET_RUNS : RUNS); i++) {
		keep_best(&best.b2sum, time_b2sum());
		keep_best(&best.chain_only, time_verify(3 + more, public_argv));
		keep_best(&best.keyed, time_verify(6 + more, keyed_argv));
	}
	return best;
}

/* The verifier's pair. */
static void make_key(char *key_path, uint8_t ret_public_key[32])
{
	char *argv[] = {(char[]){"-"}, (char[]){"--json"}, (char[]){"--new-key"}, key_path, NULL};
	char told[2 * PATH_BYTES], text[256] = "";
	size_t len = 0, before = strlen("{\"public_key\":\"");
	(void)snprintf(told, sizeof(told), "%s/public", folder);
	if (run_to(told, 4, argv) != 0 || skm_file_read_at(AT_FDCWD, told, text, sizeof(text), &len) < 0)
		die("make the key");
	if (len < before + 64 || skm_hex_parse(text + before, 32, ret_public_key) < 0)
		die("read the key");
}

/* K_1 of each, as terminals seal it. */
static void seal_keys(const struct fleet *fleet, const uint8_t public_key[32], const char *sealed_path)
{
	FILE *file = fopen(sealed_path, "we");
	if (!file)
		die("seal the keys");
	for (size_t i = 0; i < fleet->count; i++) {
		uint8_t sealed[SKM_CHAIN_SEALED_KEY_BYTES];
		char id[64], sealed_hex[256];
		skm_chain_seal_key(public_key, fleet->first_keys[i], sealed);
		skm_hex_format(fleet->chains[i].id, sizeof(fleet->chains[i].id), id);
		skm_hex_format(sealed, sizeof(sealed), sealed_hex);
		if (fprintf(file, "%s %s\n", id, sealed_hex) < 0)
			die("seal the keys");
	}
	if (fclose(file) != 0)
		die("seal the keys");
}

int main(int argc, char **argv)
{
	char key_path[2 * PATH_BYTES], sealed_path[2 * PATH_BYTES], command[2 * PATH_BYTES];
	uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 10) : RECORDS_DEFAULT;
	struct fleet fleet = {.count = argc > 2 ? strtoul(argv[2], NULL, 10) : 1};
	uint8_t public_key[32];
	if (records == 0 || skm_chain_start() < 0 || !mkdtemp(folder))
		die("begin");
	(void)snprintf(key_path, sizeof(key_path), "%s/key", folder);
	(void)snprintf(sealed_path, sizeof(sealed_path), "%s/sealed", folder);
	begin_fleet(&fleet);
	make_key(key_path, public_key);
	seal_keys(&fleet, public_key, sealed_path);
	uint64_t bytes = write_log(&fleet, records);
	struct times best = time_all(&fleet, key_path, sealed_path);
	double all = (double)records * (double)fleet.count;
	(void)printf("{\"records\":%.0f,\"chains\":%zu,\"bytes\":%" PRIu64
		     ",\"b2sum_mb_per_sec\":%.0f,\"chain_mb_per_sec\":%.0f,\"chain_to_b2sum\":%.2f,"
		     "\"macs_mb_per_sec\":%.0f,\"macs_records_per_sec\":%.0f,\"macs_sec\":%.2f}\n",
		all, fleet.count, bytes, (double)bytes / best.b2sum / 1e6,
		(double)bytes / best.chain_only / 1e6, best.b2sum / best.chain_only,
		(double)bytes / best.keyed / 1e6, all / best.keyed, best.keyed);
	free(fleet.chains);
	free(fleet.first_keys);
	(void)snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) != 0; /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
}
