// SPDX-License-Identifier: Apache-2.0
/* What a collector, or whoever answers in its place, may send. A frame is parsed the same way however its
 * bytes arrive, and written again it is the same frame. */
#include <stdlib.h>
#include <string.h>

#include "relp.h"

#define DATA_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	for (size_t at = 0; at < size;) {
		struct skm_relp_frame frame = {0};
		size_t used = 0;
		unsigned status = 0;
		if (skm_relp_frame_parse(text + at, size - at, DATA_MAX, &frame, &used) != 0)
			return 0;
		if (used == 0 || used > size - at || frame.data_len > DATA_MAX ||
			strlen(frame.command) >= sizeof(frame.command))
			abort();
		for (size_t len = 0; len < used; len++) {
			size_t part = 0;
			if (skm_relp_frame_parse(text + at, len, DATA_MAX, &frame, &part) != SKM_RELP_PARTIAL)
				abort();
		}
		char head[SKM_RELP_HEAD_BYTES];
		size_t len = skm_relp_head_format(frame.txnr, frame.command, frame.data_len, head);
		if (len + frame.data_len + 1 > used) /* leading zeros are not written */
			abort();
		if (skm_relp_status(&frame, &status) == 0 && status > 999)
			abort();
		(void)skm_relp_offers_command(&frame, "syslog");
		at += used;
	}
	return 0;
}
