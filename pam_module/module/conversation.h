// SPDX-License-Identifier: Apache-2.0
/* Talking with the person, through an application that may be wrong in any way. */
#ifndef SKM_PAM_CONVERSATION_H
#define SKM_PAM_CONVERSATION_H

#include <security/pam_modules.h>
#include <string.h>

#include "sekimori/result.h"

/* Asks one question without echo. PAM_SUCCESS: *ret_answer is the application's own memory (malloc), to be
 * given to skm_pam_answer_free. PAM_INCOMPLETE: the application is not ready, it will call again.
 * PAM_CONV_ERR: everything else; PAM_ABORT too. */
SKM_NODISCARD int skm_pam_ask_person(pam_handle_t *pamh, const char *prompt, char **ret_answer);
/* One message, PAM_TEXT_INFO or PAM_ERROR_MSG. Whether it was shown nobody can tell. */
void skm_pam_tell_person(pam_handle_t *pamh, int style, const char *text);
/* Wipes and frees. For SKM_CLEANUP. */
static inline void skm_pam_answer_free(char **answer)
{
	if (*answer)
		explicit_bzero(*answer, strlen(*answer));
	free(*answer);
	*answer = NULL;
}

#endif
