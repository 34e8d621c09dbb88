#include "test.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/macro.h"
#include "trace/fake-host.h"
#include "trace/lifeline.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define CLOSING "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
#define STATUS(code) "HTTP/1.1 " code " X\r\nContent-Length: 0\r\n\r\n"

static const nsec_t PATIENCE = 20 * NSEC_PER_SEC;
static const nsec_t TICK = 5 * NSEC_PER_MSEC;

typedef struct Fixture {
        Loop loop;
        Lifeline *lifeline;
        FakeHost host;
        LinkRecord trace;
        LinkRecord open;
        LoopTimer tick;
        bool (*reached)(const struct Fixture *f);
        size_t wanted;
        nsec_t guard;
} Fixture;

static void on_tick(void *owner)
{
        Fixture *f = owner;

        assert_true(clock_boottime() < f->guard);
        if (f->reached(f))
                loop_stop(&f->loop);
        f->tick.deadline = nsec_add(clock_boottime(), TICK);
}

static void run_until(Fixture *f, bool (*reached)(const Fixture *f))
{
        f->reached = reached;
        f->guard = nsec_add(clock_boottime(), PATIENCE);
        f->tick.deadline = 0;
        f->loop.stopped = false;
        assert_int_equal(loop_run(&f->loop), 0);
        f->tick.deadline = NSEC_INFINITY;
}

static bool has_requests(const Fixture *f)
{
        return f->host.requests_n >= f->wanted;
}

static void expect_requests(Fixture *f, size_t n)
{
        f->wanted = n;
        run_until(f, has_requests);
        assert_int_equal(f->host.requests_n, n);
}

static void on_reset(void *owner)
{
        fail_msg("a Unix socket tells of no VSOCK device");
}

/* The guest waits neither for an answer nor to try again. */
static bool is_at_rest(const Fixture *f)
{
        for (const LoopTimer *timer = f->loop.timers; timer; timer = timer->next)
                if (timer != &f->tick && timer->deadline != NSEC_INFINITY)
                        return false;
        return true;
}

/* And it has closed all its connections. */
static bool has_let_go(const Fixture *f)
{
        for (size_t i = 0; i < f->host.connections_n; i++)
                if (f->host.connections[i].fd >= 0)
                        return false;
        return is_at_rest(f);
}

static void fixture_init(Fixture *f, const HostTurn *script)
{
        *f = (Fixture){
                .trace = {.type = LINK_TRACE, .trace = {.trace_id = {{1}}}},
                .open = {.type = LINK_OPEN,
                         .span = {.id = {{2}}, .name = "guest", .kind = SPAN_KIND_INTERNAL}},
        };
        assert_int_equal(loop_init(&f->loop), 0);
        loop_add_timer(&f->loop, &f->tick, on_tick, f);
        fake_host_init(&f->host, &f->loop, script);
        fake_host_listen(&f->host);
        assert_int_equal(lifeline_new(&f->loop, &f->host.address, on_reset, f, &f->lifeline),
                         0);
}

static void fixture_done(Fixture *f)
{
        f->lifeline = lifeline_free(f->lifeline);
        fake_host_done(&f->host);
        loop_done(&f->loop);
}

/* Told once while the connection stands, and once more after each loss. */
static void test_lost(void **state)
{
        static const HostTurn script[] = {{HOST_ANSWERS, OK}, {0}};
        Fixture f;

        fixture_init(&f, script);
        lifeline_tell(f.lifeline, &f.trace, &f.open);
        for (size_t n = 1; n <= 3; n++) {
                expect_requests(&f, n);
                assert_int_equal(f.host.connections_n, n);
                fake_host_close(&f.host);
                fake_host_listen(&f.host);
        }
        fixture_done(&f);
}

