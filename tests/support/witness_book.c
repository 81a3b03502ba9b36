// SPDX-License-Identifier: Apache-2.0
#include "witness_book.h"

#include <criterion/criterion.h>
#include <sodium/crypto_sign.h>
#include <stdio.h>
#include <string.h>

struct skm_witness_key witness_key(uint8_t number)
{
	struct skm_witness_key key;
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	cr_assert_eq(skm_chain_start(), 0);
	memset(key.seed, number, sizeof(key.seed));
	crypto_sign_seed_keypair(key.public_key, secret, key.seed);
	return key;
}

void witness_seal(const struct skm_witness_key *key, struct skm_witness_entry *entry)
{
	skm_witness_entry_root(entry, entry->root);
	skm_witness_sign(key, entry->root, entry->signature);
}

struct skm_witness_entry witness_entry(
	const struct skm_witness_key *key, const struct skm_witness_entry *before)
{
	struct skm_witness_entry entry = {.number = before ? before->number + 1 : 1,
		.first_day = before ? skm_witness_day_after(before->last_day) : 20261120,
		.files = 1,
		.records = 1234567,
		.bytes = 987654321,
		.terminals = 2000,
		.chains = 4000,
		.is_complete = true};
	entry.last_day = entry.first_day;
	snprintf(entry.made, sizeof(entry.made), "2026-11-21T02:30:00Z");
	memset(entry.records_root, (int)entry.number, sizeof(entry.records_root));
	memset(entry.heads_root, 0xab, sizeof(entry.heads_root));
	memset(entry.report_hash, 0xcd, sizeof(entry.report_hash));
	if (before)
		memcpy(entry.previous, before->root, sizeof(entry.previous));
	memcpy(entry.key, key->public_key, sizeof(entry.key));
	witness_seal(key, &entry);
	return entry;
}

char *witness_text(const struct skm_witness_entry *entries, size_t count, size_t *ret_len)
{
	char *text = malloc(count * SKM_WITNESS_LINE_BYTES + 1);
	size_t len = 0;
	cr_assert_not_null(text);
	for (size_t i = 0; i < count; i++) {
		len += skm_witness_entry_format(&entries[i], text + len);
		text[len++] = '\n';
	}
	text[len] = '\0';
	*ret_len = len;
	return text;
}
