// SPDX-License-Identifier: Apache-2.0
/* The one place that decides what leaves the agent for somebody without a role. What is not copied here
 * nobody can learn: no serial number, no port, no rule, no other person.
 *
 * Strings are cleaned here and not only where they are shown: whatever listens in a session, now or later, is
 * handed nothing that a terminal or a desktop would obey. */
#include "refusal.h"

#include <string.h>

#include "sekimori/text.h"

#define PRODUCT_COLUMNS_MAX 40 /* what fits on a line of a notice */
#define REASON_COLUMNS_MAX 160

static bool is_refusal(const struct skm_record *record)
{
	return record->event == SKM_EVENT_EXPORT_DENIED || record->event == SKM_EVENT_NETDEV_DENIED ||
	       record->event == SKM_EVENT_DEVICE_PARTIAL;
}

bool skm_refusal_from_record(const struct skm_record *record, uid_t *ret_uid, struct skm_refusal *ret_refusal)
{
	const struct skm_decision *decision = &record->decision;
	/* (uid_t)-1 is nobody's (setresuid(2)). */
	if (!is_refusal(record) || !record->has_device || record->at_start || record->sequence == 0 ||
		record->user_uid < 0 || record->user_uid >= UINT32_MAX)
		return false;
	struct skm_refusal refusal = {
		.receipt = record->sequence,
		.is_partial = record->event == SKM_EVENT_DEVICE_PARTIAL,
		.kind = (uint8_t)decision->kind,
		.vendor_id = record->device.vendor_id,
		.product_id = record->device.product_id,
	};
	(void)skm_text_clean(
		record->device.product, PRODUCT_COLUMNS_MAX, refusal.product, sizeof(refusal.product));
	/* A built-in rule's reason is for administrators, in English. */
	if (strncmp(decision->rule, "builtin:", strlen("builtin:")) != 0)
		(void)skm_text_clean(
			decision->reason, REASON_COLUMNS_MAX, refusal.reason, sizeof(refusal.reason));
	*ret_uid = (uid_t)record->user_uid;
	*ret_refusal = refusal;
	return true;
}
