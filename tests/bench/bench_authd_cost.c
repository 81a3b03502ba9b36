// SPDX-License-Identifier: Apache-2.0
/* usage: bench_authd_cost --case right|wrong|unknown|unenrolled|locked [--count N]
 * What one verification costs in authd, without the socket: N of one kind, on a real store in a folder of its
 * own. Prints one JSON object with the time of each. For instructions, the same under
 *   valgrind --tool=callgrind --toggle-collect=verify_once …
 * which counts the verifications and nothing of the preparation. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "authenticator.h"
#include "otp_code.h"
#include "sekimori/parse.h"

#define SECRET "12345678901234567890123456789012"
#define ALICE 1000
#define BOB 1001
#define STEP_SEC (5 * 3600) /* longer than any wait: each attempt is one like the first */

static struct skm_timestamp now = {.realtime_usec = INT64_C(1795000000) * 1000000,
	.boottime_usec = UINT64_C(1000000) * SKM_USEC_PER_SEC};
static uint8_t outcome;

static int uid_of(void *user, const char *name, uint32_t *ret_uid)
{
	(void)user;
	if (strcmp(name, "alice") != 0 && strcmp(name, "bob") != 0)
		return -ENOENT;
	*ret_uid = name[0] == 'a' ? ALICE : BOB;
	return 0;
}

static int name_of(void *user, uint32_t uid, char *ret_name, size_t size)
{
	(void)user;
	(void)snprintf(ret_name, size, "%s", uid == ALICE ? "alice" : "bob");
	return 0;
}

static int is_member(void *user, const char *name, const char *group)
{
	(void)user;
	(void)name;
	(void)group;
	return 0;
}

static void read_clock(void *user, struct skm_timestamp *ret_now)
{
	(void)user;
	*ret_now = now;
}

/* As the stream does. */
static void write_record(void *user, const struct skm_record *record)
{
	static char line[SKM_RECORD_LINE_MAX];
	(void)user;
	(void)skm_record_format(record, line);
}

static int flush(void *user)
{
	(void)user;
	return 0;
}

static int take_outcome(void *user, const struct skm_auth_writer *packet)
{
	(void)user;
	outcome = packet->buf[1];
	return 0;
}

static void ask(struct skm_authenticator *authenticator, const struct skm_auth_writer *writer)
{
	static const struct skm_peer root = {.login_uid = SKM_LOGIN_UID_UNSET, .is_admin = true};
	struct skm_auth_packet request;
	if (skm_auth_packet_parse(writer->buf, writer->len, &request) != 0 ||
		skm_authenticator_answer(authenticator, &root, &request, take_outcome, NULL) != 0) {
		fprintf(stderr, "cannot ask\n");
		exit(3);
	}
}

__attribute__((noinline)) static void verify_once(
	struct skm_authenticator *authenticator, const struct skm_auth_writer *writer)
{
	ask(authenticator, writer);
}

static void write_verify(struct skm_auth_writer *writer, const char *user, uint32_t code)
{
	char text[16];
	(void)snprintf(text, sizeof(text), "%06" PRIu32, code);
	skm_auth_write_begin(writer, SKM_AUTH_VERIFY);
	skm_auth_write_text(writer, SKM_AUTH_TAG_USER, user);
	skm_auth_write_text(writer, SKM_AUTH_TAG_SERVICE, "login");
	skm_auth_write_bytes(writer, SKM_AUTH_TAG_ANSWER, text, strlen(text));
}

static uint32_t right_code(void)
{
	return skm_otp_code(SKM_OTP_SHA256, (const uint8_t *)SECRET, strlen(SECRET),
		skm_otp_step(now.realtime_usec / (int64_t)SKM_USEC_PER_SEC, 30), 6);
}

static void advance(void)
{
	now.realtime_usec += STEP_SEC * (int64_t)SKM_USEC_PER_SEC;
	now.boottime_usec += STEP_SEC * SKM_USEC_PER_SEC;
}

static const struct kind {
	const char *name, *user;
	uint8_t expected;
	bool is_right, is_locked;
} kinds[] = {
	{"right", "alice", SKM_AUTH_OK, true, false},
	{"wrong", "alice", SKM_AUTH_WRONG, false, false},
	{"unknown", "nobody", SKM_AUTH_WRONG, false, false},
	{"unenrolled", "bob", SKM_AUTH_UNENROLLED, false, false},
	{"locked", "alice", SKM_AUTH_LOCKED, true, true},
};

