// SPDX-License-Identifier: Apache-2.0
/* The auth lines of one PAM service as libpam sees them: includes followed, controls worked out. Pure: the
 * files come from the caller. Specification: pam.conf(5), and libpam/pam_handlers.c where it is silent. */
#ifndef SKM_PAM_STACK_H
#define SKM_PAM_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "sekimori/result.h"

#define SKM_PAM_FILE_BYTES 65536u
#define SKM_PAM_LINES_MAX 128u
#define SKM_PAM_DEPTH_MAX 16u /* as libpam's own limit of substacks */
#define SKM_PAM_MODULE_BYTES 128u

/* Numbers of <security/_pam_types.h>, which are fixed by every module in use. */
enum skm_pam_code {
	SKM_PAM_SUCCESS = 0,
	SKM_PAM_SYSTEM_ERR = 4,
	SKM_PAM_PERM_DENIED = 6,
	SKM_PAM_AUTH_ERR = 7,
	SKM_PAM_NEW_AUTHTOK_REQD = 12,
	SKM_PAM_CONV_ERR = 19,
	SKM_PAM_IGNORE = 25,
	SKM_PAM_MODULE_UNKNOWN = 28,
	SKM_PAM_CODE_COUNT = 32,
};

/* Above 0: so many lines are jumped over. */
enum skm_pam_action {
	SKM_PAM_ACTION_IGNORE = 0,
	SKM_PAM_ACTION_OK = -1,
	SKM_PAM_ACTION_DONE = -2,
	SKM_PAM_ACTION_BAD = -3,
	SKM_PAM_ACTION_DIE = -4,
	SKM_PAM_ACTION_RESET = -5,
};

enum skm_pam_kind {
	SKM_PAM_MODULE,
	SKM_PAM_SUBSTACK, /* the lines behind it with a higher level are its own */
	SKM_PAM_BROKEN,	  /* libpam fails here without asking any module */
};

struct skm_pam_line {
	enum skm_pam_kind kind;
	unsigned level;			      /* of substacks, 0 = the service itself */
	int actions[SKM_PAM_CODE_COUNT];      /* enum skm_pam_action or a jump */
	char path[SKM_PAM_MODULE_BYTES];      /* as it is written; cut where it is longer */
	char arguments[SKM_PAM_MODULE_BYTES]; /* one blank between two; cut where they are longer */
};

struct skm_pam_stack {
	bool is_broken; /* libpam cannot start the service: nobody gets in, whatever the lines say */
	unsigned count;
	struct skm_pam_line lines[SKM_PAM_LINES_MAX];
};

struct skm_pam_files {
	/* The whole text of a file by its name, terminated: 0, -ENOENT, -errno. */
	int (*read)(void *user, const char *name, char *buf, size_t size);
	/* Can libpam load it? */
	bool (*is_installed)(void *user, const char *path);
	void *user;
	/* Take common-auth as it will be with our module required at its end: where the packages' tool puts
	 * a profile of the type Additional. And authselect's files with our module required as the first line:
	 * ours stands elsewhere there, but in every way through them. */
	bool assumes_ours;
};

/* "pam_unix.so" of "/lib/security/pam_unix.so". */
const char *skm_pam_module_name(const char *path);
#define SKM_PAM_OUR_MODULE "pam_sekimori.so"

/* 0; -ENOENT (no such service); -E2BIG (more lines, or deeper, than the limits); what `read` returned. The
 * stack has no line when the service has none of its own: libpam then takes those of "other". */
SKM_NODISCARD int skm_pam_stack_read(
	const struct skm_pam_files *files, const char *service, struct skm_pam_stack *ret_stack);

#endif
