// SPDX-License-Identifier: Apache-2.0
/* What arrived and is no record of a chain, as one line of JSON for the folder `aside`: readable, and exact
 * in base64. Pure. */
#ifndef SEKIMORI_STORE_ASIDE_H
#define SEKIMORI_STORE_ASIDE_H

#include "byte_buffer.h"
#include "sekimori/clock.h"
#include "wire.h"

/* Appends one line to `text`. `why` is a word of ours ("FORK"). 0 or -ENOMEM. */
SKM_NODISCARD int skm_aside_add(struct skm_bytes *text, const struct skm_timestamp *received, const char *why,
	const struct skm_wire *wire, const char *bytes, size_t len);

#endif
