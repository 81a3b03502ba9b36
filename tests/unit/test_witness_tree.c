// SPDX-License-Identifier: Apache-2.0
/* The tree against the definition in RFC 9162, 2.1.1 and 2.1.3.1, written down in Python (hashlib.blake2b, by
 * recursion over the list of leaves), where these numbers are from. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/chain.h"
#include "tree.h"

static void start(void)
{
	cr_assert_eq(skm_chain_start(), 0);
}

TestSuite(witness_tree, .init = start);

static size_t leaf(uint64_t i, char text[32])
{
	return (size_t)snprintf(text, 32, "leaf %llu", (unsigned long long)i);
}

static void root_of(uint64_t count, uint8_t root[SKM_WITNESS_HASH_BYTES])
{
	struct skm_tree tree = {.count = 0};
	char text[32];
	for (uint64_t i = 0; i < count; i++)
		skm_tree_add(&tree, text, leaf(i, text));
	skm_tree_root(&tree, root);
}

static void path_of(uint64_t index, uint64_t size, struct skm_tree_path *path)
{
	struct skm_tree_prover *prover = NULL;
	char text[32];
	cr_assert_eq(skm_tree_prover_new(index, size, &prover), 0);
	for (uint64_t i = 0; i < size; i++)
		skm_tree_prover_add(prover, text, leaf(i, text));
	cr_assert_eq(skm_tree_prover_get(prover, path), 0);
	prover = skm_tree_prover_free(prover);
}

static void expect_hex(const uint8_t *bytes, const char *expected)
{
	char text[2 * SKM_WITNESS_HASH_BYTES + 1];
	skm_hex_format(bytes, SKM_WITNESS_HASH_BYTES, text);
	cr_expect_str_eq(text, expected);
}

Test(witness_tree, roots_are_those_of_the_definition)
{
	static const struct {
		uint64_t count;
		const char *root;
	} expected[] = {
		{0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"},
		{1, "6d4956ede9f4ee7a09942103ded156875ce763d464934de3a8550a2f28957db0"},
		{2, "35523e1f8b8254af9bd4a6fcb5ec3461ac259bffebf89da576ab46ea639b0f89"},
		{3, "04ff8670c8ba7606ca7dac4b738e9efa139e2d6d7e89a93ab5a2e963cda2d8d9"},
		{4, "8770c964546edc82500885cdb8684758c574f036c0469d765c1cf672bbc619ed"},
		{5, "907c20316d72f6d43ec7194df2530cfa15ba8d31efb0772cb6ef284afad4462c"},
		{7, "13134b82d459a006194f95790615800034afe824563ece48fc3aa809cc9079f1"},
		{8, "5323646eb7ef69eee833b58833dad83e123349a987dff33889014ba56c35bf16"},
		{9, "e2e1f43cdfa73e76c4ee6d6ebd39a9585ce3f68e017f626cc02dedec5297b49d"},
		{1000, "30e2c979c1cd64083ff039a92c3e0fe392ce4d57c00fe46c647adfaaf160a4bd"},
	};
	uint8_t root[SKM_WITNESS_HASH_BYTES];
	for (size_t i = 0; i < SKM_ARRAY_SIZE(expected); i++) {
		root_of(expected[i].count, root);
		expect_hex(root, expected[i].root);
	}
}

Test(witness_tree, paths_are_those_of_the_definition)
{
	static const char *const fourth[] = {
		"086ed33a6f9f6eaad25dbad57469bdb7e88bc676265a0d299c5648f8f93d478c",
		"bfe19867d1a6b5519ce0e7d073ead825a7541d881280c11df1884b6c0ae0a58b",
		"8770c964546edc82500885cdb8684758c574f036c0469d765c1cf672bbc619ed",
	};
	static const char *const sixth[] = {
		"d5f867a6e63f9c30b3522c4e48d820e7c70e8b5a3983f581aba4410ad2a86b3d",
		"8770c964546edc82500885cdb8684758c574f036c0469d765c1cf672bbc619ed",
	};
	struct skm_tree_path path;
	path_of(4, 7, &path);
	cr_assert_eq(path.count, SKM_ARRAY_SIZE(fourth));
	for (unsigned i = 0; i < path.count; i++)
		expect_hex(path.nodes[i], fourth[i]);
	path_of(6, 7, &path);
	cr_assert_eq(path.count, SKM_ARRAY_SIZE(sixth));
	for (unsigned i = 0; i < path.count; i++)
		expect_hex(path.nodes[i], sixth[i]);
}

/* All places of all small trees: the path of each holds for it, and for nothing else. */
Test(witness_tree, a_path_holds_for_its_leaf_alone)
{
	for (uint64_t size = 1; size <= 33; size++) {
		uint8_t root[SKM_WITNESS_HASH_BYTES];
		root_of(size, root);
		for (uint64_t index = 0; index < size; index++) {
			struct skm_tree_path path;
			char text[32], other[32];
			size_t len = leaf(index, text);
			path_of(index, size, &path);
			cr_assert(skm_tree_path_holds(&path, text, len, root), "leaf %llu of %llu",
				(unsigned long long)index, (unsigned long long)size);
			cr_expect_not(skm_tree_path_holds(&path, other, leaf(size, other), root));
			cr_expect_not(skm_tree_path_holds(&path, text, len - 1, root));
			for (uint64_t elsewhere = 0; elsewhere <= size; elsewhere++) {
				struct skm_tree_path moved = path;
				moved.index = elsewhere;
				if (elsewhere != index)
					cr_expect_not(skm_tree_path_holds(&moved, text, len, root),
						"leaf %llu of %llu also at %llu", (unsigned long long)index,
						(unsigned long long)size, (unsigned long long)elsewhere);
			}
			for (unsigned i = 0; i < path.count; i++) {
				struct skm_tree_path changed = path;
				changed.nodes[i][31] ^= 1;
				cr_expect_not(skm_tree_path_holds(&changed, text, len, root));
			}
		}
	}
}

