/* The server, its connections and delivery, over socket pairs and with a sink that does as it is
 * told. Nothing here waits for time to pass but the tests of deadlines, which are set short. */

#include "test.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "base/fd.h"
#include "base/macro.h"
#include "forward/server.h"
#include "http/request.h"
#include "sample.h"

/* Until a test counts as hanging. */
#define PATIENCE (20 * NSEC_PER_SEC)

#define HEAD "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
#define OPEN_HEAD                                                                                  \
        "POST /rootspan/v1/open HTTP/1.1\r\nHost: x\r\n"                                           \
        "Content-Type: application/x-protobuf\r\n"
#define ANSWER(status, n) "HTTP/1.1 " status "\r\nContent-Type: application/x-protobuf\r\n"        \
                          "Content-Length: " n "\r\n"
#define OK_ANSWER ANSWER("200 OK", "2") "\r\n\n" /* and a NUL byte */
#define OK_ANSWER_N (sizeof(OK_ANSWER)) /* with it */

typedef struct TestSink {
        Sink sink;
        int write_result;
        int commit_result;
        size_t n_written;
        size_t n_commits;
} TestSink;

typedef struct Fixture {
        sd_event *event;
        TestSink sink;
        OpenRoots *roots;
        Delivery *delivery;
        Server *server;
} Fixture;

static int test_sink_write(Sink *sink, const Batch *batch)
{
        TestSink *test_sink = (TestSink *)sink;

        if (test_sink->write_result == 0)
                test_sink->n_written++;
        return test_sink->write_result;
}

static int test_sink_commit(Sink *sink)
{
        TestSink *test_sink = (TestSink *)sink;

        test_sink->n_commits++;
        return test_sink->commit_result;
}

static void setup(Fixture *f, const ServerLimits *limits)
{
        static const SinkOps ops = {test_sink_write, test_sink_commit};
        Sink *sinks[] = {&f->sink.sink, NULL};

        *f = (Fixture){.sink = {.sink = {.ops = &ops, .name = "the test"}}};
        assert_true(sd_event_new(&f->event) >= 0);
        assert_int_equal(open_roots_new(f->event, 1, OPEN_ROOTS_GRACE, &f->roots), 0);
        sinks[1] = open_roots_sink(f->roots);
        assert_int_equal(delivery_new(f->event, sinks, 2, &f->delivery), 0);
        open_roots_set_delivery(f->roots, f->delivery);
        assert_int_equal(server_new(f->event, f->delivery, f->roots, limits, &f->server), 0);
}

static void teardown(Fixture *f)
{
        f->server = server_free(f->server);
        f->roots = open_roots_free(f->roots);
        f->delivery = delivery_free(f->delivery);
        f->event = sd_event_unref(f->event);
}

/* The client's end of a new connection. */
static int connect_to(Fixture *f)
{
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
                         0);
        assert_int_equal(server_add_connection(f->server, fds[1], "test client"), 0);
        return fds[0];
}

/* Runs the loop until nothing is left to do at once. */
static void settle(Fixture *f)
{
        while (sd_event_run(f->event, 0) > 0)
                ;
}

static void send_bytes(Fixture *f, int fd, const void *data, size_t n)
{
        nsec_t deadline = nsec_add(clock_boottime(), PATIENCE);
        const uint8_t *p = data;

        while (n > 0) {
                ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

                assert_true(clock_boottime() < deadline);
                if (sent < 0 && errno == EAGAIN) {
                        (void)sd_event_run(f->event, 10000);
                        continue;
                }
                assert_true(sent > 0);
                p += sent;
                n -= (size_t)sent;
        }
}

static void send_text(Fixture *f, int fd, const char *text)
{
        send_bytes(f, fd, text, strlen(text));
}

/* Sends @head, the field Content-Length, and the sample as body. */
static void send_sample(Fixture *f, int fd, const char *head)
{
        char text[1024];

        (void)snprintf(text, sizeof(text), "%sContent-Length: %zu\r\n\r\n", head,
                       sizeof(sample_request));
        send_text(f, fd, text);
        send_bytes(f, fd, sample_request, sizeof(sample_request));
}

