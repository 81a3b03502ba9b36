// SPDX-License-Identifier: Apache-2.0
#include "stream_world.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "seal.h"
#include "tmpdir.h"

/* ---- faults ---- */

struct stream_faults stream_faults;
void (*stream_on_sync)(enum stream_call call, int fd);

unsigned stream_random(void)
{
	stream_faults.seed = stream_faults.seed * 1103515245u + 12345u;
	return stream_faults.seed >> 16;
}

static bool fails(enum stream_call call)
{
	stream_faults.calls[call]++;
	if (stream_faults.total < sizeof(stream_faults.order) - 1)
		stream_faults.order[stream_faults.total] = (char)('A' + call);
	stream_faults.total++;
	bool is_hit =
		(stream_faults.total >= stream_faults.first && stream_faults.total <= stream_faults.last) ||
		stream_faults.always[call] ||
		(stream_faults.chance > 0 && stream_random() % 100 < stream_faults.chance);
	if (is_hit)
		errno = stream_faults.error;
	return is_hit;
}

/* The end of a call that is hit; what was written of it stays. */
static ssize_t half(ssize_t written)
{
	if (stream_faults.kills)
		(void)raise(SIGKILL);
	return written;
}

static bool is_half_written(void)
{
	return stream_faults.is_short || (stream_faults.chance > 0 && stream_random() % 2);
}

static int hit(void)
{
	(void)half(0);
	return -1;
}

static int try_openat(int dirfd, const char *name, int flags, mode_t mode)
{
	return fails(STREAM_OPENAT) ? hit() : openat(dirfd, name, flags, mode);
}

static int try_fstat(int fd, struct stat *ret_stat)
{
	return fails(STREAM_FSTAT) ? hit() : fstat(fd, ret_stat);
}

static ssize_t try_pread(int fd, void *buf, size_t size, off_t offset)
{
	return fails(STREAM_PREAD) ? hit() : pread(fd, buf, size, offset);
}

static ssize_t try_write(int fd, const void *data, size_t len)
{
	if (!fails(STREAM_WRITE))
		return write(fd, data, len);
	return is_half_written() ? half(write(fd, data, len / 2)) : hit();
}

static int try_ftruncate(int fd, off_t len)
{
	return fails(STREAM_FTRUNCATE) ? hit() : ftruncate(fd, len);
}

/* No test cuts the power, so nothing is learnt by waiting for the disk; thousands of times, it takes a
 * minute. */
static int try_sync(enum stream_call call, int fd)
{
	if (fails(call))
		return hit();
	if (stream_on_sync)
		stream_on_sync(call, fd);
	return 0;
}

static int try_sync_file_range(int fd, off_t offset, off_t len, unsigned flags)
{
	return fails(STREAM_SYNC_FILE_RANGE) ? hit() : sync_file_range(fd, offset, len, flags);
}

static int try_fdatasync(int fd)
{
	return try_sync(STREAM_FDATASYNC, fd);
}

static int try_fsync(int fd)
{
	return try_sync(STREAM_FSYNC, fd);
}

static int try_fchmod(int fd, mode_t mode)
{
	return fails(STREAM_FCHMOD) ? hit() : fchmod(fd, mode);
}

static int try_fchown(int fd, uid_t uid, gid_t gid)
{
	return fails(STREAM_FCHOWN) ? hit() : fchown(fd, uid, gid);
}

static int try_unlinkat(int dirfd, const char *name, int flags)
{
	return fails(STREAM_UNLINKAT) ? hit() : unlinkat(dirfd, name, flags);
}

const struct skm_stream_ops stream_faulty = {try_openat, try_fstat, try_pread, try_write, try_ftruncate,
	try_sync_file_range, try_fdatasync, try_fsync, try_fchmod, try_fchown, try_unlinkat};

static int chain_open(const char *path, int flags, mode_t mode)
{
	return fails(CHAIN_OPEN) ? hit() : open(path, flags, mode);
}

