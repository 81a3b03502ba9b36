// SPDX-License-Identifier: Apache-2.0
/* OpenSearch's bulk protocol: the text of a request, and what its answer means. Pure.
 * https://opensearch.org/docs/latest/api-reference/document-apis/bulk/ */
#ifndef SEKIMORI_OUTPUT_BULK_H
#define SEKIMORI_OUTPUT_BULK_H

#include "output_batch.h"

/* The request for at most `limit` of the pending records, in their order; `body` is overwritten. The action
 * is "index" with the record's identity: what is sent again replaces itself. 0 or -ENOMEM. */
SKM_NODISCARD int skm_bulk_compose(
	const struct skm_output_batch *batch, size_t limit, struct skm_bytes *body);

#define SKM_BULK_TROUBLE_BYTES 96
struct skm_bulk_verdict {
	size_t stored, refused;
	/* Why the first one was refused: the server's word for it, printable ASCII; "" = none was. */
	char why[SKM_BULK_TROUBLE_BYTES];
};
#define SKM_BULK_UNREADABLE 1
/* Reads the answer to the request that skm_bulk_compose made with the same limit. Each record that was stored
 * is done. One that was refused with 400 goes in the next form the next time, after the last in the first
 * again; one that was refused for another reason goes as it went. One whose name was stored is tried once
 * more, and when it is refused as it is and in base64 now, it is done and left out. 0; SKM_BULK_UNREADABLE:
 * this is no answer to that request, nothing was changed; -ENOMEM. */
SKM_NODISCARD int skm_bulk_judge(struct skm_output_batch *batch, size_t limit, const char *answer, size_t len,
	struct skm_bulk_verdict *ret_verdict);

#endif
