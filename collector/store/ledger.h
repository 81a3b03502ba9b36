// SPDX-License-Identifier: Apache-2.0
/* What the collector knows of every chain: up to where it is complete, what is missing, when it was heard.
 * Judges each record that arrives. Pure: no IO, no clock.
 *
 * Of each (chain, n) the first record that arrives is the one that is stored; a second one is dropped when it
 * is the same, and is evidence of a fork when it is not. A record that does not continue from the one before
 * is stored like any other and told: the evidence is wanted most when something is wrong with it, and one
 * changed record must not keep out all that come after. */
#ifndef SEKIMORI_STORE_LEDGER_H
#define SEKIMORI_STORE_LEDGER_H

#include "record_facts.h"
#include "wire.h"

#define SKM_LEDGER_GAPS_MAX 8
#define SKM_LEDGER_CHAINS_MAX 200000 /* about 200 MB; ten times what one collector can serve */
#define SKM_LEDGER_PRINT_BYTES 16    /* of h_n: enough to tell two records apart */

struct skm_gap {
	uint64_t first, last;			  /* numbers not stored */
	uint8_t hash_after[SKM_CHAIN_HASH_BYTES]; /* what record `last` has to hash to */
};

/* Does the login ask for a second factor? As the command switched it last; a PAM file edited by hand is not
 * seen.
 */
enum skm_factor_word { SKM_FACTOR_UNKNOWN, SKM_FACTOR_REQUIRED, SKM_FACTOR_NOT_REQUIRED };

enum skm_gate_word { SKM_GATE_UNKNOWN, SKM_GATE_CLOSED, SKM_GATE_OPEN, SKM_GATE_AUDIT };

/* One chain. A value without pointers: it is copied, written to disk as it is, compared. */
struct skm_chain_entry {
	uint8_t id[SKM_CHAIN_ID_BYTES];
	char stream[SKM_WIRE_STREAM_BYTES];
	char terminal[SKM_WIRE_TERMINAL_BYTES];
	char address[SKM_WIRE_ADDRESS_BYTES]; /* where its last record came from */
	uint8_t head[SKM_CHAIN_HASH_BYTES];   /* h of record `sequence` */
	uint64_t sequence;		      /* the highest number stored: the watermark */
	uint64_t records, duplicates, forks, breaks;
	uint64_t lost;		    /* records that the terminal says it could not store */
	uint64_t untracked_missing; /* numbers missing beyond the gaps that fit */
	uint64_t untracked_first;   /* none of them is below */
	uint32_t gap_count;
	struct skm_gap gaps[SKM_LEDGER_GAPS_MAX]; /* ascending */
	int64_t first_heard_sec, heard_sec;	  /* the collector's clock */
	/* When `sequence` grew last. Silence is measured by this: an old record may be sent again by anybody.
	 */
	int64_t moved_sec;
	int64_t alive_sec;   /* when its forwarder said that the terminal is on; 0 = never */
	int64_t time_msec;   /* of the newest record, the terminal's clock */
	int64_t delay_msec;  /* from that time to its arrival */
	int64_t offset_usec; /* what the terminal's clock daemon says */
	int64_t factor_sec;  /* when a second factor was asked for last; 0 = never seen */
	int64_t stop_msec; /* of its last AGENT_STOP, the terminal's clock; 0 = it has started again since */
	uint8_t gate;	   /* enum skm_gate_word */
	uint8_t stop;	   /* enum skm_stop_reason, of its last AGENT_STOP */
	uint8_t factor_rule; /* enum skm_factor_word */
	bool is_synchronised;
	bool is_stopped;   /* it announced its stop and has not been heard since */
	bool is_stop_told; /* that it was stopped, and by no shutdown */
	bool is_silent;	   /* that has been told */
	bool is_ended;	   /* the terminal goes on with another chain */
};

enum skm_notice_kind {
	SKM_NOTICE_BEGIN,    /* a chain not known before */
	SKM_NOTICE_RESTART,  /* of a terminal that already had one for this stream */
	SKM_NOTICE_GAP,	     /* numbers are missing */
	SKM_NOTICE_FILLED,   /* the last missing number arrived */
	SKM_NOTICE_EDIT,     /* does not continue from the record before */
	SKM_NOTICE_FORK,     /* another record with a number that is stored */
	SKM_NOTICE_FOREIGN,  /* no record at all */
	SKM_NOTICE_MISMATCH, /* the envelope names another terminal or stream than the chain's */
	SKM_NOTICE_DROP,     /* the terminal could not store all of its records */
	SKM_NOTICE_SILENT,
	SKM_NOTICE_STOPPED, /* the agent was stopped, and not because the machine went down */
	SKM_NOTICE_HEARD,   /* again */
	SKM_NOTICE_DISK,    /* the collector cannot store */
	SKM_NOTICE_COUNT_,
};
const char *skm_notice_to_string(enum skm_notice_kind kind); /* "GAP"; never NULL */

