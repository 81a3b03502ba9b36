// SPDX-License-Identifier: Apache-2.0
/* The code's way from the split line to the plain line of the same pam_authenticate(3). */
#ifndef SKM_PAM_SPLIT_DATA_H
#define SKM_PAM_SPLIT_DATA_H

#include <security/pam_modules.h>
#include <stdbool.h>

#include "sekimori/result.h"

/* Keeps a copy of the code, "" = the field held none, until it is taken, replaced or the handle ends. 0 or a
 * PAM error. */
SKM_NODISCARD int skm_pam_split_keep(pam_handle_t *pamh, const char *code);
/* True: the split line of this process acted; *ret_code is the code ("" = none), to be given to
 * skm_pam_answer_free. It can be taken once. */
bool skm_pam_split_take(pam_handle_t *pamh, char **ret_code);
/* What an earlier attempt left. */
void skm_pam_split_forget(pam_handle_t *pamh);

#endif
