// SPDX-License-Identifier: Apache-2.0
/* A file of settings, a file of state, an answer of a server, each of any contents: what is believed of a
 * state is exactly what would be written, and no answer makes more records done than were asked for. */
#include <assert.h>
#include <string.h>

#include "bulk.h"
#include "output_settings.h"
#include "output_state.h"

static void try_answer(const char *text, size_t size)
{
	struct skm_output_batch batch;
	struct skm_bulk_verdict verdict;
	if (skm_output_batch_init(&batch) < 0)
		return;
	batch.count = 3;
	for (size_t i = 0; i < batch.count; i++)
		(void)strcpy(batch.records[i].id, (const char *const[]){"a-1", "a-2", "a-3"}[i]);
	if (skm_bulk_judge(&batch, 2, text, size, &verdict) == 0) {
		assert(verdict.stored + verdict.refused == 2);
		assert(skm_output_batch_pending(&batch) == 3 - verdict.stored && !batch.records[2].is_done);
	} else {
		assert(skm_output_batch_pending(&batch) == 3);
	}
	skm_output_batch_free(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct skm_output_settings settings;
	struct skm_output_fault fault;
	struct skm_output_state state;
	char again[SKM_OUTPUT_STATE_BYTES_MAX], target[SKM_OUTPUT_TARGET_BYTES];
	if (skm_output_settings_parse(text, size, &settings, &fault) == 0)
		skm_output_settings_target(&settings, target);
	else
		assert(fault.key[0] && fault.allowed_en);
	if (skm_output_state_parse(text, size, &state) == 0)
		assert(skm_output_state_format(&state, again) == size && memcmp(again, text, size) == 0);
	try_answer(text, size);
	return 0;
}
