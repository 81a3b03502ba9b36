// SPDX-License-Identifier: Apache-2.0
/* SKM-CHAIN-1 against numbers that Python's hashlib.blake2b gave (crypto_kdf is keyed BLAKE2b with the subkey
 * number as the salt and the context as the personalisation). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/chain.h"

static void start(void)
{
	cr_assert_eq(skm_chain_start(), 0);
}

TestSuite(chain, .init = start);

static const char *hex(const uint8_t *bytes, size_t len)
{
	static char text[2 * 64 + 1];
	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return text;
}

static struct skm_chain known(void)
{
	struct skm_chain chain = {.sequence = 0};
	for (uint8_t i = 0; i < 16; i++)
		chain.id[i] = i;
	for (uint8_t i = 0; i < 32; i++)
		chain.key[i] = (uint8_t)(100 + i);
	skm_chain_hash_first(chain.id, chain.head);
	return chain;
}

Test(chain, is_what_the_definition_says)
{
	static char long_body[8000];
	memset(long_body, 'x', sizeof(long_body));
	static const struct {
		const char *head, *mac, *key;
	} expected[] = {
		{"5ef66055a48298fc80ddd44359ab22612426dba0d3c111322171db3fc9a25328",
			"3e0c3b16ffadb722d3bb93049a32433c",
			"228031774f4f1ead811493f08a7e79e7f2f14601146942974f934cf2aa06a828"},
		{"e19a93e916e37be8b38485f36c9068affa7d9232c06d09137da43258a46900f7",
			"2b8cd0491654da927d5b1dfacfa8d648",
			"c950914b954bf6b1ca8b0649aedad5d78fe9f177168661a90521c5b4742e7cf8"},
		{"0780ef40e7bccf48ccae319fe21fb9f8d095862cbf3aa2a04d7b9989aeac5618",
			"ce30afdd2b109836a36122874dd3923f",
			"bf7952cf12f59aa743a4f44a75ea82e33ff2e5ff75ca5b00a687688e82bb154d"},
	};
	const char *bodies[] = {"{\"time\":1,\"skm\":{\"n\":1}", "", long_body};
	struct skm_chain chain = known();
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	cr_expect_str_eq(
		hex(chain.head, 32), "70e677ecc7406fe98860f584b6aaf4528cb19d82c2ce09bb17920cb2160e3174");
	for (size_t i = 0; i < SKM_ARRAY_SIZE(expected); i++) {
		skm_chain_extend(&chain, bodies[i], i == 2 ? sizeof(long_body) : strlen(bodies[i]), mac);
		cr_expect_str_eq(hex(chain.head, 32), expected[i].head);
		cr_expect_str_eq(hex(mac, 16), expected[i].mac);
		cr_expect_str_eq(hex(chain.key, 32), expected[i].key);
		cr_expect_eq(chain.sequence, i + 1);
	}
}

Test(chain, each_begins_as_no_other)
{
	struct skm_chain a, b;
	uint8_t first_a[SKM_CHAIN_KEY_BYTES], first_b[SKM_CHAIN_KEY_BYTES];
	skm_chain_begin(&a, first_a);
	skm_chain_begin(&b, first_b);
	cr_expect_neq(memcmp(a.id, b.id, sizeof(a.id)), 0);
	cr_expect_neq(memcmp(first_a, first_b, sizeof(first_a)), 0);
	cr_expect_eq(memcmp(first_a, a.key, sizeof(first_a)), 0);
	cr_expect_neq(memcmp(a.signing_seed, a.next_seed, 32), 0);
	cr_expect_eq(a.sequence, 0);
	uint8_t head[SKM_CHAIN_HASH_BYTES];
	skm_chain_hash_first(a.id, head);
	cr_expect_eq(memcmp(head, a.head, sizeof(head)), 0);
}

/* ---- lines ---- */

#define MAC "00112233445566778899aabbccddeeff"

Test(chain, splits_a_line_before_its_mac)
{
	static const char line[] = "{\"a\":1,\"m\":\"" MAC "\"}\n";
	size_t body_len = 0;
	uint8_t mac[SKM_CHAIN_MAC_BYTES] = {0};
	cr_assert_eq(skm_chain_line_split(line, sizeof(line) - 1, &body_len, mac), 0);
	cr_expect_eq(body_len, strlen("{\"a\":1"));
	cr_expect_str_eq(hex(mac, 16), MAC);
	cr_expect_eq(skm_chain_line_split(line, sizeof(line) - 2, &body_len, NULL), 0, "no newline");
}