struct skm_notice {
	enum skm_notice_kind kind;
	uint8_t chain_id[SKM_CHAIN_ID_BYTES];
	char terminal[SKM_WIRE_TERMINAL_BYTES], stream[SKM_WIRE_STREAM_BYTES];
	uint64_t first, last; /* numbers concerned; 0 = none */
	char text[192];	      /* English, whatever else there is to say */
};
typedef void (*skm_notice_fn)(void *user, const struct skm_notice *notice);

/* The first bytes of h_n of a record that is stored; false when it is not, or cannot be told. */
typedef bool (*skm_known_fn)(void *user, const uint8_t id[SKM_CHAIN_ID_BYTES], uint64_t sequence,
	uint8_t ret_print[SKM_LEDGER_PRINT_BYTES]);

struct skm_ledger;

struct skm_ledger_options {
	skm_known_fn known;
	skm_notice_fn notice;
	void *user;
	/* So long an agent may be stopped without a shutdown before it is told: a restart, an upgrade. */
	int64_t stop_grace_sec;
};
SKM_NODISCARD int skm_ledger_new(const struct skm_ledger_options *options, struct skm_ledger **ret_ledger);
struct skm_ledger *skm_ledger_free(struct skm_ledger *ledger);

struct skm_arrival {
	const char *terminal, *stream, *address; /* of the envelope; "" = not known (read back from disk) */
	int64_t heard_sec;
	bool is_read_back; /* from our own files: it is stored, and the index may know it already */
};
enum skm_judgement {
	SKM_JUDGED_STORE, /* belongs into the records */
	SKM_JUDGED_DROP,  /* is stored already */
	SKM_JUDGED_FORK,  /* another one with its number is stored: evidence, put aside */
	SKM_JUDGED_ASIDE, /* evidence as well, of something else */
};
/* Judges and takes in one record; tells what is remarkable. 0 or -ENOMEM (nothing was taken in). */
SKM_NODISCARD int skm_ledger_take(struct skm_ledger *ledger, const struct skm_record_facts *facts,
	const struct skm_arrival *arrival, enum skm_judgement *ret_judgement);

/* At a start: a time that is still to come is of a clock that ran ahead. Silence would be measured from
 * there. */
void skm_ledger_not_after(struct skm_ledger *ledger, int64_t now_sec);

/* The forwarder of a terminal says that the machine is on and that it has had nothing of the stream to send
 * for a heartbeat period. It proves nothing, so it can make nothing look better: it only contradicts a chain
 * that said "shutdown". Returns false when that terminal has no such chain. */
bool skm_ledger_alive(struct skm_ledger *ledger, const char *terminal, const char *stream, int64_t now_sec);

/* What was taken in since the last keep is kept, or undone as if it had never come. */
void skm_ledger_keep(struct skm_ledger *ledger);
void skm_ledger_undo(struct skm_ledger *ledger);

/* No new record within `limit_sec` seconds of `now_sec` (both of a clock that does not jump): tells, once. An
 * agent that was stopped by somebody: after the grace. One that stopped for a shutdown: never, unless the
 * terminal turns out to be on. `since_sec` is when listening began: nobody is called silent for our own
 * absence.
 */
void skm_ledger_watch(struct skm_ledger *ledger, int64_t now_sec, int64_t since_sec, int64_t limit_sec);

/* In the order of their appearance. */
size_t skm_ledger_count(const struct skm_ledger *ledger);
const struct skm_chain_entry *skm_ledger_get(const struct skm_ledger *ledger, size_t index);
const struct skm_chain_entry *skm_ledger_find(
	const struct skm_ledger *ledger, const uint8_t id[SKM_CHAIN_ID_BYTES]);
/* From a saved state. 0, -EEXIST, -EINVAL (not what this code writes), -ENOMEM. */
SKM_NODISCARD int skm_ledger_restore(struct skm_ledger *ledger, const struct skm_chain_entry *entry);

/* The last number of the unbroken beginning; too low rather than too high where gaps are only counted. */
uint64_t skm_chain_entry_complete(const struct skm_chain_entry *entry);
uint64_t skm_chain_entry_missing(const struct skm_chain_entry *entry);
/* Its agent is stopped, and not because the machine went down. */
bool skm_chain_entry_is_stopped_by_hand(const struct skm_chain_entry *entry);

#endif
