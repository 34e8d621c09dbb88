/* The connection as a state machine. Event handlers change the state; settle(), which each of them
 * calls last, then makes socket events and deadline match it, or ends the connection. Nothing is
 * read while there is an answer to write, so a client that pipelines is held back by its own
 * socket. */

#include "trace/connection.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/macro.h"
#include "http/message.h"

enum {
        INPUT_MAX = HTTP_HEAD_MAX, /* a head must fit, a body passes through */
        OUTPUT_MAX = 4 * ANSWER_MAX,
};

/* Not 408, upon which OTLP's clients give up: a VM that was paused may come again. */
static const Answer too_slow = {503, "the request took too long", "Retry-After: 1"};
static const Answer no_room = {429, "too many large requests at once", "Retry-After: 1"};
static const Answer no_memory = {503, "out of memory", "Retry-After: 1"};

static void end_request(Connection *c)
{
        request_done(&c->request);
        if (c->claimed > 0) {
                c->context->memory += c->claimed;
                c->claimed = 0;
                c->context->memory_freed(c->context->owner);
        }
}

static void send_output(Connection *c)
{
        while (buffer_length(&c->output) > 0) {
                ssize_t n = RET_ERRNO(send(c->fd, buffer_data(&c->output),
                                           buffer_length(&c->output), MSG_NOSIGNAL));

                if (n == -EAGAIN)
                        return;
                if (n < 0 && n != -EINTR) {
                        c->state = CONNECTION_ENDED;
                        return;
                }
                buffer_consume(&c->output, n < 0 ? 0 : (size_t)n);
        }
        if (c->last)
                c->state = c->linger ? CONNECTION_LINGERING : CONNECTION_ENDED;
}

/* Answers the request under way and makes ready for the next. */
static void answer(Connection *c, const Answer *what)
{
        AnswerForm form = {.keep_alive = c->request.keep_alive && !c->context->finishing,
                           .head_only = c->request.head_only,
                           .json = c->request.json};

        if (what->status >= 400)
                c->context->refused(c->context->owner, what);
        c->state = CONNECTION_READING;
        c->last = !form.keep_alive;
        if (answer_append(what, &form, &c->output) < 0)
                c->state = CONNECTION_ENDED;
        end_request(c);
        request_init(&c->request, &c->context->policy);
        c->new_request = true;
        if (c->last)
                buffer_clear(&c->input);
        if (c->state != CONNECTION_ENDED)
                send_output(c);
}

/* The same where the rest of the request is of no interest. */
static void answer_and_end(Connection *c, const Answer *what)
{
        c->request.keep_alive = false;
        c->linger = true;
        answer(c, what);
}

/* Does the body fit what is free? A request that holds shared memory may not wait for more of it,
 * or two of them could wait for each other. */
static void claim_memory(Connection *c)
{
        size_t more = c->request.wanted - c->claimed;

        if (more <= c->context->memory) {
                c->context->memory -= more;
                c->claimed += more;
                c->request.body.max = c->request.wanted;
                c->state = CONNECTION_READING;
        } else if (c->claimed > 0) {
                answer_and_end(c, &no_room);
        } else {
                c->state = CONNECTION_WAITING;
        }
}

static void finish_request(Connection *c)
{
        Answer taken;

        if (c->request.refusal && c->request.cut) {
                answer_and_end(c, c->request.refusal);
        } else if (c->request.refusal) {
                answer(c, c->request.refusal);
        } else {
                c->context->take(c->context->owner, &c->request, &taken);
                answer(c, &taken);
        }
}

/* Reads requests off the input, as long as nothing keeps us from answering the next. */
static void process(Connection *c)
{
        while (c->state == CONNECTION_READING && buffer_length(&c->output) == 0) {
                size_t used;
                int r = request_read(&c->request, buffer_data(&c->input),
                                     buffer_length(&c->input), &used);

                buffer_consume(&c->input, used);
                switch (r) {
                case 0:
                        finish_request(c);
                        break;
                case REQUEST_E_MORE:
                        return;
                case REQUEST_E_CONTINUE:
                        if (answer_append_continue(&c->output) < 0)
                                c->state = CONNECTION_ENDED;
                        else
                                send_output(c);
                        break;
                case REQUEST_E_ROOM:
                        claim_memory(c);
                        break;
                default:
                        answer_and_end(c, &no_memory);
                        break;
                }
        }
}