/* Runs the loop until exactly @n bytes have come, or with @n == 0 until the end of the stream. */
static void expect(Fixture *f, int fd, const char *expected, size_t n)
{
        nsec_t deadline = nsec_add(clock_boottime(), PATIENCE);
        char got[1024];
        size_t total = 0;

        assert_true(n <= sizeof(got));
        while (total < n || n == 0) {
                ssize_t r = recv(fd, got + total, n == 0 ? 1 : n - total, 0);

                assert_true(clock_boottime() < deadline);
                if (r < 0 && errno == EAGAIN) {
                        (void)sd_event_run(f->event, 10000);
                        continue;
                }
                if (n == 0) {
                        assert_int_equal(r, 0);
                        return;
                }
                assert_true(r > 0);
                total += (size_t)r;
        }
        assert_memory_equal(got, expected, n);
}

static void expect_end(Fixture *f, int fd)
{
        expect(f, fd, NULL, 0);
}

static void expect_ok(Fixture *f, int fd)
{
        expect(f, fd, OK_ANSWER, OK_ANSWER_N);
}

static void expect_nothing(Fixture *f, int fd)
{
        char c;

        settle(f);
        assert_int_equal(recv(fd, &c, 1, 0), -1);
        assert_int_equal(errno, EAGAIN);
}

/* The status line and whether the connection ends; the body is read and left alone. */
static void expect_status(Fixture *f, int fd, const char *status, bool close)
{
        nsec_t deadline = nsec_add(clock_boottime(), PATIENCE);
        char head[1024] = "", body[1024], line[64];
        size_t n = 0, length;
        const char *field;

        while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0) {
                ssize_t r = recv(fd, head + n, 1, 0);

                assert_true(clock_boottime() < deadline);
                assert_true(n < sizeof(head) - 1);
                if (r < 0 && errno == EAGAIN)
                        (void)sd_event_run(f->event, 10000);
                else
                        assert_int_equal(r, 1);
                n += r > 0 ? 1 : 0;
        }
        (void)snprintf(line, sizeof(line), "HTTP/1.1 %s\r\n", status);
        assert_memory_equal(head, line, strlen(line));
        assert_int_equal(strstr(head, "Connection: close\r\n") != NULL, close);
        field = strstr(head, "Content-Length: ");
        assert_non_null(field);
        length = strtoul(field + strlen("Content-Length: "), NULL, 10);
        assert_true(length > 0 && length < sizeof(body));
        assert_int_equal(recv(fd, body, length, 0), length);
        if (!close)
                return;
        expect_end(f, fd);
}

static void test_splits(void **state)
{
        static const char *const heads[] = {
                HEAD "Content-Length: 37\r\n\r\n",
                HEAD "Transfer-Encoding: chunked\r\n\r\n25\r\n",
        };
        char text[512];
        Fixture f;

        setup(&f, &server_limits_default);
        for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
                size_t n = strlen(heads[i]);
                int fd = connect_to(&f);

                memcpy(text, heads[i], n);
                memcpy(text + n, sample_request, sizeof(sample_request));
                n += sizeof(sample_request);
                if (i == 1) {
                        memcpy(text + n, "\r\n0\r\n\r\n", 7);
                        n += 7;
                }
                for (size_t split = 1; split < n; split++) {
                        send_bytes(&f, fd, text, split);
                        expect_nothing(&f, fd);
                        send_bytes(&f, fd, text + split, n - split);
                        expect_ok(&f, fd);
                }
                fd_close(fd);
        }
        settle(&f);
        teardown(&f);
}

