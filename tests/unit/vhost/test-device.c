/* What a guest and host programs see of the device, with the real program behind a stand-in for
 * QEMU. */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vhost/credit.h"
#include "vhost/front-end.h"
#include "vhost/streams.h"

enum {
        PORT = 10240,
        BULK = 8 * 1024 * 1024,
        SHUTDOWN_BOTH = VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND,
};

static void test_guest_connects(void **state)
{
        GuestStream s;
        char bytes[8];
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = guest_connect(&f, &s, 1000, PORT);
        guest_send_data(&f, &s, "hello", 5);
        host_read(fd, bytes, 5);
        assert_memory_equal(bytes, "hello", 5);
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_SHUTDOWN, SHUTDOWN_BOTH);
        guest_expect(&f, &s, VIRTIO_VSOCK_OP_RST);
        host_expect_eof(fd);
        close(fd);
        assert_int_equal(front_end_kill(&f), 0);
}

static void test_host_connects(void **state)
{
        uint8_t payload[RX_BUFFER_SIZE];
        GuestStream s;
        Packet packet;
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = host_connect(&f, &s, 1024);
        host_write(fd, "hello", 5);
        guest_receive(&f, &packet, payload);
        assert_int_equal(packet.op, VIRTIO_VSOCK_OP_RW);
        assert_int_equal(packet.length, 5);
        assert_memory_equal(payload, "hello", 5);
        close(fd);
        packet = guest_expect(&f, &s, VIRTIO_VSOCK_OP_SHUTDOWN);
        assert_int_equal(packet.flags, SHUTDOWN_BOTH);
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_RST, 0);
        guest_expect_silence(&f);
        assert_int_equal(front_end_kill(&f), 0);
}

/* Bytes for the guest behind the CONNECT line are not swallowed with it. */
static void test_host_speaks_at_once(void **state)
{
        static const char words[] = "CONNECT 1024\nhello";
        uint8_t payload[RX_BUFFER_SIZE];
        GuestStream s;
        Packet packet;
        char line[32];
        FrontEnd f;
        int fd, n;

        front_end_boot(&f);
        fd = host_dial(&f);
        host_write(fd, words, 5);
        host_write(fd, words + 5, strlen(words) - 5);
        guest_receive(&f, &packet, payload);
        assert_int_equal(packet.op, VIRTIO_VSOCK_OP_REQUEST);
        s = (GuestStream){.guest_port = packet.dst_port, .host_port = packet.src_port};
        guest_expect_silence(&f);
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_RESPONSE, 0);
        guest_receive(&f, &packet, payload);
        assert_int_equal(packet.op, VIRTIO_VSOCK_OP_RW);
        assert_int_equal(packet.length, 5);
        assert_memory_equal(payload, "hello", 5);
        n = snprintf(line, sizeof(line), "OK %u\n", s.host_port);
        host_read(fd, payload, (size_t)n);
        assert_memory_equal(payload, line, (size_t)n);
        close(fd);
        assert_int_equal(front_end_kill(&f), 0);
}

static void test_host_speaks_nonsense(void **state)
{
        static const char *const lines[] = {
                "CONNECT\n", "CONNECT \n", "CONNECT 4294967296\n", "connect 1\n", "CONNECT 1 \n",
                "CONNECT 1\r\n", "CONNECT 111111111111111111111111111", "\n", "GET / HTTP/1.1\r\n",
        };
        FrontEnd f;

        front_end_boot(&f);
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                int fd = host_dial(&f);
                char byte;

                host_write(fd, lines[i], strlen(lines[i]));
                for (ssize_t n = -1; n < 0;) {
                        struct pollfd p = {.fd = fd, .events = POLLIN};

                        assert_int_equal(poll(&p, 1, WAIT_MSEC), 1);
                        n = read(fd, &byte, 1);
                        assert_true(n == 0 || errno == ECONNRESET || errno == EAGAIN);
                        if (n < 0 && errno == ECONNRESET)
                                break;
                }
                close(fd);
        }
        guest_expect_silence(&f);
        assert_int_equal(front_end_kill(&f), 0);
}

