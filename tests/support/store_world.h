// SPDX-License-Identifier: Apache-2.0
/* A store's surroundings for tests: folders of its own, a person with everything, and system calls that fail,
 * write half, or end the process on command. Uses libc alone. */
#ifndef SKM_TEST_STORE_WORLD_H
#define SKM_TEST_STORE_WORLD_H

#include "../../pam_module/authd/store.h"
#include "tmpdir.h"

#define STORE_PATH_BYTES 128

struct store_world {
	char root[TMPDIR_BYTES];
	char folder[STORE_PATH_BYTES], fallback[STORE_PATH_BYTES], key[STORE_PATH_BYTES];
};
/* The fallback's folder is not made. */
void store_world_make(struct store_world *world);
void store_world_remove(struct store_world *world);
/* 0, or -1 when there is no such file. */
long store_file_size(const char *folder, const char *name);
void store_file_copy(const char *folder, const char *from, const char *to);
void store_file_put(const char *folder, const char *name, const void *data, size_t len);
size_t store_file_get(const char *folder, const char *name, void *ret_data, size_t size);
/* Turns bits of one byte. */
void store_file_flip(const char *folder, const char *name, long offset, unsigned char bits);

/* Two TOTP tokens and a HOTP one, recovery codes, a substitute code; generation 0. */
struct skm_person store_person(uint32_t uid);
/* 2026-11-21 09:00:00 UTC. */
struct skm_timestamp store_now(void);

enum store_fault { STORE_FAULT_NONE, STORE_FAULT_ERROR, STORE_FAULT_HALF, STORE_FAULT_KILL };
enum store_call {
	STORE_OPENAT = 1,
	STORE_PREAD = 2,
	STORE_PWRITE = 4,
	STORE_FDATASYNC = 8,
	STORE_FSYNC = 16,
	STORE_FALLOCATE = 32,
	STORE_RENAMEAT = 64,
	STORE_UNLINKAT = 128,
	STORE_MKDIRAT = 256,
	STORE_FSTAT = 512,
	STORE_FLOCK = 1024,
	STORE_CALLS_ALL = 2047,
	STORE_CALLS_WRITING = STORE_PWRITE | STORE_FDATASYNC | STORE_FSYNC | STORE_FALLOCATE |
			      STORE_RENAMEAT | STORE_UNLINKAT | STORE_MKDIRAT,
};
#define STORE_KILLED 77 /* exit status */
struct store_faults {
	enum store_fault fault;
	int error;
	unsigned kinds;	    /* enum store_call: which calls count */
	unsigned at;	    /* the number of the call that is hit, from 1 */
	bool is_for_good;   /* and all after it */
	const char *spared; /* calls below this path do not count; NULL = none */
	unsigned calls;	    /* counted so far, of any kind; by kind below */
	unsigned hits, syncs, writes, reads, opens;
};
extern struct store_faults store_faults;
extern const struct skm_store_ops store_faulty_ops;

#endif
