/* The client. It reads while it writes, because a host may refuse a request before it has read all
 * of it. A connection that the host closes between two requests is a normal end of keep-alive: the
 * request is sent again at once on a new one. Whether and when to try again after any other failure
 * is not decided here. */

#include "trace/client.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/macro.h"

enum {
        HEAD_MAX = 512,   /* of a request */
        READ_SIZE = 4096, /* an answer is smaller, as a rule */
};

/* A host on the same machine accepts at once or hangs. */
static const nsec_t CONNECT_TIMEOUT = 2 * NSEC_PER_SEC;

static void close_connection(Client *client)
{
        loop_unwatch(client->loop, &client->watch);
        client->fd = fd_close(client->fd);
        client->timer.deadline = NSEC_INFINITY;
        client->state = CLIENT_CLOSED;
}

static void finish(Client *client, int error, const Response *answer)
{
        if (answer && answer->keep_alive && client->sent == client->request_n) {
                client->state = CLIENT_IDLE;
                client->timer.deadline = NSEC_INFINITY;
        } else {
                close_connection(client);
        }
        client->done(client->owner, error, answer);
}

/* Starts the exchange on the connection. */
static int begin(Client *client, bool reused)
{
        client->state = CLIENT_EXCHANGING;
        client->sent = 0;
        client->reused = reused;
        client->timer.deadline = client->deadline;
        buffer_clear(&client->answer);
        return loop_watch(client->loop, &client->watch, client->fd, EPOLLIN | EPOLLOUT);
}

static int start_connecting(Client *client)
{
        nsec_t limit = nsec_add(clock_boottime(), CONNECT_TIMEOUT);
        int r;

        r = address_connect(client->address, &client->fd);
        if (r < 0)
                return r;
        r = loop_watch(client->loop, &client->watch, client->fd, EPOLLOUT);
        if (r < 0) {
                close_connection(client);
                return r;
        }
        client->state = CLIENT_CONNECTING;
        client->timer.deadline = MIN(client->deadline, limit);
        return 0;
}

/* The connection failed with @error. */
static void fail(Client *client, int error)
{
        bool stale = client->state == CLIENT_EXCHANGING && client->reused &&
                     buffer_length(&client->answer) == 0;

        close_connection(client);
        if (stale) {
                error = start_connecting(client);
                if (error == 0)
                        return;
        }
        finish(client, error, NULL);
}

/* Returns 0 when the socket is full, 1 when all is sent, or -errno. */
static int write_some(Client *client)
{
        while (client->sent < client->request_n) {
                ssize_t n = RET_ERRNO(send(client->fd, client->request + client->sent,
                                           client->request_n - client->sent, MSG_NOSIGNAL));

                if (n == -EAGAIN)
                        return 0;
                if (n == -EINTR)
                        continue;
                if (n < 0)
                        return (int)n;
                client->sent += (size_t)n;
                client->touched = true;
        }
        return 1;
}

/* Adds to the answer what has arrived. Returns 1 when the host has ended the connection, 0 when
 * more may come, or -errno. */
static int read_some(Client *client)
{
        while (buffer_length(&client->answer) < RESPONSE_MAX) {
                size_t room = MIN(RESPONSE_MAX - buffer_length(&client->answer), (size_t)READ_SIZE);
                uint8_t *data;
                ssize_t n;
                int r;

                r = buffer_reserve(&client->answer, room, &data);
                if (r < 0)
                        return r;
                n = RET_ERRNO(recv(client->fd, data, room, 0));
                if (n == -EAGAIN)
                        return 0;
                if (n == -EINTR)
                        continue;
                if (n < 0)
                        return (int)n;
                if (n == 0)
                        return 1;
                buffer_commit(&client->answer, (size_t)n);
        }
        return 0;
}

static void continue_writing(Client *client)
{
        int r = write_some(client);

        if (r == 0)
                return;
        /* Even if the host no longer reads: its answer may say why, and if it is gone, reading
         * finds that out too. */
        r = loop_watch(client->loop, &client->watch, client->fd, EPOLLIN);
        if (r < 0)
                fail(client, r);
}

