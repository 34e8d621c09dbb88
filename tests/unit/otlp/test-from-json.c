#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "base/macro.h"
#include "otlp.pb-c.h"
#include "otlp/from-json.h"
#include "otlp/scan.h"

static int convert(const char *text, Buffer *out, const char **ret_where)
{
        buffer_init(out, 64 * 1024);
        return otlp_from_json((const uint8_t *)text, strlen(text), out, ret_where);
}

static Otlp__ExportTraceServiceRequest *read_request(const char *text)
{
        Otlp__ExportTraceServiceRequest *request;
        const char *where;
        Buffer out;
        Scan scan;

        assert_int_equal(convert(text, &out, &where), 0);
        assert_int_equal(scan_request(&scan, buffer_data(&out), buffer_length(&out)), 0);
        request = otlp__export_trace_service_request__unpack(NULL, buffer_length(&out),
                                                             buffer_data(&out));
        assert_non_null(request);
        buffer_done(&out);
        return request;
}

#define FREE(request) otlp__export_trace_service_request__free_unpacked(request, NULL)
#define IDS "\"traceId\":\"5B8EFFF798038103D269B633813FC60C\",\"spanId\":\"eee19b7ec3c1b174\""
#define SPANS(...) "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[" __VA_ARGS__ "]}]}]}"

static void test_a_span(void **state)
{
        Otlp__ExportTraceServiceRequest *request = read_request(
                "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","
                "\"value\":{\"stringValue\":\"x\"}}]},\"schemaUrl\":\"https://r\",\"scopeSpans\":"
                "[{\"scope\":{\"name\":\"s\",\"version\":\"1\"},\"spans\":[{" IDS ","
                "\"parentSpanId\":\"\",\"name\":\"\\u00fcber\",\"kind\":2,\"flags\":257,"
                "\"startTimeUnixNano\":\"1544712660000000000\",\"endTimeUnixNano\":1544712661000000000,"
                "\"droppedEventsCount\":3,\"events\":[{\"timeUnixNano\":\"7\",\"name\":\"oom\"}],"
                "\"links\":[{" IDS "}],\"status\":{\"code\":2,\"message\":\"no\"},"
                "\"unknown\":{\"spans\":[{}, [1], null]},\"other\":true}]}]}]}");
        const Otlp__ResourceSpans *resource_spans = request->resource_spans[0];
        const Otlp__Span *span = resource_spans->scope_spans[0]->spans[0];

        assert_string_equal(resource_spans->resource->attributes[0]->key, "service.name");
        assert_string_equal(resource_spans->schema_url, "https://r");
        assert_string_equal(resource_spans->scope_spans[0]->scope->version, "1");
        assert_int_equal(span->trace_id.len, 16);
        assert_memory_equal(span->trace_id.data, "\x5b\x8e\xff\xf7", 4);
        assert_memory_equal(span->span_id.data, "\xee\xe1\x9b\x7e\xc3\xc1\xb1\x74", 8);
        assert_int_equal(span->parent_span_id.len, 0);
        assert_string_equal(span->name, "\xc3\xbc" "ber");
        assert_int_equal(span->kind, 2);
        assert_int_equal(span->flags, 257);
        assert_true(span->start_time_unix_nano == 1544712660000000000);
        assert_true(span->end_time_unix_nano == 1544712661000000000);
        assert_int_equal(span->dropped_events_count, 3);
        assert_string_equal(span->events[0]->name, "oom");
        assert_true(span->events[0]->time_unix_nano == 7);
        assert_int_equal(span->links[0]->span_id.len, 8);
        assert_int_equal(span->status->code, 2);
        assert_string_equal(span->status->message, "no");
        FREE(request);
}

static void test_values(void **state)
{
        Otlp__ExportTraceServiceRequest *request = read_request(SPANS("{" IDS ",\"attributes\":["
                "{\"key\":\"0\",\"value\":{\"intValue\":\"-5\"}},"
                "{\"key\":\"1\",\"value\":{\"intValue\":-9223372036854775808}},"
                "{\"key\":\"2\",\"value\":{\"doubleValue\":1.5e3}},"
                "{\"key\":\"3\",\"value\":{\"doubleValue\":\"-Infinity\"}},"
                "{\"key\":\"4\",\"value\":{\"boolValue\":false}},"
                "{\"key\":\"5\",\"value\":{\"bytesValue\":\"/w+A\"}},"
                "{\"key\":\"6\",\"value\":{\"bytesValue\":\"_w==\"}},"
                "{\"key\":\"7\",\"value\":{\"bytesValue\":\"AAE\"}},"
                "{\"key\":\"8\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"a\"},{}]}}},"
                "{\"key\":\"9\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\"}]}}},"
                "{\"key\":\"10\",\"value\":null}]}"));
        Otlp__KeyValue **attributes = request->resource_spans[0]->scope_spans[0]->spans[0]->attributes;

        assert_true(attributes[0]->value->int_value == -5);
        assert_true(attributes[1]->value->int_value == INT64_MIN);
        assert_true(attributes[2]->value->double_value == 1500);
        assert_true(attributes[3]->value->double_value == -__builtin_inf());
        assert_int_equal(attributes[4]->value->value_case, OTLP__ANY_VALUE__VALUE_BOOL_VALUE);
        assert_int_equal(attributes[5]->value->bytes_value.len, 3);
        assert_memory_equal(attributes[5]->value->bytes_value.data, "\xff\x0f\x80", 3);
        assert_int_equal(attributes[6]->value->bytes_value.len, 1);
        assert_int_equal(attributes[7]->value->bytes_value.len, 2);
        assert_memory_equal(attributes[7]->value->bytes_value.data, "\x00\x01", 2);
        assert_int_equal(attributes[8]->value->array_value->n_values, 2);
        assert_string_equal(attributes[9]->value->kvlist_value->values[0]->key, "k");
        assert_null(attributes[10]->value);
        FREE(request);
}

