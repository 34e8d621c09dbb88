#include "test.h"

#include <errno.h>

#include "vhost/packet.h"

/* A packet as Linux 6.1 sent it, and what is in it. */
static const uint8_t bytes[PACKET_HEADER_SIZE] = {
        0x2a, 0, 0, 0, 0, 0, 0, 0,                      /* src_cid */
        0x02, 0, 0, 0, 0, 0, 0, 0x80,                   /* dst_cid */
        0x78, 0x56, 0x34, 0x12, 0x00, 0x28, 0x00, 0x00, /* ports */
        0x05, 0, 0, 0,                                  /* length */
        0x01, 0, 0x05, 0,                               /* type, op */
        0x03, 0, 0, 0,                                  /* flags */
        0x00, 0x00, 0x04, 0x00, 0xff, 0xff, 0xff, 0xff, /* buf_alloc, fwd_cnt */
};

static void test_parse(void **state)
{
        Packet packet;

        assert_int_equal(packet_parse(bytes, sizeof(bytes), &packet), 0);
        assert_int_equal(packet.src_cid, 42);
        assert_true(packet.dst_cid == UINT64_C(0x8000000000000002));
        assert_int_equal(packet.src_port, 0x12345678);
        assert_int_equal(packet.dst_port, 10240);
        assert_int_equal(packet.length, 5);
        assert_int_equal(packet.type, VIRTIO_VSOCK_TYPE_STREAM);
        assert_int_equal(packet.op, VIRTIO_VSOCK_OP_RW);
        assert_int_equal(packet.flags, 3);
        assert_int_equal(packet.buf_alloc, 256 * 1024);
        assert_int_equal(packet.fwd_cnt, UINT32_MAX);
}

static void test_short(void **state)
{
        Packet packet;

        for (size_t n = 0; n < sizeof(bytes); n++)
                assert_int_equal(packet_parse(bytes, n, &packet), -EBADMSG);
}

static void test_round_trip(void **state)
{
        uint8_t again[PACKET_HEADER_SIZE];
        Packet packet;

        assert_int_equal(packet_parse(bytes, sizeof(bytes), &packet), 0);
        packet_format(&packet, again);
        assert_memory_equal(again, bytes, sizeof(bytes));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_parse),
                UNIT_TEST(test_short),
                UNIT_TEST(test_round_trip),
        };

        return RUN_TESTS(tests);
}
