#include "trace/fake-host.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "http/message.h"

static void close_connection(HostConnection *connection)
{
        loop_unwatch(connection->host->loop, &connection->watch);
        connection->fd = fd_close(connection->fd);
}

static void send_answer(void *owner)
{
        HostConnection *connection = owner;
        const HostTurn *turn = &connection->turn;
        size_t n = turn->answer_n > 0 ? turn->answer_n : strlen(turn->answer ?: "");

        if (connection->fd >= 0)
                (void)!send(connection->fd, turn->answer, n, MSG_NOSIGNAL);
}

/* Is there a whole request? Then notes its body and removes it from the input. */
static bool take_request(HostConnection *connection)
{
        Buffer *input = &connection->input;
        HttpHead head;
        size_t head_n, n;

        if (http_parse_request(buffer_data(input), buffer_length(input), &head, &head_n) != 0)
                return false;
        n = (size_t)head.content_length;
        if (buffer_length(input) < head_n + n)
                return false;
        assert(buffer_append(&connection->host->bodies, buffer_data(input) + head_n, n) == 0);
        assert(buffer_append(&connection->host->bodies, "|", 1) == 0);
        connection->host->requests_n++;
        buffer_consume(input, head_n + n);
        return true;
}

static void take_turn(HostConnection *connection)
{
        FakeHost *host = connection->host;

        if (connection->has_turn)
                return;
        connection->turn = host->script[0];
        connection->has_turn = true;
        if (host->script[1].deed != 0 || host->script[1].answer)
                host->script++;
}

static void on_input(HostConnection *connection)
{
        const HostTurn *turn = &connection->turn;

        if (turn->deed == HOST_ANSWERS_EARLY) {
                send_answer(connection);
                (void)shutdown(connection->fd, SHUT_RDWR);
                close_connection(connection);
                return;
        }
        if (!take_request(connection))
                return;
        connection->has_turn = false;
        switch (turn->deed) {
        case HOST_ANSWERS:
                send_answer(connection);
                break;
        case HOST_ANSWERS_LATE:
                connection->late.deadline = clock_boottime() + 100 * NSEC_PER_MSEC;
                break;
        case HOST_HANGS_UP:
                send_answer(connection);
                close_connection(connection);
                break;
        case HOST_ANSWERS_EARLY:
        case HOST_RESETS:
        case HOST_IS_SILENT:
        case HOST_IS_STUCK:
                break;
        }
}

static void on_connection(void *owner, uint32_t events)
{
        HostConnection *connection = owner;
        uint8_t *room;
        ssize_t n;

        if (recv(connection->fd, &(char){0}, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) {
                close_connection(connection);
                return;
        }
        take_turn(connection);
        if (connection->turn.deed == HOST_IS_STUCK) {
                loop_unwatch(connection->host->loop, &connection->watch);
                return;
        }
        if (connection->turn.deed == HOST_RESETS) {
                close_connection(connection);
                return;
        }
        assert(buffer_reserve(&connection->input, 512, &room) == 0);
        n = recv(connection->fd, room, 512, MSG_DONTWAIT);
        assert(n > 0);
        buffer_commit(&connection->input, (size_t)n);
        on_input(connection);
}

static void on_listener(void *owner, uint32_t events)
{
        FakeHost *host = owner;
        HostConnection *connection = &host->connections[host->connections_n++];
        int fd = accept4(host->fd, NULL, NULL, SOCK_CLOEXEC);

        assert(fd >= 0);
        assert(host->connections_n < HOST_CONNECTIONS_MAX);
        *connection = (HostConnection){
                .host = host,
                .fd = fd,
                .watch = {.fd = -EBADF, .ready = on_connection, .owner = connection},
        };
        buffer_init(&connection->input, 16 * 1024 * 1024);
        loop_add_timer(host->loop, &connection->late, send_answer, connection);
        assert(loop_watch(host->loop, &connection->watch, fd, EPOLLIN) == 0);
}

void fake_host_init(FakeHost *host, Loop *loop, const HostTurn *script)
{
        *host = (FakeHost){
                .loop = loop,
                .fd = -EBADF,
                .watch = {.fd = -EBADF, .ready = on_listener, .owner = host},
                .script = script,
        };
        (void)snprintf(host->path, sizeof(host->path), "/tmp/rootspan-fake-host-%d", (int)getpid());
        host->address.kind = ADDRESS_UNIX;
        (void)snprintf(host->address.path, sizeof(host->address.path), "%s", host->path);
        buffer_init(&host->bodies, 64 * 1024 * 1024);
}

void fake_host_listen(FakeHost *host)
{
        struct sockaddr_storage storage;
        socklen_t n = address_to_sockaddr(&host->address, &storage);

        (void)unlink(host->path);
        host->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert(host->fd >= 0);
        assert(bind(host->fd, (struct sockaddr *)&storage, n) == 0);
        assert(listen(host->fd, 4) == 0);
        assert(loop_watch(host->loop, &host->watch, host->fd, EPOLLIN) == 0);
}

void fake_host_close(FakeHost *host)
{
        for (size_t i = 0; i < host->connections_n; i++)
                close_connection(&host->connections[i]);
        loop_unwatch(host->loop, &host->watch);
        host->fd = fd_close(host->fd);
        (void)unlink(host->path);
}

void fake_host_done(FakeHost *host)
{
        fake_host_close(host);
        for (size_t i = 0; i < host->connections_n; i++) {
                loop_remove_timer(host->loop, &host->connections[i].late);
                buffer_done(&host->connections[i].input);
        }
        buffer_done(&host->bodies);
}

const char *fake_host_bodies(FakeHost *host)
{
        uint8_t *end;

        assert(buffer_reserve(&host->bodies, 1, &end) == 0);
        *end = '\0';
        return (const char *)buffer_data(&host->bodies);
}
