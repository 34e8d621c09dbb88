/* A message is "change@/devices/..." and then KEY=VALUE fields, each with its NUL. The driver of the
 * VM generation id says NEW_VMGENID=1, in kernels of 2024 and later. */

#include "trace/uevent.h"

#include <string.h>

#define ACTION "change@"
#define FIELD "NEW_VMGENID=1"

bool uevent_is_new_vmgenid(const uint8_t *data, size_t n)
{
        const uint8_t *end;

        if (n < strlen(ACTION) || memcmp(data, ACTION, strlen(ACTION)) != 0)
                return false;
        while ((end = memchr(data, '\0', n))) {
                size_t field = (size_t)(end - data);

                if (field == strlen(FIELD) && memcmp(data, FIELD, field) == 0)
                        return true;
                data += field + 1;
                n -= field + 1;
        }
        return false;
}
