#include "fuzz.h"

#include "trace/response.h"

/* Reads the answer as it stands while the connection lasts, and as it stands at its end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        Response open, closed;
        int r = response_parse(data, n, false, 0, &open);
        int r_closed = response_parse(data, n, true, 0, &closed);

        assert(r_closed != RESPONSE_E_MORE);
        assert(r != RESPONSE_E_MORE || n < RESPONSE_MAX);
        assert(r != RESPONSE_E_BAD || r_closed == RESPONSE_E_BAD);
        if (r == 0) {
                /* What is complete does not depend on the connection. */
                assert(r_closed == 0 && closed.status == open.status);
                assert(open.status >= 200 && open.status <= 599);
                assert(open.rejected == 0 || response_is_success(&open));
                assert(open.has_retry_after || open.retry_after == 0);
        }
        return 0;
}
