// SPDX-License-Identifier: Apache-2.0
/* Lines in, findings out. This file finds the chain that a line belongs to, keeps lines that are no records
 * until the next record's number shows whether they stand in a record's place, and joins findings of the same
 * kind about neighbouring records, so that a rewritten year is one finding and not a million.
 *
 * One pass and fixed memory were chosen over reading twice: the collector verifies while records arrive, and
 * a year of a prefecture does not fit. */
#include <string.h>

#include "sekimori/record.h"
#include "verify_internal.h"

#define BUDGET_PER_LINE 16 /* keys that a line may cost in the long run, on top of its own */

/* ---- findings ---- */

static void flush(struct skm_verifier *verifier)
{
	if (!verifier->has_open)
		return;
	verifier->has_open = false;
	struct skm_finding *finding = &verifier->open;
	if (verifier->open_chain)
		verifier->open_chain->result.findings[finding->kind]++;
	else
		verifier->homeless[finding->kind]++;
	if (!verifier->options.on_finding)
		return;
	skm_finding_describe(finding, false, finding->detail, sizeof(finding->detail));
	verifier->options.on_finding(verifier->options.user, finding);
}

void skm_verify_tell(struct skm_verifier *verifier, struct skm_verify_chain *chain,
	enum skm_finding_cause cause, uint64_t first, uint64_t last, struct skm_verify_place place,
	int64_t value)
{
	struct skm_finding *open = &verifier->open;
	if (verifier->has_open && verifier->open_chain == chain && open->cause == cause &&
		skm_cause_may_grow(cause) && open->last + 1 == first) {
		open->last = last;
		return;
	}
	flush(verifier);
	*open = (struct skm_finding){.kind = skm_cause_kind(cause),
		.cause = cause,
		.first = first,
		.last = last,
		.file = place.file,
		.line = place.line,
		.value = value};
	if (chain)
		memcpy(open->chain_id, chain->result.chain_id, sizeof(open->chain_id));
	verifier->open_chain = chain;
	verifier->has_open = true;
}

/* ---- lines that are no records ---- */

static struct skm_verify_chain *current_chain(struct skm_verifier *verifier)
{
	return verifier->chain_count > 0 ? verifier->chains[verifier->current] : NULL;
}

/* Nothing says that these lines stand in the place of records. */
static void tell_odd(struct skm_verifier *verifier, struct skm_verify_chain *chain)
{
	const struct skm_verify_odd *odd = &verifier->odd;
	if (odd->resembling > 0)
		skm_verify_tell(
			verifier, chain, SKM_CAUSE_ALTERED_LINE, 0, 0, odd->place, (int64_t)odd->resembling);
	if (odd->count > odd->resembling)
		skm_verify_tell(verifier, chain, SKM_CAUSE_NO_RECORD, 0, 0, odd->place,
			(int64_t)(odd->count - odd->resembling));
	verifier->odd.count = verifier->odd.resembling = 0;
}

static void take_odd(struct skm_verifier *verifier, const char *line, size_t len)
{
	struct skm_verify_odd *odd = &verifier->odd;
	if (odd->count == 0)
		odd->place = verifier->place;
	odd->count++;
	odd->resembling += skm_verify_line_resembles(line, len) ? 1 : 0;
}

/* A record follows: if exactly as many numbers are missing as lines were no records, these were they. The tip
 * then stands before the line, so that the record continues from there. */
static void explain_odd(struct skm_verifier *verifier, struct skm_verify_chain *chain)
{
	const struct skm_verify_odd *odd = &verifier->odd;
	uint64_t sequence = verifier->line.sequence, last = chain->result.last;
	bool may_be_first = last > 0 || !verifier->options.may_begin_late;
	if (may_be_first && sequence > last && sequence - last - 1 == odd->count) {
		skm_verify_unreadable(verifier, chain, odd);
		verifier->odd.count = verifier->odd.resembling = 0;
		return;
	}
	tell_odd(verifier, chain);
}

/* ---- chains ---- */

static const uint8_t *find_key(const struct skm_verifier *verifier, const uint8_t *id)
{
	for (size_t i = 0; i < verifier->options.key_count; i++) {
		if (memcmp(verifier->options.keys[i].chain_id, id, SKM_CHAIN_ID_BYTES) == 0)
			return verifier->options.keys[i].first_key;
	}
	return NULL;
}

static void find_watermarks(struct skm_verifier *verifier, struct skm_verify_chain *chain)
{
	for (size_t i = 0; i < verifier->options.watermark_count; i++) {
		if (memcmp(verifier->watermarks[i].mark.chain_id, chain->result.chain_id,
			    SKM_CHAIN_ID_BYTES) != 0)
			continue;
		if (chain->watermark_count++ == 0)
			chain->watermarks = &verifier->watermarks[i];
	}
}

/* The place of this id: that which holds it, or a free one. Ids are random numbers; who makes some up that
 * collide only makes his own chains slow to find. */