/* Receives what there is, once: the event comes again. */
static void receive(Connection *c)
{
        size_t n = INPUT_MAX - buffer_length(&c->input);
        ssize_t got;
        uint8_t *room;

        got = buffer_reserve(&c->input, n, &room);
        if (got == 0)
                got = RET_ERRNO(recv(c->fd, room, n, 0));
        if (got == -EAGAIN || got == -EINTR)
                return;
        if (got <= 0)
                c->state = CONNECTION_ENDED;
        else if (c->state == CONNECTION_READING)
                buffer_commit(&c->input, (size_t)got);
}

static ConnectionPhase find_phase(const Connection *c)
{
        if (buffer_length(&c->output) > 0)
                return CONNECTION_ANSWER;
        if (c->state == CONNECTION_LINGERING)
                return CONNECTION_LINGER;
        if (c->request.phase != REQUEST_HEAD || buffer_length(&c->input) > 0)
                return CONNECTION_REQUEST;
        return CONNECTION_IDLE;
}

static void set_deadline(Connection *c, ConnectionPhase phase)
{
        if (phase == c->phase && !c->new_request)
                return;
        c->phase = phase;
        c->new_request = false;
        c->phase_start = clock_boottime();
        c->timer.deadline = nsec_add(c->phase_start, c->context->limits[phase]);
}

static uint32_t find_events(const Connection *c)
{
        if (buffer_length(&c->output) > 0)
                return EPOLLOUT;
        return c->state == CONNECTION_WAITING ? 0 : EPOLLIN;
}

static void settle(Connection *c)
{
        ConnectionPhase phase = find_phase(c);

        if (c->context->finishing && phase == CONNECTION_IDLE)
                c->state = CONNECTION_ENDED;
        if (c->state != CONNECTION_ENDED &&
            loop_watch(c->context->loop, &c->watch, c->fd, find_events(c)) < 0)
                c->state = CONNECTION_ENDED; /* without memory for it */
        if (c->state == CONNECTION_ENDED) {
                connection_end(c);
                c->context->ended(c->context->owner);
        } else {
                set_deadline(c, phase);
        }
}

static void on_ready(void *owner, uint32_t events)
{
        Connection *c = owner;

        if (events & EPOLLOUT)
                send_output(c);
        else if (events & EPOLLIN)
                receive(c);
        else
                c->state = CONNECTION_ENDED; /* the client is gone */
        process(c);
        settle(c);
}

static void on_timer(void *owner)
{
        Connection *c = owner;

        if (c->phase == CONNECTION_REQUEST)
                answer_and_end(c, c->state == CONNECTION_WAITING ? &no_room : &too_slow);
        else
                c->state = CONNECTION_ENDED;
        settle(c);
}

int connection_begin(Connection *c, ConnectionContext *context, int fd)
{
        int r;

        *c = (Connection){
                .context = context,
                .state = CONNECTION_READING,
                .fd = fd,
                .watch = {.fd = -EBADF, .ready = on_ready, .owner = c},
                .new_request = true,
        };
        r = loop_watch(context->loop, &c->watch, fd, EPOLLIN);
        if (r < 0) {
                *c = (Connection){0};
                return r;
        }
        loop_add_timer(context->loop, &c->timer, on_timer, c);
        buffer_init(&c->input, INPUT_MAX);
        buffer_init(&c->output, OUTPUT_MAX);
        request_init(&c->request, &context->policy);
        set_deadline(c, CONNECTION_IDLE);
        return 0;
}

void connection_end(Connection *c)
{
        if (c->state == CONNECTION_UNUSED)
                return;
        loop_unwatch(c->context->loop, &c->watch);
        loop_remove_timer(c->context->loop, &c->timer);
        end_request(c);
        buffer_done(&c->input);
        buffer_done(&c->output);
        c->fd = fd_close(c->fd);
        c->state = CONNECTION_UNUSED;
}

nsec_t connection_idle_since(const Connection *c)
{
        bool idle = c->state != CONNECTION_UNUSED && c->phase == CONNECTION_IDLE;

        return idle ? c->phase_start : NSEC_INFINITY;
}

void connection_retry(Connection *c)
{
        if (c->state != CONNECTION_WAITING)
                return;
        claim_memory(c);
        process(c);
        settle(c);
}

void connection_give_way(Connection *c)
{
        if (c->state == CONNECTION_UNUSED)
                return;
        /* What has arrived and was not read yet makes a connection not idle. */
        if (find_phase(c) == CONNECTION_IDLE)
                receive(c);
        process(c);
        if (find_phase(c) == CONNECTION_IDLE)
                c->state = CONNECTION_ENDED;
        settle(c);
}
