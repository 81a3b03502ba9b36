// SPDX-License-Identifier: Apache-2.0
/* The proving program: `sekimori log verify` and `sekimori-verify` are this, so that both say the same. Reads
 * files, prints on stdout and stderr. */
#ifndef SEKIMORI_VERIFY_COMMAND_H
#define SEKIMORI_VERIFY_COMMAND_H

#include "sekimori/language.h"
#include "sekimori/verify.h"

/* Exit codes. What was found comes before what could not be told: the worst finding's kind is added to the
 * last of these (10 = CLOCK … 21 = FOREIGN). 1 is never used: programs that die give it. */
enum skm_verify_exit {
	SKM_VERIFY_EXIT_COMPLETE = 0, /* complete and verified, or what was asked for instead */
	SKM_VERIFY_EXIT_USAGE = 2,
	SKM_VERIFY_EXIT_UNKNOWN = 3, /* nothing is wrong as far as one sees, but it is not proven: no key, no
					checkpoint, no records, or a file that could not be read */
	SKM_VERIFY_EXIT_FOUND = 10,
};

struct skm_verify_command {
	const char *name; /* as people typed it, for messages */
	enum skm_language language;
	bool json;
};
/* argv[0] is passed over. Returns the exit code; stdout may still have to be flushed. */
int skm_verify_command(const struct skm_verify_command *command, int argc, char **argv);

#endif
