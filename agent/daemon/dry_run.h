// SPDX-License-Identifier: Apache-2.0
/* The daemon's modes that touch nothing: checking a configuration, judging a described device, and naming the
 * devices that carry the system. Each prints to stdout and returns the exit status: 0 yes, 1 no, 2 usage, 3
 * cannot tell. */
#ifndef SEKIMORI_DRY_RUN_H
#define SEKIMORI_DRY_RUN_H

#include "sekimori/config.h"

struct skm_dry_run {
	enum skm_language language;
	bool as_json;
	const char *config_path;
};

int skm_dry_run_check_config(const struct skm_dry_run *how);
/* Exactly one of path and words is not NULL. */
int skm_dry_run_test_policy(const struct skm_dry_run *how, const char *path, const char *words);
int skm_dry_run_system_devices(void);

#endif
