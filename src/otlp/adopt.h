#pragma once

/* What becomes of a request that a program of the guest hands in. Its spans at fault are left out.
 * Those of traces other than ours, of programs that do not know of it, become part of it: their
 * trace id is replaced by ours, root spans get a parent of ours, links follow, and the original
 * trace id is kept as an attribute. Span ids stay. What a span becomes depends on its trace id
 * alone, so a trace stays together however it is spread over requests and senders. Bytes to bytes:
 * nothing is unpacked. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "otlp/scan.h"
#include "otlp/span.h"

#define ADOPT_ATTRIBUTE "rootspan.original_trace_id"

enum { ADOPT_KNOWN_MAX = 1024 };

typedef struct Adoption {
        bool enabled; /* else spans are passed on as they are */
        TraceId trace_id;
        TraceId former; /* the id that programs take ours to be: replaced even if not enabled; all
                         * zeroes when that is @trace_id */
        SpanId parent;  /* of the root spans of other traces */
        /* Trace ids that were replaced, each in the place it determines, where a newer one drives
         * it out: what links lead to. */
        TraceId known[ADOPT_KNOWN_MAX];
} Adoption;

typedef struct AdoptResult {
        size_t taken;              /* spans that were written */
        size_t rejected;           /* spans at fault */
        char fault[SCAN_TEXT_MAX]; /* the first of all, or what was returned */
} AdoptResult;

/* Appends to @ret a request with what can be taken of that in @data, which is untrusted. Returns 0,
 * a fault SCAN_E_* outside of the spans for which the request is to be refused as a whole,
 * -ENOBUFS, or -ENOMEM; what was appended is of no use then. A link to a trace of which no span has
 * come yet stays as it is. */
int adopt_request(Adoption *adoption, const uint8_t *data, size_t n, Buffer *ret,
                  AdoptResult *ret_result);
