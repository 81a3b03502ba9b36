// SPDX-License-Identifier: Apache-2.0
/* What an administrator does to keys while the service is stopped: `sekimori-authd --create-key` and the
 * like. Each says on stdout what was done, on stderr what was not, and returns the exit status: 0 done; 1 not
 * done, and why; 3 could not tell (an error of the machine). */
#ifndef SKM_KEY_COMMANDS_H
#define SKM_KEY_COMMANDS_H

#include "sekimori/language.h"
#include "service.h"

struct skm_key_command {
	const struct skm_service_options *paths;
	enum skm_language language;
	const char *file;	   /* of the escrow's secret key */
	const char *escrow_folder; /* --restore-escrow: NULL = the store's own */
};

int skm_key_command_create(const struct skm_key_command *command);
int skm_key_command_rekey(const struct skm_key_command *command);
int skm_key_command_escrow_keypair(const struct skm_key_command *command);
int skm_key_command_restore_escrow(const struct skm_key_command *command);

#endif
