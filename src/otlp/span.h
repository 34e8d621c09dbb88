#pragma once

/* The span model: what init says, the link carries and the tracer encodes. Nothing here owns
 * memory; strings are borrowed from whoever filled the struct. Values are those of OTLP
 * (opentelemetry-proto, trace/v1). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

enum {
        TRACE_ID_SIZE = 16,
        SPAN_ID_SIZE = 8,
        SPAN_ATTRIBUTES_MAX = 40, /* per span, event and resource */
        SPAN_EVENTS_MAX = 8,
        SPAN_LINKS_MAX = 8,
};

typedef struct TraceId {
        uint8_t bytes[TRACE_ID_SIZE];
} TraceId;

/* All zeroes: no span, as the parent of a root span. */
typedef struct SpanId {
        uint8_t bytes[SPAN_ID_SIZE];
} SpanId;

typedef enum SpanKind {
        SPAN_KIND_INTERNAL = 1,
        SPAN_KIND_SERVER = 2,
        SPAN_KIND_CLIENT = 3,
        SPAN_KIND_PRODUCER = 4,
        SPAN_KIND_CONSUMER = 5,
} SpanKind;

typedef enum SpanStatus {
        SPAN_STATUS_UNSET = 0,
        SPAN_STATUS_OK = 1,
        SPAN_STATUS_ERROR = 2,
} SpanStatus;

typedef enum AttributeType {
        ATTRIBUTE_STRING,
        ATTRIBUTE_INT,
        ATTRIBUTE_BOOL,
} AttributeType;

typedef struct Attribute {
        const char *key;
        AttributeType type;
        union {
                const char *string;
                int64_t integer;
                bool boolean;
        };
} Attribute;

typedef struct Attributes {
        Attribute items[SPAN_ATTRIBUTES_MAX];
        size_t n;
        uint32_t dropped; /* did not fit */
} Attributes;

typedef struct SpanEvent {
        nsec_t time; /* since the Unix epoch */
        const char *name;
        Attributes attributes;
} SpanEvent;

typedef struct SpanLink {
        TraceId trace_id;
        SpanId span_id;
} SpanLink;

/* Events and links are the tracer's to add: they do not travel over the link. */
typedef struct Span {
        SpanId id;
        SpanId parent;
        const char *name;
        SpanKind kind;
        nsec_t start; /* since the Unix epoch */
        nsec_t end;
        Attributes attributes;
        SpanStatus status;
        const char *status_message; /* NULL for none */
        const SpanEvent *events;
        size_t n_events;
        uint32_t dropped_events;
        const SpanLink *links;
        size_t n_links;
        uint32_t dropped_links;
} Span;

bool trace_id_is_valid(const TraceId *id);
bool span_id_is_valid(const SpanId *id);

/* Each adds one attribute, or counts it as dropped when there is no room. */
void attributes_add_string(Attributes *attributes, const char *key, const char *value);
void attributes_add_int(Attributes *attributes, const char *key, int64_t value);
void attributes_add_bool(Attributes *attributes, const char *key, bool value);
