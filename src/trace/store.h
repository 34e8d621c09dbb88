#pragma once

/* Spans on their way out: a queue of encoded ExportTraceServiceRequests, first in, first out,
 * bounded in bytes. It knows no socket: producers add, the exporter peeks at a batch and commits
 * it once the host has answered, so nothing is lost with a failed attempt.
 *
 * It is also the ledger: every span ever added is either held, sent, or dropped. When the store
 * is full the newest spans are dropped: what is oldest leads to the trace's beginning, and a
 * producer never waits. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

typedef struct SpanStore SpanStore;

typedef enum DropCause {
        DROP_FULL,    /* no room, or no memory */
        DROP_REFUSED, /* by the host, for good */
        DROP_LATE,    /* not sent before the deadline */
        DROP_CAUSES,
} DropCause;

typedef struct SpanCounts {
        uint64_t held;
        uint64_t sent;                   /* acknowledged by the host */
        uint64_t dropped;                /* for all causes */
        uint64_t by_cause[DROP_CAUSES];
} SpanCounts;

/* The first pieces of the store. */
typedef struct SpanBatch {
        size_t pieces;
        size_t bytes;
        size_t spans;
} SpanBatch;

/* @max bounds the memory it takes, in bytes. */
int span_store_new(size_t max, SpanStore **ret);
SpanStore *span_store_free(SpanStore *store);
void span_store_freep(SpanStore **store);

/* Copies @n bytes that encode a request of @spans spans. Returns 0, or -ENOBUFS when full or
 * -ENOMEM, upon which the spans are counted as dropped. */
int span_store_add(SpanStore *store, const uint8_t *data, size_t n, size_t spans);

/* Picks as many of the oldest pieces as fit into both limits, but at least one as long as the
 * store is not empty, since a piece cannot be divided. */
SpanBatch span_store_peek(const SpanStore *store, size_t max_bytes, size_t max_spans);

/* Appends the pieces of @batch to @ret. Returns 0, -ENOBUFS or -ENOMEM. */
int span_store_read(const SpanStore *store, const SpanBatch *batch, Buffer *ret);

/* How large a piece could be added now. */
size_t span_store_room(const SpanStore *store);

/* Removes the pieces of @batch: all sent but @rejected spans, or all dropped. */
void span_store_commit(SpanStore *store, const SpanBatch *batch, uint64_t rejected);
void span_store_drop(SpanStore *store, const SpanBatch *batch, DropCause cause);

SpanCounts span_store_counts(const SpanStore *store);
