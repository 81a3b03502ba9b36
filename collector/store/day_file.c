// SPDX-License-Identifier: Apache-2.0
/* Appending that is all or nothing. Each append is one write and one fdatasync; a short or failed write is
 * cut back, so that a full disk leaves whole lines. After a failed fdatasync the kernel has marked the pages
 * clean and a second one would succeed without having written: the file is not touched again and the day goes
 * on in another part.
 *
 * One file a day for all terminals was chosen over one for each: an append of three thousand terminals would
 * be three thousand syncs, and what is deleted after its keeping time is whole days. */
#include "day_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sekimori/io.h"
#include "sekimori/parse.h"

#define FILE_MODE 0640
#define READ_BYTES ((size_t)1 << 20)
#define DAY_MIN 19700101
#define DAY_MAX 99991231

static int system_openat(int dirfd, const char *name, int flags, mode_t mode)
{
	return openat(dirfd, name, flags, mode); // NOLINT(android-cloexec-openat): the caller gives the flag
}

const struct skm_day_ops skm_day_ops_system = {system_openat, write, fdatasync, ftruncate, fsync};

struct skm_day_files {
	int folderfd; /* the caller's */
	const struct skm_day_ops *ops;
	int fd; /* -1: the next append begins another file */
	uint32_t day, part;
	uint64_t end; /* what is behind it is not ours to keep */
};

/* ---- names ---- */

void skm_day_name(uint32_t day, uint32_t part, char ret_name[SKM_DAY_NAME_BYTES])
{
	(void)snprintf(ret_name, SKM_DAY_NAME_BYTES, "%04u-%02u-%02u.%03u.jsonl", day / 10000,
		day / 100 % 100, day % 100, part);
}

int skm_day_parse(const char *name, uint32_t *ret_day, uint32_t *ret_part)
{
	unsigned year = 0, month = 0, date = 0, part = 0;
	char again[SKM_DAY_NAME_BYTES];
	if (sscanf(name, "%4u-%2u-%2u.%3u.jsonl", &year, &month, &date, &part) != 4) // NOLINT(cert-err34-c)
		return -EINVAL;
	if (month < 1 || month > 12 || date < 1 || date > 31 || part < 1)
		return -EINVAL;
	skm_day_name(year * 10000 + month * 100 + date, part, again);
	if (strcmp(name, again) != 0)
		return -EINVAL;
	*ret_day = year * 10000 + month * 100 + date;
	*ret_part = part;
	return 0;
}

/* ---- the list of files ---- */

struct day_list {
	struct skm_day_position *files;
	size_t count, size;
};

static int compare_files(const void *a, const void *b)
{
	const struct skm_day_position *left = a, *right = b;
	if (left->day != right->day)
		return left->day < right->day ? -1 : 1;
	return left->part < right->part ? -1 : left->part > right->part;
}

