/* The socket to the front end. It never reads beyond a message, since descriptors come with its
 * first byte. */

#include "vhost/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/macro.h"

void channel_init(Channel *channel, int fd)
{
        *channel = (Channel){.fd = fd, .expected = MESSAGE_HEADER_SIZE};
}

void channel_done(Channel *channel)
{
        channel_forget(channel);
        channel->fd = fd_close(channel->fd);
}

void channel_forget(Channel *channel)
{
        while (channel->n_fds > 0)
                (void)fd_close(channel->fds[--channel->n_fds]);
        channel->n = 0;
        channel->expected = MESSAGE_HEADER_SIZE;
        channel->request = 0;
}

/* Takes the descriptors of one recvmsg(2) over. */
static int take_fds(Channel *channel, struct msghdr *msg)
{
        int r = msg->msg_flags & MSG_CTRUNC ? -E2BIG : 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
                size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                for (size_t i = 0; i < n; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
                        if (channel->n_fds < MESSAGE_FDS_MAX) {
                                channel->fds[channel->n_fds++] = fd;
                        } else {
                                (void)fd_close(fd);
                                r = -E2BIG;
                        }
                }
        }
        return r;
}

/* Returns the number of bytes, 0 at the end, or -errno. */
static ssize_t receive_bytes(Channel *channel)
{
        struct iovec piece = {channel->bytes + channel->n, channel->expected - channel->n};
        union {
                struct cmsghdr align;
                uint8_t bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
        } control;
        struct msghdr msg = {
                .msg_iov = &piece,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        ssize_t n = RET_ERRNO(recvmsg(channel->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
        int r;

        if (n == -ECONNRESET)
                return 0; /* a front end that was killed before it had read our replies */
        if (n < 0)
                return n;
        r = take_fds(channel, &msg);
        if (r < 0)
                return r;
        channel->n += (size_t)n;
        return n;
}

int channel_receive(Channel *channel)
{
        size_t payload;
        ssize_t n;
        int r;

        do {
                n = receive_bytes(channel);
                if (n == -EAGAIN || n == -EINTR)
                        return CHANNEL_MORE;
                if (n <= 0)
                        return n < 0 ? (int)n : CHANNEL_HANGUP;
                if (channel->n < channel->expected)
                        return CHANNEL_MORE;
                r = message_parse_header(channel->bytes, channel->n, &channel->request, &payload);
                if (r < 0)
                        return r;
                channel->expected = MESSAGE_HEADER_SIZE + payload;
        } while (channel->n < channel->expected);
        return 0;
}

int channel_reply(Channel *channel, Request request, const void *payload, size_t n)
{
        uint8_t bytes[MESSAGE_SIZE_MAX];
        size_t size = message_format_reply(request, payload, n, bytes);
        ssize_t sent = RET_ERRNO(send(channel->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL));

        if (sent < 0)
                return (int)sent;
        return (size_t)sent == size ? 0 : -EIO;
}
