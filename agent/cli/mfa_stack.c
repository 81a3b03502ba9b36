// SPDX-License-Identifier: Apache-2.0
/* Debian's pam-auth-update composes common-auth from profiles, and every package that brings a PAM module
 * uses it: whoever edits the files instead of the profiles is overwritten, or stops all others from being
 * installed. So switching is left to it, and the copy is for comparing, and for a person with a rescue disk;
 * putting it back over the files would undo what other packages did meanwhile.
 *
 * Fedora, RHEL and their children have authselect for the same. A script with pam-auth-update's arguments
 * stands before it, so that here is one way and not two. */
#include "mfa_stack.h"

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sekimori/io.h"

#define FILE_BYTES_MAX 65536u
#define PATH_BYTES 4096

static void close_folder(DIR **folder)
{
	if (*folder)
		(void)closedir(*folder);
}

static int join(char *buf, size_t size, const char *root, const char *path, const char *suffix)
{
	int len = snprintf(buf, size, "%s%s%s", root, path, suffix);
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

/* The next regular file that is not hidden; 0 at the end. Links are followed, because authselect's files are
 * linked to; one that leads nowhere is no service. */
static int next_file(DIR *folder, const char **ret_name)
{
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(folder);
		if (!entry)
			return errno ? -errno : 0;
		struct stat status;
		if (entry->d_name[0] == '.')
			continue;
		if (fstatat(dirfd(folder), entry->d_name, &status, 0) < 0) {
			if (errno != ENOENT)
				return -errno;
			continue;
		}
		if (!S_ISREG(status.st_mode))
			continue;
		*ret_name = entry->d_name;
		return 1;
	}
}

/* ---- is it on? ---- */

int skm_mfa_stack_is_on(const char *root)
{
	char path[PATH_BYTES];
	char text[FILE_BYTES_MAX];
	static const char *const names[] = {"/common-auth", "/system-auth"};
	int r = -ENOENT;
	for (size_t i = 0; r == -ENOENT && i < SKM_ARRAY_SIZE(names); i++) {
		size_t len = 0;
		r = join(path, sizeof(path), root, SKM_MFA_STACK_FOLDER, names[i]);
		if (r == 0)
			r = skm_file_read_at(AT_FDCWD, path, text, FILE_BYTES_MAX, &len);
	}
	if (r < 0)
		return r;
	char *rest = text;
	for (char *line; (line = strsep(&rest, "\n"));) {
		line[strcspn(line, "#")] = '\0';
		if (strstr(line, "pam_sekimori.so"))
			return 1;
	}
	return 0;
}

/* ---- the copy ---- */

static int empty_folder(int fd)
{
	SKM_CLEANUP(close_folder) DIR *folder = NULL;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (copy < 0)
		return -errno;
	folder = fdopendir(copy);
	if (!folder) {
		(void)close(copy);
		return -ENOMEM;
	}
	const char *name = "";
	int r = 0;
	while ((r = next_file(folder, &name)) > 0) {
		if (unlinkat(fd, name, 0) < 0)
			return -errno;
	}
	return r;
}

