// SPDX-License-Identifier: Apache-2.0
/* Hostile requests, one after the other, from every kind of caller, on a real store. Input: for each request
 * a byte that chooses the caller, a byte of time that passes, two bytes of length (little-endian), the
 * packet.
 *
 * Must hold: each request is answered by well-formed packets of which the last one alone is not MORE; every
 * record can be written; whoever has no role gets nothing about others. */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authenticator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ALICE 1000
#define BOB 1001
#define REQUESTS_MAX 32

struct world {
	struct skm_authenticator authenticator;
	struct skm_config *config;
	struct skm_store_ops ops;
	struct skm_key key;
	struct skm_timestamp now;
	uint8_t last_code; /* of the last packet sent */
	unsigned packets;
};

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static int no_sync(int fd)
{
	(void)fd;
	return 0;
}

static int uid_of(void *user, const char *name, uint32_t *ret_uid)
{
	(void)user;
	require(skm_user_name_is_possible(name), "an impossible name reached the name service");
	if (strcmp(name, "alice") == 0)
		*ret_uid = ALICE;
	else if (strcmp(name, "bob") == 0)
		*ret_uid = BOB;
	else
		return strcmp(name, "broken") == 0 ? -EIO : -ENOENT;
	return 0;
}

static int name_of(void *user, uint32_t uid, char *ret_name, size_t size)
{
	(void)user;
	if (uid != ALICE && uid != BOB)
		return -ENOENT;
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
	*ret_now = ((struct world *)user)->now;
}

static void check_record(void *user, const struct skm_record *record)
{
	static char line[SKM_RECORD_LINE_MAX];
	(void)user;
	size_t len = skm_record_format(record, line);
	require(len > 0 && len <= sizeof(line) && line[len - 1] == '\n', "a record that cannot be written");
}

static int flush(void *user)
{
	(void)user;
	return 0;
}

static int check_packet(void *user, const struct skm_auth_writer *packet)
{
	struct world *world = user;
	struct skm_auth_packet parsed;
	require(world->packets == 0 || world->last_code == SKM_AUTH_MORE, "a packet after the last one");
	require(skm_auth_packet_parse(packet->buf, packet->len, &parsed) == 0, "a malformed answer");
	require(parsed.code < SKM_AUTH_OUTCOME_COUNT_, "an outcome that does not exist");
	world->last_code = parsed.code;
	world->packets++;
	return 0;
}

static char root[] = "/dev/shm/sekimori-fuzz-XXXXXX", fallback[] = "/dev/shm/sekimori-fuzz-XXXXXX";

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static void remove_folders(void)
{
	(void)nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	(void)nftw(fallback, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Made once: the folder is in memory, and every run begins with the same people. */
static struct world *make_world(void)
{
	struct world *world = calloc(1, sizeof(*world));
	require(world && skm_seal_start() == 0 && mkdtemp(root) && mkdtemp(fallback), "no world");
	require(skm_config_default(&world->config) == 0, "no configuration");
	world->ops = skm_store_ops_system;
	world->ops.fsync = no_sync;
	world->ops.fdatasync = no_sync;
	world->key = (struct skm_key){.bytes = {1}, .id = {2}};
	world->authenticator = (struct skm_authenticator){
		.config = world->config,
		.users = {.uid_of = uid_of, .name_of = name_of, .is_member = is_member},
		.clock = {.now = read_clock, .user = world},
		.boot_id = "00112233445566778899aabbccddeeff",
		.key = &world->key,
		.record = check_record,
		.flush = flush,
		.user = world,
	};
	struct skm_store_options options = {.folder = root,
		.fallback_folder = fallback,
		.ops = &world->ops,
		.key = &world->key,
		.free_tries = 5};
	require(skm_store_new(&options, &world->authenticator.store) == 0, "no store");
	require(atexit(remove_folders) == 0, "the folders would stay");
	return world;
}

static struct skm_peer peer_of(uint8_t choice)
{
	static const struct skm_peer peers[] = {
		{.uid = 0, .login_uid = SKM_LOGIN_UID_UNSET, .is_admin = true, .is_reader = true},
		{.uid = 0, .login_uid = ALICE, .is_admin = true, .is_reader = true},
		{.uid = ALICE, .login_uid = ALICE},
		{.uid = BOB, .login_uid = BOB},
		{.uid = BOB, .login_uid = BOB, .is_helpdesk = true, .is_reader = true},
		{.uid = BOB, .login_uid = BOB, .is_admin = true, .is_reader = true},
	};
	return peers[choice % SKM_ARRAY_SIZE(peers)];
}

static bool is_about(const struct skm_auth_packet *request, const char *name)
{
	return request->field[SKM_AUTH_TAG_USER] && request->field_len[SKM_AUTH_TAG_USER] == strlen(name) &&
	       memcmp(request->field[SKM_AUTH_TAG_USER], name, strlen(name)) == 0;
}

static void answer(struct world *world, const struct skm_peer *peer, const uint8_t *bytes, size_t len)
{
	struct skm_auth_packet request;
	if (skm_auth_packet_parse(bytes, len, &request) != 0)
		return;
	world->packets = 0;
	require(skm_authenticator_answer(&world->authenticator, peer, &request, check_packet, world) == 0,
		"no answer");
	require(world->packets > 0 && world->last_code != SKM_AUTH_MORE, "an answer without an end");
	if (peer->uid == BOB && !peer->is_reader && !is_about(&request, "bob"))
		require(world->last_code == SKM_AUTH_DENIED || world->last_code == SKM_AUTH_PROMPT ||
				world->last_code == SKM_AUTH_BAD_REQUEST ||
				world->last_code == SKM_AUTH_UNAVAILABLE,
			"a stranger was told something");
}

static void begin(struct world *world)
{
	struct skm_auth_writer writer;
	struct skm_peer by_root = peer_of(0);
	world->now = (struct skm_timestamp){.realtime_usec = INT64_C(1795000000) * 1000000,
		.boottime_usec = UINT64_C(100000) * SKM_USEC_PER_SEC};
	memset(&world->authenticator.tally, 0, sizeof(world->authenticator.tally));
	world->authenticator.latest_sec = 0;
	require(skm_store_remove(world->authenticator.store, ALICE) == 0, "alice stays");
	require(skm_store_remove(world->authenticator.store, BOB) == 0, "bob stays");
	skm_auth_write_begin(&writer, SKM_AUTH_IMPORT);
	skm_auth_write_text(&writer, SKM_AUTH_TAG_USER, "alice");
	skm_auth_write_bytes(&writer, SKM_AUTH_TAG_SECRET, "12345678901234567890123456789012", 32);
	answer(world, &by_root, writer.buf, writer.len);
	require(world->last_code == SKM_AUTH_OK, "alice cannot be enrolled");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world *world;
	if (!world)
		world = make_world();
	begin(world);
	for (unsigned i = 0; i < REQUESTS_MAX && size >= 4; i++) {
		struct skm_peer peer = peer_of(data[0]);
		uint64_t passed_usec = data[1] * SKM_USEC_PER_SEC;
		size_t len = (size_t)data[2] | (size_t)data[3] << 8;
		data += 4;
		size -= 4;
		if (len > size)
			len = size;
		world->now.realtime_usec += (int64_t)passed_usec;
		world->now.boottime_usec += passed_usec;
		answer(world, &peer, data, len);
		data += len;
		size -= len;
	}
	skm_authenticator_settle(&world->authenticator);
	return 0;
}
