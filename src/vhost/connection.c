/* One stream. Its life is a table: for each state, what a packet of the guest does; an empty cell
 * resets the connection, since the guest broke the protocol.
 *
 * The payload of the guest goes from its memory straight to the socket. Only what the socket does
 * not take at once is copied, and credit keeps that within CREDIT_BUFFER. In the other direction
 * nothing is ever copied: bytes stay in the socket until the guest has room for them. */

#include "vhost/connection.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/macro.h"
#include "vhost/hello.h"
#include "vhost/pieces.h"

enum {
        SHUTDOWN_BOTH = VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND,

        OWED_RST = 1 << 0,
        OWED_REQUEST = 1 << 1,
        OWED_RESPONSE = 1 << 2,
        OWED_CREDIT_REQUEST = 1 << 3,
        OWED_CREDIT_UPDATE = 1 << 4,
        OWED_SHUTDOWN = 1 << 5,
};

static void init(Connection *connection, ConnectionState state, int fd)
{
        *connection = (Connection){.state = state, .fd = fd};
        buffer_init(&connection->out, CREDIT_BUFFER);
}

void connection_init_hello(Connection *connection, int fd)
{
        init(connection, CONNECTION_HELLO, fd);
}

void connection_init_open(Connection *connection, int fd, const Packet *request)
{
        init(connection, CONNECTION_OPEN, fd);
        connection->guest_port = request->src_port;
        connection->host_port = request->dst_port;
        connection->owed = OWED_RESPONSE;
        credit_learn(&connection->credit, request);
}

void connection_done(Connection *connection)
{
        buffer_done(&connection->out);
        connection->fd = fd_close(connection->fd);
}

static void die(Connection *connection)
{
        connection->state = CONNECTION_DEAD;
        connection->owed = 0;
        buffer_done(&connection->out);
}

static void reset(Connection *connection)
{
        die(connection);
        connection->state = CONNECTION_RESET;
        connection->owed = OWED_RST;
}

/* The guest has no part in it any more. */
static void lose_guest(Connection *connection)
{
        connection->owed = 0;
        connection->state = CONNECTION_LINGER;
        if (buffer_length(&connection->out) == 0)
                die(connection);
}

/* @n bytes of the guest have left us. */
static void forward(Connection *connection, size_t n)
{
        credit_forward(&connection->credit, (uint32_t)n);
        if (credit_is_news(&connection->credit) && connection->state != CONNECTION_LINGER &&
            !(connection->guest_shutdown & VIRTIO_VSOCK_SHUTDOWN_SEND))
                connection->owed |= OWED_CREDIT_UPDATE;
}

/* What the guest has sent has nobody to go to. */
static void drop_out(Connection *connection)
{
        forward(connection, buffer_length(&connection->out));
        buffer_done(&connection->out);
}

/* The Unix peer has stopped to send, to receive, or both; to the guest it is our side that has. */
static void host_has_shut(Connection *connection, uint32_t flags)
{
        if ((connection->host_shutdown & flags) == flags)
                return;
        connection->host_shutdown |= flags;
        connection->owed |= OWED_SHUTDOWN;
        if (flags & VIRTIO_VSOCK_SHUTDOWN_RCV)
                drop_out(connection);
        if (connection->host_shutdown == SHUTDOWN_BOTH)
                connection->state = CONNECTION_CLOSED;
}

static bool reads_socket(const Connection *connection)
{
        return connection->state == CONNECTION_OPEN &&
               !(connection->host_shutdown & VIRTIO_VSOCK_SHUTDOWN_SEND) &&
               !(connection->guest_shutdown & VIRTIO_VSOCK_SHUTDOWN_RCV);
}

/* Asks for credit when there is something to send but no room: once, until some is given. */
static void ask_for_credit(Connection *connection)
{
        if (!reads_socket(connection) || !connection->readable)
                return;
        if (credit_room(&connection->credit) > 0) {
                connection->asked = false;
        } else if (!connection->asked) {
                connection->asked = true;
                connection->owed |= OWED_CREDIT_REQUEST;
        }
}

/* The buffer has run empty: what waited for that can happen. */
static void flushed(Connection *connection)
{
        buffer_done(&connection->out); /* memory of a stall is not kept for the next one */
        switch (connection->state) {
        case CONNECTION_OPEN:
                if (connection->guest_shutdown & VIRTIO_VSOCK_SHUTDOWN_SEND)
                        (void)shutdown(connection->fd, SHUT_WR); /* fails if the peer has gone */
                break;
        case CONNECTION_CLOSING:
                reset(connection);
                break;
        case CONNECTION_LINGER:
                die(connection);
                break;
        case CONNECTION_HELLO:
        case CONNECTION_REQUESTED:
        case CONNECTION_CLOSED:
        case CONNECTION_RESET:
        case CONNECTION_DEAD:
        case CONNECTION_STATES:
                break;
        }
}