static void test_guest_refuses(void **state)
{
        uint8_t payload[RX_BUFFER_SIZE];
        GuestStream s;
        Packet packet;
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = host_dial(&f);
        host_write(fd, "CONNECT 99\n", 11);
        guest_receive(&f, &packet, payload);
        s = (GuestStream){.guest_port = 99, .host_port = packet.src_port};
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_RST, 0);
        host_expect_eof(fd);
        close(fd);
        assert_int_equal(front_end_kill(&f), 0);
}

static void test_nobody_listens(void **state)
{
        GuestStream s = {.guest_port = 1000, .host_port = PORT};
        FrontEnd f;

        front_end_boot(&f);
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_REQUEST, 0); /* no file */
        guest_expect(&f, &s, VIRTIO_VSOCK_OP_RST);
        close(host_listen(&f, PORT));
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_REQUEST, 0); /* a file left behind */
        guest_expect(&f, &s, VIRTIO_VSOCK_OP_RST);
        assert_int_equal(front_end_kill(&f), 0);
}

static void test_packets_without_connection(void **state)
{
        static const uint16_t ops[] = {
                VIRTIO_VSOCK_OP_INVALID,       VIRTIO_VSOCK_OP_RESPONSE,
                VIRTIO_VSOCK_OP_SHUTDOWN,      VIRTIO_VSOCK_OP_RW,
                VIRTIO_VSOCK_OP_CREDIT_UPDATE, VIRTIO_VSOCK_OP_CREDIT_REQUEST,
                PACKET_OPS,                    UINT16_MAX,
        };
        GuestStream s = {.guest_port = 1, .host_port = 2};
        FrontEnd f;

        front_end_boot(&f);
        for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
                guest_send_op(&f, &s, ops[i], 0);
                guest_expect(&f, &s, VIRTIO_VSOCK_OP_RST);
        }
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_RST, 0); /* never answered */
        guest_expect_silence(&f);
        assert_int_equal(front_end_kill(&f), 0);
}

static void test_wrong_addresses(void **state)
{
        uint8_t payload[RX_BUFFER_SIZE];
        Packet packet = {
                .src_cid = GUEST_CID + 1,
                .dst_cid = 2,
                .src_port = 1,
                .dst_port = PORT,
                .type = VIRTIO_VSOCK_TYPE_STREAM,
                .op = VIRTIO_VSOCK_OP_REQUEST,
        };
        int listener;
        FrontEnd f;

        front_end_boot(&f);
        listener = host_listen(&f, PORT);
        guest_send(&f, &packet, NULL); /* not from this guest: dropped */
        guest_expect_silence(&f);

        packet.src_cid = GUEST_CID;
        packet.dst_cid = 77; /* to another guest: refused in that one's name */
        guest_send(&f, &packet, NULL);
        guest_receive(&f, &packet, payload);
        assert_int_equal(packet.op, VIRTIO_VSOCK_OP_RST);
        assert_int_equal(packet.src_cid, 77);
        assert_int_equal(packet.src_port, PORT);

        packet = (Packet){
                .src_cid = GUEST_CID,
                .dst_cid = 2,
                .src_port = 1,
                .dst_port = PORT,
                .type = VIRTIO_VSOCK_TYPE_SEQPACKET,
                .op = VIRTIO_VSOCK_OP_REQUEST,
        };
        guest_send(&f, &packet, NULL);
        guest_receive(&f, &packet, payload);
        assert_int_equal(packet.op, VIRTIO_VSOCK_OP_RST);
        assert_int_equal(packet.type, VIRTIO_VSOCK_TYPE_SEQPACKET);
        close(listener);
        assert_int_equal(front_end_kill(&f), 0);
}

/* What breaks the protocol of a stream ends that stream, for both. */
static void test_protocol_errors(void **state)
{
        static const uint16_t ops[] = {
                VIRTIO_VSOCK_OP_REQUEST,
                VIRTIO_VSOCK_OP_RESPONSE,
                VIRTIO_VSOCK_OP_INVALID,
                PACKET_OPS,
        };
        GuestStream s, other;
        FrontEnd f;
        int fd, fd2;

        front_end_boot(&f);
        fd2 = guest_connect(&f, &other, 999, PORT);
        for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
                fd = guest_connect(&f, &s, 1000, PORT);
                guest_send_op(&f, &s, ops[i], 0);
                guest_expect(&f, &s, VIRTIO_VSOCK_OP_RST);
                host_expect_eof(fd);
                close(fd);
        }
        fd = guest_connect(&f, &s, 1000, PORT); /* data after the end of data */
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_SEND);
        host_expect_eof(fd);
        guest_send_data(&f, &s, "x", 1);
        guest_expect(&f, &s, VIRTIO_VSOCK_OP_RST);
        close(fd);

        guest_send_data(&f, &other, "x", 1); /* the others live */
        host_read(fd2, &(char){0}, 1);
        close(fd2);
        assert_int_equal(front_end_kill(&f), 0);
}

