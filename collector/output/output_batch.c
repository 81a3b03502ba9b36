// SPDX-License-Identifier: Apache-2.0
/* Reads day files up to where the store vouches for them. imfile was rejected: it follows the file's end, and
 * what stands between the last saved state and the end may be cut back after a power cut: then the outside
 * would have records that the evidence lacks. */
#include "output_batch.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../store/record_facts.h"
#include "sekimori/parse.h"

int skm_output_batch_init(struct skm_output_batch *ret_batch)
{
	struct skm_output_record *records = calloc(SKM_BATCH_RECORDS_MAX, sizeof(*records));
	if (!records)
		return -ENOMEM;
	*ret_batch = (struct skm_output_batch){.records = records};
	return 0;
}

void skm_output_batch_free(struct skm_output_batch *batch)
{
	skm_bytes_free(&batch->text);
	free(batch->records);
	batch->records = NULL;
}

int skm_day_position_compare(const struct skm_day_position *a, const struct skm_day_position *b)
{
	if (a->day != b->day)
		return a->day < b->day ? -1 : 1;
	if (a->part != b->part)
		return a->part < b->part ? -1 : 1;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

size_t skm_output_batch_pending(const struct skm_output_batch *batch)
{
	size_t pending = 0;
	for (size_t i = 0; i < batch->count; i++)
		pending += !batch->records[i].is_done;
	return pending;
}

struct filling {
	struct skm_output_batch *batch;
	const struct skm_day_position *end;
	bool is_over;
};

static int add_line(
	void *user, const char *line, size_t len, const struct skm_day_position *at, const struct stat *file)
{
	struct filling *filling = user;
	struct skm_output_batch *batch = filling->batch;
	struct skm_day_position next = *at;
	struct skm_record_facts facts;
	(void)file;
	next.offset += len + 1;
	if (skm_day_position_compare(&next, filling->end) > 0 || batch->count == SKM_BATCH_RECORDS_MAX ||
		batch->text.len >= SKM_BATCH_BYTES_MAX) {
		filling->is_over = true;
		return -ECANCELED;
	}
	if (skm_record_facts_parse(line, len, &facts) < 0) {
		batch->strange++;
		batch->next = next;
		return 0;
	}
	struct skm_output_record *record = &batch->records[batch->count];
	*record = (struct skm_output_record){.offset = batch->text.len, .len = len};
	skm_hex_format(facts.chain_id, sizeof(facts.chain_id), record->id);
	(void)snprintf(record->id + SKM_OUTPUT_CHAIN_LETTERS, sizeof(record->id) - SKM_OUTPUT_CHAIN_LETTERS,
		"-%" PRIu64, facts.sequence);
	int r = skm_bytes_add(&batch->text, line, len);
	if (r < 0)
		return r;
	batch->count++;
	batch->next = next;
	return 0;
}

/* 0, -ENOENT when the file is gone, -errno; "" when less than a tail stands before the place. */
static int read_tail(
	int recordsfd, const struct skm_day_position *place, char ret_tail[SKM_OUTPUT_TAIL_BYTES])
{
	uint8_t bytes[(SKM_OUTPUT_TAIL_BYTES - 1) / 2];
	char name[SKM_DAY_NAME_BYTES];
	ret_tail[0] = '\0';
	if (place->day == 0 || place->offset < sizeof(bytes))
		return 0;
	skm_day_name(place->day, place->part, name);
	SKM_CLEANUP(skm_fd_close)
	int fd = openat(recordsfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0)
		return -errno;
	ssize_t n = pread(fd, bytes, sizeof(bytes), (off_t)(place->offset - sizeof(bytes)));
	if (n < 0)
		return -errno;
	if ((size_t)n == sizeof(bytes))
		skm_hex_format(bytes, sizeof(bytes), ret_tail);
	return 0;
}

static int check_place(int recordsfd, const struct skm_day_position *from, const char *tail)
{
	char found[SKM_OUTPUT_TAIL_BYTES];
	int r = tail[0] ? read_tail(recordsfd, from, found) : -ENOENT;
	/* A file that is gone was deleted after its keeping time. */
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return strcmp(found, tail) == 0 ? 0 : SKM_BATCH_MISFIT;
}

int skm_output_batch_read(int recordsfd, const struct skm_day_position *from, const char *tail,
	const struct skm_day_position *end, struct skm_output_batch *batch)
{
	struct skm_day_position unused;
	struct filling filling = {.batch = batch, .end = end};
	batch->text.len = 0;
	batch->count = batch->strange = 0;
	batch->next = *from;
	if (skm_day_position_compare(from, end) >= 0)
		return 0;
	int r = check_place(recordsfd, from, tail);
	if (r != 0)
		return r;
	r = skm_day_files_read(recordsfd, from, add_line, &filling, &unused);
	if (r < 0 && !filling.is_over)
		return r;
	return read_tail(recordsfd, &batch->next, batch->next_tail);
}
