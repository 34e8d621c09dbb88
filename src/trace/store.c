/* The store: singly linked lists of pieces, each one allocation. */

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

typedef struct Queue {
        Piece *first;
        Piece **end; /* where the next piece is linked */
} Queue;

struct SpanStore {
        Queue lanes[SPAN_LANES];
        size_t size; /* of all pieces, their headers included: many tiny ones are bounded too */
        size_t max[SPAN_LANES]; /* of @size, when one is added to a lane */
        SpanCounts counts;
};

int span_store_new(size_t max, size_t reserved, SpanStore **ret)
{
        SpanStore *store = malloc(sizeof(*store));

        if (!store)
                return -ENOMEM;
        *store = (SpanStore){
                .max = {[LANE_GUEST] = max, [LANE_PROGRAMS] = max - reserved},
        };
        for (size_t i = 0; i < SPAN_LANES; i++)
                store->lanes[i].end = &store->lanes[i].first;
        *ret = store;
        return 0;
}

static void remove_first(SpanStore *store, Queue *queue)
{
        Piece *piece = queue->first;

        queue->first = piece->next;
        if (!queue->first)
                queue->end = &queue->first;
        store->size -= sizeof(Piece) + piece->n;
        store->counts.held -= piece->spans;
        free(piece);
}

SpanStore *span_store_free(SpanStore *store)
{
        if (!store)
                return NULL;
        for (size_t i = 0; i < SPAN_LANES; i++)
                while (store->lanes[i].first)
                        remove_first(store, &store->lanes[i]);
        free(store);
        return NULL;
}

void span_store_freep(SpanStore **store)
{
        *store = span_store_free(*store);
}

size_t span_store_room(const SpanStore *store, SpanLane lane)
{
        size_t used = store->size + sizeof(Piece);

        return used < store->max[lane] ? store->max[lane] - used : 0;
}

static void count_dropped(SpanStore *store, uint64_t spans, DropCause cause)
{
        store->counts.dropped += spans;
        store->counts.by_cause[cause] += spans;
}

int span_store_add(SpanStore *store, SpanLane lane, const uint8_t *data, size_t n, size_t spans)
{
        Queue *queue = &store->lanes[lane];
        bool fits = n <= span_store_room(store, lane);
        Piece *piece = NULL;

        if (fits)
                piece = malloc(sizeof(Piece) + n);
        if (!piece) {
                count_dropped(store, spans, DROP_FULL);
                return fits ? -ENOMEM : -ENOBUFS;
        }
        *piece = (Piece){.n = n, .spans = spans};
        memcpy(piece->data, data, n);
        *queue->end = piece;
        queue->end = &piece->next;
        store->size += sizeof(Piece) + n;
        store->counts.held += spans;
        return 0;
}

SpanBatch span_store_peek(const SpanStore *store, size_t max_bytes, size_t max_spans)
{
        SpanBatch batch = {.lane = store->lanes[LANE_GUEST].first ? LANE_GUEST : LANE_PROGRAMS};

        for (const Piece *piece = store->lanes[batch.lane].first; piece; piece = piece->next) {
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
        const Piece *piece = store->lanes[batch->lane].first;

        for (size_t i = 0; i < batch->pieces; i++, piece = piece->next) {
                int r = buffer_append(ret, piece->data, piece->n);

                if (r < 0)
                        return r;
        }
        return 0;
}

void span_store_change(SpanStore *store, void (*change)(void *owner, uint8_t *data, size_t n),
                       void *owner)
{
        for (size_t i = 0; i < SPAN_LANES; i++)
                for (Piece *piece = store->lanes[i].first; piece; piece = piece->next)
                        change(owner, piece->data, piece->n);
}

static void remove_batch(SpanStore *store, const SpanBatch *batch, uint64_t dropped,
                         DropCause cause)
{
        store->counts.sent += batch->spans - dropped;
        count_dropped(store, dropped, cause);
        for (size_t i = 0; i < batch->pieces; i++)
                remove_first(store, &store->lanes[batch->lane]);
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
