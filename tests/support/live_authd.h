// SPDX-License-Identifier: Apache-2.0
/* The whole service in a process of its own: the real socket, authenticator, store, stream and name service,
 * in a folder of the test's; only the clock is the test's. */
#ifndef SKM_TEST_LIVE_AUTHD_H
#define SKM_TEST_LIVE_AUTHD_H

#include <stdint.h>
#include <sys/types.h>

#include "tmpdir.h"

#define LIVE_AUTHD_NOW_SEC INT64_C(1795000000) /* November 2026 */

struct live_authd {
	char folder[TMPDIR_BYTES]; /* with conf, log, state, fallback, key and machine-id */
	char socket[TMPDIR_BYTES + 8];
	int64_t *now_sec; /* of all its clocks; shared, to be moved on by the test */
	pid_t pid;
};

/* Listens when this returns. */
void live_authd_start(struct live_authd *authd);
/* Ends it in good order; its files stay. */
void live_authd_end(struct live_authd *authd);
/* Ends it, if it was not ended, and removes the folder. */
void live_authd_stop(struct live_authd *authd);

#endif