/* Until the host has taken it, on a connection that stays. */
static void test_tried_again(void **state)
{
        static const HostTurn script[] = {
                {HOST_RESETS},           {HOST_HANGS_UP},         {HOST_ANSWERS, "nonsense\r\n"},
                {HOST_ANSWERS, CLOSING}, {HOST_ANSWERS, STATUS("503")}, {HOST_ANSWERS, OK}, {0},
        };
        Fixture f;

        fixture_init(&f, script);
        lifeline_tell(f.lifeline, &f.trace, &f.open);
        expect_requests(&f, 5); /* one was not read */
        assert_int_equal(f.host.connections_n, 5);
        fixture_done(&f);
}

static void test_declined(void **state)
{
        static const HostTurn script[] = {{HOST_ANSWERS, STATUS("404")}, {0}};
        Fixture f;

        fixture_init(&f, script);
        lifeline_tell(f.lifeline, &f.trace, &f.open);
        expect_requests(&f, 1);
        run_until(&f, has_let_go);
        assert_int_equal(f.host.connections_n, 1);
        fixture_done(&f);
}

/* At the end a connection that stands is kept, and one that is lost is not made again. */
static void test_end(void **state)
{
        static const HostTurn script[] = {{HOST_ANSWERS, OK}, {0}};
        static const HostTurn silent[] = {{HOST_IS_SILENT}, {0}};
        Fixture f;

        fixture_init(&f, script);
        lifeline_tell(f.lifeline, &f.trace, &f.open);
        expect_requests(&f, 1);
        run_until(&f, is_at_rest);
        lifeline_end(f.lifeline);
        assert_int_equal(recv(f.host.connections[0].fd, &(char){0}, 1, MSG_DONTWAIT), -1);
        assert_int_equal(errno, EAGAIN);
        fake_host_close(&f.host);
        run_until(&f, has_let_go);
        fixture_done(&f);

        fixture_init(&f, silent);
        lifeline_tell(f.lifeline, &f.trace, &f.open);
        expect_requests(&f, 1);
        lifeline_end(f.lifeline);
        run_until(&f, has_let_go);
        fixture_done(&f);
}

/* The first failure comes with the lost connection, the second with an attempt to make another. */
static bool has_failed(const Fixture *f)
{
        static nsec_t waits[2];

        for (const LoopTimer *timer = f->loop.timers; timer; timer = timer->next)
                if (timer != &f->tick && timer->deadline != NSEC_INFINITY &&
                    timer->deadline != waits[0]) {
                        waits[1] = waits[0];
                        waits[0] = timer->deadline;
                }
        return waits[1] != 0;
}

/* The host is told of another trace on another connection, and of none if it was of none. */
static void test_renewed(void **state)
{
        static const HostTurn script[] = {{HOST_ANSWERS, OK}, {0}};
        Fixture f;

        fixture_init(&f, script);
        assert_false(lifeline_renew(f.lifeline));
        assert_true(is_at_rest(&f));
        lifeline_tell(f.lifeline, &f.trace, &f.open);
        expect_requests(&f, 1);
        run_until(&f, is_at_rest);
        memset(f.trace.trace.trace_id.bytes, 'T', TRACE_ID_SIZE);
        assert_true(lifeline_renew(f.lifeline));
        assert_false(lifeline_renew(f.lifeline));
        expect_requests(&f, 2);
        assert_int_equal(f.host.connections_n, 2);
        assert_non_null(memmem(buffer_data(&f.host.bodies), buffer_length(&f.host.bodies),
                               f.trace.trace.trace_id.bytes, TRACE_ID_SIZE));
        /* Also if it was an earlier attempt that told it. */
        run_until(&f, is_at_rest);
        fake_host_close(&f.host);
        run_until(&f, has_failed);
        assert_true(lifeline_renew(f.lifeline));
        fixture_done(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_lost),
                UNIT_TEST(test_tried_again),
                UNIT_TEST(test_declined),
                UNIT_TEST(test_end),
                UNIT_TEST(test_renewed),
        };

        log_setup("test-lifeline", -1, LOG_FORMAT_PLAIN, LOG_LEVEL_ERROR);
        return RUN_TESTS(tests);
}
