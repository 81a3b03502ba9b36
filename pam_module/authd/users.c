// SPDX-License-Identifier: Apache-2.0
/* The name service. Its answers decide who is asked for a second factor, so "not found" and "could not tell"
 * are kept apart with care: getpwnam(3) hides the difference, the _r functions mostly do not. Names that no
 * user can have never reach it: NSS modules put them into LDAP filters and DNS names.
 *
 * getgrouplist(3) cannot say that a source was unreachable; the group's own list of members is read too, and
 * that lookup can. */
#include "users.h"

#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "person.h"
#include "sekimori/io.h"
#include "sekimori/log.h"
#include "sekimori/parse.h"

#define BUFFER_BYTES_FIRST ((size_t)4096)
#define BUFFER_BYTES_MAX ((size_t)1 << 20) /* a group of 30,000 members */
#define GROUPS_FIRST 64
#define GROUPS_MAX 65536 /* the kernel's NGROUPS_MAX */

bool skm_user_name_is_possible(const char *name)
{
	size_t len = strlen(name);
	if (len == 0 || len >= SKM_PERSON_NAME_BYTES || !skm_utf8_is_valid(name, len))
		return false;
	for (const char *c = name; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f || *c == '/' || *c == ':')
			return false;
	}
	return true;
}

/* What the _r functions return when there simply is no such entry; anything else is a failure. */
static int not_found_or(int error)
{
	return error == 0 || error == ENOENT || error == ESRCH ? -ENOENT : -error;
}

/* One of the _r functions: 0 and *ret_found tells whether there was one. */
typedef int (*look_up_fn)(const void *key, void *ret_entry, char *buf, size_t size, bool *ret_found);

static int try_passwd_name(const void *key, void *ret_entry, char *buf, size_t size, bool *ret_found)
{
	struct passwd *found = NULL;
	int error = getpwnam_r(key, ret_entry, buf, size, &found);
	*ret_found = found != NULL;
	return error;
}

static int try_passwd_uid(const void *key, void *ret_entry, char *buf, size_t size, bool *ret_found)
{
	const uint32_t *uid = key;
	struct passwd *found = NULL;
	int error = getpwuid_r(*uid, ret_entry, buf, size, &found);
	*ret_found = found != NULL;
	return error;
}

static int try_group_name(const void *key, void *ret_entry, char *buf, size_t size, bool *ret_found)
{
	struct group *found = NULL;
	int error = getgrnam_r(key, ret_entry, buf, size, &found);
	*ret_found = found != NULL;
	return error;
}

/* The strings of *ret_entry are in *ret_buf, which the caller frees. 0, -ENOENT, -errno. */
static int look_up(look_up_fn try, const void *key, void *ret_entry, char **ret_buf)
{
	for (size_t size = BUFFER_BYTES_FIRST; size <= BUFFER_BYTES_MAX; size *= 2) {
		char *buf = malloc(size);
		bool is_found = false;
		int error = EINTR;
		if (!buf)
			return -ENOMEM;
		while (error == EINTR)
			error = try(key, ret_entry, buf, size, &is_found);
		if (error == 0 && is_found) {
			*ret_buf = buf;
			return 0;
		}
		free(buf);
		if (error != ERANGE)
			return not_found_or(error);
	}
	return -ERANGE;
}

static int system_uid_of(void *user, const char *name, uint32_t *ret_uid)
{
	(void)user;
	SKM_CLEANUP(skm_free) char *buf = NULL;
	struct passwd entry;
	if (!skm_user_name_is_possible(name))
		return -ENOENT;
	int r = look_up(try_passwd_name, name, &entry, &buf);
	if (r < 0)
		return r;
	/* (uid_t)-1 means "nobody in particular" to every system call. */
	if (entry.pw_uid == UINT32_MAX)
		return -ENOENT;
	*ret_uid = entry.pw_uid;
	return 0;
}

static int system_name_of(void *user, uint32_t uid, char *ret_name, size_t size)
{
	(void)user;
	SKM_CLEANUP(skm_free) char *buf = NULL;
	struct passwd entry;
	int r = look_up(try_passwd_uid, &uid, &entry, &buf);
	if (r < 0)
		return r;
	size_t len = strlen(entry.pw_name);
	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(ret_name, entry.pw_name, len + 1);
	return 0;
}

/* 1, 0, -errno. */
static int is_in_group_list(const char *name, gid_t primary, gid_t wanted)
{
	for (int room = GROUPS_FIRST; room <= GROUPS_MAX; room *= 2) {
		gid_t *list = calloc((size_t)room, sizeof(*list));
		int count = room, found = 0;
		if (!list)
			return -ENOMEM;
		bool is_whole = getgrouplist(name, primary, list, &count) >= 0;
		for (int i = 0; is_whole && i < count; i++)
			found |= list[i] == wanted;
		free(list);
		if (is_whole)
			return found;
	}
	return -ERANGE;
}

static int is_in_group(const struct passwd *person, const struct group *group)
{
	if (person->pw_gid == group->gr_gid)
		return 1;
	for (char **member = group->gr_mem; member && *member; member++) {
		if (strcmp(*member, person->pw_name) == 0)
			return 1;
	}
	return is_in_group_list(person->pw_name, person->pw_gid, group->gr_gid);
}

static int system_is_member(void *user, const char *name, const char *group_name)
{
	(void)user;
	char *passwd_buf = NULL, *group_buf = NULL;
	struct passwd person;
	struct group group;
	if (!skm_user_name_is_possible(name))
		return -ENOENT;
	int r = look_up(try_passwd_name, name, &person, &passwd_buf);
	if (r < 0)
		return r;
	r = look_up(try_group_name, group_name, &group, &group_buf);
	if (r == 0)
		r = is_in_group(&person, &group);
	else if (r == -ENOENT) {
		/* Misspelt it has no members, and then a second factor is required of nobody new: say so. */
		skm_log(SKM_SEVERITY_WARNING, "mfa.require: there is no group %s on this machine now",
			group_name);
		r = 0;
	}
	free(group_buf);
	free(passwd_buf);
	return r;
}

struct skm_users skm_users_system(void)
{
	return (struct skm_users){
		.uid_of = system_uid_of, .name_of = system_name_of, .is_member = system_is_member};
}

uint32_t skm_peer_login_uid(const char *proc_root, int32_t pid)
{
	char path[4096];
	char text[32];
	size_t len = 0;
	uint64_t uid = 0;
	if (pid <= 0 ||
		snprintf(path, sizeof(path), "%s/%" PRId32 "/loginuid", proc_root, pid) >= (int)sizeof(path))
		return SKM_LOGIN_UID_UNSET;
	if (skm_file_read_at(AT_FDCWD, path, text, sizeof(text), &len) != 0)
		return SKM_LOGIN_UID_UNSET;
	text[strcspn(text, "\n")] = '\0';
	if (skm_parse_uint(text, 0, UINT32_MAX, &uid) != 0)
		return SKM_LOGIN_UID_UNSET;
	return (uint32_t)uid;
}
