// SPDX-License-Identifier: Apache-2.0
/* Memory that is freed all at once: what a rule set points to. One malloc for some thousand strings instead
 * of one each keeps loading 100,000 rules fast and makes freeing them one loop. Internal to lib/. */
#ifndef SEKIMORI_LIB_ARENA_H
#define SEKIMORI_LIB_ARENA_H

#include "sekimori/result.h"

struct skm_arena_block;

/* Where the arena stood: everything allocated later can be given back together. */
struct skm_arena_mark {
	struct skm_arena_block *block;
	size_t used;
};

/* *arena is the newest block; NULL = empty. The memory is not zeroed, aligned for any object, and lives until
 * skm_arena_finish. NULL when there is none. */
void *skm_arena_alloc(struct skm_arena_block **arena, size_t size) __attribute__((alloc_size(2)));
/* A copy, or NULL when there is no memory. */
char *skm_arena_strdup(struct skm_arena_block **arena, const char *text);

struct skm_arena_mark skm_arena_get_mark(struct skm_arena_block *const *arena);
/* Frees what was allocated after the mark was taken. */
void skm_arena_rewind(struct skm_arena_block **arena, struct skm_arena_mark mark);

/* Frees all of it; an empty arena is fine. */
void skm_arena_finish(struct skm_arena_block **arena);

#endif