/* The Unix peer does not read any more. */
static void host_is_deaf(Connection *connection)
{
        if (connection->state == CONNECTION_OPEN) {
                host_has_shut(connection, VIRTIO_VSOCK_SHUTDOWN_RCV);
        } else {
                drop_out(connection);
                flushed(connection);
        }
}

static void flush(Connection *connection)
{
        while (buffer_length(&connection->out) > 0) {
                ssize_t n = RET_ERRNO(send(connection->fd, buffer_data(&connection->out),
                                           buffer_length(&connection->out),
                                           MSG_DONTWAIT | MSG_NOSIGNAL));

                if (n == -EAGAIN)
                        return;
                if (n == -EINTR)
                        continue;
                if (n < 0) {
                        host_is_deaf(connection);
                        return;
                }
                buffer_consume(&connection->out, (size_t)n);
                forward(connection, (size_t)n);
        }
        flushed(connection);
}

static void ignore(Connection *connection, const Packet *packet, struct iovec *pieces, size_t n)
{
}

static void on_request_answered(Connection *connection, const Packet *packet, struct iovec *pieces,
                                size_t n)
{
        char line[sizeof("OK 4294967295\n")];
        int length = snprintf(line, sizeof(line), "OK %u\n", connection->host_port);

        /* Nothing was ever written to this socket: it has room for a line, or it is broken. */
        if (send(connection->fd, line, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL) != length)
                reset(connection);
        else
                connection->state = CONNECTION_OPEN;
}

static void on_refused(Connection *connection, const Packet *packet, struct iovec *pieces, size_t n)
{
        die(connection);
}

static void on_rst(Connection *connection, const Packet *packet, struct iovec *pieces, size_t n)
{
        lose_guest(connection);
}

static void on_data(Connection *connection, const Packet *packet, struct iovec *pieces, size_t n)
{
        struct msghdr msg = {.msg_iov = pieces, .msg_iovlen = n};
        ssize_t sent = 0;

        if ((connection->guest_shutdown & VIRTIO_VSOCK_SHUTDOWN_SEND) ||
            !credit_receive(&connection->credit, packet->length)) {
                reset(connection);
                return;
        }
        if (connection->host_shutdown & VIRTIO_VSOCK_SHUTDOWN_RCV) {
                forward(connection, packet->length);
                return;
        }
        if (buffer_length(&connection->out) == 0 && n > 0)
                sent = RET_ERRNO(sendmsg(connection->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL));
        if (sent == -EAGAIN || sent == -EINTR)
                sent = 0;
        if (sent < 0) {
                forward(connection, packet->length);
                host_is_deaf(connection);
                return;
        }
        forward(connection, (size_t)sent);
        n = pieces_skip(pieces, n, (size_t)sent, pieces);
        for (size_t i = 0; i < n; i++)
                if (buffer_append(&connection->out, pieces[i].iov_base, pieces[i].iov_len) < 0) {
                        reset(connection); /* out of memory: credit fits the cap */
                        return;
                }
}

static void on_late_data(Connection *connection, const Packet *packet, struct iovec *pieces,
                         size_t n)
{
        if (credit_receive(&connection->credit, packet->length))
                forward(connection, packet->length);
        else
                reset(connection);
}

static void on_shutdown(Connection *connection, const Packet *packet, struct iovec *pieces,
                        size_t n)
{
        connection->guest_shutdown |= packet->flags & SHUTDOWN_BOTH;
        if (connection->guest_shutdown == SHUTDOWN_BOTH)
                connection->state = CONNECTION_CLOSING;
        else if (connection->guest_shutdown & VIRTIO_VSOCK_SHUTDOWN_RCV)
                (void)shutdown(connection->fd, SHUT_RD); /* fails if the peer has gone */
        if (buffer_length(&connection->out) == 0)
                flushed(connection);
}

/* Both sides have closed now. */
static void on_late_shutdown(Connection *connection, const Packet *packet, struct iovec *pieces,
                             size_t n)
{
        connection->guest_shutdown |= packet->flags & SHUTDOWN_BOTH;
        if (connection->guest_shutdown == SHUTDOWN_BOTH)
                reset(connection);
}

