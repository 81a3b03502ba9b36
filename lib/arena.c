// SPDX-License-Identifier: Apache-2.0
/* A list of blocks, newest first; each is filled from its start. Nothing is ever freed singly. */
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "arena.h"

#define BLOCK_BYTES ((size_t)64 * 1024)

struct skm_arena_block {
	struct skm_arena_block *older;
	size_t used, size;
	alignas(max_align_t) unsigned char bytes[];
};

static struct skm_arena_block *block_new(struct skm_arena_block *older, size_t size)
{
	if (size > SIZE_MAX - sizeof(struct skm_arena_block))
		return NULL;
	struct skm_arena_block *block = malloc(sizeof(*block) + size);
	if (!block)
		return NULL;
	block->older = older;
	block->used = 0;
	block->size = size;
	return block;
}

void *skm_arena_alloc(struct skm_arena_block **arena, size_t size)
{
	const size_t unit = alignof(max_align_t);
	if (size > SIZE_MAX - unit)
		return NULL;
	size = (size + unit - 1) / unit * unit;

	struct skm_arena_block *block = *arena;
	if (!block || block->size - block->used < size) {
		block = block_new(block, size > BLOCK_BYTES ? size : BLOCK_BYTES);
		if (!block)
			return NULL;
		*arena = block;
	}
	void *memory = block->bytes + block->used;
	block->used += size;
	return memory;
}

char *skm_arena_strdup(struct skm_arena_block **arena, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = skm_arena_alloc(arena, size);
	if (copy)
		memcpy(copy, text, size);
	return copy;
}

struct skm_arena_mark skm_arena_get_mark(struct skm_arena_block *const *arena)
{
	return (struct skm_arena_mark){.block = *arena, .used = *arena ? (*arena)->used : 0};
}

void skm_arena_rewind(struct skm_arena_block **arena, struct skm_arena_mark mark)
{
	while (*arena != mark.block) {
		struct skm_arena_block *older = (*arena)->older;
		free(*arena);
		*arena = older;
	}
	if (*arena)
		(*arena)->used = mark.used;
}

void skm_arena_finish(struct skm_arena_block **arena)
{
	skm_arena_rewind(arena, (struct skm_arena_mark){0});
}
