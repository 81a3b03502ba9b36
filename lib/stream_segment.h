// SPDX-License-Identifier: Apache-2.0
/* Internal to the audit stream: its folder and the segment in use. Knows files and bytes; of records only
 * where in a line the sequence number stands. stream.c knows records and the order of things. */
#ifndef SEKIMORI_STREAM_SEGMENT_H
#define SEKIMORI_STREAM_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "sekimori/result.h"
#include "sekimori/stream.h"

/* The system calls that can fail, so that a test can let the k-th of them fail. Same meaning as those of
 * libc: -1 and errno. */
struct skm_stream_ops {
	int (*openat)(int dirfd, const char *name, int flags, mode_t mode);
	int (*fstat)(int fd, struct stat *ret_stat);
	ssize_t (*pread)(int fd, void *buf, size_t size, off_t offset);
	ssize_t (*write)(int fd, const void *data, size_t len);
	int (*ftruncate)(int fd, off_t len);
	int (*sync_file_range)(int fd, off_t offset, off_t len, unsigned flags);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd);
	int (*fchmod)(int fd, mode_t mode);
	int (*fchown)(int fd, uid_t uid, gid_t gid);
	int (*unlinkat)(int dirfd, const char *name, int flags);
};
extern const struct skm_stream_ops skm_stream_ops_system;

/* As skm_stream_new and skm_stream_set_chain; `ops` must outlive the stream. */
SKM_NODISCARD int skm_stream_new_with_ops(const char *folder, uint64_t segment_bytes,
	const struct skm_stream_ops *ops, struct skm_stream **ret_stream);
struct skm_chain_file_ops;
SKM_NODISCARD int skm_stream_set_chain_with_ops(struct skm_stream *stream,
	const struct skm_stream_chain_options *options, const struct skm_chain_file_ops *ops);

#define SKM_SEGMENT_NAME_BYTES 24 /* "00000001.jsonl" */
#define SKM_SEGMENT_NUMBER_MAX 99999999u
/* A number that a reader of JSON may hold in a double. */
#define SKM_SEQUENCE_MAX (UINT64_C(1) << 53)

/* ---- reading back (stream_scan.c) ---- */

/* The sequence number of one of our own lines (without its newline). 0, or -EBADMSG when it is not such a
 * line. Pure. */
SKM_NODISCARD int skm_segment_line_sequence(const char *line, size_t len, uint64_t *ret_sequence);

struct skm_segment_scan {
	uint64_t whole_bytes;	   /* up to and with the last newline; what follows is torn */
	uint64_t sequence;	   /* of the last line that could be understood; 0 = none */
	uint64_t unreadable_lines; /* whole lines after that */
};
/* Reads the end of the segment, or all of it when its end cannot be understood. 0 or -errno. */
SKM_NODISCARD int skm_segment_scan(
	const struct skm_stream_ops *ops, int fd, uint64_t size, struct skm_segment_scan *ret_scan);

/* ---- the folder (stream_segment.c) ---- */

struct skm_segment_id {
	uint32_t number; /* 0 = none */
	dev_t dev;
	ino_t ino;
};

struct skm_segments {
	const struct skm_stream_ops *ops;
	char *folder;
	int folder_fd;
	int fd;
	struct skm_segment_id current;	/* the segment in use, or last used */
	struct skm_segment_id previous; /* the one before it */
	uint64_t size;			/* bytes of `current` that are known to be stored */
	uint64_t unsynced;		/* bytes behind them that are written only */
	bool is_abandoned;		/* `current` must not be written again */
	char error[256]; /* of the call that failed last: "cannot write 00000001.jsonl: No space left on
			    device" */
};

/* What opening found out. */
struct skm_segment_finding {
	uint64_t sequence; /* last number on disk; 0 = none, or nothing that the caller does not know already
			    */
	bool is_known;	   /* the newest segment is the one last used by this process */
	bool is_repaired;  /* the files were not as they had been left */
	bool is_tampered;  /* … and that while we were running */
	char object[SKM_SEGMENT_NAME_BYTES];
	char detail[128];
};

/* 0 or -ENOMEM. */
SKM_NODISCARD int skm_segments_init(
	struct skm_segments *segments, const char *folder, const struct skm_stream_ops *ops);
void skm_segments_finish(struct skm_segments *segments);
/* Makes sure that a segment is open which may be written to: the newest one, repaired, or a new one. Does
 * next to nothing when one is open and still as it was left. 0 or -errno. A failure too sets *ret_finding if
 * something had been repaired before it: that is not found a second time. */
SKM_NODISCARD int skm_segments_open(struct skm_segments *segments, struct skm_segment_finding *ret_finding);
/* Begins the next segment. On failure nothing is open. 0 or -errno. */
SKM_NODISCARD int skm_segments_next(struct skm_segments *segments);
/* One write, behind what is there; is_last: skm_segments_sync follows, else the disk begins with it. -errno =
 * nothing behind `size` is there any more, or the segment is abandoned: skm_segments_open then begins another
 * one. */
SKM_NODISCARD int skm_segments_write(
	struct skm_segments *segments, const void *data, size_t len, bool is_last);
/* One fdatasync. 0 = all that was written is stored. -errno = the segment is abandoned, and what was written
 * since the last sync is cut off where that can be done. */
SKM_NODISCARD int skm_segments_sync(struct skm_segments *segments);
/* Closes the descriptors; what is known of the segment in use is kept. */
void skm_segments_close(struct skm_segments *segments);
void skm_segment_name(uint32_t number, char ret_name[SKM_SEGMENT_NAME_BYTES]);
/* The numbers of the segments in the open folder, lowest first, for free(). 0 or -errno. */
struct skm_segment_list {
	size_t count;
	uint32_t numbers[];
};
SKM_NODISCARD int skm_segments_list(struct skm_segments *segments, struct skm_segment_list **ret_list);

#endif
