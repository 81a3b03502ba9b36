// SPDX-License-Identifier: Apache-2.0
/* Boxes, key files and the escrow, against real files. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "seal.h"
#include "store_world.h"

static struct store_world world;
static const char key_line[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1E1F\n";

static void setup(void)
{
	cr_assert_eq(skm_seal_start(), 0);
	store_world_make(&world);
}

static void teardown(void)
{
	store_world_remove(&world);
}

TestSuite(seal, .init = setup, .fini = teardown);

static struct skm_key key_of(uint8_t first)
{
	uint8_t bytes[SKM_KEY_BYTES];
	struct skm_key key;
	memset(bytes, first, sizeof(bytes));
	skm_key_set(&key, bytes);
	return key;
}

Test(seal, a_box_opens_with_its_key_and_purpose_alone)
{
	struct skm_key key = key_of(1), other = key_of(2);
	const uint8_t text[] = "himitsu";
	uint8_t box[sizeof(text) + SKM_SEAL_OVERHEAD], again[sizeof(box)], back[sizeof(text)] = {0};
	skm_seal(&key, SKM_SEAL_STATE, text, sizeof(text), box);
	cr_assert_null(memmem(box, sizeof(box), "himitsu", 7));
	cr_assert_eq(memcmp(box, "SKM1\002", 5), 0);
	cr_assert_eq(skm_unseal(&key, SKM_SEAL_STATE, box, sizeof(box), back), 0);
	cr_assert_str_eq((char *)back, "himitsu");
	memset(back, 'x', sizeof(back));
	cr_assert_eq(skm_unseal(&other, SKM_SEAL_STATE, box, sizeof(box), back), SKM_SEAL_WRONG_KEY);
	cr_assert_eq(skm_unseal(&key, SKM_SEAL_PERSON, box, sizeof(box), back), SKM_SEAL_DAMAGED);
	/* the purpose outside is nobody's word: the one inside counts */
	box[4] = SKM_SEAL_PERSON;
	cr_assert_eq(skm_unseal(&key, SKM_SEAL_PERSON, box, sizeof(box), back), SKM_SEAL_DAMAGED);
	cr_assert_eq(back[0], 'x', "untouched");
	skm_seal(&key, SKM_SEAL_STATE, text, sizeof(text), again);
	cr_assert_neq(memcmp(box + 13, again + 13, 24), 0, "a nonce is used once");
}

Test(seal, every_flipped_bit_and_every_cut_is_seen)
{
	struct skm_key key = key_of(1);
	uint8_t text[40] = "text", box[sizeof(text) + SKM_SEAL_OVERHEAD], back[sizeof(text)];
	skm_seal(&key, SKM_SEAL_PERSON, text, sizeof(text), box);
	for (size_t i = 0; i < sizeof(box) * 8; i++) {
		box[i / 8] ^= (uint8_t)(1 << i % 8);
		int r = skm_unseal(&key, SKM_SEAL_PERSON, box, sizeof(box), back);
		bool is_key_id = i / 8 >= 5 && i / 8 < 13;
		cr_assert_eq(r, is_key_id ? SKM_SEAL_WRONG_KEY : SKM_SEAL_DAMAGED, "bit %zu", i);
		box[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t len = 0; len < sizeof(box); len++)
		cr_assert_eq(skm_unseal(&key, SKM_SEAL_PERSON, box, len, back), SKM_SEAL_DAMAGED, "%zu", len);
	static uint8_t huge[1 << 16];
	memcpy(huge, box, sizeof(box));
	cr_assert_eq(skm_unseal(&key, SKM_SEAL_PERSON, huge, sizeof(huge), huge), SKM_SEAL_DAMAGED);
}

Test(seal, a_key_file_has_one_form)
{
	static const struct {
		const char *text;
		int result;
	} cases[] = {
		{key_line, 0},
		{"", SKM_KEY_INVALID},
		{"00", SKM_KEY_INVALID},
		{"00010203040506070809 a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", SKM_KEY_INVALID},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g\n", SKM_KEY_INVALID},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\r\n", SKM_KEY_INVALID},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n\n", SKM_KEY_INVALID},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f00\n", SKM_KEY_INVALID},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0},
	};
	struct skm_key key = {0};
	cr_assert_eq(skm_key_load(NULL, world.key, &key), SKM_KEY_ABSENT);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		store_file_put(world.root, "machine.key", cases[i].text, strlen(cases[i].text));
		cr_expect_eq(skm_key_load(NULL, world.key, &key), cases[i].result, "%zu", i);
	}
	for (uint8_t i = 0; i < 32; i++)
		cr_assert_eq(key.bytes[i], i);
	struct skm_key same;
	skm_key_set(&same, key.bytes);
	cr_assert_eq(memcmp(same.id, key.id, sizeof(key.id)), 0);
	cr_assert_neq(memcmp(same.id, key.bytes, sizeof(key.id)), 0, "the id tells nothing of the key");
}

