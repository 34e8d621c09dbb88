/* The span model as protobuf-c messages. The messages borrow every string and id from the model,
 * so all there is to allocate is the messages themselves. */

#include "otlp/encode.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/utf8.h"
#include "otlp.pb-c.h"

/* W3C trace flags in the low byte of a span's flags. All we send is sampled. */
enum { FLAGS_SAMPLED = 0x01 };

typedef struct AttributeMessages {
        Otlp__KeyValue pairs[SPAN_ATTRIBUTES_MAX];
        Otlp__AnyValue values[SPAN_ATTRIBUTES_MAX];
        Otlp__KeyValue *list[SPAN_ATTRIBUTES_MAX];
} AttributeMessages;

typedef struct EventMessages {
        Otlp__Event messages[SPAN_EVENTS_MAX];
        Otlp__Event *list[SPAN_EVENTS_MAX];
        AttributeMessages attributes[SPAN_EVENTS_MAX];
} EventMessages;

typedef struct LinkMessages {
        Otlp__Link messages[SPAN_LINKS_MAX];
        Otlp__Link *list[SPAN_LINKS_MAX];
} LinkMessages;

typedef struct SpanMessages {
        Otlp__Span span;
        Otlp__Status status;
        AttributeMessages attributes;
        EventMessages events;
        LinkMessages links;
} SpanMessages;

static void freep(void *p)
{
        free(*(void **)p);
}

static bool is_utf8(const char *string)
{
        return utf8_is_valid((const uint8_t *)string, strlen(string));
}

/* The generated structs have char * where they only read. */
static char *borrow(const char *string)
{
        return (char *)(is_utf8(string) ? string : "(not UTF-8)");
}

static ProtobufCBinaryData borrow_bytes(const uint8_t *bytes, size_t n)
{
        return (ProtobufCBinaryData){.len = n, .data = (uint8_t *)bytes};
}

static void fill_value(Otlp__AnyValue *value, const Attribute *attribute)
{
        otlp__any_value__init(value);
        switch (attribute->type) {
        case ATTRIBUTE_STRING:
                if (is_utf8(attribute->string)) {
                        value->value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
                        value->string_value = borrow(attribute->string);
                } else {
                        value->value_case = OTLP__ANY_VALUE__VALUE_BYTES_VALUE;
                        value->bytes_value = borrow_bytes((const uint8_t *)attribute->string,
                                                          strlen(attribute->string));
                }
                break;
        case ATTRIBUTE_INT:
                value->value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
                value->int_value = attribute->integer;
                break;
        case ATTRIBUTE_BOOL:
                value->value_case = OTLP__ANY_VALUE__VALUE_BOOL_VALUE;
                value->bool_value = attribute->boolean;
                break;
        }
}

static void fill_attributes(AttributeMessages *messages, const Attributes *attributes)
{
        for (size_t i = 0; i < attributes->n; i++) {
                otlp__key_value__init(&messages->pairs[i]);
                messages->pairs[i].key = borrow(attributes->items[i].key);
                messages->pairs[i].value = &messages->values[i];
                fill_value(&messages->values[i], &attributes->items[i]);
                messages->list[i] = &messages->pairs[i];
        }
}

static void fill_events(EventMessages *events, const Span *span)
{
        assert(span->n_events <= SPAN_EVENTS_MAX);
        for (size_t i = 0; i < span->n_events; i++) {
                const SpanEvent *event = &span->events[i];
                Otlp__Event *message = events->list[i] = &events->messages[i];

                otlp__event__init(message);
                message->time_unix_nano = event->time;
                message->name = borrow(event->name);
                fill_attributes(&events->attributes[i], &event->attributes);
                message->attributes = events->attributes[i].list;
                message->n_attributes = event->attributes.n;
                message->dropped_attributes_count = event->attributes.dropped;
        }
}

