#include "test.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>

#include "forward/otlp-json.h"

/* The JSON of one attribute's value, cut out of the line it is written in. */
static void check_value(Otlp__AnyValue *value, const char *expected)
{
        static const char before[] =
                "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"k\",\"value\":";
        static const char after[] = "}]}}]}\n";
        Otlp__KeyValue attribute = OTLP__KEY_VALUE__INIT, *attributes[] = {&attribute};
        Otlp__Resource resource = OTLP__RESOURCE__INIT;
        Otlp__ResourceSpans resource_spans = OTLP__RESOURCE_SPANS__INIT;
        Otlp__ResourceSpans *list[] = {&resource_spans};
        Otlp__ExportTraceServiceRequest request = OTLP__EXPORT_TRACE_SERVICE_REQUEST__INIT;
        char *line, *end;
        Buffer text;

        attribute.key = (char *)"k";
        attribute.value = value;
        resource.n_attributes = 1;
        resource.attributes = attributes;
        resource_spans.resource = &resource;
        request.n_resource_spans = 1;
        request.resource_spans = list;

        buffer_init(&text, SIZE_MAX);
        assert_int_equal(otlp_json_append(&request, &text), 0);
        assert_int_equal(buffer_append(&text, "", 1), 0);
        line = (char *)buffer_data(&text);
        assert_memory_equal(line, before, strlen(before));
        end = strstr(line, after);
        assert_non_null(end);
        *end = '\0';
        assert_string_equal(line + strlen(before), expected);
        buffer_done(&text);
}

static void check_string(const char *string, const char *expected)
{
        Otlp__AnyValue value = OTLP__ANY_VALUE__INIT;

        value.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
        value.string_value = (char *)string;
        check_value(&value, expected);
}

static void test_strings(void **state)
{
        check_string("", "{\"stringValue\":\"\"}");
        check_string("a \"b\" \\ /", "{\"stringValue\":\"a \\\"b\\\" \\\\ /\"}");
        check_string("\b\f\n\r\t\x01\x1f\x7f",
                     "{\"stringValue\":\"\\b\\f\\n\\r\\t\\u0001\\u001F\x7f\"}");
        check_string("gr\xc3\xbc\xc3\x9f \xf0\x9f\x8c\xb3",
                     "{\"stringValue\":\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x8c\xb3\"}");
}

/* A byte that belongs to no character, over-long NUL, a surrogate, a cut-off character. */
static void test_invalid_utf8(void **state)
{
        check_string("a\xff z", "{\"stringValue\":\"a\xef\xbf\xbd z\"}");
        check_string("\xc0\x80", "{\"stringValue\":\"\xef\xbf\xbd\xef\xbf\xbd\"}");
        check_string("\xed\xa0\x80",
                     "{\"stringValue\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}");
        check_string("\xc3\xbc\xe2\x82", "{\"stringValue\":\"\xc3\xbc\xef\xbf\xbd\xef\xbf\xbd\"}");
}

static void check_int(int64_t number, const char *expected)
{
        Otlp__AnyValue value = OTLP__ANY_VALUE__INIT;

        value.value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
        value.int_value = number;
        check_value(&value, expected);
}

static void check_double(double number, const char *expected)
{
        Otlp__AnyValue value = OTLP__ANY_VALUE__INIT;

        value.value_case = OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE;
        value.double_value = number;
        check_value(&value, expected);
}

static void test_numbers(void **state)
{
        check_int(0, "{\"intValue\":\"0\"}");
        check_int(-1, "{\"intValue\":\"-1\"}");
        check_int(INT64_MAX, "{\"intValue\":\"9223372036854775807\"}");
        check_int(INT64_MIN, "{\"intValue\":\"-9223372036854775808\"}");

        check_double(0, "{\"doubleValue\":0}");
        check_double(-0.0, "{\"doubleValue\":-0}");
        check_double(0.1, "{\"doubleValue\":0.1}");
        check_double(1.0 / 3, "{\"doubleValue\":0.3333333333333333}");
        check_double(1e300, "{\"doubleValue\":1e+300}");
        check_double(5e-324, "{\"doubleValue\":4.94065645841247e-324}");
        check_double(9007199254740993.0, "{\"doubleValue\":9007199254740992}");
        check_double(NAN, "{\"doubleValue\":\"NaN\"}");
        check_double(INFINITY, "{\"doubleValue\":\"Infinity\"}");
        check_double(-INFINITY, "{\"doubleValue\":\"-Infinity\"}");
}

static void test_bool_and_none(void **state)
{
        Otlp__AnyValue value = OTLP__ANY_VALUE__INIT;

        check_value(&value, "{}");
        value.value_case = OTLP__ANY_VALUE__VALUE_BOOL_VALUE;
        check_value(&value, "{\"boolValue\":false}");
        value.bool_value = true;
        check_value(&value, "{\"boolValue\":true}");
}