Test(seal, a_key_that_others_can_reach_is_none)
{
	static const mode_t modes[] = {0640, 0604, 0620, 0602};
	struct skm_key key = {0};
	store_file_put(world.root, "machine.key", key_line, strlen(key_line));
	for (size_t i = 0; i < SKM_ARRAY_SIZE(modes); i++) {
		cr_assert_eq(chmod(world.key, modes[i]), 0);
		cr_expect_eq(skm_key_load(NULL, world.key, &key), SKM_KEY_INVALID, "%o", modes[i]);
	}
	cr_assert_eq(chmod(world.key, 0400), 0);
	cr_assert_eq(skm_key_load(NULL, world.key, &key), 0);
	char path[STORE_PATH_BYTES + 16];
	(void)snprintf(path, sizeof(path), "%s/link", world.root);
	cr_assert_eq(symlink(world.key, path), 0);
	cr_assert_eq(skm_key_load(NULL, path, &key), SKM_KEY_INVALID, "a link");
	(void)snprintf(path, sizeof(path), "%s/fifo", world.root);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(skm_key_load(NULL, path, &key), SKM_KEY_INVALID, "a FIFO, without waiting");
	cr_assert_eq(skm_key_load(NULL, world.folder, &key), SKM_KEY_INVALID, "a folder");
	(void)snprintf(path, sizeof(path), "%s/link/key", world.root);
	cr_assert_eq(skm_key_load(NULL, path, &key), -ENOTDIR);
}

Test(seal, the_credential_goes_before_the_file)
{
	struct skm_key key = {0};
	store_file_put(world.root, "machine.key", key_line, strlen(key_line));
	cr_assert_eq(skm_key_load(world.folder, world.key, &key), 0);
	cr_assert_eq(key.bytes[31], 0x1f, "no credential: the file");
	char line[SKM_HEX_LINE_BYTES];
	struct skm_key two = key_of(2), three = key_of(3);
	skm_hex_line(two.bytes, line);
	store_file_put(world.folder, SKM_KEY_CREDENTIAL, line, 64);
	cr_assert_eq(skm_key_load(world.folder, world.key, &key), 0);
	cr_assert_eq(key.bytes[31], 2);
	store_file_put(world.folder, SKM_KEY_CREDENTIAL, line, 10);
	cr_assert_eq(skm_key_load(world.folder, world.key, &key), SKM_KEY_INVALID, "not passed over");

	cr_assert_eq(skm_key_load_previous(world.folder, world.key, &key), SKM_KEY_ABSENT);
	skm_hex_line(two.bytes, line);
	store_file_put(world.root, "machine.key.old", line, 65);
	cr_assert_eq(skm_key_load_previous(world.folder, world.key, &key), 0);
	cr_assert_eq(key.bytes[0], 2);
	skm_hex_line(three.bytes, line);
	store_file_put(world.folder, SKM_KEY_PREVIOUS_CREDENTIAL, line, 65);
	cr_assert_eq(skm_key_load_previous(world.folder, world.key, &key), 0);
	cr_assert_eq(key.bytes[0], 3);
}

Test(seal, a_new_key_is_never_put_over_another)
{
	struct skm_key first = {0}, second = {0};
	cr_assert_eq(skm_key_create(world.key), 0);
	cr_assert_eq(skm_key_load(NULL, world.key, &first), 0);
	cr_assert_eq(skm_key_create(world.key), -EEXIST);
	cr_assert_eq(skm_key_load(NULL, world.key, &second), 0);
	cr_assert_eq(memcmp(&first, &second, sizeof(first)), 0);
	struct stat st;
	cr_assert_eq(stat(world.key, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(st.st_nlink, 1, "its temporary name is gone");
	cr_assert_eq(skm_key_create("/nonexistent/machine.key"), -ENOENT);
	skm_key_generate(&second);
	cr_assert_neq(memcmp(first.bytes, second.bytes, sizeof(first.bytes)), 0);
}

Test(seal, escrow_opens_with_the_secret_key_alone)
{
	uint8_t public_key[32], secret[32], other_public[32], other_secret[32], derived[32];
	uint8_t text[9] = "himitsu!", box[9 + SKM_ESCROW_OVERHEAD], back[9] = {0};
	skm_escrow_keypair(public_key, secret);
	skm_escrow_keypair(other_public, other_secret);
	skm_escrow_public(secret, derived);
	cr_assert_eq(memcmp(derived, public_key, 32), 0);
	skm_escrow_seal(public_key, text, sizeof(text), box);
	cr_assert_eq(skm_escrow_open(other_public, other_secret, box, sizeof(box), back), SKM_SEAL_DAMAGED);
	cr_assert_eq(skm_escrow_open(public_key, secret, box, 40, back), SKM_SEAL_DAMAGED);
	cr_assert_eq(back[0], 0);
	cr_assert_eq(skm_escrow_open(public_key, secret, box, sizeof(box), back), 0);
	cr_assert_str_eq((char *)back, "himitsu!");
	box[50] ^= 1;
	cr_assert_eq(skm_escrow_open(public_key, secret, box, sizeof(box), back), SKM_SEAL_DAMAGED);
	/* no public key: the text must not be left in the box */
	memset(box, 'x', sizeof(box));
	skm_escrow_seal((const uint8_t[32]){0}, text, sizeof(text), box);
	cr_assert_null(memmem(box, sizeof(box), "himitsu", 7));
	cr_assert_null(memmem(box, sizeof(box), "x", 1));
}
