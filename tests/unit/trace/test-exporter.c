#include "test.h"

#include <errno.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"
#include "trace/exporter.h"
#include "trace/fake-host.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define STATUS(code) "HTTP/1.1 " code " X\r\nContent-Length: 0\r\n\r\n"

static const nsec_t PATIENCE = 20 * NSEC_PER_SEC;
static const nsec_t SHORT = 250 * NSEC_PER_MSEC; /* for hosts that must not make us wait longer */

/* A store, an exporter and a host on one loop, and what the exporter told. */
typedef struct Fixture {
        Loop loop;
        SpanStore *store;
        Exporter *exporter;
        FakeHost host;
        LoopTimer guard;
        LoopTimer tick;
        const char *awaited; /* the host's bodies, upon which to stop */
        size_t acknowledged;
        size_t failed;
        int last_error;
        unsigned last_status;
        bool drained;
        FlushOutcome outcome;
        bool stop_at_acknowledged;
        bool stop_at_failed;
} Fixture;

static void on_acknowledged(void *owner)
{
        Fixture *f = owner;

        f->acknowledged++;
        if (f->stop_at_acknowledged)
                loop_stop(&f->loop);
}

static void on_failed(void *owner, int error, unsigned http_status)
{
        Fixture *f = owner;

        f->failed++;
        f->last_error = error;
        f->last_status = http_status;
        if (f->stop_at_failed)
                loop_stop(&f->loop);
}

static void on_drained(void *owner, FlushOutcome outcome)
{
        Fixture *f = owner;

        f->drained = true;
        f->outcome = outcome;
        loop_stop(&f->loop);
}

static void on_reset(void *owner)
{
        fail_msg("a Unix socket tells of no VSOCK device");
}

static void on_tick(void *owner)
{
        Fixture *f = owner;

        if (strcmp(fake_host_bodies(&f->host), f->awaited) == 0)
                loop_stop(&f->loop);
        else
                f->tick.deadline = nsec_add(clock_boottime(), 5 * NSEC_PER_MSEC);
}

static void on_guard(void *owner)
{
        fail_msg("nothing happened any more");
}

static void fixture_init(Fixture *f, const HostTurn *script, bool listens)
{
        static const ExporterEvents events = {on_acknowledged, on_failed, on_drained,
                                              on_reset};

        *f = (Fixture){0};
        assert_int_equal(loop_init(&f->loop), 0);
        loop_add_timer(&f->loop, &f->guard, on_guard, f);
        loop_add_timer(&f->loop, &f->tick, on_tick, f);
        fake_host_init(&f->host, &f->loop, script);
        if (listens)
                fake_host_listen(&f->host);
        assert_int_equal(span_store_new(4 * 1024 * 1024, 0, &f->store), 0);
        assert_int_equal(exporter_new(&f->loop, f->store, &f->host.address, &events, f,
                                      &f->exporter),
                         0);
}

static void fixture_done(Fixture *f)
{
        f->exporter = exporter_free(f->exporter);
        f->store = span_store_free(f->store);
        fake_host_done(&f->host);
        loop_done(&f->loop);
}

/* To the exporter a piece is just bytes, so one letter will do. */
static void add(Fixture *f, const char *piece)
{
        assert_int_equal(span_store_add(f->store, LANE_GUEST, (const uint8_t *)piece, strlen(piece),
                                        1), 0);
        exporter_kick(f->exporter);
}

static void run(Fixture *f)
{
        f->guard.deadline = nsec_add(clock_boottime(), PATIENCE);
        f->loop.stopped = false;
        assert_int_equal(loop_run(&f->loop), 0);
}

static void drain(Fixture *f, nsec_t time)
{
        f->drained = false;
        exporter_drain(f->exporter, nsec_add(clock_boottime(), time));
        if (!f->drained)
                run(f);
        assert_true(f->drained);
}

static char huge[200 * 1024];

