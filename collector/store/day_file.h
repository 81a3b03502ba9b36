// SPDX-License-Identifier: Apache-2.0
/* The evidence: one file a day, lines as they came, `2026-11-21.001.jsonl`. A line is in it whole or not at
 * all. A second part of a day (`.002`) is begun when the first can no longer be trusted. Single writer. */
#ifndef SEKIMORI_STORE_DAY_FILE_H
#define SEKIMORI_STORE_DAY_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "sekimori/result.h"

#define SKM_DAY_NAME_BYTES 32
#define SKM_DAY_PART_MAX 999

/* Where a line begins. Files sort by day, then part. */
struct skm_day_position {
	uint32_t day;  /* 20261121; 0 = before the first */
	uint32_t part; /* from 1 */
	uint64_t offset;
};

/* The calls that can fail, so that tests can make them. */
struct skm_day_ops {
	int (*openat)(int dirfd, const char *name, int flags, mode_t mode);
	ssize_t (*write)(int fd, const void *data, size_t len);
	int (*fdatasync)(int fd);
	int (*ftruncate)(int fd, off_t len);
	int (*fsync)(int fd);
};
extern const struct skm_day_ops skm_day_ops_system;

struct skm_day_files;

/* `folderfd` is an open folder, which stays the caller's. Finds the last file there and cuts off an
 * unfinished last line (ret_cut_bytes; it was never acknowledged). 0 or -errno. */
SKM_NODISCARD int skm_day_files_open(int folderfd, const struct skm_day_ops *ops,
	struct skm_day_files **ret_files, uint64_t *ret_cut_bytes);
struct skm_day_files *skm_day_files_close(struct skm_day_files *files);

/* Appends whole lines to the file of `day` (never of an earlier day than the last one's) and syncs. 0: on
 * disk. -errno: none of it is in the file, or the file is given up and the next call begins another part, in
 * which case the lines may be in both; readers drop what they have already. */
SKM_NODISCARD int skm_day_files_append(
	struct skm_day_files *files, uint32_t day, const char *data, size_t len);
/* Where the next line will begin. */
struct skm_day_position skm_day_files_end(const struct skm_day_files *files);

/* Calls `on_line` (without newline) for every whole line from `from` on, in order; `ret_end` is behind the
 * last one. A negative result of it ends the reading and is returned. */
typedef int (*skm_day_line_fn)(
	void *user, const char *line, size_t len, const struct skm_day_position *at, const struct stat *file);
SKM_NODISCARD int skm_day_files_read(int folderfd, const struct skm_day_position *from,
	skm_day_line_fn on_line, void *user, struct skm_day_position *ret_end);

void skm_day_name(uint32_t day, uint32_t part, char ret_name[SKM_DAY_NAME_BYTES]);
/* 0 or -EINVAL */
SKM_NODISCARD int skm_day_parse(const char *name, uint32_t *ret_day, uint32_t *ret_part);

#endif
