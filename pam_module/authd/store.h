// SPDX-License-Identifier: Apache-2.0
/* The files under /var/lib/sekimori/mfa (0700 root): UID.person (sealed, replaced whole: temporary file,
 * fsync, rename, fsync of the folder) and UID.state (two sealed slots of 4,096 bytes each, preallocated,
 * written in turn in place with fdatasync: no space is needed for a login, and a torn write leaves the other
 * slot). File names are made of numbers alone; UID.escrow is for the offline key, *.new is half written.
 *
 * While a state cannot be written (EROFS, EIO, ENOSPC), its place is taken by the same file in the fallback
 * folder on /run, which lasts until the next boot; of the two the greater revision counts.
 *
 * Order of writing, so that a cut never makes an enrolled person "not enrolled":
 *   enrolment  a state of generation 0 ("of nobody yet"), escrow, person, the state of generation 1
 *   change     escrow, person, state: a state that is behind follows at the next load
 *   removal    state, then escrow, then person: a person without a state gets the strictest one, so a cut
 * leaves somebody who is enrolled, and removal can be repeated A state of generation 1 or more without its
 * person is therefore never left by us: somebody deleted the record, and that is DAMAGED, not ABSENT.
 *
 * One process at a time: the folder is locked (flock) from the first use until the store is freed. */
#ifndef SKM_STORE_H
#define SKM_STORE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "person.h"
#include "seal.h"

#define SKM_STORE_FOLDER "/var/lib/sekimori/mfa"
#define SKM_STORE_FALLBACK_FOLDER "/run/sekimori-authd"

/* The system calls that can fail, so that a test can let the k-th of them fail or kill the process there. */
struct skm_store_ops {
	int (*openat)(int dirfd, const char *name, int flags, mode_t mode);
	ssize_t (*pread)(int fd, void *buf, size_t size, off_t offset);
	ssize_t (*pwrite)(int fd, const void *data, size_t len, off_t offset);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd);
	int (*fallocate)(int fd, int mode, off_t offset, off_t len);
	int (*renameat)(int olddirfd, const char *oldname, int newdirfd, const char *newname);
	int (*unlinkat)(int dirfd, const char *name, int flags);
	int (*mkdirat)(int dirfd, const char *name, mode_t mode);
	int (*fstat)(int fd, struct stat *ret_stat);
	int (*flock)(int fd, int operation);
};
extern const struct skm_store_ops skm_store_ops_system;

struct skm_store;

struct skm_store_options {
	const char *folder, *fallback_folder;
	const struct skm_store_ops *ops;       /* outlives the store */
	const struct skm_key *key;	       /* NULL = there is none; outlives the store */
	const struct skm_key *previous_key;    /* mostly NULL; opens, never seals: see rekey.h */
	uint8_t machine[SKM_MACHINE_ID_BYTES]; /* of this machine */
	const uint8_t
		*escrow_public_key; /* 32 bytes or NULL: then UID.escrow is written beside each person */
	uint8_t boot_id[16];
	uint32_t free_tries; /* for a state that has to be made anew */
};
/* No IO yet. 0 or -ENOMEM. */
SKM_NODISCARD int skm_store_new(const struct skm_store_options *options, struct skm_store **ret_store);
struct skm_store *skm_store_free(struct skm_store *store);

#define SKM_STORE_ABSENT 1	  /* there is no such person: the one way to be "not enrolled" */
#define SKM_STORE_DAMAGED 2	  /* truncated, zeroed, flipped, not ours, unreadable */
#define SKM_STORE_WRONG_KEY 3	  /* sealed with another key, or there is no key */
#define SKM_STORE_OTHER_MACHINE 4 /* a copied disk */
#define SKM_STORE_ROLLED_BACK 5	  /* the state knows a newer generation */
#define SKM_STORE_MISMATCH 6	  /* of another uid: a renamed file */

/* What was found and mended on the way; each bit is one record in the audit stream. */
#define SKM_STORE_NOTE_SLOT_LOST 1u	/* one slot was unreadable, the other one is in use */
#define SKM_STORE_NOTE_STATE_REBUILT 2u /* both were: the strictest state is in force, and stored */
#define SKM_STORE_NOTE_FALLBACK 4u	/* the state on /run is in use */

/* Reads person and state. 0; SKM_STORE_…; -errno: -EBUSY when another process has the folder, -ENOENT when
 * there is no folder at all. *ret_notes is always set. The state follows the person
 * (skm_person_state_follow). Without 0, call skm_store_load_decoy next: it does the work that was not done
 * here. */
SKM_NODISCARD int skm_store_load(struct skm_store *store, uint32_t uid, const struct skm_timestamp *now,
	struct skm_person *ret_person, struct skm_person_state *ret_state, unsigned *ret_notes);
/* A decoy for people without a record: the same reads, unsealings and writes on a pair of files that belongs
 * to nobody (made when they are needed), so that the work is the same. The person has no token, the state no
 * failures; nothing may be accepted on their strength; errors are not told. */
void skm_store_load_decoy(struct skm_store *store, const struct skm_timestamp *now,
	struct skm_person *ret_person, struct skm_person_state *ret_state);
void skm_store_save_decoy(struct skm_store *store, struct skm_person_state *state);

/* Stores the state durably; state->revision grows. 0: on disk. SKM_STORE_FELL_BACK: only on /run; a
 * recovery code or a counter token's must not be accepted on the strength of it. -errno: nowhere; nothing may
 * be accepted. */
#define SKM_STORE_FELL_BACK 1
SKM_NODISCARD int skm_store_save_state(struct skm_store *store, uint32_t uid, struct skm_person_state *state);
/* Stores a person durably: generation + 1, this machine's id, and a state that follows. Generation 0 is a
 * person who was never stored; -EEXIST when there is a file already. 0 or -errno (then the old person stands;
 * after a failed sync of the folder, either one may). SKM_STORE_WRONG_KEY without a key. */
SKM_NODISCARD int skm_store_save_person(
	struct skm_store *store, struct skm_person *person, struct skm_person_state *state);
/* Removes state, escrow and person, durably, in this order (see above). 0, also when there was nothing.
 * -errno: not all of it is gone; again. */
SKM_NODISCARD int skm_store_remove(struct skm_store *store, uint32_t uid);
/* Calls on_uid for each uid that has a person file, in no order. 0, what on_uid returned, -errno. */
typedef int (*skm_store_uid_fn)(void *user, uint32_t uid);
SKM_NODISCARD int skm_store_each(struct skm_store *store, skm_store_uid_fn on_uid, void *user);

/* ---- for rekey.c ---- */

/* Seals person and state anew with the current key (and writes the escrow, if there is a key for it).
 * Generation and contents stay; a state that nothing opens is left as it is. 0; SKM_STORE_… of a person that
 * cannot be opened (left as it is); -errno. */
SKM_NODISCARD int skm_store_reseal(struct skm_store *store, uint32_t uid);
/* Stores a person that comes from an escrow. Somebody whose record opens is left alone: SKM_STORE_KEPT. The
 * state is the one that is there, if it opens, else the strictest, but without a wait. 0; SKM_STORE_WRONG_KEY
 * without a key; -errno. */
#define SKM_STORE_KEPT 7
SKM_NODISCARD int skm_store_restore(
	struct skm_store *store, const struct skm_person *person, const struct skm_timestamp *now);

#endif