static void fill_links(LinkMessages *links, const Span *span)
{
        assert(span->n_links <= SPAN_LINKS_MAX);
        for (size_t i = 0; i < span->n_links; i++) {
                const SpanLink *link = &span->links[i];
                Otlp__Link *message = links->list[i] = &links->messages[i];

                otlp__link__init(message);
                message->trace_id = borrow_bytes(link->trace_id.bytes, TRACE_ID_SIZE);
                message->span_id = borrow_bytes(link->span_id.bytes, SPAN_ID_SIZE);
                message->flags = FLAGS_SAMPLED;
        }
}

static void fill_span(SpanMessages *messages, const TraceId *trace_id, const Span *span)
{
        Otlp__Span *message = &messages->span;

        otlp__span__init(message);
        message->trace_id = borrow_bytes(trace_id->bytes, TRACE_ID_SIZE);
        message->span_id = borrow_bytes(span->id.bytes, SPAN_ID_SIZE);
        if (span_id_is_valid(&span->parent))
                message->parent_span_id = borrow_bytes(span->parent.bytes, SPAN_ID_SIZE);
        message->name = borrow(span->name);
        message->kind = (int32_t)span->kind;
        message->start_time_unix_nano = span->start;
        message->end_time_unix_nano = span->end;
        message->flags = FLAGS_SAMPLED;

        fill_attributes(&messages->attributes, &span->attributes);
        message->attributes = messages->attributes.list;
        message->n_attributes = span->attributes.n;
        message->dropped_attributes_count = span->attributes.dropped;

        fill_events(&messages->events, span);
        message->events = messages->events.list;
        message->n_events = span->n_events;
        message->dropped_events_count = span->dropped_events;
        fill_links(&messages->links, span);
        message->links = messages->links.list;
        message->n_links = span->n_links;
        message->dropped_links_count = span->dropped_links;

        if (span->status != SPAN_STATUS_UNSET) {
                otlp__status__init(&messages->status);
                messages->status.code = (int32_t)span->status;
                if (span->status_message)
                        messages->status.message = borrow(span->status_message);
                message->status = &messages->status;
        }
}

static int append(const Otlp__ExportTraceServiceRequest *request, Buffer *ret)
{
        size_t n = otlp__export_trace_service_request__get_packed_size(request);
        uint8_t *room;
        int r;

        r = buffer_reserve(ret, n, &room);
        if (r < 0)
                return r;
        buffer_commit(ret, otlp__export_trace_service_request__pack(request, room));
        return 0;
}

int otlp_encode_request(const TraceId *trace_id, const Attributes *resource_attributes,
                        const Span *spans, size_t n, Buffer *ret)
{
        Otlp__InstrumentationScope scope = OTLP__INSTRUMENTATION_SCOPE__INIT;
        Otlp__ExportTraceServiceRequest request = OTLP__EXPORT_TRACE_SERVICE_REQUEST__INIT;
        Otlp__ResourceSpans resource_spans = OTLP__RESOURCE_SPANS__INIT;
        Otlp__ScopeSpans scope_spans = OTLP__SCOPE_SPANS__INIT;
        Otlp__Resource resource = OTLP__RESOURCE__INIT;
        AttributeMessages resource_messages;
        _cleanup_(freep) SpanMessages *messages = calloc(n + 1, sizeof(SpanMessages));
        _cleanup_(freep) Otlp__Span **list = calloc(n + 1, sizeof(Otlp__Span *));

        if (!messages || !list)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                fill_span(&messages[i], trace_id, &spans[i]);
                list[i] = &messages[i].span;
        }
        scope.name = borrow("rootspan");
        scope.version = borrow(ROOTSPAN_VERSION);
        scope_spans.scope = &scope;
        scope_spans.spans = list;
        scope_spans.n_spans = n;

        fill_attributes(&resource_messages, resource_attributes);
        resource.attributes = resource_messages.list;
        resource.n_attributes = resource_attributes->n;
        resource.dropped_attributes_count = resource_attributes->dropped;

        resource_spans.resource = &resource;
        resource_spans.scope_spans = &(Otlp__ScopeSpans *){&scope_spans};
        resource_spans.n_scope_spans = 1;
        request.resource_spans = &(Otlp__ResourceSpans *){&resource_spans};
        request.n_resource_spans = 1;
        return append(&request, ret);
}