/* What a host can do to a drain of three spans, "a" sent first and "b" and "c" as they can. */
static void test_wedges(void **state)
{
        static const struct {
                const char *name;
                bool absent;
                HostTurn script[HOST_SCRIPT_MAX];
                nsec_t time;
                FlushOutcome outcome;
                uint64_t sent;
                uint64_t dropped;
                const char *bodies;
                size_t connections;
                int error;       /* last one told */
                unsigned status; /* last one told */
        } cases[] = {
                {"well", false, {{HOST_ANSWERS, OK}}, PATIENCE,
                 FLUSH_DELIVERED, 3, 0, "a|bc|", 1, 0, 0},
                {"absent", true, {{0}}, SHORT,
                 FLUSH_UNREACHABLE, 0, 3, "", 0, ENOENT, 0},
                {"never reads", false, {{HOST_IS_STUCK}}, SHORT,
                 FLUSH_UNACKED, 0, 3, "", 1, ETIMEDOUT, 0},
                {"never answers", false, {{HOST_IS_SILENT}}, SHORT,
                 FLUSH_UNACKED, 0, 3, "a|", 1, ETIMEDOUT, 0},
                {"resets, then well", false, {{HOST_RESETS}, {HOST_ANSWERS, OK}}, PATIENCE,
                 FLUSH_DELIVERED, 3, 0, "abc|", 2, ECONNRESET, 0},
                {"always resets", false, {{HOST_RESETS}}, SHORT,
                 FLUSH_UNACKED, 0, 3, "", 0, ECONNRESET, 0},
                {"hangs up, then well", false, {{HOST_HANGS_UP}, {HOST_ANSWERS, OK}}, PATIENCE,
                 FLUSH_DELIVERED, 3, 0, "a|abc|", 2, ECONNRESET, 0},
                {"answers late", false, {{HOST_ANSWERS_LATE, OK}}, PATIENCE,
                 FLUSH_DELIVERED, 3, 0, "a|bc|", 1, 0, 0},
                {"400", false, {{HOST_ANSWERS, STATUS("400")}, {HOST_ANSWERS, OK}}, PATIENCE,
                 FLUSH_UNACKED, 2, 1, "a|bc|", 1, 0, 400},
                {"404", false, {{HOST_ANSWERS, STATUS("404")}}, PATIENCE,
                 FLUSH_UNACKED, 0, 3, "a|bc|", 1, 0, 404},
                {"500", false, {{HOST_ANSWERS, STATUS("500")}, {HOST_ANSWERS, OK}}, PATIENCE,
                 FLUSH_UNACKED, 2, 1, "a|bc|", 1, 0, 500},
                {"redirected", false, {{HOST_ANSWERS, STATUS("307")}, {HOST_ANSWERS, OK}}, PATIENCE,
                 FLUSH_UNACKED, 2, 1, "a|bc|", 1, 0, 307},
                {"503, then well", false,
                 {{HOST_ANSWERS, STATUS("503")}, {HOST_ANSWERS, STATUS("503")}, {HOST_ANSWERS, OK}},
                 PATIENCE, FLUSH_DELIVERED, 3, 0, "a|abc|abc|", 1, 0, 503},
                {"502, 504", false,
                 {{HOST_ANSWERS, STATUS("502")}, {HOST_ANSWERS, STATUS("504")}, {HOST_ANSWERS, OK}},
                 PATIENCE, FLUSH_DELIVERED, 3, 0, "a|abc|abc|", 1, 0, 504},
                /* The host's wish goes beyond the deadline, so it cannot be respected. */
                {"429 for too long", false,
                 {{HOST_ANSWERS, "HTTP/1.1 429 X\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n"},
                  {HOST_ANSWERS, OK}},
                 5 * NSEC_PER_SEC, FLUSH_DELIVERED, 3, 0, "a|abc|", 1, 0, 429},
                {"half an answer", false,
                 {{HOST_HANGS_UP, "HTTP/1.1 200 OK\r\nContent-Le"}, {HOST_ANSWERS, OK}}, PATIENCE,
                 FLUSH_DELIVERED, 3, 0, "a|abc|", 2, ECONNRESET, 0},
                {"half a body", false,
                 {{HOST_HANGS_UP, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234"},
                  {HOST_ANSWERS, OK}},
                 PATIENCE, FLUSH_DELIVERED, 3, 0, "a|abc|", 2, ECONNRESET, 0},
                {"garbage", false,
                 {{HOST_ANSWERS, "220 smtp.example ESMTP\r\n"}, {HOST_ANSWERS, OK}}, PATIENCE,
                 FLUSH_DELIVERED, 3, 0, "a|abc|", 2, EBADMSG, 0},
                {"100 before", false,
                 {{HOST_ANSWERS, "HTTP/1.1 100 Continue\r\n\r\n" OK}}, PATIENCE,
                 FLUSH_DELIVERED, 3, 0, "a|bc|", 1, 0, 0},
                {"closes between requests", false,
                 {{HOST_HANGS_UP, OK}, {HOST_ANSWERS, OK}}, PATIENCE,
                 FLUSH_DELIVERED, 3, 0, "a|bc|", 2, 0, 0},
                {"Connection: close", false,
                 {{HOST_ANSWERS, "HTTP/1.1 200 OK\r\n"
                                 "Connection: close\r\nContent-Length: 0\r\n\r\n"}},
                 PATIENCE, FLUSH_DELIVERED, 3, 0, "a|bc|", 2, 0, 0},
                {"body until the close", false, {{HOST_HANGS_UP, "HTTP/1.1 200 OK\r\n\r\nfine"}},
                 PATIENCE, FLUSH_DELIVERED, 3, 0, "a|bc|", 2, 0, 0},
                {"chunked", false,
                 {{HOST_ANSWERS, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "2\r\nok\r\n0\r\n\r\n"}},
                 PATIENCE, FLUSH_DELIVERED, 3, 0, "a|bc|", 1, 0, 0},
                {"huge", false, {{HOST_ANSWERS, huge, sizeof(huge)}, {HOST_ANSWERS, OK}}, PATIENCE,
                 FLUSH_DELIVERED, 3, 0, "a|bc|", 2, 0, 0},
                {"rejects one", false,
                 {{HOST_ANSWERS, OK},
                  {HOST_ANSWERS, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\x0a\x02\x08\x01"}},
                 PATIENCE, FLUSH_UNACKED, 2, 1, "a|bc|", 1, 0, 0},
        };

        memset(huge, 'x', sizeof(huge));
        memcpy(huge, "HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n", 47);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                SpanCounts counts;
                Fixture f;

                fixture_init(&f, cases[i].script, !cases[i].absent);
                add(&f, "a");
                add(&f, "b");
                add(&f, "c");
                drain(&f, cases[i].time);
                counts = span_store_counts(f.store);
                /* The end of a short drain may cut off an attempt before it fails as expected. */
                if (cases[i].time == SHORT && cases[i].error != 0 && f.last_error == ETIMEDOUT)
                        f.last_error = cases[i].error;
                if (f.outcome != cases[i].outcome || counts.held != 0 ||
                    counts.sent != cases[i].sent || counts.dropped != cases[i].dropped ||
                    strcmp(fake_host_bodies(&f.host), cases[i].bodies) != 0 ||
                    (cases[i].connections != 0 && f.host.connections_n != cases[i].connections) ||
                    f.last_error != cases[i].error || f.last_status != cases[i].status ||
                    f.acknowledged != (cases[i].sent > 0))
                        fail_msg("%s: %s, %llu sent, %llu dropped, requests %s on %zu "
                                 "connections, error %d, status %u, %zu acknowledgements",
                                 cases[i].name, flush_outcome_name(f.outcome),
                                 (unsigned long long)counts.sent,
                                 (unsigned long long)counts.dropped, fake_host_bodies(&f.host),
                                 f.host.connections_n, f.last_error, f.last_status,
                                 f.acknowledged);
                fixture_done(&f);
        }
}

/* The first request goes without waiting for more, and without a drain. */
static void test_starts_at_once_and_keeps_the_connection(void **state)
{
        static const HostTurn script[] = {{HOST_ANSWERS, OK}, {0}};
        Fixture f;

        fixture_init(&f, script, true);
        f.stop_at_acknowledged = true;
        add(&f, "a");
        run(&f);
        assert_string_equal(fake_host_bodies(&f.host), "a|");
        add(&f, "b");
        drain(&f, PATIENCE);
        assert_string_equal(fake_host_bodies(&f.host), "a|b|");
        assert_int_equal(f.host.connections_n, 1);
        assert_int_equal(f.acknowledged, 1);
        fixture_done(&f);
}

static void test_drain_of_nothing(void **state)
{
        static const HostTurn script[] = {{HOST_ANSWERS, OK}, {0}};
        Fixture f;

        fixture_init(&f, script, true);
        drain(&f, PATIENCE);
        assert_int_equal(f.outcome, FLUSH_DELIVERED);
        assert_int_equal(f.host.connections_n, 0);
        fixture_done(&f);
}

/* The host is not there at first: told once, tried again by itself, nothing is lost. */
static void test_absent_then_there(void **state)
{
        static const HostTurn script[] = {{HOST_ANSWERS, OK}, {0}};
        Fixture f;

        fixture_init(&f, script, false);
        add(&f, "a");
        assert_int_equal(f.failed, 1);
        assert_int_equal(f.last_error, ENOENT);
        f.stop_at_acknowledged = true;
        fake_host_listen(&f.host);
        add(&f, "b");
        run(&f);
        assert_int_equal(f.failed, 1);
        assert_string_equal(fake_host_bodies(&f.host), "ab|");
        fixture_done(&f);
}

/* The same failure is told once while it lasts, and again when it comes back. */
static void test_failures_are_told_once(void **state)
{
        static const HostTurn script[] = {
                {HOST_ANSWERS, STATUS("503")},
                {HOST_ANSWERS, "HTTP/1.0 503 X\r\nContent-Length: 0\r\n\r\n"},
                {HOST_HANGS_UP}, /* on a new connection, so this is a failure */
                {HOST_ANSWERS, OK},
                {HOST_ANSWERS, STATUS("503")},
                {HOST_ANSWERS, OK},
                {0},
        };
        Fixture f;

        fixture_init(&f, script, true);
        add(&f, "a");
        drain(&f, PATIENCE);
        assert_int_equal(f.failed, 2);
        assert_int_equal(f.last_error, ECONNRESET);
        add(&f, "b");
        drain(&f, PATIENCE);
        assert_int_equal(f.failed, 3);
        assert_int_equal(f.last_status, 503);
        fixture_done(&f);
}

static void test_retry_after_is_respected(void **state)
{
        static const HostTurn script[] = {
                {HOST_ANSWERS, "HTTP/1.1 429 X\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"},
                {HOST_ANSWERS, OK},
                {0},
        };
        nsec_t start = clock_boottime();
        Fixture f;

        fixture_init(&f, script, true);
        f.stop_at_failed = true;
        add(&f, "a");
        run(&f);
        assert_int_equal(f.last_status, 429);
        drain(&f, PATIENCE); /* there is time for what the host asked */
        assert_true(clock_boottime() - start >= NSEC_PER_SEC);
        assert_int_equal(f.outcome, FLUSH_DELIVERED);
        assert_string_equal(fake_host_bodies(&f.host), "a|a|");
        fixture_done(&f);
}

/* A connection that was kept and is closed under a request is not a failure: once. */
static void test_stale_connection(void **state)
{
        static const HostTurn script[] = {
                {HOST_ANSWERS, OK}, {HOST_HANGS_UP}, {HOST_HANGS_UP}, {HOST_ANSWERS, OK}, {0}};
        Fixture f;

        fixture_init(&f, script, true);
        add(&f, "a");
        drain(&f, PATIENCE);
        add(&f, "b");
        drain(&f, PATIENCE);
        assert_int_equal(f.failed, 1);
        assert_int_equal(f.host.connections_n, 3);
        assert_string_equal(fake_host_bodies(&f.host), "a|b|b|b|");
        fixture_done(&f);
}

/* A wait that was chosen before the drain began does not go beyond it. */
static void test_drain_ends_a_long_wait(void **state)
{
        static const HostTurn script[] = {
                {HOST_ANSWERS, "HTTP/1.1 503 X\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"},
                {HOST_ANSWERS, OK},
                {0},
        };
        Fixture f;

        fixture_init(&f, script, true);
        f.stop_at_failed = true;
        add(&f, "a");
        run(&f);
        drain(&f, 5 * NSEC_PER_SEC);
        assert_int_equal(f.outcome, FLUSH_DELIVERED);
        fixture_done(&f);
}

/* However long the waits have become, while draining they are short. */
static void test_drain_shortens_the_waits(void **state)
{
        static const HostTurn script[] = {
                {HOST_ANSWERS, STATUS("502")}, {HOST_ANSWERS, STATUS("503")},
                {HOST_ANSWERS, STATUS("502")}, {HOST_ANSWERS, STATUS("503")},
                {HOST_ANSWERS, STATUS("502")}, /* the next wait takes 800 ms at least */
                {HOST_ANSWERS, STATUS("503")}, {HOST_ANSWERS, OK},
                {0},
        };
        Fixture f;

        fixture_init(&f, script, true);
        f.stop_at_failed = true;
        add(&f, "a");
        while (f.failed < 5)
                run(&f);
        f.stop_at_failed = false;
        drain(&f, 600 * NSEC_PER_MSEC);
        assert_int_equal(f.outcome, FLUSH_DELIVERED);
        fixture_done(&f);
}

/* A request that is larger than the socket's buffer; the host has the last word before its end. */
static void test_large_requests(void **state)
{
        static const HostTurn answers[] = {{HOST_ANSWERS, OK}, {0}};
        static const HostTurn early[] = {
                {HOST_ANSWERS_EARLY, STATUS("413")}, {HOST_ANSWERS, OK}, {0}};
        static const HostTurn stuck[] = {{HOST_IS_STUCK}, {0}};
        char *piece = malloc(2 * 1024 * 1024);
        Fixture f;

        memset(piece, 'p', 2 * 1024 * 1024);
        piece[2 * 1024 * 1024 - 1] = '\0';

        fixture_init(&f, answers, true);
        add(&f, piece);
        add(&f, "b");
        drain(&f, PATIENCE);
        assert_int_equal(f.outcome, FLUSH_DELIVERED);
        assert_int_equal(strlen(fake_host_bodies(&f.host)), strlen(piece) + strlen("|b|"));
        fixture_done(&f);

        fixture_init(&f, early, true);
        add(&f, piece);
        add(&f, "b");
        drain(&f, PATIENCE);
        assert_int_equal(f.last_status, 413);
        assert_int_equal(span_store_counts(f.store).sent, 1);
        assert_int_equal(span_store_counts(f.store).dropped, 1);
        fixture_done(&f);

        fixture_init(&f, stuck, true);
        add(&f, piece);
        drain(&f, SHORT);
        assert_int_equal(f.outcome, FLUSH_UNACKED);
        fixture_done(&f);
        free(piece);
}

static void test_batches_are_limited(void **state)
{
        static const HostTurn script[] = {{HOST_ANSWERS, OK}, {0}};
        const char *bodies;
        size_t longest = 0;
        Fixture f;

        fixture_init(&f, script, true);
        for (size_t i = 0; i < 2000; i++)
                add(&f, "x");
        drain(&f, PATIENCE);
        bodies = fake_host_bodies(&f.host);
        for (const char *end; (end = strchr(bodies, '|')); bodies = end + 1)
                longest = MAX(longest, (size_t)(end - bodies));
        assert_int_equal(longest, 512);
        assert_int_equal(span_store_counts(f.store).sent, 2000);
        fixture_done(&f);
}

/* What one piece has done costs the others nothing, unless nothing at all is welcome. */
static void test_only_the_piece_at_fault_is_dropped(void **state)
{
        static const struct {
                HostTurn script[HOST_SCRIPT_MAX];
                const char *bodies;
                uint64_t sent;
        } cases[] = {
                {{{HOST_ANSWERS, STATUS("503")}, {HOST_ANSWERS, STATUS("400")}, {HOST_ANSWERS, OK},
                  {HOST_ANSWERS, STATUS("400")}, {HOST_ANSWERS, STATUS("503")}, {HOST_ANSWERS, OK}},
                 "a|abcd|a|b|c|c|d|", 3},
                {{{HOST_ANSWERS, STATUS("503")}, {HOST_ANSWERS, STATUS("413")}, {HOST_ANSWERS, OK}},
                 "a|abcd|a|b|c|d|", 4},
                {{{HOST_ANSWERS, STATUS("503")}, {HOST_ANSWERS, STATUS("404")}, {HOST_ANSWERS, OK}},
                 "a|abcd|", 0},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                SpanCounts counts;
                Fixture f;

                fixture_init(&f, cases[i].script, true);
                for (const char *piece = "a\0b\0c\0d\0"; *piece; piece += 2)
                        add(&f, piece);
                drain(&f, PATIENCE);
                assert_string_equal(fake_host_bodies(&f.host), cases[i].bodies);
                counts = span_store_counts(f.store);
                assert_int_equal(counts.sent, cases[i].sent);
                assert_int_equal(counts.by_cause[DROP_REFUSED], 4 - cases[i].sent);
                assert_int_equal(counts.held, 0);

                /* Later ones are under no suspicion. */
                add(&f, "e");
                add(&f, "f");
                add(&f, "g");
                drain(&f, PATIENCE);
                assert_non_null(strstr(fake_host_bodies(&f.host), "|e|fg|"));
                fixture_done(&f);
        }
}

/* After one drain another: how the tracer sends the root span. */
static void test_drains_in_a_row(void **state)
{
        static const HostTurn script[] = {{HOST_IS_SILENT}, {HOST_ANSWERS, OK}, {0}};
        Fixture f;

        fixture_init(&f, script, true);
        add(&f, "a");
        drain(&f, SHORT);
        assert_int_equal(f.outcome, FLUSH_UNACKED);
        add(&f, "r");
        drain(&f, PATIENCE);
        assert_int_equal(f.outcome, FLUSH_DELIVERED);
        assert_string_equal(fake_host_bodies(&f.host), "a|r|");

        /* What an earlier drain sent is not what a later one sent. */
        fake_host_close(&f.host);
        add(&f, "x");
        drain(&f, SHORT);
        assert_int_equal(f.outcome, FLUSH_UNREACHABLE);
        fixture_done(&f);
}

static void change_letter(void *owner, uint8_t *data, size_t n)
{
        (*(size_t *)owner)++;
        data[0] = (uint8_t)(data[0] - 'a' + 'A');
}

/* An attempt is put off, and what was changed in the meantime is what goes out. */
static void test_interrupted(void **state)
{
        static const HostTurn script[] = {{HOST_ANSWERS, OK}, {HOST_IS_SILENT}, {HOST_ANSWERS, OK},
                                          {0}};
        size_t changed = 0;
        Fixture f;

        fixture_init(&f, script, true);
        assert_false(exporter_interrupt(f.exporter));
        f.stop_at_acknowledged = true;
        add(&f, "a");
        run(&f);
        assert_true(exporter_interrupt(f.exporter));
        assert_false(exporter_interrupt(f.exporter));
        add(&f, "b");
        add(&f, "c");
        f.awaited = "a|b|";
        f.tick.deadline = 0;
        run(&f);
        assert_true(exporter_interrupt(f.exporter));
        assert_false(exporter_interrupt(f.exporter));
        span_store_change(f.store, change_letter, &changed);
        assert_int_equal(changed, 2);
        drain(&f, PATIENCE);
        assert_int_equal(f.outcome, FLUSH_DELIVERED);
        assert_string_equal(fake_host_bodies(&f.host), "a|b|BC|");
        assert_int_equal(span_store_counts(f.store).sent, 3);
        assert_int_equal(f.failed, 0);
        fixture_done(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_wedges),
                UNIT_TEST(test_starts_at_once_and_keeps_the_connection),
                UNIT_TEST(test_drain_of_nothing),
                UNIT_TEST(test_absent_then_there),
                UNIT_TEST(test_failures_are_told_once),
                UNIT_TEST(test_retry_after_is_respected),
                UNIT_TEST(test_stale_connection),
                UNIT_TEST(test_drain_ends_a_long_wait),
                UNIT_TEST(test_drain_shortens_the_waits),
                UNIT_TEST(test_large_requests),
                UNIT_TEST(test_batches_are_limited),
                UNIT_TEST(test_only_the_piece_at_fault_is_dropped),
                UNIT_TEST(test_drains_in_a_row),
                UNIT_TEST(test_interrupted),
        };

        log_setup("test-exporter", -1, LOG_FORMAT_PLAIN, LOG_LEVEL_ERROR);
        return RUN_TESTS(tests);
}
