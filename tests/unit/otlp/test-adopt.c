#include "test.h"

#include <stdio.h>

#include "base/macro.h"
#include "otlp.pb-c.h"
#include "otlp/adopt.h"
#include "otlp/wire.h"

#define OURS "our trace's id.."
#define OTHER "another trace id"
#define THIRD "a third trace id"
#define UNKNOWN "nobody's trace.."
#define AGENT "theagent"

static const Adoption fresh = {.enabled = true, .trace_id = {OURS}, .parent = {AGENT}};

/* What a test puts into a request. */
typedef struct TestSpan {
        const char *trace_id;
        const char *id; /* NULL: at fault */
        const char *parent;
        const char *link; /* a trace id */
        size_t attributes;
} TestSpan;

static void put_span(WireWriter *w, const TestSpan *span)
{
        size_t start = wire_open(w, 2), inner;

        wire_put_bytes(w, 1, span->trace_id, TRACE_ID_SIZE);
        if (span->id)
                wire_put_bytes(w, 2, span->id, SPAN_ID_SIZE);
        wire_put_bytes(w, 3, "state=1", 7);
        if (span->parent)
                wire_put_bytes(w, 4, span->parent, strlen(span->parent));
        for (size_t i = 0; i < span->attributes; i++) {
                inner = wire_open(w, 9);
                wire_put_bytes(w, 1, "key", 3);
                wire_close(w, inner);
        }
        if (span->link) {
                inner = wire_open(w, 13);
                wire_put_bytes(w, 1, span->link, TRACE_ID_SIZE);
                wire_put_bytes(w, 2, "linkedto", SPAN_ID_SIZE);
                wire_close(w, inner);
        }
        wire_put_fixed32(w, 16, 0x301);
        wire_close(w, start);
}

/* Adopts a request of these spans, two in each scope, and unpacks what comes out. */
static Otlp__ExportTraceServiceRequest *adopt(Adoption *adoption, const TestSpan *spans, size_t n,
                                              AdoptResult *ret_result)
{
        _cleanup_(buffer_done) Buffer in, out;
        Otlp__ExportTraceServiceRequest *request;
        WireWriter w = {.out = &in};

        buffer_init(&in, SIZE_MAX);
        buffer_init(&out, SIZE_MAX);
        for (size_t i = 0; i < n; i += 2) {
                size_t outer = wire_open(&w, 1), scope_spans = wire_open(&w, 2), inner;

                inner = wire_open(&w, 1);
                wire_put_bytes(&w, 1, "scope", 5);
                wire_close(&w, inner);
                put_span(&w, &spans[i]);
                if (i + 1 < n)
                        put_span(&w, &spans[i + 1]);
                wire_put_bytes(&w, 3, "schema", 6);
                wire_close(&w, scope_spans);
                wire_put_bytes(&w, 3, "resource's", 10);
                wire_close(&w, outer);
        }
        assert_int_equal(adopt_request(adoption, buffer_data(&in), buffer_length(&in), &out,
                                       ret_result), 0);
        request = otlp__export_trace_service_request__unpack(NULL, buffer_length(&out),
                                                             buffer_data(&out));
        assert_non_null(request);
        return request;
}

static const Otlp__Span *span_of(const Otlp__ExportTraceServiceRequest *request, size_t i)
{
        return request->resource_spans[i / 2]->scope_spans[0]->spans[i % 2];
}

static void assert_id(ProtobufCBinaryData id, const char *expected)
{
        assert_int_equal(id.len, strlen(expected));
        assert_memory_equal(id.data, expected, strlen(expected));
}

#define ADOPT(adoption, spans, result) adopt(adoption, spans, ARRAY_SIZE(spans), result)
#define FREE(request) otlp__export_trace_service_request__free_unpacked(request, NULL)

static void test_other_trace(void **state)
{
        static const TestSpan spans[] = {
                {OTHER, "child...", "parent..", NULL, 1},
                {OTHER, "root....", NULL, NULL, 0},
                {OTHER, "root2...", "", NULL, 0},
                {OURS, "native..", "agents..", NULL, 0},
                {OURS, "native2.", "", NULL, 0},
        };
        Adoption adoption = fresh;
        AdoptResult result;
        Otlp__ExportTraceServiceRequest *request = ADOPT(&adoption, spans, &result);

        assert_int_equal(result.taken, 5);
        assert_int_equal(result.rejected, 0);
        assert_string_equal(result.fault, "");
        assert_int_equal(request->n_resource_spans, 3);
        for (size_t i = 0; i < 5; i++) {
                assert_id(span_of(request, i)->trace_id, OURS);
                assert_id(span_of(request, i)->span_id, spans[i].id);
                assert_string_equal(span_of(request, i)->trace_state, "state=1");
                assert_int_equal(span_of(request, i)->flags, 0x301);
        }
        assert_id(span_of(request, 0)->parent_span_id, "parent..");
        assert_id(span_of(request, 1)->parent_span_id, AGENT);
        assert_id(span_of(request, 2)->parent_span_id, AGENT);
        assert_id(span_of(request, 3)->parent_span_id, "agents..");
        assert_id(span_of(request, 4)->parent_span_id, "");
        assert_int_equal(span_of(request, 0)->n_attributes, 2);
        assert_string_equal(span_of(request, 0)->attributes[1]->key, ADOPT_ATTRIBUTE);
        assert_string_equal(span_of(request, 0)->attributes[1]->value->string_value,
                            "616e6f74686572207472616365206964");
        assert_int_equal(span_of(request, 3)->n_attributes, 0);
        assert_string_equal(request->resource_spans[1]->schema_url, "resource's");
        assert_string_equal(request->resource_spans[1]->scope_spans[0]->schema_url, "schema");
        assert_string_equal(request->resource_spans[1]->scope_spans[0]->scope->name, "scope");
        FREE(request);
}

