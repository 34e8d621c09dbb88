/* The tracer process as PID 1 sees it. */

#include "init/tracer.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "init/spawn.h"

/* The agent goes first: without the tracer nobody learns why. */
#define TRACER_OOM_SCORE "-998"

/* One record on its way in or out. */
static uint8_t buffer[LINK_RECORD_MAX];

void tracer_init(Tracer *tracer)
{
        tracer->pid = 0;
        tracer->link = -EBADF;
        tracer->starts = 0;
        tracer->lost = 0;
}

void tracer_done(Tracer *tracer)
{
        tracer->link = fd_close(tracer->link);
}

int tracer_start(Tracer *tracer, const Address *endpoint, const Receiver *receiver)
{
        _cleanup_(fd_closep) int ours = -EBADF, theirs = -EBADF;
        char address[ADDRESS_TEXT_MAX], argument[sizeof("--endpoint=") + ADDRESS_TEXT_MAX];
        const char *argv[4 + RECEIVER_SOCKETS_MAX] = {TRACER_PATH, "--link-fd=3", argument};
        static const char *const listen_arguments[] = {"--listen-fd=4", "--listen-fd=5"};
        int fds[2], pass_fds[1 + RECEIVER_SOCKETS_MAX], r;

        _Static_assert(SPAWN_PASS_FD == 3 && SPAWN_PASS_MAX == 1 + RECEIVER_SOCKETS_MAX,
                       "the numbers in the arguments");
        tracer_done(tracer);
        r = RET_ERRNO(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
        if (r < 0)
                return r;
        ours = fds[0];
        theirs = fds[1];
        address_format(endpoint, address);
        (void)snprintf(argument, sizeof(argument), "--endpoint=%s", address);
        pass_fds[0] = theirs;
        for (size_t i = 0; i < receiver->n; i++) {
                argv[3 + i] = listen_arguments[i];
                pass_fds[1 + i] = receiver->listeners[i].fd;
        }
        r = spawn(&(SpawnOptions){.argv = argv,
                                  .envp = (const char *const[]){NULL},
                                  .pass_fds = pass_fds,
                                  .n_pass_fds = 1 + receiver->n,
                                  .oom_score = TRACER_OOM_SCORE,
                                  .new_session = true},
                  &tracer->pid);
        if (r < 0)
                return r;
        tracer->starts++;
        tracer->lost = 0; /* it is told everything anew */
        tracer->link = TAKE_FD(ours);
        return 0;
}

int tracer_send(Tracer *tracer, const LinkRecord *record)
{
        ptrdiff_t n = link_record_encode(record, buffer, sizeof(buffer));
        int r = (int)n;

        if (n >= 0 && tracer->link < 0)
                r = -ENOTCONN;
        else if (n >= 0)
                r = (int)RET_ERRNO(send(tracer->link, buffer, (size_t)n, MSG_NOSIGNAL));
        if (r < 0 && record->type == LINK_SPAN)
                tracer->lost++;
        return MIN(r, 0);
}

int tracer_receive(Tracer *tracer, LinkRecord *ret)
{
        ssize_t n;

        if (tracer->link < 0)
                return TRACER_E_GONE;
        /* A tracer that left records of ours unread when it closed shows as a reset, once, ahead of the
         * records of its own that are still to be read. */
        do
                n = RET_ERRNO(recv(tracer->link, buffer, sizeof(buffer), MSG_TRUNC));
        while (n == -ECONNRESET);
        if (n == -EAGAIN || n == -EINTR)
                return TRACER_E_NONE;
        if (n <= 0) {
                tracer_done(tracer);
                return TRACER_E_GONE;
        }
        if ((size_t)n > sizeof(buffer) ||
            link_record_decode(buffer, (size_t)n, ret) < 0)
                return TRACER_E_BAD;
        switch (ret->type) {
        case LINK_ACKED:
        case LINK_FAILED:
        case LINK_FLUSHED:
        case LINK_RESUMED:
                return 0;
        case LINK_TRACE:
        case LINK_SPAN:
        case LINK_FLUSH:
        case LINK_OPEN:
                return TRACER_E_BAD;
        }
        return TRACER_E_BAD;
}
