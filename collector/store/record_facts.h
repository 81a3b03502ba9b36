// SPDX-License-Identifier: Apache-2.0
/* What the collector wants to know of one record's line. Pure. */
#ifndef SEKIMORI_STORE_RECORD_FACTS_H
#define SEKIMORI_STORE_RECORD_FACTS_H

#include "sekimori/chain.h"
#include "sekimori/record.h"
#include "sekimori/stop_reason.h"

/* 2^36 records: 2,000 years at one a second. Each number has a place of 16 bytes in its chain's file of the
 * index: what one record says of itself must not lead behind the end of what a file can have (ext4 with small
 * blocks: 4 TiB). */
#define SKM_RECORD_FACTS_SEQUENCE_MAX (UINT64_C(1) << 36)

struct skm_record_facts {
	/* --- the chain: strict; without it a line is no record --- */
	uint8_t chain_id[SKM_CHAIN_ID_BYTES];
	char stream[17];
	uint64_t sequence;
	uint8_t previous_hash[SKM_CHAIN_HASH_BYTES];
	uint8_t hash[SKM_CHAIN_HASH_BYTES]; /* h_n, by its own previous_hash */

	/* --- what it says: best effort, for the table of terminals; evidence is the line --- */
	char terminal[65];	  /* its number, as skm_terminal_name gives it; "" = none */
	int64_t time_msec;	  /* since the epoch */
	enum skm_event event;	  /* SKM_EVENT_COUNT_ = unknown to this version */
	enum skm_outcome outcome; /* SKM_OUTCOME_COUNT_ = unknown */
	bool is_synchronised;
	int64_t offset_usec;
	enum skm_stop_reason stop; /* of an AGENT_STOP; SKM_STOP_UNKNOWN otherwise */
	/* of a checkpoint; 0 and "" otherwise */
	uint64_t lost;
	char reason[16];
};

/* `line` is without its newline. 0, or -EBADMSG: not a record of a chain. */
SKM_NODISCARD int skm_record_facts_parse(const char *line, size_t len, struct skm_record_facts *ret_facts);

#endif