static int chain_lock(int fd)
{
	return fails(CHAIN_LOCK) ? hit() : skm_chain_file_ops_system.lock(fd);
}

static int chain_fstat(int fd, struct stat *ret_stat)
{
	return fails(CHAIN_FSTAT) ? hit() : fstat(fd, ret_stat);
}

static int chain_fchmod(int fd, mode_t mode)
{
	return fails(CHAIN_FCHMOD) ? hit() : fchmod(fd, mode);
}

static ssize_t chain_pread(int fd, void *buf, size_t size, off_t offset)
{
	return fails(CHAIN_PREAD) ? hit() : pread(fd, buf, size, offset);
}

static ssize_t chain_pwrite(int fd, const void *data, size_t len, off_t offset)
{
	if (!fails(CHAIN_PWRITE))
		return pwrite(fd, data, len, offset);
	return is_half_written() ? half(pwrite(fd, data, len / 2, offset)) : hit();
}

static int chain_fdatasync(int fd)
{
	return try_sync(CHAIN_FDATASYNC, fd);
}

static int chain_fsync(int fd)
{
	return try_sync(CHAIN_FSYNC, fd);
}

static int chain_rename(const char *from, const char *to)
{
	return fails(CHAIN_RENAME) ? hit() : rename(from, to);
}

const struct skm_chain_file_ops chain_faulty = {chain_open, chain_lock, chain_fstat, chain_fchmod,
	chain_pread, chain_pwrite, chain_fdatasync, chain_fsync, chain_rename};

void stream_heal(void)
{
	memset(&stream_faults, 0, sizeof(stream_faults));
	stream_faults.error = EIO;
}

/* ---- the place ---- */

char stream_folder[STREAM_PATH_BYTES], stream_chain_path[STREAM_PATH_BYTES];
uint8_t stream_verifier_key[32], stream_verifier_secret[32];
static char root[TMPDIR_BYTES], state_folder[STREAM_PATH_BYTES], path_buf[STREAM_PATH_BYTES + 32];

void stream_world_make(void)
{
	tmpdir_make(root);
	snprintf(stream_folder, sizeof(stream_folder), "%s/log", root);
	snprintf(state_folder, sizeof(state_folder), "%s/state", root);
	snprintf(stream_chain_path, sizeof(stream_chain_path), "%s/state/chain", root);
	cr_assert_eq(mkdir(stream_folder, 0750), 0);
	cr_assert_eq(mkdir(state_folder, 0700), 0);
	cr_assert_eq(skm_chain_start(), 0);
	skm_escrow_keypair(stream_verifier_key, stream_verifier_secret);
	stream_heal();
}

