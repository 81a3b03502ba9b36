// SPDX-License-Identifier: Apache-2.0
/* The configuration in force together with the policy compiled from it: built whole, swapped whole. */
#ifndef SEKIMORI_AGENT_SETTINGS_H
#define SEKIMORI_AGENT_SETTINGS_H

#include "policy.h"
#include "sekimori/clock.h"
#include "sekimori/config.h"

struct skm_settings {
	struct skm_config *config;
	struct skm_policy *policy;
	bool audit_is_over; /* mode "audit" ended by its date; a clock that is set back does not begin it
			       again */
	char error[768];    /* why the file on disk is not what is in force; "" when it is */
};

/* 0; SKM_CONFIG_INVALID with the message in `error`; -errno with a message too. */
SKM_NODISCARD int skm_settings_load(const char *path, const struct skm_clock *clock,
	struct skm_settings **ret_settings, char *error, size_t error_bytes);
/* A broken file at start: the built-in policy, and `error` says why. 0 or -ENOMEM. */
SKM_NODISCARD int skm_settings_load_or_default(
	const char *path, const struct skm_clock *clock, struct skm_settings **ret_settings);
/* For the initramfs: no file but a list of devices that carry the system, lines "VID:PID HASH PORT SERIAL" as
 * `sekimorid --system-devices` prints them; a missing list is an empty one. 0 or -ENOMEM. */
SKM_NODISCARD int skm_settings_early(const char *devices_path, struct skm_settings **ret_settings);
/* How long to wait for the next reconcile: its interval, or the end of mode "audit" when that is sooner.
 * Never 0. Pure. */
uint32_t skm_settings_reconcile_sec(const struct skm_settings *settings, int64_t now_sec);
/* Does mode "audit" let pass now? From its end on never again with these settings. */
bool skm_settings_is_audit_mode(struct skm_settings *settings, int64_t now_sec);
struct skm_settings *skm_settings_free(struct skm_settings *settings);

#endif
