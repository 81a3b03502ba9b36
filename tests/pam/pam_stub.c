// SPDX-License-Identifier: Apache-2.0
/* Stands where pam_unix and pam_gnome_keyring stand.
 *   ask=PASSWORD  asks once (or takes PAM_AUTHTOK) and compares, as pam_unix does
 *   show          tells the application what PAM_AUTHTOK and PAM_USER hold, as a keyring would find them */
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

static int ask(pam_handle_t *pamh, const char *expected)
{
	const char *password = NULL;
	int r = pam_get_authtok(pamh, PAM_AUTHTOK, &password, "Password: ");
	if (r != PAM_SUCCESS)
		return r;
	return strcmp(password, expected) == 0 ? PAM_SUCCESS : PAM_AUTH_ERR;
}

static int show(pam_handle_t *pamh)
{
	const void *password = NULL;
	const void *user = NULL;
	(void)pam_get_item(pamh, PAM_AUTHTOK, &password);
	(void)pam_get_item(pamh, PAM_USER, &user);
	pam_info(pamh, "AUTHTOK=%s USER=%s", password ? (const char *)password : "(none)",
		user ? (const char *)user : "(none)");
	return PAM_IGNORE;
}

EXPORTED int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)flags;
	if (argc == 1 && strncmp(argv[0], "ask=", 4) == 0)
		return ask(pamh, argv[0] + 4);
	if (argc == 1 && strcmp(argv[0], "show") == 0)
		return show(pamh);
	return PAM_SERVICE_ERR;
}

EXPORTED int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh;
	(void)flags;
	(void)argc;
	(void)argv;
	return PAM_SUCCESS;
}
