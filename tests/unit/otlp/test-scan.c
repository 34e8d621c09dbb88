#include "test.h"

#include <stdbool.h>

#include "base/macro.h"
#include "otlp/scan.h"
#include "otlp.pb-c.h"

/* Requests are built back to front, so that a message's length is known when it is put before it:
 * the last call below writes the first bytes. */
typedef struct Builder {
        uint8_t bytes[256 * 1024];
        size_t start;
} Builder;

static Builder builder;

static void setup(void)
{
        builder.start = sizeof(builder.bytes);
}

static void put(const void *data, size_t n)
{
        assert_in_range(n, 0, builder.start);
        builder.start -= n;
        memcpy(builder.bytes + builder.start, data, n);
}

#define PUT(bytes) put(bytes, sizeof(bytes) - 1)

static void put_varint(uint64_t value)
{
        uint8_t bytes[10];
        size_t n = 0;

        for (; value >= 0x80; value >>= 7)
                bytes[n++] = (uint8_t)(value | 0x80);
        bytes[n++] = (uint8_t)value;
        put(bytes, n);
}

/* Makes all that was put since @end, a value of builder.start, a field with a length. */
static void wrap(unsigned number, size_t end)
{
        put_varint(end - builder.start);
        put_varint(number << 3 | 2);
}

/* Makes all that was put since @end a span, alone in a request. */
static void wrap_span(size_t end)
{
        wrap(2, end);
        wrap(2, end);
        wrap(1, end);
}

#define TRACE_ID "\x0a\x10tttttttttttttttt"
#define SPAN_ID "\x12\x08ssssssss"
#define IDS TRACE_ID SPAN_ID

/* A span of @fields, alone in a request. */
static void put_request(const void *fields, size_t n)
{
        size_t end;

        setup();
        end = builder.start;
        put(fields, n);
        wrap_span(end);
}

/* Scans the first @n bytes of what was built, from memory of exactly that size. */
static int scan_first(Scan *scan, size_t n)
{
        uint8_t *exact = malloc(n);
        int r;

        assert_non_null(exact);
        memcpy(exact, builder.bytes + builder.start, n);
        r = scan_request(scan, exact, n);
        free(exact);
        return r;
}

static int scan_built(Scan *scan)
{
        return scan_first(scan, sizeof(builder.bytes) - builder.start);
}

static int scan_span(const char *fields, size_t n)
{
        Scan scan;

        put_request(fields, n);
        return scan_built(&scan);
}

#define SCAN_SPAN_OF(fields) scan_span(fields, sizeof(fields) - 1)

