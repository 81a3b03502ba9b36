// SPDX-License-Identifier: Apache-2.0
/* Who sits at the machine: the user of the active session of seat0. */
#ifndef SEKIMORI_CONSOLE_H
#define SEKIMORI_CONSOLE_H

#include "sekimori/record.h"

struct skm_console_user {
	int64_t uid;			 /* -1 = nobody is logged in at the console */
	char user[SKM_USER_BYTES];	 /* "" = nobody */
	char login_user[SKM_USER_BYTES]; /* of the session leader's login uid, "uid:N" when it has another
					    uid; "" = not set */
};

/* run_root is "/run", proc_root "/proc" (tests: folders). Always gives an answer; what cannot be read is
 * "nobody". */
void skm_console_read(const char *run_root, const char *proc_root, struct skm_console_user *ret_user);

#endif