void stream_empty(const char *path)
{
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

void stream_world_empty(void)
{
	stream_empty(stream_folder);
	stream_empty(state_folder);
}

const char *stream_segment_path(unsigned number)
{
	snprintf(path_buf, sizeof(path_buf), "%s/%08u.jsonl", stream_folder, number);
	return path_buf;
}

off_t stream_segment_size(unsigned number)
{
	struct stat st;
	return stat(stream_segment_path(number), &st) == 0 ? st.st_size : -1;
}

void stream_segment_put(unsigned number, const char *text)
{
	FILE *file = fopen(stream_segment_path(number), "ae");
	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
}

/* Contents, not the file: a running stream has it open. */
static void copy(const char *from, const char *to)
{
	static char buf[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(in >= 0 && out >= 0);
	ssize_t n = read(in, buf, sizeof(buf));
	cr_assert(n > 0 && pwrite(out, buf, (size_t)n, 0) == n);
	close(in);
	close(out);
}

void stream_chain_keep(void)
{
	snprintf(path_buf, sizeof(path_buf), "%s/kept", state_folder);
	copy(stream_chain_path, path_buf);
}

void stream_chain_restore(void)
{
	snprintf(path_buf, sizeof(path_buf), "%s/kept", state_folder);
	copy(path_buf, stream_chain_path);
}

/* ---- a writer ---- */

unsigned stream_next_record;

struct skm_stream *stream_begin(uint64_t segment_bytes)
{
	struct skm_stream *stream = NULL;
	cr_assert_eq(skm_stream_new_with_ops(stream_folder, segment_bytes, &stream_faulty, &stream), 0);
	return stream;
}

struct skm_stream *stream_begin_boot(uint64_t segment_bytes, const char *boot_id)
{
	struct skm_stream *stream = stream_begin(segment_bytes);
	const struct skm_stream_chain_options options = {
		.path = stream_chain_path, .verifier_key = stream_verifier_key, .boot_id = boot_id};
	cr_assert_eq(skm_stream_set_chain_with_ops(stream, &options, &chain_faulty), 0);
	return stream;
}

struct skm_stream *stream_begin_chained(uint64_t segment_bytes)
{
	return stream_begin_boot(segment_bytes, STREAM_BOOT_ID);
}

void stream_append(struct skm_stream *stream, unsigned count)
{
	for (; count > 0; count--) {
		struct skm_record record;
		skm_record_init(&record, SKM_EVENT_RESUMED);
		snprintf(record.boot_id, sizeof(record.boot_id), STREAM_BOOT_ID);
		snprintf(record.detail, sizeof(record.detail), "r%u", stream_next_record++);
		skm_stream_append(stream, &record);
	}
}

struct skm_stream_state stream_state(const struct skm_stream *stream)
{
	struct skm_stream_state state;
	skm_stream_get_state(stream, &state);
	return state;
}

void stream_store(struct skm_stream *stream, unsigned count)
{
	stream_append(stream, count);
	cr_assert_eq(skm_stream_flush(stream), 0, "%s", stream_state(stream).error);
}

void stream_run(unsigned count)
{
	struct skm_stream *stream = stream_begin_chained(MEGABYTE);
	stream_store(stream, count);
	skm_stream_checkpoint(stream, "stop");
	skm_stream_free(stream);
}

/* ---- a reader ---- */

struct stream_seen stream_seen;

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static void see_checkpoint(json_t *root_object)
{
	json_t *checkpoint = json_object_get(root_object, "checkpoint");
	const char *reason = text_of(checkpoint, "reason");
	stream_seen.starts += strcmp(reason, "start") == 0;
	stream_seen.stops += strcmp(reason, "stop") == 0;
	stream_seen.counts += strcmp(reason, "count") == 0;
	stream_seen.times += strcmp(reason, "time") == 0;
	stream_seen.ends += strcmp(reason, "segment") == 0;
	stream_seen.checkpoint_lost += (uint64_t)json_integer_value(json_object_get(checkpoint, "lost"));
	snprintf(stream_seen.checkpoint_detail, sizeof(stream_seen.checkpoint_detail), "%s",
		text_of(root_object, "detail"));
}

static void see_record(json_t *root_object)
{
	const char *event = text_of(root_object, "event"), *detail = text_of(root_object, "detail");
	json_t *boot_number = json_object_get(json_object_get(root_object, "skm"), "bn");
	stream_seen.boot_number = (uint64_t)json_integer_value(boot_number);
	snprintf(stream_seen.last_event, sizeof(stream_seen.last_event), "%s", event);
	if (stream_seen.count == 1)
		snprintf(stream_seen.first_event, sizeof(stream_seen.first_event), "%s", event);
	stream_seen.full += strcmp(event, "LOG_FULL") == 0;
	stream_seen.recovered += strcmp(event, "LOG_RECOVERED") == 0;
	if (strcmp(event, "CHAIN_BROKEN") == 0) {
		stream_seen.broken++;
		snprintf(stream_seen.broken_detail, sizeof(stream_seen.broken_detail), "%s", detail);
	}
	if (strcmp(event, "CHECKPOINT") == 0)
		see_checkpoint(root_object);
	if (strcmp(event, "LOG_RESUMED") == 0) {
		stream_seen.resumed++;
		stream_seen.resumed_lost +=
			(uint64_t)json_integer_value(json_object_get(root_object, "count"));
	}
	if (strcmp(event, "RESUMED") == 0) {
		char expected[32];
		snprintf(expected, sizeof(expected), "r%u", stream_seen.next_detail);
		cr_assert_str_eq(detail, expected, "lost, twice or out of order");
		stream_seen.next_detail++;
	}
}

static void see_line(const char *line)
{
	json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	cr_assert_not_null(object, "%s", line);
	uint64_t n = (uint64_t)json_integer_value(json_object_get(json_object_get(object, "skm"), "n"));
	cr_assert(n > 0 && n < SKM_ARRAY_SIZE(stream_seen.lines));
	if (stream_seen.lines[n]) {
		cr_assert_str_eq(line, stream_seen.lines[n], "number %llu stands for two records",
			(unsigned long long)n);
		stream_seen.duplicates++;
	} else {
		if (stream_seen.count == 0)
			stream_seen.first_sequence = n;
		cr_assert_eq(n, stream_seen.first_sequence + stream_seen.count, "a gap before %llu",
			(unsigned long long)n);
		stream_seen.lines[n] = strdup(line);
		stream_seen.count++;
		see_record(object);
	}
	json_decref(object);
}

static void forget(void)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(stream_seen.lines); i++)
		free(stream_seen.lines[i]);
	memset(&stream_seen, 0, sizeof(stream_seen));
}