static void on_credit_request(Connection *connection, const Packet *packet, struct iovec *pieces,
                              size_t n)
{
        connection->owed |= OWED_CREDIT_UPDATE;
}

typedef void (*PacketHandler)(Connection *connection, const Packet *packet, struct iovec *pieces,
                              size_t n);

/* An empty cell resets. Connections in a state without a line are not the guest's: it cannot name
 * them. */
static const PacketHandler handlers[CONNECTION_STATES][PACKET_OPS] = {
        [CONNECTION_REQUESTED] = {
                [VIRTIO_VSOCK_OP_RESPONSE] = on_request_answered,
                [VIRTIO_VSOCK_OP_RST] = on_refused,
        },
        [CONNECTION_OPEN] = {
                [VIRTIO_VSOCK_OP_RST] = on_rst,
                [VIRTIO_VSOCK_OP_SHUTDOWN] = on_shutdown,
                [VIRTIO_VSOCK_OP_RW] = on_data,
                [VIRTIO_VSOCK_OP_CREDIT_UPDATE] = ignore,
                [VIRTIO_VSOCK_OP_CREDIT_REQUEST] = on_credit_request,
        },
        [CONNECTION_CLOSING] = {
                [VIRTIO_VSOCK_OP_RST] = on_rst,
                [VIRTIO_VSOCK_OP_SHUTDOWN] = ignore,
                [VIRTIO_VSOCK_OP_CREDIT_UPDATE] = ignore,
                [VIRTIO_VSOCK_OP_CREDIT_REQUEST] = on_credit_request,
        },
        [CONNECTION_CLOSED] = {
                [VIRTIO_VSOCK_OP_RST] = on_rst,
                [VIRTIO_VSOCK_OP_SHUTDOWN] = on_late_shutdown,
                [VIRTIO_VSOCK_OP_RW] = on_late_data,
                [VIRTIO_VSOCK_OP_CREDIT_UPDATE] = ignore,
                [VIRTIO_VSOCK_OP_CREDIT_REQUEST] = on_credit_request,
        },
        [CONNECTION_RESET] = {
                [VIRTIO_VSOCK_OP_RST] = on_rst,
        },
};

void connection_on_packet(Connection *connection, const Packet *packet, struct iovec *pieces,
                          size_t n)
{
        PacketHandler handle = NULL;

        credit_learn(&connection->credit, packet);
        if (packet->op < PACKET_OPS)
                handle = handlers[connection->state][packet->op];
        if (handle)
                handle(connection, packet, pieces, n);
        else
                reset(connection);
        ask_for_credit(connection);
}

/* Reads the line "CONNECT PORT\n" and not a byte behind it: those are for the guest. */
static void read_hello(Connection *connection)
{
        char *next = connection->hello + connection->n_hello;
        size_t room = sizeof(connection->hello) - connection->n_hello;
        ssize_t n = RET_ERRNO(recv(connection->fd, next, room, MSG_PEEK | MSG_DONTWAIT));
        const char *newline;

        if (n == -EAGAIN || n == -EINTR)
                return;
        if (n <= 0) {
                die(connection);
                return;
        }
        newline = memchr(next, '\n', (size_t)n);
        if (newline)
                n = newline + 1 - next;
        if (recv(connection->fd, next, (size_t)n, MSG_DONTWAIT) != n) {
                die(connection);
                return;
        }
        connection->n_hello += (size_t)n;
        if (newline && hello_parse((uint8_t *)connection->hello, connection->n_hello,
                                   &connection->guest_port) == 0) {
                connection->state = CONNECTION_REQUESTED;
                connection->owed = OWED_REQUEST;
        } else if (newline || connection->n_hello == sizeof(connection->hello)) {
                die(connection);
        }
}

/* A REQUEST that has not been sent needs no RST behind it. */
static void give_up(Connection *connection)
{
        if (connection->owed & OWED_REQUEST)
                die(connection);
        else
                reset(connection);
}

void connection_on_socket(Connection *connection, uint32_t events)
{
        bool hung_up = events & (EPOLLHUP | EPOLLERR);

        connection->readable = connection->readable || (events & ~(uint32_t)EPOLLOUT);
        connection->hung_up = connection->hung_up || hung_up;
        if (connection->state == CONNECTION_HELLO)
                read_hello(connection);
        if (connection->state == CONNECTION_REQUESTED && hung_up)
                give_up(connection);
        if (buffer_length(&connection->out) > 0)
                flush(connection);
        /* Otherwise the end shows when everything before it has been read. */
        if (connection->state == CONNECTION_OPEN && hung_up && !reads_socket(connection))
                host_has_shut(connection, SHUTDOWN_BOTH);
        ask_for_credit(connection);
}

