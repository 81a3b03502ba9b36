// SPDX-License-Identifier: Apache-2.0
/* Internal to the audit stream: do the lines on disk continue from where the chain stands? */
#ifndef SEKIMORI_STREAM_TAIL_H
#define SEKIMORI_STREAM_TAIL_H

#include "sekimori/chain.h"
#include "stream_segment.h"

struct skm_chain_verdict {
	bool is_broken;
	char detail[256];
};

/* Takes the records behind chain->sequence into *chain, as far as each is the one that the chain's key made.
 * What contradicts the chain is put into *verdict (else untouched); *chain is then where it can be continued
 * from. The segments are open. 0, SKM_TAIL_NONE or -errno. */
#define SKM_TAIL_NONE 1 /* the chain has no record yet, neither here nor by its state */
SKM_NODISCARD int skm_stream_tail_take(
	struct skm_segments *segments, struct skm_chain *chain, struct skm_chain_verdict *verdict);
/* Is there any record at all? 0 or -errno. */
SKM_NODISCARD int skm_stream_tail_exists(struct skm_segments *segments, bool *ret_exists);

#endif