/* Answered in order, each request only once, also when they come in one piece. */
static void test_pipelining(void **state)
{
        Fixture f;
        int fd;

        setup(&f, &server_limits_default);
        fd = connect_to(&f);
        for (int i = 0; i < 3; i++) {
                send_sample(&f, fd, HEAD);
                send_text(&f, fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        }
        for (int i = 0; i < 3; i++) {
                expect_ok(&f, fd);
                expect_status(&f, fd, "404 Not Found", false);
        }
        assert_int_equal(f.sink.n_written, 3);
        send_sample(&f, fd, HEAD "Connection: close\r\n");
        expect(&f, fd, ANSWER("200 OK", "2") "Connection: close\r\n\r\n\n",
               sizeof(ANSWER("200 OK", "2") "Connection: close\r\n\r\n\n"));
        expect_end(&f, fd);
        fd_close(fd);
        teardown(&f);
}

static void test_refusals(void **state)
{
        static const struct {
                const char *request;
                const char *status;
                bool close;
        } cases[] = {
                {"hello, is this HTTP?\r\n", "400 Bad Request", true},
                {"\x01", "400 Bad Request", true},
                {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 HTTP Version Not Supported", true},
                {HEAD "Content-Length: 1, 2\r\n\r\n", "400 Bad Request", true},
                {HEAD "Content-Length: 99999999999\r\n\r\n", "413 Content Too Large", true},
                {HEAD "Transfer-Encoding: chunked\r\n\r\nno\r\n", "400 Bad Request", true},
                {HEAD "Transfer-Encoding: gzip\r\n\r\n", "501 Not Implemented", true},
                {HEAD "Content-Length: 2\r\n\r\n\x0a\x05", "400 Bad Request", false},
                {HEAD "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx", "400 Bad Request",
                 false},
                {HEAD "\r\n", "411 Length Required", false},
                {"PUT /v1/traces HTTP/1.1\r\nHost: x\r\n\r\n", "405 Method Not Allowed", false},
                {"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                 "Content-Length: 2\r\n\r\n{}", "415 Unsupported Media Type", false},
        };
        Fixture f;

        setup(&f, &server_limits_default);
        f.sink.write_result = -EIO;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                int fd = connect_to(&f);

                send_text(&f, fd, cases[i].request);
                if (cases[i].close)
                        assert_int_equal(shutdown(fd, SHUT_WR), 0);
                expect_status(&f, fd, cases[i].status, cases[i].close);
                fd_close(fd);
        }
        assert_int_equal(f.sink.n_commits, 0);
        settle(&f);
        teardown(&f);
}

/* All of the answer arrives although more input than we care to read was sent. */
static void test_unread_input(void **state)
{
        static char garbage[100 * 1024];
        Fixture f;
        int fd;

        memset(garbage, '?', sizeof(garbage));
        setup(&f, &server_limits_default);
        fd = connect_to(&f);
        send_bytes(&f, fd, garbage, sizeof(garbage));
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        expect_status(&f, fd, "400 Bad Request", true);
        fd_close(fd);
        teardown(&f);
}

static void test_head_method(void **state)
{
        static const char answer[] = ANSWER("404 Not Found", "46") "\r\n";
        Fixture f;
        int fd;

        setup(&f, &server_limits_default);
        fd = connect_to(&f);
        send_text(&f, fd, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
        expect(&f, fd, answer, strlen(answer));
        send_sample(&f, fd, HEAD);
        expect_ok(&f, fd);
        fd_close(fd);
        settle(&f);
        teardown(&f);
}

static void test_expect_continue(void **state)
{
        static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
        Fixture f;
        int fd;

        setup(&f, &server_limits_default);
        fd = connect_to(&f);
        for (int i = 0; i < 2; i++) {
                send_text(&f, fd, HEAD "Expect: 100-continue\r\nContent-Length: 37\r\n\r\n");
                expect(&f, fd, interim, strlen(interim));
                expect_nothing(&f, fd);
                send_bytes(&f, fd, sample_request, sizeof(sample_request));
                expect_ok(&f, fd);
        }
        fd_close(fd);
        settle(&f);
        teardown(&f);
}

static void test_gzip(void **state)
{
        uint8_t body[256];
        z_stream stream = {0};
        char head[512];
        size_t n;
        Fixture f;
        int fd;

        assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8,
                                      Z_DEFAULT_STRATEGY), Z_OK);
        stream.next_in = (Bytef *)sample_request;
        stream.avail_in = sizeof(sample_request);
        stream.next_out = body;
        stream.avail_out = sizeof(body);
        assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
        n = sizeof(body) - stream.avail_out;
        deflateEnd(&stream);

        setup(&f, &server_limits_default);
        fd = connect_to(&f);
        (void)snprintf(head, sizeof(head),
                       HEAD "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", n);
        send_text(&f, fd, head);
        send_bytes(&f, fd, body, n);
        expect_ok(&f, fd);
        assert_int_equal(f.sink.n_written, 1);
        fd_close(fd);
        settle(&f);
        teardown(&f);
}

/* Requests that are there together share one commit. */
static void test_group(void **state)
{
        enum { N = 20 };
        int fds[N];
        Fixture f;

        setup(&f, &server_limits_default);
        for (size_t i = 0; i < N; i++) {
                fds[i] = connect_to(&f);
                send_sample(&f, fds[i], HEAD);
        }
        for (size_t i = 0; i < N; i++) {
                expect_ok(&f, fds[i]);
                fd_close(fds[i]);
        }
        assert_int_equal(f.sink.n_written, N);
        assert_int_equal(f.sink.n_commits, 1);
        settle(&f);
        teardown(&f);
}

/* What cannot be stored is refused in a way that clients come again. */
static void test_failing_sink(void **state)
{
        static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                     "Content-Type: application/x-protobuf\r\n"
                                     "Content-Length: 33\r\n"
                                     "Retry-After: 5\r\n"
                                     "\r\n"
                                     "\x08\x0e\x12\x1dthe spans could not be stored";
        Fixture f;
        int fd;

        setup(&f, &server_limits_default);
        fd = connect_to(&f);
        f.sink.write_result = -ENOSPC;
        send_sample(&f, fd, HEAD);
        expect(&f, fd, answer, strlen(answer));
        assert_int_equal(f.sink.n_commits, 0);
        f.sink.write_result = 0;
        f.sink.commit_result = -EIO;
        send_sample(&f, fd, HEAD);
        expect(&f, fd, answer, strlen(answer));
        f.sink.commit_result = 0;
        send_sample(&f, fd, HEAD);
        expect_ok(&f, fd);
        fd_close(fd);
        settle(&f);
        teardown(&f);
}

/* A client that has sent all of its request and is gone has it delivered. */
static void test_client_gone(void **state)
{
        Fixture f;
        int fd;

        setup(&f, &server_limits_default);
        fd = connect_to(&f);
        send_sample(&f, fd, HEAD);
        fd_close(fd);
        settle(&f);
        assert_int_equal(f.sink.n_written, 1);

        fd = connect_to(&f);
        send_text(&f, fd, HEAD "Content-Length: 37\r\n\r\nhalf");
        fd_close(fd);
        settle(&f);
        assert_int_equal(f.sink.n_written, 1);

        fd = connect_to(&f);
        send_sample(&f, fd, HEAD);
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        expect_ok(&f, fd);
        expect_end(&f, fd);
        fd_close(fd);
        teardown(&f);
}

static ServerLimits limits_with(ConnectionPhase phase)
{
        ServerLimits limits = server_limits_default;

        limits.phases[phase] = 30 * NSEC_PER_MSEC;
        return limits;
}

static void test_slow_request(void **state)
{
        static const char *const starts[] = {
                "P",
                HEAD,
                HEAD "Content-Length: 37\r\n\r\nhalf",
                HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\n",
        };
        ServerLimits limits = limits_with(CONNECTION_REQUEST);
        Fixture f;

        limits.phases[CONNECTION_LINGER] = 30 * NSEC_PER_MSEC;
        setup(&f, &limits);
        for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
                int fd = connect_to(&f);

                send_text(&f, fd, starts[i]);
                expect_status(&f, fd, "503 Service Unavailable", true);
                fd_close(fd);
        }
        teardown(&f);
}

