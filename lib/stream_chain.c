// SPDX-License-Identifier: Apache-2.0
/* The chain of one stream. Its keys stand in one page of memory of their own: locked where that is allowed,
 * left out of core files, and empty in a forked child (the agent's workers outlive a hang, and need no keys).
 *
 * A state that cannot be stored stops nothing: the lines are on disk, and the next start ratchets over them.
 * Only the daily change of the signing key waits for it, since the new key would be lost with us. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "stream_chain.h"

#define CHECKPOINT_RECORDS 256
#define USEC_PER_MSEC 1000
#define USEC_PER_DAY INT64_C(86400000000)
#define MAC_BEFORE_END (2 * SKM_CHAIN_MAC_BYTES + 3) /* …"}\n */

struct secrets {
	struct skm_chain at;	/* where the chain stands on disk */
	struct skm_chain group; /* with the lines that are being stored; scratch while opening */
};

struct skm_stream_chain {
	const struct skm_chain_file_ops *ops;
	char *path;
	bool has_verifier_key;
	uint8_t verifier_key[32];
	uint8_t boot_id[16];
	struct skm_chain_file *file; /* NULL = not open */
	struct secrets *secrets;
	char id_text[2 * SKM_CHAIN_ID_BYTES + 1];
	bool has_state;		/* secrets->at is that of this run */
	bool is_unsealed;	/* begun in this run without a verifier's key; to be told */
	bool holds_checkpoint;	/* the group does */
	bool is_due_for_sync;	/* a checkpoint's state is not on disk yet */
	int write_error;	/* why the state could not be stored last, 0 = it could */
};

static void parse_boot_id(const char *text, uint8_t ret_boot_id[16])
{
	unsigned byte;
	for (size_t i = 0; i < 16 && text && sscanf(text + 2 * i, "%2x", &byte) == 1; i++)
		ret_boot_id[i] = (uint8_t)byte;
}

