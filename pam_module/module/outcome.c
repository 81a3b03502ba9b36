// SPDX-License-Identifier: Apache-2.0
/* The one table. A value that stands nowhere in it is a failure: pam-u2f's CVE-2025-23013 came from errors
 * that took the way of "ignore". */
#include "pam_sekimori.h"

/* LOCKED is not PAM_MAXTRIES: the wait ends by itself, and GDM would offer another method. UNENROLLED and
 * DENIED are not PAM_USER_UNKNOWN or PAM_PERM_DENIED: whoever listens to codes learns what the text says, no
 * more, and sudo would give up where a retry may help. */
static const struct {
	int code;
	enum skm_auth_text text;
} table[SKM_AUTH_OUTCOME_COUNT_] = {
	[SKM_AUTH_OK] = {PAM_SUCCESS, SKM_AUTH_TEXT_GENERIC}, /* says nothing */
	[SKM_AUTH_MORE] = {PAM_SYSTEM_ERR, SKM_AUTH_TEXT_UNAVAILABLE},
	[SKM_AUTH_PROMPT] = {PAM_SYSTEM_ERR, SKM_AUTH_TEXT_UNAVAILABLE}, /* no verdict */
	[SKM_AUTH_NOT_REQUIRED] = {PAM_IGNORE, SKM_AUTH_TEXT_NOT_REQUIRED},
	[SKM_AUTH_WRONG] = {PAM_AUTH_ERR, SKM_AUTH_TEXT_WRONG},
	[SKM_AUTH_REPLAYED] = {PAM_AUTH_ERR, SKM_AUTH_TEXT_REPLAYED},
	[SKM_AUTH_LOCKED] = {PAM_AUTH_ERR, SKM_AUTH_TEXT_LOCKED},
	[SKM_AUTH_CLOCK] = {PAM_AUTH_ERR, SKM_AUTH_TEXT_CLOCK},
	[SKM_AUTH_UNENROLLED] = {PAM_AUTH_ERR, SKM_AUTH_TEXT_UNENROLLED},
	[SKM_AUTH_NOT_A_CODE] = {PAM_AUTH_ERR, SKM_AUTH_TEXT_NOT_A_CODE},
	[SKM_AUTH_DAMAGED] = {PAM_SYSTEM_ERR, SKM_AUTH_TEXT_DAMAGED},
	[SKM_AUTH_WRONG_KEY] = {PAM_SYSTEM_ERR, SKM_AUTH_TEXT_DAMAGED},
	[SKM_AUTH_UNAVAILABLE] = {PAM_SYSTEM_ERR, SKM_AUTH_TEXT_UNAVAILABLE},
	[SKM_AUTH_DENIED] = {PAM_AUTH_ERR, SKM_AUTH_TEXT_GENERIC},
	[SKM_AUTH_BUSY] = {PAM_SYSTEM_ERR, SKM_AUTH_TEXT_UNAVAILABLE},
	[SKM_AUTH_BAD_REQUEST] = {PAM_SYSTEM_ERR, SKM_AUTH_TEXT_GENERIC},
	[SKM_AUTH_CONFLICT] = {PAM_SYSTEM_ERR, SKM_AUTH_TEXT_GENERIC},
	[SKM_AUTH_REFUSED] = {PAM_SYSTEM_ERR, SKM_AUTH_TEXT_GENERIC},
};

int skm_pam_code(int outcome)
{
	return outcome >= 0 && outcome < SKM_AUTH_OUTCOME_COUNT_ ? table[outcome].code : PAM_SYSTEM_ERR;
}

enum skm_auth_text skm_pam_text(int outcome)
{
	if (outcome < 0)
		return SKM_AUTH_TEXT_UNAVAILABLE;
	return outcome < SKM_AUTH_OUTCOME_COUNT_ ? table[outcome].text : SKM_AUTH_TEXT_GENERIC;
}
