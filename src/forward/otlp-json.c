/* The JSON writer, on yajl's generator. Errors are sticky (yajl's own, and that of the buffer), so
 * that the code below reads like the messages it writes. Nothing it can meet is deeper than yajl's
 * limit, which also ends its recursion. */

#include "forward/otlp-json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "base/macro.h"
#include "base/parse.h"
#include "base/utf8.h"

typedef struct Writer {
        yajl_gen gen;
        Buffer *out;
        int error; /* of @out */
        bool too_deep;
} Writer;

static void print(void *userdata, const char *text, size_t n)
{
        Writer *w = userdata;

        if (w->error == 0)
                w->error = buffer_append(w->out, text, n);
}

/* Calls yajl unless it has failed before: it must not be called again then. */
#define GENERATE(w, call)                                                                          \
        do {                                                                                       \
                if (!(w)->too_deep && (call) != yajl_gen_status_ok)                                \
                        (w)->too_deep = true;                                                      \
        } while (0)

static void put_text(Writer *w, const char *text, size_t n)
{
        GENERATE(w, yajl_gen_string(w->gen, (const unsigned char *)text, n));
}

/* @text with each byte that is part of no character replaced. */
static void put_repaired(Writer *w, const char *text, size_t n)
{
        static const char replacement[] = "\xef\xbf\xbd";
        Buffer repaired;
        size_t length;

        buffer_init(&repaired, SIZE_MAX);
        for (size_t i = 0; i < n && w->error == 0; i += MAX(length, (size_t)1)) {
                length = utf8_sequence((const uint8_t *)text + i, n - i);
                w->error = length > 0 ? buffer_append(&repaired, text + i, length)
                                      : buffer_append(&repaired, replacement, 3);
        }
        if (w->error == 0)
                put_text(w, (const char *)buffer_data(&repaired), buffer_length(&repaired));
        buffer_done(&repaired);
}

static void put_string(Writer *w, const char *text)
{
        size_t n = strlen(text);

        if (utf8_is_valid((const uint8_t *)text, n))
                put_text(w, text, n);
        else
                put_repaired(w, text, n);
}

static void open_map(Writer *w)
{
        GENERATE(w, yajl_gen_map_open(w->gen));
}

static void close_map(Writer *w)
{
        GENERATE(w, yajl_gen_map_close(w->gen));
}

static void put_key(Writer *w, const char *key)
{
        put_text(w, key, strlen(key));
}

static void open_list(Writer *w, const char *key)
{
        put_key(w, key);
        GENERATE(w, yajl_gen_array_open(w->gen));
}

static void close_list(Writer *w)
{
        GENERATE(w, yajl_gen_array_close(w->gen));
}

/* Fields: nothing is written for a default value. */

static void field_string(Writer *w, const char *key, const char *value)
{
        if (value[0] == '\0')
                return;
        put_key(w, key);
        put_string(w, value);
}

static void field_uint(Writer *w, const char *key, uint32_t value)
{
        if (value == 0)
                return;
        put_key(w, key);
        GENERATE(w, yajl_gen_integer(w->gen, value));
}

static void field_enum(Writer *w, const char *key, int32_t value)
{
        if (value == 0)
                return;
        put_key(w, key);
        GENERATE(w, yajl_gen_integer(w->gen, value));
}

static void field_time(Writer *w, const char *key, uint64_t value)
{
        char text[24];
        int n = snprintf(text, sizeof(text), "%" PRIu64, value);

        if (value == 0)
                return;
        put_key(w, key);
        put_text(w, text, (size_t)n);
}

static void field_id(Writer *w, const char *key, ProtobufCBinaryData id)
{
        char text[2 * 16 + 1];

        if (id.len == 0 || id.len > 16)
                return;
        format_hex(id.data, id.len, text);
        put_key(w, key);
        put_text(w, text, 2 * id.len);
}

/* Values. These are members of a oneof, so that a default is written too. */

static void put_int64(Writer *w, int64_t value)
{
        char text[24];
        int n = snprintf(text, sizeof(text), "%" PRId64, value);

        put_text(w, text, (size_t)n);
}