static void prepare(struct skm_authenticator *authenticator, const struct kind *kind)
{
	struct skm_auth_writer writer;
	skm_auth_write_begin(&writer, SKM_AUTH_IMPORT);
	skm_auth_write_text(&writer, SKM_AUTH_TAG_USER, "alice");
	skm_auth_write_bytes(&writer, SKM_AUTH_TAG_SECRET, SECRET, strlen(SECRET));
	ask(authenticator, &writer);
	/* The first of each kind makes files. */
	write_verify(&writer, "nobody", 0);
	ask(authenticator, &writer);
	for (unsigned i = 0; kind->is_locked && i < authenticator->config->mfa.free_tries; i++) {
		write_verify(&writer, "alice", (right_code() + 1) % 1000000);
		ask(authenticator, &writer);
	}
}

static int run(struct skm_authenticator *authenticator, const struct kind *kind, unsigned count)
{
	struct skm_auth_writer writer;
	struct timespec begin, end;
	uint64_t nsec = 0;
	prepare(authenticator, kind);
	for (unsigned i = 0; i < count; i++) {
		if (!kind->is_locked)
			advance();
		write_verify(&writer, kind->user, (right_code() + (kind->is_right ? 0 : 1)) % 1000000);
		(void)clock_gettime(CLOCK_MONOTONIC, &begin);
		verify_once(authenticator, &writer);
		(void)clock_gettime(CLOCK_MONOTONIC, &end);
		nsec += (uint64_t)(end.tv_sec - begin.tv_sec) * 1000000000u + (uint64_t)end.tv_nsec -
			(uint64_t)begin.tv_nsec;
		if (outcome != kind->expected) {
			fprintf(stderr, "%s: outcome %s\n", kind->name,
				skm_auth_outcome_to_string((enum skm_auth_outcome)outcome));
			return 3;
		}
	}
	printf("{\"case\":\"%s\",\"count\":%u,\"nsec_each\":%" PRIu64 "}\n", kind->name, count, nsec / count);
	return 0;
}

static void remove_files(const char *folder, struct skm_store *store)
{
	char command[256];
	(void)skm_store_free(store);
	/* The folder is ours, made a moment ago. */
	(void)snprintf(command, sizeof(command), "rm -r '%s'", folder);
	if (system(command) != 0)
		fprintf(stderr, "%s stays\n", folder);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"case", required_argument, NULL, 'c'}, {"count", required_argument, NULL, 'n'}, {0}};
	const struct kind *kind = NULL;
	uint64_t count = 20;
	for (int option = 0; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		for (size_t i = 0; option == 'c' && i < SKM_ARRAY_SIZE(kinds); i++) {
			if (strcmp(kinds[i].name, optarg) == 0)
				kind = &kinds[i];
		}
		if (option == '?' || (option == 'n' && skm_parse_uint(optarg, 1, 1000000, &count) != 0))
			kind = NULL, count = 0;
	}
	if (!kind || count == 0) {
		fprintf(stderr, "usage: %s --case right|wrong|unknown|unenrolled|locked [--count N]\n",
			argv[0]);
		return 2;
	}
	char folder[] = "/tmp/sekimori-bench-XXXXXX", state[64], fallback[64];
	SKM_CLEANUP(skm_config_freep) struct skm_config *config = NULL;
	static const struct skm_key key = {.bytes = {1}, .id = {2}};
	if (skm_seal_start() != 0 || skm_config_default(&config) != 0 || !mkdtemp(folder))
		return 3;
	(void)snprintf(state, sizeof(state), "%s/mfa", folder);
	(void)snprintf(fallback, sizeof(fallback), "%s/run", folder);
	struct skm_authenticator authenticator = {.config = config,
		.users = {.uid_of = uid_of, .name_of = name_of, .is_member = is_member},
		.clock = {.now = read_clock},
		.boot_id = "00112233445566778899aabbccddeeff",
		.key = &key,
		.record = write_record,
		.flush = flush};
	struct skm_store_options store = {.folder = state,
		.fallback_folder = fallback,
		.ops = &skm_store_ops_system,
		.key = &key,
		.boot_id = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc,
			0xdd, 0xee, 0xff},
		.free_tries = config->mfa.free_tries};
	if (mkdir(state, 0700) != 0 || mkdir(fallback, 0700) != 0 ||
		skm_store_new(&store, &authenticator.store) != 0)
		return 3;
	int r = run(&authenticator, kind, (unsigned)count);
	remove_files(folder, authenticator.store);
	return r;
}
