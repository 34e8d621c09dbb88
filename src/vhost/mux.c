/* Between the guest's queues and its connections. Nothing the guest does makes memory grow without
 * bound: packets owed to it are flags of their connection, answers to packets without a connection
 * wait in a short queue, and when that is full no packet is taken from the guest. */

#include "vhost/mux.h"

#include <errno.h>
#include <stdlib.h>
#include <linux/vm_sockets.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"
#include "vhost/pieces.h"
#include "vhost/streams.h"
#include "vhost/uds.h"

enum {
        RESETS_MAX = 256,
        BATCH_MAX = 32, /* buffers of the guest that one read(2) fills */
};

struct Mux {
        const char *uds_path;
        uint32_t guest_cid;
        void (*changed)(void *userdata);
        void *userdata;
        Streams *streams;

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
        int r;

        if (!mux)
                return -ENOMEM;
        mux->uds_path = uds_path;
        mux->guest_cid = guest_cid;
        mux->changed = changed;
        mux->userdata = userdata;
        r = streams_new(event, changed, userdata, &mux->streams);
        if (r < 0) {
                mux_free(mux);
                return r;
        }
        *ret = mux;
        return 0;
}

Mux *mux_free(Mux *mux)
{
        if (!mux)
                return NULL;
        streams_free(mux->streams);
        free(mux);
        return NULL;
}

bool mux_is_empty(const Mux *mux)
{
        return streams_count(mux->streams) == 0;
}

bool mux_is_full(const Mux *mux)
{
        return streams_count(mux->streams) >= STREAMS_MAX;
}

int mux_add(Mux *mux, int fd)
{
        return streams_add_hello(mux->streams, fd);
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

static int connect_to_host(Mux *mux, const Packet *request)
{
        _cleanup_(fd_closep) int fd = -EBADF;
        int r;

        if (mux_is_full(mux))
                return -EMFILE;
        r = uds_connect(mux->uds_path, request->dst_port, &fd);
        if (r >= 0)
                r = streams_add_open(mux->streams, fd, request);
        if (r >= 0)
                (void)TAKE_FD(fd);
        return r;
}

static void on_packet(Mux *mux, const Packet *packet, struct iovec *pieces, size_t n)
{
        Stream *stream;
        int r;

        if (packet->src_cid != mux->guest_cid)
                return; /* an answer would go to somebody else */
        if (packet->dst_cid != VMADDR_CID_HOST || packet->type != VIRTIO_VSOCK_TYPE_STREAM) {
                refuse(mux, packet);
                return;
        }
        stream = streams_find(mux->streams, packet->src_port, packet->dst_port);
        if (stream) {
                connection_on_packet(&stream->connection, packet, pieces, n);
                if (stream_is_overload(stream))
                        connection_on_overload(&stream->connection);
                stream_settle(stream);
                return;
        }
        r = -ENOTCONN;
        if (packet->op == VIRTIO_VSOCK_OP_REQUEST)
                r = connect_to_host(mux, packet);
        if (r < 0) {
                log_debug_errno(r, "port %u of the host: refused", packet->dst_port);
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
        virtqueue_push(queue, batch->buffers[i].head, PACKET_HEADER_SIZE + packet->length);
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

/* One turn: a packet that is owed, or a batch of data of the first connection in the queue. Returns
 * how many packets were sent, -EAGAIN if there is no buffer, or -EBADMSG. */
static ssize_t take_turn(Mux *mux, VirtQueue *queue)
{
        Stream *stream = mux->n_resets > 0 ? NULL : streams_first_ready(mux->streams);
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
        if (stream)
                stream_end_turn(stream);
        return (ssize_t)used;
}

int mux_to_guest(Mux *mux, VirtQueue *queue, unsigned budget)
{
        unsigned sent = 0;

        while (mux->n_resets > 0 || streams_first_ready(mux->streams)) {
                ssize_t n;

                if (sent >= budget)
                        return MUX_MORE;
                n = take_turn(mux, queue);
                if (n == -EAGAIN && !virtqueue_arm(queue))
                        return MUX_BLOCKED;
                if (n < 0 && n != -EAGAIN)
                        return (int)n;
                sent += n > 0 ? (unsigned)n : 1; /* a turn without a packet counts as well */
        }
        return MUX_DONE;
}

void mux_on_guest_reset(Mux *mux)
{
        mux->n_resets = 0;
        streams_on_guest_reset(mux->streams, false);
}

void mux_on_guest_death(Mux *mux, VirtQueue *queue)
{
        /* No more than fits, should it be alive after all; and a queue left broken is no matter. */
        for (size_t left = queue ? queue->size : 0; left > 0; left--) {
                mux->n_resets = 0; /* answers have nobody to go to */
                if (take_packet(mux, queue) <= 0)
                        break;
        }
        mux->n_resets = 0;
        streams_on_guest_reset(mux->streams, true);
}
