// SPDX-License-Identifier: Apache-2.0
/* Prints, for each event, an ordinary line and the longest ones there can be, made of hostile bytes; and
 * lines of hardly anything: what record_schema.sh validates. A program of its own, so that the schema is
 * checked against what skm_record_format really writes. */
#include <stdio.h>

#include "sample_record.h"
#include "sekimori/result.h"

static int print(const struct skm_record *record)
{
	char line[SKM_RECORD_LINE_MAX];
	size_t len = skm_record_format(record, line);
	return fwrite(line, 1, len, stdout) == len ? 0 : -1;
}

static int print_hostile(enum skm_event event, const char *unit)
{
	struct skm_record record;
	sample_record(event, &record);
	bool has_device = record.has_device;
	sample_fill(&record, unit);
	record.has_device = has_device;
	/* what only the agent fills in has a fixed shape */
	(void)snprintf(record.boot_id, sizeof(record.boot_id), "%032d", 0);
	(void)snprintf(record.previous_hash, sizeof(record.previous_hash), "%064d", 0);
	(void)snprintf(record.mac, sizeof(record.mac), "%032d", 0);
	(void)snprintf(record.chain_id, sizeof(record.chain_id), "%032d", 0);
	(void)snprintf(record.checkpoint.reason, sizeof(record.checkpoint.reason), "segment");
	return print(&record);
}

/* Nobody known, no service named: an attempt with an empty name. */
static int print_bare(enum skm_event event, bool has_auth)
{
	struct skm_record record;
	skm_record_init(&record, event);
	record.sequence = 1;
	record.has_auth = has_auth;
	if (has_auth)
		record.stream = "auth";
	return print(&record);
}

int main(void)
{
	static const char *const units[] = {"\x01", "\n", "\xff", "\"", "\xe2\x80\xae", "\xe9\x96\xa2"};
	int r = 0;
	for (unsigned event = 0; event < SKM_EVENT_COUNT_; event++) {
		struct skm_record record;
		sample_record((enum skm_event)event, &record);
		r |= print(&record);
		for (size_t i = 0; i < SKM_ARRAY_SIZE(units); i++)
			r |= print_hostile((enum skm_event)event, units[i]);
	}
	r |= print_bare(SKM_EVENT_AGENT_START, false);
	r |= print_bare(SKM_EVENT_FLOOD_COUNTED, false); /* of many devices */
	r |= print_bare(SKM_EVENT_AUTH_FAIL, true);
	/* the service's own trouble, and a person's clock: about nobody, and about somebody */
	r |= print_bare(SKM_EVENT_AUTH_ERROR, false);
	r |= print_bare(SKM_EVENT_CLOCK_JUMP, true);
	return r == 0 && fflush(stdout) == 0 ? 0 : 1;
}
