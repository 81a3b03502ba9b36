// SPDX-License-Identifier: Apache-2.0
/* Internal to the proving program: which files make up which stream, and their bytes cut into lines. */
#ifndef SEKIMORI_VERIFY_INPUT_H
#define SEKIMORI_VERIFY_INPUT_H

#include "verify_hash.h"

/* Files that are read one after the other as one stream. */
struct skm_verify_stream {
	char *folder; /* as people know it; "-" = standard input */
	char **paths; /* owned, each too */
	size_t count, room;
	bool is_numbered; /* all are segments, NNNNNNNN.jsonl: read in the order of their numbers */
	bool is_found;	  /* in a folder; not named by a person */
};

struct skm_verify_input {
	struct skm_verify_stream *streams;
	size_t count, room;
};
void skm_verify_input_finish(struct skm_verify_input *input);

#define SKM_VERIFY_INPUT_EMPTY 1 /* a folder without segments, itself or one level below */
/* A file, "-", a folder of segments, or a folder of such folders. Files of the same folder, given one after
 * the other, are one stream. 0, SKM_VERIFY_INPUT_EMPTY or -errno. */
SKM_NODISCARD int skm_verify_input_add(struct skm_verify_input *input, const char *path);
/* All is added: sorts segments by their numbers. */
void skm_verify_input_sort(struct skm_verify_input *input);
/* Bytes of all files, as far as they tell. */
uint64_t skm_verify_input_bytes(const struct skm_verify_input *input);

typedef void (*skm_verify_progress_fn)(void *user, size_t bytes);
#define SKM_VERIFY_INPUT_NOT_FILE 2 /* found in a folder, and a link, FIFO or the like */
/* Gives one file of the stream to the verifier, line by line. The last one may be being written right now: an
 * unfinished line gets a moment to be finished. 0, SKM_VERIFY_INPUT_NOT_FILE or -errno: the lines before were
 * given. */
SKM_NODISCARD int skm_verify_file_read(struct skm_verifier *verifier, struct skm_verify_hasher *hasher,
	const struct skm_verify_stream *stream, size_t index, skm_verify_progress_fn on_progress, void *user);

#endif
