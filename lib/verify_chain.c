// SPDX-License-Identifier: Apache-2.0
/* The place of one record in its chain.
 *
 * Every record names the hash of the one before it, so a break is told where it is and reading goes on from
 * what the next record says itself; stopping at the first break, as journald and syslog-ng's slogverify do,
 * would let a clumsy change hide a careful one. The MAC key follows from the number alone (never "some key
 * that fits": that is how systemd's sealing was forged, CVE-2023-31439).
 *
 * Three ways lead through here: a record follows the highest one (next, possibly after a gap), fills a gap
 * that was found before (it stands at the wrong place), or was there before (twice, or two histories). */
#include <string.h>

#include "verify_internal.h"

static bool is_equal(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, SKM_CHAIN_HASH_BYTES) == 0;
}

/* Told, and never vouched for. */
static void tell_doubt(struct skm_verifier *verifier, struct skm_verify_chain *chain,
	enum skm_finding_cause cause, uint64_t sequence, struct skm_verify_place place)
{
	skm_verify_tell(verifier, chain, cause, sequence, sequence, place, 0);
	skm_verify_ranges_add(&chain->doubtful, sequence, sequence);
}

static enum skm_verify_mac check_mac(struct skm_verifier *verifier, struct skm_verify_chain *chain,
	struct skm_verify_key *key, const uint8_t *hash)
{
	const struct skm_verify_line *line = &verifier->line;
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	if (!chain->first_key)
		return SKM_MAC_UNKNOWN;
	if (!skm_verify_key_seek(key, chain->first_key, line->sequence, &verifier->budget)) {
		tell_doubt(verifier, chain, SKM_CAUSE_MAC_UNCHECKED, line->sequence, verifier->place);
		return SKM_MAC_UNKNOWN;
	}
	skm_chain_mac(key->key, hash, mac);
	return memcmp(mac, line->mac, sizeof(mac)) == 0 ? SKM_MAC_RIGHT : SKM_MAC_WRONG;
}

/* ---- watermarks ---- */

static void compare_watermarks(
	struct skm_verify_chain *chain, const struct skm_verify_line *line, const uint8_t *hash)
{
	size_t low = 0, high = chain->watermark_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (chain->watermarks[middle].mark.sequence + 1 < line->sequence)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < chain->watermark_count && chain->watermarks[low].mark.sequence <= line->sequence;
		low++) {
		struct skm_verify_watermark *watermark = &chain->watermarks[low];
		if (watermark->mark.sequence == line->sequence) {
			watermark->is_seen = true;
			watermark->holds = watermark->holds || is_equal(hash, watermark->mark.hash);
		} else {
			watermark->is_claimed = true;
			watermark->is_named =
				watermark->is_named || is_equal(line->previous_hash, watermark->mark.hash);
		}
	}
}

static void finish_watermarks(struct skm_verifier *verifier, struct skm_verify_chain *chain)
{
	static const struct skm_verify_place nowhere = {0, 0};
	struct skm_verification *result = &chain->result;
	uint64_t highest = 0;
	result->unwitnessed = result->records ? result->last : 0;
	for (size_t i = 0; i < chain->watermark_count; i++) {
		const struct skm_verify_watermark *watermark = &chain->watermarks[i];
		uint64_t sequence = watermark->mark.sequence;
		if (sequence > result->last)
			break;
		if (watermark->holds) {
			result->has_watermark = true;
			result->unwitnessed = result->last - sequence;
		} else if ((watermark->is_seen || watermark->is_claimed) && !watermark->is_named) {
			/* Were it named by the next record, then it was changed after it was witnessed, and
			 * that has been told. */
			skm_verify_tell(verifier, chain, SKM_CAUSE_NOT_THE_WITNESSED, sequence, result->last,
				nowhere, 0);
			skm_verify_ranges_add(&chain->doubtful, sequence, result->last);
		}
	}
	if (chain->watermark_count > 0)
		highest = chain->watermarks[chain->watermark_count - 1].mark.sequence;
	if (highest > result->last)
		skm_verify_tell(
			verifier, chain, SKM_CAUSE_BEFORE_WATERMARK, result->last + 1, highest, nowhere, 0);
}

/* ---- gaps ---- */

static void close_gap(struct skm_verifier *verifier, struct skm_verify_chain *chain, size_t index)
{
	const struct skm_verify_gap *gap = &chain->gaps[index];
	if (!gap->is_optional && !gap->is_deleted)
		skm_verify_tell(verifier, chain, SKM_CAUSE_MISSING, gap->first, gap->last, gap->place, 0);
	skm_verify_ranges_add(&chain->doubtful, gap->first - (gap->doubts_before ? 1 : 0), gap->last);
}

