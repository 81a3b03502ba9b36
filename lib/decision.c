// SPDX-License-Identifier: Apache-2.0
/* The words of a decision, and what it means for data. How one is made stands in the daemon's policy; every
 * program must be able to read one. */
#include <string.h>

#include "sekimori/decision.h"

static const char *const verdict_words[SKM_VERDICT_COUNT_] = {
	[SKM_VERDICT_DENY] = "deny",
	[SKM_VERDICT_PARTIAL] = "partial",
	[SKM_VERDICT_ALLOW] = "allow",
};

const char *skm_verdict_to_string(enum skm_verdict verdict)
{
	/* A value that cannot be is a refusal, like 0. */
	return verdict_words[(unsigned)verdict < SKM_VERDICT_COUNT_ ? verdict : SKM_VERDICT_DENY];
}

int skm_verdict_from_string(const char *word, enum skm_verdict *ret_verdict)
{
	for (unsigned i = 0; i < SKM_VERDICT_COUNT_; i++) {
		if (strcmp(word, verdict_words[i]) == 0) {
			*ret_verdict = (enum skm_verdict)i;
			return 0;
		}
	}
	return -EINVAL;
}

static bool is_for_work(enum skm_device_kind kind)
{
	return kind == SKM_KIND_HUB || kind == SKM_KIND_KEYBOARD || kind == SKM_KIND_MOUSE ||
	       kind == SKM_KIND_HID || kind == SKM_KIND_SMART_CARD;
}

bool skm_decision_opens_export(const struct skm_decision *decision, const struct skm_device *device)
{
	if (decision->verdict == SKM_VERDICT_DENY)
		return false;
	for (unsigned i = 0; i < device->interface_count; i++)
		if (decision->interface_allowed[i] &&
			!is_for_work(skm_usb_interface_kind(&device->interfaces[i])))
			return true;
	return false;
}
