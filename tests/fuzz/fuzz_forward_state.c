// SPDX-License-Identifier: Apache-2.0
/* A state file of any contents: what is believed is exactly what would be written. */
#include <stdlib.h>
#include <string.h>

#include "position.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skm_forward_state state;
	char text[SKM_FORWARD_STATE_BYTES_MAX];
	if (skm_forward_state_parse((const char *)data, size, &state) != 0)
		return 0;
	size_t len = skm_forward_state_format(&state, text);
	if (len != size || memcmp(text, data, len) != 0)
		abort();
	return 0;
}