Test(chain, refuses_every_other_spelling_of_a_line)
{
	static const char line[] = "{\"a\":1,\"m\":\"" MAC "\"}";
	size_t body_len = 77;
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	for (size_t len = 0; len < sizeof(line) - 1; len++)
		cr_expect_eq(skm_chain_line_split(line, len, &body_len, mac), -EBADMSG, "cut at %zu", len);
	static const char *const others[] = {
		"{\"a\":1,\"m\":\"" MAC "\"}\n\n",
		"{\"a\":1,\"m\":\"" MAC "\"} ",
		"{\"a\":1,\"m\": \"" MAC "\"}",
		"{\"a\":1,\"m\":\"00112233445566778899AABBCCDDEEFF\"}",
		"{\"a\":1,\"m\":\"0011223344556677 899aabbccddeeff\"}",
		"{\"a\":1,\"m\":\"00112233445566778899aabbccddeef\"}",
		"{\"a\":1,\"m\":\"0" MAC "\"}",
		"{\"a\":1,\"n\":\"" MAC "\"}",
		"{\"a\":1,\"m\":null}",
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(others); i++)
		cr_expect_eq(skm_chain_line_split(others[i], strlen(others[i]), &body_len, mac), -EBADMSG,
			"%s", others[i]);
	cr_expect_eq(body_len, 77, "an output was touched");
}

/* ---- checkpoints ---- */

#define DAY 20778

static struct skm_checkpoint sign(struct skm_chain *chain, int64_t day)
{
	struct skm_checkpoint checkpoint = {.reason = "start"};
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	skm_checkpoint_sign(chain, day * 86400000000, 5000, day, &checkpoint);
	cr_expect(skm_checkpoint_is_signed(
		&checkpoint, chain->id, chain->sequence + 1, day * 86400000000, 5000));
	skm_chain_extend(chain, "body", 4, mac);
	return checkpoint;
}