/* RFC 4648, section 10, and bytes that need the last two digits. */
static void test_bytes(void **state)
{
        static const struct {
                const char *bytes;
                const char *expected;
        } cases[] = {
                {"", "{\"bytesValue\":\"\"}"},
                {"f", "{\"bytesValue\":\"Zg==\"}"},
                {"fo", "{\"bytesValue\":\"Zm8=\"}"},
                {"foo", "{\"bytesValue\":\"Zm9v\"}"},
                {"foobar", "{\"bytesValue\":\"Zm9vYmFy\"}"},
                {"\xfb\xff\xfe", "{\"bytesValue\":\"+//+\"}"},
        };
        Otlp__AnyValue value = OTLP__ANY_VALUE__INIT;

        value.value_case = OTLP__ANY_VALUE__VALUE_BYTES_VALUE;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                value.bytes_value.data = (uint8_t *)cases[i].bytes;
                value.bytes_value.len = strlen(cases[i].bytes);
                check_value(&value, cases[i].expected);
        }
}

static void test_lists(void **state)
{
        Otlp__AnyValue value = OTLP__ANY_VALUE__INIT, one = OTLP__ANY_VALUE__INIT;
        Otlp__AnyValue none = OTLP__ANY_VALUE__INIT, *values[] = {&one, &none};
        Otlp__ArrayValue array = OTLP__ARRAY_VALUE__INIT;
        Otlp__KeyValueList kvlist = OTLP__KEY_VALUE_LIST__INIT;
        Otlp__KeyValue with = OTLP__KEY_VALUE__INIT, without = OTLP__KEY_VALUE__INIT;
        Otlp__KeyValue *pairs[] = {&with, &without};

        one.value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
        one.int_value = 1;
        value.value_case = OTLP__ANY_VALUE__VALUE_ARRAY_VALUE;
        value.array_value = &array;
        check_value(&value, "{\"arrayValue\":{}}");
        array.n_values = 2;
        array.values = values;
        check_value(&value, "{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"},{}]}}");

        value.value_case = OTLP__ANY_VALUE__VALUE_KVLIST_VALUE;
        value.kvlist_value = &kvlist;
        check_value(&value, "{\"kvlistValue\":{}}");
        with.key = (char *)"a";
        with.value = &one;
        kvlist.n_values = 2;
        kvlist.values = pairs;
        check_value(&value, "{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":"
                            "{\"intValue\":\"1\"}},{\"key\":\"\"}]}}");
}

static void test_span(void **state)
{
        static uint8_t trace_id[16] = {0x0a, 0xf7, [15] = 0xff}, span_id[8] = {[7] = 1};
        static uint8_t parent_id[8] = {0xde, 0xad, 0xbe, 0xef};
        Otlp__Event event = OTLP__EVENT__INIT, *events[] = {&event};
        Otlp__Link link = OTLP__LINK__INIT, *links[] = {&link};
        Otlp__Status status = OTLP__STATUS__INIT, empty_status = OTLP__STATUS__INIT;
        Otlp__Span span = OTLP__SPAN__INIT, bare = OTLP__SPAN__INIT, *spans[] = {&span, &bare};
        Otlp__InstrumentationScope scope = OTLP__INSTRUMENTATION_SCOPE__INIT;
        Otlp__ScopeSpans scope_spans = OTLP__SCOPE_SPANS__INIT, *scopes[] = {&scope_spans};
        Otlp__Resource resource = OTLP__RESOURCE__INIT;
        Otlp__ResourceSpans resource_spans = OTLP__RESOURCE_SPANS__INIT;
        Otlp__ResourceSpans *list[] = {&resource_spans};
        Otlp__ExportTraceServiceRequest request = OTLP__EXPORT_TRACE_SERVICE_REQUEST__INIT;
        Buffer text;

        event.time_unix_nano = UINT64_MAX;
        event.name = (char *)"event";
        event.dropped_attributes_count = 3;
        link.trace_id = (ProtobufCBinaryData){16, trace_id};
        link.span_id = (ProtobufCBinaryData){8, span_id};
        link.trace_state = (char *)"a=b";
        link.dropped_attributes_count = 4;
        link.flags = 0x301;
        status.message = (char *)"bad";
        status.code = 2;
        span.trace_id = (ProtobufCBinaryData){16, trace_id};
        span.span_id = (ProtobufCBinaryData){8, span_id};
        span.parent_span_id = (ProtobufCBinaryData){8, parent_id};
        span.trace_state = (char *)"c=d";
        span.name = (char *)"name";
        span.kind = 5;
        span.start_time_unix_nano = 1700000000000000001;
        span.end_time_unix_nano = 1700000000000000002;
        span.dropped_attributes_count = UINT32_MAX;
        span.n_events = 1;
        span.events = events;
        span.dropped_events_count = 1;
        span.n_links = 1;
        span.links = links;
        span.dropped_links_count = 2;
        span.status = &status;
        span.flags = 1;
        bare.status = &empty_status;
        scope.name = (char *)"scope";
        scope.version = (char *)"1";
        scope.dropped_attributes_count = 5;
        scope_spans.scope = &scope;
        scope_spans.n_spans = 2;
        scope_spans.spans = spans;
        scope_spans.schema_url = (char *)"u";
        resource.dropped_attributes_count = 6;
        resource_spans.resource = &resource;
        resource_spans.n_scope_spans = 1;
        resource_spans.scope_spans = scopes;
        resource_spans.schema_url = (char *)"v";
        request.n_resource_spans = 1;
        request.resource_spans = list;

        buffer_init(&text, SIZE_MAX);
        assert_int_equal(otlp_json_append(&request, &text), 0);
        assert_int_equal(buffer_append(&text, "", 1), 0);
        assert_string_equal(
                (char *)buffer_data(&text),
                "{\"resourceSpans\":[{\"resource\":{\"droppedAttributesCount\":6},\"scopeSpans\":[{"
                "\"scope\":{\"name\":\"scope\",\"version\":\"1\",\"droppedAttributesCount\":5},"
                "\"spans\":[{\"traceId\":\"0af700000000000000000000000000ff\","
                "\"spanId\":\"0000000000000001\",\"traceState\":\"c=d\","
                "\"parentSpanId\":\"deadbeef00000000\",\"name\":\"name\",\"kind\":5,"
                "\"startTimeUnixNano\":\"1700000000000000001\","
                "\"endTimeUnixNano\":\"1700000000000000002\","
                "\"droppedAttributesCount\":4294967295,"
                "\"events\":[{\"timeUnixNano\":\"18446744073709551615\",\"name\":\"event\","
                "\"droppedAttributesCount\":3}],\"droppedEventsCount\":1,"
                "\"links\":[{\"traceId\":\"0af700000000000000000000000000ff\","
                "\"spanId\":\"0000000000000001\",\"traceState\":\"a=b\","
                "\"droppedAttributesCount\":4,\"flags\":769}],\"droppedLinksCount\":2,"
                "\"status\":{\"message\":\"bad\",\"code\":2},\"flags\":1},{\"status\":{}}],"
                "\"schemaUrl\":\"u\"}],\"schemaUrl\":\"v\"}]}\n");
        buffer_done(&text);
}

