// SPDX-License-Identifier: Apache-2.0
/* A Merkle tree of the shape of RFC 9162, 2.1 (the same as RFC 6962's): its root, and short proofs that one
 * leaf is in it. Leaves are given one by one and not kept: memory is fixed whatever their number. Pure. */
#ifndef SKM_WITNESS_TREE_H
#define SKM_WITNESS_TREE_H

#include "primitives.h"

#define SKM_TREE_LEVELS 64

/* Zeros = no leaf yet. */
struct skm_tree {
	uint64_t count;
	uint8_t nodes[SKM_TREE_LEVELS]
		     [SKM_WITNESS_HASH_BYTES]; /* [i]: of 2^i leaves, where bit i of count is 1 */
};
void skm_tree_add(struct skm_tree *tree, const void *leaf, size_t len);
void skm_tree_root(const struct skm_tree *tree, uint8_t ret_root[SKM_WITNESS_HASH_BYTES]);

/* An inclusion proof (RFC 9162, 2.1.3): the neighbours on the way from the leaf to the root. */
struct skm_tree_path {
	uint64_t index, size; /* of the leaf, from 0; of the tree */
	unsigned count;	      /* of nodes */
	uint8_t nodes[SKM_TREE_LEVELS][SKM_WITNESS_HASH_BYTES];
};
/* Is the path of a length that such a place has? Then: does it lead from this leaf to this root? */
SKM_NODISCARD bool skm_tree_path_holds(const struct skm_tree_path *path, const void *leaf, size_t len,
	const uint8_t root[SKM_WITNESS_HASH_BYTES]);

/* Makes a path while the leaves of the tree go by. About 130 KiB. */
struct skm_tree_prover;
/* 0, -EINVAL when there is no such leaf, -ENOMEM. */
SKM_NODISCARD int skm_tree_prover_new(uint64_t index, uint64_t size, struct skm_tree_prover **ret_prover);
struct skm_tree_prover *skm_tree_prover_free(struct skm_tree_prover *prover); /* takes NULL; always NULL */
void skm_tree_prover_add(struct skm_tree_prover *prover, const void *leaf, size_t len);
/* 0, or -ERANGE when other than `size` leaves were given. */
SKM_NODISCARD int skm_tree_prover_get(const struct skm_tree_prover *prover, struct skm_tree_path *ret_path);

#endif
