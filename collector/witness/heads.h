// SPDX-License-Identifier: Apache-2.0
/* Where each chain stood after a night: the watermarks of the next night, and the leaves of heads_root. Lines
 * "CHAIN:NUMBER:HASH", as `sekimori-verify --watermarks` reads them, sorted. */
#ifndef SKM_WITNESS_HEADS_H
#define SKM_WITNESS_HEADS_H

#include "primitives.h"
#include "sekimori/verify.h"

#define SKM_WITNESS_SEQUENCE_MAX (UINT64_C(1) << 53) /* as the verifier */

struct skm_witness_heads {
	struct skm_watermark *marks; /* owned */
	size_t count, room;
	size_t sorted; /* so many of them */
};
void skm_witness_heads_finish(struct skm_witness_heads *heads);
/* Adds the lines of a file. 0, -EBADMSG or -errno. */
SKM_NODISCARD int skm_witness_heads_load(struct skm_witness_heads *heads, int dirfd, const char *name);
/* This is the newest of its chain, if the one that is known is not newer. 0 or -ENOMEM. */
SKM_NODISCARD int skm_witness_heads_put(struct skm_witness_heads *heads, const struct skm_watermark *mark);
/* Into a new file that takes the place of `name` when all of it is on disk. Sorts. 0 or -errno. */
SKM_NODISCARD int skm_witness_heads_store(struct skm_witness_heads *heads, int dirfd, const char *name);
/* Sorts. */
void skm_witness_heads_root(struct skm_witness_heads *heads, uint8_t ret_root[SKM_WITNESS_HASH_BYTES]);

#endif