/* A request with everything in it. */
static void put_full_request(void)
{
        static uint8_t trace_id[16] = {1}, span_id[8] = {2};
        Otlp__AnyValue values[5], array_items[2] = {OTLP__ANY_VALUE__INIT, OTLP__ANY_VALUE__INIT};
        Otlp__AnyValue *array_item_list[] = {&array_items[0], &array_items[1]};
        Otlp__ArrayValue array = OTLP__ARRAY_VALUE__INIT;
        Otlp__KeyValueList list = OTLP__KEY_VALUE_LIST__INIT;
        Otlp__KeyValue attributes[5], *attribute_list[5];
        Otlp__Event event = OTLP__EVENT__INIT, *events[] = {&event};
        Otlp__Link link = OTLP__LINK__INIT, *links[] = {&link};
        Otlp__Status status = OTLP__STATUS__INIT;
        Otlp__Span span = OTLP__SPAN__INIT, *spans[] = {&span, &span};
        Otlp__InstrumentationScope scope = OTLP__INSTRUMENTATION_SCOPE__INIT;
        Otlp__ScopeSpans scope_spans = OTLP__SCOPE_SPANS__INIT, *scopes[] = {&scope_spans};
        Otlp__Resource resource = OTLP__RESOURCE__INIT;
        Otlp__ResourceSpans resource_spans = OTLP__RESOURCE_SPANS__INIT;
        Otlp__ResourceSpans *resources[] = {&resource_spans, &resource_spans};
        Otlp__ExportTraceServiceRequest request = OTLP__EXPORT_TRACE_SERVICE_REQUEST__INIT;

        for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
                otlp__any_value__init(&values[i]);
                otlp__key_value__init(&attributes[i]);
                attributes[i].key = (char *)"k\xc3\xa4y";
                attributes[i].value = &values[i];
                attribute_list[i] = &attributes[i];
        }
        values[0].value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
        values[0].string_value = (char *)"\xe2\x82\xac";
        values[1].value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
        values[1].int_value = -1;
        values[2].value_case = OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE;
        values[2].double_value = 0.5;
        values[3].value_case = OTLP__ANY_VALUE__VALUE_ARRAY_VALUE;
        values[3].array_value = &array;
        array.values = array_item_list;
        array.n_values = 2;
        array_items[0].value_case = OTLP__ANY_VALUE__VALUE_BYTES_VALUE;
        array_items[0].bytes_value = (ProtobufCBinaryData){2, (uint8_t *)"\xff\x00"};
        array_items[1].value_case = OTLP__ANY_VALUE__VALUE_BOOL_VALUE;
        array_items[1].bool_value = 1;
        values[4].value_case = OTLP__ANY_VALUE__VALUE_KVLIST_VALUE;
        values[4].kvlist_value = &list;
        list.values = attribute_list; /* of which only the first, or it would hold itself */
        list.n_values = 1;

        event.time_unix_nano = 3;
        event.name = (char *)"event";
        link.trace_id = span.trace_id = (ProtobufCBinaryData){16, trace_id};
        link.span_id = span.span_id = span.parent_span_id = (ProtobufCBinaryData){8, span_id};
        span.name = (char *)"name";
        span.trace_state = (char *)"a=b";
        span.kind = 2;
        span.start_time_unix_nano = 4;
        span.end_time_unix_nano = UINT64_MAX;
        span.flags = 0x101;
        span.dropped_links_count = 1000;
        status.code = 2;
        status.message = (char *)"failed";
        span.status = &status;
        event.attributes = link.attributes = span.attributes = resource.attributes = attribute_list;
        event.n_attributes = link.n_attributes = span.n_attributes = 5;
        resource.n_attributes = 5;
        span.events = events;
        span.links = links;
        span.n_events = span.n_links = 1;
        scope.name = (char *)"scope";
        scope_spans.scope = &scope;
        scope_spans.spans = spans;
        scope_spans.n_spans = 2;
        resource_spans.resource = &resource;
        resource_spans.scope_spans = scopes;
        resource_spans.n_scope_spans = 1;
        resource_spans.schema_url = (char *)"https://schema";
        request.resource_spans = resources;
        request.n_resource_spans = 2;

        setup();
        builder.start -= otlp__export_trace_service_request__get_packed_size(&request);
        otlp__export_trace_service_request__pack(&request, builder.bytes + builder.start);
}

static void test_sound(void **state)
{
        Scan scan;

        assert_int_equal(scan_request(&scan, NULL, 0), 0);
        assert_int_equal(scan.spans, 0);

        put_full_request();
        assert_int_equal(scan_built(&scan), 0);
        assert_int_equal(scan.spans, 4);

        assert_int_equal(SCAN_SPAN_OF(IDS), 0);
        assert_int_equal(SCAN_SPAN_OF(IDS "\x22\x00"), 0);
        assert_int_equal(SCAN_SPAN_OF(IDS "\x22\x08pppppppp"), 0);
        assert_int_equal(SCAN_SPAN_OF(SPAN_ID TRACE_ID), 0);
}

/* An unfinished request is refused wherever it is cut, except between two resources. */
static void test_every_truncation(void **state)
{
        size_t n, sound = 0;

        put_full_request();
        n = sizeof(builder.bytes) - builder.start;
        for (size_t cut = 1; cut < n; cut++) {
                Scan scan;

                if (scan_first(&scan, cut) == 0) {
                        assert_int_equal(cut, n / 2);
                        sound++;
                }
        }
        assert_int_equal(sound, 1);
}

