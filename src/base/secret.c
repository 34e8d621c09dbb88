/* The comparison runs to the end, whatever it finds; only the length shows in its time, which is
 * no secret. */

#include "base/secret.h"

#include <string.h>

bool secret_equal(const char *text, size_t n, const char *secret)
{
        volatile unsigned char difference = 0; /* so that no compiler finds a shorter way */

        if (n != strlen(secret))
                return false;
        for (size_t i = 0; i < n; i++)
                difference |= (unsigned char)(text[i] ^ secret[i]);
        return difference == 0;
}
