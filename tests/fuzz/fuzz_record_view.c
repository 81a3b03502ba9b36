// SPDX-License-Identifier: Apache-2.0
/* A line of a log that anybody may have written, down to what reaches the terminal. */
#include <stdlib.h>

#include "record_view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skm_record_view view;
	if (skm_record_view_parse((const char *)data, size, &view) != 0)
		return 0;
	char *out = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&out, &len);
	if (!file)
		abort();
	skm_record_view_print(file, SKM_LANGUAGE_JA, &view);
	skm_record_view_print(file, SKM_LANGUAGE_EN, &view);
	(void)fclose(file);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)out[i] < 0x20 && out[i] != '\n')
			abort();
	free(out);
	skm_record_view_finish(&view);
	return 0;
}
