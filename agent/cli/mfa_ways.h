// SPDX-License-Identifier: Apache-2.0
/* All services of the machine's PAM configuration, and which of them let people in without our module.
 * `root` goes before every path: "" for the real ones.
 *
 * Not judged: parts of services (Debian's common-*, authselect's system-auth and the like), what editors and
 * packages leave behind (*~, *.dpkg-*, *.rpm*, *.ucf-*, *.bak, hidden files), and the greeters' own sessions
 * (*-greeter, gdm-launch-environment), by which nobody but the greeter's user gets in. Names with capitals
 * are no services: libpam asks for small letters only. */
#ifndef SKM_MFA_WAYS_H
#define SKM_MFA_WAYS_H

#include <stdio.h>

#include "pam_ways.h"
#include "sekimori/json.h"
#include "sekimori/language.h"

struct skm_mfa_ways;

/* Does a service of this name let people in? */
bool skm_mfa_ways_is_service(const char *name);

/* How it is; or, where no service has our module yet (and always with `after_enabling`), how it will be once
 * `mfa enable` has put it into common-auth. 0, -ENOMEM, or -errno of a folder that cannot be read; a service
 * that cannot be judged is in the list as such. */
SKM_NODISCARD int skm_mfa_ways_find(const char *root, bool after_enabling, struct skm_mfa_ways **ret_ways);
void skm_mfa_ways_free(struct skm_mfa_ways **ways); /* for SKM_CLEANUP */

/* Does any service have our module now? */
bool skm_mfa_ways_asks(const struct skm_mfa_ways *ways);
/* Ways that stand open, and services that could not be judged. */
unsigned skm_mfa_ways_count(const struct skm_mfa_ways *ways);

/* One line for each, with two blanks before it; nothing where there is nothing to say. Services that are
 * closed only because a module is not installed are among them. */
void skm_mfa_ways_print(FILE *file, enum skm_language language, const struct skm_mfa_ways *ways);
/* "login":{"asks_for_code":…,"ways_around":[…],"closed_as_installed":[…],"not_judged":[…]} */
void skm_mfa_ways_json(struct skm_json *json, const struct skm_mfa_ways *ways);
#define SKM_MFA_WAYS_JSON_BYTES 65536u

#endif