static void remove_gap(struct skm_verify_chain *chain, size_t index)
{
	chain->gap_count--;
	memmove(&chain->gaps[index], &chain->gaps[index + 1],
		(chain->gap_count - index) * sizeof(chain->gaps[0]));
}

static void add_gap(
	struct skm_verifier *verifier, struct skm_verify_chain *chain, const struct skm_verify_gap *gap)
{
	if (chain->gap_count == SKM_VERIFY_GAPS_MAX) {
		close_gap(verifier, chain, 0);
		remove_gap(chain, 0);
	}
	chain->gaps[chain->gap_count++] = *gap;
}

static struct skm_verify_gap *find_gap(struct skm_verify_chain *chain, uint64_t sequence)
{
	for (size_t i = 0; i < chain->gap_count; i++) {
		if (chain->gaps[i].first <= sequence && sequence <= chain->gaps[i].last)
			return &chain->gaps[i];
	}
	return NULL;
}

/* ---- checkpoints ---- */

/* What is wrong with a record beyond hash and MAC; SKM_CAUSE_COUNT_ = nothing. */
static enum skm_finding_cause examine(struct skm_verify_chain *chain, const struct skm_verify_line *line)
{
	const struct skm_checkpoint *checkpoint = &line->checkpoint;
	if (strcmp(line->stream, chain->result.stream) != 0)
		return SKM_CAUSE_STREAM_NAME;
	if (!line->is_checkpoint)
		return SKM_CAUSE_COUNT_;
	bool knew_key = chain->knows_signing_key;
	chain->knows_signing_key = false;
	if (!line->has_checkpoint)
		return SKM_CAUSE_CHECKPOINT_FORM;
	if (!is_equal(checkpoint->previous_hash, line->previous_hash))
		return SKM_CAUSE_CHECKPOINT_ELSEWHERE;
	if (!skm_checkpoint_is_signed(checkpoint, chain->result.chain_id, line->sequence, line->realtime_usec,
		    line->boottime_usec))
		return SKM_CAUSE_SIGNATURE;
	bool is_announced = !knew_key || is_equal(checkpoint->key, chain->signing_key);
	chain->knows_signing_key = true;
	memcpy(chain->signing_key, checkpoint->next_key, sizeof(chain->signing_key));
	return is_announced ? SKM_CAUSE_COUNT_ : SKM_CAUSE_SIGNING_KEY;
}

static void count_checkpoint(struct skm_verify_chain *chain, uint64_t sequence)
{
	chain->result.checkpoints++;
	if (sequence > chain->result.signed_until)
		chain->result.signed_until = sequence;
}

/* ---- deletions ---- */

/* A record that is genuine says that a segment was deleted once it had been collected. What is missing before
 * the first record here is explained if that segment ended right there, with the hash from which the first
 * record continues; then everything before it had been deleted before it, since the oldest goes first. Of
 * any other chain the same holds: a chain that was begun anew outlives the segments of the one before. Where
 * records are collected nothing explains it: they were deleted because they are there. */
static void explain_missing(struct skm_verifier *verifier, const struct skm_old_segment *deletion)
{
	if (verifier->options.is_mixed)
		return;
	for (size_t i = 0; i < verifier->chain_count; i++) {
		struct skm_verify_chain *chain = verifier->chains[i];
		struct skm_verify_gap *gap = chain->gap_count > 0 ? &chain->gaps[0] : NULL;
		if (!gap || gap->first != 1 || gap->last != deletion->last ||
			memcmp(chain->result.chain_id, deletion->chain_id, sizeof(deletion->chain_id)) != 0 ||
			!is_equal(gap->after, deletion->hash))
			continue;
		gap->is_deleted = true;
		chain->result.deleted_until = gap->last;
	}
}

/* ---- the highest record ---- */

/* Its bytes are those that were chained (or nobody can say): then a wrong MAC is no slip of a disk. */
static void settle(struct skm_verifier *verifier, struct skm_verify_chain *chain)
{
	struct skm_verify_tip *tip = &chain->tip;
	uint64_t sequence = chain->result.last;
	if (tip->is_judged)
		return;
	tip->is_judged = true;
	if (tip->mac == SKM_MAC_WRONG)
		tell_doubt(verifier, chain, SKM_CAUSE_MAC, sequence, tip->place);
	else if (tip->fault != SKM_CAUSE_COUNT_)
		tell_doubt(verifier, chain, tip->fault, sequence, tip->place);
	else if (tip->is_checkpoint)
		count_checkpoint(chain, sequence);
	else if (tip->has_deletion && (tip->mac == SKM_MAC_RIGHT || verifier->options.key_count == 0))
		explain_missing(verifier, &tip->deletion);
}

