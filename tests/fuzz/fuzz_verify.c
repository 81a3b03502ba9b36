// SPDX-License-Identifier: Apache-2.0
/* A whole log that anybody may have written, with and without the key and a watermark of its first chain (the
 * first byte says which). Whatever it is: the verifier ends, says nothing of a record's text, and calls
 * nothing complete that is not. A key of zeros is nobody's: where its codes fit, the fuzzer has broken
 * BLAKE2b. */
#include <stdlib.h>
#include <string.h>

#include "../../lib/verify_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_finding(void *user, const struct skm_finding *finding)
{
	char text[512];
	uint64_t *count = user;
	++*count;
	if (finding->kind >= SKM_FINDING_COUNT_ || finding->cause >= SKM_CAUSE_COUNT_ ||
		finding->last < finding->first || strlen(finding->detail) < 10)
		abort();
	skm_finding_describe(finding, true, text, sizeof(text));
	for (const char *at = text; *at; at++) {
		if ((unsigned char)*at < 0x20)
			abort();
	}
}

static void check_ranges(
	const struct skm_verifier *verifier, size_t chain, const struct skm_verification *result)
{
	uint64_t first, last, before = 0;
	for (size_t i = 0; skm_verifier_range(verifier, chain, i, &first, &last); i++) {
		if (first > last || first <= before || first < result->first || last > result->last)
			abort();
		before = last;
	}
}

static uint64_t check_result(const struct skm_verifier *verifier, uint64_t told)
{
	struct skm_verification result;
	uint64_t records = 0, findings = 0, until = 0;
	for (size_t i = 0; skm_verifier_get(verifier, i, &result); i++) {
		records += result.records;
		if (skm_verification_is_complete(&result, &until))
			abort(); /* no key of these inputs' chains is ever given but zeros */
		if (result.first > result.last || result.signed_until > result.last)
			abort();
		if (result.deleted_until > 0 && result.deleted_until + 1 != result.first)
			abort();
		check_ranges(verifier, i, &result);
		for (unsigned kind = 0; kind < SKM_FINDING_COUNT_; kind++)
			findings += result.findings[kind];
	}
	for (unsigned kind = 0; kind < SKM_FINDING_COUNT_; kind++)
		findings += skm_verifier_homeless(verifier, (enum skm_finding_kind)kind);
	if (findings != told)
		abort();
	return records;
}

static uint64_t judge(const uint8_t *data, size_t size, struct skm_verifier_options *options)
{
	struct skm_verifier *verifier = NULL;
	uint64_t told = 0;
	options->on_finding = on_finding;
	options->user = &told;
	if (skm_verifier_new(options, &verifier) < 0)
		abort();
	skm_verifier_file(verifier, 1);
	while (size > 0) {
		const uint8_t *newline = memchr(data, '\n', size);
		size_t len = newline ? (size_t)(newline - data) : size;
		skm_verifier_line(verifier, (const char *)data, len, newline);
		data += len + (newline ? 1 : 0);
		size -= len + (newline ? 1 : 0);
	}
	skm_verifier_finish(verifier);
	uint64_t records = check_result(verifier, told);
	verifier = skm_verifier_free(verifier);
	return records;
}

/* The first record there is. */
static bool find_record(const uint8_t *data, size_t size, struct skm_verify_line *ret_line)
{
	while (size > 0) {
		const uint8_t *newline = memchr(data, '\n', size);
		size_t len = newline ? (size_t)(newline - data) : size;
		if (skm_verify_line_parse((const char *)data, len, ret_line) == 0)
			return true;
		data += len + (newline ? 1 : 0);
		size -= len + (newline ? 1 : 0);
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skm_verifier_key key = {{0}, {0}};
	struct skm_watermark mark = {.sequence = 3};
	struct skm_verify_line line;
	if (size == 0)
		return 0;
	uint8_t choice = data[0];
	struct skm_verifier_options options = {.leap_max = 4096,
		.may_begin_late = choice & 1,
		.heartbeat_sec = choice & 2 ? SKM_VERIFY_HEARTBEAT_SEC : 0,
		.has_until = choice & 4,
		.until_usec = INT64_MAX};
	if (find_record(data + 1, size - 1, &line)) {
		memcpy(key.chain_id, line.chain_id, sizeof(key.chain_id));
		memcpy(mark.chain_id, line.chain_id, sizeof(mark.chain_id));
		memcpy(mark.hash, line.previous_hash, sizeof(mark.hash));
		mark.sequence = line.sequence > 1 ? line.sequence - 1 : 1;
	}
	uint64_t without = judge(data + 1, size - 1, &options);
	options.keys = &key;
	options.key_count = 1;
	options.watermarks = &mark;
	options.watermark_count = 1;
	if (judge(data + 1, size - 1, &options) != without)
		abort(); /* a key does not change what a record is */
	return 0;
}
