// SPDX-License-Identifier: Apache-2.0
/* A black and white PNG (ISO/IEC 15948) of a square of modules. Pure. */
#ifndef SKM_PNG_H
#define SKM_PNG_H

#include <stdint.h>

#include "sekimori/result.h"

struct skm_png_square {
	const uint8_t *is_dark; /* side × side, row by row */
	unsigned side;		/* modules, at most 177 */
	unsigned margin;	/* light modules around it, at most 16 */
	unsigned scale;		/* pixels a module, at most 16 */
};

/* *ret_png is malloc'ed. It may hold a secret: wipe it before it is freed. 0, -EINVAL (out of the bounds
 * above), -ENOMEM. */
SKM_NODISCARD int skm_png_encode(const struct skm_png_square *square, uint8_t **ret_png, size_t *ret_len);

#endif