static void test_idle(void **state)
{
        ServerLimits limits = limits_with(CONNECTION_IDLE);
        Fixture f;
        int fd;

        setup(&f, &limits);
        fd = connect_to(&f);
        send_sample(&f, fd, HEAD);
        expect_ok(&f, fd);
        expect_end(&f, fd);
        fd_close(fd);
        teardown(&f);
}

/* A client that sends requests and reads no answers is held back, and then cut off. */
static void test_unread_answers(void **state)
{
        static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        ServerLimits limits = limits_with(CONNECTION_ANSWER);
        nsec_t deadline = nsec_add(clock_boottime(), PATIENCE);
        bool held_back = false;
        Fixture f;
        ssize_t r;
        int fd;

        setup(&f, &limits);
        fd = connect_to(&f);
        while ((r = send(fd, request, strlen(request), MSG_NOSIGNAL)) >= 0 || errno == EAGAIN) {
                assert_true(clock_boottime() < deadline);
                if (r < 0)
                        held_back |= sd_event_run(f.event, 10000) == 0;
        }
        assert_int_equal(errno, EPIPE);
        assert_true(held_back);
        fd_close(fd);
        teardown(&f);
}

/* Begins a body of @n bytes of which all but the last are sent; in chunks if @chunked. */
static int begin_large(Fixture *f, size_t n, bool chunked)
{
        int fd = connect_to(f);
        uint8_t *body = calloc(1, n);
        char head[512];

        (void)snprintf(head, sizeof(head), chunked ? HEAD "Transfer-Encoding: chunked\r\n\r\n%zx\r\n"
                                                   : HEAD "Content-Length: %zu\r\n\r\n", n);
        send_text(f, fd, head);
        send_bytes(f, fd, body, n - 1);
        settle(f);
        free(body);
        return fd;
}

