/* A whole connection of the forwarder: the first byte says in pieces of which size the rest is
 * sent. Whatever comes, the answers are well-formed responses, and there is a 200 for every batch
 * that reached the sink; there is no room for open root spans, which have a target of their own. */

#include <errno.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "forward/server.h"
#include "fuzz.h"
#include "http-answers.h"

enum { ANSWERS_MAX = 256 * 1024 };

static size_t n_written;

static int sink_write(Sink *sink, const Batch *batch)
{
        n_written++;
        return 0;
}

static int sink_commit(Sink *sink)
{
        return 0;
}

/* Runs the loop until nothing is left to do; returns what the client has got by then. */
static size_t run(sd_event *event, int fd, uint8_t *answers, size_t n)
{
        ssize_t got;

        while (sd_event_run(event, 0) > 0)
                ;
        got = recv(fd, answers + n, ANSWERS_MAX - n, MSG_DONTWAIT);
        return got > 0 ? n + (size_t)got : n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const SinkOps ops = {sink_write, sink_commit};
        static uint8_t answers[ANSWERS_MAX];
        Sink sink = {&ops, "nothing"}, *sinks[] = {&sink, NULL};
        size_t piece, answers_n = 0;
        OpenRoots *roots;
        Delivery *delivery;
        sd_event *event;
        Server *server;
        int fds[2];

        if (n == 0)
                return 0;
        piece = data[0] == 0 ? n : data[0];
        log_setup(NULL, -EBADF, LOG_FORMAT_PLAIN, LOG_LEVEL_ERROR);
        n_written = 0;
        assert(sd_event_new(&event) >= 0);
        assert(open_roots_new(event, 0, OPEN_ROOTS_GRACE, &roots) == 0);
        sinks[1] = open_roots_sink(roots);
        assert(delivery_new(event, sinks, 2, &delivery) == 0);
        open_roots_set_delivery(roots, delivery);
        assert(server_new(event, delivery, roots, &server_limits_default, &server) == 0);
        assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
        assert(server_add_connection(server, fds[1], "fuzz") == 0);

        for (size_t i = 1; i < n;) {
                size_t size = piece < n - i ? piece : n - i;
                ssize_t sent = send(fds[0], data + i, size, MSG_NOSIGNAL);

                answers_n = run(event, fds[0], answers, answers_n);
                if (sent < 0 && errno == EAGAIN)
                        continue;
                if (sent < 0)
                        break;
                i += (size_t)sent;
        }
        answers_n = run(event, fds[0], answers, answers_n);
        assert(count_successes(answers, answers_n) == n_written || answers_n == ANSWERS_MAX);

        fd_close(fds[0]);
        server_free(server);
        open_roots_free(roots);
        delivery_free(delivery);
        sd_event_unref(event);
        return 0;
}
