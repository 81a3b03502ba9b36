// SPDX-License-Identifier: Apache-2.0
/* Prints one line of each event, the longest line there can be, and one of hardly anything: what
 * record_schema.sh validates. A program of its own, so that the schema is checked against what
 * skm_record_format really writes. */
#include <stdio.h>

#include "sample_record.h"

static int print(const struct skm_record *record)
{
	char line[SKM_RECORD_LINE_MAX];
	size_t len = skm_record_format(record, line);
	return fwrite(line, 1, len, stdout) == len ? 0 : -1;
}

int main(void)
{
	struct skm_record record;
	int r = 0;
	for (unsigned event = 0; event < SKM_EVENT_COUNT_; event++) {
		sample_record((enum skm_event)event, &record);
		r |= print(&record);
	}

	sample_record(SKM_EVENT_EXPORT_DENIED, &record);
	sample_fill(&record, "\x01");
	/* what only the agent fills in has a fixed shape */
	(void)snprintf(record.boot_id, sizeof(record.boot_id), "%032d", 0);
	(void)snprintf(record.previous_hash, sizeof(record.previous_hash), "%064d", 0);
	(void)snprintf(record.mac, sizeof(record.mac), "%032d", 0);
	r |= print(&record);

	skm_record_init(&record, SKM_EVENT_AGENT_START);
	record.sequence = 1;
	r |= print(&record);
	return r == 0 && fflush(stdout) == 0 ? 0 : 1;
}
