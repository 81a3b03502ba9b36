// SPDX-License-Identifier: Apache-2.0
/* The collector's day files (YYYY-MM-DD.NNN.jsonl) in the folder that they were copied to: which there are,
 * their lines, and what an entry says of them. */
#ifndef SKM_WITNESS_DAYS_H
#define SKM_WITNESS_DAYS_H

#include "entry.h"

#define SKM_WITNESS_FILE_BYTES 24
#define SKM_WITNESS_TERMINALS_MAX (1u << 20) /* more are not counted */

struct skm_witness_file {
	uint32_t day, part;
	char name[SKM_WITNESS_FILE_BYTES];
};
struct skm_witness_days {
	int folderfd;			/* borrowed */
	struct skm_witness_file *files; /* owned; in order */
	size_t count, room;
};
void skm_witness_days_finish(struct skm_witness_days *days);
/* 0 or -errno. */
SKM_NODISCARD int skm_witness_days_list(int folderfd, struct skm_witness_days *ret_days);

typedef void (*skm_witness_line_fn)(void *user, const char *line, size_t len);
#define SKM_WITNESS_UNFINISHED 1 /* a file does not end with a newline: it is still being copied */
/* The lines, without newlines, of all files of these days. 0, SKM_WITNESS_UNFINISHED or -errno (-EFBIG: a
 * line of more than a mebibyte). In both cases some lines were given. `ret_name` (may be NULL): of the file
 * that it was about. */
SKM_NODISCARD int skm_witness_days_read(const struct skm_witness_days *days, uint32_t first, uint32_t last,
	skm_witness_line_fn on_line, void *user, const char **ret_name);

/* Sets files, records, bytes, terminals and records_root for the days of the entry. As above. */
SKM_NODISCARD int skm_witness_days_sum(
	const struct skm_witness_days *days, struct skm_witness_entry *entry, const char **ret_name);

enum skm_witness_likeness {
	SKM_WITNESS_SAME = 0,
	SKM_WITNESS_CHANGED = 1,
	SKM_WITNESS_GONE = 2, /* no file of these days is there any more */
};
/* Are the files what the entry says? enum skm_witness_likeness or -errno. */
SKM_NODISCARD int skm_witness_days_compare(
	const struct skm_witness_days *days, const struct skm_witness_entry *entry);

#endif
