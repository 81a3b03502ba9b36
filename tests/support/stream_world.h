// SPDX-License-Identifier: Apache-2.0
/* An audit stream's surroundings for tests: a folder and a chain's state of its own, system calls that fail,
 * write half, or end the process on command, a reader that is as strict as the manual asks readers to be, and
 * a verifier who has the chain's first key. One world at a time. */
#ifndef SKM_TEST_STREAM_WORLD_H
#define SKM_TEST_STREAM_WORLD_H

#include "../../lib/chain_file_ops.h"
#include "../../lib/stream_segment.h"

#define MEGABYTE UINT64_C(1048576)
#define STREAM_PATH_BYTES 128
#define STREAM_BOOT_ID "0123456789abcdef0123456789abcdef"

/* ---- faults ---- */

enum stream_call {
	STREAM_OPENAT,
	STREAM_FSTAT,
	STREAM_PREAD,
	STREAM_WRITE,
	STREAM_FTRUNCATE,
	STREAM_SYNC_FILE_RANGE,
	STREAM_FDATASYNC,
	STREAM_FSYNC,
	STREAM_FCHMOD,
	STREAM_FCHOWN,
	STREAM_UNLINKAT,
	/* of the chain's state */
	CHAIN_OPEN,
	CHAIN_LOCK,
	CHAIN_FSTAT,
	CHAIN_FCHMOD,
	CHAIN_PREAD,
	CHAIN_PWRITE,
	CHAIN_FDATASYNC,
	CHAIN_FSYNC,
	CHAIN_RENAME,
	STREAM_CALL_COUNT
};

struct stream_faults {
	unsigned calls[STREAM_CALL_COUNT];
	unsigned total;
	unsigned first, last;		/* the calls with these numbers fail, all kinds counted */
	bool always[STREAM_CALL_COUNT]; /* every call of the kind fails */
	bool is_short;			/* a failing write stores a part first */
	bool kills;			/* instead of failing, ends the process with SIGKILL */
	unsigned chance;		/* of 100, at random */
	unsigned seed;
	int error;
	char order[4096]; /* the kinds of the calls so far, as 'A' + kind */
};
extern struct stream_faults stream_faults;
extern const struct skm_stream_ops stream_faulty;
extern const struct skm_chain_file_ops chain_faulty;

/* Called after each sync that did not fail, with what is on disk from now on; NULL = by nobody. */
extern void (*stream_on_sync)(enum stream_call call, int fd);

void stream_heal(void);
unsigned stream_random(void);

/* ---- the place ---- */

extern char stream_folder[STREAM_PATH_BYTES];	  /* of the segments */
extern char stream_chain_path[STREAM_PATH_BYTES]; /* of the chain's state, in a folder of its own */
extern uint8_t stream_verifier_key[32], stream_verifier_secret[32];

void stream_world_make(void);
void stream_world_remove(void);
/* Removes the files in the folder. */
void stream_empty(const char *path);
/* Removes segments and the chain's state. */
void stream_world_empty(void);
/* In a static buffer. */
const char *stream_segment_path(unsigned number);
off_t stream_segment_size(unsigned number); /* -1 = none */
/* Adds to a segment. */
void stream_segment_put(unsigned number, const char *text);
/* Keeps the chain's state beside it, and puts that back. */
void stream_chain_keep(void);
void stream_chain_restore(void);

/* ---- a writer ---- */

struct skm_stream *stream_begin(uint64_t segment_bytes);
struct skm_stream *stream_begin_chained(uint64_t segment_bytes);
/* As if the machine had been booted anew. */
struct skm_stream *stream_begin_boot(uint64_t segment_bytes, const char *boot_id);
/* Records with the details r0, r1, … */
void stream_append(struct skm_stream *stream, unsigned count);
extern unsigned stream_next_record;
/* Appends and stores; both must succeed. */
void stream_store(struct skm_stream *stream, unsigned count);
/* One run, chained, that stores so many records and ends with a checkpoint. */
void stream_run(unsigned count);
struct skm_stream_state stream_state(const struct skm_stream *stream);

/* ---- a reader ---- */

struct stream_seen {
	uint64_t count;		   /* records, duplicates not counted */
	unsigned duplicates, torn; /* lines */
	unsigned segments;	   /* files */
	unsigned full, resumed, recovered, broken;
	unsigned starts, stops, counts, times, ends; /* checkpoints by reason */
	unsigned next_detail;			     /* "r0", "r1" … */
	uint64_t resumed_lost, checkpoint_lost;
	char last_event[32], first_event[32];
	char broken_detail[300], checkpoint_detail[300];
	uint64_t first_sequence, boot_number;
	char *lines[8192]; /* by number, to compare duplicates */
};
extern struct stream_seen stream_seen;

/* Reads as the manual tells readers to: in order, a number that was seen already is skipped, a torn end is
 * dropped. Fails on a gap, on two records with one number, and on a record r… that is lost or out of order.
 */
void stream_look(void);
/* After stream_look, of a stream that was chained from its first record on: every line continues the one
 * before, every MAC is the one that the first key leads to, every checkpoint is signed by the key named
 * before. */
void stream_prove(void);

/* The chain that was begun first, and its K_1. */
void stream_first_key(uint8_t ret_id[SKM_CHAIN_ID_BYTES], uint8_t ret_key[SKM_CHAIN_KEY_BYTES]);

#endif
