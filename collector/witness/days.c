// SPDX-License-Identifier: Apache-2.0
/* The leaf of the tree is the line as it lies in the day file, whatever it says: so what is witnessed is the
 * evidence itself, lines that are no records included, and nobody has to agree on how to read it. A tree of
 * the heads of chains alone was rejected: it proves a record only together with all of its chain. */
#include "days.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tree.h"

#define BLOCK_BYTES ((size_t)1 << 20)
#define NAME_SUFFIX ".jsonl"
#define NAME_DIGEST_BYTES 16

void skm_witness_days_finish(struct skm_witness_days *days)
{
	free(days->files);
	*days = (struct skm_witness_days){.folderfd = -1};
}

/* "2026-11-20.001.jsonl" */
static bool parse_name(const char *name, struct skm_witness_file *ret_file)
{
	uint32_t day = 0, part = 0;
	if (strlen(name) != 20 || name[10] != '.' || strcmp(name + 14, NAME_SUFFIX) != 0 ||
		skm_witness_day_parse(name, SKM_WITNESS_DAY_BYTES - 1, &day) < 0)
		return false;
	for (size_t i = 11; i < 14; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		part = 10 * part + (uint32_t)(name[i] - '0');
	}
	*ret_file = (struct skm_witness_file){.day = day, .part = part};
	(void)snprintf(ret_file->name, sizeof(ret_file->name), "%s", name);
	return part > 0;
}

static int compare_files(const void *a, const void *b)
{
	const struct skm_witness_file *left = a, *right = b;
	return strcmp(left->name, right->name);
}

