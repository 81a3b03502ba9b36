// SPDX-License-Identifier: Apache-2.0
/* Files are told by their inode; each is held open, so that no inode number is given twice and what was
 * renamed over can still be read. The worst a journalling file system does is a mix of these folders: names
 * are never torn. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "store_disk.h"

#define FILES_MAX 64
#define CONTENT_BYTES 16384
#define SECTOR_BYTES 512

struct content {
	size_t len;
	unsigned char bytes[CONTENT_BYTES];
};

struct disk_file {
	ino_t ino;
	int fd;
	struct content synced;
};

struct name {
	char name[64];
	size_t file;
};

static struct {
	char folder[256];
	ino_t ino;
	unsigned calls, cut_at;
	struct disk_file files[FILES_MAX];
	size_t file_count;
	struct name names[FILES_MAX];
	size_t name_count;
} disk;

static void read_content(int fd, struct content *ret_content)
{
	memset(ret_content->bytes, 0, CONTENT_BYTES);
	ssize_t n = pread(fd, ret_content->bytes, CONTENT_BYTES, 0);
	cr_assert_geq(n, 0);
	ret_content->len = (size_t)n;
}

/* FILES_MAX: not known. */
static size_t find(ino_t ino)
{
	for (size_t i = 0; i < disk.file_count; i++)
		if (disk.files[i].ino == ino)
			return i;
	return FILES_MAX;
}

static size_t find_or_add(const char *name)
{
	char path[400];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s/%s", disk.folder, name);
	cr_assert_eq(lstat(path, &st), 0);
	size_t at = find(st.st_ino);
	if (at < FILES_MAX)
		return at;
	cr_assert_lt(disk.file_count, (size_t)FILES_MAX);
	struct disk_file *file = &disk.files[disk.file_count];
	file->ino = st.st_ino;
	file->fd = open(path, O_RDONLY | O_CLOEXEC);
	file->synced = (struct content){0};
	cr_assert_geq(file->fd, 0);
	return disk.file_count++;
}

static size_t list_names(struct name *names)
{
	size_t count = 0;
	DIR *dir = opendir(disk.folder);
	cr_assert_not_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		cr_assert_lt(count, (size_t)FILES_MAX);
		(void)snprintf(names[count].name, sizeof(names[count].name), "%.63s", entry->d_name);
		names[count].file = find_or_add(entry->d_name);
		count++;
	}
	(void)closedir(dir);
	return count;
}

void store_disk_end(void)
{
	for (size_t i = 0; i < disk.file_count; i++)
		(void)close(disk.files[i].fd);
	memset(&disk, 0, sizeof(disk));
}

void store_disk_begin(const char *folder, unsigned cut_at)
{
	struct stat st;
	store_disk_end();
	(void)snprintf(disk.folder, sizeof(disk.folder), "%s", folder);
	cr_assert_eq(stat(folder, &st), 0);
	disk.ino = st.st_ino;
	disk.cut_at = cut_at;
	disk.name_count = list_names(disk.names);
	for (size_t i = 0; i < disk.file_count; i++)
		read_content(disk.files[i].fd, &disk.files[i].synced);
}

bool store_disk_was_cut(void)
{
	return disk.cut_at > 0 && disk.calls >= disk.cut_at;
}

/* ---- the calls ---- */

static bool is_dead(void)
{
	disk.calls++;
	if (!store_disk_was_cut())
		return false;
	errno = EIO;
	return true;
}

static int disk_openat(int dirfd, const char *name, int flags, mode_t mode)
{
	if (is_dead())
		return -1;
	int fd = openat(dirfd, name, flags, mode);
	struct stat st;
	if (fd >= 0 && (flags & O_CREAT) && fstat(dirfd, &st) == 0 && st.st_ino == disk.ino)
		(void)find_or_add(name);
	return fd;
}

static ssize_t disk_pread(int fd, void *buf, size_t size, off_t offset)
{
	return is_dead() ? -1 : pread(fd, buf, size, offset);
}