enum { LARGE = 3 * REQUEST_BODY_OWN };

/* Large bodies wait for memory, in which the small ones do not share. Zeroes are no valid request,
 * so 400 is the answer to a large one that has been read. */
static void test_memory(void **state)
{
        ServerLimits limits = server_limits_default;
        int first, second, small;
        Fixture f;

        limits.memory = LARGE + 1;
        setup(&f, &limits);
        first = begin_large(&f, LARGE, false);
        second = begin_large(&f, LARGE, false);
        send_text(&f, second, "x");
        expect_nothing(&f, second);

        small = connect_to(&f);
        send_sample(&f, small, HEAD);
        expect_ok(&f, small);
        fd_close(small);

        send_text(&f, first, "x");
        expect_status(&f, first, "400 Bad Request", false);
        expect_status(&f, second, "400 Bad Request", false);
        fd_close(first);

        first = begin_large(&f, LARGE, false);
        send_text(&f, second, HEAD "Content-Length: 50000\r\n\r\n");
        settle(&f);
        fd_close(second); /* while it waits */
        settle(&f);
        send_text(&f, first, "x");
        expect_status(&f, first, "400 Bad Request", false);
        fd_close(first);
        settle(&f);
        teardown(&f);
}

/* The one that waits has begun before the one that has the memory, so its time is up first. */
static void test_memory_wait_ends(void **state)
{
        ServerLimits limits = limits_with(CONNECTION_REQUEST);
        int first, second;
        Fixture f;

        limits.phases[CONNECTION_REQUEST] = NSEC_PER_SEC;
        limits.phases[CONNECTION_LINGER] = 30 * NSEC_PER_MSEC;
        limits.memory = LARGE;
        setup(&f, &limits);
        second = connect_to(&f);
        send_text(&f, second, HEAD);
        settle(&f);
        first = begin_large(&f, LARGE, false);
        send_text(&f, second, "Content-Length: 30000\r\n\r\n");
        expect_status(&f, second, "503 Service Unavailable", true);
        fd_close(first);
        fd_close(second);
        settle(&f);
        teardown(&f);
}

/* A body of unknown length that needs more than there is gives up what it has. */
static void test_memory_of_chunks(void **state)
{
        ServerLimits limits = server_limits_default;
        int first, second;
        Fixture f;

        limits.memory = LARGE;
        limits.phases[CONNECTION_LINGER] = 30 * NSEC_PER_MSEC;
        setup(&f, &limits);
        first = begin_large(&f, LARGE, true);
        expect_status(&f, first, "503 Service Unavailable", true);
        second = begin_large(&f, LARGE, false);
        send_text(&f, second, "x");
        expect_status(&f, second, "400 Bad Request", false);
        fd_close(first);
        fd_close(second);
        settle(&f);
        teardown(&f);
}

