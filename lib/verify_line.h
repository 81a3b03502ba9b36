// SPDX-License-Identifier: Apache-2.0
/* Internal to the verifier: one line of an audit stream, read strictly. Pure. */
#ifndef SEKIMORI_VERIFY_LINE_H
#define SEKIMORI_VERIFY_LINE_H

#include "sekimori/verify.h"
#include "stream_retire.h"

#define SKM_VERIFY_BOOT_BYTES 16
/* A number that a reader of JSON may hold in a double. */
#define SKM_VERIFY_SEQUENCE_MAX (UINT64_C(1) << 53)

/* Where a line stands. */
struct skm_verify_place {
	uint64_t file, line;
};

struct skm_verify_line {
	size_t body_len;
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	/* --- member "skm" --- */
	char stream[SKM_VERIFY_STREAM_BYTES];
	uint8_t chain_id[SKM_CHAIN_ID_BYTES];
	uint64_t sequence;
	bool has_boot_id;
	uint8_t boot_id[SKM_VERIFY_BOOT_BYTES];
	uint64_t boot_number;
	uint64_t monotonic_nsec;
	uint8_t previous_hash[SKM_CHAIN_HASH_BYTES];
	/* --- the record --- */
	int64_t realtime_usec; /* whole milliseconds */
	uint64_t boottime_usec;
	uint64_t lost;		  /* records that a LOG_RESUMED says were lost */
	bool is_full, is_resumed; /* event LOG_FULL, LOG_RESUMED */
	bool is_checkpoint;	  /* event CHECKPOINT */
	bool has_checkpoint;	  /* the member is there and well formed */
	struct skm_checkpoint checkpoint;
	bool has_deletion; /* event LOG_DELETED, well formed */
	struct skm_old_segment deletion;
};

/* 0, or -EBADMSG when it is no record of a chain, byte for byte as the writer writes it. `line` is without
 * its newline and need not be terminated. */
SKM_NODISCARD int skm_verify_line_parse(const char *line, size_t len, struct skm_verify_line *ret_line);
/* The end of a line only: the hash it continues from, its own code (ret_mac may be NULL) and how long its
 * body is. What skm_verify_line_parse finds there is the same. 0 or -EBADMSG. */
SKM_NODISCARD int skm_verify_line_tail(const char *line, size_t len, size_t *ret_body_len,
	uint8_t ret_previous_hash[SKM_CHAIN_HASH_BYTES], uint8_t ret_mac[SKM_CHAIN_MAC_BYTES]);
/* Does a line that is no record look as if it had been one? Only the words of a finding depend on it. */
bool skm_verify_line_resembles(const char *line, size_t len);

#endif