static ssize_t disk_pwrite(int fd, const void *data, size_t len, off_t offset)
{
	return is_dead() ? -1 : pwrite(fd, data, len, offset);
}

static int disk_sync(int fd)
{
	struct stat st;
	if (is_dead())
		return -1;
	cr_assert_eq(fstat(fd, &st), 0);
	size_t file = find(st.st_ino);
	if (st.st_ino == disk.ino)
		disk.name_count = list_names(disk.names);
	else if (file < FILES_MAX)
		read_content(disk.files[file].fd, &disk.files[file].synced);
	return 0;
}

static int disk_fallocate(int fd, int mode, off_t offset, off_t len)
{
	return is_dead() ? -1 : fallocate(fd, mode, offset, len);
}

static int disk_renameat(int olddirfd, const char *oldname, int newdirfd, const char *newname)
{
	return is_dead() ? -1 : renameat(olddirfd, oldname, newdirfd, newname);
}

static int disk_unlinkat(int dirfd, const char *name, int flags)
{
	return is_dead() ? -1 : unlinkat(dirfd, name, flags);
}

static int disk_mkdirat(int dirfd, const char *name, mode_t mode)
{
	return is_dead() ? -1 : mkdirat(dirfd, name, mode);
}

static int disk_fstat(int fd, struct stat *ret_stat)
{
	return is_dead() ? -1 : fstat(fd, ret_stat);
}

static int disk_flock(int fd, int operation)
{
	return is_dead() ? -1 : flock(fd, operation);
}

const struct skm_store_ops store_disk_ops = {
	.openat = disk_openat,
	.pread = disk_pread,
	.pwrite = disk_pwrite,
	.fdatasync = disk_sync,
	.fsync = disk_sync,
	.fallocate = disk_fallocate,
	.renameat = disk_renameat,
	.unlinkat = disk_unlinkat,
	.mkdirat = disk_mkdirat,
	.fstat = disk_fstat,
	.flock = disk_flock,
};

/* ---- after the cut ---- */

static void mix(const struct content *synced, const struct content *written, enum store_disk_data data,
	struct content *ret_content)
{
	*ret_content = data == STORE_DATA_SYNCED ? *synced : *written;
	if (data == STORE_DATA_SYNCED || data == STORE_DATA_WRITTEN)
		return;
	ret_content->len = synced->len > written->len ? synced->len : written->len;
	for (size_t i = 0; i < CONTENT_BYTES; i += SECTOR_BYTES)
		if ((i / SECTOR_BYTES % 2 == 0) == (data == STORE_DATA_TORN_ODD))
			memcpy(ret_content->bytes + i, synced->bytes + i, SECTOR_BYTES);
}

static bool is_as_written(const char *name, enum store_disk_names names)
{
	bool is_person = strstr(name, ".person") != NULL;
	if (names == STORE_NAMES_PERSON_WRITTEN)
		return is_person;
	if (names == STORE_NAMES_PERSON_SYNCED)
		return !is_person;
	return names == STORE_NAMES_WRITTEN;
}

static void make_file(const char *target, const struct name *name, enum store_disk_data data)
{
	static struct content written, found;
	const struct disk_file *file = &disk.files[name->file];
	char path[400];
	read_content(file->fd, &written);
	mix(&file->synced, &written, data, &found);
	(void)snprintf(path, sizeof(path), "%s/%s", target, name->name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, found.bytes, found.len), (ssize_t)found.len);
	(void)close(fd);
}

void store_disk_after(const char *target, enum store_disk_names names, enum store_disk_data data)
{
	static struct name live[FILES_MAX];
	size_t live_count = list_names(live);
	for (size_t i = 0; i < live_count; i++)
		if (is_as_written(live[i].name, names))
			make_file(target, &live[i], data);
	for (size_t i = 0; i < disk.name_count; i++)
		if (!is_as_written(disk.names[i].name, names))
			make_file(target, &disk.names[i], data);
}
