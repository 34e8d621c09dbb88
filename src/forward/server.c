/* All connections of the program. When there are as many as may be, the one that has been idle
 * longest gives way to a new one; when none is idle, new ones wait in the backlog. */

#include "forward/server.h"

#include <errno.h>
#include <linux/vm_sockets.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/listener.h"
#include "base/log.h"
#include "base/macro.h"

enum {
        LISTENERS_MAX = 16, /* systemd may pass more than the two of the command line */
        PEER_MAX = 24,
};

/* How long accept(2) rests after an error that would come again at once. */
#define ACCEPT_PAUSE_USEC UINT64_C(100000)

const ServerLimits server_limits_default = {
        .connections = 8192, /* a guest has two */
        .memory = 256 * 1024 * 1024,
        .phases = {
                [CONNECTION_IDLE] = 300 * NSEC_PER_SEC,
                [CONNECTION_REQUEST] = 30 * NSEC_PER_SEC,
                [CONNECTION_DELIVERY] = NSEC_INFINITY,
                [CONNECTION_ANSWER] = 10 * NSEC_PER_SEC,
                [CONNECTION_LINGER] = NSEC_PER_SEC,
        },
        .stop = 2 * NSEC_PER_SEC,
};

struct Server {
        sd_event *event;
        ServerLimits limits;
        ConnectionContext context;
        Listener listeners[LISTENERS_MAX];
        sd_event_source *accepts[LISTENERS_MAX];
        size_t n_listeners;
        Connection *first, *last;
        size_t n_connections;
        sd_event_source *retry;  /* connections that wait for memory */
        sd_event_source *resume; /* accepting */
        sd_event_source *stop;
};

static void set_accepting(Server *server, bool on)
{
        for (size_t i = 0; i < server->n_listeners; i++)
                (void)sd_event_source_set_enabled(server->accepts[i],
                                                  on ? SD_EVENT_ON : SD_EVENT_OFF); /* valid */
}

static void add_to_list(Server *server, Connection *connection)
{
        ConnectionLinks *links = connection_links(connection);

        links->previous = server->last;
        if (server->last)
                connection_links(server->last)->next = connection;
        else
                server->first = connection;
        server->last = connection;
        server->n_connections++;
}

static void remove_from_list(Server *server, Connection *connection)
{
        ConnectionLinks *links = connection_links(connection);

        if (links->previous)
                connection_links(links->previous)->next = links->next;
        else
                server->first = links->next;
        if (links->next)
                connection_links(links->next)->previous = links->previous;
        else
                server->last = links->previous;
        server->n_connections--;
}

static void on_connection_ended(void *userdata, Connection *connection)
{
        Server *server = userdata;

        remove_from_list(server, connection);
        (void)connection_free(connection);
        if (!server->context.stopping)
                set_accepting(server, true);
        else if (server->n_connections == 0)
                (void)sd_event_exit(server->event, 0); /* the loop runs, or we were not called */
}

static void on_memory_freed(void *userdata)
{
        Server *server = userdata;

        (void)sd_event_source_set_enabled(server->retry, SD_EVENT_ONESHOT); /* a valid argument */
}

static int on_retry(sd_event_source *source, void *userdata)
{
        Server *server = userdata;
        Connection *next;

        for (Connection *c = server->first; c; c = next) {
                next = connection_links(c)->next;
                connection_retry(c);
        }
        return 0;
}

/* Makes room for one more connection, if any can be spared. */
static void end_longest_idle(Server *server)
{
        Connection *longest = NULL;
        nsec_t since = NSEC_INFINITY;

        for (Connection *c = server->first; c; c = connection_links(c)->next)
                if (connection_idle_since(c) < since) {
                        longest = c;
                        since = connection_idle_since(c);
                }
        if (longest)
                on_connection_ended(server, longest);
}

int server_add_connection(Server *server, int fd, const char *peer)
{
        Connection *connection;
        int r;

        r = connection_new(&server->context, fd, peer, &connection);
        if (r < 0)
                return r;
        add_to_list(server, connection);
        return 0;
}