void stream_look(void)
{
	forget();
	for (unsigned number = 1; number < 2000; number++) {
		FILE *file = fopen(stream_segment_path(number), "re");
		if (!file)
			continue;
		stream_seen.segments++;
		char *line = NULL;
		size_t size = 0;
		ssize_t len;
		while ((len = getline(&line, &size, file)) > 0) {
			if (line[len - 1] == '\n')
				see_line(line);
			else
				stream_seen.torn++;
		}
		free(line);
		fclose(file);
	}
}

void stream_world_remove(void)
{
	forget();
	tmpdir_remove(root);
}

/* ---- a verifier ---- */

struct verifier {
	uint8_t id[SKM_CHAIN_ID_BYTES], head[SKM_CHAIN_HASH_BYTES], key[SKM_CHAIN_KEY_BYTES];
	uint8_t signing_key[SKM_CHAIN_PUBLIC_KEY_BYTES];
	bool has_signing_key;
};

static void bytes_of(const char *text, uint8_t *ret_bytes, size_t len)
{
	cr_assert_eq(strlen(text), 2 * len, "%s", text);
	for (size_t i = 0; i < len; i++)
		cr_assert_eq(sscanf(text + 2 * i, "%2hhx", &ret_bytes[i]), 1);
}

/* From the line of this chain in the file of sealed keys. */
static void open_first_key(struct verifier *verifier, const char *id)
{
	uint8_t sealed[SKM_CHAIN_SEALED_KEY_BYTES];
	char line[512];
	bool is_found = false;
	snprintf(path_buf, sizeof(path_buf), "%s.sealed", stream_chain_path);
	FILE *file = fopen(path_buf, "re");
	cr_assert_not_null(file, "there is no %s", path_buf);
	while (!is_found && fgets(line, sizeof(line), file))
		is_found = strncmp(line, id, strlen(id)) == 0;
	fclose(file);
	cr_assert(is_found, "no key of the chain %s", id);
	line[strcspn(line, "\n")] = '\0';
	bytes_of(line + strlen(id) + 1, sealed, sizeof(sealed));
	cr_assert_eq(
		skm_chain_open_key(stream_verifier_key, stream_verifier_secret, sealed, verifier->key), 0);
}