/* The record after the highest one names another hash. Which of the two was changed, the MACs know. True when
 * the fault is the new record's, and told. */
static bool settle_break(
	struct skm_verifier *verifier, struct skm_verify_chain *chain, enum skm_verify_mac next_mac)
{
	struct skm_verify_tip *tip = &chain->tip;
	uint64_t sequence = chain->result.last;
	chain->knows_signing_key = false; /* the announcement may be what was changed */
	if (tip->is_judged)
		return false;
	if (tip->mac == SKM_MAC_RIGHT) {
		settle(verifier, chain);
		tell_doubt(verifier, chain,
			next_mac == SKM_MAC_RIGHT ? SKM_CAUSE_OTHER_BRANCH : SKM_CAUSE_LINK_ITSELF,
			sequence + 1, verifier->place);
		return true;
	}
	tip->is_judged = true;
	tell_doubt(verifier, chain, SKM_CAUSE_LINK, sequence, tip->place);
	return false;
}

static void become_tip(struct skm_verifier *verifier, struct skm_verify_chain *chain, const uint8_t *hash,
	enum skm_verify_mac mac, bool is_judged)
{
	const struct skm_verify_line *line = &verifier->line;
	struct skm_verify_tip *tip = &chain->tip;
	tip->place = verifier->place;
	memcpy(tip->hash, hash, sizeof(tip->hash));
	tip->mac = mac;
	tip->fault = examine(chain, line);
	tip->is_checkpoint = line->is_checkpoint;
	tip->has_deletion = line->has_deletion;
	if (line->has_deletion)
		tip->deletion = line->deletion;
	tip->is_judged = is_judged || chain->is_disguised;
	chain->is_disguised = chain->is_unreadable_before = false;
	chain->side.sequence = 0;
	chain->side.is_fork = false;
	chain->result.last = line->sequence;
	chain->result.last_realtime_usec = line->realtime_usec;
	skm_verify_seen_put(&verifier->seen, chain->index, line->sequence, hash);
}

static void take_first(struct skm_verifier *verifier, struct skm_verify_chain *chain, const uint8_t *hash)
{
	const struct skm_verify_line *line = &verifier->line;
	struct skm_verification *result = &chain->result;
	uint8_t zero[SKM_CHAIN_HASH_BYTES];
	bool is_judged = false;
	skm_chain_hash_first(result->chain_id, zero);
	enum skm_verify_mac mac = check_mac(verifier, chain, &chain->key, hash);
	if (line->sequence > 1 && !chain->is_unreadable_before) {
		struct skm_verify_gap gap = {.first = 1,
			.last = line->sequence - 1,
			.place = verifier->place,
			.is_optional = verifier->options.may_begin_late,
			.has_before = true};
		memcpy(gap.before, zero, sizeof(gap.before));
		memcpy(gap.after, line->previous_hash, sizeof(gap.after));
		add_gap(verifier, chain, &gap);
	} else if (line->sequence == 1 && !is_equal(line->previous_hash, zero)) {
		tell_doubt(verifier, chain, SKM_CAUSE_LINK_ITSELF, 1, verifier->place);
		is_judged = true;
	}
	result->first = chain->is_unreadable_before ? 1 : line->sequence;
	result->first_realtime_usec = line->realtime_usec;
	memcpy(result->stream, line->stream, sizeof(result->stream));
	become_tip(verifier, chain, hash, mac, is_judged);
	skm_verify_times(verifier, chain, false);
}

static void take_next(struct skm_verifier *verifier, struct skm_verify_chain *chain, const uint8_t *hash)
{
	const struct skm_verify_line *line = &verifier->line;
	const struct skm_verify_side *side = &chain->side;
	bool is_judged = false;
	enum skm_verify_mac mac = check_mac(verifier, chain, &chain->key, hash);
	if (is_equal(line->previous_hash, chain->tip.hash)) {
		settle(verifier, chain);
	} else if (side->is_fork && side->sequence == chain->result.last &&
		   is_equal(line->previous_hash, side->hash)) {
		/* The second history is longer than the first. */
		settle(verifier, chain);
		chain->knows_signing_key = false;
	} else {
		is_judged = settle_break(verifier, chain, mac) && mac != SKM_MAC_RIGHT;
	}
	become_tip(verifier, chain, hash, mac, is_judged);
	skm_verify_times(verifier, chain, true);
}

