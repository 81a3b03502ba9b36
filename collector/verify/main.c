// SPDX-License-Identifier: Apache-2.0
/* `sekimori-verify`: proves or disproves a stream and needs nothing else of ours: no agent, no collector, no
 * configuration, no network. What it does is lib/verify_command.c. */
#include <stdio.h>

#include "sekimori/verify_command.h"

int main(int argc, char **argv)
{
	const struct skm_verify_command command = {
		.name = "sekimori-verify", .language = skm_language_from_environment()};
	int exit_code = skm_verify_command(&command, argc, argv);
	/* A report that is cut off by a full disk must not look as if nothing more had been found. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		(void)fprintf(stderr, "sekimori-verify: %s\n",
			skm_text(command.language, "出力を書き込めません。", "cannot write the output"));
		return SKM_VERIFY_EXIT_UNKNOWN;
	}
	return exit_code;
}