static struct secrets *new_secrets(void)
{
	struct secrets *secrets = mmap(
		NULL, sizeof(*secrets), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (secrets == MAP_FAILED)
		return NULL;
	/* Best effort: without the limit or the kernel for it the log is worth more than the lock. */
	(void)mlock(secrets, sizeof(*secrets));
	(void)madvise(secrets, sizeof(*secrets), MADV_DONTDUMP);
	(void)madvise(secrets, sizeof(*secrets), MADV_WIPEONFORK);
	return secrets;
}

int skm_stream_chain_new(const struct skm_stream_chain_options *options, const struct skm_chain_file_ops *ops,
	struct skm_stream_chain **ret_chain)
{
	int r = skm_chain_start();
	if (r < 0)
		return r;
	struct skm_stream_chain *chain = calloc(1, sizeof(*chain));
	if (!chain)
		return -ENOMEM;
	chain->ops = ops;
	chain->path = strdup(options->path);
	chain->secrets = new_secrets();
	if (!chain->path || !chain->secrets) {
		(void)skm_stream_chain_free(chain);
		return -ENOMEM;
	}
	chain->has_verifier_key = options->verifier_key != NULL;
	if (options->verifier_key)
		memcpy(chain->verifier_key, options->verifier_key, sizeof(chain->verifier_key));
	parse_boot_id(options->boot_id, chain->boot_id);
	*ret_chain = chain;
	return 0;
}

struct skm_stream_chain *skm_stream_chain_free(struct skm_stream_chain *chain)
{
	if (!chain)
		return NULL;
	skm_stream_chain_close(chain);
	if (chain->secrets) {
		skm_chain_wipe(chain->secrets, sizeof(*chain->secrets));
		(void)munmap(chain->secrets, sizeof(*chain->secrets));
	}
	free(chain->path);
	free(chain);
	return NULL;
}

void skm_stream_chain_close(struct skm_stream_chain *chain)
{
	chain->file = skm_chain_file_close(chain->file);
}

/* ---- opening ---- */

/* A run begins on the chain that the file holds (secrets->group). */
static void take_up(struct skm_stream_chain *chain)
{
	struct skm_chain *at = &chain->secrets->at;
	*at = chain->secrets->group;
	skm_hex_format(at->id, sizeof(at->id), chain->id_text);
	chain->has_state = true;
}

static void count_boot(struct skm_stream_chain *chain)
{
	struct skm_chain *at = &chain->secrets->at;
	if (at->boot_number > 0 && memcmp(at->boot_id, chain->boot_id, sizeof(at->boot_id)) == 0)
		return;
	at->boot_number++;
	memcpy(at->boot_id, chain->boot_id, sizeof(at->boot_id));
}

/* The file holds another chain than this run has written so far. */
static void judge_other(const struct skm_stream_chain *chain, struct skm_chain_verdict *verdict)
{
	verdict->is_broken = true;
	(void)snprintf(verdict->detail, sizeof(verdict->detail),
		"the chain %s, which had reached record %" PRIu64
		", was replaced in %.96s; another one goes on here",
		chain->id_text, chain->secrets->at.sequence, chain->path);
}

static int judge_new(const struct skm_stream_chain *chain, struct skm_segments *segments, int opened,
	struct skm_chain_verdict *verdict)
{
	bool exists = false;
	int r = skm_stream_tail_exists(segments, &exists);
	if (r < 0 || (!exists && opened == SKM_CHAIN_FILE_NEW))
		return r;
	verdict->is_broken = true;
	(void)snprintf(verdict->detail, sizeof(verdict->detail), "%.160s is %s; a new chain begins here",
		chain->path,
		opened == SKM_CHAIN_FILE_DAMAGED ? "damaged" : "missing, although there are records");
	return 0;
}

/* The lines behind the state. */
static int take_tail(
	struct skm_stream_chain *chain, struct skm_segments *segments, struct skm_chain_verdict *verdict)
{
	struct secrets *secrets = chain->secrets;
	secrets->group = secrets->at;
	int r = skm_stream_tail_take(segments, &secrets->group, verdict);
	if (r == 0)
		secrets->at = secrets->group;
	return r;
}

static int settle(struct skm_stream_chain *chain, struct skm_segments *segments, int opened,
	bool is_unchecked, bool *ret_is_begun, struct skm_chain_verdict *verdict)
{
	struct secrets *secrets = chain->secrets;
	bool is_same = chain->has_state &&
		       memcmp(secrets->at.id, secrets->group.id, sizeof(secrets->at.id)) == 0;
	struct skm_chain_verdict found = {.is_broken = false};
	int r = 0;
	if (is_same) {
		/* What this process knows is newer than the file, or as new. */
		if (is_unchecked)
			r = take_tail(chain, segments, &found);
	} else if (chain->has_state) {
		judge_other(chain, &found);
		take_up(chain);
		r = take_tail(chain, segments, &found);
	} else {
		take_up(chain);
		r = opened > 0 ? judge_new(chain, segments, opened, &found)
			       : take_tail(chain, segments, &found);
		chain->has_state = r == 0;
	}
	if (r < 0)
		return r;
	if (found.is_broken)
		*verdict = found;
	if (!is_same) {
		count_boot(chain);
		chain->is_unsealed = opened > 0 && !chain->has_verifier_key;
	}
	*ret_is_begun = !is_same;
	return 0;
}

int skm_stream_chain_open(struct skm_stream_chain *chain, struct skm_segments *segments, bool is_unchecked,
	bool *ret_is_begun, struct skm_chain_verdict *verdict)
{
	if (chain->file)
		return 0;
	int opened = skm_chain_file_open_with_ops(chain->path,
		chain->has_verifier_key ? chain->verifier_key : NULL, chain->ops, &chain->file,
		&chain->secrets->group);
	if (opened < 0) {
		(void)snprintf(segments->error, sizeof(segments->error), "cannot open %.160s: %s", chain->path,
			opened == -EWOULDBLOCK ? "another process writes it" : strerror(-opened));
		return opened;
	}
	int r = settle(chain, segments, opened, is_unchecked, ret_is_begun, verdict);
	if (r < 0) {
		(void)snprintf(segments->error, sizeof(segments->error), "cannot read back %.160s: %s",
			segments->folder, strerror(-r));
		skm_stream_chain_close(chain);
	}
	return r;
}

/* ---- lines ---- */

void skm_stream_chain_begin_group(struct skm_stream_chain *chain)
{
	chain->secrets->group = chain->secrets->at;
	chain->holds_checkpoint = false;
}

bool skm_stream_chain_is_due(const struct skm_stream_chain *chain)
{
	const struct skm_chain *group = &chain->secrets->group;
	return group->sequence - group->checkpoint_sequence >= CHECKPOINT_RECORDS - 1;
}

/* The time as a reader finds it in the line. */
static void sign(struct skm_stream_chain *chain, struct skm_record *record)
{
	struct skm_chain *group = &chain->secrets->group;
	int64_t usec = record->time.realtime_usec;
	int64_t rest = usec % USEC_PER_MSEC;
	int64_t floor_usec = usec - rest - (rest < 0 ? USEC_PER_MSEC : 0);
	int64_t day = usec / USEC_PER_DAY - (usec % USEC_PER_DAY < 0);
	if (chain->write_error != 0)
		day = group->signing_day;
	skm_checkpoint_sign(
		group, floor_usec, record->time.boottime_usec, day, &record->checkpoint);
	chain->holds_checkpoint = true;
}

size_t skm_stream_chain_format(
	struct skm_stream_chain *chain, struct skm_record *record, char ret_line[SKM_RECORD_LINE_MAX])
{
	struct skm_chain *group = &chain->secrets->group;
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	record->sequence = group->sequence + 1;
	record->boot_number = group->boot_number;
	memcpy(record->chain_id, chain->id_text, sizeof(record->chain_id));
	skm_hex_format(group->head, sizeof(group->head), record->previous_hash);
	memset(record->mac, '0', sizeof(record->mac) - 1); /* holds the place */
	if (record->has_checkpoint)
		sign(chain, record);
	size_t len = skm_record_format(record, ret_line);
	char *place = ret_line + len - MAC_BEFORE_END;
	skm_chain_extend(group, ret_line, (size_t)(place - ret_line) - strlen(",\"m\":\""), mac);
	skm_hex_format(mac, sizeof(mac), record->mac);
	memcpy(place, record->mac, sizeof(record->mac) - 1);
	return len;
}

void skm_stream_chain_keep_group(struct skm_stream_chain *chain)
{
	chain->secrets->at = chain->secrets->group;
	chain->is_due_for_sync |= chain->holds_checkpoint;
	chain->write_error = -skm_chain_file_write(chain->file, &chain->secrets->at, chain->is_due_for_sync);
	if (chain->write_error == 0)
		chain->is_due_for_sync = false;
}

uint64_t skm_stream_chain_sequence(const struct skm_stream_chain *chain)
{
	return chain->secrets->at.sequence;
}

void skm_stream_chain_describe(struct skm_stream_chain *chain, char *text, size_t size)
{
	if (chain->write_error != 0)
		(void)snprintf(text, size, "the state of the chain cannot be stored: %s",
			strerror(chain->write_error));
	else
		(void)snprintf(text, size, "%s",
			chain->is_unsealed ? "this chain began without a verifier's key: its codes can be "
					     "checked by nobody"
					   : "");
	chain->is_unsealed = false;
}
