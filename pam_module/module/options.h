// SPDX-License-Identifier: Apache-2.0
/* The arguments of a line in a PAM service file. */
#ifndef SKM_PAM_OPTIONS_H
#define SKM_PAM_OPTIONS_H

#include <security/pam_modules.h>
#include <stdbool.h>

#include "sekimori/language.h"

struct skm_pam_options {
	bool is_split;
	const char *services; /* comma-separated, points into the arguments */
	enum skm_language language;
	const char *socket; /* absolute, fits a sockaddr_un */
};

/* 0, or -EINVAL: an argument is unknown or of no use; *ret_bad is its index. *ret_options is always set, with
 * defaults for what could not be read, so that the person can be told in their language. Pure. */
SKM_NODISCARD int skm_pam_options_parse(
	int argc, const char **argv, struct skm_pam_options *ret_options, int *ret_bad);
/* Is the service one of the list? Whole names only. */
bool skm_pam_options_names_service(const struct skm_pam_options *options, const char *service);

#endif
