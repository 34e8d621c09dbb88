/* The Unix sockets of a VM. On Unix sockets connect(2) is done at once or fails at once, so there
 * is no state of being under way. */

#include "vhost/uds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"

static const char longest_suffix[] = "_4294967295";

static int set_path(const char *path, struct sockaddr_un *ret)
{
        *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
        if (strlen(path) >= sizeof(ret->sun_path))
                return -ENAMETOOLONG;
        memcpy(ret->sun_path, path, strlen(path) + 1);
        return 0;
}

int uds_check_path(const char *path)
{
        const struct sockaddr_un *address = NULL;

        if (strlen(path) + strlen(longest_suffix) >= sizeof(address->sun_path))
                return -ENAMETOOLONG;
        return 0;
}

static int connect_to(const struct sockaddr_un *address, int *ret_fd)
{
        _cleanup_(fd_closep) int fd = -EBADF;

        fd = RET_ERRNO(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (fd < 0)
                return fd;
        if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* Removes the socket at @address if nobody listens on it. */
static int remove_stale(const struct sockaddr_un *address)
{
        _cleanup_(fd_closep) int fd = -EBADF;
        struct stat st;
        int r;

        if (lstat(address->sun_path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(st.st_mode))
                return -ENOTSOCK;
        r = connect_to(address, &fd);
        if (r == -ECONNREFUSED)
                return RET_ERRNO(unlink(address->sun_path));
        /* Connected, a full queue, or a socket of another type: it is in use. */
        return r == 0 || r == -EAGAIN || r == -EPROTOTYPE ? -EADDRINUSE : r;
}

int uds_listen(const char *path, int *ret_fd)
{
        _cleanup_(fd_closep) int fd = -EBADF;
        struct sockaddr_un address;
        int r;

        r = set_path(path, &address);
        if (r < 0)
                return r;
        r = remove_stale(&address);
        if (r < 0)
                return r;
        fd = RET_ERRNO(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (fd < 0)
                return fd;
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        if (listen(fd, SOMAXCONN) < 0) {
                r = -errno;
                (void)unlink(path);
                return r;
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int uds_connect(const char *path, uint32_t port, int *ret_fd)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s_%u", path, port);

        if (n < 0 || (size_t)n >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        return connect_to(&address, ret_fd);
}
