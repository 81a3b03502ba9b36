// SPDX-License-Identifier: Apache-2.0
/* What the forwarder says to the agent: over the wire, and in the record. */
#include <criterion/criterion.h>
#include <string.h>

#include "forward_notice.h"

#define SECOND SKM_USEC_PER_SEC
#define END INT64_C(1795219200) /* 2026-11-21T00:00:00Z */

Test(forward_notice, over_the_wire)
{
	struct skm_forward_notice notice = {SKM_FORWARD_NOTICE_MISSING, 1, 90, UINT64_MAX, INT64_MIN},
				  found = {0};
	uint8_t buf[64];
	size_t len = 0;
	cr_assert_eq(skm_forward_notice_encode(&notice, buf, sizeof(buf), &len), 0);
	cr_assert_eq(skm_forward_notice_decode(buf, len, &found), 0);
	cr_expect_eq(found.kind, notice.kind);
	cr_expect_eq(found.stream, 1);
	cr_expect_eq(found.days, 90);
	cr_expect_eq(found.count, UINT64_MAX);
	cr_expect_eq(found.until_sec, INT64_MIN);
	for (size_t cut = 0; cut < len; cut++)
		cr_expect_eq(skm_forward_notice_decode(buf, cut, &found), -EBADMSG, "%zu", cut);
	cr_expect_eq(skm_forward_notice_decode(buf, len + 1, &found), -EBADMSG);
	cr_expect_eq(skm_forward_notice_encode(&notice, buf, len - 1, &len), -ENOBUFS);
	buf[0] = SKM_FORWARD_NOTICE_COUNT_;
	cr_expect_eq(skm_forward_notice_decode(buf, len, &found), -EBADMSG, "no such kind");
	buf[0] = 0;
	buf[1] = 2;
	cr_expect_eq(skm_forward_notice_decode(buf, len, &found), -EBADMSG, "no such stream");
	notice.kind = SKM_FORWARD_NOTICE_COUNT_;
	cr_expect_eq(skm_forward_notice_encode(&notice, buf, sizeof(buf), &len), -EINVAL);
}

static struct skm_record record_of(const struct skm_forward_notice *notice)
{
	struct skm_forward_notice_gate gate = {0};
	struct skm_record record = {0};
	cr_assert_eq(skm_forward_notice_take(&gate, notice, 1, &record), 0);
	cr_expect_str_eq(record.rule, "builtin:forward");
	cr_expect_eq(record.outcome, SKM_OUTCOME_LOGGED);
	return record;
}

Test(forward_notice, in_the_record)
{
	struct skm_forward_notice notice = {
		.kind = SKM_FORWARD_NOTICE_CERTIFICATE, .days = 30, .until_sec = END};
	struct skm_record record = record_of(&notice);
	cr_expect_eq(record.event, SKM_EVENT_FORWARD_CERTIFICATE);
	cr_expect_not_null(strstr(record.detail, "within 30 days, on 2026-11-21 (UTC)"), "%s", record.detail);
	notice.days = 0;
	record = record_of(&notice);
	cr_expect_not_null(strstr(record.detail, "ended on 2026-11-21 (UTC)"), "%s", record.detail);
	notice.until_sec = INT64_MAX;
	record = record_of(&notice);
	cr_expect_not_null(strstr(record.detail, "ended on ?"), "a year that nobody can write");

	notice = (struct skm_forward_notice){.kind = SKM_FORWARD_NOTICE_MISSING, .stream = 1, .count = 17};
	record = record_of(&notice);
	cr_expect_eq(record.event, SKM_EVENT_FORWARD_LOSS);
	cr_expect_eq(record.count, 17);
	cr_expect_str_eq(record.object, "stream auth");
	cr_expect_not_null(strstr(record.detail, "are missing"));
	notice = (struct skm_forward_notice){.kind = SKM_FORWARD_NOTICE_UNSENT, .stream = 0, .count = 2};
	record = record_of(&notice);
	cr_expect_eq(record.event, SKM_EVENT_FORWARD_LOSS);
	cr_expect_str_eq(record.object, "stream agent");
	cr_expect_not_null(strstr(record.detail, "not sent"));
}

Test(forward_notice, one_of_a_kind_in_half_a_minute)
{
	struct skm_forward_notice_gate gate = {0};
	struct skm_forward_notice missing = {.kind = SKM_FORWARD_NOTICE_MISSING, .count = 1};
	struct skm_forward_notice unsent = {.kind = SKM_FORWARD_NOTICE_UNSENT, .count = 1};
	struct skm_record record = {.count = 99};
	cr_assert_eq(skm_forward_notice_take(&gate, &missing, 100 * SECOND, &record), 0);
	record.count = 99;
	cr_expect_eq(skm_forward_notice_take(&gate, &missing, 130 * SECOND - 1, &record), -EAGAIN);
	cr_expect_eq(record.count, 99, "left alone");
	cr_expect_eq(skm_forward_notice_take(&gate, &unsent, 101 * SECOND, &record), 0, "another kind");
	cr_expect_eq(skm_forward_notice_take(&gate, &missing, 130 * SECOND, &record), 0);
}
