// SPDX-License-Identifier: Apache-2.0
/* The folder of an audit stream. A segment is only ever appended to by the one who made sure how it ends;
 * whenever that is in doubt (an error of fdatasync, bytes that could not be cut off, a file that somebody
 * else touched) the segment is left as it is and another one begun. Retrying fdatasync was rejected: after an
 * error the kernel marks the pages clean, and a second call succeeds without having stored them.
 * Preallocation and a log of our own blocks were rejected: measured, they gain little, and the files would no
 * longer be what every tool can read. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "stream_segment.h"

#define MODE 0640
#define PAGE_BYTES 4096u

static int system_openat(int dirfd, const char *name, int flags, mode_t mode)
{
	return openat(dirfd, name, flags | O_CLOEXEC, mode);
}

static int system_sync_file_range(int fd, off_t offset, off_t len, unsigned flags)
{
	return sync_file_range(fd, offset, len, flags);
}

const struct skm_stream_ops skm_stream_ops_system = {
	.openat = system_openat,
	.fstat = fstat,
	.pread = pread,
	.write = write,
	.ftruncate = ftruncate,
	.sync_file_range = system_sync_file_range,
	.fdatasync = fdatasync,
	.fsync = fsync,
	.fchmod = fchmod,
	.fchown = fchown,
	.unlinkat = unlinkat,
};

/* Remembers what failed and hands errno up. */
static int failed(struct skm_segments *segments, const char *deed, const char *object)
{
	int error = errno;
	(void)snprintf(
		segments->error, sizeof(segments->error), "cannot %s %s: %s", deed, object, strerror(error));
	return -error;
}

void skm_segment_name(uint32_t number, char ret_name[SKM_SEGMENT_NAME_BYTES])
{
	(void)snprintf(ret_name, SKM_SEGMENT_NAME_BYTES, "%08" PRIu32 ".jsonl", number);
}

/* 0 for any other name. */
static uint32_t number_of(const char *name)
{
	uint32_t number = 0;
	if (strspn(name, "0123456789") != 8 || strcmp(name + 8, ".jsonl") != 0)
		return 0;
	for (size_t i = 0; i < 8; i++)
		number = number * 10 + (uint32_t)(name[i] - '0');
	return number;
}

static bool is_same(const struct skm_segment_id *id, uint32_t number, const struct stat *st)
{
	return id->number == number && number != 0 && id->dev == st->st_dev && id->ino == st->st_ino;
}

int skm_segments_init(struct skm_segments *segments, const char *folder, const struct skm_stream_ops *ops)
{
	char *copy = strdup(folder);
	if (!copy)
		return -ENOMEM;
	*segments = (struct skm_segments){.ops = ops, .folder = copy, .folder_fd = -1, .fd = -1};
	return 0;
}

void skm_segments_close(struct skm_segments *segments)
{
	skm_fd_close(&segments->fd);
	skm_fd_close(&segments->folder_fd);
}

void skm_segments_finish(struct skm_segments *segments)
{
	skm_segments_close(segments);
	free(segments->folder);
	segments->folder = NULL;
}

/* ---- finding and examining
 * ------------------------------------------------------------------------------------------- */

static int compare_numbers(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return (a > b) - (a < b);
}

/* *list grows; it is the caller's, also after an error. 0 or -errno. */
static int read_numbers(DIR *dir, struct skm_segment_list **list)
{
	size_t room = 0;
	struct dirent *entry;
	while (errno = 0, (entry = readdir(dir))) {
		uint32_t number = number_of(entry->d_name);
		if (number == 0)
			continue;
		if ((*list)->count == room) {
			room = room > 0 ? 2 * room : 64;
			void *more = realloc(*list, sizeof(**list) + room * sizeof((*list)->numbers[0]));
			if (!more)
				return -ENOMEM;
			*list = more;
		}
		(*list)->numbers[(*list)->count++] = number;
	}
	return -errno;
}

