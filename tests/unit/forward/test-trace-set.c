#include "test.h"

#include <stdio.h>

#include "base/macro.h"
#include "forward/trace-set.h"

/* A batch of @n spans of one resource, decoded from what protobuf-c packs. */
static Batch *make_batch(Otlp__Span **spans, size_t n)
{
        Otlp__KeyValue name = OTLP__KEY_VALUE__INIT, *attributes[] = {&name};
        Otlp__AnyValue value = OTLP__ANY_VALUE__INIT;
        Otlp__Resource resource = OTLP__RESOURCE__INIT;
        Otlp__ScopeSpans scope = OTLP__SCOPE_SPANS__INIT, *scopes[] = {&scope};
        Otlp__ResourceSpans resource_spans = OTLP__RESOURCE_SPANS__INIT, *list[] = {&resource_spans};
        Otlp__ExportTraceServiceRequest request = OTLP__EXPORT_TRACE_SERVICE_REQUEST__INIT;
        char fault[BATCH_FAULT_MAX];
        Batch *batch;
        uint8_t *data;
        size_t size;

        name.key = (char *)"service.name";
        name.value = &value;
        value.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
        value.string_value = (char *)"service";
        resource.n_attributes = 1;
        resource.attributes = attributes;
        scope.n_spans = n;
        scope.spans = spans;
        resource_spans.resource = &resource;
        resource_spans.n_scope_spans = 1;
        resource_spans.scope_spans = scopes;
        request.n_resource_spans = 1;
        request.resource_spans = list;
        size = otlp__export_trace_service_request__get_packed_size(&request);
        data = malloc(size);
        assert_non_null(data);
        otlp__export_trace_service_request__pack(&request, data);
        assert_int_equal(batch_decode(data, size, &batch, fault), 0);
        free(data);
        return batch;
}

/* Good until the next call with the same @slot. */
static Otlp__Span *make_span(size_t slot, uint8_t trace, uint8_t id, uint8_t parent, char *name)
{
        static struct {
                Otlp__Span span;
                uint8_t trace[16], id[8], parent[8];
        } slots[8];

        assert_true(slot < ARRAY_SIZE(slots));
        otlp__span__init(&slots[slot].span);
        slots[slot].trace[0] = trace;
        slots[slot].id[0] = id;
        slots[slot].parent[0] = parent;
        slots[slot].span.trace_id = (ProtobufCBinaryData){16, slots[slot].trace};
        slots[slot].span.span_id = (ProtobufCBinaryData){8, slots[slot].id};
        if (parent != 0)
                slots[slot].span.parent_span_id = (ProtobufCBinaryData){8, slots[slot].parent};
        slots[slot].span.name = name;
        return &slots[slot].span;
}

static void add(TraceSet *set, Otlp__Span **spans, size_t n)
{
        Batch *batch = make_batch(spans, n);

        assert_int_equal(trace_set_add(set, batch), 0);
        batch_free(batch); /* the set has copies */
}

static Trace *take(TraceSet *set, bool all, uint8_t id, size_t n)
{
        Trace *trace = trace_set_take(set, all);

        assert_non_null(trace);
        assert_int_equal(trace->tree.id.bytes[0], id);
        assert_int_equal(trace->tree.n, n);
        return trace;
}

static void test_root_completes(void **state)
{
        TraceSet *set;
        Trace *trace;

        assert_int_equal(trace_set_new(SIZE_MAX, 10, &set), 0);
        add(set, (Otlp__Span *[]){make_span(0, 1, 2, 1, (char *)"child of 1"),
                                  make_span(1, 2, 2, 1, (char *)"child of 2")}, 2);
        assert_null(trace_set_take(set, false));
        add(set, (Otlp__Span *[]){make_span(0, 2, 1, 0, (char *)"root of 2"),
                                  make_span(1, 2, 3, 2, (char *)"grandchild")}, 2);

        trace = take(set, false, 2, 3);
        assert_true(trace->has_root);
        assert_string_equal(trace->tree.spans[0].name, "child of 2");
        assert_string_equal(trace->tree.spans[0].service, "service");
        assert_string_equal(trace->tree.spans[0].host, "");
        assert_string_equal(trace->tree.spans[2].name, "grandchild");
        assert_true(trace->tree.spans[1].is_root);
        trace_free(trace);

        assert_null(trace_set_take(set, false));
        trace = take(set, true, 1, 1);
        assert_false(trace->has_root);
        assert_false(trace->tree.is_early || trace->tree.is_rest);
        trace_free(trace);
        assert_null(trace_set_take(set, true));
        trace_set_free(set);
}

