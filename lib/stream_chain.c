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

/* Where the chain stands, and how many records were told to be lost since the last checkpoint. */
struct position {
	struct skm_chain chain;
	uint64_t lost;
};

struct secrets {
	struct position at;    /* on disk */
	struct position group; /* with the lines that are being stored; scratch while opening */
	struct position line;  /* with the line that was formatted last */
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
	bool has_state;	      /* secrets->at is that of this run */
	int opened;	      /* what opening the file returned for it … */
	bool is_unsettled;    /* … and the lines on disk were not held against it yet */
	bool is_unsealed;     /* begun in this run without a verifier's key; to be told */
	bool is_due_for_sync; /* a checkpoint's state is not on disk yet */
	int write_error;      /* why the state could not be stored last, 0 = it could */
};

static struct secrets *new_secrets(void)
{
	struct secrets *secrets =
		mmap(NULL, sizeof(*secrets), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
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
	skm_stream_chain_set_verifier_key(chain, options->verifier_key);
	/* A boot that is not known is all zeros. */
	(void)!skm_hex_parse(options->boot_id, sizeof(chain->boot_id), chain->boot_id);
	*ret_chain = chain;
	return 0;
}

void skm_stream_chain_set_verifier_key(struct skm_stream_chain *chain, const uint8_t *verifier_key)
{
	chain->has_verifier_key = verifier_key != NULL;
	if (verifier_key)
		memcpy(chain->verifier_key, verifier_key, sizeof(chain->verifier_key));
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

/* The chain that the file holds (secrets->group) is ours from now on. */
static void take_up(struct skm_stream_chain *chain, int opened)
{
	struct skm_chain *at = &chain->secrets->at.chain;
	*at = chain->secrets->group.chain;
	chain->secrets->at.lost = 0;
	skm_hex_format(at->id, sizeof(at->id), chain->id_text);
	chain->has_state = chain->is_unsettled = true;
	chain->opened = opened;
	chain->is_unsealed = opened > 0 && !chain->has_verifier_key;
}

static void count_boot(struct skm_stream_chain *chain)
{
	struct skm_chain *at = &chain->secrets->at.chain;
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
		chain->id_text, chain->secrets->at.chain.sequence, chain->path);
}

/* A chain that begins where there should be one already: its file may be of a run that died before the first
 * record. */
static int judge_new(const struct skm_stream_chain *chain, struct skm_segments *segments,
	struct skm_chain_verdict *verdict)
{
	bool is_damaged = chain->opened == SKM_CHAIN_FILE_DAMAGED;
	bool exists = false;
	int r = skm_stream_tail_exists(segments, &exists);
	if (r < 0 || (!exists && !is_damaged))
		return r;
	verdict->is_broken = true;
	(void)snprintf(verdict->detail, sizeof(verdict->detail), "%.160s %s; a new chain begins here",
		chain->path, is_damaged ? "is damaged" : "was missing, although there are records");
	return 0;
}

/* The lines behind the state. */
static int take_tail(
	struct skm_stream_chain *chain, struct skm_segments *segments, struct skm_chain_verdict *verdict)
{
	struct secrets *secrets = chain->secrets;
	secrets->group = secrets->at;
	int r = skm_stream_tail_take(segments, &secrets->group.chain, verdict);
	if (r == SKM_TAIL_NONE)
		return judge_new(chain, segments, verdict);
	if (r == 0)
		secrets->at = secrets->group;
	return r;
}

/* A run begins on this chain only when its tail was read: until then it is tried again. */
static int settle(struct skm_stream_chain *chain, struct skm_segments *segments, bool is_unchecked,
	bool *ret_is_begun, struct skm_chain_verdict *verdict)
{
	if (!chain->is_unsettled && !is_unchecked)
		return 0;
	int r = take_tail(chain, segments, verdict);
	if (r < 0) {
		(void)snprintf(segments->error, sizeof(segments->error), "cannot read back %.160s: %s",
			segments->folder, strerror(-r));
		return r;
	}
	if (chain->is_unsettled) {
		count_boot(chain);
		*ret_is_begun = true;
	}
	chain->is_unsettled = false;
	return 0;
}

int skm_stream_chain_open(struct skm_stream_chain *chain, struct skm_segments *segments, bool is_unchecked,
	bool *ret_is_begun, struct skm_chain_verdict *verdict)
{
	if (chain->file)
		return settle(chain, segments, is_unchecked, ret_is_begun, verdict);
	struct secrets *secrets = chain->secrets;
	int opened = skm_chain_file_open_with_ops(chain->path,
		chain->has_verifier_key ? chain->verifier_key : NULL, chain->ops, &chain->file,
		&secrets->group.chain);
	if (opened < 0) {
		(void)snprintf(segments->error, sizeof(segments->error), "cannot open %.160s: %s",
			chain->path,
			opened == -EWOULDBLOCK ? "another process writes it" : strerror(-opened));
		return opened;
	}
	/* Of the same chain, what this process knows is newer than the file, or as new. */
	bool is_same = chain->has_state && memcmp(secrets->at.chain.id, secrets->group.chain.id,
						   sizeof(secrets->at.chain.id)) == 0;
	if (!is_same) {
		if (chain->has_state)
			judge_other(chain, verdict);
		take_up(chain, opened);
	}
	return settle(chain, segments, is_unchecked, ret_is_begun, verdict);
}

/* ---- lines ---- */

void skm_stream_chain_begin_group(struct skm_stream_chain *chain)
{
	chain->secrets->group = chain->secrets->at;
}

bool skm_stream_chain_is_due(const struct skm_stream_chain *chain)
{
	const struct skm_chain *group = &chain->secrets->group.chain;
	return group->sequence - group->checkpoint_sequence >= CHECKPOINT_RECORDS - 1;
}

bool skm_stream_chain_is_closed(const struct skm_stream_chain *chain)
{
	const struct skm_chain *group = &chain->secrets->group.chain;
	return group->sequence == group->checkpoint_sequence;
}

/* The time as a reader finds it in the line. */
static void sign(struct skm_stream_chain *chain, struct skm_record *record)
{
	struct skm_chain *at = &chain->secrets->line.chain;
	int64_t usec = record->time.realtime_usec;
	int64_t rest = usec % USEC_PER_MSEC;
	int64_t floor_usec = usec - rest - (rest < 0 ? USEC_PER_MSEC : 0);
	int64_t day = usec / USEC_PER_DAY - (usec % USEC_PER_DAY < 0);
	if (chain->write_error != 0)
		day = at->signing_day;
	skm_checkpoint_sign(at, floor_usec, record->time.boottime_usec, day, &record->checkpoint);
}

/* Depends on what stands before alone, so that a line which is written again is the same. */
static void count_lost(struct position *line, struct skm_record *record)
{
	if (record->event == SKM_EVENT_LOG_RESUMED)
		line->lost += record->count;
	if (record->has_checkpoint) {
		record->checkpoint.lost = line->lost;
		line->lost = 0;
	}
}

size_t skm_stream_chain_format(
	struct skm_stream_chain *chain, struct skm_record *record, char ret_line[SKM_RECORD_LINE_MAX])
{
	struct position *line = &chain->secrets->line;
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	*line = chain->secrets->group;
	record->sequence = line->chain.sequence + 1;
	record->boot_number = line->chain.boot_number;
	memcpy(record->chain_id, chain->id_text, sizeof(record->chain_id));
	skm_hex_format(line->chain.head, sizeof(line->chain.head), record->previous_hash);
	memset(record->mac, '0', sizeof(record->mac) - 1); /* holds the place */
	count_lost(line, record);
	if (record->has_checkpoint)
		sign(chain, record);
	size_t len = skm_record_format(record, ret_line);
	char *place = ret_line + len - MAC_BEFORE_END;
	skm_chain_extend(&line->chain, ret_line, (size_t)(place - ret_line) - strlen(",\"m\":\""), mac);
	skm_hex_format(mac, sizeof(mac), record->mac);
	memcpy(place, record->mac, sizeof(record->mac) - 1);
	return len;
}

void skm_stream_chain_take_line(struct skm_stream_chain *chain)
{
	chain->secrets->group = chain->secrets->line;
}

void skm_stream_chain_keep_group(struct skm_stream_chain *chain)
{
	struct secrets *secrets = chain->secrets;
	if (secrets->group.chain.checkpoint_sequence != secrets->at.chain.checkpoint_sequence)
		chain->is_due_for_sync = true;
	secrets->at = secrets->group;
	chain->write_error = -skm_chain_file_write(chain->file, &secrets->at.chain, chain->is_due_for_sync);
	if (chain->write_error == 0)
		chain->is_due_for_sync = false;
}

bool skm_stream_chain_is_synced(const struct skm_stream_chain *chain)
{
	return chain->has_state && !chain->is_unsettled && !chain->is_due_for_sync && chain->write_error == 0;
}

uint64_t skm_stream_chain_sequence(const struct skm_stream_chain *chain)
{
	return chain->secrets->at.chain.sequence;
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
