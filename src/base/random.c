/* Random ids (W3C Trace Context: an id of all zeroes is invalid). */

#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"

/* Before Linux 5.4 getrandom(2) waits for a seed, in a VM with few devices for minutes; the device
 * never does. */
static ssize_t read_random(uint8_t *ret, size_t n)
{
        _cleanup_(fd_closep) int fd = -EBADF;
        ssize_t got = RET_ERRNO(getrandom(ret, n, GRND_NONBLOCK));

        if (got != -EAGAIN)
                return got;
        fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
        return fd < 0 ? RET_ERRNO(getrandom(ret, n, 0)) : RET_ERRNO(read(fd, ret, n));
}

int random_id(uint8_t *ret, size_t n)
{
        for (;;) {
                ssize_t got = read_random(ret, n);

                if (got < 0 && got != -EINTR)
                        return (int)got;
                if (got != (ssize_t)n)
                        continue;
                for (size_t i = 0; i < n; i++)
                        if (ret[i] != 0)
                                return 0;
        }
}
