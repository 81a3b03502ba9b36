// SPDX-License-Identifier: Apache-2.0
/* The root of n leaves needs no more than the roots of the full subtrees that n's binary digits name; a path
 * needs the roots of at most 64 ranges of leaves, which are known before the first leaf is read. So a day of
 * a million terminals is read as a stream. Keeping all leaf hashes was rejected for that reason, and a tree
 * of another shape (padding with the last leaf) since it gives two lists of leaves one root. */
#include "tree.h"

#include <string.h>

static void join(const uint8_t *left, const uint8_t *right, uint8_t *ret_node)
{
	skm_witness_hash(
		SKM_DOMAIN_NODE, left, SKM_WITNESS_HASH_BYTES, right, SKM_WITNESS_HASH_BYTES, ret_node);
}

void skm_tree_add(struct skm_tree *tree, const void *leaf, size_t len)
{
	uint8_t hash[SKM_WITNESS_HASH_BYTES];
	unsigned level = 0;
	skm_witness_hash(SKM_DOMAIN_LEAF, leaf, len, NULL, 0, hash);
	for (; tree->count >> level & 1; level++)
		join(tree->nodes[level], hash, hash);
	memcpy(tree->nodes[level], hash, sizeof(hash));
	tree->count++;
}

void skm_tree_root(const struct skm_tree *tree, uint8_t ret_root[SKM_WITNESS_HASH_BYTES])
{
	bool has_any = false;
	if (tree->count == 0)
		skm_witness_hash_nothing(ret_root);
	for (unsigned level = 0; level < SKM_TREE_LEVELS; level++) {
		if ((tree->count >> level & 1) == 0)
			continue;
		if (has_any)
			join(tree->nodes[level], ret_root, ret_root);
		else
			memcpy(ret_root, tree->nodes[level], SKM_WITNESS_HASH_BYTES);
		has_any = true;
	}
}

/* ---- paths ---- */

bool skm_tree_path_holds(const struct skm_tree_path *path, const void *leaf, size_t len,
	const uint8_t root[SKM_WITNESS_HASH_BYTES])
{
	uint8_t hash[SKM_WITNESS_HASH_BYTES];
	if (path->index >= path->size || path->count > SKM_TREE_LEVELS)
		return false;
	/* RFC 9162, 2.1.3.2 */
	uint64_t at = path->index, last = path->size - 1;
	skm_witness_hash(SKM_DOMAIN_LEAF, leaf, len, NULL, 0, hash);
	for (unsigned i = 0; i < path->count; i++) {
		if (last == 0)
			return false;
		if ((at & 1) == 1 || at == last) {
			join(path->nodes[i], hash, hash);
			for (; (at & 1) == 0 && at != 0; at >>= 1)
				last >>= 1;
		} else {
			join(hash, path->nodes[i], hash);
		}
		at >>= 1;
		last >>= 1;
	}
	return last == 0 && memcmp(hash, root, sizeof(hash)) == 0;
}

/* The neighbour at one level: the tree of the leaves [begin, end). */
struct neighbour {
	uint64_t begin, end;
	struct skm_tree tree;
};

struct skm_tree_prover {
	uint64_t index, size, seen;
	unsigned count;
	struct neighbour neighbours[SKM_TREE_LEVELS]; /* the largest first */
};

int skm_tree_prover_new(uint64_t index, uint64_t size, struct skm_tree_prover **ret_prover)
{
	if (index >= size)
		return -EINVAL;
	struct skm_tree_prover *prover = calloc(1, sizeof(*prover));
	if (!prover)
		return -ENOMEM;
	prover->index = index;
	prover->size = size;
	for (uint64_t begin = 0, end = size; end - begin > 1;) {
		uint64_t half = UINT64_C(1) << (63 - __builtin_clzll(end - begin - 1)); /* the largest power
			of two below the number of leaves */
		struct neighbour *neighbour = &prover->neighbours[prover->count++];
		neighbour->begin = index < begin + half ? begin + half : begin;
		neighbour->end = index < begin + half ? end : begin + half;
		if (index < begin + half)
			end = begin + half;
		else
			begin += half;
	}
	*ret_prover = prover;
	return 0;
}

struct skm_tree_prover *skm_tree_prover_free(struct skm_tree_prover *prover)
{
	free(prover);
	return NULL;
}

void skm_tree_prover_add(struct skm_tree_prover *prover, const void *leaf, size_t len)
{
	for (unsigned i = 0; i < prover->count; i++) {
		struct neighbour *neighbour = &prover->neighbours[i];
		if (prover->seen >= neighbour->begin && prover->seen < neighbour->end) {
			skm_tree_add(&neighbour->tree, leaf, len);
			break;
		}
	}
	prover->seen++;
}

int skm_tree_prover_get(const struct skm_tree_prover *prover, struct skm_tree_path *ret_path)
{
	if (prover->seen != prover->size)
		return -ERANGE;
	ret_path->index = prover->index;
	ret_path->size = prover->size;
	ret_path->count = prover->count;
	for (unsigned i = 0; i < prover->count; i++)
		skm_tree_root(&prover->neighbours[prover->count - 1 - i].tree, ret_path->nodes[i]);
	return 0;
}
