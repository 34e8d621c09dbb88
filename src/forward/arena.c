/* A list of chunks, each at least as large as all before it together up to a limit: small arenas
 * stay small, large ones make few calls. */

#include "forward/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

enum {
        CHUNK_MIN = 1024,
        CHUNK_MAX = 256 * 1024,
};

struct ArenaChunk {
        ArenaChunk *next;
        max_align_t memory[];
};

void arena_init(Arena *arena, size_t max)
{
        *arena = (Arena){.max = max};
}

void arena_done(Arena *arena)
{
        while (arena->chunks) {
                ArenaChunk *chunk = arena->chunks;

                arena->chunks = chunk->next;
                free(chunk);
        }
        arena_init(arena, arena->max);
}

static int add_chunk(Arena *arena, size_t n)
{
        size_t usual = MIN(arena->size + CHUNK_MIN, (size_t)CHUNK_MAX);
        size_t size = sizeof(ArenaChunk) + MAX(n, usual);
        ArenaChunk *chunk;

        if (size > arena->max - arena->size) {
                arena->full = true;
                return -ENOBUFS;
        }
        chunk = malloc(size);
        if (!chunk)
                return -ENOMEM;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
        arena->next = (uint8_t *)chunk->memory;
        arena->left = size - sizeof(ArenaChunk);
        arena->size += size;
        return 0;
}

void *arena_alloc(Arena *arena, size_t n)
{
        size_t align = _Alignof(max_align_t);
        void *memory;

        if (n > arena->max) {
                arena->full = true;
                return NULL;
        }
        n = (n + align - 1) & ~(align - 1);
        if (n > arena->left && add_chunk(arena, n) < 0)
                return NULL;
        memory = arena->next;
        arena->next += n;
        arena->left -= n;
        return memory;
}

char *arena_strndup(Arena *arena, const char *text, size_t n)
{
        char *copy = arena_alloc(arena, n + 1);

        if (!copy)
                return NULL;
        memcpy(copy, text, n);
        copy[n] = '\0';
        return copy;
}
