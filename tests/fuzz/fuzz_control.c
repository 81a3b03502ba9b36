// SPDX-License-Identifier: Apache-2.0
/* The first byte chooses the decoder. Whatever one accepts must be the one encoding of what it gave. */
#include <stdlib.h>
#include <string.h>

#include "sekimori/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int r, const uint8_t *again, size_t again_len, const uint8_t *data, size_t size)
{
	if (r != 0 || again_len != size || memcmp(again, data, size) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t again[SKM_CONTROL_MESSAGE_MAX];
	size_t len = 0;
	if (size == 0)
		return 0;
	uint8_t choice = data[0] % 4;
	data++;
	size--;
	struct skm_control_header header;
	static struct skm_status status;
	static struct skm_device_report report;
	static struct skm_refusal refusal;
	if (choice == 0 && skm_control_header_decode(data, size, &header) == 0) {
		int r = skm_control_header_encode(&header, again, sizeof(again));
		check(r, again, SKM_CONTROL_HEADER_BYTES, data, SKM_CONTROL_HEADER_BYTES);
	} else if (choice == 1 && skm_status_decode(data, size, &status) == 0) {
		int r = skm_status_encode(&status, again, sizeof(again), &len);
		check(r, again, len, data, size);
	} else if (choice == 2 && skm_device_report_decode(data, size, &report) == 0) {
		int r = skm_device_report_encode(&report, again, sizeof(again), &len);
		check(r, again, len, data, size);
	} else if (choice == 3 && skm_refusal_decode(data, size, &refusal) == 0) {
		int r = skm_refusal_encode(&refusal, again, sizeof(again), &len);
		check(r, again, len, data, size);
	}
	return 0;
}
