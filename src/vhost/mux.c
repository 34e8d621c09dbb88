/* The connections of a VM: a hash table by ports, a queue of those that have something for the guest,
 * served in turns, and what sd-event watches for each. Every function that does something to a
 * connection ends with settle(), which is the only place where a connection is moved or freed.
 *
 * Nothing the guest does makes memory grow without bound: packets owed to it are flags of their
 * connection, answers to packets without a connection wait in a short queue, and when that is full no
 * packet is taken from the guest. */

#include "vhost/mux.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <linux/vm_sockets.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"
#include "vhost/connection.h"
#include "vhost/pieces.h"
#include "vhost/uds.h"

enum {
        BUCKETS = 256,
        RESETS_MAX = 256,
        BUFFERED_MAX = 64 * 1024 * 1024, /* bytes for Unix sockets, all connections together */
        STATE_TIMEOUT_USEC = 10 * 1000 * 1000, /* for every state that is to lead to another */
        FIRST_HOST_PORT = 1 << 30, /* of connections from the host; Firecracker's choice too */
        LAST_HOST_PORT = INT32_MAX,
        BATCH_MAX = 32, /* buffers of the guest that one read(2) fills */
};

typedef struct Stream {
        Connection connection;
        Mux *mux;
        sd_event_source *socket;
        sd_event_source *timer;
        ConnectionState timed; /* the state that @timer limits */
        bool watches_write;
        bool in_table; /* the guest can name it */
        bool is_ready; /* it is in the queue of those with something for the guest */
        size_t buffered;
        TAILQ_ENTRY(Stream) all;
        TAILQ_ENTRY(Stream) ready;
        LIST_ENTRY(Stream) bucket;
} Stream;

struct Mux {
        sd_event *event;
        const char *uds_path;
        uint32_t guest_cid;
        void (*changed)(void *userdata);
        void *userdata;

        TAILQ_HEAD(, Stream) all;
        TAILQ_HEAD(, Stream) ready;
        LIST_HEAD(, Stream) buckets[BUCKETS];
        size_t n;
        size_t buffered;
        uint32_t next_host_port;

        Packet resets[RESETS_MAX]; /* a ring */
        size_t first_reset;
        size_t n_resets;

        /* Scratch space: the guest's buffers at hand. */
        struct iovec pieces[2 * VIRTQUEUE_SIZE_MAX];
        struct iovec payload[2 * VIRTQUEUE_SIZE_MAX];
};

int mux_new(sd_event *event, const char *uds_path, uint32_t guest_cid,
            void (*changed)(void *userdata), void *userdata, Mux **ret)
{
        Mux *mux = calloc(1, sizeof(*mux));

        if (!mux)
                return -ENOMEM;
        mux->event = sd_event_ref(event);
        mux->uds_path = uds_path;
        mux->guest_cid = guest_cid;
        mux->changed = changed;
        mux->userdata = userdata;
        mux->next_host_port = FIRST_HOST_PORT;
        TAILQ_INIT(&mux->all);
        TAILQ_INIT(&mux->ready);
        *ret = mux;
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
                TAILQ_REMOVE(&stream->mux->ready, stream, ready);
        stream->is_ready = false;
}

static void stream_free(Stream *stream)
{
        Mux *mux = stream->mux;

        leave_table(stream);
        leave_ready(stream);
        TAILQ_REMOVE(&mux->all, stream, all);
        mux->buffered -= stream->buffered;
        mux->n--;
        sd_event_source_disable_unref(stream->socket);
        sd_event_source_disable_unref(stream->timer);
        connection_done(&stream->connection);
        free(stream);
        mux->changed(mux->userdata);
}

Mux *mux_free(Mux *mux)
{
        if (!mux)
                return NULL;
        while (!TAILQ_EMPTY(&mux->all))
                stream_free(TAILQ_FIRST(&mux->all));
        sd_event_unref(mux->event);
        free(mux);
        return NULL;
}

size_t mux_count(const Mux *mux)
{
        return mux->n;
}

static size_t bucket_of(uint32_t guest_port, uint32_t host_port)
{
        return (guest_port * 31 + host_port) % BUCKETS;
}