/* The connection that has been idle longest gives way; one with a request under way does not. */
static void test_connections_max(void **state)
{
        ServerLimits limits = server_limits_default;
        Address address = {.kind = ADDRESS_UNIX};
        int busy, idle, third, fourth;
        Fixture f;

        (void)snprintf(address.path, sizeof(address.path), "/tmp/test-server-%d", (int)getpid());
        limits.connections = 2;
        setup(&f, &limits);
        assert_int_equal(server_listen(f.server, &address), 0);
        assert_int_equal(address_connect(&address, &busy), 0);
        send_text(&f, busy, HEAD "Content-Length: 37\r\n\r\n");
        settle(&f);
        assert_int_equal(address_connect(&address, &idle), 0);
        settle(&f);
        assert_int_equal(address_connect(&address, &third), 0);
        send_text(&f, third, "P");
        settle(&f);
        expect_end(&f, idle);

        assert_int_equal(address_connect(&address, &fourth), 0);
        send_sample(&f, fourth, HEAD);
        expect_nothing(&f, fourth);
        fd_close(third);
        expect_ok(&f, fourth);
        send_bytes(&f, busy, sample_request, sizeof(sample_request));
        expect_ok(&f, busy);
        fd_close(busy);
        fd_close(idle);
        fd_close(fourth);
        settle(&f);
        teardown(&f);
}

/* A connection that holds a root span does not give way, until that span has come. */
static void test_open_root_does_not_give_way(void **state)
{
        ServerLimits limits = server_limits_default;
        Address address = {.kind = ADDRESS_UNIX};
        int holder, idle, third, fourth;
        Fixture f;

        (void)snprintf(address.path, sizeof(address.path), "/tmp/test-server-%d", (int)getpid());
        limits.connections = 2;
        setup(&f, &limits);
        assert_int_equal(server_listen(f.server, &address), 0);
        assert_int_equal(address_connect(&address, &holder), 0);
        send_sample(&f, holder, OPEN_HEAD);
        expect_ok(&f, holder);
        assert_int_equal(address_connect(&address, &idle), 0);
        settle(&f);
        assert_int_equal(address_connect(&address, &third), 0);
        expect_end(&f, idle);
        expect_nothing(&f, holder);

        send_sample(&f, third, HEAD);
        expect_ok(&f, third);
        assert_int_equal(address_connect(&address, &fourth), 0);
        expect_end(&f, holder);
        open_roots_finish(f.roots);
        assert_int_equal(f.sink.n_written, 1);
        fd_close(holder);
        fd_close(idle);
        fd_close(third);
        fd_close(fourth);
        settle(&f);
        teardown(&f);
}

/* It is idle for as long as it likes; when it ends, the root span does. */
static void test_open_root_is_held(void **state)
{
        ServerLimits limits = server_limits_default;
        int holder, other;
        Fixture f;

        limits.phases[CONNECTION_IDLE] = 30 * NSEC_PER_MSEC;
        setup(&f, &limits);
        holder = connect_to(&f);
        send_sample(&f, holder, OPEN_HEAD);
        expect_ok(&f, holder);
        other = connect_to(&f);
        expect_end(&f, other);
        expect_nothing(&f, holder);
        open_roots_finish(f.roots);
        assert_int_equal(f.sink.n_written, 0);
        fd_close(holder);
        settle(&f);
        open_roots_finish(f.roots);
        assert_int_equal(f.sink.n_written, 1);
        fd_close(other);
        settle(&f);
        teardown(&f);
}

static void test_open_root_refused(void **state)
{
        int first, second;
        Fixture f;

        setup(&f, &server_limits_default);
        first = connect_to(&f);
        send_text(&f, first, OPEN_HEAD "Content-Length: 0\r\n\r\n");
        expect_status(&f, first, "400 Bad Request", false);
        send_text(&f, first, OPEN_HEAD "Content-Length: 1\r\n\r\nx");
        expect_status(&f, first, "400 Bad Request", false);
        send_sample(&f, first, OPEN_HEAD);
        expect_ok(&f, first);
        second = connect_to(&f);
        send_text(&f, second, OPEN_HEAD "Content-Length: 37\r\n\r\n");
        send_bytes(&f, second, sample_request, 16);
        send_bytes(&f, second, "another!", 8);
        send_bytes(&f, second, sample_request + 24, sizeof(sample_request) - 24);
        expect_status(&f, second, "503 Service Unavailable", false);
        fd_close(first);
        fd_close(second);
        settle(&f);
        assert_int_equal(f.sink.n_written, 0);
        teardown(&f);
}

