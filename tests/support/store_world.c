// SPDX-License-Identifier: Apache-2.0
/* Real files under faulty calls, not a fake file system: what is tested is what the kernel then finds. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "store_world.h"

void store_world_make(struct store_world *world)
{
	tmpdir_make(world->root);
	(void)snprintf(world->folder, sizeof(world->folder), "%s/mfa", world->root);
	(void)snprintf(world->fallback, sizeof(world->fallback), "%s/run", world->root);
	(void)snprintf(world->key, sizeof(world->key), "%s/machine.key", world->root);
	cr_assert_eq(mkdir(world->folder, 0700), 0);
	store_faults = (struct store_faults){0};
}

void store_world_remove(struct store_world *world)
{
	tmpdir_remove(world->root);
}

static int open_in(const char *folder, const char *name, int flags)
{
	char path[2 * STORE_PATH_BYTES];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return open(path, flags | O_CLOEXEC, 0600);
}

long store_file_size(const char *folder, const char *name)
{
	SKM_CLEANUP(skm_fd_close) int fd = open_in(folder, name, O_RDONLY);
	struct stat st;
	return fd >= 0 && fstat(fd, &st) == 0 ? (long)st.st_size : -1;
}

size_t store_file_get(const char *folder, const char *name, void *ret_data, size_t size)
{
	SKM_CLEANUP(skm_fd_close) int fd = open_in(folder, name, O_RDONLY);
	cr_assert_geq(fd, 0, "cannot open %s: %m", name);
	ssize_t n = read(fd, ret_data, size);
	cr_assert_geq(n, 0);
	return (size_t)n;
}

void store_file_put(const char *folder, const char *name, const void *data, size_t len)
{
	SKM_CLEANUP(skm_fd_close) int fd = open_in(folder, name, O_WRONLY | O_CREAT | O_TRUNC);
	cr_assert_geq(fd, 0, "cannot make %s: %m", name);
	cr_assert_eq(write(fd, data, len), (ssize_t)len);
}

void store_file_copy(const char *folder, const char *from, const char *to)
{
	unsigned char buf[16384];
	size_t len = store_file_get(folder, from, buf, sizeof(buf));
	store_file_put(folder, to, buf, len);
}

void store_file_flip(const char *folder, const char *name, long offset, unsigned char bits)
{
	SKM_CLEANUP(skm_fd_close) int fd = open_in(folder, name, O_RDWR);
	unsigned char byte = 0;
	cr_assert_eq(pread(fd, &byte, 1, offset), 1);
	byte ^= bits;
	cr_assert_eq(pwrite(fd, &byte, 1, offset), 1);
}

/* ---- values ---- */

static void fill(void *data, size_t len, unsigned char first)
{
	unsigned char *bytes = data;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)(first + i);
}

struct skm_person store_person(uint32_t uid)
{
	static const struct skm_otp_parameters parameters[] = {
		{SKM_OTP_TOTP, SKM_OTP_SHA256, 6, 30},
		{SKM_OTP_HOTP, SKM_OTP_SHA512, 8, 0},
		{SKM_OTP_TOTP, SKM_OTP_SHA1, 8, 60},
	};
	struct skm_person person = {.uid = uid, .token_count = 3, .last_token_id = 9};
	(void)snprintf(person.name, sizeof(person.name), "tanaka%u", uid);
	for (unsigned i = 0; i < 3; i++) {
		struct skm_token *token = &person.tokens[i];
		token->id = (uint8_t)(9 - 2 * i);
		token->parameters = parameters[i];
		token->secret_len = (uint8_t)(16 + 16 * i);
		fill(token->secret, token->secret_len, (unsigned char)(uid + 50 * i));
		(void)snprintf(token->label, sizeof(token->label), "電話 %u", i);
		token->enrolled_sec = 1700000000 + i;
		token->first_counter = parameters[i].type == SKM_OTP_HOTP ? 41 : 0;
	}
	person.recovery_series = 3;
	person.recovery_count = SKM_RECOVERY_CODES;
	fill(person.recovery, sizeof(person.recovery), 7);
	person.substitute_series = 2;
	person.substitute_until_sec = 1800000000;
	fill(&person.substitute, sizeof(person.substitute), 99);
	return person;
}

struct skm_timestamp store_now(void)
{
	return (struct skm_timestamp){.realtime_usec = INT64_C(1795251600000000), .boottime_usec = 5000000};
}

/* ---- faults ---- */

struct store_faults store_faults;