/* The shortest form that reads back as the same number. */
static void put_double(Writer *w, double value)
{
        char text[32];
        int n = 0;

        if (isnan(value) || isinf(value)) {
                put_string(w, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
                return;
        }
        for (int digits = 15; digits <= 17; digits++) {
                n = snprintf(text, sizeof(text), "%.*g", digits, value);
                if (strtod(text, NULL) == value)
                        break;
        }
        GENERATE(w, yajl_gen_number(w->gen, text, (size_t)n));
}

static void put_base64(Writer *w, ProtobufCBinaryData bytes)
{
        static const char digits[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        Buffer text;
        uint8_t *p;

        buffer_init(&text, SIZE_MAX);
        w->error = w->error ?: buffer_reserve(&text, bytes.len / 3 * 4 + 4, &p);
        if (w->error < 0)
                return;
        for (size_t i = 0; i < bytes.len; i += 3) {
                size_t n = MIN(bytes.len - i, (size_t)3);
                uint32_t bits = (uint32_t)bytes.data[i] << 16;

                if (n > 1)
                        bits |= (uint32_t)bytes.data[i + 1] << 8;
                if (n > 2)
                        bits |= bytes.data[i + 2];
                for (size_t k = 0; k < 4; k++)
                        *p++ = k <= n ? (uint8_t)digits[bits >> (18 - 6 * k) & 0x3f] : '=';
        }
        put_text(w, (const char *)buffer_data(&text), (bytes.len + 2) / 3 * 4);
        buffer_done(&text);
}

static void put_any(Writer *w, const Otlp__AnyValue *value);

static void field_attributes(Writer *w, const char *key, Otlp__KeyValue *const *attributes,
                             size_t n)
{
        if (n == 0)
                return;
        open_list(w, key);
        for (size_t i = 0; i < n; i++) {
                open_map(w);
                put_key(w, "key");
                put_string(w, attributes[i]->key);
                if (attributes[i]->value) {
                        put_key(w, "value");
                        put_any(w, attributes[i]->value);
                }
                close_map(w);
        }
        close_list(w);
}

static void put_array(Writer *w, const Otlp__ArrayValue *array)
{
        open_map(w);
        if (array->n_values > 0) {
                open_list(w, "values");
                for (size_t i = 0; i < array->n_values; i++)
                        put_any(w, array->values[i]);
                close_list(w);
        }
        close_map(w);
}

static void put_any(Writer *w, const Otlp__AnyValue *value)
{
        if (w->too_deep)
                return;
        open_map(w);
        switch (value->value_case) {
        case OTLP__ANY_VALUE__VALUE_STRING_VALUE:
                put_key(w, "stringValue");
                put_string(w, value->string_value);
                break;
        case OTLP__ANY_VALUE__VALUE_BOOL_VALUE:
                put_key(w, "boolValue");
                GENERATE(w, yajl_gen_bool(w->gen, value->bool_value));
                break;
        case OTLP__ANY_VALUE__VALUE_INT_VALUE:
                put_key(w, "intValue");
                put_int64(w, value->int_value);
                break;
        case OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE:
                put_key(w, "doubleValue");
                put_double(w, value->double_value);
                break;
        case OTLP__ANY_VALUE__VALUE_ARRAY_VALUE:
                put_key(w, "arrayValue");
                put_array(w, value->array_value);
                break;
        case OTLP__ANY_VALUE__VALUE_KVLIST_VALUE:
                put_key(w, "kvlistValue");
                open_map(w);
                field_attributes(w, "values", value->kvlist_value->values,
                                 value->kvlist_value->n_values);
                close_map(w);
                break;
        case OTLP__ANY_VALUE__VALUE_BYTES_VALUE:
                put_key(w, "bytesValue");
                put_base64(w, value->bytes_value);
                break;
        case OTLP__ANY_VALUE__VALUE__NOT_SET:
        case _OTLP__ANY_VALUE__VALUE__CASE_IS_INT_SIZE:
                break;
        }
        close_map(w);
}

static void put_event(Writer *w, const Otlp__Event *event)
{
        open_map(w);
        field_time(w, "timeUnixNano", event->time_unix_nano);
        field_string(w, "name", event->name);
        field_attributes(w, "attributes", event->attributes, event->n_attributes);
        field_uint(w, "droppedAttributesCount", event->dropped_attributes_count);
        close_map(w);
}

static void put_link(Writer *w, const Otlp__Link *link)
{
        open_map(w);
        field_id(w, "traceId", link->trace_id);
        field_id(w, "spanId", link->span_id);
        field_string(w, "traceState", link->trace_state);
        field_attributes(w, "attributes", link->attributes, link->n_attributes);
        field_uint(w, "droppedAttributesCount", link->dropped_attributes_count);
        field_uint(w, "flags", link->flags);
        close_map(w);
}

static void field_status(Writer *w, const Otlp__Status *status)
{
        if (!status)
                return;
        put_key(w, "status");
        open_map(w);
        field_string(w, "message", status->message);
        field_enum(w, "code", status->code);
        close_map(w);
}

static void put_span(Writer *w, const Otlp__Span *span)
{
        open_map(w);
        field_id(w, "traceId", span->trace_id);
        field_id(w, "spanId", span->span_id);
        field_string(w, "traceState", span->trace_state);
        field_id(w, "parentSpanId", span->parent_span_id);
        field_string(w, "name", span->name);
        field_enum(w, "kind", span->kind);
        field_time(w, "startTimeUnixNano", span->start_time_unix_nano);
        field_time(w, "endTimeUnixNano", span->end_time_unix_nano);
        field_attributes(w, "attributes", span->attributes, span->n_attributes);
        field_uint(w, "droppedAttributesCount", span->dropped_attributes_count);
        if (span->n_events > 0) {
                open_list(w, "events");
                for (size_t i = 0; i < span->n_events; i++)
                        put_event(w, span->events[i]);
                close_list(w);
        }
        field_uint(w, "droppedEventsCount", span->dropped_events_count);
        if (span->n_links > 0) {
                open_list(w, "links");
                for (size_t i = 0; i < span->n_links; i++)
                        put_link(w, span->links[i]);
                close_list(w);
        }
        field_uint(w, "droppedLinksCount", span->dropped_links_count);
        field_status(w, span->status);
        field_uint(w, "flags", span->flags);
        close_map(w);
}

static void field_scope(Writer *w, const Otlp__InstrumentationScope *scope)
{
        if (!scope)
                return;
        put_key(w, "scope");
        open_map(w);
        field_string(w, "name", scope->name);
        field_string(w, "version", scope->version);
        field_attributes(w, "attributes", scope->attributes, scope->n_attributes);
        field_uint(w, "droppedAttributesCount", scope->dropped_attributes_count);
        close_map(w);
}

static void put_scope_spans(Writer *w, const Otlp__ScopeSpans *scope_spans)
{
        open_map(w);
        field_scope(w, scope_spans->scope);
        if (scope_spans->n_spans > 0) {
                open_list(w, "spans");
                for (size_t i = 0; i < scope_spans->n_spans; i++)
                        put_span(w, scope_spans->spans[i]);
                close_list(w);
        }
        field_string(w, "schemaUrl", scope_spans->schema_url);
        close_map(w);
}

static void field_resource(Writer *w, const Otlp__Resource *resource)
{
        if (!resource)
                return;
        put_key(w, "resource");
        open_map(w);
        field_attributes(w, "attributes", resource->attributes, resource->n_attributes);
        field_uint(w, "droppedAttributesCount", resource->dropped_attributes_count);
        close_map(w);
}

static void put_resource_spans(Writer *w, const Otlp__ResourceSpans *resource_spans)
{
        open_map(w);
        field_resource(w, resource_spans->resource);
        if (resource_spans->n_scope_spans > 0) {
                open_list(w, "scopeSpans");
                for (size_t i = 0; i < resource_spans->n_scope_spans; i++)
                        put_scope_spans(w, resource_spans->scope_spans[i]);
                close_list(w);
        }
        field_string(w, "schemaUrl", resource_spans->schema_url);
        close_map(w);
}

int otlp_json_append(const Otlp__ExportTraceServiceRequest *request, Buffer *ret)
{
        Writer writer = {.out = ret}, *w = &writer;

        w->gen = yajl_gen_alloc(NULL);
        if (!w->gen)
                return -ENOMEM;
        (void)yajl_gen_config(w->gen, yajl_gen_print_callback, print, w); /* known to yajl */
        open_map(w);
        if (request->n_resource_spans > 0) {
                open_list(w, "resourceSpans");
                for (size_t i = 0; i < request->n_resource_spans; i++)
                        put_resource_spans(w, request->resource_spans[i]);
                close_list(w);
        }
        close_map(w);
        print(w, "\n", 1);
        yajl_gen_free(w->gen);
        return w->error ?: w->too_deep ? -E2BIG : 0;
}
