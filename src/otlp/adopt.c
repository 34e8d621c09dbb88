/* Adoption. One pass: the scanner walks ahead of the writer by one span, so that everything in a
 * span is known to be well-formed when it is taken apart. What surrounds the spans is copied when
 * their first span comes, and may be faulty further on: that ends the scan, and the whole. */

#include "otlp/adopt.h"

#include <string.h>

#include "base/parse.h"
#include "otlp/wire.h"

enum { PARTS_ADDED = 2 }; /* messages that adoption adds to a span */

typedef struct Adopter {
        Adoption *adoption;
        WireWriter w;
        const uint8_t *resource_spans; /* what is open in the output, by its place in the input */
        const uint8_t *scope_spans;
        size_t resource_spans_start;
        size_t scope_spans_start;
} Adopter;

static TraceId *place_of(Adoption *adoption, const uint8_t *trace_id)
{
        return &adoption->known[(trace_id[0] << 8 | trace_id[1]) % ADOPT_KNOWN_MAX];
}

static bool is_known(Adoption *adoption, const uint8_t *trace_id)
{
        return memcmp(place_of(adoption, trace_id)->bytes, trace_id, TRACE_ID_SIZE) == 0;
}

/* Copies all fields of @message but those of @number, which are copied one by one. */
static void put_others(WireWriter *w, WireSlice message, uint32_t number)
{
        WireField field;

        while (wire_next(&message, &field))
                if (field.number != number)
                        wire_put_raw(w, field.whole);
}

static void close_scope_spans(Adopter *a)
{
        if (a->scope_spans)
                wire_close(&a->w, a->scope_spans_start);
        a->scope_spans = NULL;
}

static void close_resource_spans(Adopter *a)
{
        close_scope_spans(a);
        if (a->resource_spans)
                wire_close(&a->w, a->resource_spans_start);
        a->resource_spans = NULL;
}

/* Opens in the output what @span is in. */
static void open_around(Adopter *a, const ScanSpan *span)
{
        if (a->resource_spans != span->resource_spans.data) {
                close_resource_spans(a);
                a->resource_spans = span->resource_spans.data;
                a->resource_spans_start = wire_open(&a->w, FIELD_REQUEST_RESOURCE_SPANS);
                put_others(&a->w, span->resource_spans, FIELD_RESOURCE_SPANS_SCOPE_SPANS);
        }
        if (a->scope_spans != span->scope_spans.data) {
                close_scope_spans(a);
                a->scope_spans = span->scope_spans.data;
                a->scope_spans_start = wire_open(&a->w, FIELD_RESOURCE_SPANS_SCOPE_SPANS);
                put_others(&a->w, span->scope_spans, FIELD_SCOPE_SPANS_SPANS);
        }
}

static void put_trace_id(Adopter *a, uint32_t number)
{
        wire_put_bytes(&a->w, number, a->adoption->trace_id.bytes, TRACE_ID_SIZE);
}

static void put_link(Adopter *a, WireSlice link)
{
        size_t start = wire_open(&a->w, FIELD_SPAN_LINKS);
        WireField field;

        while (wire_next(&link, &field))
                if (field.number == FIELD_LINK_TRACE_ID && is_known(a->adoption, field.value.data))
                        put_trace_id(a, FIELD_LINK_TRACE_ID);
                else
                        wire_put_raw(&a->w, field.whole);
        wire_close(&a->w, start);
}

static void put_original(Adopter *a, const uint8_t *trace_id)
{
        char text[2 * TRACE_ID_SIZE + 1];
        size_t attribute, value;

        format_hex(trace_id, TRACE_ID_SIZE, text);
        attribute = wire_open(&a->w, FIELD_SPAN_ATTRIBUTES);
        wire_put_bytes(&a->w, FIELD_KEY_VALUE_KEY, ADOPT_ATTRIBUTE, strlen(ADOPT_ATTRIBUTE));
        value = wire_open(&a->w, FIELD_KEY_VALUE_VALUE);
        wire_put_bytes(&a->w, FIELD_ANY_VALUE_STRING, text, strlen(text));
        wire_close(&a->w, value);
        wire_close(&a->w, attribute);
}

static const uint8_t *find_trace_id(WireSlice span)
{
        WireField field;

        while (wire_next(&span, &field))
                if (field.number == FIELD_SPAN_TRACE_ID)
                        break;
        return field.value.data; /* the scan has seen to it that there is one */
}

static bool is_former(const Adoption *adoption, WireSlice span)
{
        return memcmp(find_trace_id(span), adoption->former.bytes, TRACE_ID_SIZE) == 0;
}

static void put_span(Adopter *a, WireSlice span)
{
        Adoption *adoption = a->adoption;
        const uint8_t *trace_id = find_trace_id(span);
        bool foreign = memcmp(trace_id, adoption->trace_id.bytes, TRACE_ID_SIZE) != 0;
        bool has_parent = false;
        size_t attributes = 0, start;
        WireField field;

        if (foreign)
                memcpy(place_of(adoption, trace_id)->bytes, trace_id, TRACE_ID_SIZE);
        start = wire_open(&a->w, FIELD_SCOPE_SPANS_SPANS);
        while (wire_next(&span, &field)) {
                switch (field.number) {
                case FIELD_SPAN_TRACE_ID:
                        put_trace_id(a, FIELD_SPAN_TRACE_ID);
                        continue;
                case FIELD_SPAN_PARENT_ID:
                        if (field.value.n == 0)
                                continue; /* the same as none, and there may be only one */
                        has_parent = true;
                        break;
                case FIELD_SPAN_ATTRIBUTES:
                        attributes++;
                        break;
                case FIELD_SPAN_LINKS:
                        put_link(a, field.value);
                        continue;
                }
                wire_put_raw(&a->w, field.whole);
        }
        if (foreign && !has_parent)
                wire_put_bytes(&a->w, FIELD_SPAN_PARENT_ID, adoption->parent.bytes, SPAN_ID_SIZE);
        if (foreign && attributes < SCHEMA_ATTRIBUTES_MAX)
                put_original(a, trace_id);
        wire_close(&a->w, start);
}

int adopt_request(Adoption *adoption, const uint8_t *data, size_t n, Buffer *ret,
                  AdoptResult *ret_result)
{
        Adopter a = {.adoption = adoption, .w = {.out = ret}};
        AdoptResult result = {0};
        ScanSpan span;
        Scan scan;
        int r;

        scan_init(&scan, data, n);
        while ((r = scan_next(&scan, &span)) == SCAN_SPAN && a.w.error == 0) {
                if (span.fault != 0) {
                        if (result.rejected++ == 0)
                                scan_describe(&scan, span.fault, result.fault);
                        continue;
                }
                result.taken++;
                open_around(&a, &span);
                if (adoption->enabled || is_former(adoption, span.span))
                        put_span(&a, span.span);
                else
                        wire_put_bytes(&a.w, FIELD_SCOPE_SPANS_SPANS, span.span.data, span.span.n);
        }
        close_resource_spans(&a);
        if (a.w.error < 0)
                return a.w.error;
        if (r == 0 && scan.parts + PARTS_ADDED * result.taken > SCHEMA_PARTS_MAX)
                r = SCAN_E_COUNT;
        if (r != 0)
                scan_describe(&scan, r, result.fault);
        *ret_result = result;
        return r;
}
