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
 * is done. One that was refused for what it is (400) goes in base64 the next time, or as it is again when it
 * was in base64 already; one that was refused for another reason goes as it is. 0; SKM_BULK_UNREADABLE: this
 * is no answer to that request, nothing was changed; -ENOMEM. */
SKM_NODISCARD int skm_bulk_judge(struct skm_output_batch *batch, size_t limit, const char *answer, size_t len,
	struct skm_bulk_verdict *ret_verdict);

#endif
