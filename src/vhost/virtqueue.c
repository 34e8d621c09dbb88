/* The device's side of a split virtqueue. No index, address or length is believed: indices are
 * compared with the queue's size, chains cannot be longer than the queue, and every piece must lie
 * in one region of the guest's memory. */

#include "vhost/virtqueue.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <linux/virtio_ring.h>

#include "base/macro.h"

static int broken(VirtQueue *queue, const char *error)
{
        queue->error = error;
        return -EBADMSG;
}

int virtqueue_place(VirtQueue *queue, const Memory *memory, const VirtQueueAddress *address)
{
        /* Both rings end with a 16-bit event index. */
        size_t avail_size = sizeof(struct vring_avail) + 2 * queue->size + 2;
        size_t used_size = sizeof(struct vring_used) +
                           sizeof(struct vring_used_elem) * queue->size + 2;
        const uint8_t *table;
        struct vring_avail *avail;
        struct vring_used *used;

        queue->table = NULL;
        if (address->table % VRING_DESC_ALIGN_SIZE != 0 ||
            address->avail % VRING_AVAIL_ALIGN_SIZE != 0 ||
            address->used % VRING_USED_ALIGN_SIZE != 0)
                return -EINVAL;
        table = memory_at_user(memory, address->table, sizeof(struct vring_desc) * queue->size);
        avail = memory_at_user(memory, address->avail, avail_size);
        used = memory_at_user(memory, address->used, used_size);
        /* A region can start anywhere: the alignment that counts is our own. */
        if (!table || !avail || !used || (uintptr_t)avail % VRING_AVAIL_ALIGN_SIZE != 0 ||
            (uintptr_t)used % VRING_USED_ALIGN_SIZE != 0)
                return -EFAULT;
        queue->memory = memory;
        queue->table = table;
        queue->avail = avail;
        queue->used = used;
        return 0;
}

void virtqueue_start(VirtQueue *queue, uint16_t next)
{
        queue->next = queue->returned = next;
        /* As if a whole round had gone by unnoticed: the first buffer given back notifies. */
        queue->notified = (uint16_t)(next - VIRTQUEUE_SIZE_MAX);
        queue->error = NULL;
}

static uint16_t load_index(const __virtio16 *index)
{
        return le16toh(__atomic_load_n(index, __ATOMIC_ACQUIRE));
}

static void store_index(__virtio16 *index, uint16_t value)
{
        __atomic_store_n(index, htole16(value), __ATOMIC_RELEASE);
}

/* Adds the memory of one descriptor to the pieces. */
static int add_piece(VirtQueue *queue, const struct vring_desc *desc, struct iovec *pieces,
                     VirtQueueBuffer *buffer)
{
        uint32_t length = le32toh(desc->len);
        bool writable = le16toh(desc->flags) & VRING_DESC_F_WRITE;
        void *base;

        if (buffer->n == queue->size)
                return broken(queue, "a chain is longer than the queue");
        if (writable == queue->for_reading)
                return broken(queue, "a descriptor has the wrong direction");
        if (length == 0)
                return broken(queue, "a descriptor is empty");
        base = memory_at_guest(queue->memory, le64toh(desc->addr), length);
        if (!base)
                return broken(queue, "a descriptor points outside the guest's memory");
        pieces[buffer->n++] = (struct iovec){base, length};
        buffer->length += length;
        return 0;
}

/* Checks a descriptor that refers to a table of its own and looks the table up. */
static int open_table(VirtQueue *queue, const struct vring_desc *desc, const uint8_t **ret_table,
                      uint32_t *ret_size)
{
        uint32_t length = le32toh(desc->len);
        const uint8_t *table;

        if (!queue->indirect || (le16toh(desc->flags) & VRING_DESC_F_NEXT))
                return broken(queue, "an indirect descriptor is not allowed here");
        if (length == 0 || length % sizeof(*desc) != 0 || length / sizeof(*desc) > queue->size)
                return broken(queue, "an indirect table has a bad size");
        table = memory_at_guest(queue->memory, le64toh(desc->addr), length);
        if (!table)
                return broken(queue, "an indirect table is outside the guest's memory");
        *ret_table = table;
        *ret_size = length / (uint32_t)sizeof(*desc);
        return 0;
}

/* Follows the chain that starts at buffer->head. It ends, since every descriptor adds a piece but
 * one, the one that leads to an indirect table. */
static int walk(VirtQueue *queue, struct iovec *pieces, VirtQueueBuffer *buffer)
{
        const uint8_t *table = queue->table;
        uint32_t size = queue->size, index = buffer->head;
        bool is_indirect = false;
        struct vring_desc desc;
        int r;

        for (;;) {
                if (index >= size)
                        return broken(queue, "a descriptor index is beyond its table");
                /* A copy, since the guest can still write; and its table may be misaligned. */
                memcpy(&desc, table + index * sizeof(desc), sizeof(desc));
                if (le16toh(desc.flags) & VRING_DESC_F_INDIRECT) {
                        if (is_indirect)
                                return broken(queue, "an indirect table holds another");
                        is_indirect = true;
                        r = open_table(queue, &desc, &table, &size);
                        if (r < 0)
                                return r;
                        index = 0;
                        continue;
                }
                r = add_piece(queue, &desc, pieces, buffer);
                if (r < 0)
                        return r;
                if (!(le16toh(desc.flags) & VRING_DESC_F_NEXT))
                        return 0;
                index = le16toh(desc.next);
        }
}

int virtqueue_pop(VirtQueue *queue, struct iovec *pieces, VirtQueueBuffer *ret)
{
        uint16_t waiting = (uint16_t)(load_index(&queue->avail->idx) - queue->next);
        VirtQueueBuffer buffer = {0};
        int r;

        if (queue->error)
                return -EBADMSG;
        if (waiting == 0)
                return 0;
        if (waiting > queue->size)
                return broken(queue, "the available index jumped");
        buffer.head = load_index(&queue->avail->ring[queue->next % queue->size]);
        r = walk(queue, pieces, &buffer);
        if (r < 0)
                return r;
        queue->next++;
        *ret = buffer;
        return 1;
}

void virtqueue_unpop(VirtQueue *queue, uint16_t n)
{
        assert(n <= (uint16_t)(queue->next - queue->returned));
        queue->next = (uint16_t)(queue->next - n);
}

void virtqueue_push(VirtQueue *queue, uint16_t head, uint32_t n)
{
        struct vring_used_elem element = {.id = htole32(head), .len = htole32(n)};

        assert(queue->returned != queue->next);
        memcpy(&queue->used->ring[queue->returned % queue->size], &element, sizeof(element));
        queue->returned++;
        store_index(&queue->used->idx, queue->returned);
}

bool virtqueue_arm(VirtQueue *queue)
{
        if (queue->event_idx)
                store_index((__virtio16 *)&queue->used->ring[queue->size], queue->next);
        /* The guest adds a buffer, then looks whether to kick: we do the same the other way round,
         * and with a full barrier between, at least one of us sees the other. */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        return load_index(&queue->avail->idx) != queue->next;
}

bool virtqueue_needs_notify(VirtQueue *queue)
{
        uint16_t old = queue->notified;

        if (queue->returned == old)
                return false;
        queue->notified = queue->returned;
        __atomic_thread_fence(__ATOMIC_SEQ_CST); /* as in virtqueue_arm() */
        if (!queue->event_idx)
                return !(load_index(&queue->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
        return vring_need_event(load_index(&queue->avail->ring[queue->size]), queue->returned, old);
}
