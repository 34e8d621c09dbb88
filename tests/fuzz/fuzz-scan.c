/* What the scanner lets through, a request as a whole or one of its spans, protobuf-c can unpack
 * and finds the same in it. */

#include "fuzz.h"
#include "otlp.pb-c.h"
#include "otlp/scan.h"

static void check_span(const WireSlice slice)
{
        Otlp__Span *span = otlp__span__unpack(NULL, slice.n, slice.data);

        assert(span);
        assert(span->trace_id.len == 16 && span->span_id.len == 8);
        assert(span->parent_span_id.len == 0 || span->parent_span_id.len == 8);
        for (size_t i = 0; i < span->n_links; i++)
                assert(span->links[i]->trace_id.len == 16 && span->links[i]->span_id.len == 8);
        otlp__span__free_unpacked(span, NULL);
}

static void check_within(WireSlice inner, WireSlice outer)
{
        assert(inner.data >= outer.data && inner.data + inner.n <= outer.data + outer.n);
}

static void check_request(const uint8_t *data, size_t n, size_t spans)
{
        Otlp__ExportTraceServiceRequest *request =
                otlp__export_trace_service_request__unpack(NULL, n, data);

        assert(request);
        for (size_t i = 0; i < request->n_resource_spans; i++)
                for (size_t k = 0; k < request->resource_spans[i]->n_scope_spans; k++)
                        spans -= request->resource_spans[i]->scope_spans[k]->n_spans;
        assert(spans == 0);
        otlp__export_trace_service_request__free_unpacked(request, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        int r, first_fault = 0;
        size_t spans = 0;
        ScanSpan span;
        Scan scan;

        scan_init(&scan, data, n);
        while ((r = scan_next(&scan, &span)) == SCAN_SPAN) {
                spans++;
                check_within(span.span, span.scope_spans);
                check_within(span.scope_spans, span.resource_spans);
                check_within(span.resource_spans, (WireSlice){data, n});
                if (span.fault == 0)
                        check_span(span.span);
                else if (first_fault == 0)
                        first_fault = span.fault;
                assert(span.fault == 0 || (scan.where && scan.offset <= n));
        }
        assert(r == 0 || (scan.where && scan.offset <= n));
        if (first_fault == 0)
                first_fault = r;
        assert(scan_request(&scan, data, n) == first_fault);
        if (first_fault != 0)
                return 0;
        assert(scan.spans == spans);
        check_request(data, n, spans);
        return 0;
}