static int copy_file(int from_fd, int to_fd, const char *name, char *buf)
{
	size_t len = 0;
	int r = skm_file_read_at(from_fd, name, buf, FILE_BYTES_MAX, &len);
	if (r < 0)
		return r;
	SKM_CLEANUP(skm_fd_close)
	int fd = openat(to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = skm_fd_write_all(fd, buf, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

static int copy_folder(const char *from, const char *to)
{
	SKM_CLEANUP(close_folder) DIR *folder = NULL;
	SKM_CLEANUP(skm_fd_close) int fd = -1;
	char buf[FILE_BYTES_MAX];
	if (mkdir(to, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = empty_folder(fd); /* of a copy that was interrupted */
	if (r < 0)
		return r;
	folder = opendir(from);
	if (!folder)
		return -errno;
	const char *name = "";
	while ((r = next_file(folder, &name)) > 0) {
		r = copy_file(dirfd(folder), fd, name, buf);
		if (r < 0)
			return r;
	}
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

static int remove_folder(const char *path)
{
	SKM_CLEANUP(skm_fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	int r = empty_folder(fd);
	if (r == 0 && rmdir(path) < 0)
		r = -errno;
	return r;
}

int skm_mfa_stack_keep(const char *root)
{
	char from[PATH_BYTES];
	char kept[PATH_BYTES];
	char fresh[PATH_BYTES];
	int r = join(from, sizeof(from), root, SKM_MFA_STACK_FOLDER, "");
	if (r == 0)
		r = join(kept, sizeof(kept), root, SKM_MFA_STACK_KEPT, "");
	if (r == 0)
		r = join(fresh, sizeof(fresh), root, SKM_MFA_STACK_KEPT, ".new");
	if (r == 0)
		r = copy_folder(from, fresh);
	if (r < 0)
		return r;
	if (renameat2(AT_FDCWD, fresh, AT_FDCWD, kept, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (renameat2(AT_FDCWD, fresh, AT_FDCWD, kept, RENAME_EXCHANGE) < 0)
		return -errno;
	return remove_folder(fresh);
}

/* ---- comparing ---- */

struct comparison {
	int now_fd, kept_fd;
	char *now, *kept; /* FILE_BYTES_MAX each */
	void (*on_difference)(void *user, const char *name);
	void *user;
	int count;
};

static int compare_file(struct comparison *comparison, const char *name)
{
	size_t now_len = 0;
	size_t kept_len = 0;
	int now = skm_file_read_at(comparison->now_fd, name, comparison->now, FILE_BYTES_MAX, &now_len);
	int kept = skm_file_read_at(comparison->kept_fd, name, comparison->kept, FILE_BYTES_MAX, &kept_len);
	if ((now < 0 && now != -ENOENT) || (kept < 0 && kept != -ENOENT))
		return now < 0 && now != -ENOENT ? now : kept;
	if (now == 0 && kept == 0 && now_len == kept_len &&
		memcmp(comparison->now, comparison->kept, now_len) == 0)
		return 0;
	comparison->count++;
	comparison->on_difference(comparison->user, name);
	return 0;
}

/* Every file of the folder, or with `only_missing` those that the other one lacks. */
static int compare_files(struct comparison *comparison, DIR *folder, bool only_missing)
{
	const char *name = "";
	int r = 0;
	while ((r = next_file(folder, &name)) > 0) {
		if (only_missing && faccessat(comparison->kept_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		r = compare_file(comparison, name);
		if (r < 0)
			return r;
	}
	return r;
}

int skm_mfa_stack_compare(const char *root, void (*on_difference)(void *user, const char *name), void *user)
{
	char path[PATH_BYTES];
	SKM_CLEANUP(close_folder) DIR *now = NULL;
	SKM_CLEANUP(close_folder) DIR *kept = NULL;
	char now_text[FILE_BYTES_MAX];
	char kept_text[FILE_BYTES_MAX];
	int r = join(path, sizeof(path), root, SKM_MFA_STACK_KEPT, "");
	if (r < 0)
		return r;
	kept = opendir(path);
	if (!kept)
		return -errno;
	r = join(path, sizeof(path), root, SKM_MFA_STACK_FOLDER, "");
	if (r < 0)
		return r;
	now = opendir(path);
	if (!now)
		return -errno;
	struct comparison comparison = {dirfd(now), dirfd(kept), now_text, kept_text, on_difference, user, 0};
	r = compare_files(&comparison, kept, false);
	if (r == 0)
		r = compare_files(&comparison, now, true);
	return r < 0 ? r : comparison.count;
}

/* ---- the switch ---- */

int skm_mfa_stack_switch(const char *program, bool on)
{
	char name[PATH_BYTES]; /* exec wants what it may write */
	int r = join(name, sizeof(name), "", program, "");
	if (r < 0)
		return r;
	char package[] = "--package"; /* asks nothing, and leaves files alone that somebody edited */
	char enable[] = "--enable";
	char disable[] = "--remove";
	char separate[] = "sekimori";
	char split[] = "sekimori-split";
	char *arguments[] = {name, package, on ? enable : disable, separate, split, NULL};
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char locale[] = "LC_ALL=C.UTF-8";
	char frontend[] = "DEBIAN_FRONTEND=noninteractive";
	char *environment[] = {path, locale, frontend, NULL};
	posix_spawn_file_actions_t actions;
	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	pid_t pid = -1;
	r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn(&pid, program, &actions, NULL, arguments, environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		return -r;
	int status = 0;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : SKM_MFA_STACK_FAILED;
}