static Stream *find(Mux *mux, uint32_t guest_port, uint32_t host_port)
{
        Stream *stream;

        LIST_FOREACH(stream, &mux->buckets[bucket_of(guest_port, host_port)], bucket)
                if (stream->connection.guest_port == guest_port &&
                    stream->connection.host_port == host_port)
                        return stream;
        return NULL;
}

static void enter_table(Stream *stream)
{
        const Connection *connection = &stream->connection;
        size_t bucket = bucket_of(connection->guest_port, connection->host_port);

        LIST_INSERT_HEAD(&stream->mux->buckets[bucket], stream, bucket);
        stream->in_table = true;
}

static void choose_host_port(Stream *stream)
{
        Mux *mux = stream->mux;

        /* There are a million times more ports than connections. */
        do {
                stream->connection.host_port = mux->next_host_port;
                mux->next_host_port = mux->next_host_port == LAST_HOST_PORT
                                              ? FIRST_HOST_PORT
                                              : mux->next_host_port + 1;
        } while (find(mux, stream->connection.guest_port, stream->connection.host_port));
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
        return sd_event_add_time_relative(stream->mux->event, &stream->timer, CLOCK_MONOTONIC,
                                          STATE_TIMEOUT_USEC, 0, on_timer, stream);
}

/* Edge-triggered, since readiness is often not wanted at the time: without credit nothing is read. */
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
        return sd_event_add_io(stream->mux->event, &stream->socket, connection->fd, events,
                               on_socket, stream);
}

/* Puts a connection where it belongs after something has happened to it; may free it. */
static void settle(Stream *stream)
{
        Connection *connection = &stream->connection;
        Mux *mux = stream->mux;

        mux->buffered += buffer_length(&connection->out) - stream->buffered;
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
                TAILQ_INSERT_TAIL(&mux->ready, stream, ready);
                stream->is_ready = true;
                mux->changed(mux->userdata);
        }
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Stream *stream = userdata;
        Connection *connection = &stream->connection;

        if (stream->buffered > 0)
                log_warning("port %u of the host: %zu bytes were lost, since nobody read them",
                            connection->host_port, stream->buffered);
        connection_on_timeout(connection);
        settle(stream);
        return 0;
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Stream *stream = userdata;

        connection_on_socket(&stream->connection, events);
        settle(stream);
        return 0;
}

static Stream *stream_new(Mux *mux)
{
        Stream *stream = calloc(1, sizeof(*stream));

        if (!stream)
                return NULL;
        stream->mux = mux;
        stream->timed = CONNECTION_STATES;
        TAILQ_INSERT_TAIL(&mux->all, stream, all);
        mux->n++;
        return stream;
}

int mux_add(Mux *mux, int fd)
{
        Stream *stream = stream_new(mux);

        if (!stream)
                return -ENOMEM;
        connection_init_hello(&stream->connection, fd);
        settle(stream);
        return 0;
}

/* Answers a packet that belongs to no connection. */
static void refuse(Mux *mux, const Packet *packet)
{
        size_t last = (mux->first_reset + mux->n_resets) % RESETS_MAX;

        if (packet->op == VIRTIO_VSOCK_OP_RST)
                return;
        mux->resets[last] = (Packet){
                .src_cid = packet->dst_cid,
                .dst_cid = packet->src_cid,
                .src_port = packet->dst_port,
                .dst_port = packet->src_port,
                .type = packet->type,
                .op = VIRTIO_VSOCK_OP_RST,
        };
        mux->n_resets++;
        mux->changed(mux->userdata);
}

static void on_request(Mux *mux, const Packet *packet)
{
        Stream *stream = NULL;
        int fd, r;

        r = mux->n < MUX_CONNECTIONS_MAX ? uds_connect(mux->uds_path, packet->dst_port, &fd)
                                         : -EMFILE;
        if (r >= 0) {
                stream = stream_new(mux);
                if (!stream) {
                        (void)fd_close(fd);
                        r = -ENOMEM;
                }
        }
        if (!stream) {
                log_debug_errno(r, "port %u of the host: connection refused", packet->dst_port);
                refuse(mux, packet);
                return;
        }
        connection_init_open(&stream->connection, fd, packet);
        enter_table(stream);
        settle(stream);
}

