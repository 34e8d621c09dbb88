#include "test.h"

#include "base/macro.h"
#include "otlp.pb-c.h"
#include "otlp/encode.h"
#include "otlp/retrace.h"

static const TraceId ours = {"our trace's id.."};
static const TraceId other = {"another trace id"};
static const TraceId fresh = {"the id hereafter"};

static void assert_trace_id(ProtobufCBinaryData id, const TraceId *expected)
{
        assert_int_equal(id.len, TRACE_ID_SIZE);
        assert_memory_equal(id.data, expected->bytes, TRACE_ID_SIZE);
}

/* Ids of the trace in question change where they are ids, and nowhere else. */
static void test_ids(void **state)
{
        static const SpanLink links[] = {{{"our trace's id.."}, {{1}}}, {{"another trace id"}, {{2}}}};
        Span spans[2] = {
                {.id = {{1}}, .parent = {{3}}, .name = "our trace's id..", .kind = SPAN_KIND_SERVER,
                 .start = 1, .end = 2, .links = links, .n_links = 2},
                {.id = {{2}}, .name = "x", .kind = SPAN_KIND_INTERNAL},
        };
        const TraceId *traces[] = {&ours, &other};
        _cleanup_(buffer_done) Buffer buffer;
        Otlp__ExportTraceServiceRequest *request;
        const Otlp__Span *span;
        Attributes resource = {0};
        uint8_t *data;
        size_t n;

        attributes_add_string(&resource, "our trace's id..", "our trace's id..");
        buffer_init(&buffer, 10000);
        for (size_t i = 0; i < 2; i++)
                assert_int_equal(otlp_encode_request(traces[i], &resource, spans, 2, &buffer), 0);
        n = buffer_length(&buffer);
        data = malloc(n);
        memcpy(data, buffer_data(&buffer), n);
        otlp_retrace(data, n, &ours, &fresh);
        request = otlp__export_trace_service_request__unpack(NULL, n, data);
        assert_non_null(request);
        assert_int_equal(request->n_resource_spans, 2);
        for (size_t i = 0; i < 2; i++) {
                const Otlp__ResourceSpans *resource_spans = request->resource_spans[i];

                assert_string_equal(resource_spans->resource->attributes[0]->key,
                                    "our trace's id..");
                assert_string_equal(resource_spans->resource->attributes[0]->value->string_value,
                                    "our trace's id..");
                for (size_t k = 0; k < 2; k++)
                        assert_trace_id(resource_spans->scope_spans[0]->spans[k]->trace_id,
                                        i == 0 ? &fresh : &other);
                span = resource_spans->scope_spans[0]->spans[0];
                assert_string_equal(span->name, "our trace's id..");
                assert_int_equal(span->start_time_unix_nano, 1);
                assert_memory_equal(span->parent_span_id.data, spans[0].parent.bytes, SPAN_ID_SIZE);
                assert_trace_id(span->links[0]->trace_id, &fresh);
                assert_trace_id(span->links[1]->trace_id, &other);
        }
        otlp__export_trace_service_request__free_unpacked(request, NULL);
        free(data);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_ids),
        };

        return RUN_TESTS(tests);
}