/* Whatever bit is wrong: what the scan lets through, protobuf-c can unpack. */
static void test_every_bit_flip(void **state)
{
        size_t passed = 0;

        put_full_request();
        for (size_t i = builder.start; i < sizeof(builder.bytes); i++)
                for (int bit = 0; bit < 8; bit++) {
                        Otlp__ExportTraceServiceRequest *request;
                        Scan scan;

                        builder.bytes[i] ^= (uint8_t)(1 << bit);
                        if (scan_built(&scan) == 0) {
                                request = otlp__export_trace_service_request__unpack(
                                        NULL, sizeof(builder.bytes) - builder.start,
                                        builder.bytes + builder.start);
                                assert_non_null(request);
                                otlp__export_trace_service_request__free_unpacked(request, NULL);
                                passed++;
                        }
                        builder.bytes[i] ^= (uint8_t)(1 << bit);
                }
        assert_true(passed > 0);
}

static void test_faults_in_a_span(void **state)
{
#define CASE(fields, fault, where) {IDS fields, sizeof(IDS fields) - 1, fault, where}
        static const struct {
                const char *fields;
                size_t n;
                int fault;
                const char *where;
        } cases[] = {
                /* ids */
                {"", 0, SCAN_E_ID, "Span.trace_id"},
                {TRACE_ID, sizeof(TRACE_ID) - 1, SCAN_E_ID, "Span.span_id"},
                {SPAN_ID, sizeof(SPAN_ID) - 1, SCAN_E_ID, "Span.trace_id"},
                {"\x0a\x0ftttttttttttttttt", 18, SCAN_E_ID, "Span.trace_id"},
                {"\x0a\x11ttttttttttttttttt", 19, SCAN_E_ID, "Span.trace_id"},
                {"\x0a\x00", 2, SCAN_E_ID, "Span.trace_id"},
                {"\x0a\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18, SCAN_E_ID, "Span.trace_id"},
                {"\x12\x08\0\0\0\0\0\0\0\0", 10, SCAN_E_ID, "Span.span_id"},
                {"\x12\x07sssssss", 9, SCAN_E_ID, "Span.span_id"},
                CASE("\x22\x07ppppppp", SCAN_E_ID, "Span.parent_span_id"),
                CASE("\x6a\x00", SCAN_E_ID, "Link.trace_id"),
                CASE("\x6a\x12" TRACE_ID, SCAN_E_ID, "Link.span_id"),
                CASE("\x6a\x0a" SPAN_ID, SCAN_E_ID, "Link.trace_id"),
                /* a second value */
                CASE(TRACE_ID, SCAN_E_COUNT, "Span.trace_id"),
                CASE("\x30\x01\x30\x01", SCAN_E_COUNT, "Span.kind"),
                CASE("\x7a\x00\x7a\x00", SCAN_E_COUNT, "Span.status"),
                /* strings */
                CASE("\x2a\x01\xff", SCAN_E_UTF8, "Span.name"),
                CASE("\x1a\x01\xff", SCAN_E_UTF8, "Span.trace_state"),
                CASE("\x4a\x03\x0a\x01\x80", SCAN_E_UTF8, "KeyValue.key"),
                CASE("\x4a\x06\x12\x04\x0a\x02\xc3(", SCAN_E_UTF8, "AnyValue.string_value"),
                CASE("\x7a\x03\x12\x01\xff", SCAN_E_UTF8, "Status.message"),
                CASE("\x5a\x03\x12\x01\xff", SCAN_E_UTF8, "Event.name"),
                /* the wire type of another kind */
                CASE("\x2d\x01\x01\x01\x01", SCAN_E_TYPE, "Span.name"),
                CASE("\x28\x01", SCAN_E_TYPE, "Span.name"),
                CASE("\x38\x01", SCAN_E_TYPE, "Span.start_time_unix_nano"),
                CASE("\x32\x01\x01", SCAN_E_TYPE, "Span.kind"),
                CASE("\x48\x01", SCAN_E_TYPE, "Span.attributes"),
                CASE("\x81\x01\x01\x01\x01\x01\x01\x01\x01\x01", SCAN_E_TYPE, "Span.flags"),
                /* groups, and wire types that do not exist */
                CASE("\xa3\x06", SCAN_E_WIRE, "Span"),
                CASE("\xa4\x06", SCAN_E_WIRE, "Span"),
                CASE("\xa3\x06\xa4\x06", SCAN_E_WIRE, "Span"),
                CASE("\xa6\x06", SCAN_E_WIRE, "Span"),
                CASE("\xa7\x06", SCAN_E_WIRE, "Span"),
                CASE("\x2b\x2c", SCAN_E_TYPE, "Span.name"),
                /* varints: a field's number, its value, its length */
                CASE("\x00\x00", SCAN_E_WIRE, "Span"),
                CASE("\x02\x00", SCAN_E_WIRE, "Span"),
                CASE("\x80\x80\x80\x80\x10\x00", SCAN_E_WIRE, "Span"),
                CASE("\xa0\x86\x80\x80\x80\x00\x00", SCAN_E_WIRE, "Span"),
                CASE("\x30\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", SCAN_E_WIRE, "Span.kind"),
                CASE("\x30\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", SCAN_E_WIRE, "Span.kind"),
                CASE("\x2a\x80\x80\x80\x80\x80\x00", SCAN_E_WIRE, "Span.name"),
                /* cut off */
                CASE("\x2a", SCAN_E_WIRE, "Span.name"),
                CASE("\x2a\x01", SCAN_E_WIRE, "Span.name"),
                CASE("\x2a\xff\xff\xff\xff\x7f", SCAN_E_WIRE, "Span.name"),
                CASE("\x30", SCAN_E_WIRE, "Span.kind"),
                CASE("\x30\x80", SCAN_E_WIRE, "Span.kind"),
                CASE("\x39\x01\x01\x01\x01\x01\x01\x01", SCAN_E_WIRE, "Span.start_time_unix_nano"),
                CASE("\x85\x01\x01\x01\x01", SCAN_E_WIRE, "Span.flags"),
                CASE("\x4a\x03\x12\x02\x0a", SCAN_E_WIRE, "KeyValue.value"),
        };
#undef CASE

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char text[SCAN_TEXT_MAX];
                Scan scan;
                int r;

                put_request(cases[i].fields, cases[i].n);
                r = scan_built(&scan);
                if (r != cases[i].fault || strcmp(scan.where, cases[i].where) != 0)
                        fail_msg("%zu: %d at %s", i, r, scan.where);
                scan_describe(&scan, r, text);
                assert_ptr_equal(strstr(text, cases[i].where), text);
                assert_string_not_equal(strrchr(text, ':'), ": ");
        }
}

