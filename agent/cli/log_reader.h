// SPDX-License-Identifier: Apache-2.0
/* Reads the lines of an audit stream, segment after segment, while somebody else writes it. */
#ifndef SKM_LOG_READER_H
#define SKM_LOG_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "sekimori/result.h"

/* Longer than any line that the agent writes (SKM_RECORD_LINE_MAX), so that what exceeds it is damage. */
#define SKM_LOG_LINE_MAX 65536u

struct skm_log_reader;

enum skm_log_step {
	SKM_LOG_LINE = 1, /* *ret_line, without its newline, borrowed until the next call */
	SKM_LOG_DAMAGED,  /* a line that is too long, or one without an end in a segment that has a successor
			   */
	SKM_LOG_UNFINISHED, /* at the end of what is there: a line without an end; told once, it may yet get
			       one */
	SKM_LOG_WAIT,	    /* at the end of what is there */
};

/* `folder` holds segments of the form 00000001.jsonl; other names are passed over. Begins with the first
 * segment. 0 or -errno
 * (-ENOENT: no such folder; -EACCES). */
SKM_NODISCARD int skm_log_reader_new(const char *folder, struct skm_log_reader **ret_reader);
void skm_log_reader_freep(struct skm_log_reader **reader);

/* For skm_log_reader_wait, once, before the first skm_log_reader_next. It takes an inotify instance and the
 * right to list the folder above, which who only reads what is there must do without. 0 or -errno. */
SKM_NODISCARD int skm_log_reader_watch(struct skm_log_reader *reader);

/* enum skm_log_step, or -errno. After SKM_LOG_WAIT it may be called again at any time: what was written since
 * follows, also in a new segment. A segment that was removed (retention) is passed over; a torn line that the
 * agent has cut off is forgotten. */
SKM_NODISCARD int skm_log_reader_next(struct skm_log_reader *reader, const char **ret_line, size_t *ret_len);

/* Waits, without polling, until there may be more; needs skm_log_reader_watch. 0; -ENOENT when the folder was
 * removed or unmounted; -errno. */
SKM_NODISCARD int skm_log_reader_wait(struct skm_log_reader *reader);

#endif
