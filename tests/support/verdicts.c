// SPDX-License-Identifier: Apache-2.0
#include "verdicts.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void on_finding(void *user, const struct skm_finding *finding)
{
	struct verdicts *verdicts = user;
	if (verdicts->count < VERDICTS_MAX)
		verdicts->findings[verdicts->count] = *finding;
	verdicts->count++;
}

static void collect(const struct skm_verifier *verifier, struct verdicts *verdicts)
{
	struct skm_verification result;
	uint64_t first, last;
	size_t len = 0;
	for (; skm_verifier_get(verifier, verdicts->chains, &result); verdicts->chains++) {
		if (verdicts->chains == 0)
			verdicts->chain = result;
		else if (verdicts->chains <= SKM_ARRAY_SIZE(verdicts->others))
			verdicts->others[verdicts->chains - 1] = result;
	}
	for (unsigned kind = 0; kind < SKM_FINDING_COUNT_; kind++)
		verdicts->homeless += skm_verifier_homeless(verifier, (enum skm_finding_kind)kind);
	for (size_t i = 0;
		skm_verifier_range(verifier, 0, i, &first, &last) && len < sizeof(verdicts->ranges); i++)
		len += (size_t)snprintf(verdicts->ranges + len, sizeof(verdicts->ranges) - len,
			"%s%" PRIu64 "-%" PRIu64, i ? " " : "", first, last);
	verdicts->is_complete = verdicts->chains > 0 && verdicts->homeless == 0 &&
				skm_verification_is_complete(&verdicts->chain, &verdicts->until);
}

static struct skm_verifier *begin(
	const struct judging *judging, struct skm_verifier_key keys[2], struct verdicts *verdicts)
{
	const struct sample_chain *const key_of[] = {judging->key_of, judging->key_of_2};
	size_t key_count = 0;
	for (size_t i = 0; i < 2; i++) {
		if (!key_of[i])
			continue;
		memcpy(keys[key_count].chain_id, key_of[i]->chain.id, SKM_CHAIN_ID_BYTES);
		memcpy(keys[key_count++].first_key, key_of[i]->first_key, SKM_CHAIN_KEY_BYTES);
	}
	const struct skm_verifier_options options = {.keys = keys,
		.key_count = key_count,
		.watermarks = judging->watermarks,
		.watermark_count = judging->watermark_count,
		.may_begin_late = judging->may_begin_late,
		.is_mixed = judging->is_mixed,
		.has_until = judging->has_until,
		.until_usec = judging->until_usec,
		.heartbeat_sec = SKM_VERIFY_HEARTBEAT_SEC,
		.on_finding = on_finding,
		.user = verdicts};
	struct skm_verifier *verifier = NULL;
	*verdicts = (struct verdicts){.count = 0};
	cr_assert_eq(skm_verifier_new(&options, &verifier), 0);
	return verifier;
}

void judge_lines(
	const struct sample_lines *lines, const struct judging *judging, struct verdicts *ret_verdicts)
{
	struct skm_verifier_key keys[2];
	struct skm_verifier *verifier = begin(judging, keys, ret_verdicts);
	const size_t *end = judging->file_ends;
	uint64_t file = 1;
	skm_verifier_file(verifier, file);
	for (size_t i = 0; i < lines->count; i++) {
		if (end && *end == i) {
			skm_verifier_file(verifier, ++file);
			end++;
		}
		skm_verifier_line(verifier, lines->lines[i].text, lines->lines[i].len,
			i + 1 < lines->count || !judging->is_last_torn);
	}
	skm_verifier_finish(verifier);
	collect(verifier, ret_verdicts);
	(void)skm_verifier_free(verifier);
}

void judge_bytes(const char *text, size_t len, const struct judging *judging, struct verdicts *ret_verdicts)
{
	struct skm_verifier_key keys[2];
	struct skm_verifier *verifier = begin(judging, keys, ret_verdicts);
	skm_verifier_file(verifier, 1);
	while (len > 0) {
		const char *newline = memchr(text, '\n', len);
		size_t line_len = newline ? (size_t)(newline - text) : len;
		skm_verifier_line(verifier, text, line_len, newline);
		len -= line_len + (newline ? 1 : 0);
		text += line_len + (newline ? 1 : 0);
	}
	skm_verifier_finish(verifier);
	collect(verifier, ret_verdicts);
	(void)skm_verifier_free(verifier);
}

void expect_findings(const struct verdicts *verdicts, const char *expected)
{
	char found[4096] = "";
	size_t len = 0;
	for (size_t i = 0; i < verdicts->count && i < VERDICTS_MAX && len < sizeof(found); i++) {
		const struct skm_finding *finding = &verdicts->findings[i];
		len += (size_t)snprintf(found + len, sizeof(found) - len, "%s%s:%s:%" PRIu64 "-%" PRIu64,
			i ? " " : "", skm_finding_to_string(finding->kind),
			skm_cause_to_string(finding->cause), finding->first, finding->last);
	}
	cr_expect_str_eq(found, expected);
	cr_expect_leq(verdicts->count, VERDICTS_MAX);
}
