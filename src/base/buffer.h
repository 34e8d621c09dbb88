#pragma once

/* A growing byte buffer with a cap. Bytes are added at the end and consumed at the front. */

#include <stddef.h>
#include <stdint.h>

typedef struct Buffer {
        uint8_t *memory;
        size_t start; /* first unconsumed byte */
        size_t end;   /* one past the last byte */
        size_t size;  /* of @memory */
        size_t max;   /* never holds more unconsumed bytes than this */
} Buffer;

/* @max is in bytes. Allocates nothing. */
void buffer_init(Buffer *buffer, size_t max);
void buffer_done(Buffer *buffer);

/* The unconsumed bytes (NULL as long as nothing was ever added), and how many there are. */
uint8_t *buffer_data(const Buffer *buffer);
size_t buffer_length(const Buffer *buffer);

/* Makes room for @n more bytes and returns where they go in @ret; buffer_commit() then says how
 * many were really written. Returns 0, -ENOBUFS above the cap, or -ENOMEM. */
int buffer_reserve(Buffer *buffer, size_t n, uint8_t **ret);
void buffer_commit(Buffer *buffer, size_t n);

/* Returns 0, -ENOBUFS above the cap (nothing is added then), or -ENOMEM. */
int buffer_append(Buffer *buffer, const void *data, size_t n);

/* Drops the first @n bytes, of which there must be that many. */
void buffer_consume(Buffer *buffer, size_t n);
void buffer_clear(Buffer *buffer);
