// SPDX-License-Identifier: Apache-2.0
/* sd_notify(3)'s datagram protocol, so that nothing of ours links libsystemd. */
#ifndef SEKIMORI_NOTIFY_H
#define SEKIMORI_NOTIFY_H

#include <stdint.h>

#include "sekimori/result.h"

/* Sends "READY=1" and the like to the socket NOTIFY_SOCKET names (a path, or '@' for the abstract name
 * space). 0, also when the variable is not set (not run by systemd); -errno. */
int skm_notify(const char *state);
/* WATCHDOG_USEC when WATCHDOG_PID is ours or absent; else 0. */
uint64_t skm_notify_watchdog_usec(void);

#endif
