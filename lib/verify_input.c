// SPDX-License-Identifier: Apache-2.0
/* Reads raw bytes and nothing but bytes: no index, no order but that of the segments' numbers, and no
 * decision which line is worth showing. (journald was forged through an index that its seal does not cover.)
 *
 * mmap was rejected: a file that somebody cuts while it is read would kill the verifier by SIGBUS, and so
 * hide what was cut. */
#include "verify_input.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sekimori/parse.h"
#include "sekimori/record.h"
#include "verify_internal.h"

#define BLOCK_BYTES ((size_t)1 << 20)
#define LINES_MAX 2048 /* of a block, at once; about as many as it has */
/* A record that is being written is whole within microseconds; a torn one stays torn. */
#define REREAD_COUNT 10
#define REREAD_MS 2

/* ---- which files ---- */

static void stream_finish(struct skm_verify_stream *stream)
{
	for (size_t i = 0; i < stream->count; i++)
		free(stream->paths[i]);
	free(stream->paths);
	free(stream->folder);
}

void skm_verify_input_finish(struct skm_verify_input *input)
{
	for (size_t i = 0; i < input->count; i++)
		stream_finish(&input->streams[i]);
	free(input->streams);
	*input = (struct skm_verify_input){.streams = NULL};
}

/* Room for one more: the list, perhaps moved, or NULL (and the old one still stands). */
static void *widen(void *list, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return list;
	size_t wider_room = *room ? 2 * *room : 16;
	void *wider = reallocarray(list, wider_room, size);
	if (wider)
		*room = wider_room;
	return wider;
}

static int add_stream(
	struct skm_verify_input *input, const char *folder, struct skm_verify_stream **ret_stream)
{
	struct skm_verify_stream *streams =
		widen(input->streams, input->count, &input->room, sizeof(*streams));
	if (!streams)
		return -ENOMEM;
	input->streams = streams;
	char *copy = strdup(folder);
	if (!copy)
		return -ENOMEM;
	streams[input->count] = (struct skm_verify_stream){.folder = copy, .is_numbered = true};
	*ret_stream = &streams[input->count++];
	return 0;
}

/* "…/00000012.jsonl" -> 12; 0 for anything else. */
static uint64_t segment_number(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char digits[24];
	size_t len = strspn(name, "0123456789");
	uint64_t number = 0;
	if (len < 8 || len >= sizeof(digits) || strcmp(name + len, ".jsonl") != 0)
		return 0;
	memcpy(digits, name, len);
	digits[len] = '\0';
	return skm_parse_uint(digits, 1, UINT64_MAX, &number) == 0 ? number : 0;
}

