// SPDX-License-Identifier: Apache-2.0
/* Internal to the audit stream: what one of our own lines says about the chain. */
#ifndef SEKIMORI_STREAM_LINK_H
#define SEKIMORI_STREAM_LINK_H

#include "sekimori/chain.h"

struct skm_line_link {
	uint8_t chain_id[SKM_CHAIN_ID_BYTES];
	uint64_t sequence;
	uint8_t boot_id[16]; /* zeros = not known */
	uint64_t boot_number;
	uint8_t previous_hash[SKM_CHAIN_HASH_BYTES];
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	size_t body_len;
	bool is_checkpoint;
	uint8_t next_key[SKM_CHAIN_PUBLIC_KEY_BYTES];
	int64_t time_msec; /* "time" */
	int64_t day;	   /* of it */
};

/* A line without its newline. 0, or -EBADMSG when it is none of ours, or of a stream without a chain. Pure.
 */
SKM_NODISCARD int skm_line_link_parse(const char *line, size_t len, struct skm_line_link *ret_link);

#endif