static int accept_connection(Server *server, int listening)
{
        _cleanup_(fd_closep) int fd = -EBADF;
        struct sockaddr_storage storage = {0};
        socklen_t n = sizeof(storage);
        char peer[PEER_MAX] = "unix client";
        int r;

        fd = RET_ERRNO(accept4(listening, (struct sockaddr *)&storage, &n,
                               SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (fd < 0)
                return fd;
        if (storage.ss_family == AF_VSOCK)
                (void)snprintf(peer, sizeof(peer), "cid %u",
                               ((struct sockaddr_vm *)&storage)->svm_cid);
        r = server_add_connection(server, fd, peer);
        if (r < 0)
                return r;
        TAKE_FD(fd);
        return 0;
}

static int on_resume(sd_event_source *source, uint64_t usec, void *userdata)
{
        set_accepting(userdata, true);
        return 0;
}

/* Without descriptors or memory the event would come again at once and for ever. */
static void pause_accepting(Server *server)
{
        set_accepting(server, false);
        if (sd_event_source_set_time_relative(server->resume, ACCEPT_PAUSE_USEC) < 0 ||
            sd_event_source_set_enabled(server->resume, SD_EVENT_ONESHOT) < 0)
                set_accepting(server, true);
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Server *server = userdata;
        int r;

        if (server->n_connections >= server->limits.connections)
                end_longest_idle(server);
        if (server->n_connections >= server->limits.connections) {
                set_accepting(server, false);
                return 0;
        }
        r = accept_connection(server, fd);
        switch (r) {
        case 0:
        case -EAGAIN:
        case -EINTR:
        case -ECONNABORTED: /* gone before we came to it */
                break;
        default:
                log_error_errno(r, "cannot accept a connection");
                pause_accepting(server);
                break;
        }
        return 0;
}

static int on_stop_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
        Server *server = userdata;

        log_warning("%zu requests did not finish in time", server->n_connections);
        return sd_event_exit(server->event, 0);
}

static int add_sources(Server *server)
{
        int r;

        r = sd_event_add_defer(server->event, &server->retry, on_retry, server);
        if (r >= 0)
                r = sd_event_source_set_enabled(server->retry, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(server->event, &server->resume, CLOCK_BOOTTIME, UINT64_MAX,
                                      0, on_resume, server);
        if (r >= 0)
                r = sd_event_add_time(server->event, &server->stop, CLOCK_BOOTTIME, UINT64_MAX, 0,
                                      on_stop_timeout, server);
        return r < 0 ? r : 0;
}

int server_new(sd_event *event, Delivery *delivery, OpenRoots *roots, const ServerLimits *limits,
               Server **ret)
{
        Server *server = calloc(1, sizeof(*server));
        int r;

        if (!server)
                return -ENOMEM;
        server->event = sd_event_ref(event);
        server->limits = *limits;
        server->context = (ConnectionContext){
                .event = event,
                .delivery = delivery,
                .roots = roots,
                .memory = limits->memory,
                .ended = on_connection_ended,
                .memory_freed = on_memory_freed,
                .userdata = server,
        };
        for (size_t i = 0; i < CONNECTION_PHASES; i++)
                server->context.limits[i] = limits->phases[i];
        r = add_sources(server);
        if (r < 0) {
                (void)server_free(server);
                return r;
        }
        *ret = server;
        return 0;
}

static void close_listeners(Server *server)
{
        for (size_t i = 0; i < server->n_listeners; i++) {
                (void)sd_event_source_disable_unref(server->accepts[i]);
                listener_done(&server->listeners[i]);
        }
        server->n_listeners = 0;
}

Server *server_free(Server *server)
{
        if (!server)
                return NULL;
        close_listeners(server);
        while (server->first) {
                Connection *connection = server->first;

                remove_from_list(server, connection);
                (void)connection_free(connection);
        }
        (void)sd_event_source_disable_unref(server->retry);
        (void)sd_event_source_disable_unref(server->resume);
        (void)sd_event_source_disable_unref(server->stop);
        (void)sd_event_unref(server->event);
        free(server);
        return NULL;
}

/* Serves the next listener, which is filled in by now. */
static int add_listener(Server *server)
{
        Listener *listener = &server->listeners[server->n_listeners];
        int r;

        r = sd_event_add_io(server->event, &server->accepts[server->n_listeners], listener->fd,
                            EPOLLIN, on_accept, server);
        if (r < 0) {
                listener_done(listener);
                return r;
        }
        server->n_listeners++;
        return 0;
}

int server_listen(Server *server, const Address *address)
{
        int r;

        if (server->n_listeners == LISTENERS_MAX)
                return -E2BIG;
        r = listener_init(&server->listeners[server->n_listeners], address);
        return r < 0 ? r : add_listener(server);
}

int server_adopt(Server *server, int fd)
{
        int r;

        if (server->n_listeners == LISTENERS_MAX)
                return -E2BIG;
        r = listener_adopt(&server->listeners[server->n_listeners], fd);
        return r < 0 ? r : add_listener(server);
}

int server_stop(Server *server)
{
        Connection *next;
        int r;

        close_listeners(server);
        server->context.stopping = true;
        r = sd_event_source_set_time_relative(server->stop, server->limits.stop / NSEC_PER_USEC);
        if (r < 0)
                return r;
        if (server->n_connections == 0)
                return sd_event_exit(server->event, 0);
        for (Connection *c = server->first; c; c = next) {
                next = connection_links(c)->next;
                connection_stop(c);
        }
        return 0;
}