static void test_guest_half_closes(void **state)
{
        uint8_t payload[RX_BUFFER_SIZE];
        GuestStream s;
        Packet packet;
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = guest_connect(&f, &s, 1000, PORT);
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_SEND);
        host_expect_eof(fd);
        host_write(fd, "answer", 6);
        guest_receive(&f, &packet, payload);
        assert_int_equal(packet.op, VIRTIO_VSOCK_OP_RW);
        assert_memory_equal(payload, "answer", 6);
        close(fd);
        packet = guest_expect(&f, &s, VIRTIO_VSOCK_OP_SHUTDOWN);
        assert_int_equal(packet.flags, SHUTDOWN_BOTH);
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_SHUTDOWN, SHUTDOWN_BOTH);
        guest_expect(&f, &s, VIRTIO_VSOCK_OP_RST);
        assert_int_equal(front_end_kill(&f), 0);
}

static void test_guest_stops_reading(void **state)
{
        GuestStream s;
        char bytes[8];
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = guest_connect(&f, &s, 1000, PORT);
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_RCV);
        guest_wait_taken(&f);
        assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
        assert_int_equal(errno, EPIPE);
        guest_send_data(&f, &s, "more", 4);
        host_read(fd, bytes, 4);
        close(fd);
        guest_expect(&f, &s, VIRTIO_VSOCK_OP_SHUTDOWN);
        assert_int_equal(front_end_kill(&f), 0);
}

static void test_host_half_closes(void **state)
{
        GuestStream s;
        Packet packet;
        char bytes[8];
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = host_connect(&f, &s, 1024);
        host_write(fd, "question", 8);
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        packet = guest_expect(&f, &s, VIRTIO_VSOCK_OP_RW);
        assert_int_equal(packet.length, 8);
        packet = guest_expect(&f, &s, VIRTIO_VSOCK_OP_SHUTDOWN);
        assert_int_equal(packet.flags, VIRTIO_VSOCK_SHUTDOWN_SEND);
        guest_send_data(&f, &s, "answer", 6);
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_SHUTDOWN, SHUTDOWN_BOTH);
        guest_expect(&f, &s, VIRTIO_VSOCK_OP_RST);
        host_read(fd, bytes, 6);
        host_expect_eof(fd);
        close(fd);
        assert_int_equal(front_end_kill(&f), 0);
}

static void test_host_stops_reading(void **state)
{
        GuestStream s;
        Packet packet;
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = host_connect(&f, &s, 1024);
        assert_int_equal(shutdown(fd, SHUT_RD), 0);
        guest_send_data(&f, &s, "x", 1);
        packet = guest_expect(&f, &s, VIRTIO_VSOCK_OP_SHUTDOWN);
        assert_int_equal(packet.flags, VIRTIO_VSOCK_SHUTDOWN_RCV);
        host_write(fd, "still", 5);
        packet = guest_expect(&f, &s, VIRTIO_VSOCK_OP_RW);
        assert_int_equal(packet.length, 5);
        close(fd);
        guest_expect(&f, &s, VIRTIO_VSOCK_OP_SHUTDOWN);
        assert_int_equal(front_end_kill(&f), 0);
}

/* The peer closes with bytes unread, and more of them waiting: what it has said itself still
 * arrives. */
