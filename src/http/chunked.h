#pragma once

/* The chunked transfer coding (RFC 9112, section 7.1), decoded as it arrives. Extensions and
 * trailers are read and ignored, within limits. */

#include <stddef.h>
#include <stdint.h>

enum { CHUNKED_IGNORED_MAX = 16 * 1024 }; /* bytes of extensions and trailers of one body */

typedef enum ChunkedState {
        CHUNKED_SIZE,      /* in the digits of a chunk's size */
        CHUNKED_EXTENSION, /* between them and the CR */
        CHUNKED_SIZE_LF,
        CHUNKED_DATA,
        CHUNKED_DATA_CR,
        CHUNKED_DATA_LF,
        CHUNKED_TRAILER_START, /* where a trailer, or the CR that ends it all, is next */
        CHUNKED_TRAILER,
        CHUNKED_TRAILER_LF,
        CHUNKED_END_LF,
        CHUNKED_DONE,
        CHUNKED_BAD,
} ChunkedState;

typedef struct ChunkedDecoder {
        ChunkedState state;
        unsigned digits; /* of the present chunk's size, so far */
        uint64_t left;   /* of the present chunk */
        size_t ignored;  /* bytes of extensions and trailers so far */
} ChunkedDecoder;

/* Positive outcomes. */
enum {
        CHUNKED_E_MORE = 1, /* the body goes on */
        CHUNKED_E_BAD = 2,  /* for good: every later call says the same */
};

void chunked_init(ChunkedDecoder *decoder);

/* Reads of @data as much as it can and hands out at most one piece of the body: *ret_data
 * (borrowed from @data) and *ret_data_n, which may be 0. *ret_used says how much of @data was
 * consumed, the piece included. Returns 0 when the body is complete, or an outcome above; with
 * CHUNKED_E_MORE and *ret_used < @n, call again with the rest. */
int chunked_decode(ChunkedDecoder *decoder, const uint8_t *data, size_t n, size_t *ret_used,
                   const uint8_t **ret_data, size_t *ret_data_n);