static void test_links(void **state)
{
        static const TestSpan first[] = {{THIRD, "root....", NULL, NULL, 0}};
        static const TestSpan spans[] = {
                {OTHER, "span1...", "parent..", OTHER, 0},
                {OTHER, "span2...", "parent..", THIRD, 0},
                {OTHER, "span3...", "parent..", UNKNOWN, 0},
                {OURS, "span4...", "parent..", OTHER, 0},
                {OURS, "span5...", "parent..", OURS, 0},
        };
        static const char *const expected[] = {OURS, OURS, UNKNOWN, OURS, OURS};
        Adoption adoption = fresh;
        AdoptResult result;
        Otlp__ExportTraceServiceRequest *request;

        FREE(ADOPT(&adoption, first, &result));
        request = ADOPT(&adoption, spans, &result);
        for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
                assert_int_equal(span_of(request, i)->n_links, 1);
                assert_id(span_of(request, i)->links[0]->trace_id, expected[i]);
                assert_id(span_of(request, i)->links[0]->span_id, "linkedto");
        }
        FREE(request);
}

static void test_off(void **state)
{
        static const TestSpan spans[] = {{OTHER, "span1...", NULL, OTHER, 0}, {OTHER, NULL}};
        Adoption adoption = fresh;
        AdoptResult result;
        Otlp__ExportTraceServiceRequest *request;

        adoption.enabled = false;
        request = ADOPT(&adoption, spans, &result);
        assert_int_equal(result.taken, 1);
        assert_int_equal(result.rejected, 1);
        assert_id(span_of(request, 0)->trace_id, OTHER);
        assert_id(span_of(request, 0)->links[0]->trace_id, OTHER);
        assert_id(span_of(request, 0)->parent_span_id, "");
        assert_int_equal(span_of(request, 0)->n_attributes, 0);
        FREE(request);
}

/* Programs know our trace by the id it had before the VM was resumed. */
static void test_former_id(void **state)
{
        static const TestSpan spans[] = {
                {THIRD, "native..", "agents..", THIRD, 0},
                {OTHER, "foreign.", NULL, OTHER, 0},
                {OURS, "native2.", "", NULL, 0},
        };
        Adoption adoption = fresh;
        AdoptResult result;
        Otlp__ExportTraceServiceRequest *request;

        adoption.enabled = false;
        adoption.former = (TraceId){THIRD};
        request = ADOPT(&adoption, spans, &result);
        assert_int_equal(result.taken, 3);
        assert_id(span_of(request, 0)->trace_id, OURS);
        assert_id(span_of(request, 0)->parent_span_id, "agents..");
        assert_id(span_of(request, 0)->links[0]->trace_id, OURS);
        assert_id(span_of(request, 1)->trace_id, OTHER);
        assert_id(span_of(request, 1)->links[0]->trace_id, OTHER);
        assert_id(span_of(request, 2)->trace_id, OURS);
        FREE(request);
}

static void test_faults(void **state)
{
        static const TestSpan spans[] = {
                {OTHER, NULL},   {OTHER, NULL},
                {OTHER, "good...."}, {OTHER, NULL},
        };
        Adoption adoption = fresh;
        AdoptResult result;
        Otlp__ExportTraceServiceRequest *request = ADOPT(&adoption, spans, &result);

        assert_int_equal(result.taken, 1);
        assert_int_equal(result.rejected, 3);
        assert_ptr_equal(strstr(result.fault, "Span.span_id at byte "), result.fault);
        assert_int_equal(request->n_resource_spans, 1); /* nothing is left of the first */
        assert_id(span_of(request, 0)->span_id, "good....");
        FREE(request);
}

static void test_fault_of_the_request(void **state)
{
        /* a scope with a span, and behind it a schema_url that goes on beyond the end */
        static const uint8_t data[] = "\x0a\x24\x12\x20\x12\x1e\x0a\x10" OTHER "\x12\x08" "spanspan"
                                      "\x38\0" "\x1a\x05x";
        Adoption adoption = fresh;
        AdoptResult result;
        Buffer out;

        buffer_init(&out, 1000);
        assert_int_equal(adopt_request(&adoption, data, sizeof(data) - 1, &out, &result),
                         SCAN_E_WIRE);
        assert_string_not_equal(result.fault, "");
        buffer_done(&out);
}

/* What is added must not make a span that the host's scanner refuses. */
static void test_no_room_for_the_attribute(void **state)
{
        static const TestSpan spans[] = {{OTHER, "span1...", NULL, NULL, SCHEMA_ATTRIBUTES_MAX}};
        Adoption adoption = fresh;
        AdoptResult result;
        Otlp__ExportTraceServiceRequest *request = ADOPT(&adoption, spans, &result);

        assert_int_equal(result.taken, 1);
        assert_id(span_of(request, 0)->trace_id, OURS);
        assert_int_equal(span_of(request, 0)->n_attributes, SCHEMA_ATTRIBUTES_MAX);
        FREE(request);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_other_trace),
                UNIT_TEST(test_links),
                UNIT_TEST(test_off),
                UNIT_TEST(test_former_id),
                UNIT_TEST(test_faults),
                UNIT_TEST(test_fault_of_the_request),
                UNIT_TEST(test_no_room_for_the_attribute),
        };

        return RUN_TESTS(tests);
}
