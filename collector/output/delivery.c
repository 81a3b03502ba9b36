// SPDX-License-Identifier: Apache-2.0
/* The order that makes it lossless: read what the store vouches for → send → confirmed → move the position
 * (synced). A kill at any point sends at most one batch twice, under the same identities.
 *
 * rsyslog (imfile with omkafka, omelasticsearch) was to do this and was rejected: imfile's place moves when a
 * message is submitted, not when the far side has it; a queue in between acknowledges from memory or reorders
 * when it spills; and a retry without end in the same rsyslogd would stop the reception. A process of its own
 * can be down, killed or years behind, and the path from the terminals to the disk does not notice. */
#include "delivery.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../store/ledger.h"
#include "../store/snapshot.h"
#include "sekimori/log.h"

struct skm_delivery {
	struct skm_delivery_options options;
	int recordsfd, statefd, storefd;
	struct skm_output_state state;
	struct skm_output_batch batch;
	bool has_batch;		     /* some of it is not sent yet */
	struct skm_day_position end; /* as of the saved state below */
	struct stat saved;	     /* the store's state file when `end` was read */
	bool is_changed;	     /* the state is not on disk */
};

/* ---- what the store vouches for ---- */

static int read_end(int storefd, struct skm_day_position *ret_end)
{
	static const struct skm_ledger_options none = {.known = NULL};
	struct skm_ledger *ledger = NULL;
	struct skm_day_position end = {.day = 0};
	int r = skm_ledger_new(&none, &ledger);
	if (r == 0)
		r = skm_snapshot_load(storefd, ledger, &end);
	(void)skm_ledger_free(ledger);
	if (r < 0)
		return r;
	/* Missing or damaged: the store makes it again from the files. */
	if (r > 0 || end.day == 0)
		return 1;
	*ret_end = end;
	return 0;
}

