/* There is one encoding of a record: what can be decoded is encoded to the same bytes. */

#include "fuzz.h"
#include "link/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        uint8_t again[LINK_RECORD_MAX];
        LinkRecord record;

        if (link_record_decode(data, n, &record) < 0)
                return 0;
        assert(link_record_encode(&record, again, sizeof(again)) == (ptrdiff_t)n);
        assert(memcmp(again, data, n) == 0);
        return 0;
}