Test(chain, a_signature_covers_every_member)
{
	struct skm_chain chain;
	uint8_t first[SKM_CHAIN_KEY_BYTES];
	skm_chain_begin(&chain, first);
	struct skm_chain other = chain;
	other.id[3] ^= 1;
	struct skm_checkpoint good = sign(&chain, DAY);
	cr_expect_not(skm_checkpoint_is_signed(&good, other.id, 1, DAY * INT64_C(86400000000), 5000));
	cr_expect_not(skm_checkpoint_is_signed(&good, chain.id, 2, DAY * INT64_C(86400000000), 5000));
	cr_expect_not(skm_checkpoint_is_signed(&good, chain.id, 1, DAY * INT64_C(86400000000) + 1, 5000));
	cr_expect_not(skm_checkpoint_is_signed(&good, chain.id, 1, DAY * INT64_C(86400000000), 5001));
	for (size_t bit = 0; bit < 8 * offsetof(struct skm_checkpoint, lost); bit++) {
		struct skm_checkpoint bad = good;
		((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_expect_not(skm_checkpoint_is_signed(&bad, chain.id, 1, DAY * INT64_C(86400000000), 5000),
			"bit %zu", bit);
	}
}

Test(chain, the_key_changes_with_the_day_and_the_old_one_is_gone)
{
	struct skm_chain chain;
	uint8_t first[SKM_CHAIN_KEY_BYTES];
	skm_chain_begin(&chain, first);
	struct skm_checkpoint one = sign(&chain, DAY);
	cr_expect_eq(memcmp(one.key, one.next_key, 32), 0);
	struct skm_checkpoint two = sign(&chain, DAY);
	cr_expect_eq(memcmp(two.key, one.key, 32), 0);
	uint8_t old_seed[32];
	memcpy(old_seed, chain.signing_seed, 32);
	struct skm_checkpoint three = sign(&chain, DAY + 1);
	cr_expect_eq(memcmp(three.key, one.key, 32), 0);
	cr_expect_neq(memcmp(three.next_key, one.key, 32), 0);
	cr_expect_null(memmem(&chain, sizeof(chain), old_seed, 32), "the old key is still there");
	struct skm_checkpoint four = sign(&chain, DAY + 1);
	cr_expect_eq(memcmp(four.key, three.next_key, 32), 0);
	cr_expect_eq(memcmp(four.next_key, four.key, 32), 0);
	struct skm_checkpoint five = sign(&chain, DAY);
	cr_expect_neq(memcmp(five.next_key, five.key, 32), 0, "a day that goes back is another day too");
	cr_expect_eq(chain.checkpoint_sequence, 5);
}

Test(chain, an_older_state_follows_a_checkpoint_that_it_did_not_see)
{
	struct skm_chain chain, old;
	uint8_t first[SKM_CHAIN_KEY_BYTES], mac[SKM_CHAIN_MAC_BYTES];
	skm_chain_begin(&chain, first);
	sign(&chain, DAY);
	old = chain;
	struct skm_checkpoint changes = sign(&chain, DAY + 1), same = sign(&chain, DAY + 1);
	cr_assert_eq(skm_checkpoint_follow(&old, changes.next_key, DAY + 1), 0);
	skm_chain_extend(&old, "body", 4, mac);
	cr_assert_eq(skm_checkpoint_follow(&old, same.next_key, DAY + 1), 0);
	skm_chain_extend(&old, "body", 4, mac);
	cr_expect_eq(memcmp(old.signing_seed, chain.signing_seed, 32), 0);
	cr_expect_eq(old.checkpoint_sequence, 3);
	cr_expect_eq(old.signing_day, DAY + 1);
	struct skm_chain before = old;
	uint8_t foreign[32] = {1};
	cr_expect_eq(skm_checkpoint_follow(&old, foreign, DAY + 2), -ENOKEY);
	cr_expect_eq(memcmp(&before, &old, sizeof(old)), 0);
}

/* ---- the verifier's key ---- */

Test(chain, only_the_verifier_opens_the_first_key)
{
	/* RFC 7748, section 6.1: Bob's and Alice's keys */
	static const uint8_t secret[32] = {0x5d, 0xab, 0x08, 0x7e, 0x62, 0x4a, 0x8a, 0x4b, 0x79, 0xe1, 0x7f,
		0x8b, 0x83, 0x80, 0x0e, 0xe6, 0x6f, 0x3b, 0xb1, 0x29, 0x26, 0x18, 0xb6, 0xfd, 0x1c, 0x2f,
		0x8b, 0x27, 0xff, 0x88, 0xe0, 0xeb};
	static const uint8_t public[32] = {0xde, 0x9e, 0xdb, 0x7d, 0x7b, 0x7d, 0xc1, 0xb4, 0xd3, 0x5b, 0x61,
		0xc2, 0xec, 0xe4, 0x35, 0x37, 0x3f, 0x83, 0x43, 0xc8, 0x5b, 0x78, 0x67, 0x4d, 0xad, 0xfc,
		0x7e, 0x14, 0x6f, 0x88, 0x2b, 0x4f};
	uint8_t other[32], key[32] = {1, 2, 3}, sealed[SKM_CHAIN_SEALED_KEY_BYTES], opened[32] = {0};
	skm_chain_seal_key(public, key, sealed);
	cr_expect_null(memmem(sealed, sizeof(sealed), key, sizeof(key)));
	cr_assert_eq(skm_chain_open_key(public, secret, sealed, opened), 0);
	cr_expect_eq(memcmp(opened, key, sizeof(key)), 0);
	memcpy(other, secret, sizeof(other));
	other[5] ^= 1;
	cr_expect_eq(skm_chain_open_key(public, other, sealed, opened), -EBADMSG);
	sealed[40] ^= 1;
	cr_expect_eq(skm_chain_open_key(public, secret, sealed, opened), -EBADMSG);
	cr_expect_eq(memcmp(opened, key, sizeof(key)), 0, "an output was touched");
}

Test(chain, a_key_that_is_none_seals_nothing)
{
	static const uint8_t nobody[32];
	uint8_t key[32] = {1, 2, 3}, sealed[SKM_CHAIN_SEALED_KEY_BYTES];
	skm_chain_seal_key(nobody, key, sealed);
	cr_expect_null(memmem(sealed, sizeof(sealed), key, sizeof(key)));
}

Test(chain, clear_leaves_nothing)
{
	static const struct skm_chain nothing;
	struct skm_chain chain = known();
	skm_chain_clear(&chain);
	cr_expect_eq(memcmp(&chain, &nothing, sizeof(chain)), 0);
	uint8_t secret[8] = {1, 2, 3};
	skm_chain_wipe(secret, sizeof(secret));
	cr_expect_eq(memcmp(secret, &nothing, sizeof(secret)), 0);
}
