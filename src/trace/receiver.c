/* The receiver. When there are as many connections as may be, the one that has been idle longest
 * gives way to a new one; when none is idle, new ones wait in the socket's queue. */

#include "trace/receiver.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"
#include "trace/connection.h"

enum { BODIES_MAX = 2 * INTAKE_BODY_MAX }; /* all large bodies together */

static const nsec_t ACCEPT_PAUSE = 100 * NSEC_PER_MSEC; /* after an error that would come again */
static const nsec_t LOG_PAUSE = NSEC_PER_SEC;           /* between two lines about refusals */

typedef struct Listening {
        Receiver *receiver;
        int fd;
        LoopWatch watch;
} Listening;

struct Receiver {
        Loop *loop;
        Intake *intake;
        const ReceiverEvents *events;
        void *owner;
        ConnectionContext context;
        Listening sockets[RECEIVER_SOCKETS_MAX];
        size_t n_sockets;
        LoopTimer step;   /* what an event of a connection means for others, out of its call */
        LoopTimer resume; /* accepting */
        LoopTimer end;    /* of receiver_finish() */
        nsec_t quiet_until;
        Connection connections[RECEIVER_CONNECTIONS_MAX];
};

static void set_accepting(Receiver *receiver, bool on)
{
        for (size_t i = 0; i < receiver->n_sockets; i++) {
                Listening *socket = &receiver->sockets[i];

                if (!on)
                        loop_unwatch(receiver->loop, &socket->watch);
                else if (loop_watch(receiver->loop, &socket->watch, socket->fd, EPOLLIN) < 0)
                        receiver->resume.deadline = nsec_add(clock_boottime(), ACCEPT_PAUSE);
        }
}

static Connection *find_unused(Receiver *receiver)
{
        for (size_t i = 0; i < RECEIVER_CONNECTIONS_MAX; i++)
                if (receiver->connections[i].state == CONNECTION_UNUSED)
                        return &receiver->connections[i];
        return NULL;
}

static Connection *find_longest_idle(Receiver *receiver)
{
        Connection *longest = NULL;
        nsec_t since = NSEC_INFINITY;

        for (size_t i = 0; i < RECEIVER_CONNECTIONS_MAX; i++)
                if (connection_idle_since(&receiver->connections[i]) < since) {
                        longest = &receiver->connections[i];
                        since = connection_idle_since(longest);
                }
        return longest;
}

/* A place for one more connection, or NULL. */
static Connection *make_room(Receiver *receiver)
{
        for (size_t i = 0; i < RECEIVER_CONNECTIONS_MAX; i++) {
                Connection *connection = find_unused(receiver);

                if (connection)
                        return connection;
                connection = find_longest_idle(receiver);
                if (!connection)
                        return NULL;
                connection_give_way(connection);
        }
        return find_unused(receiver);
}

