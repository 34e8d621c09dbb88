/* Whatever JSON becomes, it is well-formed protobuf of the right types: what the scanner may find
 * at fault is what was said, not how it was written. */

#include <errno.h>

#include "base/buffer.h"
#include "fuzz.h"
#include "otlp/from-json.h"
#include "otlp/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        const char *where = NULL;
        ScanSpan span;
        Buffer out;
        Scan scan;
        int r;

        buffer_init(&out, 1024 * 1024);
        r = otlp_from_json(data, n, &out, &where);
        assert(r == 0 || r == -ENOBUFS || (r == FROM_JSON_E_BAD && where));
        if (r == 0) {
                scan_init(&scan, buffer_data(&out), buffer_length(&out));
                while ((r = scan_next(&scan, &span)) == SCAN_SPAN)
                        assert(span.fault != SCAN_E_WIRE && span.fault != SCAN_E_TYPE);
                assert(r != SCAN_E_WIRE && r != SCAN_E_TYPE);
        }
        buffer_done(&out);
        return 0;
}
