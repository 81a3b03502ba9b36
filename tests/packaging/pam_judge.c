// SPDX-License-Identifier: Apache-2.0
/* What `sekimori mfa status` says of a machine's logins, without a verification service that answers it:
 * pam_judge ROOT [after-enabling]. For test_authselect.py. */
#include <stdio.h>
#include <stdlib.h>

#include "mfa_ways.h"

int main(int argc, char **argv)
{
	static char text[SKM_MFA_WAYS_JSON_BYTES];
	SKM_CLEANUP(skm_mfa_ways_free) struct skm_mfa_ways *ways = NULL;
	if (argc < 2 || skm_mfa_ways_find(argv[1], argc > 2, &ways) < 0)
		return EXIT_FAILURE;
	struct skm_json json;
	skm_json_init(&json, text, sizeof(text));
	skm_json_object_begin(&json, NULL);
	skm_mfa_ways_json(&json, ways);
	skm_json_object_end(&json);
	return json.has_overflowed || puts(text) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
