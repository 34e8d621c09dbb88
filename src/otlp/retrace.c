/* Retracing: one function per message on the way from the request down to an id. */

#include "otlp/retrace.h"

#include <string.h>

#include "otlp/schema.h"

typedef struct Retrace {
        uint8_t *data;
        const TraceId *from;
        const TraceId *to;
} Retrace;

/* Calls @change with each message (or id) that @message has in its field @number. */
static void for_each(const Retrace *r, WireSlice message, uint32_t number,
                     void (*change)(const Retrace *r, WireSlice value))
{
        WireField field;

        while (wire_next(&message, &field))
                if (field.number == number && field.type == WIRE_LENGTH)
                        change(r, field.value);
}

static void change_id(const Retrace *r, WireSlice id)
{
        if (id.n == TRACE_ID_SIZE && memcmp(id.data, r->from->bytes, TRACE_ID_SIZE) == 0)
                memcpy(r->data + (id.data - r->data), r->to->bytes, TRACE_ID_SIZE);
}

static void change_link(const Retrace *r, WireSlice link)
{
        for_each(r, link, FIELD_LINK_TRACE_ID, change_id);
}

static void change_span(const Retrace *r, WireSlice span)
{
        for_each(r, span, FIELD_SPAN_TRACE_ID, change_id);
        for_each(r, span, FIELD_SPAN_LINKS, change_link);
}

static void change_scope_spans(const Retrace *r, WireSlice scope_spans)
{
        for_each(r, scope_spans, FIELD_SCOPE_SPANS_SPANS, change_span);
}

static void change_resource_spans(const Retrace *r, WireSlice resource_spans)
{
        for_each(r, resource_spans, FIELD_RESOURCE_SPANS_SCOPE_SPANS, change_scope_spans);
}

void otlp_retrace(uint8_t *data, size_t n, const TraceId *from, const TraceId *to)
{
        const Retrace r = {.data = data, .from = from, .to = to};

        for_each(&r, (WireSlice){data, n}, FIELD_REQUEST_RESOURCE_SPANS, change_resource_spans);
}
