// SPDX-License-Identifier: Apache-2.0
/* "sekimori-collector output status": how far an output has come. */
#ifndef SEKIMORI_OUTPUT_REPORT_H
#define SEKIMORI_OUTPUT_REPORT_H

#include <stdio.h>

#include "output_settings.h"
#include "sekimori/language.h"

/* Prints to `file`, as a text or (is_json) as one JSON object and a newline. 0: all is well; 1: needs a look
 * (records do not go out); 3: could not tell (told on standard error). */
int skm_output_report(const struct skm_output_settings *settings, const char *store_folder,
	const char *state_folder, enum skm_language language, bool is_json, FILE *file);

#endif
