/* Decoding a request. The scan comes first: it holds what protobuf-c does not care about (depth,
 * ids, UTF-8, counts), so that nothing behind this file meets input it could stumble over. */

#include "forward/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/macro.h"

static void *batch_alloc(void *arena, size_t n)
{
        return arena_alloc(arena, n);
}

static void batch_unalloc(void *arena, void *memory)
{
        /* The arena gives all back at once. */
}

int batch_decode(const uint8_t *data, size_t n, Batch **ret,
                 char ret_fault[static BATCH_FAULT_MAX])
{
        Batch *batch = NULL;
        Scan scan;
        int r;

        r = scan_request(&scan, data, n);
        if (r != 0) {
                scan_describe(&scan, r, ret_fault);
                return BATCH_E_BAD;
        }
        batch = malloc(sizeof(*batch));
        if (!batch)
                return -ENOMEM;
        arena_init(&batch->arena, BATCH_MEMORY_MAX);
        batch->request = otlp__export_trace_service_request__unpack(
                &(ProtobufCAllocator){batch_alloc, batch_unalloc, &batch->arena}, n, data);
        if (!batch->request) {
                r = batch->arena.full ? BATCH_E_TOO_LARGE : -ENOMEM;
                (void)snprintf(ret_fault, BATCH_FAULT_MAX, "too large once decoded");
                (void)batch_free(batch);
                return r;
        }
        *ret = batch;
        return 0;
}

Batch *batch_free(Batch *batch)
{
        if (batch)
                arena_done(&batch->arena);
        free(batch);
        return NULL;
}