void stream_first_key(uint8_t ret_id[SKM_CHAIN_ID_BYTES], uint8_t ret_key[SKM_CHAIN_KEY_BYTES])
{
	struct verifier verifier = {.has_signing_key = false};
	char id[2 * SKM_CHAIN_ID_BYTES + 1] = "";
	snprintf(path_buf, sizeof(path_buf), "%s.sealed", stream_chain_path);
	FILE *file = fopen(path_buf, "re");
	cr_assert_not_null(file, "there is no %s", path_buf);
	cr_assert_not_null(fgets(id, sizeof(id), file));
	fclose(file);
	open_first_key(&verifier, id);
	bytes_of(id, ret_id, SKM_CHAIN_ID_BYTES);
	memcpy(ret_key, verifier.key, SKM_CHAIN_KEY_BYTES);
}

static void prove_checkpoint(struct verifier *verifier, uint64_t n, json_t *object)
{
	json_t *member = json_object_get(object, "checkpoint");
	struct skm_checkpoint checkpoint;
	bytes_of(text_of(member, "h"), checkpoint.previous_hash, sizeof(checkpoint.previous_hash));
	bytes_of(text_of(member, "key"), checkpoint.key, sizeof(checkpoint.key));
	bytes_of(text_of(member, "next"), checkpoint.next_key, sizeof(checkpoint.next_key));
	bytes_of(text_of(member, "sig"), checkpoint.signature, sizeof(checkpoint.signature));
	int64_t realtime_usec = json_integer_value(json_object_get(object, "time")) * 1000;
	int64_t boottime_usec =
		json_integer_value(json_object_get(json_object_get(object, "clock"), "boottime_usec"));
	cr_assert_eq(memcmp(checkpoint.previous_hash, verifier->head, sizeof(verifier->head)), 0);
	cr_assert(skm_checkpoint_is_signed(
			  &checkpoint, verifier->id, n, realtime_usec, (uint64_t)boottime_usec),
		"checkpoint %llu is not signed", (unsigned long long)n);
	if (verifier->has_signing_key)
		cr_assert_eq(memcmp(checkpoint.key, verifier->signing_key, sizeof(checkpoint.key)), 0,
			"checkpoint %llu is signed by another key than was named", (unsigned long long)n);
	verifier->has_signing_key = true;
	memcpy(verifier->signing_key, checkpoint.next_key, sizeof(checkpoint.next_key));
}

static void prove_line(struct verifier *verifier, uint64_t n)
{
	const char *line = stream_seen.lines[n];
	uint8_t before[SKM_CHAIN_HASH_BYTES], mac[SKM_CHAIN_MAC_BYTES], expected[SKM_CHAIN_MAC_BYTES];
	size_t body_len = 0;
	json_t *object = json_loads(line, 0, NULL), *chain = json_object_get(object, "skm");
	if (n == 1) {
		bytes_of(text_of(chain, "c"), verifier->id, sizeof(verifier->id));
		open_first_key(verifier, text_of(chain, "c"));
		skm_chain_hash_first(verifier->id, verifier->head);
	}
	cr_assert_eq(skm_chain_line_split(line, strlen(line), &body_len, mac), 0, "%s", line);
	bytes_of(text_of(chain, "p"), before, sizeof(before));
	cr_assert_eq(memcmp(before, verifier->head, sizeof(before)), 0, "%llu does not continue",
		(unsigned long long)n);
	if (json_object_get(object, "checkpoint"))
		prove_checkpoint(verifier, n, object);
	skm_chain_hash_next(verifier->head, line, body_len, verifier->head);
	skm_chain_mac(verifier->key, verifier->head, expected);
	cr_assert_eq(
		memcmp(mac, expected, sizeof(mac)), 0, "the MAC of %llu is wrong", (unsigned long long)n);
	skm_chain_ratchet(verifier->key);
	json_decref(object);
}

void stream_prove(void)
{
	struct verifier verifier = {.has_signing_key = false};
	cr_assert_eq(stream_seen.first_sequence, 1);
	for (uint64_t n = 1; n <= stream_seen.count; n++)
		prove_line(&verifier, n);
}