static void take_leap(struct skm_verifier *verifier, struct skm_verify_chain *chain, const uint8_t *hash)
{
	const struct skm_verify_line *line = &verifier->line;
	settle(verifier, chain);
	struct skm_verify_gap gap = {.first = chain->result.last + 1,
		.last = line->sequence - 1,
		.place = verifier->place,
		.has_before = true,
		.doubts_before = chain->tip.mac != SKM_MAC_RIGHT,
		.key = chain->key};
	memcpy(gap.before, chain->tip.hash, sizeof(gap.before));
	memcpy(gap.after, line->previous_hash, sizeof(gap.after));
	if (!chain->is_unreadable_before)
		add_gap(verifier, chain, &gap);
	else if (gap.doubts_before)
		skm_verify_ranges_add(&chain->doubtful, gap.first - 1, gap.first - 1);
	skm_chain_wipe(&gap.key, sizeof(gap.key));
	chain->knows_signing_key = false;
	enum skm_verify_mac mac = check_mac(verifier, chain, &chain->key, hash);
	become_tip(verifier, chain, hash, mac, false);
	skm_verify_times(verifier, chain, false);
}

/* ---- records at other places ---- */

static void judge_late(struct skm_verifier *verifier, struct skm_verify_chain *chain,
	struct skm_verify_gap *gap, const uint8_t *hash, enum skm_verify_mac *ret_mac)
{
	const struct skm_verify_line *line = &verifier->line;
	uint64_t sequence = line->sequence;
	skm_verify_tell(verifier, chain, SKM_CAUSE_LATE, sequence, sequence, verifier->place, 0);
	enum skm_verify_mac mac = check_mac(verifier, chain, &gap->key, hash);
	*ret_mac = mac;
	bool knew_key = chain->knows_signing_key;
	uint8_t key[SKM_CHAIN_PUBLIC_KEY_BYTES];
	memcpy(key, chain->signing_key, sizeof(key));
	chain->knows_signing_key = false; /* it was announced for a record further on */
	enum skm_finding_cause fault = examine(chain, line);
	chain->knows_signing_key = knew_key;
	memcpy(chain->signing_key, key, sizeof(key));

	if (sequence == gap->first && gap->has_before && !is_equal(line->previous_hash, gap->before))
		tell_doubt(verifier, chain, SKM_CAUSE_LINK_ITSELF, sequence, verifier->place);
	else if (sequence == gap->last && !is_equal(hash, gap->after))
		tell_doubt(verifier, chain, SKM_CAUSE_LINK, sequence, verifier->place);
	else if (mac == SKM_MAC_WRONG)
		tell_doubt(verifier, chain, SKM_CAUSE_MAC, sequence, verifier->place);
	else if (fault != SKM_CAUSE_COUNT_)
		tell_doubt(verifier, chain, fault, sequence, verifier->place);
	else if (line->is_checkpoint)
		count_checkpoint(chain, sequence);
}

static void take_late(struct skm_verifier *verifier, struct skm_verify_chain *chain,
	struct skm_verify_gap *gap, const uint8_t *hash)
{
	const struct skm_verify_line *line = &verifier->line;
	uint64_t sequence = line->sequence;
	enum skm_verify_mac mac = SKM_MAC_UNKNOWN;
	judge_late(verifier, chain, gap, hash, &mac);

	struct skm_verify_gap left = *gap, right = *gap;
	left.last = sequence - 1;
	left.is_deleted = false;
	memcpy(left.after, line->previous_hash, sizeof(left.after));
	right.first = sequence + 1;
	right.is_optional = right.is_deleted = false;
	right.doubts_before = mac != SKM_MAC_RIGHT;
	right.has_before = true;
	memcpy(right.before, hash, sizeof(right.before));
	bool has_left = left.first <= left.last, has_right = right.first <= right.last;
	if (has_left && has_right) {
		*gap = left;
		add_gap(verifier, chain, &right);
	} else if (has_left || has_right) {
		*gap = has_left ? left : right;
	} else {
		remove_gap(chain, (size_t)(gap - chain->gaps));
	}
	skm_chain_wipe(&left.key, sizeof(left.key));
	skm_chain_wipe(&right.key, sizeof(right.key));
	if (sequence < chain->result.first) {
		chain->result.deleted_until = 0;
		chain->result.first = sequence;
		chain->result.first_realtime_usec = line->realtime_usec;
	}
	chain->side = (struct skm_verify_side){.sequence = sequence};
	skm_verify_seen_put(&verifier->seen, chain->index, sequence, hash);
	skm_verify_drops(verifier, chain);
}

