// SPDX-License-Identifier: Apache-2.0
/* The chains in a table of chained buckets, and the undo list that makes a failed write harmless: a record is
 * judged before it is on disk, since the judgement says where it goes, and forgotten again when it did not
 * get there. Judging after the write was rejected: a fork would then stand among the records. */
#include "ledger.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gap_list.h"

struct node {
	struct node *next; /* in the bucket */
	struct skm_chain_entry entry;
};

struct undo {
	struct node *node;
	bool is_new;
	struct skm_chain_entry before;
};

struct skm_ledger {
	struct skm_ledger_options options;
	struct node **buckets;
	size_t bucket_count; /* a power of two */
	struct node **order;
	size_t count, order_size;
	struct undo *undo;
	size_t undo_count, undo_size;
};

#define BUCKETS_MIN 1024

static const char *const notice_words[SKM_NOTICE_COUNT_] = {
	[SKM_NOTICE_BEGIN] = "BEGIN",
	[SKM_NOTICE_RESTART] = "RESTART",
	[SKM_NOTICE_GAP] = "GAP",
	[SKM_NOTICE_FILLED] = "FILLED",
	[SKM_NOTICE_EDIT] = "EDIT",
	[SKM_NOTICE_FORK] = "FORK",
	[SKM_NOTICE_FOREIGN] = "FOREIGN",
	[SKM_NOTICE_MISMATCH] = "MISMATCH",
	[SKM_NOTICE_DROP] = "DROP",
	[SKM_NOTICE_SILENT] = "SILENT",
	[SKM_NOTICE_STOPPED] = "STOPPED",
	[SKM_NOTICE_HEARD] = "HEARD",
	[SKM_NOTICE_DISK] = "DISK",
};

const char *skm_notice_to_string(enum skm_notice_kind kind)
{
	return (unsigned)kind < SKM_NOTICE_COUNT_ ? notice_words[kind] : "UNKNOWN";
}

/* ---- the table ---- */

int skm_ledger_new(const struct skm_ledger_options *options, struct skm_ledger **ret_ledger)
{
	struct skm_ledger *ledger = calloc(1, sizeof(*ledger));
	if (!ledger)
		return -ENOMEM;
	ledger->options = *options;
	ledger->bucket_count = BUCKETS_MIN;
	ledger->buckets = calloc(ledger->bucket_count, sizeof(struct node *));
	if (!ledger->buckets) {
		free(ledger);
		return -ENOMEM;
	}
	*ret_ledger = ledger;
	return 0;
}

struct skm_ledger *skm_ledger_free(struct skm_ledger *ledger)
{
	if (!ledger)
		return NULL;
	for (size_t i = 0; i < ledger->count; i++)
		free(ledger->order[i]);
	free(ledger->order);
	free(ledger->buckets);
	free(ledger->undo);
	free(ledger);
	return NULL;
}

/* A chain's id is random, but a stranger may choose one: the worst he can do is a long list, within the limit
 * of chains. */