static int add_file(struct day_list *list, uint32_t day, uint32_t part)
{
	if (list->count == list->size) {
		size_t size = list->size ? list->size * 2 : 64;
		struct skm_day_position *files = reallocarray(list->files, size, sizeof(*files));
		if (!files)
			return -ENOMEM;
		list->files = files;
		list->size = size;
	}
	list->files[list->count++] = (struct skm_day_position){.day = day, .part = part};
	return 0;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* All files of the folder in order. */
static int list_files(int folderfd, struct day_list *list)
{
	int fd = openat(folderfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	SKM_CLEANUP(close_dir) DIR *dir = fdopendir(fd);
	if (!dir) {
		int r = -errno;
		(void)close(fd);
		return r;
	}
	for (;;) {
		uint32_t day = 0, part = 0;
		errno = 0;
		const struct dirent *entry = readdir(dir); // NOLINT(concurrency-mt-unsafe)
		if (!entry)
			break;
		if (skm_day_parse(entry->d_name, &day, &part) < 0)
			continue;
		int r = add_file(list, day, part);
		if (r < 0)
			return r;
	}
	if (errno != 0)
		return -errno;
	if (list->count > 0)
		qsort(list->files, list->count, sizeof(list->files[0]), compare_files);
	return 0;
}

/* ---- writing ---- */

/* The offset behind the last newline. */
static int find_end(int fd, uint64_t size, uint64_t *ret_end)
{
	char block[4096];
	uint64_t end = size;
	while (end > 0) {
		size_t len = end < sizeof(block) ? (size_t)end : sizeof(block);
		ssize_t n = pread(fd, block, len, (off_t)(end - len));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if ((size_t)n != len)
			return -EIO;
		const char *newline = memrchr(block, '\n', len);
		if (newline) {
			*ret_end = end - len + (uint64_t)(newline - block) + 1;
			return 0;
		}
		end -= len;
	}
	*ret_end = 0;
	return 0;
}

static int continue_last(struct skm_day_files *files, uint64_t *ret_cut_bytes)
{
	char name[SKM_DAY_NAME_BYTES];
	struct stat st;
	uint64_t end = 0;
	skm_day_name(files->day, files->part, name);
	SKM_CLEANUP(skm_fd_close)
	int fd = files->ops->openat(
		files->folderfd, name, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	int r = find_end(fd, (uint64_t)st.st_size, &end);
	if (r < 0)
		return r;
	if (end < (uint64_t)st.st_size && files->ops->ftruncate(fd, (off_t)end) < 0)
		return -errno;
	/* What a killed predecessor wrote and did not sync is read as stored from now on. */
	if (files->ops->fdatasync(fd) < 0)
		return -errno;
	files->end = end;
	files->fd = skm_fd_take(&fd);
	*ret_cut_bytes = (uint64_t)st.st_size - end;
	return 0;
}

int skm_day_files_open(int folderfd, const struct skm_day_ops *ops, struct skm_day_files **ret_files,
	uint64_t *ret_cut_bytes)
{
	struct day_list list = {.count = 0};
	int r = list_files(folderfd, &list);
	SKM_CLEANUP(skm_free) struct skm_day_position *owned = list.files;
	if (r < 0)
		return r;
	struct skm_day_files *files = calloc(1, sizeof(*files));
	if (!files)
		return -ENOMEM;
	*files = (struct skm_day_files){.folderfd = folderfd, .ops = ops, .fd = -1};
	uint64_t cut = 0;
	if (list.count > 0) {
		files->day = owned[list.count - 1].day;
		files->part = owned[list.count - 1].part;
		r = continue_last(files, &cut);
	}
	if (r < 0) {
		free(files);
		return r;
	}
	*ret_files = files;
	*ret_cut_bytes = cut;
	return 0;
}

struct skm_day_files *skm_day_files_close(struct skm_day_files *files)
{
	if (files)
		skm_fd_close(&files->fd);
	free(files);
	return NULL;
}

/* A new file is on disk only when its folder is. */
static int begin_file(struct skm_day_files *files, uint32_t day)
{
	char name[SKM_DAY_NAME_BYTES];
	uint32_t part = day == files->day ? files->part : 0;
	SKM_CLEANUP(skm_fd_close) int fd = -1;
	while (fd < 0) {
		if (++part > SKM_DAY_PART_MAX)
			return -EMFILE;
		skm_day_name(day, part, name);
		fd = files->ops->openat(files->folderfd, name,
			O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
		if (fd < 0 && errno != EEXIST)
			return -errno;
	}
	if (files->ops->fsync(files->folderfd) < 0) {
		int r = -errno;
		(void)unlinkat(files->folderfd, name, 0);
		return r;
	}
	skm_fd_close(&files->fd);
	files->fd = skm_fd_take(&fd);
	files->day = day;
	files->part = part;
	files->end = 0;
	return 0;
}

static int write_whole(struct skm_day_files *files, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = files->ops->write(files->fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENOSPC;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int skm_day_files_append(struct skm_day_files *files, uint32_t day, const char *data, size_t len)
{
	/* The collector's clock went back: the order of the files is the order of arrival. */
	if (day < files->day)
		day = files->day;
	if (files->fd < 0 || day != files->day) {
		int r = begin_file(files, day);
		if (r < 0)
			return r;
	}
	int r = write_whole(files, data, len);
	if (r < 0) {
		/* Cut back and synced, or given up. */
		if (files->ops->ftruncate(files->fd, (off_t)files->end) < 0)
			skm_fd_close(&files->fd);
		return r;
	}
	if (files->ops->fdatasync(files->fd) < 0) {
		r = -errno;
		(void)!files->ops->ftruncate(files->fd, (off_t)files->end);
		skm_fd_close(&files->fd);
		return r;
	}
	files->end += len;
	return 0;
}

struct skm_day_position skm_day_files_end(const struct skm_day_files *files)
{
	return (struct skm_day_position){.day = files->day, .part = files->part, .offset = files->end};
}

/* ---- reading ---- */

struct reader {
	skm_day_line_fn on_line;
	void *user;
	struct skm_day_position at;
	char *block;
	size_t size, len;
	struct stat st;
};

static int give_lines(struct reader *reader)
{
	size_t from = 0;
	for (;;) {
		const char *newline = memchr(reader->block + from, '\n', reader->len - from);
		if (!newline)
			break;
		size_t len = (size_t)(newline - (reader->block + from));
		int r = reader->on_line(reader->user, reader->block + from, len, &reader->at, &reader->st);
		if (r < 0)
			return r;
		from += len + 1;
		reader->at.offset += len + 1;
	}
	memmove(reader->block, reader->block + from, reader->len - from);
	reader->len -= from;
	return 0;
}

/* A line longer than the block: evidence put aside may be. */
static int make_room(struct reader *reader)
{
	if (reader->len < reader->size)
		return 0;
	size_t size = reader->size * 2;
	char *block = size > reader->size ? realloc(reader->block, size) : NULL;
	if (!block)
		return -ENOMEM;
	reader->block = block;
	reader->size = size;
	return 0;
}

static int read_file(int folderfd, struct reader *reader)
{
	char name[SKM_DAY_NAME_BYTES];
	skm_day_name(reader->at.day, reader->at.part, name);
	SKM_CLEANUP(skm_fd_close)
	int fd = openat(folderfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &reader->st) < 0)
		return -errno;
	reader->len = 0;
	uint64_t offset = reader->at.offset;
	for (;;) {
		int r = make_room(reader);
		if (r < 0)
			return r;
		ssize_t n = pread(fd, reader->block + reader->len, reader->size - reader->len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		offset += (uint64_t)n;
		reader->len += (size_t)n;
		r = give_lines(reader);
		if (r < 0)
			return r;
	}
}

int skm_day_files_read(int folderfd, const struct skm_day_position *from, skm_day_line_fn on_line, void *user,
	struct skm_day_position *ret_end)
{
	struct day_list list = {.count = 0};
	int r = list_files(folderfd, &list);
	SKM_CLEANUP(skm_free) struct skm_day_position *owned = list.files;
	struct reader reader = {.on_line = on_line, .user = user, .at = *from, .size = READ_BYTES};
	if (r < 0)
		return r;
	reader.block = malloc(reader.size);
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		if (compare_files(&owned[i], from) < 0)
			continue;
		reader.at = owned[i];
		if (compare_files(&owned[i], from) == 0)
			reader.at.offset = from->offset;
		r = reader.block ? read_file(folderfd, &reader) : -ENOMEM;
	}
	free(reader.block);
	if (r == 0)
		*ret_end = reader.at;
	return r;
}