Test(witness_tree, a_path_of_another_length_is_none)
{
	struct skm_tree_path path;
	uint8_t root[SKM_WITNESS_HASH_BYTES];
	char text[32];
	size_t len = leaf(5, text);
	root_of(8, root);
	path_of(5, 8, &path);
	path.count--;
	cr_expect_not(skm_tree_path_holds(&path, text, len, root));
	path.count += 2;
	cr_expect_not(skm_tree_path_holds(&path, text, len, root));
	path.count = SKM_TREE_LEVELS + 1;
	cr_expect_not(skm_tree_path_holds(&path, text, len, root));
	path.count = 3;
	path.size = 0;
	cr_expect_not(skm_tree_path_holds(&path, text, len, root));
}

/* Without the bytes in front, an inner node could be shown as a record of 64 bytes. */
Test(witness_tree, a_node_is_no_leaf)
{
	uint8_t children[2][SKM_WITNESS_HASH_BYTES], root[SKM_WITNESS_HASH_BYTES];
	char text[32];
	struct skm_tree_path path = {.index = 0, .size = 1, .count = 0};
	for (uint64_t i = 0; i < 2; i++) {
		size_t len = leaf(i, text);
		skm_witness_hash(SKM_DOMAIN_LEAF, text, len, NULL, 0, children[i]);
	}
	root_of(2, root);
	cr_expect_not(skm_tree_path_holds(&path, children, sizeof(children), root));
}

Test(witness_tree, a_prover_wants_as_many_leaves_as_it_was_told)
{
	struct skm_tree_prover *prover = NULL;
	struct skm_tree_path path;
	cr_expect_eq(skm_tree_prover_new(3, 3, &prover), -EINVAL);
	cr_expect_eq(skm_tree_prover_new(0, 0, &prover), -EINVAL);
	cr_assert_eq(skm_tree_prover_new(1, 2, &prover), 0);
	skm_tree_prover_add(prover, "a", 1);
	cr_expect_eq(skm_tree_prover_get(prover, &path), -ERANGE);
	skm_tree_prover_add(prover, "b", 1);
	cr_expect_eq(skm_tree_prover_get(prover, &path), 0);
	skm_tree_prover_add(prover, "c", 1);
	cr_expect_eq(skm_tree_prover_get(prover, &path), -ERANGE);
	prover = skm_tree_prover_free(prover);
}
