/* Random ids (W3C Trace Context: an id of all zeroes is invalid). */

#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

int random_id(uint8_t *ret, size_t n)
{
        for (;;) {
                ssize_t got = getrandom(ret, n, 0);

                if (got < 0 && errno != EINTR)
                        return -errno;
                if (got != (ssize_t)n)
                        continue;
                for (size_t i = 0; i < n; i++)
                        if (ret[i] != 0)
                                return 0;
        }
}