/* What is under way is finished, what is idle is closed, and then the loop ends. */
static void test_stop(void **state)
{
        static const char answer[] = ANSWER("200 OK", "2") "Connection: close\r\n\r\n\n";
        int busy, idle;
        Fixture f;

        setup(&f, &server_limits_default);
        busy = connect_to(&f);
        idle = connect_to(&f);
        send_text(&f, busy, HEAD "Content-Length: 37\r\n\r\n");
        settle(&f);
        assert_int_equal(server_stop(f.server), 0);
        expect_end(&f, idle);
        assert_int_equal(sd_event_get_state(f.event), SD_EVENT_INITIAL);
        send_bytes(&f, busy, sample_request, sizeof(sample_request));
        expect(&f, busy, answer, sizeof(answer));
        expect_end(&f, busy);
        assert_int_equal(sd_event_loop(f.event), 0);
        assert_int_equal(f.sink.n_written, 1);
        fd_close(busy);
        fd_close(idle);
        teardown(&f);
}

static void test_stop_ends(void **state)
{
        ServerLimits limits = server_limits_default;
        Fixture f;
        int busy;

        limits.stop = 30 * NSEC_PER_MSEC;
        setup(&f, &limits);
        busy = connect_to(&f);
        send_text(&f, busy, HEAD "Content-Length: 37\r\n\r\n");
        settle(&f);
        assert_int_equal(server_stop(f.server), 0);
        assert_int_equal(sd_event_loop(f.event), 0);
        fd_close(busy);
        teardown(&f);
}

static void test_listen(void **state)
{
        Address address = {.kind = ADDRESS_UNIX};
        Fixture f, other;
        int fd;

        (void)snprintf(address.path, sizeof(address.path), "/tmp/test-server-%d", (int)getpid());
        setup(&f, &server_limits_default);
        setup(&other, &server_limits_default);
        assert_int_equal(server_listen(f.server, &address), 0);
        assert_int_equal(server_listen(other.server, &address), -EADDRINUSE);
        settle(&f);

        /* A path that has been taken over is not removed. */
        assert_int_equal(unlink(address.path), 0);
        assert_int_equal(server_listen(other.server, &address), 0);
        teardown(&f);
        assert_int_equal(access(address.path, F_OK), 0);
        teardown(&other);
        assert_int_equal(access(address.path, F_OK), -1);

        /* A stale one is replaced, something else is not. */
        assert_int_equal(address_connect(&address, &fd), -ENOENT);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        {
                struct sockaddr_storage storage;
                socklen_t n = address_to_sockaddr(&address, &storage);

                assert_int_equal(bind(fd, (struct sockaddr *)&storage, n), 0);
        }
        fd_close(fd);
        setup(&f, &server_limits_default);
        assert_int_equal(server_listen(f.server, &address), 0);
        teardown(&f);
        (void)snprintf(address.path, sizeof(address.path), "/tmp");
        setup(&f, &server_limits_default);
        assert_int_equal(server_listen(f.server, &address), -EEXIST);
        teardown(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_splits),
                UNIT_TEST(test_pipelining),
                UNIT_TEST(test_refusals),
                UNIT_TEST(test_unread_input),
                UNIT_TEST(test_head_method),
                UNIT_TEST(test_expect_continue),
                UNIT_TEST(test_gzip),
                UNIT_TEST(test_group),
                UNIT_TEST(test_failing_sink),
                UNIT_TEST(test_client_gone),
                UNIT_TEST(test_slow_request),
                UNIT_TEST(test_idle),
                UNIT_TEST(test_unread_answers),
                UNIT_TEST(test_memory),
                UNIT_TEST(test_memory_wait_ends),
                UNIT_TEST(test_memory_of_chunks),
                UNIT_TEST(test_connections_max),
                UNIT_TEST(test_open_root_does_not_give_way),
                UNIT_TEST(test_open_root_is_held),
                UNIT_TEST(test_open_root_refused),
                UNIT_TEST(test_stop),
                UNIT_TEST(test_stop_ends),
                UNIT_TEST(test_listen),
        };

        return RUN_TESTS(tests);
}
