// SPDX-License-Identifier: Apache-2.0
/* Who is that name, and what may they do? The only file that asks NSS, as a vtable so that tests own it. */
#ifndef SKM_USERS_H
#define SKM_USERS_H

#include <stdbool.h>
#include <stdint.h>

#include "sekimori/result.h"

struct skm_users {
	/* 0; -ENOENT: no such user (also for names that no user can have: NUL, newline, slash, empty, longer
	 * than SKM_PERSON_NAME_BYTES - 1, not UTF-8); -errno: the lookup failed. */
	int (*uid_of)(void *user, const char *name, uint32_t *ret_uid);
	/* 0; -ENOENT; -errno. */
	int (*name_of)(void *user, uint32_t uid, char *ret_name, size_t size);
	/* Is the person a member of the group (primary or supplementary)? A failed lookup is an error, never
	 * "no". 1, 0, -errno. A group that does not exist has no members, and the journal is told. */
	int (*is_member)(void *user, const char *name, const char *group);
	void *user;
};
struct skm_users skm_users_system(void);
/* Could a user have that name? The name service is not asked about others. Pure. */
bool skm_user_name_is_possible(const char *name);

#define SKM_LOGIN_UID_UNSET UINT32_MAX
/* PROC_ROOT/PID/loginuid; SKM_LOGIN_UID_UNSET when it is not set or cannot be read. The number may belong to
 * another process by now: a peer that ended, or handed its socket on, shows nothing or a stranger. So the
 * answer may forbid and be recorded, and never permits what the peer's uid does not. */
uint32_t skm_peer_login_uid(const char *proc_root, int32_t pid);

/* The caller, by the kernel's word. */
struct skm_peer {
	uint32_t uid;
	int32_t pid;
	uint32_t login_uid; /* skm_peer_login_uid */
	bool is_admin;	    /* root or sekimori-admin */
	bool is_helpdesk;   /* sekimori-helpdesk */
	bool is_reader;	    /* one of the four roles */
};

#endif
