// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "agent_settings.h"

#define MIDNIGHT INT64_C(1798729200) /* 2027-01-01 in Japan */

/* Mode "audit" lets everything pass: its end does not wait for a long interval. */
Test(agent_settings, looks_when_mode_audit_ends)
{
	static const struct {
		enum skm_mode mode;
		bool audit_is_over;
		uint32_t interval_sec;
		int64_t now_sec;
		uint32_t wait_sec;
	} cases[] = {
		{SKM_MODE_AUDIT, false, 300, MIDNIGHT - 86400, 300},
		{SKM_MODE_AUDIT, false, 300, MIDNIGHT - 301, 300},
		{SKM_MODE_AUDIT, false, 300, MIDNIGHT - 300, 300},
		{SKM_MODE_AUDIT, false, 300, MIDNIGHT - 299, 299},
		{SKM_MODE_AUDIT, false, 86400, MIDNIGHT - 3600, 3600},
		{SKM_MODE_AUDIT, false, 86400, MIDNIGHT - 1, 1},
		/* reached between two looks at the clock: soon, and not "never" */
		{SKM_MODE_AUDIT, false, 86400, MIDNIGHT, 1},
		{SKM_MODE_AUDIT, false, 86400, MIDNIGHT + 86400, 1},
		/* over, whatever a clock that was set back says; and nothing to be over */
		{SKM_MODE_AUDIT, true, 86400, MIDNIGHT - 3600, 86400},
		{SKM_MODE_ENFORCE, false, 86400, MIDNIGHT - 3600, 86400},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		struct skm_config config = {.usb = {.mode = cases[i].mode,
						    .audit_until_sec = MIDNIGHT,
						    .reconcile_sec = cases[i].interval_sec}};
		const struct skm_settings settings = {
			.config = &config, .audit_is_over = cases[i].audit_is_over};
		cr_expect_eq(skm_settings_reconcile_sec(&settings, cases[i].now_sec), cases[i].wait_sec,
			"case %zu: %u", i, skm_settings_reconcile_sec(&settings, cases[i].now_sec));
	}
}