static int open_folder(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int skm_delivery_stored_end(const char *store_folder, struct skm_day_position *ret_end)
{
	SKM_CLEANUP(skm_fd_close) int storefd = open_folder(AT_FDCWD, store_folder);
	return storefd < 0 ? storefd : read_end(storefd, ret_end);
}

static void close_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* What of the file lies between the two places. */
static uint64_t bytes_between(const struct skm_day_position *file, uint64_t size,
	const struct skm_day_position *from, const struct skm_day_position *end)
{
	struct skm_day_position begin = {.day = file->day, .part = file->part};
	struct skm_day_position last = {.day = file->day, .part = file->part, .offset = size};
	if (skm_day_position_compare(&begin, from) < 0)
		begin = *from;
	if (skm_day_position_compare(&last, end) > 0)
		last = *end;
	/* Both are in this file, or it lies outside. */
	return begin.day == last.day && begin.part == last.part && begin.offset < last.offset
		       ? last.offset - begin.offset
		       : 0;
}

int skm_delivery_behind(const char *store_folder, const struct skm_day_position *from,
	const struct skm_day_position *end, uint64_t *ret_bytes)
{
	uint64_t bytes = 0;
	SKM_CLEANUP(skm_fd_close) int storefd = open_folder(AT_FDCWD, store_folder);
	int recordsfd = storefd < 0 ? storefd : open_folder(storefd, "records");
	if (recordsfd < 0)
		return recordsfd;
	SKM_CLEANUP(close_dir) DIR *dir = fdopendir(recordsfd);
	if (!dir) {
		int r = -errno;
		(void)close(recordsfd);
		return r;
	}
	for (;;) {
		struct skm_day_position file = {.offset = 0};
		struct stat st;
		errno = 0;
		const struct dirent *entry = readdir(dir); // NOLINT(concurrency-mt-unsafe)
		if (!entry)
			break;
		if (skm_day_parse(entry->d_name, &file.day, &file.part) == 0 &&
			fstatat(recordsfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			bytes += bytes_between(&file, (uint64_t)st.st_size, from, end);
	}
	if (errno != 0)
		return -errno;
	*ret_bytes = bytes;
	return 0;
}

/* Only when the store has saved its state anew: a fleet's is a hundred megabytes. 1: there is none. */
static int refresh_end(struct skm_delivery *delivery)
{
	struct stat st;
	struct skm_day_position end = {.day = 0};
	if (fstatat(delivery->storefd, SKM_SNAPSHOT_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 1 : -errno;
	const struct stat *saved = &delivery->saved;
	if (st.st_ino == saved->st_ino && st.st_mtim.tv_sec == saved->st_mtim.tv_sec &&
		st.st_mtim.tv_nsec == saved->st_mtim.tv_nsec)
		return 0;
	int r = read_end(delivery->storefd, &end);
	if (r != 0)
		return r;
	delivery->end = end;
	delivery->saved = st;
	return 0;
}

/* ---- one output ---- */

static int begin(struct skm_delivery *delivery)
{
	char target[SKM_OUTPUT_TARGET_BYTES];
	skm_output_settings_target(delivery->options.settings, target);
	int r = skm_output_state_load(delivery->statefd, delivery->options.settings->kind, &delivery->state);
	if (r < 0)
		return r;
	if (r == 0 && strcmp(delivery->state.target, target) == 0)
		return 0;
	int outcome = r == 0			      ? SKM_DELIVERY_OTHER_TARGET
		      : r == SKM_OUTPUT_STATE_DAMAGED ? SKM_DELIVERY_DAMAGED
						      : 0;
	delivery->state = (struct skm_output_state){.trouble_sec = 0};
	memcpy(delivery->state.target, target, sizeof(target));
	return outcome;
}

int skm_delivery_open(const struct skm_delivery_options *options, struct skm_delivery **ret_delivery)
{
	struct skm_delivery *delivery = calloc(1, sizeof(*delivery));
	if (!delivery)
		return -ENOMEM;
	*delivery = (struct skm_delivery){.options = *options, .recordsfd = -1, .statefd = -1, .storefd = -1};
	int r = skm_output_batch_init(&delivery->batch);
	if (r == 0)
		r = delivery->storefd = open_folder(AT_FDCWD, options->store_folder);
	if (r >= 0)
		r = delivery->statefd = open_folder(AT_FDCWD, options->state_folder);
	if (r >= 0)
		r = begin(delivery);
	if (r < 0) {
		(void)skm_delivery_close(delivery);
		return r;
	}
	*ret_delivery = delivery;
	return r;
}

static int save(struct skm_delivery *delivery)
{
	int r = skm_output_state_save(delivery->statefd, delivery->options.settings->kind, &delivery->state);
	if (r == 0)
		delivery->is_changed = false;
	return r;
}

struct skm_delivery *skm_delivery_close(struct skm_delivery *delivery)
{
	if (!delivery)
		return NULL;
	if (delivery->is_changed)
		(void)save(delivery);
	skm_output_batch_free(&delivery->batch);
	skm_fd_close(&delivery->recordsfd);
	skm_fd_close(&delivery->statefd);
	skm_fd_close(&delivery->storefd);
	free(delivery);
	return NULL;
}

const struct skm_output_state *skm_delivery_state(const struct skm_delivery *delivery)
{
	return &delivery->state;
}

void skm_delivery_tell(struct skm_delivery *delivery, const char *trouble)
{
	struct skm_output_state *state = &delivery->state;
	char text[SKM_OUTPUT_TROUBLE_BYTES];
	(void)snprintf(text, sizeof(text), "%s", trouble);
	if (state->trouble_sec != 0 && strcmp(state->trouble, text) == 0)
		return;
	if (state->trouble_sec == 0)
		state->trouble_sec = delivery->options.now_sec(delivery->options.user);
	memcpy(state->trouble, text, sizeof(text));
	skm_log(SKM_SEVERITY_WARNING, "records do not go out: %s", text);
	/* So that "status" knows of it. The position in it is the old one. */
	delivery->is_changed = true;
	if (save(delivery) < 0)
		skm_log(SKM_SEVERITY_WARNING, "cannot save the state of the output");
}

static void clear_trouble(struct skm_delivery *delivery)
{
	if (delivery->state.trouble_sec != 0)
		skm_log(SKM_SEVERITY_NOTICE, "records go out again");
	delivery->state.trouble_sec = 0;
	delivery->state.trouble[0] = '\0';
}

static bool is_stopping(void *user)
{
	const struct skm_delivery *delivery = user;
	return delivery->options.is_stopping(delivery->options.user);
}

static void tell(void *user, const char *trouble)
{
	skm_delivery_tell(user, trouble);
}

/* The day files have what the other side takes in no form. */
static size_t count_left_out(const struct skm_output_batch *batch)
{
	const struct skm_output_record *first = NULL;
	size_t count = 0;
	for (size_t i = batch->count; i-- > 0;) {
		if (batch->records[i].is_left_out) {
			first = &batch->records[i];
			count++;
		}
	}
	if (first)
		skm_log(SKM_SEVERITY_WARNING,
			"%zu records were refused in every form and left out, the first is %s", count,
			first->id);
	return count;
}

/* All of the batch is there: the position moves. */
static int settle(struct skm_delivery *delivery)
{
	struct skm_output_state *state = &delivery->state;
	size_t left_out = count_left_out(&delivery->batch);
	if (delivery->batch.strange > 0)
		skm_log(SKM_SEVERITY_WARNING, "%zu lines of the day files are no records and were left out",
			delivery->batch.strange);
	state->sent = delivery->batch.next;
	memcpy(state->tail, delivery->batch.next_tail, sizeof(state->tail));
	state->records += delivery->batch.count - left_out;
	state->strange += delivery->batch.strange + left_out;
	state->sent_sec = delivery->options.now_sec(delivery->options.user);
	delivery->has_batch = false;
	delivery->is_changed = true;
	clear_trouble(delivery);
	return save(delivery);
}

/* 0: there is a batch. */
static int fill(struct skm_delivery *delivery)
{
	int r = refresh_end(delivery);
	if (r != 0)
		return r < 0 ? r : SKM_DELIVERY_IDLE;
	if (skm_day_position_compare(&delivery->state.sent, &delivery->end) >= 0)
		return SKM_DELIVERY_IDLE;
	/* Opened for each: a folder that was restored from a copy is another one. */
	skm_fd_close(&delivery->recordsfd);
	delivery->recordsfd = open_folder(delivery->storefd, "records");
	if (delivery->recordsfd < 0)
		return delivery->recordsfd;
	r = skm_output_batch_read(delivery->recordsfd, &delivery->state.sent, delivery->state.tail,
		&delivery->end, &delivery->batch);
	if (r != 0)
		return r == SKM_BATCH_MISFIT ? SKM_DELIVERY_MISFIT : r;
	if (delivery->batch.count == 0 && delivery->batch.strange == 0)
		return SKM_DELIVERY_IDLE;
	delivery->has_batch = true;
	return 0;
}

int skm_delivery_step(struct skm_delivery *delivery)
{
	const struct skm_sink_host host = {.is_stopping = is_stopping, .tell = tell, .user = delivery};
	const struct skm_sink *sink = &delivery->options.sink;
	if (!delivery->has_batch) {
		int r = fill(delivery);
		if (r != 0)
			return r;
	}
	size_t before = skm_output_batch_pending(&delivery->batch);
	int r = before > 0 ? sink->send(sink->state, &delivery->batch, &host) : 0;
	if (r < 0)
		return r;
	size_t after = skm_output_batch_pending(&delivery->batch);
	if (after == 0)
		return settle(delivery);
	return r == SKM_SINK_AGAIN || after == before ? SKM_DELIVERY_AGAIN : 0;
}