static bool is_spared(int fd, const char *name)
{
	char link[64], path[512] = "";
	if (!store_faults.spared)
		return false;
	if (fd == AT_FDCWD || (name && name[0] == '/'))
		return name && strncmp(name, store_faults.spared, strlen(store_faults.spared)) == 0;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, sizeof(path) - 1);
	return len > 0 && strncmp(path, store_faults.spared, strlen(store_faults.spared)) == 0;
}

/* The fault that hits this call. Kills at once. */
static enum store_fault meet(enum store_call kind, int fd, const char *name)
{
	if (!(store_faults.kinds & kind) || is_spared(fd, name))
		return STORE_FAULT_NONE;
	store_faults.calls++;
	bool is_hit = store_faults.calls == store_faults.at ||
		      (store_faults.is_for_good && store_faults.calls > store_faults.at);
	if (!is_hit || store_faults.fault == STORE_FAULT_NONE)
		return STORE_FAULT_NONE;
	store_faults.hits++;
	if (store_faults.fault == STORE_FAULT_KILL)
		_exit(STORE_KILLED);
	errno = store_faults.error;
	return store_faults.fault;
}

static bool fails(enum store_call kind, int fd, const char *name)
{
	return meet(kind, fd, name) == STORE_FAULT_ERROR;
}

static int faulty_openat(int dirfd, const char *name, int flags, mode_t mode)
{
	store_faults.opens++;
	/* A file system that was made read-only still reads. */
	if (store_faults.error == EROFS && (flags & O_ACCMODE) == O_RDONLY)
		return openat(dirfd, name, flags, mode);
	return fails(STORE_OPENAT, dirfd, name) ? -1 : openat(dirfd, name, flags, mode);
}

static ssize_t faulty_pread(int fd, void *buf, size_t size, off_t offset)
{
	store_faults.reads++;
	enum store_fault fault = meet(STORE_PREAD, fd, NULL);
	if (fault == STORE_FAULT_ERROR)
		return -1;
	return pread(fd, buf, fault == STORE_FAULT_HALF && size > 1 ? size / 2 : size, offset);
}

static ssize_t faulty_pwrite(int fd, const void *data, size_t len, off_t offset)
{
	store_faults.writes++;
	enum store_fault fault = meet(STORE_PWRITE, fd, NULL);
	if (fault == STORE_FAULT_ERROR)
		return -1;
	return pwrite(fd, data, fault == STORE_FAULT_HALF && len > 1 ? len / 2 : len, offset);
}

static int faulty_fdatasync(int fd)
{
	store_faults.syncs++;
	return fails(STORE_FDATASYNC, fd, NULL) ? -1 : 0;
}

static int faulty_fsync(int fd)
{
	store_faults.syncs++;
	return fails(STORE_FSYNC, fd, NULL) ? -1 : 0;
}

static int faulty_fallocate(int fd, int mode, off_t offset, off_t len)
{
	return fails(STORE_FALLOCATE, fd, NULL) ? -1 : fallocate(fd, mode, offset, len);
}

static int faulty_renameat(int olddirfd, const char *oldname, int newdirfd, const char *newname)
{
	return fails(STORE_RENAMEAT, olddirfd, oldname) ? -1 : renameat(olddirfd, oldname, newdirfd, newname);
}

static int faulty_unlinkat(int dirfd, const char *name, int flags)
{
	return fails(STORE_UNLINKAT, dirfd, name) ? -1 : unlinkat(dirfd, name, flags);
}

static int faulty_mkdirat(int dirfd, const char *name, mode_t mode)
{
	return fails(STORE_MKDIRAT, dirfd, name) ? -1 : mkdirat(dirfd, name, mode);
}

static int faulty_fstat(int fd, struct stat *ret_stat)
{
	return fails(STORE_FSTAT, fd, NULL) ? -1 : fstat(fd, ret_stat);
}

static int faulty_flock(int fd, int operation)
{
	return fails(STORE_FLOCK, fd, NULL) ? -1 : flock(fd, operation);
}

const struct skm_store_ops store_faulty_ops = {
	.openat = faulty_openat,
	.pread = faulty_pread,
	.pwrite = faulty_pwrite,
	.fdatasync = faulty_fdatasync,
	.fsync = faulty_fsync,
	.fallocate = faulty_fallocate,
	.renameat = faulty_renameat,
	.unlinkat = faulty_unlinkat,
	.mkdirat = faulty_mkdirat,
	.fstat = faulty_fstat,
	.flock = faulty_flock,
};
