// SPDX-License-Identifier: Apache-2.0
/* What the journal gets: lines on stderr with systemd's "<N>" priority prefix. The audit stream is the
 * record; this is the administrator's hint that something is worth a look there. */
#ifndef SEKIMORI_LOG_H
#define SEKIMORI_LOG_H

#include "sekimori/record.h"

void skm_log(enum skm_severity severity, const char *format, ...) SKM_PRINTF(2, 3);
/* One line for a record of severity warning or above: event, port, ids, rule, and none of the device's own
 * strings; or, about a person, who, which service, from where and why, each text of a stranger between quotes
 * and with everything but printable ASCII as \xNN, and no name that belongs to nobody. */
void skm_log_record(const struct skm_record *record);

#endif
