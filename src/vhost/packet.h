#pragma once

/* The packet header of a virtio socket device (virtio 1.2, section 5.10.6): 44 bytes,
 * little-endian, in front of the payload. The numbers are the kernel's, from
 * linux/virtio_vsock.h. */

#include <stddef.h>
#include <stdint.h>
#include <linux/virtio_vsock.h>

enum {
        PACKET_HEADER_SIZE = 44,
        PACKET_OPS = VIRTIO_VSOCK_OP_CREDIT_REQUEST + 1, /* for tables with an entry for each */
};

typedef struct Packet {
        uint64_t src_cid;
        uint64_t dst_cid;
        uint32_t src_port;
        uint32_t dst_port;
        uint32_t length; /* of the payload, in bytes */
        uint16_t type;   /* VIRTIO_VSOCK_TYPE_STREAM and others */
        uint16_t op;     /* VIRTIO_VSOCK_OP_*, or a number that has no name yet */
        uint32_t flags;
        uint32_t buf_alloc; /* how many bytes the sender has room for ... */
        uint32_t fwd_cnt;   /* ... and how many have left that room since the connection began */
} Packet;

/* Returns 0, or -EBADMSG for fewer bytes than a header has. Looks at no field. */
int packet_parse(const uint8_t *data, size_t n, Packet *ret);

void packet_format(const Packet *packet, uint8_t ret[static PACKET_HEADER_SIZE]);