static void test_accepted_oddities(void **state)
{
        /* unknown fields of every wire type, and the highest field number */
        assert_int_equal(SCAN_SPAN_OF(IDS "\xa0\x06\x01"), 0);
        assert_int_equal(SCAN_SPAN_OF(IDS "\xa1\x06\1\2\3\4\5\6\7\10"), 0);
        assert_int_equal(SCAN_SPAN_OF(IDS "\xa2\x06\x02\xff\xff"), 0);
        assert_int_equal(SCAN_SPAN_OF(IDS "\xa5\x06\1\2\3\4"), 0);
        assert_int_equal(SCAN_SPAN_OF(IDS "\xf8\xff\xff\xff\x0f\x01"), 0);
        /* varints longer than need be, and of the full 64 bits */
        assert_int_equal(SCAN_SPAN_OF(IDS "\xb0\x80\x00\x82\x80\x00"), 0);
        assert_int_equal(SCAN_SPAN_OF(IDS "\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 0);
        /* bytes that are no string, a string with a NUL, values and keys left out */
        assert_int_equal(SCAN_SPAN_OF(IDS "\x4a\x05\x12\x03\x3a\x01\xff"), 0);
        assert_int_equal(SCAN_SPAN_OF(IDS "\x2a\x03z\0z"), 0);
        assert_int_equal(SCAN_SPAN_OF(IDS "\x4a\x00\x4a\x02\x12\x00"), 0);
}

/* Faults where there is no span to blame. */
static void test_faults_outside_of_spans(void **state)
{
        static const struct {
                const char *bytes;
                size_t n;
                int fault;
                const char *where;
                size_t offset;
        } cases[] = {
                {"\x08\x01", 2, SCAN_E_TYPE, "ExportTraceServiceRequest.resource_spans", 0},
                {"\x0a\x01", 2, SCAN_E_WIRE, "ExportTraceServiceRequest.resource_spans", 0},
                {"\x0a\x00\x0a", 3, SCAN_E_WIRE, "ExportTraceServiceRequest.resource_spans", 2},
                {"\x0a\x04\x0a\x00\x0a\x00", 6, SCAN_E_COUNT, "ResourceSpans.resource", 4},
                {"\x0a\x03\x1a\x01\xff", 5, SCAN_E_UTF8, "ResourceSpans.schema_url", 2},
                {"\x0a\x06\x0a\x04\x0a\x02\x0a\x01", 8, SCAN_E_WIRE, "KeyValue.key", 6},
                {"\x0a\x05\x12\x03\x12\x02\x0a", 7, SCAN_E_WIRE, "ScopeSpans.spans", 4},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Scan scan;

                setup();
                put(cases[i].bytes, cases[i].n);
                assert_int_equal(scan_built(&scan), cases[i].fault);
                assert_string_equal(scan.where, cases[i].where);
                assert_int_equal(scan.offset, cases[i].offset);
        }
}

/* One bad span among good ones, and bad in a way that would derail a reader of its content. */
static void test_spans_one_by_one(void **state)
{
        static const char resource[] = "\x0a\x02\x10\x01";
        size_t end, n;
        const uint8_t *data;
        ScanSpan span;
        Scan scan;

        setup();
        end = builder.start;
        PUT(IDS "\x30\x03");
        wrap_span(end);
        end = builder.start;
        PUT(IDS "\x30\x02");
        wrap(2, end);
        n = builder.start;
        PUT(IDS "\x4a\x04\x12\x02\x0a\x7f\x07");
        wrap(2, n);
        n = builder.start;
        PUT(IDS "\x30\x01");
        wrap(2, n);
        wrap(2, end);
        PUT(resource);
        wrap(1, end);
        data = builder.bytes + builder.start;
        n = sizeof(builder.bytes) - builder.start;

        scan_init(&scan, data, n);
        assert_int_equal(scan_next(&scan, &span), SCAN_SPAN);
        assert_int_equal(span.fault, 0);
        assert_int_equal(span.span.n, sizeof(IDS) - 1 + 2);
        assert_memory_equal(span.span.data, IDS "\x30\x01", span.span.n);
        assert_memory_equal(span.resource_spans.data, resource, sizeof(resource) - 1);
        assert_ptr_equal(span.scope_spans.data + span.scope_spans.n,
                         span.resource_spans.data + span.resource_spans.n);

        assert_int_equal(scan_next(&scan, &span), SCAN_SPAN);
        assert_int_equal(span.fault, SCAN_E_WIRE);
        assert_string_equal(scan.where, "AnyValue.string_value");
        assert_int_equal(data[scan.offset], 0x0a);
        assert_int_equal(data[scan.offset + 1], 0x7f);
        assert_memory_equal(span.span.data + span.span.n - 3, "\x0a\x7f\x07", 3);

        assert_int_equal(scan_next(&scan, &span), SCAN_SPAN);
        assert_int_equal(span.fault, 0);
        assert_memory_equal(span.span.data, IDS "\x30\x02", span.span.n);

        assert_int_equal(scan_next(&scan, &span), SCAN_SPAN);
        assert_int_equal(span.fault, 0);
        assert_memory_equal(span.span.data, IDS "\x30\x03", span.span.n);
        assert_int_equal(span.resource_spans.data[0], 0x12);
        assert_int_equal(scan_next(&scan, &span), 0);
        assert_int_equal(scan.spans, 4);

        assert_int_equal(scan_request(&scan, data, n), SCAN_E_WIRE);
        assert_string_equal(scan.where, "AnyValue.string_value");
}

/* A span with an attribute whose value is @arrays arrays in each other. */
static int scan_nested(size_t arrays)
{
        size_t end;
        Scan scan;

        setup();
        end = builder.start;
        for (size_t i = 0; i < arrays; i++) {
                wrap(1, end);
                wrap(5, end);
        }
        wrap(2, end);
        wrap(9, end);
        PUT(IDS);
        wrap_span(end);
        return scan_built(&scan);
}

static void test_depth(void **state)
{
        /* request, resource, scope, span, attribute and value are 6 */
        assert_int_equal(scan_nested((SCAN_DEPTH_MAX - 6) / 2), 0);
        assert_int_equal(scan_nested((SCAN_DEPTH_MAX - 6) / 2 + 1), SCAN_E_DEPTH);
        assert_int_equal(scan_nested(4360), SCAN_E_DEPTH);
}

/* A span with @count times @field, those in an array if @in_array. */
static int scan_repeated(const char *field, size_t n, size_t count, bool in_array)
{
        size_t end;
        Scan scan;

        setup();
        end = builder.start;
        for (size_t i = 0; i < count; i++)
                put(field, n);
        if (in_array) {
                wrap(5, end);
                wrap(2, end);
                wrap(9, end);
        }
        PUT(IDS);
        wrap_span(end);
        return scan_built(&scan);
}

static void test_counts(void **state)
{
        static const struct {
                const char *field;
                size_t n, max;
                bool in_array;
        } cases[] = {
                {"\x4a\x00", 2, SCHEMA_ATTRIBUTES_MAX, false},
                {"\x5a\x00", 2, SCHEMA_EVENTS_MAX, false},
                {"\x6a\x1c" IDS, 30, SCHEMA_LINKS_MAX, false},
                {"\x0a\x00", 2, SCHEMA_VALUES_MAX, true},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                assert_int_equal(scan_repeated(cases[i].field, cases[i].n, cases[i].max,
                                               cases[i].in_array),
                                 0);
                assert_int_equal(scan_repeated(cases[i].field, cases[i].n, cases[i].max + 1,
                                               cases[i].in_array),
                                 SCAN_E_COUNT);
        }
}

/* The limits of the whole request, which count what is at fault too: a request of many small
 * things must not get to unpacking. */
static int scan_many(const char *field, size_t n, size_t count)
{
        uint8_t *data = malloc(n * count);
        Scan scan;
        int r;

        assert_non_null(data);
        for (size_t i = 0; i < count; i++)
                memcpy(data + i * n, field, n);
        r = scan_request(&scan, data, n * count);
        free(data);
        return r;
}

static void test_counts_of_requests(void **state)
{
        static const char span[] = "\x0a\x22\x12\x20\x12\x1e" IDS "\x30\x01";

        assert_int_equal(scan_many(span, sizeof(span) - 1, SCHEMA_SPANS_MAX), 0);
        assert_int_equal(scan_many(span, sizeof(span) - 1, SCHEMA_SPANS_MAX + 1), SCAN_E_COUNT);
        assert_int_equal(scan_many("\x0a\x00", 2, SCHEMA_PARTS_MAX), 0);
        assert_int_equal(scan_many("\x0a\x00", 2, SCHEMA_PARTS_MAX + 1), SCAN_E_COUNT);
        assert_int_equal(scan_many("\x10\x00", 2, SCHEMA_PARTS_MAX), 0);
        assert_int_equal(scan_many("\x10\x00", 2, SCHEMA_PARTS_MAX + 1), SCAN_E_COUNT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_sound),
                UNIT_TEST(test_every_truncation),
                UNIT_TEST(test_every_bit_flip),
                UNIT_TEST(test_faults_in_a_span),
                UNIT_TEST(test_accepted_oddities),
                UNIT_TEST(test_faults_outside_of_spans),
                UNIT_TEST(test_spans_one_by_one),
                UNIT_TEST(test_depth),
                UNIT_TEST(test_counts),
                UNIT_TEST(test_counts_of_requests),
        };

        return RUN_TESTS(tests);
}