static void continue_reading(Client *client)
{
        Response answer;
        int ended = read_some(client); /* a reset ends an answer like a close does */
        int r;

        r = response_parse(buffer_data(&client->answer), buffer_length(&client->answer), ended != 0,
                         clock_realtime(), &answer);
        if (r == 0)
                finish(client, 0, &answer);
        else if (ended < 0)
                fail(client, ended);
        else if (ended > 0)
                fail(client, -ECONNRESET);
        else if (r == RESPONSE_E_BAD)
                fail(client, -EBADMSG);
}

static void on_connected(Client *client)
{
        socklen_t n = sizeof(int);
        int error, r;

        r = RET_ERRNO(getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &n));
        if (r == 0)
                r = -error;
        if (r == 0)
                r = begin(client, false);
        if (r < 0)
                fail(client, r);
}

/* Was the VM's VSOCK device reset, as when a snapshot is resumed? A peer that resets a connection
 * which stands only ends it; ECONNRESET is what the driver leaves on the sockets of them all. */
static bool device_was_reset(const Client *client)
{
        socklen_t n = sizeof(int);
        int error;

        return client->address->kind == ADDRESS_VSOCK &&
               (client->state == CLIENT_IDLE || client->state == CLIENT_EXCHANGING) &&
               getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error == ECONNRESET;
}

static void on_device_reset(Client *client)
{
        bool exchanging = client->state == CLIENT_EXCHANGING;

        close_connection(client);
        if (exchanging)
                client->done(client->owner, -ECONNRESET, NULL);
        else if (client->lost)
                client->lost(client->owner);
        if (client->reset)
                client->reset(client->owner);
}

static void on_ready(void *owner, uint32_t events)
{
        Client *client = owner;

        if ((events & EPOLLERR) && device_was_reset(client)) {
                on_device_reset(client);
                return;
        }
        switch (client->state) {
        case CLIENT_CLOSED:
                break;
        case CLIENT_IDLE:
                /* Whatever comes without a request: the connection is of no more use. */
                close_connection(client);
                if (client->lost)
                        client->lost(client->owner);
                break;
        case CLIENT_CONNECTING:
                on_connected(client);
                break;
        case CLIENT_EXCHANGING:
                if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                        continue_reading(client);
                else
                        continue_writing(client);
                break;
        }
}

static void on_timeout(void *owner)
{
        finish(owner, -ETIMEDOUT, NULL);
}

void client_init(Client *client, Loop *loop, const Address *address, ClientDone done, void *owner)
{
        *client = (Client){
                .loop = loop,
                .address = address,
                .done = done,
                .owner = owner,
                .fd = -EBADF,
                .watch = {.fd = -EBADF, .ready = on_ready, .owner = client},
        };
        loop_add_timer(loop, &client->timer, on_timeout, client);
        buffer_init(&client->answer, RESPONSE_MAX);
}

void client_done(Client *client)
{
        close_connection(client);
        loop_remove_timer(client->loop, &client->timer);
        buffer_done(&client->answer);
}

int client_append_head(const Client *client, const char *path, size_t content_length, Buffer *ret)
{
        char host[ADDRESS_TEXT_MAX] = "http://localhost";
        char head[HEAD_MAX];
        int n;

        if (client->address->kind == ADDRESS_INET)
                address_format(client->address, host);
        n = snprintf(head, sizeof(head),
                     "POST %s HTTP/1.1\r\n"
                     "Host: %s\r\n"
                     "User-Agent: rootspan-tracer/" ROOTSPAN_VERSION "\r\n"
                     "Content-Type: application/x-protobuf\r\n"
                     "Content-Length: %zu\r\n"
                     "\r\n",
                     path, host + sizeof("http://") - 1, content_length);
        return buffer_append(ret, head, (size_t)n);
}

int client_send(Client *client, const uint8_t *request, size_t n, nsec_t deadline)
{
        int r;

        assert(client->state == CLIENT_CLOSED || client->state == CLIENT_IDLE);
        client->request = request;
        client->request_n = n;
        client->deadline = deadline;
        client->touched = false;
        if (client->state == CLIENT_CLOSED)
                return start_connecting(client);
        r = begin(client, true);
        if (r < 0)
                close_connection(client);
        return r;
}

void client_cancel(Client *client)
{
        close_connection(client);
}
