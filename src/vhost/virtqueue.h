#pragma once

/* The device's side of one split virtqueue (virtio 1.2, section 2.7), with VIRTIO_F_EVENT_IDX and
 * VIRTIO_F_INDIRECT_DESC. Buffers are used in the order in which they came. Everything the guest
 * wrote is copied once and checked on the copy; what does not hold breaks the queue for good. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vhost/memory.h"

enum { VIRTQUEUE_SIZE_MAX = 1024 }; /* buffers, also QEMU's own limit */

struct vring_desc;
struct vring_avail;
struct vring_used;

typedef struct VirtQueue {
        const Memory *memory; /* borrowed */
        bool for_reading;     /* the device reads from its buffers; otherwise it writes to them */
        bool event_idx;       /* both as negotiated */
        bool indirect;
        uint32_t size;          /* number of buffers, a power of two */
        const uint8_t *table;   /* of descriptors; NULL as long as the queue is nowhere */
        struct vring_avail *avail;
        struct vring_used *used;
        uint16_t next;     /* free-running: the next buffer to take ... */
        uint16_t returned; /* ... and the next to give back */
        uint16_t notified; /* @returned when the guest was last considered for a notification */
        const char *error; /* what broke it, for the log */
} VirtQueue;

/* Where the three parts of a queue are, in the front end's addresses. */
typedef struct VirtQueueAddress {
        uint64_t table;
        uint64_t avail;
        uint64_t used;
} VirtQueueAddress;

/* One buffer: a chain of descriptors, as pieces of memory. */
typedef struct VirtQueueBuffer {
        uint16_t head;
        size_t n;      /* pieces */
        size_t length; /* bytes in all of them */
} VirtQueueBuffer;

/* Looks the queue's parts up in @memory, which must outlive them or be given anew. Returns 0,
 * -EINVAL for a misaligned part, or -EFAULT for one that does not lie in one region. */
int virtqueue_place(VirtQueue *queue, const Memory *memory, const VirtQueueAddress *address);

/* Starts at buffer number @next, as GET_VRING_BASE once said. */
void virtqueue_start(VirtQueue *queue, uint16_t next);

/* Takes the next buffer and writes its pieces to @pieces, which has room for @queue->size. Returns
 * 1, 0 if there is none, or -EBADMSG for a broken queue. */
int virtqueue_pop(VirtQueue *queue, struct iovec *pieces, VirtQueueBuffer *ret);

/* Puts back the last @n buffers that were taken. */
void virtqueue_unpop(VirtQueue *queue, uint16_t n);

/* Gives the first buffer that is out, @head, back with @n bytes written to it. */
void virtqueue_push(VirtQueue *queue, uint16_t head, uint32_t n);

/* Asks the guest to kick when it adds a buffer. Returns true if it already has, so that none is
 * missed. */
bool virtqueue_arm(VirtQueue *queue);

/* Is the guest to be notified of the buffers given back since the last call? */
bool virtqueue_needs_notify(VirtQueue *queue);
