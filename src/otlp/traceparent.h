#pragma once

/* W3C Trace Context: the traceparent value (https://www.w3.org/TR/trace-context/). */

#include <stddef.h>

#include "otlp/span.h"

enum {
        TRACEPARENT_LENGTH = 55, /* of version 00 */
        TRACEPARENT_TEXT_MAX = TRACEPARENT_LENGTH + 1,
        TRACEPARENT_SAMPLED = 0x01,
};

typedef struct Traceparent {
        TraceId trace_id;
        SpanId span_id;
        uint8_t flags;
} Traceparent;

/* Reads version 00 exactly, and of a higher version the part that version 00 defines. Returns 0,
 * or -EINVAL, upon which the specification wants the value ignored as a whole. */
int traceparent_parse(const char *text, size_t n, Traceparent *ret);

/* Writes version 00. */
void traceparent_format(const Traceparent *traceparent, char ret[static TRACEPARENT_TEXT_MAX]);