static void take_again(struct skm_verifier *verifier, struct skm_verify_chain *chain, const uint8_t *hash)
{
	const struct skm_verify_line *line = &verifier->line;
	struct skm_verify_side *side = &chain->side;
	uint64_t sequence = line->sequence;
	bool goes_on = side->sequence + 1 == sequence && is_equal(line->previous_hash, side->hash);
	switch (skm_verify_seen_compare(&verifier->seen, chain->index, sequence, hash)) {
	case SKM_VERIFY_SAME:
		skm_verify_tell(verifier, chain, SKM_CAUSE_TWICE, sequence, sequence, verifier->place, 0);
		side->is_fork = false;
		break;
	case SKM_VERIFY_OTHER:
		tell_doubt(verifier, chain, SKM_CAUSE_TWO_HISTORIES, sequence, verifier->place);
		side->is_fork = true;
		break;
	case SKM_VERIFY_UNKNOWN:
		side->is_fork = side->is_fork && goes_on;
		tell_doubt(verifier, chain, side->is_fork ? SKM_CAUSE_TWO_HISTORIES : SKM_CAUSE_AGAIN,
			sequence, verifier->place);
		break;
	}
	side->sequence = sequence;
	memcpy(side->hash, hash, sizeof(side->hash));
}

/* ---- all of it ---- */

bool skm_verify_is_disguised(
	const struct skm_verify_chain *chain, const struct skm_verify_line *line, bool is_same_chain)
{
	bool is_next_number = line->sequence == chain->result.last + 1;
	return chain->result.last > 0 && is_same_chain != is_next_number &&
	       is_equal(line->previous_hash, chain->tip.hash);
}

void skm_verify_disguised(struct skm_verify_chain *chain)
{
	chain->is_disguised = true;
	skm_verify_ranges_add(&chain->doubtful, chain->result.last + 1, chain->result.last + 1);
}

void skm_verify_unreadable(
	struct skm_verifier *verifier, struct skm_verify_chain *chain, const struct skm_verify_odd *odd)
{
	uint64_t first = chain->result.last + 1, last = verifier->line.sequence - 1;
	skm_verify_tell(verifier, chain, SKM_CAUSE_UNREADABLE, first, last, odd->place, (int64_t)odd->count);
	skm_verify_ranges_add(&chain->doubtful, first, last);
	chain->is_unreadable_before = true;
}

void skm_verify_record(struct skm_verifier *verifier, struct skm_verify_chain *chain, const char *body)
{
	const struct skm_verify_line *line = &verifier->line;
	uint8_t hash[SKM_CHAIN_HASH_BYTES];
	if (verifier->line_hash)
		memcpy(hash, verifier->line_hash, sizeof(hash));
	else
		skm_chain_hash_next(line->previous_hash, body, line->body_len, hash);
	chain->result.records++;
	if (chain->watermark_count > 0)
		compare_watermarks(chain, line, hash);
	struct skm_verify_gap *gap = NULL;
	if (chain->result.last == 0)
		take_first(verifier, chain, hash);
	else if (line->sequence == chain->result.last + 1)
		take_next(verifier, chain, hash);
	else if (line->sequence > chain->result.last)
		take_leap(verifier, chain, hash);
	else if ((gap = find_gap(chain, line->sequence)))
		take_late(verifier, chain, gap, hash);
	else
		take_again(verifier, chain, hash);
}

void skm_verify_chain_finish(struct skm_verifier *verifier, struct skm_verify_chain *chain)
{
	static const struct skm_verify_place nowhere = {0, 0};
	settle(verifier, chain);
	for (size_t i = 0; i < chain->gap_count; i++)
		close_gap(verifier, chain, i);
	finish_watermarks(verifier, chain);
	if (verifier->options.key_count > 0 && !chain->first_key)
		skm_verify_tell(verifier, chain, SKM_CAUSE_NO_KEY, chain->result.first, chain->result.last,
			nowhere, 0);
	/* Of one stream only one chain goes on to the end; of the others that they ended was told where the
	 * next began. */
	if (chain->index == verifier->current || verifier->options.is_mixed)
		skm_verify_until(verifier, chain);
	memcpy(chain->result.head, chain->tip.hash, sizeof(chain->result.head));
	chain->result.macs_checked = chain->first_key;
	chain->result.begins_late = chain->result.first > 1;
	chain->result.ends_with_stop = chain->was_stop;
}