void connection_on_timeout(Connection *connection)
{
        switch (connection->state) {
        case CONNECTION_HELLO:
        case CONNECTION_LINGER:
                die(connection);
                break;
        case CONNECTION_REQUESTED:
                give_up(connection);
                break;
        case CONNECTION_CLOSING:
        case CONNECTION_CLOSED:
                reset(connection);
                break;
        case CONNECTION_OPEN:
        case CONNECTION_RESET:
        case CONNECTION_DEAD:
        case CONNECTION_STATES:
                break;
        }
}

void connection_on_overload(Connection *connection)
{
        reset(connection);
}

void connection_on_guest_reset(Connection *connection)
{
        switch (connection->state) {
        case CONNECTION_REQUESTED:
                connection->owed = OWED_REQUEST; /* the new driver may know the port */
                break;
        case CONNECTION_OPEN:
        case CONNECTION_CLOSING:
        case CONNECTION_CLOSED:
        case CONNECTION_RESET:
                lose_guest(connection);
                break;
        case CONNECTION_HELLO:
        case CONNECTION_LINGER:
        case CONNECTION_DEAD:
        case CONNECTION_STATES:
                break;
        }
}

bool connection_wants_to_write(const Connection *connection)
{
        return buffer_length(&connection->out) > 0;
}

static bool can_read(const Connection *connection)
{
        return reads_socket(connection) && connection->readable &&
               credit_room(&connection->credit) > 0;
}

bool connection_wants_to_send(const Connection *connection)
{
        return connection->owed != 0 || can_read(connection);
}

static void fill_header(Connection *connection, uint16_t op, Packet *packet)
{
        packet->src_port = connection->host_port;
        packet->dst_port = connection->guest_port;
        packet->type = VIRTIO_VSOCK_TYPE_STREAM;
        packet->op = op;
        credit_tell(&connection->credit, packet);
        connection->owed &= ~(unsigned)OWED_CREDIT_UPDATE; /* every packet is one */
}

bool connection_next_packet(Connection *connection, Packet *packet)
{
        static const struct {
                unsigned owed;
                uint16_t op;
        } order[] = {
                {OWED_RST, VIRTIO_VSOCK_OP_RST},
                {OWED_REQUEST, VIRTIO_VSOCK_OP_REQUEST},
                {OWED_RESPONSE, VIRTIO_VSOCK_OP_RESPONSE},
                {OWED_SHUTDOWN, VIRTIO_VSOCK_OP_SHUTDOWN},
                {OWED_CREDIT_REQUEST, VIRTIO_VSOCK_OP_CREDIT_REQUEST},
                {OWED_CREDIT_UPDATE, VIRTIO_VSOCK_OP_CREDIT_UPDATE},
        };

        for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
                if (!(connection->owed & order[i].owed))
                        continue;
                connection->owed &= ~order[i].owed;
                fill_header(connection, order[i].op, packet);
                if (order[i].op == VIRTIO_VSOCK_OP_SHUTDOWN)
                        packet->flags = connection->host_shutdown;
                if (order[i].op == VIRTIO_VSOCK_OP_RST)
                        die(connection);
                return true;
        }
        return false;
}

size_t connection_read(Connection *connection, struct iovec *pieces, size_t n)
{
        ssize_t got;

        if (!can_read(connection))
                return 0;
        n = pieces_cut(pieces, MIN(n, (size_t)IOV_MAX), credit_room(&connection->credit));
        got = RET_ERRNO(readv(connection->fd, pieces, (int)n));
        if (got > 0)
                return (size_t)got;
        if (got == -EAGAIN)
                connection->readable = false;
        else if (got == 0 && !connection->hung_up)
                host_has_shut(connection, VIRTIO_VSOCK_SHUTDOWN_SEND);
        else if (got != -EINTR) /* the end, or ECONNRESET: it has closed with bytes unread */
                host_has_shut(connection, SHUTDOWN_BOTH);
        return 0;
}

void connection_data_packet(Connection *connection, uint32_t length, Packet *packet)
{
        fill_header(connection, VIRTIO_VSOCK_OP_RW, packet);
        packet->length = length;
        credit_send(&connection->credit, length);
        ask_for_credit(connection);
}