static size_t bucket_of(const struct skm_ledger *ledger, const uint8_t id[SKM_CHAIN_ID_BYTES])
{
	uint64_t word;
	memcpy(&word, id, sizeof(word));
	return (size_t)((word * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (ledger->bucket_count - 1);
}

static struct node *find(const struct skm_ledger *ledger, const uint8_t id[SKM_CHAIN_ID_BYTES])
{
	struct node *node = ledger->buckets[bucket_of(ledger, id)];
	while (node && memcmp(node->entry.id, id, SKM_CHAIN_ID_BYTES) != 0)
		node = node->next;
	return node;
}

static void link_node(struct skm_ledger *ledger, struct node *node)
{
	struct node **bucket = &ledger->buckets[bucket_of(ledger, node->entry.id)];
	node->next = *bucket;
	*bucket = node;
}

/* More buckets than chains keep the lists short; when there is no memory for that they grow longer. */
static void spread(struct skm_ledger *ledger)
{
	if (ledger->count < ledger->bucket_count)
		return;
	struct node **buckets = calloc(ledger->bucket_count * 2, sizeof(struct node *));
	if (!buckets)
		return;
	free(ledger->buckets);
	ledger->buckets = buckets;
	ledger->bucket_count *= 2;
	for (size_t i = 0; i < ledger->count; i++)
		link_node(ledger, ledger->order[i]);
}

static struct node *add(struct skm_ledger *ledger, const struct skm_chain_entry *entry)
{
	if (ledger->count == ledger->order_size) {
		size_t size = ledger->order_size ? ledger->order_size * 2 : 64;
		struct node **order = reallocarray(ledger->order, size, sizeof(struct node *));
		if (!order)
			return NULL;
		ledger->order = order;
		ledger->order_size = size;
	}
	struct node *node = calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	node->entry = *entry;
	ledger->order[ledger->count++] = node;
	link_node(ledger, node);
	spread(ledger);
	return node;
}

static void remove_newest(struct skm_ledger *ledger)
{
	struct node *node = ledger->order[--ledger->count];
	struct node **at = &ledger->buckets[bucket_of(ledger, node->entry.id)];
	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	free(node);
}

/* ---- undo ---- */

static bool remember(struct skm_ledger *ledger, struct node *node, bool is_new)
{
	/* A message is mostly of one chain: what it was before the message is remembered already. */
	for (size_t i = ledger->undo_count; i > 0 && ledger->undo_count - i < 4; i--) {
		if (ledger->undo[i - 1].node == node)
			return true;
	}
	if (ledger->undo_count == ledger->undo_size) {
		size_t size = ledger->undo_size ? ledger->undo_size * 2 : 16;
		struct undo *undo = reallocarray(ledger->undo, size, sizeof(*undo));
		if (!undo)
			return false;
		ledger->undo = undo;
		ledger->undo_size = size;
	}
	ledger->undo[ledger->undo_count++] =
		(struct undo){.node = node, .is_new = is_new, .before = node->entry};
	return true;
}

void skm_ledger_keep(struct skm_ledger *ledger)
{
	ledger->undo_count = 0;
}

void skm_ledger_undo(struct skm_ledger *ledger)
{
	while (ledger->undo_count > 0) {
		struct undo *undo = &ledger->undo[--ledger->undo_count];
		undo->node->entry = undo->before;
		/* New ones were appended in this order, so each is the newest when its turn comes. */
		if (undo->is_new)
			remove_newest(ledger);
	}
}

/* ---- judging ---- */

SKM_PRINTF(6, 7)
static void tell(const struct skm_ledger *ledger, const struct skm_chain_entry *entry,
	enum skm_notice_kind kind, uint64_t first, uint64_t last, const char *format, ...)
{
	struct skm_notice notice = {.kind = kind, .first = first, .last = last};
	if (!ledger->options.notice)
		return;
	memcpy(notice.chain_id, entry->id, sizeof(notice.chain_id));
	memcpy(notice.terminal, entry->terminal, sizeof(notice.terminal));
	memcpy(notice.stream, entry->stream, sizeof(notice.stream));
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(notice.text, sizeof(notice.text), format, arguments);
	va_end(arguments);
	ledger->options.notice(ledger->options.user, &notice);
}

static bool is_print_of(const uint8_t print[SKM_LEDGER_PRINT_BYTES], const uint8_t *hash)
{
	return memcmp(print, hash, SKM_LEDGER_PRINT_BYTES) == 0;
}

static bool look_up(const struct skm_ledger *ledger, const struct skm_chain_entry *entry, uint64_t sequence,
	uint8_t ret_print[SKM_LEDGER_PRINT_BYTES])
{
	if (sequence == 0) {
		uint8_t first[SKM_CHAIN_HASH_BYTES];
		skm_chain_hash_first(entry->id, first);
		memcpy(ret_print, first, SKM_LEDGER_PRINT_BYTES);
		return true;
	}
	if (sequence == entry->sequence) {
		memcpy(ret_print, entry->head, SKM_LEDGER_PRINT_BYTES);
		return true;
	}
	return ledger->options.known &&
	       ledger->options.known(ledger->options.user, entry->id, sequence, ret_print);
}

/* The newest chain of a terminal for a stream, other than `besides`. */
static struct node *find_named(
	const struct skm_ledger *ledger, const char *terminal, const char *stream, const struct node *besides)
{
	for (size_t i = ledger->count; i > 0; i--) {
		struct node *node = ledger->order[i - 1];
		if (node != besides && strcmp(node->entry.terminal, terminal) == 0 &&
			strcmp(node->entry.stream, stream) == 0)
			return node;
	}
	return NULL;
}

static void name_entry(struct skm_ledger *ledger, struct node *node, const char *terminal)
{
	struct skm_chain_entry *entry = &node->entry;
	(void)snprintf(entry->terminal, sizeof(entry->terminal), "%s", terminal);
	struct node *before = find_named(ledger, entry->terminal, entry->stream, node);
	if (before && !before->entry.is_ended && remember(ledger, before, false)) {
		before->entry.is_ended = true;
		tell(ledger, entry, SKM_NOTICE_RESTART, 0, 0,
			"began another chain; the one before ended at number %" PRIu64,
			before->entry.sequence);
	}
}

static struct node *begin_chain(
	struct skm_ledger *ledger, const struct skm_record_facts *facts, const struct skm_arrival *arrival)
{
	struct skm_chain_entry entry = {.first_heard_sec = arrival->heard_sec};
	memcpy(entry.id, facts->chain_id, sizeof(entry.id));
	memcpy(entry.stream, facts->stream, sizeof(entry.stream));
	skm_chain_hash_first(entry.id, entry.head);
	struct node *node = add(ledger, &entry);
	if (!node)
		return NULL;
	if (!remember(ledger, node, true)) {
		remove_newest(ledger);
		return NULL;
	}
	/* Read back from disk, a record has no envelope; then what it says itself has to do. */
	const char *terminal = arrival->terminal[0] ? arrival->terminal : facts->terminal;
	if (terminal[0])
		name_entry(ledger, node, terminal);
	tell(ledger, &node->entry, SKM_NOTICE_BEGIN, facts->sequence, 0, "heard for the first time");
	return node;
}

static void take_newest(
	const struct skm_ledger *ledger, struct skm_chain_entry *entry, const struct skm_record_facts *facts)
{
	bool continues = memcmp(facts->previous_hash, entry->head, sizeof(entry->head)) == 0;
	if (facts->sequence > entry->sequence + 1) {
		uint64_t first = entry->sequence + 1, last = facts->sequence - 1;
		tell(ledger, entry, SKM_NOTICE_GAP, first, last, "%" PRIu64 " records are missing",
			last - first + 1);
		skm_gaps_add(entry, first, last, facts->previous_hash);
	} else if (!continues) {
		entry->breaks++;
		tell(ledger, entry, SKM_NOTICE_EDIT, facts->sequence - 1, facts->sequence,
			"record %" PRIu64
			" does not continue from the stored record before it: one of the two "
			"was changed, or the chain was rolled back",
			facts->sequence);
	}
	entry->sequence = facts->sequence;
	memcpy(entry->head, facts->hash, sizeof(entry->head));
}

static void take_late(
	const struct skm_ledger *ledger, struct skm_chain_entry *entry, const struct skm_record_facts *facts)
{
	uint8_t print[SKM_LEDGER_PRINT_BYTES], expected[SKM_CHAIN_HASH_BYTES];
	bool continues = !look_up(ledger, entry, facts->sequence - 1, print) ||
			 is_print_of(print, facts->previous_hash);
	uint64_t missing = skm_chain_entry_missing(entry);
	if (skm_gaps_fill(entry, facts->sequence, facts->previous_hash, expected) &&
		memcmp(expected, facts->hash, sizeof(expected)) != 0)
		continues = false;
	if (!continues) {
		entry->breaks++;
		tell(ledger, entry, SKM_NOTICE_EDIT, facts->sequence, facts->sequence,
			"record %" PRIu64 " came late and does not fit its neighbours", facts->sequence);
	}
	if (missing > 0 && skm_chain_entry_missing(entry) == 0)
		tell(ledger, entry, SKM_NOTICE_FILLED, facts->sequence, facts->sequence,
			"no record is missing any more");
}

/* AGENT_STOP is followed by a checkpoint "stop", perhaps with others in between (a segment ends): the reason
 * holds until the agent starts again. A terminal that was offline meanwhile tells of both at once; then its
 * own clock has to say how long it was. */
static void learn_stop(
	const struct skm_ledger *ledger, struct skm_chain_entry *entry, const struct skm_record_facts *facts)
{
	entry->is_stopped = facts->event == SKM_EVENT_AGENT_STOP || strcmp(facts->reason, "stop") == 0;
	if (facts->event == SKM_EVENT_AGENT_STOP) {
		entry->stop = (uint8_t)facts->stop;
		entry->stop_msec = facts->time_msec;
	}
	if (facts->event != SKM_EVENT_AGENT_START)
		return;
	int64_t stopped_sec = entry->stop_msec ? (facts->time_msec - entry->stop_msec) / 1000 : 0;
	if (entry->stop != SKM_STOP_SHUTDOWN && stopped_sec > ledger->options.stop_grace_sec &&
		!entry->is_stop_told)
		tell(ledger, entry, SKM_NOTICE_STOPPED, facts->sequence, 0,
			"the agent was stopped for %" PRId64
			" minutes, and not because the terminal shut down",
			stopped_sec / 60);
	entry->stop = SKM_STOP_UNKNOWN;
	entry->stop_msec = 0;
	entry->is_stop_told = false;
}

static void learn(const struct skm_ledger *ledger, struct skm_chain_entry *entry,
	const struct skm_record_facts *facts, const struct skm_arrival *arrival)
{
	entry->time_msec = facts->time_msec;
	entry->delay_msec = arrival->heard_sec * 1000 - facts->time_msec;
	entry->offset_usec = facts->offset_usec;
	entry->is_synchronised = facts->is_synchronised;
	learn_stop(ledger, entry, facts);
	if (facts->event == SKM_EVENT_MFA_LOGIN_ON || facts->event == SKM_EVENT_MFA_LOGIN_OFF)
		entry->factor_rule = facts->event == SKM_EVENT_MFA_LOGIN_ON ? SKM_FACTOR_REQUIRED
									    : SKM_FACTOR_NOT_REQUIRED;
	if (facts->event == SKM_EVENT_AUDIT_MODE)
		entry->gate = SKM_GATE_AUDIT;
	else if (facts->event == SKM_EVENT_CONTROLLER_OPEN && facts->outcome == SKM_OUTCOME_ERROR)
		entry->gate = SKM_GATE_OPEN;
	else if (facts->event == SKM_EVENT_AGENT_START || facts->event == SKM_EVENT_CONTROLLER_CLOSED ||
		 facts->event == SKM_EVENT_CONTROLLER_OPEN)
		entry->gate = SKM_GATE_CLOSED;
	if (facts->event == SKM_EVENT_AUTH_OK || facts->event == SKM_EVENT_AUTH_FAIL ||
		facts->event == SKM_EVENT_SUBSTITUTE_USED)
		entry->factor_sec = facts->time_msec / 1000;
	if (facts->lost > 0) {
		entry->lost += facts->lost;
		tell(ledger, entry, SKM_NOTICE_DROP, facts->sequence, facts->sequence,
			"the terminal could not store %" PRIu64 " of its records", facts->lost);
	}
}

/* The index is ahead of a state that was lost or is older: that it knows the number does not say that the
 * state does. */
static bool is_refill(const struct skm_chain_entry *entry, const struct skm_arrival *arrival)
{
	return arrival->is_read_back && skm_chain_entry_missing(entry) > 0;
}

static enum skm_judgement judge(const struct skm_ledger *ledger, struct skm_chain_entry *entry,
	const struct skm_record_facts *facts, const struct skm_arrival *arrival)
{
	uint8_t print[SKM_LEDGER_PRINT_BYTES];
	if (facts->sequence > entry->sequence) {
		if (entry->is_ended) {
			entry->is_ended = false;
			tell(ledger, entry, SKM_NOTICE_MISMATCH, facts->sequence, facts->sequence,
				"goes on, although another chain had begun under the same name: two machines "
				"with one number");
		}
		take_newest(ledger, entry, facts);
		entry->moved_sec = arrival->heard_sec;
		if (entry->is_silent) {
			entry->is_silent = false;
			tell(ledger, entry, SKM_NOTICE_HEARD, 0, 0, "heard again");
		}
		learn(ledger, entry, facts, arrival);
	} else if (is_refill(entry, arrival) || !look_up(ledger, entry, facts->sequence, print)) {
		take_late(ledger, entry, facts);
	} else if (is_print_of(print, facts->hash)) {
		entry->duplicates++;
		return SKM_JUDGED_DROP;
	} else {
		/* Told once for each time that the branch is taken up: a rolled back terminal sends
		 * thousands. */
		if (entry->forks++ == 0)
			tell(ledger, entry, SKM_NOTICE_FORK, facts->sequence, facts->sequence,
				"another record %" PRIu64 " than the one stored: rolled back, copied, or two "
				"terminals with one key",
				facts->sequence);
		return SKM_JUDGED_FORK;
	}
	entry->records++;
	return SKM_JUDGED_STORE;
}

static void hear(struct skm_ledger *ledger, struct node *node, const struct skm_arrival *arrival)
{
	struct skm_chain_entry *entry = &node->entry;
	entry->heard_sec = arrival->heard_sec;
	if (arrival->address[0])
		(void)snprintf(entry->address, sizeof(entry->address), "%s", arrival->address);
	if (!arrival->terminal[0] || strcmp(entry->terminal, arrival->terminal) == 0)
		return;
	if (entry->terminal[0])
		tell(ledger, entry, SKM_NOTICE_MISMATCH, 0, 0, "now comes under the name %s",
			arrival->terminal);
	name_entry(ledger, node, arrival->terminal);
}

int skm_ledger_take(struct skm_ledger *ledger, const struct skm_record_facts *facts,
	const struct skm_arrival *arrival, enum skm_judgement *ret_judgement)
{
	struct node *node = find(ledger, facts->chain_id);
	if (node && strcmp(node->entry.stream, facts->stream) != 0) {
		tell(ledger, &node->entry, SKM_NOTICE_MISMATCH, facts->sequence, facts->sequence,
			"a record of this chain says it is of stream %s", facts->stream);
		*ret_judgement = SKM_JUDGED_ASIDE;
		return 0;
	}
	if (!node && ledger->count >= SKM_LEDGER_CHAINS_MAX) {
		/* Somebody makes chains up. Refusing to answer would stop everybody else. */
		*ret_judgement = SKM_JUDGED_ASIDE;
		return 0;
	}
	if (!node)
		node = begin_chain(ledger, facts, arrival);
	else if (!remember(ledger, node, false))
		return -ENOMEM;
	if (!node)
		return -ENOMEM;
	hear(ledger, node, arrival);
	*ret_judgement = judge(ledger, &node->entry, facts, arrival);
	return 0;
}

/* ---- watching ---- */

static bool is_late(
	const struct skm_chain_entry *entry, int64_t now_sec, int64_t since_sec, int64_t limit_sec)
{
	int64_t moved = entry->moved_sec > since_sec ? entry->moved_sec : since_sec;
	return now_sec - moved > limit_sec;
}

void skm_ledger_not_after(struct skm_ledger *ledger, int64_t now_sec)
{
	for (size_t i = 0; i < ledger->count; i++) {
		struct skm_chain_entry *entry = &ledger->order[i]->entry;
		if (entry->moved_sec > now_sec)
			entry->moved_sec = now_sec;
		if (entry->alive_sec > now_sec)
			entry->alive_sec = now_sec;
	}
}

bool skm_ledger_alive(struct skm_ledger *ledger, const char *terminal, const char *stream, int64_t now_sec)
{
	struct node *node = find_named(ledger, terminal, stream, NULL);
	if (node && now_sec > node->entry.alive_sec)
		node->entry.alive_sec = now_sec;
	return node != NULL;
}

/* The second factor's service writes only when somebody logs in, so its stream has no beat of its own; but
 * when it writes, the agent beside it should have been heard too. */
static void watch_beside(struct skm_ledger *ledger, const struct node *node, int64_t now_sec,
	int64_t since_sec, int64_t limit_sec)
{
	const struct skm_chain_entry *beside = &node->entry;
	if (beside->moved_sec <= since_sec || !is_late(beside, now_sec, since_sec, limit_sec))
		return;
	struct node *agent = find_named(ledger, beside->terminal, "agent", node);
	if (!agent || agent->entry.is_silent || !agent->entry.is_stopped ||
		beside->moved_sec - agent->entry.moved_sec <= limit_sec)
		return;
	agent->entry.is_silent = true;
	tell(ledger, &agent->entry, SKM_NOTICE_SILENT, 0, 0,
		"records of stream %s arrive, but none of the agent, which had stopped", beside->stream);
}

bool skm_chain_entry_is_stopped_by_hand(const struct skm_chain_entry *entry)
{
	return entry->is_stopped && strcmp(entry->stream, "agent") == 0 && entry->stop != SKM_STOP_SHUTDOWN;
}

/* What a stop that was announced is worth. The words of a stopped agent may be root's, who can write any
 * record; so "shutdown" is believed as long as nothing else is heard from the machine. */
static void watch_stopped(
	struct skm_ledger *ledger, struct skm_chain_entry *entry, int64_t now_sec, int64_t since_sec)
{
	if (skm_chain_entry_is_stopped_by_hand(entry)) {
		if (entry->is_stop_told ||
			!is_late(entry, now_sec, since_sec, ledger->options.stop_grace_sec))
			return;
		entry->is_stop_told = true;
		tell(ledger, entry, SKM_NOTICE_STOPPED, entry->sequence, 0,
			"the agent %s and was not started again; the terminal did not shut down",
			entry->stop == SKM_STOP_ERROR ? "ended by an error" : "was stopped");
	} else if (entry->alive_sec > entry->moved_sec) {
		entry->is_silent = true;
		tell(ledger, entry, SKM_NOTICE_SILENT, 0, 0,
			"the terminal is on, but its agent, which had stopped for a shutdown, says nothing");
	}
}

void skm_ledger_watch(struct skm_ledger *ledger, int64_t now_sec, int64_t since_sec, int64_t limit_sec)
{
	for (size_t i = 0; i < ledger->count; i++) {
		struct skm_chain_entry *entry = &ledger->order[i]->entry;
		if (entry->is_ended || entry->is_silent)
			continue;
		if (strcmp(entry->stream, "agent") != 0) {
			watch_beside(ledger, ledger->order[i], now_sec, since_sec, limit_sec);
			continue;
		}
		if (entry->is_stopped) {
			watch_stopped(ledger, entry, now_sec, since_sec);
			continue;
		}
		if (!is_late(entry, now_sec, since_sec, limit_sec))
			continue;
		entry->is_silent = true;
		tell(ledger, entry, SKM_NOTICE_SILENT, 0, 0,
			"no new record for more than %" PRId64 " minutes, and no stop was announced%s",
			limit_sec / 60, entry->alive_sec > entry->moved_sec ? "; the terminal is on" : "");
	}
}

/* ---- reading ---- */

size_t skm_ledger_count(const struct skm_ledger *ledger)
{
	return ledger->count;
}

const struct skm_chain_entry *skm_ledger_get(const struct skm_ledger *ledger, size_t index)
{
	return index < ledger->count ? &ledger->order[index]->entry : NULL;
}

const struct skm_chain_entry *skm_ledger_find(
	const struct skm_ledger *ledger, const uint8_t id[SKM_CHAIN_ID_BYTES])
{
	const struct node *node = find(ledger, id);
	return node ? &node->entry : NULL;
}

static bool is_terminated(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

int skm_ledger_restore(struct skm_ledger *ledger, const struct skm_chain_entry *entry)
{
	if (!is_terminated(entry->stream, sizeof(entry->stream)) ||
		!is_terminated(entry->terminal, sizeof(entry->terminal)) ||
		!is_terminated(entry->address, sizeof(entry->address)) || !skm_gaps_are_sound(entry))
		return -EINVAL;
	if (find(ledger, entry->id))
		return -EEXIST;
	return add(ledger, entry) ? 0 : -ENOMEM;
}
