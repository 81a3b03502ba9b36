// SPDX-License-Identifier: Apache-2.0
/* One message a call: SDDM indexes the responses wrongly for more, and pam_conv(3) recommends it.
 * pam_prompt(3) was rejected: it frees what a failed conversation left in the response pointer, and gives the
 * answer back without saying whether there was one; pam_get_authtok(3) would put the code where the keyring
 * looks for the login password.
 *
 * PAM_ABORT from the conversation (swaylock gives it to every second question) is not handed up: to an
 * application it says "leave at once", and a screen locker that leaves has unlocked the screen. */
#include "conversation.h"

#include <security/pam_appl.h>

/* A failed conversation's response is not looked at: applications free it and leave the pointer. */
static int converse(pam_handle_t *pamh, int style, const char *text, struct pam_response **ret_response)
{
	const void *item = NULL;
	if (pam_get_item(pamh, PAM_CONV, &item) != PAM_SUCCESS || !item)
		return PAM_CONV_ERR;
	const struct pam_conv *conv = item;
	if (!conv->conv)
		return PAM_CONV_ERR;
	const struct pam_message message = {.msg_style = style, .msg = text};
	const struct pam_message *messages[] = {&message};
	struct pam_response *response = NULL;
	int r = conv->conv(1, messages, &response, conv->appdata_ptr);
	if (r == PAM_CONV_AGAIN)
		return PAM_INCOMPLETE;
	if (r != PAM_SUCCESS)
		return PAM_CONV_ERR;
	*ret_response = response;
	return PAM_SUCCESS;
}

int skm_pam_ask_person(pam_handle_t *pamh, const char *prompt, char **ret_answer)
{
	struct pam_response *response = NULL;
	int r = converse(pamh, PAM_PROMPT_ECHO_OFF, prompt, &response);
	if (r != PAM_SUCCESS)
		return r;
	if (!response)
		return PAM_CONV_ERR; /* "success" without a word: LightDM, when it is already done */
	char *answer = response->resp;
	response->resp = NULL;
	free(response);
	if (!answer)
		return PAM_CONV_ERR;
	*ret_answer = answer;
	return PAM_SUCCESS;
}

void skm_pam_tell_person(pam_handle_t *pamh, int style, const char *text)
{
	struct pam_response *response = NULL;
	if (converse(pamh, style, text, &response) != PAM_SUCCESS || !response)
		return;
	skm_pam_answer_free(&response->resp); /* nothing was asked, but some answer all the same */
	free(response);
}
