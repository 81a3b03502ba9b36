// SPDX-License-Identifier: Apache-2.0
/* Internal to the verifier: its state. verify.c deals with lines and findings, verify_chain.c with the place
 * of one record in its chain, verify_state.c holds the sets and tables of fixed size that both use. */
#ifndef SEKIMORI_VERIFY_INTERNAL_H
#define SEKIMORI_VERIFY_INTERNAL_H

#include "verify_line.h"

/* ---- keys: K_n of whatever n was asked for last ---- */

struct skm_verify_key {
	uint64_t sequence; /* 0 = none yet */
	uint8_t key[SKM_CHAIN_KEY_BYTES];
};
/* K_n: by ratcheting forward, or anew from K_1 when n is behind. False when that takes more than *budget
 * steps, which are then not taken. */
SKM_NODISCARD bool skm_verify_key_seek(struct skm_verify_key *cursor,
	const uint8_t first_key[SKM_CHAIN_KEY_BYTES], uint64_t sequence, uint64_t *budget);

/* ---- numbers that are missing and may still come ---- */

struct skm_verify_gap {
	uint64_t first, last;
	struct skm_verify_place place; /* of the record behind it */
	bool is_deleted;	       /* a record says that these were deleted when collected */
	bool is_optional;	       /* what was deleted before the first record; nobody misses it */
	bool has_before;
	bool doubts_before;		      /* nothing but its successor could confirm first - 1 */
	uint8_t before[SKM_CHAIN_HASH_BYTES]; /* hash of first - 1 */
	uint8_t after[SKM_CHAIN_HASH_BYTES];  /* what last + 1 names as the hash of `last` */
	struct skm_verify_key key;	      /* K_first, or nearby */
};

/* ---- numbers that cannot be vouched for: rising, neither touching nor overlapping ---- */

struct skm_verify_range {
	uint64_t first, last;
};
struct skm_verify_ranges {
	size_t count;
	struct skm_verify_range ranges[SKM_VERIFY_RANGES_MAX];
};
void skm_verify_ranges_add(struct skm_verify_ranges *ranges, uint64_t first, uint64_t last);

/* ---- what records looked like: the latest ones all, older ones in samples ---- */

#define SKM_VERIFY_SEEN_SLOTS 16384u
#define SKM_VERIFY_SEEN_STEP 256u
struct skm_verify_seen {
	struct skm_verify_seen_entry {
		uint64_t sequence;
		uint64_t hash[2]; /* the first half: two histories do not agree in it by chance */
		uint64_t chain;
	} recent[SKM_VERIFY_SEEN_SLOTS], sampled[SKM_VERIFY_SEEN_SLOTS];
};
void skm_verify_seen_put(struct skm_verify_seen *seen, size_t chain, uint64_t sequence, const uint8_t *hash);
enum skm_verify_likeness { SKM_VERIFY_UNKNOWN, SKM_VERIFY_SAME, SKM_VERIFY_OTHER };
enum skm_verify_likeness skm_verify_seen_compare(
	const struct skm_verify_seen *seen, size_t chain, uint64_t sequence, const uint8_t *hash);

/* ---- a chain ---- */

enum skm_verify_mac { SKM_MAC_UNKNOWN, SKM_MAC_RIGHT, SKM_MAC_WRONG };

/* The record with the highest number. What is wrong with it is told when the next one has shown whether its
 * bytes are those that were chained: changed bytes are an EDIT, chained bytes with a wrong MAC a FORGE. */
struct skm_verify_tip {
	struct skm_verify_place place;
	uint8_t hash[SKM_CHAIN_HASH_BYTES];
	enum skm_verify_mac mac;
	enum skm_finding_cause fault; /* SKM_CAUSE_COUNT_ = none */
	bool is_judged;		      /* told already */
	bool is_checkpoint;	      /* with a signature that holds */
	bool has_deletion;
	struct skm_old_segment deletion;
};

/* The record read last, when it was not a new highest one. */
struct skm_verify_side {
	uint64_t sequence; /* 0 = none */
	uint8_t hash[SKM_CHAIN_HASH_BYTES];
	bool is_fork;
};