static void on_packet(Mux *mux, const Packet *packet, struct iovec *pieces, size_t n)
{
        Stream *stream;

        if (packet->src_cid != mux->guest_cid)
                return; /* somebody else's answer would go to the wrong place */
        if (packet->dst_cid != VMADDR_CID_HOST || packet->type != VIRTIO_VSOCK_TYPE_STREAM) {
                refuse(mux, packet);
                return;
        }
        stream = find(mux, packet->src_port, packet->dst_port);
        if (stream) {
                Connection *connection = &stream->connection;

                connection_on_packet(connection, packet, pieces, n);
                if (mux->buffered - stream->buffered + buffer_length(&connection->out) >
                    BUFFERED_MAX)
                        connection_on_overload(connection);
                settle(stream);
        } else if (packet->op == VIRTIO_VSOCK_OP_REQUEST) {
                on_request(mux, packet);
        } else {
                refuse(mux, packet);
        }
}

static int broken(VirtQueue *queue, const char *error)
{
        queue->error = error;
        return -EBADMSG;
}

/* Returns 1, 0 if there was no packet, or -EBADMSG. */
static int take_packet(Mux *mux, VirtQueue *queue)
{
        uint8_t header[PACKET_HEADER_SIZE];
        VirtQueueBuffer buffer;
        Packet packet;
        size_t n;
        int r;

        r = virtqueue_pop(queue, mux->pieces, &buffer);
        if (r <= 0)
                return r;
        if (buffer.length < sizeof(header))
                return broken(queue, "a packet is shorter than its header");
        pieces_read(mux->pieces, header, sizeof(header));
        r = packet_parse(header, sizeof(header), &packet);
        if (r < 0)
                return r;
        if (packet.length > buffer.length - sizeof(header))
                return broken(queue, "a packet is longer than its buffer");
        n = pieces_skip(mux->pieces, buffer.n, sizeof(header), mux->pieces);
        n = pieces_cut(mux->pieces, n, packet.length);
        on_packet(mux, &packet, mux->pieces, n);
        virtqueue_push(queue, buffer.head, 0);
        return 1;
}

int mux_from_guest(Mux *mux, VirtQueue *queue, unsigned budget)
{
        int r;

        while (mux->n_resets < RESETS_MAX) {
                if (budget == 0)
                        return MUX_MORE;
                r = take_packet(mux, queue);
                if (r < 0)
                        return r;
                if (r == 0 && !virtqueue_arm(queue))
                        return MUX_DONE;
                budget--;
        }
        return MUX_BLOCKED;
}

/* The guest's buffers for one turn. */
typedef struct Batch {
        VirtQueueBuffer buffers[BATCH_MAX];
        size_t first_piece[BATCH_MAX]; /* in mux->pieces */
        size_t n;
        size_t n_payload; /* pieces behind the headers, in mux->payload */
} Batch;

/* Takes up to @max buffers that are free now. Returns 0 or -EBADMSG. */
static int take_buffers(Mux *mux, VirtQueue *queue, size_t max, Batch *ret)
{
        size_t n_pieces = 0;

        ret->n = ret->n_payload = 0;
        while (ret->n < max && n_pieces + queue->size <= ARRAY_SIZE(mux->pieces)) {
                VirtQueueBuffer *buffer = &ret->buffers[ret->n];
                struct iovec *pieces = mux->pieces + n_pieces;
                int r = virtqueue_pop(queue, pieces, buffer);

                if (r < 0)
                        return r;
                if (r == 0)
                        return 0;
                if (buffer->length <= PACKET_HEADER_SIZE)
                        return broken(queue, "a buffer has no room for a packet");
                ret->n_payload += pieces_skip(pieces, buffer->n, PACKET_HEADER_SIZE,
                                              mux->payload + ret->n_payload);
                ret->first_piece[ret->n++] = n_pieces;
                n_pieces += buffer->n;
        }
        return 0;
}

