#pragma once

/* One message of the vhost-user protocol: a 12-byte header, a payload whose form the request says,
 * and file descriptors beside it. Numbers are in the byte order of the machine. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vhost/memory.h"
#include "vhost/virtqueue.h"

enum {
        MESSAGE_HEADER_SIZE = 12,
        MESSAGE_SIZE_MAX = MESSAGE_HEADER_SIZE + 8 + MEMORY_REGIONS_MAX * 32, /* SET_MEM_TABLE */
        MESSAGE_FDS_MAX = MEMORY_REGIONS_MAX,
        MESSAGE_CONFIG_SIZE = 8, /* struct virtio_vsock_config: the guest's CID */
};

/* The queues by their numbers in the protocol. A third, for events, is the front end's own. */
enum {
        QUEUE_TO_GUEST = 0,
        QUEUE_FROM_GUEST = 1,
        QUEUES = 2,
};

/* The requests that a front end can send to us. */
typedef enum Request {
        REQUEST_GET_FEATURES = 1,
        REQUEST_SET_FEATURES = 2,
        REQUEST_SET_OWNER = 3,
        REQUEST_SET_MEM_TABLE = 5,
        REQUEST_SET_VRING_NUM = 8,
        REQUEST_SET_VRING_ADDR = 9,
        REQUEST_SET_VRING_BASE = 10,
        REQUEST_GET_VRING_BASE = 11,
        REQUEST_SET_VRING_KICK = 12,
        REQUEST_SET_VRING_CALL = 13,
        REQUEST_SET_VRING_ERR = 14,
        REQUEST_GET_PROTOCOL_FEATURES = 15,
        REQUEST_SET_PROTOCOL_FEATURES = 16,
        REQUEST_SET_VRING_ENABLE = 18,
        REQUEST_GET_CONFIG = 24,
} Request;

typedef struct Message {
        Request request;
        bool needs_reply; /* the front end waits for an acknowledgement */
        size_t n_fds;     /* how many descriptors belong to it */
        uint32_t queue;   /* of the requests about a queue, below QUEUES */
        union {
                uint64_t u64;   /* features */
                uint32_t value; /* size, base or state of a queue */
                VirtQueueAddress address;
                struct {
                        MemoryRegion regions[MEMORY_REGIONS_MAX];
                        size_t n;
                } memory;
                struct {
                        uint32_t offset; /* offset + size <= MESSAGE_CONFIG_SIZE */
                        uint32_t size;
                        uint32_t flags;
                } config;
        };
} Message;

/* "SET_MEM_TABLE" and so on; NULL for a number that is none of the above. */
const char *request_name(uint32_t request);

/* Reads a header. Returns 0 with the size of the payload to come, which fits MESSAGE_SIZE_MAX, or
 * -EBADMSG. *ret_request is written in either case, for the log; 0 if there were fewer than
 * MESSAGE_HEADER_SIZE bytes. */
int message_parse_header(const uint8_t *data, size_t n, uint32_t *ret_request, size_t *ret_payload);

/* Reads a whole message. Returns 0 or -EBADMSG. */
int message_parse(const uint8_t *data, size_t n, Message *ret);

/* Writes the reply to @request with @n bytes of payload to @ret, which has room for
 * MESSAGE_SIZE_MAX. Returns its size. */
size_t message_format_reply(Request request, const void *payload, size_t n, uint8_t *ret);