static uint32_t *find_place(const struct skm_verifier *verifier, const uint8_t *id)
{
	size_t mask = 2 * verifier->chain_room - 1, at;
	for (memcpy(&at, id, sizeof(at));; at++) {
		uint32_t *place = &verifier->places[at & mask];
		if (*place == 0 ||
			memcmp(verifier->chains[*place - 1]->result.chain_id, id, SKM_CHAIN_ID_BYTES) == 0)
			return place;
	}
}

static struct skm_verify_chain *find_chain(struct skm_verifier *verifier, const uint8_t *id)
{
	/* Nearly always the one that the line before was of. */
	if (verifier->chain_count > 0 &&
		memcmp(verifier->chains[verifier->current]->result.chain_id, id, SKM_CHAIN_ID_BYTES) == 0)
		return verifier->chains[verifier->current];
	uint32_t place = *find_place(verifier, id);
	return place > 0 ? verifier->chains[place - 1] : NULL;
}

/* 0 or -ENOMEM: then everything is as before. */
static int make_room(struct skm_verifier *verifier)
{
	size_t room = verifier->chain_room ? 2 * verifier->chain_room : SKM_VERIFY_CHAINS_MAX;
	uint32_t *places = calloc(2 * room, sizeof(*places));
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): a list of pointers is what it is */
	struct skm_verify_chain **chains = reallocarray(verifier->chains, room, sizeof(*chains));
	if (chains)
		verifier->chains = chains;
	if (!places || !chains) {
		free(places);
		return -ENOMEM;
	}
	free(verifier->places);
	verifier->places = places;
	verifier->chain_room = room;
	for (size_t i = 0; i < verifier->chain_count; i++)
		*find_place(verifier, chains[i]->result.chain_id) = (uint32_t)i + 1;
	return 0;
}

static struct skm_verify_chain *add_chain(struct skm_verifier *verifier, const uint8_t *id)
{
	size_t max = verifier->options.is_mixed ? SKM_VERIFY_MIXED_MAX : SKM_VERIFY_CHAINS_MAX;
	if (verifier->chain_count == max ||
		(verifier->chain_count == verifier->chain_room && make_room(verifier) < 0))
		return NULL;
	struct skm_verify_chain *chain = calloc(1, sizeof(*chain));
	if (!chain)
		return NULL;
	memcpy(chain->result.chain_id, id, SKM_CHAIN_ID_BYTES);
	*find_place(verifier, id) = (uint32_t)verifier->chain_count + 1;
	chain->index = verifier->chain_count;
	verifier->chains[verifier->chain_count++] = chain;
	chain->first_key = find_key(verifier, id);
	find_watermarks(verifier, chain);
	return chain;
}

/* The chain of the line: known, new, or NULL when there is no room for another. */
static struct skm_verify_chain *choose_chain(struct skm_verifier *verifier)
{
	struct skm_verify_line *line = &verifier->line;
	struct skm_verify_chain *before = current_chain(verifier);
	struct skm_verify_chain *chain = find_chain(verifier, line->chain_id);
	if (before && skm_verify_is_disguised(before, line, chain == before)) {
		skm_verify_tell(verifier, before, SKM_CAUSE_IDENTITY, before->result.last + 1,
			before->result.last + 1, verifier->place, 0);
		line->sequence = before->result.last + 1;
		skm_verify_disguised(before);
		return before;
	}
	bool is_new = !chain;
	if (is_new)
		chain = add_chain(verifier, line->chain_id);
	if (!chain || chain == before)
		return chain;
	verifier->current = chain->index;
	if (before && !verifier->options.is_mixed)
		skm_verify_tell(verifier, chain, is_new ? SKM_CAUSE_OTHER_CHAIN : SKM_CAUSE_CHAINS_MIXED,
			line->sequence, line->sequence, verifier->place, 0);
	return chain;
}

/* ---- the contract ---- */

static int compare_watermarks(const void *a, const void *b)
{
	const struct skm_watermark *left = &((const struct skm_verify_watermark *)a)->mark;
	const struct skm_watermark *right = &((const struct skm_verify_watermark *)b)->mark;
	int order = memcmp(left->chain_id, right->chain_id, sizeof(left->chain_id));
	if (order == 0)
		order = (left->sequence > right->sequence) - (left->sequence < right->sequence);
	return order;
}

static int set_up(struct skm_verifier *verifier)
{
	const struct skm_verifier_options *options = &verifier->options;
	verifier->watermarks = calloc(
		options->watermark_count ? options->watermark_count : 1, sizeof(*verifier->watermarks));
	if (!verifier->watermarks)
		return -ENOMEM;
	for (size_t i = 0; i < options->watermark_count; i++)
		verifier->watermarks[i].mark = options->watermarks[i];
	qsort(verifier->watermarks, options->watermark_count, sizeof(*verifier->watermarks),
		compare_watermarks);
	return make_room(verifier);
}