/* Gives buffer number @i back with a packet in it, whose payload is there already. */
static void give_packet(Mux *mux, VirtQueue *queue, const Batch *batch, size_t i,
                        const Packet *packet)
{
        uint8_t header[PACKET_HEADER_SIZE];

        packet_format(packet, header);
        pieces_write(mux->pieces + batch->first_piece[i], header, sizeof(header));
        virtqueue_push(queue, batch->buffers[i].head,
                       PACKET_HEADER_SIZE + packet->length);
}

/* Fills buffers with what the connection's socket has. Returns how many. */
static size_t give_data(Mux *mux, VirtQueue *queue, const Batch *batch, Connection *connection)
{
        size_t left = connection_read(connection, mux->payload, batch->n_payload);
        size_t i;

        for (i = 0; left > 0; i++) {
                Packet packet = {.src_cid = VMADDR_CID_HOST, .dst_cid = mux->guest_cid};
                size_t length = MIN(left, batch->buffers[i].length - PACKET_HEADER_SIZE);

                connection_data_packet(connection, (uint32_t)length, &packet);
                give_packet(mux, queue, batch, i, &packet);
                left -= length;
        }
        return i;
}

/* One turn: a packet that is owed, or a batch of data of the first connection in the queue. Returns how
 * many packets were sent, -EAGAIN if there is no buffer, or -EBADMSG. */
static ssize_t take_turn(Mux *mux, VirtQueue *queue)
{
        Stream *stream = mux->n_resets > 0 ? NULL : TAILQ_FIRST(&mux->ready);
        bool is_data = stream && stream->connection.owed == 0;
        Packet packet = {.src_cid = VMADDR_CID_HOST, .dst_cid = mux->guest_cid};
        size_t used = 1;
        Batch batch;
        int r;

        r = take_buffers(mux, queue, is_data ? BATCH_MAX : 1, &batch);
        if (r < 0)
                return r;
        if (batch.n == 0)
                return -EAGAIN;
        if (is_data) {
                used = give_data(mux, queue, &batch, &stream->connection);
        } else if (stream) {
                (void)connection_next_packet(&stream->connection, &packet); /* one is owed */
                give_packet(mux, queue, &batch, 0, &packet);
        } else {
                give_packet(mux, queue, &batch, 0, &mux->resets[mux->first_reset]);
                mux->first_reset = (mux->first_reset + 1) % RESETS_MAX;
                mux->n_resets--;
        }
        virtqueue_unpop(queue, (uint16_t)(batch.n - used));
        if (stream) {
                leave_ready(stream); /* to join it at its end */
                settle(stream);
        }
        return (ssize_t)used;
}

int mux_to_guest(Mux *mux, VirtQueue *queue, unsigned budget)
{
        unsigned sent = 0;

        while (mux->n_resets > 0 || !TAILQ_EMPTY(&mux->ready)) {
                ssize_t n;

                if (sent >= budget)
                        return MUX_MORE;
                n = take_turn(mux, queue);
                if (n == -EAGAIN && !virtqueue_arm(queue))
                        return MUX_BLOCKED;
                if (n < 0 && n != -EAGAIN)
                        return (int)n;
                if (n > 0)
                        sent += (unsigned)n;
        }
        return MUX_DONE;
}

static void on_guest_reset(Mux *mux, bool for_good)
{
        Stream *next;

        mux->n_resets = 0;
        for (Stream *stream = TAILQ_FIRST(&mux->all); stream; stream = next) {
                Connection *connection = &stream->connection;

                next = TAILQ_NEXT(stream, all);
                connection_on_guest_reset(connection);
                if (for_good && (connection->state == CONNECTION_HELLO ||
                                 connection->state == CONNECTION_REQUESTED))
                        connection_on_timeout(connection); /* what it waits for will not come */
                settle(stream);
        }
}

void mux_on_guest_reset(Mux *mux)
{
        on_guest_reset(mux, false);
}

void mux_on_guest_death(Mux *mux, VirtQueue *queue)
{
        /* No more than fits, should it be alive after all; and a queue left broken is no matter. */
        for (size_t left = queue ? queue->size : 0; left > 0; left--) {
                mux->n_resets = 0; /* answers have nobody to go to */
                if (take_packet(mux, queue) <= 0)
                        break;
        }
        on_guest_reset(mux, true);
}