struct skm_verify_chain {
	size_t index;
	struct skm_verification result; /* last = number of the tip; 0 = no record yet */
	const uint8_t *first_key;	/* borrowed, NULL = not known */
	struct skm_verify_key key;
	struct skm_verify_tip tip;
	struct skm_verify_side side;
	bool is_unreadable_before; /* what is missing before the record being taken is told already */
	bool is_disguised;	   /* the record being taken is told already */
	size_t gap_count;
	struct skm_verify_gap gaps[SKM_VERIFY_GAPS_MAX]; /* in the order they were found */
	struct skm_verify_ranges doubtful;
	/* --- checkpoints --- */
	bool knows_signing_key;
	uint8_t signing_key[SKM_CHAIN_PUBLIC_KEY_BYTES]; /* announced for the next one */
	uint64_t drops_told;				 /* since the last checkpoint, by LOG_RESUMED */
	/* --- clocks, of the tip --- */
	bool has_times, has_boot_id, was_stop;
	bool is_full; /* its run has said LOG_FULL and not yet LOG_RESUMED: it could not write */
	int64_t realtime_usec;
	uint8_t boot_id[SKM_VERIFY_BOOT_BYTES];
	uint64_t boot_number, monotonic_nsec, boottime_usec;
	/* --- watermarks of this chain: a part of the verifier's sorted list --- */
	struct skm_verify_watermark *watermarks;
	size_t watermark_count;
};

/* Lines in a row that are no records: whether they were some, the next record's number tells. */
struct skm_verify_odd {
	uint64_t count, resembling;
	struct skm_verify_place place;
};

struct skm_verify_watermark {
	struct skm_watermark mark;
	bool is_seen, holds;	   /* the record was there; had that hash */
	bool is_claimed, is_named; /* the next one was there; names that hash */
};

struct skm_verifier {
	struct skm_verifier_options options;
	uint64_t budget; /* of keys to be derived */
	struct skm_verify_place place;
	struct skm_verify_line line; /* being looked at */
	const uint8_t *line_hash;    /* of it, when it was computed before */
	struct skm_verify_odd odd;
	bool has_open; /* the finding below may still grow */
	struct skm_finding open;
	struct skm_verify_chain *open_chain; /* NULL when homeless */
	uint64_t homeless[SKM_FINDING_COUNT_];
	struct skm_verify_watermark *watermarks;
	bool is_finished;
	size_t chain_count, current;
	struct skm_verify_chain **chains; /* in the order of appearance */
	size_t chain_room;		  /* of chains; a power of two */
	uint32_t *places; /* 2 * chain_room: where a chain of this id would be, its index + 1; 0 = free */
	struct skm_verify_seen seen;
};

/* As skm_verifier_line, of a whole line. `hash`: what skm_verify_line_tail and skm_chain_hash_next make of
 * it, NULL when the line has no such tail (or it was not computed). */
void skm_verifier_line_hashed(
	struct skm_verifier *verifier, const char *line, size_t len, const uint8_t *hash);

/* Takes a finding: it is told at once, or when it cannot grow any more. `chain` NULL = belongs to none. */
void skm_verify_tell(struct skm_verifier *verifier, struct skm_verify_chain *chain,
	enum skm_finding_cause cause, uint64_t first, uint64_t last, struct skm_verify_place place,
	int64_t value);
enum skm_finding_kind skm_cause_kind(enum skm_finding_cause cause);
/* May the finding grow to a neighbouring record of which the same is said? */
bool skm_cause_may_grow(enum skm_finding_cause cause);

/* One record of its chain. */
void skm_verify_record(struct skm_verifier *verifier, struct skm_verify_chain *chain, const char *body);
/* Would this line be the next record of the chain, but for what it calls itself? */
bool skm_verify_is_disguised(
	const struct skm_verify_chain *chain, const struct skm_verify_line *line, bool is_same_chain);
/* And it is: whatever the next one names, this one has been told. */
void skm_verify_disguised(struct skm_verify_chain *chain);
/* As many lines stand in the place of the records up to this one as are missing. */
void skm_verify_unreadable(
	struct skm_verifier *verifier, struct skm_verify_chain *chain, const struct skm_verify_odd *odd);
void skm_verify_chain_finish(struct skm_verifier *verifier, struct skm_verify_chain *chain);

/* Losses that the terminal counted. */
void skm_verify_drops(struct skm_verifier *verifier, struct skm_verify_chain *chain);
/* Wall clock, boot clock, silence (verify_clock.c). `is_next`: no number is missing before. */
void skm_verify_times(struct skm_verifier *verifier, struct skm_verify_chain *chain, bool is_next);
/* Nothing more comes: should there be? */
void skm_verify_until(struct skm_verifier *verifier, struct skm_verify_chain *chain);

#endif
