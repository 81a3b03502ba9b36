// SPDX-License-Identifier: Apache-2.0
/* `sekimori-verify`: proves or disproves a stream and needs nothing else of ours: no agent, no collector, no
 * configuration, no network. What it does is lib/verify_command.c. */
#include "sekimori/text.h"
#include "sekimori/verify_command.h"

int main(int argc, char **argv)
{
	const struct skm_verify_command command = {
		.name = "sekimori-verify", .language = skm_language_from_environment()};
	int exit_code = skm_verify_command(&command, argc, argv);
	return skm_text_finish(command.name, command.language, exit_code);
}