static void test_host_closes_early(void **state)
{
        uint8_t payload[RX_BUFFER_SIZE];
        bool answered = false;
        GuestStream s;
        Packet packet;
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = guest_connect(&f, &s, 1000, PORT);
        guest_stuff(&f, &s);
        host_write(fd, "no", 2);
        close(fd);
        do {
                guest_receive(&f, &packet, payload);
                assert_int_not_equal(packet.op, VIRTIO_VSOCK_OP_RST);
                answered = answered || packet.op == VIRTIO_VSOCK_OP_RW;
        } while (packet.op != VIRTIO_VSOCK_OP_SHUTDOWN || packet.flags != SHUTDOWN_BOTH);
        assert_true(answered);
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_RST, 0);
        assert_int_equal(front_end_kill(&f), 0);
}

static void test_guest_resets(void **state)
{
        uint8_t bytes[16 * 1024];
        GuestStream s;
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = guest_connect(&f, &s, 1000, PORT);
        guest_stuff(&f, &s);
        while (guest_room(&s) > 0) { /* so much that the socket cannot take the rest at once */
                pattern_fill(bytes, sizeof(bytes), s.sent);
                guest_send_data(&f, &s, bytes, sizeof(bytes));
        }
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_RST, 0);
        for (size_t i = 0; i < s.sent; i += sizeof(bytes)) {
                /* What it had sent arrives, piece by piece, and it hears nothing of that. */
                host_read(fd, bytes, sizeof(bytes));
                pattern_check(bytes, sizeof(bytes), i);
                guest_expect_silence(&f);
        }
        host_expect_eof(fd);
        close(fd);
        assert_int_equal(front_end_kill(&f), 0);
}

/* Sends and takes as much as it can at the moment. */
typedef struct Echo {
        size_t sent, received;
} Echo;

static void echo_host(int fd, Echo *echo)
{
        uint8_t bytes[65536];
        ssize_t n;

        if (echo->sent < BULK) {
                pattern_fill(bytes, sizeof(bytes), echo->sent);
                n = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
                echo->sent += n > 0 ? (size_t)n : 0;
        }
        n = read(fd, bytes, sizeof(bytes));
        if (n > 0) {
                pattern_check(bytes, (size_t)n, echo->received);
                echo->received += (size_t)n;
        }
}

