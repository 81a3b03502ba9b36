// SPDX-License-Identifier: Apache-2.0
/* When to warn that the terminal's certificate ends. Pure. */
#ifndef SKM_FORWARD_CERTIFICATE_H
#define SKM_FORWARD_CERTIFICATE_H

#include <stdbool.h>

#include "position.h"

/* Is a warning due at now_sec about a certificate that ends at not_after_sec? 90, 30 and 7 days before, and
 * when it has ended: each once for one certificate (again, when the clock was set back), the most urgent
 * alone. *ret_days: 90, 30, 7 or 0. */
bool skm_certificate_warning(
	const struct skm_forward_state *state, int64_t not_after_sec, int64_t now_sec, uint32_t *ret_days);

#endif
