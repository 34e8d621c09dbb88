#include "test.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "trace/client.h"
#include "trace/fake-host.h"

/* What else there is to a client the test of the exporter shows. */

#define REQUEST "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static const nsec_t PATIENCE = 20 * NSEC_PER_SEC;
static const nsec_t SHORT = 50 * NSEC_PER_MSEC;

typedef struct Fixture {
        Loop loop;
        FakeHost host;
        Client client;
        LoopTimer guard;
        bool done;
        int error;
        unsigned resets;
} Fixture;

static void on_done(void *owner, int error, const Response *answer)
{
        Fixture *f = owner;

        f->done = true;
        f->error = error;
        loop_stop(&f->loop);
}

static void on_guard(void *owner)
{
        Fixture *f = owner;

        loop_stop(&f->loop);
}

static void fixture_init(Fixture *f, const HostTurn *script, const Address *address)
{
        *f = (Fixture){0};
        assert_int_equal(loop_init(&f->loop), 0);
        loop_add_timer(&f->loop, &f->guard, on_guard, f);
        fake_host_init(&f->host, &f->loop, script);
        fake_host_listen(&f->host);
        client_init(&f->client, &f->loop, address ?: &f->host.address, on_done, f);
}

static void fixture_done(Fixture *f)
{
        client_done(&f->client);
        fake_host_done(&f->host);
        loop_done(&f->loop);
}

static int start(Fixture *f, nsec_t time)
{
        f->done = false;
        return client_send(&f->client, (const uint8_t *)REQUEST, strlen(REQUEST),
                           nsec_add(clock_boottime(), time));
}

/* Runs until the exchange is done, or for @time. */
static void run(Fixture *f, nsec_t time)
{
        f->guard.deadline = nsec_add(clock_boottime(), time);
        f->loop.stopped = false;
        assert_int_equal(loop_run(&f->loop), 0);
}

static void test_no_answer_in_time(void **state)
{
        static const HostTurn script[] = {{HOST_IS_SILENT}, {HOST_ANSWERS, OK}, {0}};
        Fixture f;

        fixture_init(&f, script, NULL);
        assert_int_equal(start(&f, SHORT), 0);
        run(&f, PATIENCE);
        assert_true(f.done);
        assert_int_equal(f.error, -ETIMEDOUT);
        assert_true(f.client.touched);

        /* The connection is not used again: an answer that comes now is to another request. */
        assert_int_equal(start(&f, PATIENCE), 0);
        run(&f, PATIENCE);
        assert_true(f.done);
        assert_int_equal(f.error, 0);
        assert_int_equal(f.host.connections_n, 2);
        fixture_done(&f);
}

static void test_no_connection_in_time(void **state)
{
        static const HostTurn script[] = {{HOST_ANSWERS, OK}, {0}};
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        _cleanup_(fd_closep) int listener = -EBADF, first = -EBADF, second = -EBADF;
        socklen_t n = sizeof(address);
        Address endpoint = {.kind = ADDRESS_INET, .ip = INADDR_LOOPBACK};
        Fixture f;

        /* A listener that does not accept, and whose queue is full. */
        listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(listener, (struct sockaddr *)&address, n), 0);
        assert_int_equal(listen(listener, 0), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &n), 0);
        endpoint.port = ntohs(address.sin_port);
        assert_int_equal(address_connect(&endpoint, &first), 0);
        assert_int_equal(address_connect(&endpoint, &second), 0);

        fixture_init(&f, script, &endpoint);
        assert_int_equal(start(&f, SHORT), 0);
        run(&f, PATIENCE);
        assert_true(f.done);
        assert_int_equal(f.error, -ETIMEDOUT);
        assert_false(f.client.touched);
        fixture_done(&f);
}

static void test_cancel(void **state)
{
        static const HostTurn script[] = {
                {HOST_ANSWERS_LATE, OK}, {HOST_ANSWERS, OK}, {HOST_ANSWERS, OK}, {0}};
        Fixture f;

        fixture_init(&f, script, NULL);
        assert_int_equal(start(&f, PATIENCE), 0);
        client_cancel(&f.client);
        run(&f, 2 * SHORT + 100 * NSEC_PER_MSEC);
        assert_false(f.done);

        assert_int_equal(start(&f, PATIENCE), 0);
        run(&f, PATIENCE);
        assert_true(f.done);
        assert_int_equal(f.error, 0);
        fixture_done(&f);
}

/* The host ends an idle connection: no error, and the next request makes another. */
static void test_closed_while_idle(void **state)
{
        static const HostTurn script[] = {{HOST_HANGS_UP, OK}, {HOST_ANSWERS, OK}, {0}};
        Fixture f;

        fixture_init(&f, script, NULL);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(start(&f, PATIENCE), 0);
                run(&f, PATIENCE);
                assert_true(f.done);
                assert_int_equal(f.error, 0);
                while (i == 0 && f.client.state == CLIENT_IDLE)
                        run(&f, NSEC_PER_MSEC);
        }
        assert_int_equal(f.host.connections_n, 2);
        assert_int_equal(f.client.state, CLIENT_IDLE);
        fixture_done(&f);
}

static void on_reset(void *owner)
{
        Fixture *f = owner;

        assert_true(f->done); /* it is told last */
        f->resets++;
        loop_stop(&f->loop);
}

/* ECONNRESET on a connection that stands: to one of VSOCK it happens when the whole device is reset
 * (and here it is a Unix socket's, by a peer that leaves a request unread). */
static void test_device_reset(void **state)
{
        static const HostTurn script[] = {{HOST_RESETS}, {HOST_ANSWERS, OK}, {0}};

        for (int vsock = 0; vsock <= 1; vsock++) {
                Fixture f;

                fixture_init(&f, script, NULL);
                f.client.reset = on_reset;
                assert_int_equal(start(&f, PATIENCE), 0);
                if (vsock)
                        f.host.address.kind = ADDRESS_VSOCK; /* now that it is connected */
                run(&f, PATIENCE);
                assert_int_equal(f.error, -ECONNRESET);
                assert_int_equal(f.resets, vsock);
                fixture_done(&f);
        }
}

/* A peer that just ends the connection, as a host's program that restarts does. */
static void test_peer_that_ends_is_no_reset(void **state)
{
        static const HostTurn script[] = {{HOST_HANGS_UP, OK}, {HOST_HANGS_UP, ""}, {0}};
        Fixture f;

        fixture_init(&f, script, NULL);
        f.client.reset = on_reset;
        for (int i = 0; i < 2; i++) {
                f.host.address.kind = ADDRESS_UNIX;
                assert_int_equal(start(&f, PATIENCE), 0);
                f.host.address.kind = ADDRESS_VSOCK;
                run(&f, PATIENCE);
                assert_true(f.done);
                while (f.client.state == CLIENT_IDLE)
                        run(&f, NSEC_PER_MSEC);
        }
        assert_int_equal(f.error, -ECONNRESET); /* as the second exchange's */
        assert_int_equal(f.resets, 0);
        fixture_done(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_no_answer_in_time),
                UNIT_TEST(test_no_connection_in_time),
                UNIT_TEST(test_cancel),
                UNIT_TEST(test_closed_while_idle),
                UNIT_TEST(test_device_reset),
                UNIT_TEST(test_peer_that_ends_is_no_reset),
        };

        return RUN_TESTS(tests);
}