static void echo_guest(FrontEnd *f, GuestStream *s, Echo *echo)
{
        static uint8_t bytes[65536];
        uint8_t payload[RX_BUFFER_SIZE];
        Packet packet;
        size_t n = guest_room(s);

        if (n > sizeof(bytes))
                n = sizeof(bytes);
        if (n > BULK - echo->sent)
                n = BULK - echo->sent;
        if (n > 0 && guest_can_send(f)) {
                pattern_fill(bytes, n, echo->sent);
                guest_send_data(f, s, bytes, n);
                echo->sent += n;
        }
        for (int i = 0; i < f->ring_size && guest_poll(f, &packet, payload); i++) {
                guest_learn(s, &packet);
                if (packet.op == VIRTIO_VSOCK_OP_CREDIT_REQUEST)
                        guest_send_op(f, s, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
                if (packet.op != VIRTIO_VSOCK_OP_RW)
                        continue;
                pattern_check(payload, packet.length, echo->received);
                echo->received += packet.length;
                s->read += packet.length;
                if (s->read % (128 * 1024) < packet.length)
                        guest_send_op(f, s, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
        }
}

/* Many MiB in both directions at once, through every kind of backpressure. */
static void bulk(uint16_t ring_size, uint64_t without_feature)
{
        Echo host = {0}, guest = {0};
        struct pollfd polls[2];
        GuestStream s;
        FrontEnd f;
        int fd;

        front_end_spawn(&f);
        f.ring_size = ring_size;
        front_end_start(&f);
        if (without_feature) {
                uint16_t base[QUEUES];

                front_end_stop(&f, base);
                f.features &= ~without_feature;
                front_end_restart(&f, base);
        }
        fd = host_connect(&f, &s, 1024);
        while (host.received < BULK || guest.received < BULK) {
                uint64_t calls;

                echo_host(fd, &host);
                echo_guest(&f, &s, &guest);
                polls[0] = (struct pollfd){.fd = fd, .events = POLLIN};
                polls[1] = (struct pollfd){.fd = f.queues[QUEUE_TO_GUEST].call, .events = POLLIN};
                if (host.sent < BULK)
                        polls[0].events |= POLLOUT;
                f.queues[0].avail->ring[f.ring_size] = f.queues[0].seen_used;
                /* Short, since a used transmit buffer does not notify here. */
                assert_true(poll(polls, 2, 10) >= 0);
                (void)!read(polls[1].fd, &calls, sizeof(calls));
        }
        close(fd);
        assert_int_equal(front_end_kill(&f), 0);
}

static void test_bulk(void **state)
{
        bulk(RING_SIZE, 0);
}

static void test_bulk_without_event_index(void **state)
{
        bulk(RING_SIZE, UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX);
}

static void test_bulk_through_large_queues(void **state)
{
        bulk(RING_SIZE_MAX, 0);
}

/* A Unix peer that does not read: the guest gets its credit and not a byte more. */
static void test_backpressure(void **state)
{
        static uint8_t bytes[65536];
        size_t sent = 0, received = 0;
        GuestStream s;
        Packet packet;
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = guest_connect(&f, &s, 1000, PORT);
        for (;;) {
                uint8_t payload[RX_BUFFER_SIZE];
                size_t n = guest_room(&s) < sizeof(bytes) ? guest_room(&s) : sizeof(bytes);

                if (n == 0) {
                        /* Asking does not help either. */
                        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0);
                        packet = guest_expect(&f, &s, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
                        guest_learn(&s, &packet);
                        if (guest_room(&s) == 0)
                                break;
                        continue;
                }
                pattern_fill(bytes, n, sent);
                guest_send_data(&f, &s, bytes, n);
                sent += n;
                guest_wait_taken(&f);
                while (guest_poll(&f, &packet, payload))
                        guest_learn(&s, &packet);
                assert_true(sent < 16 * CREDIT_BUFFER);
        }
        assert_true(sent - s.peer_forwarded == CREDIT_BUFFER);
        while (received < sent) {
                size_t n = sent - received < sizeof(bytes) ? sent - received : sizeof(bytes);

                host_read(fd, bytes, n);
                pattern_check(bytes, n, received);
                received += n;
        }
        packet = guest_expect(&f, &s, VIRTIO_VSOCK_OP_CREDIT_UPDATE); /* now it may go on */
        guest_learn(&s, &packet);
        assert_true(guest_room(&s) > 0);
        close(fd);
        assert_int_equal(front_end_kill(&f), 0);
}

static void test_guest_exceeds_credit(void **state)
{
        static uint8_t bytes[65536];
        uint8_t payload[RX_BUFFER_SIZE];
        GuestStream s;
        Packet packet;
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = guest_connect(&f, &s, 1000, PORT);
        do { /* without a look at the credit */
                guest_send_data(&f, &s, bytes, sizeof(bytes));
                guest_wait_taken(&f);
                packet.op = 0;
                while (packet.op != VIRTIO_VSOCK_OP_RST && guest_poll(&f, &packet, payload))
                        ;
                assert_true(s.sent < 16 * CREDIT_BUFFER);
        } while (packet.op != VIRTIO_VSOCK_OP_RST);
        close(fd);
        assert_int_equal(front_end_kill(&f), 0);
}

/* A guest that does not read: its buffer is filled, one CREDIT_REQUEST is sent, then nothing. */
static void test_guest_without_room(void **state)
{
        uint8_t payload[RX_BUFFER_SIZE];
        static uint8_t bytes[20000];
        GuestStream s;
        Packet packet;
        size_t got = 0;
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        f.buf_alloc = 10000;
        fd = host_connect(&f, &s, 1024);
        pattern_fill(bytes, sizeof(bytes), 0);
        host_write(fd, bytes, sizeof(bytes));
        while (got < 10000) {
                guest_receive(&f, &packet, payload);
                assert_int_equal(packet.op, VIRTIO_VSOCK_OP_RW);
                pattern_check(payload, packet.length, got);
                got += packet.length;
        }
        assert_int_equal(got, 10000);
        guest_expect(&f, &s, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0); /* still no room */
        s.read = UINT32_MAX;                                      /* a lie: more than it got */
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
        guest_expect_silence(&f);
        s.read = (uint32_t)got;
        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
        while (got < sizeof(bytes)) {
                guest_receive(&f, &packet, payload);
                assert_int_equal(packet.op, VIRTIO_VSOCK_OP_RW);
                pattern_check(payload, packet.length, got);
                got += packet.length;
        }
        close(fd);
        assert_int_equal(front_end_kill(&f), 0);
}

/* Answers that find no buffer wait, and the guest's packets with them: nothing grows, all is
 * answered. */
static void without_buffers(uint16_t ring_size)
{
        enum { PACKETS = 4000 };
        GuestStream s = {.host_port = 5};
        uint8_t payload[RX_BUFFER_SIZE];
        unsigned sent = 0;
        Packet packet;
        FrontEnd f;

        front_end_spawn(&f);
        f.ring_size = ring_size;
        front_end_start(&f);
        for (unsigned i = 0; i < PACKETS; i++) {
                for (; sent < PACKETS && guest_can_send(&f); sent++) {
                        s.guest_port = sent;
                        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_RW, 0);
                }
                guest_receive(&f, &packet, payload);
                assert_int_equal(packet.op, VIRTIO_VSOCK_OP_RST);
                assert_int_equal(packet.dst_port, i);
        }
        assert_int_equal(front_end_kill(&f), 0);
}

static void test_guest_without_buffers(void **state)
{
        without_buffers(RING_SIZE);
        without_buffers(RING_SIZE_MAX);
}

/* The VM is killed with its last bytes in the queue and in our buffer: they arrive, then EOF. */
static void test_death_with_data_in_flight(void **state)
{
        static uint8_t bytes[65536];
        size_t received = 0;
        GuestStream s;
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = guest_connect(&f, &s, 1000, PORT);
        guest_stuff(&f, &s);
        guest_expect_rest(&f);
        assert_true(guest_room(&s) >= 1000);
        pattern_fill(bytes, 1000, s.sent);
        guest_submit_data(&f, &s, bytes, 1000); /* it dies before it can kick */
        close(f.socket);
        f.socket = -EBADF;
        while (received < s.sent) {
                size_t n = s.sent - received < sizeof(bytes) ? s.sent - received : sizeof(bytes);

                host_read(fd, bytes, n);
                pattern_check(bytes, n, received);
                received += n;
        }
        host_expect_eof(fd);
        close(fd);
        assert_int_equal(front_end_wait(&f), 0);
}

static void test_pause(void **state)
{
        uint16_t base[QUEUES];
        GuestStream s;
        Packet packet;
        char bytes[8];
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = host_connect(&f, &s, 1024);
        front_end_stop(&f, base);
        assert_int_equal(base[QUEUE_FROM_GUEST], f.queues[QUEUE_FROM_GUEST].next_avail);
        host_write(fd, "during", 6);
        front_end_restart(&f, base);
        packet = guest_expect(&f, &s, VIRTIO_VSOCK_OP_RW);
        assert_int_equal(packet.length, 6);
        guest_send_data(&f, &s, "after", 5);
        host_read(fd, bytes, 5);
        close(fd);
        assert_int_equal(front_end_kill(&f), 0);
}

/* After a reset of the guest nothing of the time before is left. */
static void test_guest_reboots(void **state)
{
        static const uint16_t zero[QUEUES];
        uint16_t base[QUEUES];
        char bytes[8];
        GuestStream s;
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = host_connect(&f, &s, 1024);
        guest_expect_rest(&f);
        guest_submit_data(&f, &s, "last", 4); /* it is off before it can kick */
        front_end_stop(&f, base);
        for (unsigned i = 0; i < QUEUES; i++) {
                memset(f.queues[i].avail, 0, 4);
                memset(f.queues[i].used, 0, 4);
                f.queues[i].next_avail = f.queues[i].seen_used = 0;
        }
        for (uint16_t i = 0; i < RING_SIZE; i++)
                guest_make_available(&f, QUEUE_TO_GUEST, i);
        front_end_restart(&f, zero);
        host_read(fd, bytes, 4);
        host_expect_eof(fd);
        close(fd);
        guest_send_data(&f, &s, "?", 1);
        guest_expect(&f, &s, VIRTIO_VSOCK_OP_RST);
        fd = host_connect(&f, &s, 1024);
        close(fd);
        assert_int_equal(front_end_kill(&f), 0);
}

/* As many as are allowed. One more is refused to the guest and kept waiting on the host. */
static void test_many_connections(void **state)
{
        static GuestStream streams[STREAMS_MAX];
        static int fds[STREAMS_MAX];
        GuestStream more = {.guest_port = 5, .host_port = PORT};
        uint8_t payload[RX_BUFFER_SIZE];
        struct rlimit limit;
        Packet packet;
        FrontEnd f;
        int host;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = limit.rlim_max; /* for this side of them */
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        front_end_boot(&f);
        for (unsigned i = 0; i < STREAMS_MAX; i++)
                fds[i] = guest_connect(&f, &streams[i], 1000 + i, PORT);
        close(host_listen(&f, PORT));
        guest_send_op(&f, &more, VIRTIO_VSOCK_OP_REQUEST, 0);
        guest_expect(&f, &more, VIRTIO_VSOCK_OP_RST);
        host = host_dial(&f);
        host_write(host, "CONNECT 7\n", 10);
        guest_expect_silence(&f);
        for (unsigned i = 0; i < STREAMS_MAX; i++) {
                uint8_t byte = (uint8_t)i, got;

                guest_send_data(&f, &streams[i], &byte, 1);
                host_read(fds[i], &got, 1);
                assert_int_equal(got, byte);
        }
        close(fds[0]);
        guest_expect(&f, &streams[0], VIRTIO_VSOCK_OP_SHUTDOWN);
        guest_send_op(&f, &streams[0], VIRTIO_VSOCK_OP_RST, 0);
        guest_receive(&f, &packet, payload);
        assert_int_equal(packet.op, VIRTIO_VSOCK_OP_REQUEST);
        assert_int_equal(packet.dst_port, 7);
        close(host);
        for (unsigned i = 1; i < STREAMS_MAX; i++)
                close(fds[i]);
        assert_int_equal(front_end_kill(&f), 0);
}

/* Whatever number of host programs come, they wait for their turn and none is lost. */
static void test_many_hosts(void **state)
{
        enum { PEERS = 64 };
        GuestStream streams[PEERS];
        int fds[PEERS];
        FrontEnd f;

        front_end_boot(&f);
        for (unsigned i = 0; i < PEERS; i++)
                fds[i] = host_connect(&f, &streams[i], 1024);
        for (unsigned i = 0; i < PEERS; i++)
                for (unsigned k = 0; k < i; k++)
                        assert_true(streams[i].host_port != streams[k].host_port);
        for (unsigned i = 0; i < PEERS; i++)
                close(fds[i]);
        assert_int_equal(front_end_kill(&f), 0);
}

static void test_terminated(void **state)
{
        GuestStream s;
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = host_connect(&f, &s, 1024);
        assert_int_equal(kill(f.pid, SIGTERM), 0);
        host_expect_eof(fd);
        close(fd);
        assert_int_equal(front_end_wait(&f), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_guest_connects),
                UNIT_TEST(test_host_connects),
                UNIT_TEST(test_host_speaks_at_once),
                UNIT_TEST(test_host_speaks_nonsense),
                UNIT_TEST(test_guest_refuses),
                UNIT_TEST(test_nobody_listens),
                UNIT_TEST(test_packets_without_connection),
                UNIT_TEST(test_wrong_addresses),
                UNIT_TEST(test_protocol_errors),
                UNIT_TEST(test_guest_half_closes),
                UNIT_TEST(test_guest_stops_reading),
                UNIT_TEST(test_host_half_closes),
                UNIT_TEST(test_host_stops_reading),
                UNIT_TEST(test_host_closes_early),
                UNIT_TEST(test_guest_resets),
                UNIT_TEST(test_bulk),
                UNIT_TEST(test_bulk_without_event_index),
                UNIT_TEST(test_bulk_through_large_queues),
                UNIT_TEST(test_backpressure),
                UNIT_TEST(test_guest_exceeds_credit),
                UNIT_TEST(test_guest_without_room),
                UNIT_TEST(test_guest_without_buffers),
                UNIT_TEST(test_death_with_data_in_flight),
                UNIT_TEST(test_pause),
                UNIT_TEST(test_guest_reboots),
                UNIT_TEST(test_many_connections),
                UNIT_TEST(test_many_hosts),
                UNIT_TEST(test_terminated),
        };

        return RUN_TESTS(tests);
}
