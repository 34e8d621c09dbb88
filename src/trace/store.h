#pragma once

/* Spans on their way out: queues of encoded ExportTraceServiceRequests, first in, first out,
 * together bounded in bytes. It knows no socket: producers add, the exporter peeks at a batch and
 * commits it once the host has answered, so nothing is lost with a failed attempt.
 *
 * The guest's own spans have a lane of their own, with some room that is only theirs, and go first:
 * without them the others have no place in the trace.
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

typedef enum SpanLane {
        LANE_GUEST,
        LANE_PROGRAMS,
        SPAN_LANES,
} SpanLane;

/* The first pieces of a lane. */
typedef struct SpanBatch {
        SpanLane lane;
        size_t pieces;
        size_t bytes;
        size_t spans;
} SpanBatch;

/* @max bounds the memory it takes, in bytes, of which @reserved are for LANE_GUEST. */
int span_store_new(size_t max, size_t reserved, SpanStore **ret);
SpanStore *span_store_free(SpanStore *store);
void span_store_freep(SpanStore **store);

/* Copies @n bytes that encode a request of @spans spans. Returns 0, or -ENOBUFS when full or
 * -ENOMEM, upon which the spans are counted as dropped. */
int span_store_add(SpanStore *store, SpanLane lane, const uint8_t *data, size_t n, size_t spans);

/* Picks as many of the oldest pieces of the first lane that has any as fit into both limits, but at
 * least one, since a piece cannot be divided. */
SpanBatch span_store_peek(const SpanStore *store, size_t max_bytes, size_t max_spans);

/* Appends the pieces of @batch to @ret. Returns 0, -ENOBUFS or -ENOMEM. */
int span_store_read(const SpanStore *store, const SpanBatch *batch, Buffer *ret);

/* Lets @change alter the bytes of every piece, in place. */
void span_store_change(SpanStore *store, void (*change)(void *owner, uint8_t *data, size_t n),
                       void *owner);

/* How large a piece could be added now. */
size_t span_store_room(const SpanStore *store, SpanLane lane);

/* Removes the pieces of @batch: all sent but @rejected spans, or all dropped. */
void span_store_commit(SpanStore *store, const SpanBatch *batch, uint64_t rejected);
void span_store_drop(SpanStore *store, const SpanBatch *batch, DropCause cause);

SpanCounts span_store_counts(const SpanStore *store);