/* The guest's root span has a parent when the host traces too. */
static void test_attributes(void **state)
{
        static const struct {
                const char *key;
                int64_t value;
                const char *process;
                bool is_root;
        } cases[] = {
                {"process.exit.code", 0, "", false},
                {"process.exit.code", 3, "exit code 3", false},
                {"rootspan.agent.signal", 9, "signal 9", false},
                {"rootspan.reason", 1, "", true},
                {"other", 1, "", false},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Otlp__KeyValue attribute = OTLP__KEY_VALUE__INIT, *attributes[] = {&attribute};
                Otlp__AnyValue value = OTLP__ANY_VALUE__INIT;
                Otlp__Status status = OTLP__STATUS__INIT;
                Otlp__Span *span = make_span(0, 1, 2, 1, (char *)"x");
                TraceSet *set;
                Trace *trace;

                attribute.key = (char *)cases[i].key;
                attribute.value = &value;
                value.value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
                value.int_value = cases[i].value;
                span->n_attributes = 1;
                span->attributes = attributes;
                status.code = SPAN_STATUS_ERROR;
                status.message = (char *)"message";
                span->status = &status;
                assert_int_equal(trace_set_new(SIZE_MAX, 10, &set), 0);
                add(set, &span, 1);
                trace = take(set, true, 1, 1);
                assert_string_equal(trace->tree.spans[0].process, cases[i].process);
                assert_string_equal(trace->tree.spans[0].message, "message");
                assert_true(trace->tree.spans[0].is_error);
                assert_int_equal(trace->tree.spans[0].is_root, cases[i].is_root);
                trace_free(trace);
                trace_set_free(set);
        }
}

static void test_too_many_traces(void **state)
{
        TraceSet *set;
        Trace *trace;

        assert_int_equal(trace_set_new(SIZE_MAX, 2, &set), 0);
        for (uint8_t i = 1; i <= 3; i++)
                add(set, (Otlp__Span *[]){make_span(0, i, 2, 1, (char *)"x")}, 1);
        trace = take(set, false, 1, 1);
        assert_true(trace->tree.is_early);
        trace_free(trace);
        assert_null(trace_set_take(set, false));
        trace_set_free(set);
}

/* However long one trace goes on, it takes no more than its share; what comes later of it is
 * marked as such. */
static void test_too_many_bytes(void **state)
{
        enum { MAX_BYTES = 64 * 1024, N = 10000 };
        size_t n = 0;
        TraceSet *set;
        Trace *trace;

        assert_int_equal(trace_set_new(MAX_BYTES, 10, &set), 0);
        for (size_t i = 0; i < N; i++) {
                add(set, (Otlp__Span *[]){make_span(0, 1, 2, 1, (char *)"name")}, 1);
                while ((trace = trace_set_take(set, false))) {
                        assert_true(trace->tree.is_early);
                        assert_int_equal(trace->tree.is_rest, n > 0);
                        assert_true(trace->tree.n * sizeof(TreeSpan) < 2 * MAX_BYTES);
                        n += trace->tree.n;
                        trace_free(trace);
                }
        }
        assert_in_range(n, N - MAX_BYTES / sizeof(TreeSpan), N);
        trace_set_free(set);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_root_completes),
                UNIT_TEST(test_attributes),
                UNIT_TEST(test_too_many_traces),
                UNIT_TEST(test_too_many_bytes),
        };

        return RUN_TESTS(tests);
}
