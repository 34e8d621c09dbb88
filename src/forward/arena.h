#pragma once

/* Memory that is given back all at once, with a cap on its sum. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ArenaChunk ArenaChunk;

typedef struct Arena {
        ArenaChunk *chunks;
        uint8_t *next; /* free memory in the newest chunk */
        size_t left;
        size_t size; /* of all chunks */
        size_t max;
        bool full; /* an allocation failed for the cap, not for want of memory */
} Arena;

/* @max is in bytes. Allocates nothing. */
void arena_init(Arena *arena, size_t max);
void arena_done(Arena *arena);

/* @n bytes, aligned for anything, not cleared. NULL above the cap or without memory. */
void *arena_alloc(Arena *arena, size_t n);

/* A copy with a NUL behind it, or NULL as above. */
char *arena_strndup(Arena *arena, const char *text, size_t n);
