// SPDX-License-Identifier: Apache-2.0
/* Reads the segments themselves instead of asking the agent: what is on disk is the evidence, and it must be
 * readable when the agent is dead and on a copy of the folder.
 *
 * One descriptor is open at a time. Who will wait has the folder watched before the first byte is read, so
 * that nothing falls between reading and waiting. Only when a segment with a higher number exists is the
 * present one read to its end once more and left: the writer never goes back. */
#include "log_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "sekimori/parse.h"

struct skm_log_reader {
	char *path; /* of the folder */
	int folder_fd;
	int watch_fd;	   /* -1 = nobody will wait */
	int segment_fd;	   /* -1 = none open */
	uint64_t number;   /* of the open segment, or of the last one that was; 0 = none yet */
	off_t offset;	   /* behind what was read of it */
	char *buf;	   /* SKM_LOG_LINE_MAX bytes */
	size_t begin, end; /* what is not handed out yet */
	bool is_skipping;  /* inside of a line that was too long */
	bool is_told;	   /* SKM_LOG_UNFINISHED was returned for what is in buf */
	/* The numbers behind it, as the folder was looked at last, in order; those before `next` are used. */
	uint64_t *listed;
	size_t next, listed_count;
};

void skm_log_reader_freep(struct skm_log_reader **reader)
{
	if (!*reader)
		return;
	skm_fd_close(&(*reader)->folder_fd);
	skm_fd_close(&(*reader)->watch_fd);
	skm_fd_close(&(*reader)->segment_fd);
	free((*reader)->path);
	free((*reader)->listed);
	free((*reader)->buf);
	free(*reader);
	*reader = NULL;
}

static int open_folder(struct skm_log_reader *reader, const char *folder)
{
	reader->path = strdup(folder);
	reader->buf = malloc(SKM_LOG_LINE_MAX);
	if (!reader->path || !reader->buf)
		return -ENOMEM;
	reader->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return reader->folder_fd < 0 ? -errno : 0;
}

