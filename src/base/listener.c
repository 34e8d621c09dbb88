/* Listening sockets. A Unix socket's path outlives a process that was killed, so one that refuses
 * connections is removed before a new one is bound. */

#include "base/listener.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"

static int remove_stale(const Address *address)
{
        _cleanup_(fd_closep) int fd = -EBADF;
        struct stat st;
        int r;

        r = RET_ERRNO(lstat(address->path, &st));
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        if (!S_ISSOCK(st.st_mode))
                return -EEXIST;
        r = address_connect(address, &fd);
        if (r == 0 || r == -EAGAIN) /* EAGAIN: somebody listens, and is behind with accepting */
                return -EADDRINUSE;
        if (r != -ECONNREFUSED)
                return r;
        return RET_ERRNO(unlink(address->path));
}

static int bind_and_listen(const Address *address, int *ret_fd)
{
        _cleanup_(fd_closep) int fd = -EBADF;
        struct sockaddr_storage storage;
        socklen_t n = address_to_sockaddr(address, &storage);
        int r;

        fd = RET_ERRNO(socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (fd < 0)
                return fd;
        r = RET_ERRNO(bind(fd, (struct sockaddr *)&storage, n));
        if (r < 0)
                return r;
        r = RET_ERRNO(listen(fd, SOMAXCONN));
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int listener_init(Listener *listener, const Address *address)
{
        struct stat st = {0};
        int fd, r;

        if (address->kind == ADDRESS_UNIX) {
                r = remove_stale(address);
                if (r < 0)
                        return r;
        }
        r = bind_and_listen(address, &fd);
        if (r < 0)
                return r;
        if (address->kind == ADDRESS_UNIX)
                (void)lstat(address->path, &st); /* unknown: the path is left behind */
        *listener = (Listener){*address, fd, st.st_dev, st.st_ino};
        return 0;
}

int listener_adopt(Listener *listener, int fd)
{
        int type, listens, r;

        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof(type)}) < 0 ||
            getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens,
                       &(socklen_t){sizeof(listens)}) < 0)
                return -errno;
        if (type != SOCK_STREAM || !listens)
                return -EINVAL;
        r = fd_set_nonblock(fd, 1);
        if (r < 0)
                return r;
        *listener = (Listener){.fd = fd}; /* without an address, there is no path to remove */
        return 0;
}

void listener_done(Listener *listener)
{
        const char *path = listener->address.path;
        struct stat st;

        if (listener->fd >= 0 && listener->address.kind == ADDRESS_UNIX && lstat(path, &st) == 0 &&
            st.st_dev == listener->dev && st.st_ino == listener->ino)
                (void)unlink(path); /* a stale path is replaced by the next to listen */
        listener->fd = fd_close(listener->fd);
}
