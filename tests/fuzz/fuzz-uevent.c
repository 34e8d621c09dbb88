/* A message that says so still does with a field more at its end, and one that does not can be made
 * to, if it is a change and its last field is finished. */

#include "fuzz.h"
#include "trace/uevent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const char field[] = "NEW_VMGENID=1";
        bool changed = n >= 7 && memcmp(data, "change@", 7) == 0;
        uint8_t *more = malloc(n + sizeof(field));

        assert(more);
        if (n > 0)
                memcpy(more, data, n);
        memcpy(more + n, field, sizeof(field));
        if (uevent_is_new_vmgenid(data, n))
                assert(uevent_is_new_vmgenid(more, n + sizeof(field)));
        else if (n > 0 && data[n - 1] == '\0')
                assert(uevent_is_new_vmgenid(more, n + sizeof(field)) == changed);
        free(more);
        return 0;
}