static void test_empty(void **state)
{
        Otlp__ExportTraceServiceRequest request = OTLP__EXPORT_TRACE_SERVICE_REQUEST__INIT;
        Buffer text;

        buffer_init(&text, 2);
        assert_int_equal(otlp_json_append(&request, &text), -ENOBUFS);
        buffer_done(&text);
        buffer_init(&text, 3);
        assert_int_equal(otlp_json_append(&request, &text), 0);
        assert_int_equal(buffer_length(&text), 3);
        assert_memory_equal(buffer_data(&text), "{}\n", 3);
        buffer_done(&text);
}

/* Deeper than yajl goes is an error and not a fault in memory. */
static void test_too_deep(void **state)
{
        static Otlp__AnyValue values[1000];
        static Otlp__ArrayValue arrays[1000];
        static Otlp__AnyValue *items[1000];
        Otlp__KeyValue attribute = OTLP__KEY_VALUE__INIT, *attributes[] = {&attribute};
        Otlp__Resource resource = OTLP__RESOURCE__INIT;
        Otlp__ResourceSpans resource_spans = OTLP__RESOURCE_SPANS__INIT;
        Otlp__ResourceSpans *list[] = {&resource_spans};
        Otlp__ExportTraceServiceRequest request = OTLP__EXPORT_TRACE_SERVICE_REQUEST__INIT;
        Buffer text;

        for (size_t i = 0; i < 1000; i++) {
                otlp__any_value__init(&values[i]);
                otlp__array_value__init(&arrays[i]);
                values[i].value_case = OTLP__ANY_VALUE__VALUE_ARRAY_VALUE;
                values[i].array_value = &arrays[i];
                items[i] = i + 1 < 1000 ? &values[i + 1] : NULL;
                arrays[i].n_values = items[i] ? 1 : 0;
                arrays[i].values = &items[i];
        }
        attribute.value = &values[0];
        resource.n_attributes = 1;
        resource.attributes = attributes;
        resource_spans.resource = &resource;
        request.n_resource_spans = 1;
        request.resource_spans = list;
        buffer_init(&text, SIZE_MAX);
        assert_int_equal(otlp_json_append(&request, &text), -E2BIG);
        buffer_done(&text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_strings),
                UNIT_TEST(test_invalid_utf8),
                UNIT_TEST(test_numbers),
                UNIT_TEST(test_bool_and_none),
                UNIT_TEST(test_bytes),
                UNIT_TEST(test_lists),
                UNIT_TEST(test_span),
                UNIT_TEST(test_empty),
                UNIT_TEST(test_too_deep),
        };

        return RUN_TESTS(tests);
}
