/* The table. It must agree with proto/otlp.proto. */

#include "otlp/schema.h"

#include <string.h>

#include "base/macro.h"

static const SchemaField request_fields[] = {
        {1, "ExportTraceServiceRequest.resource_spans", SCHEMA_MESSAGE, SCHEMA_TYPE_RESOURCE_SPANS,
         SCHEMA_PARTS_MAX},
};

static const SchemaField resource_spans_fields[] = {
        {1, "ResourceSpans.resource", SCHEMA_MESSAGE, SCHEMA_TYPE_RESOURCE},
        {2, "ResourceSpans.scope_spans", SCHEMA_MESSAGE, SCHEMA_TYPE_SCOPE_SPANS, SCHEMA_PARTS_MAX},
        {3, "ResourceSpans.schema_url", SCHEMA_STRING},
};

static const SchemaField scope_spans_fields[] = {
        {1, "ScopeSpans.scope", SCHEMA_MESSAGE, SCHEMA_TYPE_SCOPE},
        {2, "ScopeSpans.spans", SCHEMA_MESSAGE, SCHEMA_TYPE_SPAN, SCHEMA_SPANS_MAX},
        {3, "ScopeSpans.schema_url", SCHEMA_STRING},
};

static const SchemaField span_fields[] = {
        {1, "Span.trace_id", SCHEMA_TRACE_ID},
        {2, "Span.span_id", SCHEMA_SPAN_ID},
        {3, "Span.trace_state", SCHEMA_STRING},
        {4, "Span.parent_span_id", SCHEMA_PARENT_ID},
        {5, "Span.name", SCHEMA_STRING},
        {6, "Span.kind", SCHEMA_ENUM},
        {7, "Span.start_time_unix_nano", SCHEMA_FIXED64},
        {8, "Span.end_time_unix_nano", SCHEMA_FIXED64},
        {9, "Span.attributes", SCHEMA_MESSAGE, SCHEMA_TYPE_KEY_VALUE, SCHEMA_ATTRIBUTES_MAX},
        {10, "Span.dropped_attributes_count", SCHEMA_UINT32},
        {11, "Span.events", SCHEMA_MESSAGE, SCHEMA_TYPE_EVENT, SCHEMA_EVENTS_MAX},
        {12, "Span.dropped_events_count", SCHEMA_UINT32},
        {13, "Span.links", SCHEMA_MESSAGE, SCHEMA_TYPE_LINK, SCHEMA_LINKS_MAX},
        {14, "Span.dropped_links_count", SCHEMA_UINT32},
        {15, "Span.status", SCHEMA_MESSAGE, SCHEMA_TYPE_STATUS},
        {16, "Span.flags", SCHEMA_FIXED32},
};

static const SchemaField resource_fields[] = {
        {1, "Resource.attributes", SCHEMA_MESSAGE, SCHEMA_TYPE_KEY_VALUE, SCHEMA_ATTRIBUTES_MAX},
        {2, "Resource.dropped_attributes_count", SCHEMA_UINT32},
};

static const SchemaField scope_fields[] = {
        {1, "InstrumentationScope.name", SCHEMA_STRING},
        {2, "InstrumentationScope.version", SCHEMA_STRING},
        {3, "InstrumentationScope.attributes", SCHEMA_MESSAGE, SCHEMA_TYPE_KEY_VALUE,
         SCHEMA_ATTRIBUTES_MAX},
        {4, "InstrumentationScope.dropped_attributes_count", SCHEMA_UINT32},
};

static const SchemaField event_fields[] = {
        {1, "Event.time_unix_nano", SCHEMA_FIXED64},
        {2, "Event.name", SCHEMA_STRING},
        {3, "Event.attributes", SCHEMA_MESSAGE, SCHEMA_TYPE_KEY_VALUE, SCHEMA_ATTRIBUTES_MAX},
        {4, "Event.dropped_attributes_count", SCHEMA_UINT32},
};

static const SchemaField link_fields[] = {
        {1, "Link.trace_id", SCHEMA_TRACE_ID},
        {2, "Link.span_id", SCHEMA_SPAN_ID},
        {3, "Link.trace_state", SCHEMA_STRING},
        {4, "Link.attributes", SCHEMA_MESSAGE, SCHEMA_TYPE_KEY_VALUE, SCHEMA_ATTRIBUTES_MAX},
        {5, "Link.dropped_attributes_count", SCHEMA_UINT32},
        {6, "Link.flags", SCHEMA_FIXED32},
};

