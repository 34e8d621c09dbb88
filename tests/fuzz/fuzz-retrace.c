/* Retracing of anything changes nothing but ids, and can be undone. Of what the scanner passes no
 * span is left in the former trace. */

#include "fuzz.h"
#include "otlp/retrace.h"
#include "otlp/scan.h"

static const TraceId from = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
static const TraceId to = {"sixteen bytes id"};

static bool contains(const uint8_t *data, size_t n, const TraceId *id)
{
        return memmem(data, n, id->bytes, TRACE_ID_SIZE) != NULL;
}

static void check_span(WireSlice span)
{
        WireField field;

        while (wire_next(&span, &field))
                if (field.number == FIELD_SPAN_TRACE_ID)
                        assert(memcmp(field.value.data, from.bytes, TRACE_ID_SIZE) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        uint8_t *copy = malloc(n > 0 ? n : 1);
        ScanSpan span;
        Scan scan;
        bool good;

        assert(copy);
        if (n > 0)
                memcpy(copy, data, n);
        good = scan_request(&scan, data, n) == 0;
        otlp_retrace(copy, n, &from, &to);
        if (good) {
                scan_init(&scan, copy, n);
                while (scan_next(&scan, &span) == SCAN_SPAN) {
                        assert(span.fault == 0);
                        check_span(span.span);
                }
        }
        if (!contains(data, n, &to)) {
                otlp_retrace(copy, n, &to, &from);
                assert(n == 0 || memcmp(copy, data, n) == 0);
        }
        free(copy);
        return 0;
}
