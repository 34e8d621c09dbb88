#pragma once

/* The messages of an ExportTraceServiceRequest as a table, for all that reads or writes them
 * without generated code. */

#include <stddef.h>
#include <stdint.h>

#include "otlp/wire.h"

enum {
        /* No exporter that batches comes near these. */
        SCHEMA_SPANS_MAX = 64 * 1024,  /* per request */
        SCHEMA_ATTRIBUTES_MAX = 4096,  /* per span, event, link, scope, resource, key-value list */
        SCHEMA_EVENTS_MAX = 4096,      /* per span */
        SCHEMA_LINKS_MAX = 4096,       /* per span */
        SCHEMA_VALUES_MAX = 16 * 1024, /* per array */
        /* Messages and unknown fields per request: 2 bytes of input make protobuf-c allocate up to
         * 80, so that counting bytes alone would not bound its memory. */
        SCHEMA_PARTS_MAX = 1024 * 1024,

        SCHEMA_FIELDS_MAX = 16, /* fields that any one message has in the table */
};

/* Numbers of those fields that are dealt with by name. */
enum {
        FIELD_REQUEST_RESOURCE_SPANS = 1,
        FIELD_RESOURCE_SPANS_SCOPE_SPANS = 2,
        FIELD_SCOPE_SPANS_SPANS = 2,
        FIELD_SPAN_TRACE_ID = 1,
        FIELD_SPAN_PARENT_ID = 4,
        FIELD_SPAN_ATTRIBUTES = 9,
        FIELD_SPAN_LINKS = 13,
        FIELD_LINK_TRACE_ID = 1,
        FIELD_KEY_VALUE_KEY = 1,
        FIELD_KEY_VALUE_VALUE = 2,
        FIELD_ANY_VALUE_STRING = 1,
};

typedef enum SchemaKind {
        SCHEMA_BOOL,
        SCHEMA_ENUM,
        SCHEMA_UINT32,
        SCHEMA_INT64,
        SCHEMA_FIXED32,
        SCHEMA_FIXED64,
        SCHEMA_DOUBLE,
        SCHEMA_BYTES,
        SCHEMA_STRING,
        SCHEMA_TRACE_ID,
        SCHEMA_SPAN_ID,
        SCHEMA_PARENT_ID, /* a span id, or empty */
        SCHEMA_MESSAGE,
} SchemaKind;

typedef enum SchemaType {
        SCHEMA_TYPE_REQUEST,
        SCHEMA_TYPE_RESOURCE_SPANS,
        SCHEMA_TYPE_SCOPE_SPANS,
        SCHEMA_TYPE_SPAN,
        SCHEMA_TYPE_RESOURCE,
        SCHEMA_TYPE_SCOPE,
        SCHEMA_TYPE_EVENT,
        SCHEMA_TYPE_LINK,
        SCHEMA_TYPE_STATUS,
        SCHEMA_TYPE_KEY_VALUE,
        SCHEMA_TYPE_ANY_VALUE,
        SCHEMA_TYPE_ARRAY,
        SCHEMA_TYPE_KEY_VALUE_LIST,
} SchemaType;

typedef struct SchemaField {
        unsigned number;
        const char *name;
        SchemaKind kind;
        SchemaType type; /* of SCHEMA_MESSAGE */
        uint32_t max;    /* of a repeated field: how many; 0 for a field with one value */
} SchemaField;

typedef struct SchemaMessage {
        const char *name;
        const SchemaField *fields;
        size_t n;
} SchemaMessage;

/* By SchemaType. */
extern const SchemaMessage schema_messages[];

unsigned schema_wire_type(SchemaKind kind);

/* The field with that number, or NULL. */
const SchemaField *schema_find(SchemaType type, uint64_t number);
