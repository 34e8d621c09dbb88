/* A table of SMBIOS structures. */

#include "fuzz.h"
#include "init/vmm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        Address address = {0};

        if (vmm_address_from_smbios(data, n, &address) == 0)
                assert(memmem(data, n, "vmm.notify_socket", 17));
        return 0;
}
