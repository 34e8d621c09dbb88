#pragma once

/* An export request with one span, byte by byte from OTLP's field tables. */

#include <stdint.h>

static const uint8_t sample_request[] = {
        0x0a, 35,          /* resource_spans */
        0x12, 33,          /* scope_spans */
        0x12, 31,          /* spans */
        0x0a, 16,          /* trace_id */
        0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31,
        0x9c,
        0x12, 8,           /* span_id */
        0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31,
        0x2a, 1, 'a',      /* name */
};

#define SAMPLE_JSON                                                                                \
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":"                           \
        "\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"b7ad6b7169203331\",\"name\":\"a\"}]}"   \
        "]}]}\n"