int skm_log_reader_new(const char *folder, struct skm_log_reader **ret_reader)
{
	struct skm_log_reader *reader = malloc(sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	*reader = (struct skm_log_reader){.folder_fd = -1, .watch_fd = -1, .segment_fd = -1};
	int r = open_folder(reader, folder);
	if (r < 0)
		skm_log_reader_freep(&reader);
	else
		*ret_reader = reader;
	return r;
}

/* Both the folder and the one above it: a folder that somebody holds open reports its own removal only when
 * it is closed. */
int skm_log_reader_watch(struct skm_log_reader *reader)
{
	SKM_CLEANUP(skm_free) char *above = NULL;
	if (asprintf(&above, "%s/..", reader->path) < 0) {
		above = NULL;
		return -ENOMEM;
	}
	reader->watch_fd = inotify_init1(IN_CLOEXEC);
	if (reader->watch_fd < 0 ||
		inotify_add_watch(reader->watch_fd, above, IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR) < 0 ||
		inotify_add_watch(
			reader->watch_fd, reader->path, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
		return -errno;
	return 0;
}

/* "00000012.jsonl" -> 12; 0 for anything else. */
static uint64_t segment_number(const char *name)
{
	char digits[32];
	size_t len = strspn(name, "0123456789");
	uint64_t number = 0;
	if (len < 8 || len >= sizeof(digits) || strcmp(name + len, ".jsonl") != 0)
		return 0;
	memcpy(digits, name, len);
	digits[len] = '\0';
	return skm_parse_uint(digits, 1, UINT64_MAX, &number) == 0 ? number : 0;
}

static int compare_numbers(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return (a > b) - (a < b);
}

static int read_numbers(struct skm_log_reader *reader, DIR *dir)
{
	size_t room = 0;
	for (struct dirent *entry; errno = 0, (entry = readdir(dir));) {
		uint64_t number = segment_number(entry->d_name);
		if (number <= reader->number)
			continue;
		if (reader->listed_count == room) {
			room = room > 0 ? 2 * room : 64;
			void *more = reallocarray(reader->listed, room, sizeof(reader->listed[0]));
			if (!more)
				return -ENOMEM;
			reader->listed = more;
		}
		reader->listed[reader->listed_count++] = number;
	}
	return -errno;
}

static int list_segments(struct skm_log_reader *reader)
{
	SKM_CLEANUP(skm_fd_close) int fd = openat(reader->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	DIR *dir = fdopendir(fd);
	if (!dir)
		return -errno;
	(void)skm_fd_take(&fd);
	reader->next = reader->listed_count = 0;
	int r = read_numbers(reader, dir);
	(void)closedir(dir);
	if (r < 0)
		reader->listed_count = 0;
	if (reader->listed_count > 0)
		qsort(reader->listed, reader->listed_count, sizeof(reader->listed[0]), compare_numbers);
	return r;
}

/* The smallest number behind the present one, or 0. One look at the folder serves for all that are there:
 * what comes later has a higher number. */
static int find_segment(struct skm_log_reader *reader, uint64_t *ret_number)
{
	while (reader->next < reader->listed_count && reader->listed[reader->next] <= reader->number)
		reader->next++;
	int r = reader->next == reader->listed_count ? list_segments(reader) : 0;
	if (r == 0)
		*ret_number = reader->next < reader->listed_count ? reader->listed[reader->next] : 0;
	return r;
}

/* 0; -ENOENT when it is gone meanwhile. */
static int open_segment(struct skm_log_reader *reader, uint64_t number)
{
	char name[40];
	(void)snprintf(name, sizeof(name), "%08llu.jsonl", (unsigned long long)number);
	/* O_NONBLOCK: somebody may have put a FIFO there. */
	SKM_CLEANUP(skm_fd_close)
	int fd = openat(reader->folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	struct stat info;
	if (fstat(fd, &info) < 0)
		return -errno;
	if (!S_ISREG(info.st_mode))
		return -EINVAL;
	skm_fd_close(&reader->segment_fd);
	reader->segment_fd = skm_fd_take(&fd);
	reader->number = number;
	reader->offset = 0;
	return 0;
}

/* The agent cuts off a torn last line when it starts; what we hold of it is no record. */
static int notice_truncation(struct skm_log_reader *reader)
{
	struct stat info;
	if (fstat(reader->segment_fd, &info) < 0)
		return -errno;
	if (info.st_size >= reader->offset)
		return 0;
	reader->offset = info.st_size;
	reader->begin = reader->end = 0;
	reader->is_skipping = reader->is_told = false;
	return 0;
}

/* Reads on. The number of bytes, 0 at the end, or -errno. */
static ssize_t fill(struct skm_log_reader *reader)
{
	int r = notice_truncation(reader);
	if (r < 0)
		return r;
	memmove(reader->buf, reader->buf + reader->begin, reader->end - reader->begin);
	reader->end -= reader->begin;
	reader->begin = 0;
	ssize_t n = pread(reader->segment_fd, reader->buf + reader->end, SKM_LOG_LINE_MAX - reader->end,
		reader->offset);
	if (n < 0)
		return -errno;
	reader->end += (size_t)n;
	reader->offset += n;
	if (n > 0)
		reader->is_told = false;
	return n;
}

/* A whole line out of the buffer: SKM_LOG_LINE, SKM_LOG_DAMAGED, or 0 when it holds none. */
static int take_line(struct skm_log_reader *reader, const char **ret_line, size_t *ret_len)
{
	const char *begin = reader->buf + reader->begin;
	const char *newline = memchr(begin, '\n', reader->end - reader->begin);
	if (newline) {
		size_t len = (size_t)(newline - begin);
		reader->begin += len + 1;
		if (reader->is_skipping) {
			reader->is_skipping = false;
			return 0;
		}
		*ret_line = begin;
		*ret_len = len;
		return SKM_LOG_LINE;
	}
	if (reader->end - reader->begin < SKM_LOG_LINE_MAX)
		return 0;
	bool was_skipping = reader->is_skipping;
	reader->begin = reader->end = 0;
	reader->is_skipping = true;
	return was_skipping ? 0 : SKM_LOG_DAMAGED;
}

/* What is left of a segment that nobody writes any more. */
static int leave_segment(struct skm_log_reader *reader)
{
	bool has_rest = reader->end > reader->begin && !reader->is_skipping;
	reader->begin = reader->end = 0;
	reader->is_skipping = false;
	skm_fd_close(&reader->segment_fd);
	/* It was told already when it was the last thing there. */
	bool was_told = reader->is_told;
	reader->is_told = false;
	return has_rest && !was_told ? SKM_LOG_DAMAGED : 0;
}

/* The next segment is opened: 0. There is none: SKM_LOG_WAIT. SKM_LOG_DAMAGED. Or -errno. */
static int go_to_next_segment(struct skm_log_reader *reader)
{
	uint64_t number = 0;
	int r = find_segment(reader, &number);
	if (r < 0)
		return r;
	if (!number)
		return SKM_LOG_WAIT;
	if (reader->segment_fd >= 0) {
		/* It was written to its end before its successor was made, but perhaps after we had read it.
		 */
		ssize_t n = fill(reader);
		if (n != 0)
			return n < 0 ? (int)n : 0;
		r = leave_segment(reader);
		if (r != 0)
			return r;
	}
	r = open_segment(reader, number);
	if (r == -ENOENT) {
		reader->number = number; /* removed by retention meanwhile */
		return 0;
	}
	return r;
}

int skm_log_reader_next(struct skm_log_reader *reader, const char **ret_line, size_t *ret_len)
{
	for (;;) {
		size_t held = reader->end - reader->begin;
		int r = take_line(reader, ret_line, ret_len);
		if (r != 0)
			return r;
		if (reader->end - reader->begin < held)
			continue; /* something was thrown away; there may be a line behind it */
		ssize_t n = reader->segment_fd >= 0 ? fill(reader) : 0;
		if (n < 0)
			return (int)n;
		if (n > 0)
			continue;
		r = go_to_next_segment(reader);
		if (r == 0)
			continue;
		if (r == SKM_LOG_WAIT && reader->end > reader->begin && !reader->is_skipping &&
			!reader->is_told) {
			reader->is_told = true;
			return SKM_LOG_UNFINISHED;
		}
		return r;
	}
}

/* What was opened under that name is what stands there now: neither removed, renamed, nor mounted over. */
static int check_folder(const struct skm_log_reader *reader)
{
	struct stat opened;
	struct stat present;
	if (fstat(reader->folder_fd, &opened) < 0 || stat(reader->path, &present) < 0)
		return -errno;
	return opened.st_dev == present.st_dev && opened.st_ino == present.st_ino ? 0 : -ENOENT;
}

int skm_log_reader_wait(struct skm_log_reader *reader)
{
	/* What happened does not matter: whoever is woken reads on, and then sees. */
	_Alignas(struct inotify_event) char events[4096];
	if (read(reader->watch_fd, events, sizeof(events)) < 0 && errno != EINTR)
		return -errno;
	return check_folder(reader);
}