int skm_segments_list(struct skm_segments *segments, struct skm_segment_list **ret_list)
{
	struct skm_segment_list *list = calloc(1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	/* a description of its own: readdir moves the offset */
	int fd = segments->ops->openat(segments->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	int r = dir ? read_numbers(dir, &list) : -errno;
	if (dir)
		(void)closedir(dir);
	else
		skm_fd_close(&fd);
	if (r < 0) {
		errno = -r;
		(void)failed(segments, "list", segments->folder);
		free(list);
		return r;
	}
	qsort(list->numbers, list->count, sizeof(list->numbers[0]), compare_numbers);
	*ret_list = list;
	return 0;
}

enum { IS_KNOWN = 1, IS_NO_FILE }; /* of examine, besides 0 = scanned */

/* Opens a segment and looks how it ends. IS_KNOWN: it is the one last used, and the caller knows better than
 * its bytes. */
static int examine(struct skm_segments *segments, uint32_t number, int flags, int *ret_fd,
	struct stat *ret_stat, struct skm_segment_scan *ret_scan)
{
	char name[SKM_SEGMENT_NAME_BYTES];
	skm_segment_name(number, name);
	SKM_CLEANUP(skm_fd_close)
	int fd = segments->ops->openat(
		segments->folder_fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (fd < 0 && (errno == ELOOP || errno == EISDIR || errno == ENXIO))
		return IS_NO_FILE;
	if (fd < 0)
		return failed(segments, "open", name);
	struct stat st;
	if (segments->ops->fstat(fd, &st) < 0)
		return failed(segments, "examine", name);
	if (!S_ISREG(st.st_mode))
		return IS_NO_FILE;
	bool is_known = is_same(&segments->current, number, &st);
	if (!is_known) {
		int r = skm_segment_scan(segments->ops, fd, (uint64_t)st.st_size, ret_scan);
		if (r < 0) {
			errno = -r;
			return failed(segments, "read", name);
		}
	}
	*ret_stat = st;
	*ret_fd = skm_fd_take(&fd);
	return is_known ? IS_KNOWN : 0;
}

/* The last number before an empty segment: of the nearest segment below that has one. */
static int find_sequence_below(struct skm_segments *segments, uint32_t limit, uint64_t *ret_sequence)
{
	uint64_t unreadable = 0;
	SKM_CLEANUP(skm_free) struct skm_segment_list *list = NULL;
	int r = skm_segments_list(segments, &list);
	if (r < 0)
		return r;
	for (size_t i = list->count; i-- > 0;) {
		SKM_CLEANUP(skm_fd_close) int fd = -1;
		struct stat st;
		struct skm_segment_scan scan = {0};
		if (list->numbers[i] >= limit)
			continue;
		r = examine(segments, list->numbers[i], O_RDONLY, &fd, &st, &scan);
		if (r < 0)
			return r;
		if (r == IS_KNOWN)
			break;
		unreadable += scan.unreadable_lines;
		if (scan.sequence > 0) {
			*ret_sequence = scan.sequence + unreadable;
			return 0;
		}
	}
	*ret_sequence = unreadable;
	return 0;
}

/* ---- opening
 * ---------------------------------------------------------------------------------------------------------
 */

SKM_PRINTF(3, 4)
static void note(struct skm_segment_finding *finding, uint32_t number, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	finding->is_repaired = true;
	skm_segment_name(number, finding->object);
	(void)vsnprintf(finding->detail, sizeof(finding->detail), format, arguments);
	va_end(arguments);
}

/* Readable for the group of the folder, whatever the umask says; and the folder itself knows the file after a
 * power cut. */
static int adopt(struct skm_segments *segments, int fd, const char *name)
{
	struct stat folder, st;
	if (segments->ops->fstat(segments->folder_fd, &folder) < 0 || segments->ops->fstat(fd, &st) < 0)
		return failed(segments, "examine", name);
	if ((st.st_mode & 07777) != MODE && segments->ops->fchmod(fd, MODE) < 0)
		return failed(segments, "set the mode of", name);
	/* Without the privilege the file keeps our group: auditors then cannot read it, but it is written. */
	if (st.st_gid != folder.st_gid && segments->ops->fchown(fd, (uid_t)-1, folder.st_gid) < 0 &&
		errno != EPERM)
		return failed(segments, "set the group of", name);
	if (segments->ops->fsync(segments->folder_fd) < 0)
		return failed(segments, "sync", segments->folder);
	return 0;
}

static void use(struct skm_segments *segments, uint32_t number, int fd, const struct stat *st)
{
	if (!is_same(&segments->current, number, st))
		segments->previous = segments->current;
	segments->current = (struct skm_segment_id){.number = number, .dev = st->st_dev, .ino = st->st_ino};
	segments->size = (uint64_t)st->st_size;
	segments->unsynced = 0;
	segments->is_abandoned = false;
	skm_fd_close(&segments->fd);
	segments->fd = fd;
}

static int create(struct skm_segments *segments, uint32_t number)
{
	char name[SKM_SEGMENT_NAME_BYTES];
	skm_segment_name(number, name);
	if (number > SKM_SEGMENT_NUMBER_MAX) {
		errno = EOVERFLOW;
		return failed(segments, "number another segment in", segments->folder);
	}
	SKM_CLEANUP(skm_fd_close)
	int fd = segments->ops->openat(segments->folder_fd, name,
		O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE);
	struct stat st;
	if (fd < 0 || segments->ops->fstat(fd, &st) < 0)
		return failed(segments, "create", name);
	int r = adopt(segments, fd, name);
	if (r < 0)
		return r;
	use(segments, number, skm_fd_take(&fd), &st);
	return 0;
}

/* The number for a new segment: above all that are there, and above one that is not to be written again. */
static uint32_t number_after(const struct skm_segments *segments, uint32_t highest)
{
	uint32_t used = segments->is_abandoned ? segments->current.number : 0;
	return (highest > used ? highest : used) + 1;
}

/* A segment of ours, as a run before this one left it. */
static int repair(struct skm_segments *segments, uint32_t number, int fd, struct stat *st,
	const struct skm_segment_scan *scan, struct skm_segment_finding *finding)
{
	char name[SKM_SEGMENT_NAME_BYTES];
	skm_segment_name(number, name);
	uint64_t torn = (uint64_t)st->st_size - scan->whole_bytes;
	if (torn > 0) {
		if (segments->ops->ftruncate(fd, (off_t)scan->whole_bytes) < 0)
			return failed(segments, "cut off a torn line of", name);
		st->st_size = (off_t)scan->whole_bytes;
		note(finding, number, "a torn last line of %" PRIu64 " bytes was cut off", torn);
	}
	return adopt(segments, fd, name);
}

/* The newest segment is not the one last used: another run, or another folder under the same name. */
static int open_foreign(struct skm_segments *segments, uint32_t highest, int *fd, struct stat *st,
	const struct skm_segment_scan *scan, struct skm_segment_finding *finding)
{
	uint64_t below = 0;
	finding->is_known = false;
	if (scan->sequence == 0) {
		int r = find_sequence_below(segments, highest, &below);
		if (r < 0)
			return r;
	}
	finding->sequence = below + scan->sequence + scan->unreadable_lines;
	if (*fd < 0 || scan->unreadable_lines > 0) {
		note(finding, highest, "its end cannot be understood; a new segment was begun");
		return create(segments, number_after(segments, highest));
	}
	int r = repair(segments, highest, *fd, st, scan, finding);
	if (r < 0)
		return r;
	/* A kill between write and fdatasync leaves lines that are only in memory. If they cannot be stored,
	 * nothing more is added behind them. */
	bool is_stored = scan->whole_bytes == 0 || segments->ops->fdatasync(*fd) == 0;
	if (!is_stored)
		note(finding, highest, "cannot be synced: %s; a new segment was begun", strerror(errno));
	if (!is_stored || number_after(segments, highest) > highest + 1)
		return create(segments, number_after(segments, highest));
	use(segments, highest, skm_fd_take(fd), st);
	return 0;
}

static int open_newest(struct skm_segments *segments, uint32_t highest, struct skm_segment_finding *finding)
{
	SKM_CLEANUP(skm_fd_close) int fd = -1;
	struct stat st = {0};
	struct skm_segment_scan scan = {0};
	int r = examine(segments, highest, O_RDWR | O_APPEND, &fd, &st, &scan);
	if (r < 0)
		return r;
	if (r != IS_KNOWN)
		return open_foreign(segments, highest, &fd, &st, &scan, finding);
	finding->is_known = true;
	if (!segments->is_abandoned && (uint64_t)st.st_size == segments->size) {
		use(segments, highest, skm_fd_take(&fd), &st);
		return 0;
	}
	if (!segments->is_abandoned) {
		note(finding, highest, "changed by another hand; a new segment was begun");
		finding->is_tampered = true;
	}
	return create(segments, highest + 1);
}

/* Is the open segment still the file in the folder, as long as we left it? If not, everything is opened anew.
 */
static int check_open(struct skm_segments *segments, struct skm_segment_finding *finding)
{
	struct stat st;
	char name[SKM_SEGMENT_NAME_BYTES];
	skm_segment_name(segments->current.number, name);
	if (segments->ops->fstat(segments->fd, &st) < 0)
		return failed(segments, "examine", name);
	finding->is_known = true;
	if (st.st_nlink > 0 && (uint64_t)st.st_size == segments->size)
		return 0;
	note(finding, segments->current.number, "%s by another hand; a new segment was begun",
		st.st_nlink > 0 ? "changed" : "removed");
	finding->is_tampered = true;
	segments->is_abandoned = true;
	skm_segments_close(segments);
	return 0;
}

static int open_segment(struct skm_segments *segments, struct skm_segment_finding *finding)
{
	if (segments->folder_fd < 0)
		segments->folder_fd = segments->ops->openat(
			AT_FDCWD, segments->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (segments->folder_fd < 0)
		return failed(segments, "open", segments->folder);
	SKM_CLEANUP(skm_free) struct skm_segment_list *list = NULL;
	int r = skm_segments_list(segments, &list);
	if (r < 0)
		return r;
	return list->count > 0 ? open_newest(segments, list->numbers[list->count - 1], finding)
			       : create(segments, number_after(segments, 0));
}

int skm_segments_open(struct skm_segments *segments, struct skm_segment_finding *ret_finding)
{
	struct skm_segment_finding finding = {0};
	int r = 0;
	if (segments->fd >= 0)
		r = check_open(segments, &finding);
	if (r == 0 && segments->fd < 0)
		r = open_segment(segments, &finding);
	if (r < 0)
		skm_segments_close(segments);
	if (finding.is_repaired || r == 0)
		*ret_finding = finding;
	return r;
}

int skm_segments_next(struct skm_segments *segments)
{
	int r = create(segments, segments->current.number + 1);
	if (r < 0)
		skm_segments_close(segments);
	return r;
}

/* ---- writing
 * ---------------------------------------------------------------------------------------------------------
 */

/* Its end is in doubt. An empty one is removed, so that a disk that never syncs does not fill the folder with
 * them. */
static void abandon(struct skm_segments *segments)
{
	char name[SKM_SEGMENT_NAME_BYTES];
	skm_segment_name(segments->current.number, name);
	segments->is_abandoned = true;
	segments->unsynced = 0;
	if (segments->size == 0 && segments->ops->unlinkat(segments->folder_fd, name, 0) == 0)
		segments->current = segments->previous;
	skm_fd_close(&segments->fd);
}

static void cut_back(struct skm_segments *segments)
{
	struct stat st;
	segments->unsynced = 0;
	if (segments->ops->fstat(segments->fd, &st) == 0 && (uint64_t)st.st_size == segments->size)
		return;
	if (segments->ops->ftruncate(segments->fd, (off_t)segments->size) < 0)
		abandon(segments);
}

/* The disk said no, and nobody knows to what. */
static int sync_failed(struct skm_segments *segments)
{
	char name[SKM_SEGMENT_NAME_BYTES];
	skm_segment_name(segments->current.number, name);
	int r = failed(segments, "sync", name);
	/* Best effort: what is stored again elsewhere should not stand here too. */
	(void)segments->ops->ftruncate(segments->fd, (off_t)segments->size);
	abandon(segments);
	return r;
}

/* Lets the disk begin with what will have to be there at the sync, while the next lines are made. Whole pages
 * only: the last one is written to again.
 *
 * It hides nothing from fdatasync: with SYNC_FILE_RANGE_WRITE alone the kernel does not look at the file's
 * error mark (errseq_t; only waiting takes it), so what goes wrong on the way is still reported there. What
 * it returns itself is an error of handing pages over, of which some file systems leave no mark (ext4 without
 * room for delayed blocks): it counts like one of fdatasync. Where the call is not to be had (sandbox, old
 * kernel), nothing has happened. */
static int begin_sync(struct skm_segments *segments, uint64_t from, uint64_t to)
{
	from -= from % PAGE_BYTES;
	to -= to % PAGE_BYTES;
	/* A length of 0 would mean: up to the end. */
	if (from == to || segments->ops->sync_file_range(
				  segments->fd, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE) == 0)
		return 0;
	return errno == ENOSYS || errno == EPERM || errno == EINVAL ? 0 : sync_failed(segments);
}

int skm_segments_write(struct skm_segments *segments, const void *data, size_t len, bool is_last)
{
	uint64_t from = segments->size + segments->unsynced;
	ssize_t n;
	do {
		n = segments->ops->write(segments->fd, data, len);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)len) {
		char name[SKM_SEGMENT_NAME_BYTES];
		skm_segment_name(segments->current.number, name);
		if (n >= 0)
			errno = ENOSPC; /* nothing else cuts a write to a file short */
		int r = failed(segments, "write", name);
		cut_back(segments);
		return r;
	}
	segments->unsynced += len;
	return is_last ? 0 : begin_sync(segments, from, from + len);
}

int skm_segments_sync(struct skm_segments *segments)
{
	if (segments->ops->fdatasync(segments->fd) < 0)
		return sync_failed(segments);
	segments->size += segments->unsynced;
	segments->unsynced = 0;
	return 0;
}
