// SPDX-License-Identifier: Apache-2.0
/* The forwarder has the network and no right to write a record; the agent has the stream and no network.
 * Between them go a kind and a few numbers. Rejected: a stream of the forwarder's own (a third chain with a
 * third key and heartbeats, for a dozen records a year), and the agent reading certificates itself (X.509 in
 * the root daemon). */
#include "forward_notice.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static void describe_certificate(const struct skm_forward_notice *notice, struct skm_record *record)
{
	char day[16] = "?";
	struct tm tm;
	time_t until = (time_t)notice->until_sec;
	if (gmtime_r(&until, &tm))
		(void)strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	(void)snprintf(record->object, sizeof(record->object), "terminal certificate");
	if (notice->days == 0)
		(void)snprintf(record->detail, sizeof(record->detail),
			"the certificate ended on %s (UTC); the collector no longer takes the records of this terminal",
			day);
	else
		(void)snprintf(record->detail, sizeof(record->detail),
			"the certificate ends within %" PRIu32
			" days, on %s (UTC); after that the collector takes no "
			"records of this terminal",
			notice->days, day);
}

int skm_forward_notice_take(struct skm_forward_notice_gate *gate, const struct skm_forward_notice *notice,
	uint64_t now_usec, struct skm_record *ret_record)
{
	if (now_usec < gate->next_usec[notice->kind])
		return -EAGAIN;
	gate->next_usec[notice->kind] = now_usec + SKM_FORWARD_NOTICE_INTERVAL_USEC;
	const char *stream = notice->stream == 0 ? "agent" : "auth";
	bool is_certificate = notice->kind == SKM_FORWARD_NOTICE_CERTIFICATE;
	struct skm_record record;
	skm_record_init(&record, is_certificate ? SKM_EVENT_FORWARD_CERTIFICATE : SKM_EVENT_FORWARD_LOSS);
	(void)snprintf(record.rule, sizeof(record.rule), "builtin:forward");
	record.count = notice->count;
	if (is_certificate) {
		describe_certificate(notice, &record);
	} else {
		(void)snprintf(record.object, sizeof(record.object), "stream %s", stream);
		(void)snprintf(record.detail, sizeof(record.detail), "%s",
			notice->kind == SKM_FORWARD_NOTICE_MISSING
				? "records are missing in the files of this terminal; they were never sent to the collector"
				: "lines that are no records stand in the files; they were not sent to the collector");
	}
	*ret_record = record;
	return 0;
}