static int add_path(struct skm_verify_stream *stream, const char *path)
{
	char **paths = widen(stream->paths, stream->count, &stream->room, sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	stream->paths = paths;
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	stream->is_numbered = stream->is_numbered && segment_number(path) > 0;
	paths[stream->count++] = copy;
	return 0;
}

static int add_file(struct skm_verify_input *input, const char *path)
{
	const char *slash = strrchr(path, '/');
	bool is_stdin = strcmp(path, "-") == 0;
	struct skm_verify_stream *stream = input->count > 0 ? &input->streams[input->count - 1] : NULL;
	char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	if (!folder)
		return -ENOMEM;
	int r = 0;
	if (is_stdin || !stream || strcmp(stream->folder, folder) != 0)
		r = add_stream(input, is_stdin ? path : folder, &stream);
	free(folder);
	return r < 0 ? r : add_path(stream, path);
}

static int is_segment(const struct dirent *entry)
{
	return segment_number(entry->d_name) > 0;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void free_names(struct dirent **names, int count)
{
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

/* 0, SKM_VERIFY_INPUT_EMPTY or -errno. */
static int add_segments(struct skm_verify_input *input, const char *folder)
{
	struct dirent **names = NULL;
	struct skm_verify_stream *stream = NULL;
	int count = scandir(folder, &names, is_segment, alphasort);
	if (count < 0)
		return -errno;
	int r = count > 0 ? add_stream(input, folder, &stream) : SKM_VERIFY_INPUT_EMPTY;
	if (r == 0)
		stream->is_found = true;
	for (int i = 0; r == 0 && i < count; i++) {
		SKM_CLEANUP(skm_free) char *path = NULL;
		if (asprintf(&path, "%s/%s", folder, names[i]->d_name) < 0) {
			path = NULL;
			r = -ENOMEM;
		} else {
			r = add_path(stream, path);
		}
	}
	free_names(names, count);
	return r;
}

static int add_folders(struct skm_verify_input *input, const char *folder)
{
	struct dirent **names = NULL;
	int count = scandir(folder, &names, is_visible, alphasort);
	if (count < 0)
		return -errno;
	bool has_any = false;
	int r = 0;
	for (int i = 0; r == 0 && i < count; i++) {
		SKM_CLEANUP(skm_free) char *path = NULL;
		if (asprintf(&path, "%s/%s", folder, names[i]->d_name) < 0) {
			path = NULL;
			r = -ENOMEM;
			break;
		}
		r = add_segments(input, path);
		has_any = has_any || r == 0;
		if (r == SKM_VERIFY_INPUT_EMPTY || r == -ENOTDIR)
			r = 0;
	}
	free_names(names, count);
	return r == 0 && !has_any ? SKM_VERIFY_INPUT_EMPTY : r;
}

int skm_verify_input_add(struct skm_verify_input *input, const char *path)
{
	struct stat st;
	if (strcmp(path, "-") == 0)
		return add_file(input, path);
	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return add_file(input, path);
	size_t len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		len--;
	SKM_CLEANUP(skm_free) char *folder = strndup(path, len);
	if (!folder)
		return -ENOMEM;
	int r = add_segments(input, folder);
	return r == SKM_VERIFY_INPUT_EMPTY ? add_folders(input, folder) : r;
}

static int compare_segments(const void *a, const void *b)
{
	uint64_t left = segment_number(*(char *const *)a), right = segment_number(*(char *const *)b);
	return (left > right) - (left < right);
}

void skm_verify_input_sort(struct skm_verify_input *input)
{
	for (size_t i = 0; i < input->count; i++) {
		struct skm_verify_stream *stream = &input->streams[i];
		if (stream->is_numbered)
			qsort(stream->paths, stream->count, sizeof(*stream->paths), compare_segments);
	}
}

uint64_t skm_verify_input_bytes(const struct skm_verify_input *input)
{
	uint64_t bytes = 0;
	struct stat st;
	for (size_t i = 0; i < input->count; i++) {
		for (size_t j = 0; j < input->streams[i].count; j++) {
			if (stat(input->streams[i].paths[j], &st) == 0 && S_ISREG(st.st_mode))
				bytes += (uint64_t)st.st_size;
		}
	}
	return bytes;
}

/* ---- their lines ---- */

struct reader {
	struct skm_verifier *verifier;
	struct skm_verify_hasher *hasher;
	char *block;
	size_t begin, end; /* what is not given yet */
	bool is_skipping;  /* behind the part that was kept of a line that is too long */
	char kept[SKM_RECORD_LINE_MAX];
	struct skm_verify_hashed lines[LINES_MAX];
};

static void give_lines(struct reader *reader, size_t count)
{
	skm_verify_hasher_run(reader->hasher, reader->lines, count);
	for (size_t i = 0; i < count; i++)
		skm_verifier_line_hashed(reader->verifier, reader->lines[i].text, reader->lines[i].len,
			reader->lines[i].has_hash ? reader->lines[i].hash : NULL);
}

static void take_lines(struct reader *reader)
{
	size_t count = 0;
	for (;;) {
		char *begin = reader->block + reader->begin;
		char *newline = memchr(begin, '\n', reader->end - reader->begin);
		if (!newline || count == LINES_MAX) {
			give_lines(reader, count);
			count = 0;
		}
		if (!newline)
			return;
		reader->lines[count++] =
			reader->is_skipping
				? (struct skm_verify_hashed){.text = reader->kept,
					  .len = sizeof(reader->kept)}
				: (struct skm_verify_hashed){.text = begin, .len = (size_t)(newline - begin)};
		reader->is_skipping = false;
		reader->begin = (size_t)(newline - reader->block) + 1;
	}
}

/* Room for more. Of a line that fills the block its beginning is kept, which is all that counts of it. */
static void compact(struct reader *reader)
{
	size_t rest = reader->end - reader->begin;
	if (rest == BLOCK_BYTES || (reader->is_skipping && rest > 0)) {
		if (!reader->is_skipping)
			memcpy(reader->kept, reader->block + reader->begin, sizeof(reader->kept));
		reader->is_skipping = true;
		rest = 0;
	}
	memmove(reader->block, reader->block + reader->begin, rest);
	reader->begin = 0;
	reader->end = rest;
}

/* The number of bytes read, 0 at the end, or -errno. */
static ssize_t read_more(struct reader *reader, int fd, bool is_last)
{
	for (unsigned i = 0;; i++) {
		ssize_t n = read(fd, reader->block + reader->end, BLOCK_BYTES - reader->end);
		if (n > 0 || (n < 0 && errno != EINTR))
			return n < 0 ? -errno : n;
		if (n == 0 && (!is_last || reader->end == 0 || i >= REREAD_COUNT))
			return 0;
		(void)poll(NULL, 0, REREAD_MS);
	}
}

static int read_file(
	struct reader *reader, int fd, bool is_last, skm_verify_progress_fn on_progress, void *user)
{
	for (;;) {
		compact(reader);
		ssize_t n = read_more(reader, fd, is_last);
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		reader->end += (size_t)n;
		take_lines(reader);
		if (on_progress)
			on_progress(user, (size_t)n);
	}
	if (reader->is_skipping)
		skm_verifier_line(reader->verifier, reader->kept, sizeof(reader->kept), false);
	else if (reader->end > 0)
		skm_verifier_line(reader->verifier, reader->block, reader->end, false);
	return 0;
}

/* A person may name a FIFO; in a folder, one is there to make us wait for ever, and a link to show us
 * something else. */
static int open_input(const char *path, bool is_found, int *ret_fd)
{
	struct stat st;
	int flags = is_found ? O_NOFOLLOW | O_NONBLOCK : 0;
	SKM_CLEANUP(skm_fd_close)
	int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
					: open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC | flags);
	if (fd < 0)
		return is_found && errno == ELOOP ? SKM_VERIFY_INPUT_NOT_FILE : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (is_found && !S_ISREG(st.st_mode))
		return SKM_VERIFY_INPUT_NOT_FILE;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	*ret_fd = skm_fd_take(&fd);
	return 0;
}

int skm_verify_file_read(struct skm_verifier *verifier, struct skm_verify_hasher *hasher,
	const struct skm_verify_stream *stream, size_t index, skm_verify_progress_fn on_progress, void *user)
{
	SKM_CLEANUP(skm_fd_close) int fd = -1;
	int r = open_input(stream->paths[index], stream->is_found, &fd);
	/* Deleted by age since the folder was read, or by somebody: what that means, the records say that are
	 * there, and the numbers. */
	if (r == -ENOENT && stream->is_found)
		return 0;
	if (r != 0)
		return r;
	struct reader *reader = malloc(sizeof(*reader) + BLOCK_BYTES);
	if (!reader)
		return -ENOMEM;
	reader->verifier = verifier;
	reader->hasher = hasher;
	reader->block = (char *)(reader + 1);
	reader->begin = reader->end = 0;
	reader->is_skipping = false;
	r = read_file(reader, fd, index + 1 == stream->count, on_progress, user);
	free(reader);
	return r;
}