int skm_verifier_new(const struct skm_verifier_options *options, struct skm_verifier **ret_verifier)
{
	int r = skm_chain_start();
	if (r < 0)
		return r;
	struct skm_verifier *verifier = calloc(1, sizeof(*verifier));
	if (!verifier)
		return -ENOMEM;
	verifier->options = *options;
	if (verifier->options.leap_max == 0)
		verifier->options.leap_max = SKM_VERIFY_LEAP_MAX;
	verifier->budget = verifier->options.leap_max;
	r = set_up(verifier);
	if (r < 0)
		(void)skm_verifier_free(verifier);
	else
		*ret_verifier = verifier;
	return r;
}

struct skm_verifier *skm_verifier_free(struct skm_verifier *verifier)
{
	if (!verifier)
		return NULL;
	for (size_t i = 0; i < verifier->chain_count; i++) {
		skm_chain_wipe(verifier->chains[i], sizeof(*verifier->chains[i]));
		free(verifier->chains[i]);
	}
	free(verifier->chains);
	free(verifier->places);
	free(verifier->watermarks);
	free(verifier);
	return NULL;
}

void skm_verifier_file(struct skm_verifier *verifier, uint64_t file)
{
	verifier->place = (struct skm_verify_place){.file = file};
}

static void take_line(
	struct skm_verifier *verifier, const char *line, size_t len, bool is_whole, const uint8_t *hash)
{
	verifier->place.line++;
	verifier->line_hash = hash;
	if (verifier->budget < verifier->options.leap_max)
		verifier->budget += BUDGET_PER_LINE;
	if (!is_whole)
		skm_verify_tell(verifier, current_chain(verifier), SKM_CAUSE_TORN, 0, 0, verifier->place,
			(int64_t)len);
	if (skm_verify_line_parse(line, len, &verifier->line) < 0) {
		if (!is_whole)
			return; /* its beginning is no record yet, and that has been told */
		if (len >= SKM_RECORD_LINE_MAX)
			skm_verify_tell(verifier, current_chain(verifier), SKM_CAUSE_TOO_LONG, 0, 0,
				verifier->place, 0);
		else
			take_odd(verifier, line, len);
		return;
	}
	struct skm_verify_chain *chain = choose_chain(verifier);
	if (!chain) {
		skm_verify_tell(verifier, NULL, SKM_CAUSE_TOO_MANY_CHAINS, 0, 0, verifier->place, 0);
		return;
	}
	if (verifier->odd.count > 0)
		explain_odd(verifier, chain);
	skm_verify_record(verifier, chain, line);
}

void skm_verifier_line(struct skm_verifier *verifier, const char *line, size_t len, bool is_whole)
{
	take_line(verifier, line, len, is_whole, NULL);
}

void skm_verifier_line_hashed(
	struct skm_verifier *verifier, const char *line, size_t len, const uint8_t *hash)
{
	take_line(verifier, line, len, true, hash);
}

void skm_verifier_finish(struct skm_verifier *verifier)
{
	if (verifier->is_finished)
		return;
	verifier->is_finished = true;
	tell_odd(verifier, current_chain(verifier));
	for (size_t i = 0; i < verifier->chain_count; i++)
		skm_verify_chain_finish(verifier, verifier->chains[i]);
	flush(verifier);
}

bool skm_verifier_get(const struct skm_verifier *verifier, size_t index, struct skm_verification *ret_result)
{
	if (index >= verifier->chain_count)
		return false;
	*ret_result = verifier->chains[index]->result;
	return true;
}

bool skm_verification_is_complete(const struct skm_verification *result, uint64_t *ret_until)
{
	for (unsigned kind = 0; kind < SKM_FINDING_COUNT_; kind++) {
		/* A wrong clock is worth telling, but numbers prove completeness, not times. */
		if (kind != SKM_FINDING_CLOCK && result->findings[kind] > 0)
			return false;
	}
	uint64_t witnessed = result->has_watermark ? result->last - result->unwitnessed : 0;
	uint64_t until = result->signed_until > witnessed ? result->signed_until : witnessed;
	if (!result->macs_checked || result->first != result->deleted_until + 1 || until == 0)
		return false;
	*ret_until = until;
	return true;
}

bool skm_verifier_range(const struct skm_verifier *verifier, size_t chain, size_t index, uint64_t *ret_first,
	uint64_t *ret_last)
{
	if (chain >= verifier->chain_count || !verifier->is_finished)
		return false;
	const struct skm_verification *result = &verifier->chains[chain]->result;
	const struct skm_verify_ranges *doubtful = &verifier->chains[chain]->doubtful;
	uint64_t first = result->first;
	for (size_t i = 0; i <= doubtful->count && first <= result->last; i++) {
		bool is_end = i == doubtful->count;
		uint64_t last = is_end || doubtful->ranges[i].first > result->last
					? result->last
					: doubtful->ranges[i].first - 1;
		if (first <= last && index-- == 0) {
			*ret_first = first;
			*ret_last = last;
			return true;
		}
		if (!is_end && doubtful->ranges[i].last >= first)
			first = doubtful->ranges[i].last + 1;
	}
	return false;
}

uint64_t skm_verifier_homeless(const struct skm_verifier *verifier, enum skm_finding_kind kind)
{
	return (unsigned)kind < SKM_FINDING_COUNT_ ? verifier->homeless[kind] : 0;
}
