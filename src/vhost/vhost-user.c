/* The session with the front end. The front end is our user's own QEMU, but what it says is checked
 * as if it were not: a request that does not fit ends the session, and every descriptor that came
 * with a message and found no owner is closed with it.
 *
 * The guest's driver is nowhere in the protocol. What shows is that queues start and stop: a pause
 * and a reset look the same until the queues start again, from where they were or from 0. */

#include "vhost/vhost-user.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "base/fd.h"
#include "base/macro.h"
#include "vhost/channel.h"

#define BIT(n) (UINT64_C(1) << (n))

/* Numbers that linux/ headers do not have. */
enum {
        FEATURE_PROTOCOL_FEATURES = 30, /* needed for CONFIG below */
        PROTOCOL_FEATURE_REPLY_ACK = 3,
        PROTOCOL_FEATURE_CONFIG = 9, /* the front end asks us for the guest's CID */
};

#define FEATURES                                                                                   \
        (BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX) |                         \
         BIT(FEATURE_PROTOCOL_FEATURES) | BIT(VIRTIO_F_VERSION_1))
#define PROTOCOL_FEATURES (BIT(PROTOCOL_FEATURE_REPLY_ACK) | BIT(PROTOCOL_FEATURE_CONFIG))

typedef struct Queue {
        VirtQueue ring;
        VirtQueueAddress address;
        bool enabled;
        int kick; /* the queue can only be used while it has one */
        int call;
} Queue;

struct VhostUser {
        Channel channel;
        uint32_t guest_cid;
        const VhostUserOps *ops;
        void *userdata;

        uint64_t protocol_features;
        Memory memory;
        Queue queues[QUEUES];
        bool running;

        char error[160];
};

int vhost_user_new(int fd, uint32_t guest_cid, const VhostUserOps *ops, void *userdata,
                   VhostUser **ret)
{
        VhostUser *session = calloc(1, sizeof(*session));

        if (!session)
                return -ENOMEM;
        channel_init(&session->channel, fd);
        session->guest_cid = guest_cid;
        session->ops = ops;
        session->userdata = userdata;
        for (unsigned i = 0; i < QUEUES; i++) {
                session->queues[i].kick = session->queues[i].call = -EBADF;
                session->queues[i].ring.for_reading = i == QUEUE_FROM_GUEST;
        }
        *ret = session;
        return 0;
}

VhostUser *vhost_user_free(VhostUser *session)
{
        if (!session)
                return NULL;
        for (unsigned i = 0; i < QUEUES; i++) {
                if (session->queues[i].kick >= 0)
                        (void)session->ops->set_kick(session->userdata, i, -EBADF);
                (void)fd_close(session->queues[i].kick);
                (void)fd_close(session->queues[i].call);
        }
        memory_done(&session->memory);
        channel_done(&session->channel);
        free(session);
        return NULL;
}

const char *vhost_user_error(const VhostUser *session)
{
        return session->error;
}

VirtQueue *vhost_user_queue(VhostUser *session, unsigned queue)
{
        return session->running ? &session->queues[queue].ring : NULL;
}

void vhost_user_notify(VhostUser *session)
{
        for (unsigned i = 0; i < QUEUES; i++) {
                Queue *queue = &session->queues[i];
                uint64_t one = 1;

                if (queue->call >= 0 && virtqueue_needs_notify(&queue->ring))
                        /* It can only fail for a counter that is already far from 0. */
                        (void)!write(queue->call, &one, sizeof(one));
        }
}

/* Notes what is wrong with the message at hand. */
static int fail(VhostUser *session, int error, const char *what)
{
        const char *name = request_name(session->channel.request);

        snprintf(session->error, sizeof(session->error), "%s%s%s", name ? name : "",
                 name ? ": " : "", what);
        return error;
}

static int reply(VhostUser *session, Request request, const void *payload, size_t n)
{
        int r = channel_reply(&session->channel, request, payload, n);

        return r < 0 ? fail(session, r, "the reply could not be sent") : 0;
}

static int reply_u64(VhostUser *session, Request request, uint64_t value)
{
        return reply(session, request, &value, sizeof(value));
}

static void start_if_usable(VhostUser *session)
{
        bool fresh = true;

        if (session->running)
                return;
        for (unsigned i = 0; i < QUEUES; i++) {
                const Queue *queue = &session->queues[i];

                if (!queue->enabled || queue->kick < 0)
                        return;
                fresh = fresh && queue->ring.next == 0;
        }
        session->running = true;
        session->ops->start(session->userdata, fresh);
}

