#include "test.h"

#include <errno.h>

#include "base/macro.h"
#include "otlp.pb-c.h"
#include "otlp/encode.h"

static const TraceId trace_id = {{1, 2, 3}};

static Otlp__ExportTraceServiceRequest *unpack(const Buffer *buffer)
{
        Otlp__ExportTraceServiceRequest *request;

        request = otlp__export_trace_service_request__unpack(NULL, buffer_length(buffer),
                                                             buffer_data(buffer));
        assert_non_null(request);
        return request;
}

static void test_all_fields(void **state)
{
        _cleanup_(buffer_done) Buffer buffer;
        Otlp__ExportTraceServiceRequest *request;
        Otlp__ScopeSpans *scope_spans;
        Otlp__Span *span;
        Attributes resource = {.dropped = 2};
        Span spans[2] = {
                {
                        .id = {{4, 5}},
                        .parent = {{6}},
                        .name = "boot",
                        .kind = SPAN_KIND_SERVER,
                        .start = 7,
                        .end = 8,
                        .status = SPAN_STATUS_ERROR,
                        .status_message = "why",
                },
                {.id = {{9}}, .name = "", .kind = SPAN_KIND_INTERNAL},
        };

        attributes_add_string(&resource, "service.name", "rootspan");
        attributes_add_string(&spans[0].attributes, "s", "");
        attributes_add_int(&spans[0].attributes, "i", INT64_MIN);
        attributes_add_bool(&spans[0].attributes, "b", false);
        spans[0].attributes.dropped = 3;
        buffer_init(&buffer, 10000);
        assert_int_equal(otlp_encode_request(&trace_id, &resource, spans, 2, &buffer), 0);

        request = unpack(&buffer);
        assert_int_equal(request->n_resource_spans, 1);
        assert_int_equal(request->resource_spans[0]->resource->n_attributes, 1);
        assert_int_equal(request->resource_spans[0]->resource->dropped_attributes_count, 2);
        assert_int_equal(request->resource_spans[0]->n_scope_spans, 1);
        scope_spans = request->resource_spans[0]->scope_spans[0];
        assert_string_equal(scope_spans->scope->name, "rootspan");
        assert_string_equal(scope_spans->scope->version, ROOTSPAN_VERSION);
        assert_int_equal(scope_spans->n_spans, 2);

        span = scope_spans->spans[0];
        assert_int_equal(span->trace_id.len, TRACE_ID_SIZE);
        assert_memory_equal(span->trace_id.data, trace_id.bytes, TRACE_ID_SIZE);
        assert_int_equal(span->span_id.len, SPAN_ID_SIZE);
        assert_memory_equal(span->span_id.data, spans[0].id.bytes, SPAN_ID_SIZE);
        assert_int_equal(span->parent_span_id.len, SPAN_ID_SIZE);
        assert_string_equal(span->name, "boot");
        assert_int_equal(span->kind, 2);
        assert_int_equal(span->start_time_unix_nano, 7);
        assert_int_equal(span->end_time_unix_nano, 8);
        assert_int_equal(span->flags, 1);
        assert_int_equal(span->status->code, 2);
        assert_string_equal(span->status->message, "why");
        assert_int_equal(span->n_attributes, 3);
        assert_int_equal(span->dropped_attributes_count, 3);
        /* An empty string and a false are values, and not the same as no value. */
        assert_int_equal(span->attributes[0]->value->value_case,
                         OTLP__ANY_VALUE__VALUE_STRING_VALUE);
        assert_string_equal(span->attributes[0]->value->string_value, "");
        assert_true(span->attributes[1]->value->int_value == INT64_MIN);
        assert_int_equal(span->attributes[2]->value->value_case, OTLP__ANY_VALUE__VALUE_BOOL_VALUE);

        span = scope_spans->spans[1];
        assert_int_equal(span->parent_span_id.len, 0);
        assert_null(span->status);
        otlp__export_trace_service_request__free_unpacked(request, NULL);
}

