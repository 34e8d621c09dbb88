/* The packet header of a virtio socket device, to and from its 44 bytes. */

#include "vhost/packet.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

static_assert(sizeof(struct virtio_vsock_hdr) == PACKET_HEADER_SIZE, "the wire format is packed");

int packet_parse(const uint8_t *data, size_t n, Packet *ret)
{
        struct virtio_vsock_hdr header;

        if (n < sizeof(header))
                return -EBADMSG;
        memcpy(&header, data, sizeof(header));
        *ret = (Packet){
                .src_cid = le64toh(header.src_cid),
                .dst_cid = le64toh(header.dst_cid),
                .src_port = le32toh(header.src_port),
                .dst_port = le32toh(header.dst_port),
                .length = le32toh(header.len),
                .type = le16toh(header.type),
                .op = le16toh(header.op),
                .flags = le32toh(header.flags),
                .buf_alloc = le32toh(header.buf_alloc),
                .fwd_cnt = le32toh(header.fwd_cnt),
        };
        return 0;
}

void packet_format(const Packet *packet, uint8_t ret[static PACKET_HEADER_SIZE])
{
        struct virtio_vsock_hdr header = {
                .src_cid = htole64(packet->src_cid),
                .dst_cid = htole64(packet->dst_cid),
                .src_port = htole32(packet->src_port),
                .dst_port = htole32(packet->dst_port),
                .len = htole32(packet->length),
                .type = htole16(packet->type),
                .op = htole16(packet->op),
                .flags = htole32(packet->flags),
                .buf_alloc = htole32(packet->buf_alloc),
                .fwd_cnt = htole32(packet->fwd_cnt),
        };

        memcpy(ret, &header, sizeof(header));
}