static void stop(VhostUser *session)
{
        if (session->running)
                session->ops->stop(session->userdata);
        session->running = false;
}

static int get_features(VhostUser *session, const Message *message)
{
        return reply_u64(session, message->request, FEATURES);
}

static int set_features(VhostUser *session, const Message *message)
{
        if (message->u64 & ~FEATURES)
                return fail(session, -EOPNOTSUPP, "a feature that was not offered");
        for (unsigned i = 0; i < QUEUES; i++) {
                VirtQueue *ring = &session->queues[i].ring;

                ring->event_idx = message->u64 & BIT(VIRTIO_RING_F_EVENT_IDX);
                ring->indirect = message->u64 & BIT(VIRTIO_RING_F_INDIRECT_DESC);
        }
        return 0;
}

static int get_protocol_features(VhostUser *session, const Message *message)
{
        return reply_u64(session, message->request, PROTOCOL_FEATURES);
}

static int set_protocol_features(VhostUser *session, const Message *message)
{
        if (message->u64 & ~PROTOCOL_FEATURES)
                return fail(session, -EOPNOTSUPP, "a feature that was not offered");
        session->protocol_features = message->u64;
        return 0;
}

static int set_owner(VhostUser *session, const Message *message)
{
        return 0; /* there is only this one session */
}

static int set_mem_table(VhostUser *session, const Message *message)
{
        _cleanup_(memory_done) Memory memory = {0};

        for (size_t i = 0; i < message->memory.n; i++) {
                int r = memory_add(&memory, &message->memory.regions[i], session->channel.fds[i]);

                if (r == -EPERM)
                        return fail(session, r, "memory that could shrink or is not a memfd: it "
                                                "takes memory-backend-memfd with share=on");
                if (r < 0)
                        return fail(session, r, "a region cannot be mapped");
        }
        memory_done(&session->memory);
        session->memory = memory;
        memory = (Memory){0};

        for (unsigned i = 0; i < QUEUES; i++) {
                Queue *queue = &session->queues[i];

                if (!queue->ring.table)
                        continue;
                /* A stopped queue will get an address before it is used again. */
                if (virtqueue_place(&queue->ring, &session->memory, &queue->address) < 0 &&
                    queue->kick >= 0)
                        return fail(session, -EFAULT, "a queue in use lies outside");
        }
        return 0;
}

static int set_vring_num(VhostUser *session, const Message *message)
{
        Queue *queue = &session->queues[message->queue];

        if (queue->kick >= 0)
                return fail(session, -EBUSY, "the queue is in use");
        if (message->value == 0 || message->value > VIRTQUEUE_SIZE_MAX ||
            (message->value & (message->value - 1)) != 0)
                return fail(session, -EINVAL, "the size is not a power of two up to 1024");
        queue->ring.size = message->value;
        queue->ring.table = NULL; /* its place was checked for another size */
        return 0;
}

static int set_vring_addr(VhostUser *session, const Message *message)
{
        Queue *queue = &session->queues[message->queue];
        int r;

        if (queue->kick >= 0)
                return fail(session, -EBUSY, "the queue is in use");
        if (queue->ring.size == 0)
                return fail(session, -EINVAL, "the queue has no size yet");
        r = virtqueue_place(&queue->ring, &session->memory, &message->address);
        if (r < 0)
                return fail(session, r, "the queue is misaligned or outside the guest's memory");
        queue->address = message->address;
        return 0;
}

static int set_vring_base(VhostUser *session, const Message *message)
{
        Queue *queue = &session->queues[message->queue];

        if (queue->kick >= 0)
                return fail(session, -EBUSY, "the queue is in use");
        if (message->value > UINT16_MAX)
                return fail(session, -EINVAL, "an index has 16 bits");
        virtqueue_start(&queue->ring, (uint16_t)message->value);
        return 0;
}

static int get_vring_base(VhostUser *session, const Message *message)
{
        Queue *queue = &session->queues[message->queue];
        uint32_t state[2] = {message->queue, 0};

        stop(session);
        if (queue->kick >= 0)
                (void)session->ops->set_kick(session->userdata, message->queue, -EBADF);
        queue->kick = fd_close(queue->kick);
        state[1] = queue->ring.next;
        return reply(session, message->request, state, sizeof(state));
}