static void test_events_and_links(void **state)
{
        _cleanup_(buffer_done) Buffer buffer;
        Otlp__ExportTraceServiceRequest *request;
        Otlp__Span *message;
        Attributes resource = {0};
        SpanEvent events[SPAN_EVENTS_MAX];
        SpanLink links[SPAN_LINKS_MAX];
        Span span = {.id = {{1}}, .name = "x", .kind = SPAN_KIND_INTERNAL, .events = events,
                     .n_events = SPAN_EVENTS_MAX, .dropped_events = 3, .links = links,
                     .n_links = SPAN_LINKS_MAX, .dropped_links = 4};

        for (size_t i = 0; i < SPAN_EVENTS_MAX; i++) {
                events[i] = (SpanEvent){.time = 10 + i, .name = "jump"};
                attributes_add_int(&events[i].attributes, "i", (int64_t)i);
        }
        for (size_t i = 0; i < SPAN_LINKS_MAX; i++)
                links[i] = (SpanLink){.trace_id = {{7, (uint8_t)i}}, .span_id = {{8, (uint8_t)i}}};
        buffer_init(&buffer, 10000);
        assert_int_equal(otlp_encode_request(&trace_id, &resource, &span, 1, &buffer), 0);
        request = unpack(&buffer);
        message = request->resource_spans[0]->scope_spans[0]->spans[0];
        assert_int_equal(message->n_events, SPAN_EVENTS_MAX);
        assert_int_equal(message->dropped_events_count, 3);
        for (size_t i = 0; i < SPAN_EVENTS_MAX; i++) {
                assert_int_equal(message->events[i]->time_unix_nano, 10 + i);
                assert_string_equal(message->events[i]->name, "jump");
                assert_int_equal(message->events[i]->n_attributes, 1);
                assert_string_equal(message->events[i]->attributes[0]->key, "i");
                assert_int_equal(message->events[i]->attributes[0]->value->int_value, i);
        }
        assert_int_equal(message->n_links, SPAN_LINKS_MAX);
        assert_int_equal(message->dropped_links_count, 4);
        for (size_t i = 0; i < SPAN_LINKS_MAX; i++) {
                assert_int_equal(message->links[i]->trace_id.len, TRACE_ID_SIZE);
                assert_memory_equal(message->links[i]->trace_id.data, &links[i].trace_id,
                                    TRACE_ID_SIZE);
                assert_int_equal(message->links[i]->span_id.len, SPAN_ID_SIZE);
                assert_memory_equal(message->links[i]->span_id.data, &links[i].span_id,
                                    SPAN_ID_SIZE);
        }
        otlp__export_trace_service_request__free_unpacked(request, NULL);
}

static void test_appended_requests_are_one(void **state)
{
        _cleanup_(buffer_done) Buffer buffer;
        Otlp__ExportTraceServiceRequest *request;
        Attributes resource = {0};
        Span span = {.id = {{1}}, .name = "x", .kind = SPAN_KIND_INTERNAL};

        buffer_init(&buffer, 10000);
        assert_int_equal(otlp_encode_request(&trace_id, &resource, &span, 1, &buffer), 0);
        assert_int_equal(otlp_encode_request(&trace_id, &resource, &span, 1, &buffer), 0);
        request = unpack(&buffer);
        assert_int_equal(request->n_resource_spans, 2);
        otlp__export_trace_service_request__free_unpacked(request, NULL);
}

/* A file name may be any bytes; a span with one must not cost the request it travels in. */
static void test_text_that_is_no_utf8(void **state)
{
        _cleanup_(buffer_done) Buffer buffer;
        Otlp__ExportTraceServiceRequest *request;
        Otlp__Span *message;
        Attributes resource = {0};
        Span span = {
                .id = {{1}},
                .name = "caf\xe9",
                .kind = SPAN_KIND_INTERNAL,
                .status = SPAN_STATUS_ERROR,
                .status_message = "\xff",
        };

        attributes_add_string(&span.attributes, "path", "/bin/caf\xe9");
        attributes_add_string(&span.attributes, "\x80", "caf\u00e9");
        buffer_init(&buffer, 10000);
        assert_int_equal(otlp_encode_request(&trace_id, &resource, &span, 1, &buffer), 0);
        request = unpack(&buffer);
        message = request->resource_spans[0]->scope_spans[0]->spans[0];
        assert_string_equal(message->name, "(not UTF-8)");
        assert_string_equal(message->status->message, "(not UTF-8)");
        assert_int_equal(message->attributes[0]->value->value_case,
                         OTLP__ANY_VALUE__VALUE_BYTES_VALUE);
        assert_int_equal(message->attributes[0]->value->bytes_value.len, 9);
        assert_memory_equal(message->attributes[0]->value->bytes_value.data, "/bin/caf\xe9", 9);
        assert_string_equal(message->attributes[1]->key, "(not UTF-8)");
        assert_string_equal(message->attributes[1]->value->string_value, "caf\u00e9");
        otlp__export_trace_service_request__free_unpacked(request, NULL);
}

static void test_no_room(void **state)
{
        _cleanup_(buffer_done) Buffer buffer;
        Attributes resource = {0};
        Span span = {.id = {{1}}, .name = "x", .kind = SPAN_KIND_INTERNAL};

        buffer_init(&buffer, 20);
        assert_int_equal(otlp_encode_request(&trace_id, &resource, &span, 1, &buffer), -ENOBUFS);
        assert_int_equal(buffer_length(&buffer), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_all_fields),
                UNIT_TEST(test_events_and_links),
                UNIT_TEST(test_appended_requests_are_one),
                UNIT_TEST(test_text_that_is_no_utf8),
                UNIT_TEST(test_no_room),
        };

        return RUN_TESTS(tests);
}