/* The fault of one span, for the scanner to find. */
static void test_bad_ids(void **state)
{
        static const char *const spans[] = {
                "{}",
                "{\"traceId\":\"\",\"spanId\":\"eee19b7ec3c1b174\"}",
                "{\"traceId\":\"5b8efff798038103d269b633813fc60g\",\"spanId\":\"eee19b7ec3c1b174\"}",
                "{" IDS ",\"parentSpanId\":\"eee19b7ec3c1b1\"}",
                "{" IDS ",\"parentSpanId\":\"nonsense\"}",
                "{" IDS ",\"parentSpanId\":\"5b8efff798038103d269b633813fc60c00\"}",
        };

        for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
                char text[512];
                const char *where;
                Buffer out;
                Scan scan;

                (void)snprintf(text, sizeof(text), SPANS("%s"), spans[i]);
                assert_int_equal(convert(text, &out, &where), 0);
                if (scan_request(&scan, buffer_data(&out), buffer_length(&out)) != SCAN_E_ID)
                        fail_msg("%s", spans[i]);
                buffer_done(&out);
        }
}

static void test_refused(void **state)
{
        static const struct {
                const char *text;
                const char *where;
        } cases[] = {
                {"", "JSON"},
                {"nonsense", "JSON"},
                {"[]", "JSON"},
                {"1", "JSON"},
                {"null", "JSON"},
                {"{} {}", "JSON"},
                {"{\"a\":", "JSON"},
                {"{\"a\":\"\xff\"}", "JSON"},
                {"{\"resourceSpans\":{}}", "ExportTraceServiceRequest.resource_spans"},
                {"{\"resourceSpans\":[[]]}", "ExportTraceServiceRequest.resource_spans"},
                {"{\"resourceSpans\":[1]}", "ExportTraceServiceRequest.resource_spans"},
                {"{\"resourceSpans\":[{\"resource\":[]}]}", "ResourceSpans.resource"},
                {"{\"resourceSpans\":[{\"schemaUrl\":{}}]}", "ResourceSpans.schema_url"},
                {SPANS("{\"name\":1}"), "Span.name"},
                {SPANS("{\"name\":true}"), "Span.name"},
                {SPANS("{\"kind\":\"SPAN_KIND_SERVER\"}"), "Span.kind"},
                {SPANS("{\"kind\":2147483648}"), "Span.kind"},
                {SPANS("{\"flags\":4294967296}"), "Span.flags"},
                {SPANS("{\"flags\":-1}"), "Span.flags"},
                {SPANS("{\"startTimeUnixNano\":1.5}"), "Span.start_time_unix_nano"},
                {SPANS("{\"startTimeUnixNano\":\"\"}"), "Span.start_time_unix_nano"},
                {SPANS("{\"attributes\":[{\"value\":{\"boolValue\":\"true\"}}]}"),
                 "AnyValue.bool_value"},
                {SPANS("{\"attributes\":[{\"value\":{\"intValue\":9223372036854775808}}]}"),
                 "AnyValue.int_value"},
                {SPANS("{\"attributes\":[{\"value\":{\"doubleValue\":\"much\"}}]}"),
                 "AnyValue.double_value"},
                {SPANS("{\"attributes\":[{\"value\":{\"bytesValue\":\"A\"}}]}"),
                 "AnyValue.bytes_value"},
                {SPANS("{\"attributes\":[{\"value\":{\"bytesValue\":\"A=AA\"}}]}"),
                 "AnyValue.bytes_value"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const char *where = "";
                Buffer out;

                if (convert(cases[i].text, &out, &where) != FROM_JSON_E_BAD ||
                    strcmp(where, cases[i].where) != 0)
                        fail_msg("%s: at fault was \"%s\"", cases[i].text, where);
                buffer_done(&out);
        }
}

static void test_depth(void **state)
{
        static char text[64 * 1024];
        const char *where;
        size_t n = 0;
        Buffer out;

        n += (size_t)snprintf(text, sizeof(text), "{\"resourceSpans\":[{\"resource\":"
                              "{\"attributes\":[{\"value\":");
        for (size_t i = 0; i < 1000; i++)
                n += (size_t)snprintf(text + n, sizeof(text) - n, "{\"arrayValue\":{\"values\":[");
        assert_int_equal(convert(text, &out, &where), FROM_JSON_E_BAD);
        assert_string_equal(where, "ArrayValue.values");
        buffer_done(&out);

        /* Where nothing is kept, nesting costs nothing. */
        memset(text, '[', sizeof(text) - 1);
        memcpy(text, "{\"x\":", 5);
        assert_int_equal(convert(text, &out, &where), FROM_JSON_E_BAD);
        buffer_done(&out);
}

static void test_cap(void **state)
{
        const char *where;
        Buffer out;

        buffer_init(&out, 10);
        assert_int_equal(otlp_from_json((const uint8_t *)SPANS("{}"), strlen(SPANS("{}")), &out,
                                        &where), -ENOBUFS);
        buffer_done(&out);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_a_span),  UNIT_TEST(test_values), UNIT_TEST(test_bad_ids),
                UNIT_TEST(test_refused), UNIT_TEST(test_depth),  UNIT_TEST(test_cap),
        };

        return RUN_TESTS(tests);
}
