#include "fuzz.h"

#include "trace/retry-after.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        nsec_t wait, later;

        if (retry_after_parse((const char *)data, n, 0, &wait) < 0)
                return 0;
        /* Only a date depends on the time now, and only to be nearer. */
        assert(retry_after_parse((const char *)data, n, NSEC_PER_SEC, &later) == 0);
        assert(later == wait || later == nsec_left(wait, NSEC_PER_SEC));
        return 0;
}
