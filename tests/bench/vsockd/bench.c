/* How fast rootspan-vsockd moves bytes, without a VM: the guest is a stand-in that fills and
 * empties its queues as fast as it can, and the Unix peer is a process of its own.
 *
 *   ROOTSPAN_VSOCKD=PROGRAM bench-vsockd [MIB]
 * / */

#include "test.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "vhost/front-end.h"

enum {
        WRITE = 64 * 1024,
        GUEST_PORT = 1024,
        HOST_PORT = 10240,
        ROUND_TRIPS = 20000,
};

static uint8_t bytes[WRITE];

/* Starts @role in a process that has nothing but @fd: least of all the front end's socket, which
 * would outlive the front end. */
static pid_t fork_peer(int fd, void (*role)(int fd, size_t n), size_t n)
{
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                if (dup2(fd, 3) != 3 || close_range(4, UINT_MAX, 0) < 0 ||
                    fd_set_nonblock(3, false) < 0)
                        _exit(1);
                role(3, n);
                _exit(0);
        }
        close(fd);
        return pid;
}

static void drain(int fd, size_t n)
{
        while (read(fd, bytes, sizeof(bytes)) > 0)
                ;
}

static void pour(int fd, size_t n)
{
        for (size_t done = 0; done < n; done += WRITE)
                if (send(fd, bytes, WRITE, MSG_NOSIGNAL) != WRITE)
                        _exit(1);
}

static void echo(int fd, size_t n)
{
        ssize_t got;

        while ((got = read(fd, bytes, sizeof(bytes))) > 0)
                if (send(fd, bytes, (size_t)got, MSG_NOSIGNAL) != got)
                        _exit(1);
}

static void report(const char *what, size_t n, nsec_t start)
{
        double seconds = (double)(clock_boottime() - start) / NSEC_PER_SEC;

        printf("%-24s %6.2f GB/s\n", what, (double)n / seconds / 1e9);
}

/* For the next buffer that is used. */
static void ask_for_call(FrontEnd *f, unsigned queue)
{
        f->queues[queue].avail->ring[f->ring_size] = f->queues[queue].seen_used;
}

/* The driver waits in the kernel only when it can do nothing else. */
static void wait_call(FrontEnd *f, unsigned queue)
{
        struct pollfd p = {.fd = f->queues[queue].call, .events = POLLIN};
        uint64_t calls;

        assert_int_equal(poll(&p, 1, WAIT_MSEC), 1);
        assert_int_equal(read(p.fd, &calls, sizeof(calls)), sizeof(calls));
}

static void guest_to_host(size_t n)
{
        uint8_t payload[RX_BUFFER_SIZE];
        size_t done = 0;
        GuestStream s;
        Packet packet;
        nsec_t start;
        FrontEnd f;
        pid_t pid;

        front_end_boot(&f);
        pid = fork_peer(guest_connect(&f, &s, 1000, HOST_PORT), drain, n);
        start = clock_boottime();
        while (done < n) {
                ask_for_call(&f, QUEUE_TO_GUEST);
                while (guest_poll(&f, &packet, payload))
                        guest_learn(&s, &packet);
                if (guest_room(&s) < WRITE) {
                        wait_call(&f, QUEUE_TO_GUEST);
                        continue;
                }
                guest_send_data(&f, &s, NULL, WRITE); /* from memory as it is */
                done += WRITE;
        }
        guest_wait_taken(&f);
        report("guest to host", n, start);
        assert_int_equal(front_end_kill(&f), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void host_to_guest(size_t n)
{
        uint8_t payload[RX_BUFFER_SIZE];
        size_t done = 0;
        uint32_t told = 0;
        GuestStream s;
        Packet packet;
        nsec_t start;
        FrontEnd f;
        pid_t pid;

        front_end_boot(&f);
        pid = fork_peer(host_connect(&f, &s, GUEST_PORT), pour, n);
        start = clock_boottime();
        while (done < n) {
                ask_for_call(&f, QUEUE_TO_GUEST);
                if (!guest_poll(&f, &packet, payload)) {
                        wait_call(&f, QUEUE_TO_GUEST);
                        continue;
                }
                done += packet.length;
                s.read += packet.length;
                if (s.read - told >= 128 * 1024) {
                        guest_send_op(&f, &s, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
                        told = s.read;
                }
        }
        report("host to guest", n, start);
        assert_int_equal(front_end_kill(&f), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void round_trips(void)
{
        GuestStream s;
        nsec_t start;
        FrontEnd f;
        pid_t pid;

        front_end_boot(&f);
        pid = fork_peer(guest_connect(&f, &s, 1000, HOST_PORT), echo, 0);
        start = clock_boottime();
        for (int i = 0; i < ROUND_TRIPS; i++) {
                Packet packet;

                guest_send_data(&f, &s, "x", 1);
                do {
                        packet = guest_expect(&f, &s, VIRTIO_VSOCK_OP_RW);
                } while (packet.length == 0);
                s.read++;
        }
        printf("%-24s %6.1f us\n", "round trip of a byte",
               (double)(clock_boottime() - start) / NSEC_PER_USEC / ROUND_TRIPS);
        assert_int_equal(front_end_kill(&f), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(int argc, char **argv)
{
        size_t n = (size_t)(argc > 1 ? atoi(argv[1]) : 2048) * 1024 * 1024;

        guest_to_host(n);
        host_to_guest(n);
        round_trips();
        return 0;
}
