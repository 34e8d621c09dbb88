#pragma once

/* A decoded ExportTraceServiceRequest: what a sink is given. */

#include <stddef.h>
#include <stdint.h>

#include "otlp.pb-c.h"

#include "forward/arena.h"
#include "otlp/scan.h"

enum {
        BATCH_FAULT_MAX = SCAN_TEXT_MAX,
        BATCH_MEMORY_MAX = 256 * 1024 * 1024, /* of one decoded batch */
};

/* Positive outcomes of batch_decode(). */
enum {
        BATCH_E_BAD = 1,       /* never acceptable: 400 */
        BATCH_E_TOO_LARGE = 2, /* decoded, beyond BATCH_MEMORY_MAX: 413 */
};

typedef struct Batch {
        Arena arena; /* holds all of @request */
        const Otlp__ExportTraceServiceRequest *request;
} Batch;

/* Decodes untrusted bytes. Returns 0, -ENOMEM, or an outcome above, upon which @ret_fault says in
 * words what is wrong. */
int batch_decode(const uint8_t *data, size_t n, Batch **ret,
                 char ret_fault[static BATCH_FAULT_MAX]);
Batch *batch_free(Batch *batch);
