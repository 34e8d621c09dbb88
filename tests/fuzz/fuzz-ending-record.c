/* What rootspan-init leaves for its unit's ExecStop=. */

#include "fuzz.h"
#include "systemd/ending-record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        EndingRecord record = {0};

        if (ending_record_parse(data, n, &record) == 0)
                assert(memmem(data, n, "end_vm=", 7) && memmem(data, n, "shutdown=", 9));
        return 0;
}
