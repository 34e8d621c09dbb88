/* The connections of a VM as a set. What happens to a connection, from either side, ends with
 * stream_settle(), which is the only place where one is moved or freed. */

#include "vhost/streams.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"

enum {
        BUCKETS = 256,
        BUFFERED_MAX = 64 * 1024 * 1024, /* bytes for Unix sockets, all connections together */
        STATE_TIMEOUT_USEC = 10 * 1000 * 1000, /* for every state that is to lead to another */
        FIRST_HOST_PORT = 1 << 30, /* of connections from the host; Firecracker's choice too */
        LAST_HOST_PORT = INT32_MAX,
};

struct Streams {
        sd_event *event;
        void (*changed)(void *userdata);
        void *userdata;

        TAILQ_HEAD(, Stream) all;
        TAILQ_HEAD(, Stream) ready;
        LIST_HEAD(, Stream) buckets[BUCKETS];
        size_t n;
        size_t buffered;
        uint32_t next_host_port;
};

int streams_new(sd_event *event, void (*changed)(void *userdata), void *userdata, Streams **ret)
{
        Streams *streams = calloc(1, sizeof(*streams));

        if (!streams)
                return -ENOMEM;
        streams->event = sd_event_ref(event);
        streams->changed = changed;
        streams->userdata = userdata;
        streams->next_host_port = FIRST_HOST_PORT;
        TAILQ_INIT(&streams->all);
        TAILQ_INIT(&streams->ready);
        *ret = streams;
        return 0;
}

static void leave_table(Stream *stream)
{
        if (stream->in_table)
                LIST_REMOVE(stream, bucket);
        stream->in_table = false;
}

static void leave_ready(Stream *stream)
{
        if (stream->is_ready)
                TAILQ_REMOVE(&stream->streams->ready, stream, ready);
        stream->is_ready = false;
}

static void stream_free(Stream *stream)
{
        Streams *streams = stream->streams;

        leave_table(stream);
        leave_ready(stream);
        TAILQ_REMOVE(&streams->all, stream, all);
        streams->buffered -= stream->buffered;
        streams->n--;
        sd_event_source_disable_unref(stream->socket);
        sd_event_source_disable_unref(stream->timer);
        connection_done(&stream->connection);
        free(stream);
        streams->changed(streams->userdata);
}

Streams *streams_free(Streams *streams)
{
        if (!streams)
                return NULL;
        while (!TAILQ_EMPTY(&streams->all))
                stream_free(TAILQ_FIRST(&streams->all));
        sd_event_unref(streams->event);
        free(streams);
        return NULL;
}

size_t streams_count(const Streams *streams)
{
        return streams->n;
}

static size_t bucket_of(uint32_t guest_port, uint32_t host_port)
{
        return (guest_port * 31 + host_port) % BUCKETS;
}

Stream *streams_find(Streams *streams, uint32_t guest_port, uint32_t host_port)
{
        Stream *stream;

        LIST_FOREACH(stream, &streams->buckets[bucket_of(guest_port, host_port)], bucket)
                if (stream->connection.guest_port == guest_port &&
                    stream->connection.host_port == host_port)
                        return stream;
        return NULL;
}

Stream *streams_first_ready(Streams *streams)
{
        return TAILQ_FIRST(&streams->ready);
}

static void enter_table(Stream *stream)
{
        const Connection *connection = &stream->connection;
        size_t bucket = bucket_of(connection->guest_port, connection->host_port);

        LIST_INSERT_HEAD(&stream->streams->buckets[bucket], stream, bucket);
        stream->in_table = true;
}

static void choose_host_port(Stream *stream)
{
        Streams *streams = stream->streams;

        /* There are a million times more ports than connections. */
        do {
                stream->connection.host_port = streams->next_host_port;
                streams->next_host_port = streams->next_host_port == LAST_HOST_PORT
                                                  ? FIRST_HOST_PORT
                                                  : streams->next_host_port + 1;
        } while (streams_find(streams, stream->connection.guest_port,
                              stream->connection.host_port));
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);
static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata);