static const SchemaField status_fields[] = {
        {2, "Status.message", SCHEMA_STRING},
        {3, "Status.code", SCHEMA_ENUM},
};

static const SchemaField key_value_fields[] = {
        {1, "KeyValue.key", SCHEMA_STRING},
        {2, "KeyValue.value", SCHEMA_MESSAGE, SCHEMA_TYPE_ANY_VALUE},
};

static const SchemaField any_value_fields[] = {
        {1, "AnyValue.string_value", SCHEMA_STRING},
        {2, "AnyValue.bool_value", SCHEMA_BOOL},
        {3, "AnyValue.int_value", SCHEMA_INT64},
        {4, "AnyValue.double_value", SCHEMA_DOUBLE},
        {5, "AnyValue.array_value", SCHEMA_MESSAGE, SCHEMA_TYPE_ARRAY},
        {6, "AnyValue.kvlist_value", SCHEMA_MESSAGE, SCHEMA_TYPE_KEY_VALUE_LIST},
        {7, "AnyValue.bytes_value", SCHEMA_BYTES},
};

static const SchemaField array_fields[] = {
        {1, "ArrayValue.values", SCHEMA_MESSAGE, SCHEMA_TYPE_ANY_VALUE, SCHEMA_VALUES_MAX},
};

static const SchemaField key_value_list_fields[] = {
        {1, "KeyValueList.values", SCHEMA_MESSAGE, SCHEMA_TYPE_KEY_VALUE, SCHEMA_ATTRIBUTES_MAX},
};

_Static_assert(ARRAY_SIZE(span_fields) == SCHEMA_FIELDS_MAX, "Span has the most fields");

const SchemaMessage schema_messages[] = {
#define MESSAGE(name, fields) {name, fields, ARRAY_SIZE(fields)}
        [SCHEMA_TYPE_REQUEST] = MESSAGE("ExportTraceServiceRequest", request_fields),
        [SCHEMA_TYPE_RESOURCE_SPANS] = MESSAGE("ResourceSpans", resource_spans_fields),
        [SCHEMA_TYPE_SCOPE_SPANS] = MESSAGE("ScopeSpans", scope_spans_fields),
        [SCHEMA_TYPE_SPAN] = MESSAGE("Span", span_fields),
        [SCHEMA_TYPE_RESOURCE] = MESSAGE("Resource", resource_fields),
        [SCHEMA_TYPE_SCOPE] = MESSAGE("InstrumentationScope", scope_fields),
        [SCHEMA_TYPE_EVENT] = MESSAGE("Event", event_fields),
        [SCHEMA_TYPE_LINK] = MESSAGE("Link", link_fields),
        [SCHEMA_TYPE_STATUS] = MESSAGE("Status", status_fields),
        [SCHEMA_TYPE_KEY_VALUE] = MESSAGE("KeyValue", key_value_fields),
        [SCHEMA_TYPE_ANY_VALUE] = MESSAGE("AnyValue", any_value_fields),
        [SCHEMA_TYPE_ARRAY] = MESSAGE("ArrayValue", array_fields),
        [SCHEMA_TYPE_KEY_VALUE_LIST] = MESSAGE("KeyValueList", key_value_list_fields),
#undef MESSAGE
};

unsigned schema_wire_type(SchemaKind kind)
{
        switch (kind) {
        case SCHEMA_BOOL:
        case SCHEMA_ENUM:
        case SCHEMA_UINT32:
        case SCHEMA_INT64:
                return WIRE_VARINT;
        case SCHEMA_FIXED32:
                return WIRE_FIXED32;
        case SCHEMA_FIXED64:
        case SCHEMA_DOUBLE:
                return WIRE_FIXED64;
        case SCHEMA_BYTES:
        case SCHEMA_STRING:
        case SCHEMA_TRACE_ID:
        case SCHEMA_SPAN_ID:
        case SCHEMA_PARENT_ID:
        case SCHEMA_MESSAGE:
                break;
        }
        return WIRE_LENGTH;
}

const SchemaField *schema_find(SchemaType type, uint64_t number)
{
        const SchemaMessage *message = &schema_messages[type];

        for (size_t i = 0; i < message->n; i++)
                if (message->fields[i].number == number)
                        return &message->fields[i];
        return NULL;
}
