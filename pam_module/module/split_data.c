// SPDX-License-Identifier: Apache-2.0
/* In the PAM handle and not in a PAM item: PAM_AUTHTOK is the keyring's, and every other item is seen by
 * other modules. The name holds the process id: a child that was forked with the handle (sshd, session
 * workers) must not take a code that its parent may take too. Its copy of the memory is its own, so both may
 * run the destructor. */
#include "split_data.h"

#include <stdio.h>
#include <string.h>

#include "conversation.h"

#define KEY_BYTES 48

static void make_key(char ret_key[KEY_BYTES])
{
	(void)snprintf(ret_key, KEY_BYTES, "pam_sekimori_split_%ld", (long)getpid());
}

static void destroy(pam_handle_t *pamh, void *data, int error_status)
{
	(void)pamh;
	(void)error_status;
	char *code = data;
	skm_pam_answer_free(&code);
}

int skm_pam_split_keep(pam_handle_t *pamh, const char *code)
{
	char key[KEY_BYTES];
	make_key(key);
	char *copy = strdup(code);
	if (!copy)
		return PAM_BUF_ERR;
	int r = pam_set_data(pamh, key, copy, destroy);
	if (r != PAM_SUCCESS)
		skm_pam_answer_free(&copy);
	return r;
}

bool skm_pam_split_take(pam_handle_t *pamh, char **ret_code)
{
	char key[KEY_BYTES];
	make_key(key);
	const void *data = NULL;
	if (pam_get_data(pamh, key, &data) != PAM_SUCCESS || !data)
		return false;
	char *copy = strdup(data);
	skm_pam_split_forget(pamh);
	if (!copy)
		return false; /* out of memory: the person is asked instead */
	*ret_code = copy;
	return true;
}

void skm_pam_split_forget(pam_handle_t *pamh)
{
	char key[KEY_BYTES];
	make_key(key);
	const void *data = NULL;
	/* replacing runs the destructor; nothing is made where nothing was */
	if (pam_get_data(pamh, key, &data) == PAM_SUCCESS && data)
		(void)pam_set_data(pamh, key, NULL, NULL);
}
