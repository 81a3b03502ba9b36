// SPDX-License-Identifier: Apache-2.0
/* Where the gate's modules send their records: agent.c fills in who, when and where, tests look at them. */
#ifndef SEKIMORI_RECORDER_H
#define SEKIMORI_RECORDER_H

#include "sekimori/record.h"

struct skm_recorder {
	void (*record)(void *user, const struct skm_record *record);
	int (*flush)(void *user); /* 0 = all that was recorded is on disk */
	void *user;
};

#endif
