/* Adoption of any request: what comes out has no fault, has as many spans as were taken, all of our
 * trace, and is not changed by adoption once more. */

#include "fuzz.h"
#include "otlp/adopt.h"
#include "otlp/wire.h"

static const Adoption fresh = {
        .enabled = true, .trace_id = {"sixteen bytes id"}, .parent = {"8 bytes"}};
static Adoption adoption;

static void check_span(WireSlice span)
{
        WireField field;

        while (wire_next(&span, &field))
                if (field.number == 1)
                        assert(memcmp(field.value.data, adoption.trace_id.bytes, 16) == 0);
        assert(span.n == 0);
}

static size_t check_request(const Buffer *request)
{
        ScanSpan span;
        Scan scan;

        assert(scan_request(&scan, buffer_data(request), buffer_length(request)) == 0);
        scan_init(&scan, buffer_data(request), buffer_length(request));
        while (scan_next(&scan, &span) == SCAN_SPAN)
                check_span(span.span);
        return scan.spans;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        Buffer once, twice;
        AdoptResult result, again;
        int r;

        adoption = fresh;
        buffer_init(&once, SIZE_MAX);
        buffer_init(&twice, SIZE_MAX);
        r = adopt_request(&adoption, data, n, &once, &result);
        assert(r >= 0);
        assert((r == 0 && result.rejected == 0) == (result.fault[0] == '\0'));
        if (r == 0) {
                assert(check_request(&once) == result.taken);
                adoption = fresh; /* or links to what came later would follow now */
                assert(adopt_request(&adoption, buffer_data(&once), buffer_length(&once), &twice,
                                     &again) == 0);
                assert(again.taken == result.taken && again.rejected == 0);
                assert(buffer_length(&twice) == buffer_length(&once));
                assert(result.taken == 0 || memcmp(buffer_data(&twice), buffer_data(&once),
                                                   buffer_length(&once)) == 0);
        }
        buffer_done(&once);
        buffer_done(&twice);
        return 0;
}
