/* The store: a singly linked list of pieces, each one allocation. */

#include "trace/store.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

typedef struct Piece Piece;

struct Piece {
        Piece *next;
        size_t n;
        size_t spans;
        uint8_t data[];
};

struct SpanStore {
        Piece *first;
        Piece **end; /* where the next piece is linked */
        size_t size; /* of all pieces, their headers included: many tiny ones are bounded too */
        size_t max;
        SpanCounts counts;
};

int span_store_new(size_t max, SpanStore **ret)
{
        SpanStore *store = malloc(sizeof(*store));

        if (!store)
                return -ENOMEM;
        *store = (SpanStore){.end = &store->first, .max = max};
        *ret = store;
        return 0;
}

static void remove_first(SpanStore *store)
{
        Piece *piece = store->first;

        store->first = piece->next;
        if (!store->first)
                store->end = &store->first;
        store->size -= sizeof(Piece) + piece->n;
        store->counts.held -= piece->spans;
        free(piece);
}

SpanStore *span_store_free(SpanStore *store)
{
        if (!store)
                return NULL;
        while (store->first)
                remove_first(store);
        free(store);
        return NULL;
}

void span_store_freep(SpanStore **store)
{
        *store = span_store_free(*store);
}

size_t span_store_room(const SpanStore *store)
{
        size_t left = store->max - store->size;

        return left > sizeof(Piece) ? left - sizeof(Piece) : 0;
}

static void count_dropped(SpanStore *store, uint64_t spans, DropCause cause)
{
        store->counts.dropped += spans;
        store->counts.by_cause[cause] += spans;
}

int span_store_add(SpanStore *store, const uint8_t *data, size_t n, size_t spans)
{
        bool fits = n <= span_store_room(store);
        Piece *piece = NULL;

        if (fits)
                piece = malloc(sizeof(Piece) + n);
        if (!piece) {
                count_dropped(store, spans, DROP_FULL);
                return fits ? -ENOMEM : -ENOBUFS;
        }
        *piece = (Piece){.n = n, .spans = spans};
        memcpy(piece->data, data, n);
        *store->end = piece;
        store->end = &piece->next;
        store->size += sizeof(Piece) + n;
        store->counts.held += spans;
        return 0;
}

SpanBatch span_store_peek(const SpanStore *store, size_t max_bytes, size_t max_spans)
{
        SpanBatch batch = {0};

        for (const Piece *piece = store->first; piece; piece = piece->next) {
                if (batch.pieces > 0 && (batch.bytes >= max_bytes || batch.spans >= max_spans ||
                                         piece->n > max_bytes - batch.bytes ||
                                         piece->spans > max_spans - batch.spans))
                        break;
                batch.pieces++;
                batch.bytes += piece->n;
                batch.spans += piece->spans;
        }
        return batch;
}

int span_store_read(const SpanStore *store, const SpanBatch *batch, Buffer *ret)
{
        const Piece *piece = store->first;

        for (size_t i = 0; i < batch->pieces; i++, piece = piece->next) {
                int r = buffer_append(ret, piece->data, piece->n);

                if (r < 0)
                        return r;
        }
        return 0;
}

static void remove_batch(SpanStore *store, const SpanBatch *batch, uint64_t dropped, DropCause cause)
{
        store->counts.sent += batch->spans - dropped;
        count_dropped(store, dropped, cause);
        for (size_t i = 0; i < batch->pieces; i++)
                remove_first(store);
}

void span_store_commit(SpanStore *store, const SpanBatch *batch, uint64_t rejected)
{
        remove_batch(store, batch, MIN(rejected, (uint64_t)batch->spans), DROP_REFUSED);
}

void span_store_drop(SpanStore *store, const SpanBatch *batch, DropCause cause)
{
        remove_batch(store, batch, batch->spans, cause);
}

SpanCounts span_store_counts(const SpanStore *store)
{
        return store->counts;
}