/* Returns 0, -EAGAIN if there is nobody, -EBUSY if there is no room, or -errno. */
static int accept_one(Listening *listening)
{
        Connection *connection = make_room(listening->receiver);
        _cleanup_(fd_closep) int fd = -EBADF;
        int r;

        if (!connection)
                return -EBUSY;
        fd = RET_ERRNO(accept4(listening->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (fd < 0)
                return fd;
        r = connection_begin(connection, &listening->receiver->context, fd);
        if (r < 0)
                return r;
        TAKE_FD(fd);
        return 0;
}

static void on_accept(void *owner, uint32_t events)
{
        Listening *listening = owner;
        Receiver *receiver = listening->receiver;
        int r = accept_one(listening);

        switch (r) {
        case 0:
        case -EAGAIN:
        case -EINTR:
        case -ECONNABORTED: /* gone before we came to it */
                break;
        case -EBUSY:
                set_accepting(receiver, false); /* until a connection ends */
                break;
        default:
                /* Without descriptors or memory the event would come again at once and for ever. */
                log_error_errno(r, "Cannot accept a connection");
                set_accepting(receiver, false);
                receiver->resume.deadline = nsec_add(clock_boottime(), ACCEPT_PAUSE);
                break;
        }
}

static void on_resume(void *owner)
{
        Receiver *receiver = owner;

        if (!receiver->context.finishing)
                set_accepting(receiver, true);
}

static void take(void *owner, Request *request, Answer *ret)
{
        Receiver *receiver = owner;

        intake_take(receiver->intake, request, ret);
        if (ret->status == 200)
                receiver->events->received(receiver->owner);
}

/* Not more often than once a second: programs of the guest must not flood the console. */
static void on_refused(void *owner, const Answer *answer)
{
        Receiver *receiver = owner;
        nsec_t now = clock_boottime();

        if (now < receiver->quiet_until)
                return;
        log_info("Answered %u to a local program: %s", answer->status, answer->message);
        receiver->quiet_until = nsec_add(now, LOG_PAUSE);
}

/* Takes over all that wait in the sockets' queues, as far as there is room. Returns whether it came
 * to the end of them. */
static bool empty_queues(Receiver *receiver)
{
        if (!receiver->context.policy.authorization)
                return true; /* never started */
        for (size_t i = 0; i < receiver->n_sockets; i++) {
                int r;

                do
                        r = accept_one(&receiver->sockets[i]);
                while (r == 0 || r == -EINTR || r == -ECONNABORTED);
                if (r == -EBUSY)
                        return false;
        }
        return true;
}

static bool has_connections(const Receiver *receiver)
{
        for (size_t i = 0; i < RECEIVER_CONNECTIONS_MAX; i++)
                if (receiver->connections[i].state != CONNECTION_UNUSED)
                        return true;
        return false;
}

static void end_finish(Receiver *receiver)
{
        for (size_t i = 0; i < RECEIVER_CONNECTIONS_MAX; i++)
                connection_end(&receiver->connections[i]);
        receiver->step.deadline = NSEC_INFINITY;
        receiver->end.deadline = NSEC_INFINITY;
        receiver->events->finished(receiver->owner);
}

static void on_step(void *owner)
{
        Receiver *receiver = owner;
        bool emptied = receiver->context.finishing && empty_queues(receiver);

        for (size_t i = 0; i < RECEIVER_CONNECTIONS_MAX; i++) {
                connection_retry(&receiver->connections[i]);
                if (receiver->context.finishing)
                        connection_give_way(&receiver->connections[i]);
        }
        if (emptied && !has_connections(receiver))
                end_finish(receiver);
}

static void on_memory_freed(void *owner)
{
        Receiver *receiver = owner;

        receiver->step.deadline = 0;
}

static void on_ended(void *owner)
{
        Receiver *receiver = owner;

        if (receiver->context.finishing)
                receiver->step.deadline = 0;
        else
                set_accepting(receiver, true);
}

static void on_end(void *owner)
{
        log_warning("Programs of the guest were still sending spans");
        end_finish(owner);
}

int receiver_new(Loop *loop, Intake *intake, const int *fds, size_t n,
                 const ReceiverEvents *events, void *owner, Receiver **ret)
{
        Receiver *receiver = calloc(1, sizeof(*receiver));

        if (!receiver)
                return -ENOMEM;
        receiver->loop = loop;
        receiver->intake = intake;
        receiver->events = events;
        receiver->owner = owner;
        receiver->context = (ConnectionContext){
                .loop = loop,
                .policy = {.body_max = INTAKE_BODY_MAX, .json = true},
                .limits = {
                        [CONNECTION_IDLE] = 300 * NSEC_PER_SEC,
                        [CONNECTION_REQUEST] = 10 * NSEC_PER_SEC,
                        [CONNECTION_ANSWER] = 10 * NSEC_PER_SEC,
                        [CONNECTION_LINGER] = NSEC_PER_SEC,
                },
                .memory = BODIES_MAX,
                .take = take,
                .refused = on_refused,
                .memory_freed = on_memory_freed,
                .ended = on_ended,
                .owner = receiver,
        };
        receiver->n_sockets = n;
        for (size_t i = 0; i < n; i++) {
                Listening *listening = &receiver->sockets[i];

                *listening = (Listening){receiver, fds[i], {.fd = -EBADF, .ready = on_accept,
                                                            .owner = listening}};
        }
        loop_add_timer(loop, &receiver->step, on_step, receiver);
        loop_add_timer(loop, &receiver->resume, on_resume, receiver);
        loop_add_timer(loop, &receiver->end, on_end, receiver);
        *ret = receiver;
        return 0;
}

Receiver *receiver_free(Receiver *receiver)
{
        if (!receiver)
                return NULL;
        for (size_t i = 0; i < RECEIVER_CONNECTIONS_MAX; i++)
                connection_end(&receiver->connections[i]);
        set_accepting(receiver, false);
        loop_remove_timer(receiver->loop, &receiver->step);
        loop_remove_timer(receiver->loop, &receiver->resume);
        loop_remove_timer(receiver->loop, &receiver->end);
        free(receiver);
        return NULL;
}

void receiver_freep(Receiver **receiver)
{
        *receiver = receiver_free(*receiver);
}

void receiver_start(Receiver *receiver, const char *authorization)
{
        receiver->context.policy.authorization = authorization;
        set_accepting(receiver, true);
}

void receiver_finish(Receiver *receiver, nsec_t deadline)
{
        set_accepting(receiver, false);
        receiver->context.finishing = true;
        receiver->end.deadline = deadline;
        receiver->step.deadline = 0;
}
