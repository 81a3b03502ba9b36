// SPDX-License-Identifier: Apache-2.0
/* pam_sekimori.so: asks a person for the code and authd for the verdict. libc and libpam only; no global, no
 * fork, no log but pam_syslog, no configuration file: what it needs to know authd tells it.
 *
 *   auth required pam_sekimori.so [split [services=NAME,…]] [lang=ja|en] [socket=PATH]
 *
 * Plain line, after pam_unix: PREPARE, one prompt, VERIFY. `split` line, before pam_unix: one prompt for
 * password and code in one field; the password becomes PAM_AUTHTOK, the code is kept (pam_set_data) for the
 * plain line, which then asks nothing. A split line acts only for the services it names (default: i3lock,
 * swaylock, gtklock, sddm), and only when authd does not say that no code is needed: then the whole field is
 * the password, and pam_unix asks for it as if we were not there. It returns PAM_IGNORE always (or
 * PAM_INCOMPLETE for an application that is not ready, or a failure for arguments it does not know): it
 * decides nothing.
 *
 *   pam_sekimori.c  the two pam_sm_… functions and the order of things
 *   options.c       the line's arguments (an unknown one is logged and makes the line fail, never pass)
 *   conversation.c  one message a call; every way in which an application can be wrong
 *   question.c      the two questions to authd
 *   outcome.c       the one table: outcome of authd -> PAM code and text
 *   split.c         password and code in one field (pure)
 *   split_data.c    the code's way from the split line to the plain line */
#ifndef SKM_PAM_SEKIMORI_H
#define SKM_PAM_SEKIMORI_H

#include <security/pam_modules.h>

#include "sekimori/auth.h"
#include "sekimori/auth_text.h"

#define SKM_PAM_PATIENCE_MS 3000 /* for all that is asked of authd in one call, on CLOCK_MONOTONIC */
#define SKM_PAM_PREPARE_MS 2000	 /* PREPARE's part of it: a late prompt must leave time for the verdict */
#define SKM_PAM_ANSWER_MAX 512	 /* bytes; a longer answer is no code */

/* PAM code and text of an outcome. Every outcome that is not OK or NOT_REQUIRED, and every error, is a
 * failure: never PAM_SUCCESS, never PAM_IGNORE, never PAM_AUTHINFO_UNAVAIL (GDM and kscreenlocker would drop
 * the method). `outcome` is enum skm_auth_outcome or a negative errno. Pure. */
int skm_pam_code(int outcome);
enum skm_auth_text skm_pam_text(int outcome);

/* Where does the code begin? The last 6 or 8 digits (one blank or hyphen between two of them allowed,
 * full-width or not), or a recovery code, at the end of the field; what stands before is the password, blanks
 * included. False when the field ends in neither, or nothing is left for the password. `digits` is what authd
 * said: with 8, eight are taken where there are eight, else six; with 6, six. A recovery code's number is one
 * digit, or "10". Pure. */
bool skm_pam_split(const char *field, unsigned digits, size_t *ret_password_len);

#endif
