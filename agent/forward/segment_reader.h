// SPDX-License-Identifier: Apache-2.0
/* Reads the lines of one audit stream in order, from any position on, while the stream's writer goes on
 * writing.
 *
 * Handed out is only what is whole and on the disk: a line without its newline waits, and the segment is
 * synced before a line of it is believed. (The writer syncs too, but later than it writes. A record that the
 * collector has and that a power cut then takes from the terminal would be written anew with the same number
 * and other contents: the collector would have to call that a forgery.) */
#ifndef SKM_FORWARD_SEGMENT_READER_H
#define SKM_FORWARD_SEGMENT_READER_H

#include "message.h"
#include "position.h"

struct skm_segment_reader;

/* Does no IO: a folder that is missing is found when something is read. 0 or -ENOMEM. */
SKM_NODISCARD int skm_segment_reader_new(const char *folder, struct skm_segment_reader **ret_reader);
struct skm_segment_reader *skm_segment_reader_free(struct skm_segment_reader *reader);
/* The next line is the one behind the position. If its segment is gone, the one after it is taken, and
 * records that are missing then are counted in the positions that follow; if the segment does not hold the
 * position's tail any more, it is read from its beginning; if there are only segments with smaller numbers,
 * the stream was begun anew and is read from its beginning. So a line may come twice, and none is passed
 * over. */
void skm_segment_reader_seek(struct skm_segment_reader *reader, const struct skm_position *position);

#define SKM_SEGMENT_READER_NOTHING 1
/* Looks at the next line that can be carried (without its newline) and does not take it: the same one is
 * given until it is taken. It is valid until the next call. Lines that cannot be carried are counted in the
 * position. 0; SKM_SEGMENT_READER_NOTHING: all has been read; -errno, the next call tries again. */
SKM_NODISCARD int skm_segment_reader_peek(
	struct skm_segment_reader *reader, const char **ret_line, size_t *ret_len);
/* Takes the line that was looked at. The position is behind it. */
void skm_segment_reader_take(struct skm_segment_reader *reader, struct skm_position *ret_position);

/* The number n of a record's line; 0 when it has none. Pure. */
uint64_t skm_segment_line_number(const char *line, size_t len);

#endif