static int add_file(struct skm_witness_days *days, const struct skm_witness_file *file)
{
	if (days->count == days->room) {
		size_t room = days->room ? 2 * days->room : 64;
		struct skm_witness_file *wider = reallocarray(days->files, room, sizeof(*wider));
		if (!wider)
			return -ENOMEM;
		days->files = wider;
		days->room = room;
	}
	days->files[days->count++] = *file;
	return 0;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

int skm_witness_days_list(int folderfd, struct skm_witness_days *ret_days)
{
	struct skm_witness_days days = {.folderfd = folderfd};
	struct skm_witness_file file;
	int fd = openat(folderfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	if (fd < 0)
		return -errno;
	SKM_CLEANUP(close_dir) DIR *dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	while (r == 0) {
		errno = 0;
		const struct dirent *entry = readdir(dir); // NOLINT(concurrency-mt-unsafe)
		if (!entry) {
			r = -errno;
			break;
		}
		if (parse_name(entry->d_name, &file))
			r = add_file(&days, &file);
	}
	if (r < 0) {
		skm_witness_days_finish(&days);
		return r;
	}
	if (days.count > 0)
		qsort(days.files, days.count, sizeof(days.files[0]), compare_files);
	*ret_days = days;
	return 0;
}

/* ---- lines ---- */

static int open_file(int folderfd, const char *name, int *ret_fd)
{
	struct stat st;
	SKM_CLEANUP(skm_fd_close)
	int fd = openat(folderfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	*ret_fd = skm_fd_take(&fd);
	return 0;
}

/* Gives the whole lines of the block; what is left of it. */
static size_t give_lines(char *block, size_t len, skm_witness_line_fn on_line, void *user)
{
	size_t begin = 0;
	for (;;) {
		const char *newline = memchr(block + begin, '\n', len - begin);
		if (!newline)
			break;
		size_t line_len = (size_t)(newline - (block + begin));
		on_line(user, block + begin, line_len);
		begin += line_len + 1;
	}
	memmove(block, block + begin, len - begin);
	return len - begin;
}

static int read_file(int folderfd, const char *name, char *block, skm_witness_line_fn on_line, void *user)
{
	SKM_CLEANUP(skm_fd_close) int fd = -1;
	size_t len = 0;
	int r = open_file(folderfd, name, &fd);
	if (r < 0)
		return r;
	for (;;) {
		if (len == BLOCK_BYTES)
			return -EFBIG;
		ssize_t n = read(fd, block + len, BLOCK_BYTES - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return len > 0 ? SKM_WITNESS_UNFINISHED : 0;
		len = give_lines(block, len + (size_t)n, on_line, user);
	}
}

int skm_witness_days_read(const struct skm_witness_days *days, uint32_t first, uint32_t last,
	skm_witness_line_fn on_line, void *user, const char **ret_name)
{
	char *block = malloc(BLOCK_BYTES);
	int r = block ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < days->count; i++) {
		const struct skm_witness_file *file = &days->files[i];
		if (file->day < first || file->day > last)
			continue;
		if (ret_name)
			*ret_name = file->name;
		r = read_file(days->folderfd, file->name, block, on_line, user);
	}
	free(block);
	return r;
}

/* ---- the terminals ---- */

/* Of their names only digests are kept: what a line calls its terminal may be of any length. */
struct terminals {
	uint8_t (*slots)[NAME_DIGEST_BYTES]; /* owned; zeros = free */
	size_t count, size;		     /* size: a power of two */
};

static bool put_digest(struct terminals *terminals, const uint8_t *digest)
{
	static const uint8_t nothing[NAME_DIGEST_BYTES];
	size_t at = 0;
	memcpy(&at, digest, sizeof(at));
	for (at &= terminals->size - 1;; at = (at + 1) & (terminals->size - 1)) {
		if (memcmp(terminals->slots[at], digest, NAME_DIGEST_BYTES) == 0)
			return false;
		if (memcmp(terminals->slots[at], nothing, NAME_DIGEST_BYTES) == 0)
			break;
	}
	memcpy(terminals->slots[at], digest, NAME_DIGEST_BYTES);
	return true;
}

static int widen(struct terminals *terminals)
{
	struct terminals wider = {.size = terminals->size ? 2 * terminals->size : 1024};
	static const uint8_t nothing[NAME_DIGEST_BYTES];
	wider.slots = calloc(wider.size, sizeof(*wider.slots));
	if (!wider.slots)
		return -ENOMEM;
	for (size_t i = 0; i < terminals->size; i++) {
		if (memcmp(terminals->slots[i], nothing, sizeof(nothing)) != 0)
			wider.count += put_digest(&wider, terminals->slots[i]) ? 1 : 0;
	}
	free(terminals->slots);
	*terminals = wider;
	return 0;
}

static int add_terminal(struct terminals *terminals, const char *name, size_t len)
{
	uint8_t hash[SKM_WITNESS_HASH_BYTES];
	if (terminals->count >= SKM_WITNESS_TERMINALS_MAX)
		return 0;
	if (2 * terminals->count >= terminals->size) {
		int r = widen(terminals);
		if (r < 0)
			return r;
	}
	skm_witness_hash(SKM_DOMAIN_LEAF, name, len, NULL, 0, hash);
	terminals->count += put_digest(terminals, hash) ? 1 : 0;
	return 0;
}

/* ---- the sum ---- */

struct sum {
	struct skm_tree tree;
	uint64_t bytes;
	struct terminals terminals;
	int error;
};

/* A quote within a text is always escaped, so these bytes can only be the member itself. */
static void note_terminal(struct sum *sum, const char *line, size_t len)
{
	static const char key[] = ",\"terminal\":{\"number\":\"";
	const char *begin = memmem(line, len, key, sizeof(key) - 1);
	if (!begin)
		return;
	begin += sizeof(key) - 1;
	const char *end = memmem(begin, len - (size_t)(begin - line), "\",\"", 3);
	if (end && end > begin && sum->error == 0)
		sum->error = add_terminal(&sum->terminals, begin, (size_t)(end - begin));
}

static void sum_line(void *user, const char *line, size_t len)
{
	struct sum *sum = user;
	skm_tree_add(&sum->tree, line, len);
	sum->bytes += len;
	note_terminal(sum, line, len);
}

int skm_witness_days_sum(
	const struct skm_witness_days *days, struct skm_witness_entry *entry, const char **ret_name)
{
	struct sum sum = {.bytes = 0};
	int r = skm_witness_days_read(days, entry->first_day, entry->last_day, sum_line, &sum, ret_name);
	free(sum.terminals.slots);
	if (r == 0)
		r = sum.error;
	if (r != 0)
		return r;
	entry->files = 0;
	for (size_t i = 0; i < days->count; i++)
		entry->files +=
			days->files[i].day >= entry->first_day && days->files[i].day <= entry->last_day;
	entry->records = sum.tree.count;
	entry->bytes = sum.bytes;
	entry->terminals = sum.terminals.count;
	skm_tree_root(&sum.tree, entry->records_root);
	return 0;
}

int skm_witness_days_compare(const struct skm_witness_days *days, const struct skm_witness_entry *entry)
{
	struct skm_witness_entry found = *entry;
	int r = skm_witness_days_sum(days, &found, NULL);
	if (r == SKM_WITNESS_UNFINISHED)
		return SKM_WITNESS_CHANGED;
	if (r < 0)
		return r;
	if (found.files == 0 && entry->files > 0)
		return SKM_WITNESS_GONE;
	return found.records == entry->records &&
			       memcmp(found.records_root, entry->records_root, SKM_WITNESS_HASH_BYTES) == 0
		       ? SKM_WITNESS_SAME
		       : SKM_WITNESS_CHANGED;
}