static int set_vring_kick(VhostUser *session, const Message *message)
{
        Queue *queue = &session->queues[message->queue];
        _cleanup_(fd_closep) int old = -EBADF;
        int r;

        if (message->n_fds == 0)
                return fail(session, -EOPNOTSUPP, "a queue without kicks would have to be polled");
        if (!queue->ring.table)
                return fail(session, -EINVAL, "the queue has no address yet");
        r = fd_set_nonblock(session->channel.fds[0], true);
        if (r < 0)
                return fail(session, r, "the descriptor cannot be used");
        r = session->ops->set_kick(session->userdata, message->queue, session->channel.fds[0]);
        if (r < 0)
                return fail(session, r, "the descriptor cannot be watched");
        old = queue->kick;
        queue->kick = TAKE_FD(session->channel.fds[0]);
        start_if_usable(session);
        session->ops->wake(session->userdata);
        return 0;
}

static int set_vring_call(VhostUser *session, const Message *message)
{
        Queue *queue = &session->queues[message->queue];
        int r;

        if (message->n_fds > 0) {
                r = fd_set_nonblock(session->channel.fds[0], true);
                if (r < 0)
                        return fail(session, r, "the descriptor cannot be used");
        }
        queue->call = fd_close(queue->call);
        if (message->n_fds > 0)
                queue->call = TAKE_FD(session->channel.fds[0]);
        session->ops->wake(session->userdata);
        return 0;
}

static int set_vring_err(VhostUser *session, const Message *message)
{
        return 0; /* a broken queue ends the session, which says it too */
}

static int set_vring_enable(VhostUser *session, const Message *message)
{
        if (message->value > 1)
                return fail(session, -EINVAL, "neither on nor off");
        if (message->value == 0)
                stop(session);
        session->queues[message->queue].enabled = message->value == 1;
        start_if_usable(session);
        session->ops->wake(session->userdata);
        return 0;
}

static int get_config(VhostUser *session, const Message *message)
{
        struct {
                uint32_t offset, size, flags;
                uint8_t space[MESSAGE_CONFIG_SIZE];
        } config = {message->config.offset, message->config.size, message->config.flags};
        uint64_t cid = htole64(session->guest_cid);

        memcpy(config.space, (uint8_t *)&cid + config.offset, config.size);
        return reply(session, message->request, &config,
                     offsetof(typeof(config), space) + config.size);
}

static const struct {
        int (*handle)(VhostUser *session, const Message *message);
        bool replies; /* by itself */
} handlers[] = {
        [REQUEST_GET_FEATURES] = {get_features, true},
        [REQUEST_SET_FEATURES] = {set_features},
        [REQUEST_SET_OWNER] = {set_owner},
        [REQUEST_SET_MEM_TABLE] = {set_mem_table},
        [REQUEST_SET_VRING_NUM] = {set_vring_num},
        [REQUEST_SET_VRING_ADDR] = {set_vring_addr},
        [REQUEST_SET_VRING_BASE] = {set_vring_base},
        [REQUEST_GET_VRING_BASE] = {get_vring_base, true},
        [REQUEST_SET_VRING_KICK] = {set_vring_kick},
        [REQUEST_SET_VRING_CALL] = {set_vring_call},
        [REQUEST_SET_VRING_ERR] = {set_vring_err},
        [REQUEST_GET_PROTOCOL_FEATURES] = {get_protocol_features, true},
        [REQUEST_SET_PROTOCOL_FEATURES] = {set_protocol_features},
        [REQUEST_SET_VRING_ENABLE] = {set_vring_enable},
        [REQUEST_GET_CONFIG] = {get_config, true},
};

static int handle(VhostUser *session)
{
        Message message;
        int r;

        r = message_parse(session->channel.bytes, session->channel.n, &message);
        if (r < 0)
                return fail(session, r, "the payload does not fit the request");
        if (message.n_fds != session->channel.n_fds)
                return fail(session, -EBADMSG, "the wrong number of descriptors");
        r = handlers[message.request].handle(session, &message);
        if (r < 0)
                return r;
        if (message.needs_reply && !handlers[message.request].replies &&
            (session->protocol_features & BIT(PROTOCOL_FEATURE_REPLY_ACK)))
                return reply_u64(session, message.request, 0);
        return 0;
}

int vhost_user_receive(VhostUser *session)
{
        int r = channel_receive(&session->channel);

        switch (r) {
        case CHANNEL_MORE:
                return 0;
        case CHANNEL_HANGUP:
                return VHOST_USER_HANGUP;
        case -EBADMSG:
                return fail(session, r, "not a request that this device knows");
        case -E2BIG:
                return fail(session, r, "too many descriptors");
        }
        if (r < 0)
                return fail(session, r, "the socket failed");
        r = handle(session);
        channel_forget(&session->channel);
        return r;
}
