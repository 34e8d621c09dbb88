/* Random ids (W3C Trace Context: an id of all zeroes is invalid).
 *
 * Two clones of one VM snapshot share the state of the kernel's generator until their kernels are
 * told or reseed it, which takes up to a minute. So what is no part of a snapshot is mixed in: the
 * processor's random numbers where it has them, and the time, which no two clones are likely to
 * share. An exclusive or cannot make worse what the kernel gave. */

#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "base/clock.h"
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

#ifdef __x86_64__
enum { RDRAND_ATTEMPTS = 10 }; /* as Intel advises; a processor that is at fault never succeeds */

__attribute__((target("rdrnd"))) static uint64_t rdrand(void)
{
        unsigned long long value = 0;

        for (int i = 0; i < RDRAND_ATTEMPTS; i++)
                if (__builtin_ia32_rdrand64_step(&value))
                        return value;
        return 0;
}

static uint64_t processor_random(void)
{
        unsigned eax, ebx, ecx = 0, edx;

        if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_RDRND))
                return rdrand();
        return 0;
}
#else
static uint64_t processor_random(void)
{
        return 0;
}
#endif

static void mix(uint8_t *bytes, size_t n)
{
        for (size_t done = 0; done < n; done += sizeof(uint64_t)) {
                uint64_t fresh = processor_random() ^ clock_boottime();
                const uint8_t *p = (const uint8_t *)&fresh;

                for (size_t i = 0; i < MIN(sizeof(fresh), n - done); i++)
                        bytes[done + i] ^= p[i];
        }
}

int random_id(uint8_t *ret, size_t n)
{
        for (;;) {
                ssize_t got = read_random(ret, n);

                if (got < 0 && got != -EINTR)
                        return (int)got;
                if (got != (ssize_t)n)
                        continue;
                mix(ret, n);
                for (size_t i = 0; i < n; i++)
                        if (ret[i] != 0)
                                return 0;
        }
}
