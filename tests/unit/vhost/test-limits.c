/* What does not get on ends by itself, after ten seconds: all of it at the same time here. */

#include "test.h"

#include <sys/socket.h>
#include <unistd.h>

#include "vhost/front-end.h"

enum { SHUTDOWN_BOTH = VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND };

static void test_stuck_connections(void **state)
{
        GuestStream closing, closed, open;
        int silent_fd, unanswered_fd, closing_fd, closed_fd, open_fd;
        uint8_t payload[RX_BUFFER_SIZE];
        bool reset[5] = {false};
        Packet packet;
        FrontEnd f;

        front_end_boot(&f);
        open_fd = guest_connect(&f, &open, 4, 10240);
        closing_fd = guest_connect(&f, &closing, 2, 10240);
        guest_stuff(&f, &closing);
        guest_send_op(&f, &closing, VIRTIO_VSOCK_OP_SHUTDOWN, SHUTDOWN_BOTH);
        closed_fd = guest_connect(&f, &closed, 3, 10240);
        close(closed_fd);
        guest_expect(&f, &closed, VIRTIO_VSOCK_OP_SHUTDOWN);
        unanswered_fd = host_dial(&f);
        host_write(unanswered_fd, "CONNECT 1\n", 10);
        guest_receive(&f, &packet, payload);
        assert_int_equal(packet.op, VIRTIO_VSOCK_OP_REQUEST);
        silent_fd = host_dial(&f);

        for (int i = 0; i < 3; i++) {
                guest_receive(&f, &packet, payload);
                assert_int_equal(packet.op, VIRTIO_VSOCK_OP_RST);
                assert_in_range(packet.dst_port, 1, 3);
                reset[packet.dst_port] = true;
        }
        assert_true(reset[1] && reset[2] && reset[3]);
        host_expect_eof(unanswered_fd);
        host_expect_eof(silent_fd);

        guest_send_data(&f, &open, "x", 1); /* no limit to this one */
        host_read(open_fd, payload, 1);
        close(open_fd);
        close(closing_fd);
        close(unanswered_fd);
        close(silent_fd);
        assert_int_equal(front_end_kill(&f), 0);
}

/* The VM is dead and its last bytes are not read: that does not hold the program for ever. */
static void test_lingering(void **state)
{
        GuestStream s;
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = guest_connect(&f, &s, 1000, 10240);
        guest_stuff(&f, &s);
        assert_int_equal(front_end_kill(&f), 0);
        close(fd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_stuck_connections),
                UNIT_TEST(test_lingering),
        };

        return RUN_TESTS(tests);
}
