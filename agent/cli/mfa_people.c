// SPDX-License-Identifier: Apache-2.0
/* Asked before the login is switched: a list of those who would stand before a closed door is worth more than
 * a rule how to find them. The name service is walked as it is; a directory that does not list its people
 * (most do not) cannot be counted, which the command says. */
#include "mfa_people.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/io.h"
#include "sekimori/parse.h"

#define UID_PERSON_MIN 1000u
#define UID_NOBODY 65534u
#define LOGIN_UID_UNSET UINT32_MAX

/* One of the two databases, from its file or by the name service. */
struct walk {
	FILE *file; /* NULL = the name service */
	bool is_group;
};

static int walk_begin(const char *root, bool is_group, struct walk *ret_walk)
{
	struct walk walk = {.is_group = is_group};
	if (root[0]) {
		char path[4096];
		int len = snprintf(path, sizeof(path), "%s/etc/%s", root, is_group ? "group" : "passwd");
		if (len < 0 || (size_t)len >= sizeof(path))
			return -ENAMETOOLONG;
		walk.file = fopen(path, "re");
		if (!walk.file)
			return -errno;
	} else if (is_group) {
		setgrent();
	} else {
		setpwent();
	}
	*ret_walk = walk;
	return 0;
}

static void walk_end(struct walk *walk)
{
	if (walk->file)
		(void)fclose(walk->file);
	else if (walk->is_group)
		endgrent();
	else
		endpwent();
}

static const struct passwd *next_person(struct walk *walk)
{
	return walk->file ? fgetpwent(walk->file) : getpwent();
}

static const struct group *next_group(struct walk *walk)
{
	return walk->file ? fgetgrent(walk->file) : getgrent();
}

bool skm_mfa_people_has_login_shell(const char *shell)
{
	static const char *const closed[] = {"nologin", "false", "true", "sync", "halt", "shutdown"};
	const char *slash = strrchr(shell, '/');
	const char *name = slash ? slash + 1 : shell; /* "" is /bin/sh (passwd(5)) */
	for (size_t i = 0; i < SKM_ARRAY_SIZE(closed); i++) {
		if (strcmp(name, closed[i]) == 0)
			return false;
	}
	return true;
}

int skm_mfa_people_each(const char *root, int (*on_person)(void *user, const char *name), void *user)
{
	struct walk walk = {0};
	int r = walk_begin(root, false, &walk);
	if (r < 0)
		return r;
	for (const struct passwd *person; r == 0 && (person = next_person(&walk));) {
		bool is_person = person->pw_uid >= UID_PERSON_MIN && person->pw_uid != UID_NOBODY;
		if (person->pw_uid != 0 && !(is_person && skm_mfa_people_has_login_shell(person->pw_shell)))
			continue;
		/* The library's record lives until its next call, and the callee may make one. */
		char *name = strdup(person->pw_name);
		r = name ? on_person(user, name) : -ENOMEM;
		free(name);
	}
	walk_end(&walk);
	return r;
}

static int find_person(const char *root, const char *name, gid_t *ret_gid)
{
	if (!root[0]) {
		errno = 0;
		const struct passwd *person = getpwnam(name);
		if (!person)
			return errno && errno != ESRCH ? -errno : -ENOENT;
		*ret_gid = person->pw_gid;
		return 0;
	}
	struct walk walk = {0};
	int r = walk_begin(root, false, &walk);
	if (r < 0)
		return r;
	r = -ENOENT;
	for (const struct passwd *person; r != 0 && (person = next_person(&walk));) {
		if (strcmp(person->pw_name, name) != 0)
			continue;
		*ret_gid = person->pw_gid;
		r = 0;
	}
	walk_end(&walk);
	return r;
}

static bool lists(const struct group *group, const char *name)
{
	for (char **member = group->gr_mem; *member; member++) {
		if (strcmp(*member, name) == 0)
			return true;
	}
	return false;
}

/* `name` NULL: is there such a group? */
static int look_in_group(const char *root, const char *name, gid_t gid, const char *wanted)
{
	if (!root[0]) {
		errno = 0;
		const struct group *group = getgrnam(wanted);
		if (!group)
			return errno && errno != ESRCH && errno != ENOENT ? -errno : 0;
		return !name || group->gr_gid == gid || lists(group, name);
	}
	struct walk walk = {0};
	int r = walk_begin(root, true, &walk);
	if (r < 0)
		return r;
	for (const struct group *group; r == 0 && (group = next_group(&walk));) {
		if (strcmp(group->gr_name, wanted) == 0)
			r = !name || group->gr_gid == gid || lists(group, name);
	}
	walk_end(&walk);
	return r;
}

int skm_mfa_people_is_member(const char *root, const char *name, const char *group)
{
	gid_t gid = 0;
	int r = find_person(root, name, &gid);
	return r < 0 ? r : look_in_group(root, name, gid, group);
}

int skm_mfa_people_has_group(const char *root, const char *group)
{
	return look_in_group(root, NULL, 0, group);
}

int skm_mfa_people_login_name(char *ret_name, size_t size)
{
	char text[32];
	size_t len = 0;
	uint64_t uid = LOGIN_UID_UNSET;
	if (skm_file_read_at(AT_FDCWD, "/proc/self/loginuid", text, sizeof(text), &len) == 0) {
		text[strcspn(text, "\n")] = '\0';
		(void)!skm_parse_uint(text, 0, UINT32_MAX, &uid);
	}
	if (uid == LOGIN_UID_UNSET)
		uid = getuid();
	errno = 0;
	const struct passwd *person = getpwuid((uid_t)uid);
	if (!person)
		return errno && errno != ESRCH ? -errno : -ENOENT;
	if (strlen(person->pw_name) >= size)
		return -ENOBUFS;
	(void)snprintf(ret_name, size, "%s", person->pw_name);
	return 0;
}
