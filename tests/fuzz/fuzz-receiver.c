/* A whole connection of the tracer's receiver: the first byte says in pieces of which size the rest
 * is sent. Whatever comes, the answers are well-formed responses, and what is in the store has no
 * fault. */

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "fuzz.h"
#include "http-answers.h"
#include "otlp/scan.h"
#include "trace/connection.h"
#include "trace/intake.h"

enum {
        ANSWERS_MAX = 256 * 1024,
        MEMORY = 64 * 1024,
        STORE_MAX = 1024 * 1024,
};

static Connection connection;
static bool ended;

static void take(void *owner, Request *request, Answer *ret)
{
        intake_take(owner, request, ret);
}

static void on_refused(void *owner, const Answer *answer)
{
        assert(answer->status >= 400 && answer->message);
}

static void on_memory_freed(void *owner)
{
}

static void on_ended(void *owner)
{
        ended = true;
}

/* Lets the connection do what it can; returns what the client has got by then. */
static size_t run(int fd, uint8_t *answers, size_t n)
{
        ssize_t got;

        /* Nothing to read is an answer, too. */
        for (int i = 0; !ended && i < 8; i++)
                connection.watch.ready(&connection, connection.watch.events);
        got = recv(fd, answers + n, ANSWERS_MAX - n, MSG_DONTWAIT);
        return got > 0 ? n + (size_t)got : n;
}

static void check_store(SpanStore *store)
{
        SpanBatch all = span_store_peek(store, SIZE_MAX, SIZE_MAX);
        Buffer request;
        Scan scan;

        buffer_init(&request, SIZE_MAX);
        assert(span_store_read(store, &all, &request) == 0);
        assert(scan_request(&scan, buffer_data(&request), buffer_length(&request)) == 0);
        assert(scan.spans == all.spans);
        buffer_done(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static uint8_t answers[ANSWERS_MAX];
        static Intake intake;
        ConnectionContext context = {
                .policy = {.body_max = MEMORY, .json = true},
                .limits = {NSEC_INFINITY, NSEC_INFINITY, NSEC_INFINITY, NSEC_INFINITY},
                .memory = MEMORY,
                .take = take,
                .refused = on_refused,
                .memory_freed = on_memory_freed,
                .ended = on_ended,
                .owner = &intake,
        };
        size_t piece, answers_n = 0;
        Loop loop;
        int fds[2];

        if (n == 0)
                return 0;
        piece = data[0] == 0 ? n : data[0];
        intake = (Intake){.adoption = {.enabled = true, .trace_id = {{1}}, .parent = {{1}}}};
        ended = false;
        assert(loop_init(&loop) == 0);
        assert(span_store_new(STORE_MAX, 0, &intake.store) == 0);
        assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
        context.loop = &loop;
        assert(connection_begin(&connection, &context, fds[1]) == 0);

        for (size_t i = 1; i < n && !ended && answers_n < ANSWERS_MAX;) {
                ssize_t sent = send(fds[0], data + i, piece < n - i ? piece : n - i, MSG_NOSIGNAL);

                answers_n = run(fds[0], answers, answers_n);
                if (sent < 0 && errno != EAGAIN)
                        break;
                i += sent < 0 ? 0 : (size_t)sent;
        }
        answers_n = run(fds[0], answers, answers_n);
        if (answers_n < ANSWERS_MAX)
                (void)count_successes(answers, answers_n);
        check_store(intake.store);

        if (!ended)
                connection_end(&connection);
        assert(context.memory == MEMORY);
        intake.store = span_store_free(intake.store);
        fd_close(fds[0]);
        loop_done(&loop);
        return 0;
}
