/* File descriptors. Reads and writes retry EINTR; close never does, since Linux has closed the
 * descriptor by then (close(2), "Dealing with error returns"). */

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"

int fd_close(int fd)
{
        int saved = errno;

        if (fd >= 0)
                (void)close(fd); /* nothing useful is left to do with its error */
        errno = saved;
        return -EBADF;
}

void fd_closep(int *fd)
{
        *fd = fd_close(*fd);
}

int fd_set_nonblock(int fd, int on)
{
        int flags = RET_ERRNO(fcntl(fd, F_GETFL));

        if (flags < 0)
                return flags;
        return RET_ERRNO(fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
}

int fd_set_cloexec(int fd, int on)
{
        return RET_ERRNO(fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0));
}

int fd_write_all(int fd, const void *data, size_t n)
{
        const char *p = data;

        while (n > 0) {
                ssize_t done = write(fd, p, n);

                if (done < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                p += done;
                n -= (size_t)done;
        }
        return 0;
}

ssize_t file_read(const char *path, char *ret, size_t size)
{
        _cleanup_(fd_closep) int fd = -EBADF;
        size_t n = 0;

        fd = RET_ERRNO(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
        if (fd < 0)
                return fd;
        for (;;) {
                ssize_t got = read(fd, ret + n, size - n);

                if (got < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (got == 0)
                        break;
                n += (size_t)got;
                if (n == size)
                        return -EFBIG;
        }
        ret[n] = '\0';
        return (ssize_t)n;
}

int file_write(const char *path, const char *text)
{
        _cleanup_(fd_closep) int fd = -EBADF;

        fd = RET_ERRNO(open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY));
        if (fd < 0)
                return fd;
        return fd_write_all(fd, text, strlen(text));
}
