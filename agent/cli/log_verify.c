// SPDX-License-Identifier: Apache-2.0
/* `sekimori log verify` is the very program that an auditor has as `sekimori-verify` (lib/verify_command.c):
 * options, words and exit codes are its own, so that the two can never disagree. */
#include "cli.h"
#include "sekimori/verify_command.h"

int skm_verb_log_verify(struct skm_cli *cli, int argc, char **argv)
{
	const struct skm_verify_command command = {
		.name = "sekimori log verify", .language = cli->language, .json = cli->json};
	return skm_verify_command(&command, argc, argv);
}