/* A limit to the time in each state, so that every connection ends that is not used. */
static int set_timer(Stream *stream)
{
        ConnectionState state = stream->connection.state;

        if (state == stream->timed)
                return 0;
        stream->timed = state;
        stream->timer = sd_event_source_disable_unref(stream->timer);
        if (state == CONNECTION_OPEN || state == CONNECTION_RESET)
                return 0;
        return sd_event_add_time_relative(stream->streams->event, &stream->timer, CLOCK_MONOTONIC,
                                          STATE_TIMEOUT_USEC, 0, on_timer, stream);
}

/* Edge-triggered, since readiness is often not wanted at the time: without credit nothing is
 * read. */
static int set_watch(Stream *stream)
{
        Connection *connection = &stream->connection;
        bool write = connection_wants_to_write(connection);
        uint32_t events = EPOLLET | EPOLLIN | (write ? EPOLLOUT : 0);

        if (connection->state == CONNECTION_RESET) {
                stream->socket = sd_event_source_disable_unref(stream->socket);
                connection->fd = fd_close(connection->fd);
                return 0;
        }
        if (stream->socket && write == stream->watches_write)
                return 0;
        stream->watches_write = write;
        if (stream->socket)
                return sd_event_source_set_io_events(stream->socket, events);
        return sd_event_add_io(stream->streams->event, &stream->socket, connection->fd, events,
                               on_socket, stream);
}

void stream_settle(Stream *stream)
{
        Connection *connection = &stream->connection;
        Streams *streams = stream->streams;

        streams->buffered += buffer_length(&connection->out) - stream->buffered;
        stream->buffered = buffer_length(&connection->out);
        if (connection->state == CONNECTION_DEAD || set_timer(stream) < 0 ||
            set_watch(stream) < 0) {
                stream_free(stream);
                return;
        }
        if (connection->state == CONNECTION_REQUESTED && !stream->in_table) {
                choose_host_port(stream);
                enter_table(stream);
        } else if (connection->state == CONNECTION_LINGER) {
                leave_table(stream);
        }
        if (!connection_wants_to_send(connection)) {
                leave_ready(stream);
        } else if (!stream->is_ready) {
                TAILQ_INSERT_TAIL(&streams->ready, stream, ready);
                stream->is_ready = true;
                streams->changed(streams->userdata);
        }
}

void stream_end_turn(Stream *stream)
{
        leave_ready(stream);
        stream_settle(stream);
}

bool stream_is_overload(const Stream *stream)
{
        return stream->streams->buffered - stream->buffered +
                       buffer_length(&stream->connection.out) >
               BUFFERED_MAX;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Stream *stream = userdata;
        Connection *connection = &stream->connection;

        if (stream->buffered > 0)
                log_warning("port %u of the host: %zu bytes were lost, since nobody read them",
                            connection->host_port, stream->buffered);
        connection_on_timeout(connection);
        stream_settle(stream);
        return 0;
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Stream *stream = userdata;

        connection_on_socket(&stream->connection, events);
        stream_settle(stream);
        return 0;
}

static Stream *stream_new(Streams *streams)
{
        Stream *stream = calloc(1, sizeof(*stream));

        if (!stream)
                return NULL;
        stream->streams = streams;
        stream->timed = CONNECTION_STATES;
        TAILQ_INSERT_TAIL(&streams->all, stream, all);
        streams->n++;
        return stream;
}

int streams_add_hello(Streams *streams, int fd)
{
        Stream *stream = stream_new(streams);

        if (!stream)
                return -ENOMEM;
        connection_init_hello(&stream->connection, fd);
        stream_settle(stream);
        return 0;
}

int streams_add_open(Streams *streams, int fd, const Packet *request)
{
        Stream *stream = stream_new(streams);

        if (!stream)
                return -ENOMEM;
        connection_init_open(&stream->connection, fd, request);
        enter_table(stream);
        stream_settle(stream);
        return 0;
}

void streams_on_guest_reset(Streams *streams, bool for_good)
{
        Stream *next;

        for (Stream *stream = TAILQ_FIRST(&streams->all); stream; stream = next) {
                Connection *connection = &stream->connection;

                next = TAILQ_NEXT(stream, all);
                connection_on_guest_reset(connection);
                if (for_good && (connection->state == CONNECTION_HELLO ||
                                 connection->state == CONNECTION_REQUESTED))
                        connection_on_timeout(connection); /* what it waits for will not come */
                stream_settle(stream);
        }
}
