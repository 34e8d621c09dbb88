/* One HTTP connection as a state machine. Event handlers change the state and never the event
 * sources; settle(), which each of them calls last, then makes socket events and deadline match the
 * state, or ends the connection. Nothing is read while there is an answer to write or a batch under
 * way, so a client that pipelines is held back by its own socket. */

#include "forward/connection.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/buffer.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"
#include "forward/export.h"
#include "http/message.h"
#include "http/request.h"

enum {
        INPUT_MAX = HTTP_HEAD_MAX, /* a head must fit, a body passes through */
        OUTPUT_MAX = 4 * ANSWER_MAX,
        PEER_MAX = 24,
};

typedef enum State {
        STATE_READING,
        STATE_WAITING, /* for memory */
        STATE_DELIVERING,
        STATE_LINGERING,
        STATE_ENDED,
} State;

struct Connection {
        ConnectionContext *context;
        ConnectionLinks links;
        int fd;
        sd_event_source *io;
        sd_event_source *timer;
        char peer[PEER_MAX];

        State state;
        bool last;   /* the answer in @output is the last */
        bool linger; /* there may be more input behind it */

        ConnectionPhase phase;
        nsec_t phase_start;
        bool new_request; /* since the phase was determined */

        Buffer input;
        Request request;
        size_t claimed; /* of the shared memory */
        Parcel *parcel; /* of STATE_DELIVERING */
        OpenRoot *root; /* that this connection holds */
        Buffer output;
};

static const RequestPolicy policy = {.body_max = EXPORT_BODY_MAX, .open = true};

/* Not 408, upon which OTLP's clients give up: a VM that was paused may come again. */
static const Answer too_slow = {503, "the request took too long", "Retry-After: 1"};
static const Answer no_room = {503, "too many large requests at once", "Retry-After: 1"};
static const Answer not_delivered = {503, "the spans could not be stored", "Retry-After: 5"};
static const Answer no_open_root = {400, "not one span that has begun", NULL};
static const Answer large_open_root = {413, "the span is larger than 16 KiB", NULL};
static const Answer too_many_open_roots = {503, "too many open root spans", "Retry-After: 30"};
static const Answer no_memory = {503, "out of memory", "Retry-After: 1"};

static void end_request(Connection *c)
{
        request_done(&c->request);
        if (c->claimed > 0) {
                c->context->memory += c->claimed;
                c->claimed = 0;
                c->context->memory_freed(c->context->userdata);
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
                        c->state = STATE_ENDED;
                        return;
                }
                buffer_consume(&c->output, n < 0 ? 0 : (size_t)n);
        }
        buffer_done(&c->output);
        if (c->last)
                c->state = c->linger ? STATE_LINGERING : STATE_ENDED;
}

/* Not more often than once a second for all: guests must not flood the host's log. */
static void log_refusal(const Connection *c, const Answer *what)
{
        nsec_t now = clock_boottime();

        if (now < c->context->quiet_until)
                return;
        log_info("%s: answered %u: %s", c->peer, what->status, what->message);
        c->context->quiet_until = nsec_add(now, NSEC_PER_SEC);
}

/* Answers the request under way and makes ready for the next. */
static void answer(Connection *c, const Answer *what)
{
        AnswerForm form = {.keep_alive = c->request.keep_alive && !c->context->stopping,
                           .head_only = c->request.head_only};

        if (what->status >= 400)
                log_refusal(c, what);
        c->state = STATE_READING;
        c->last = !form.keep_alive;
        if (answer_append(what, &form, &c->output) < 0)
                c->state = STATE_ENDED;
        end_request(c);
        request_init(&c->request, &policy);
        c->new_request = true;
        if (c->last)
                buffer_done(&c->input);
        if (c->state != STATE_ENDED)
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
                c->state = STATE_READING;
        } else if (c->claimed > 0) {
                answer_and_end(c, &no_room);
        } else {
                c->state = STATE_WAITING;
        }
}

static void process(Connection *c);
static void settle(Connection *c);

static void on_delivered(void *userdata, int result)
{
        Connection *c = userdata;

        c->parcel = NULL;
        answer(c, result == 0 ? &answer_ok : &not_delivered);
        process(c);
        settle(c);
}

static void hold_root(Connection *c, const Batch *batch)
{
        switch (open_roots_hold(c->context->roots, batch, &c->root)) {
        case 0:
                log_debug("%s: holds an open root span", c->peer);
                answer(c, &answer_ok);
                break;
        case OPEN_ROOTS_E_BAD:
                answer(c, &no_open_root);
                break;
        case OPEN_ROOTS_E_TOO_LARGE:
                answer(c, &large_open_root);
                break;
        case OPEN_ROOTS_E_FULL:
                answer(c, &too_many_open_roots);
                break;
        default:
                answer(c, &no_memory);
                break;
        }
}

static void deliver(Connection *c)
{
        Batch *batch = NULL;
        ExportRefusal refusal;

        if (export_decode(&c->request, &batch, &refusal) != 0) {
                answer(c, &refusal.answer);
                return;
        }
        if (c->request.open) {
                hold_root(c, batch);
                (void)batch_free(batch);
                return;
        }
        end_request(c);
        if (delivery_add(c->context->delivery, batch, on_delivered, c, &c->parcel) < 0) {
                (void)batch_free(batch);
                answer(c, &no_memory);
                return;
        }
        c->state = STATE_DELIVERING;
}

static void finish_request(Connection *c)
{
        const Answer *refusal = c->request.refusal;

        if (!refusal)
                deliver(c);
        else if (c->request.cut)
                answer_and_end(c, refusal);
        else
                answer(c, refusal);
}

/* Reads requests off the input, as long as nothing keeps us from answering the next. */
static void process(Connection *c)
{
        while (c->state == STATE_READING && buffer_length(&c->output) == 0) {
                size_t used;
                int r = request_read(&c->request, buffer_data(&c->input),
                                     buffer_length(&c->input), &used);

                buffer_consume(&c->input, used);
                switch (r) {
                case 0:
                        finish_request(c);
                        break;
                case REQUEST_E_MORE:
                        if (buffer_length(&c->input) == 0)
                                buffer_done(&c->input);
                        return;
                case REQUEST_E_CONTINUE:
                        if (answer_append_continue(&c->output) < 0)
                                c->state = STATE_ENDED;
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
        uint8_t *room;
        ssize_t n;

        n = buffer_reserve(&c->input, INPUT_MAX - buffer_length(&c->input), &room);
        if (n == 0)
                n = RET_ERRNO(recv(c->fd, room, INPUT_MAX - buffer_length(&c->input), 0));
        if (n == -EAGAIN || n == -EINTR)
                return;
        if (n <= 0) {
                c->state = STATE_ENDED;
                return;
        }
        if (c->state == STATE_READING)
                buffer_commit(&c->input, (size_t)n);
}

static bool has_begun(const Connection *c)
{
        return c->request.phase != REQUEST_HEAD || buffer_length(&c->input) > 0;
}

static ConnectionPhase find_phase(const Connection *c)
{
        if (buffer_length(&c->output) > 0)
                return CONNECTION_ANSWER;
        switch (c->state) {
        case STATE_READING:
                return has_begun(c) ? CONNECTION_REQUEST : CONNECTION_IDLE;
        case STATE_WAITING:
                return CONNECTION_REQUEST;
        case STATE_DELIVERING:
                return CONNECTION_DELIVERY;
        case STATE_LINGERING:
        case STATE_ENDED:
                break;
        }
        return CONNECTION_LINGER;
}

/* A connection that holds a root span is idle for as long as its guest lives. */
static nsec_t find_limit(const Connection *c, ConnectionPhase phase)
{
        return phase == CONNECTION_IDLE && c->root ? NSEC_INFINITY : c->context->limits[phase];
}

static int set_deadline(Connection *c)
{
        ConnectionPhase phase = find_phase(c);
        nsec_t deadline;
        int r;

        if (phase == c->phase && !c->new_request)
                return 0;
        c->phase = phase;
        c->new_request = false;
        c->phase_start = clock_boottime();
        deadline = nsec_add(c->phase_start, find_limit(c, phase));
        r = sd_event_source_set_time(c->timer, deadline == NSEC_INFINITY
                                                       ? UINT64_MAX
                                                       : deadline / NSEC_PER_USEC);
        return r < 0 ? r : sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

static int set_events(Connection *c)
{
        uint32_t events = 0;

        if (buffer_length(&c->output) > 0)
                events = EPOLLOUT;
        else if (c->state == STATE_READING || c->state == STATE_LINGERING)
                events = EPOLLIN;
        return sd_event_source_set_io_events(c->io, events);
}

static void settle(Connection *c)
{
        int r = 0;

        if (c->context->stopping && find_phase(c) == CONNECTION_IDLE)
                c->state = STATE_ENDED;
        if (c->state != STATE_ENDED) {
                r = set_deadline(c);
                r = r < 0 ? r : set_events(c);
        }
        if (r < 0) {
                log_error_errno(r, "%s: event loop", c->peer);
                c->state = STATE_ENDED;
        }
        if (c->state == STATE_ENDED)
                c->context->ended(c->context->userdata, c);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Connection *c = userdata;

        if (events & EPOLLOUT)
                send_output(c);
        else if (events & EPOLLIN)
                receive(c);
        else
                c->state = STATE_ENDED; /* the client is gone */
        process(c);
        settle(c);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Connection *c = userdata;

        switch (c->phase) {
        case CONNECTION_REQUEST:
                answer_and_end(c, c->state == STATE_WAITING ? &no_room : &too_slow);
                break;
        case CONNECTION_IDLE:
        case CONNECTION_DELIVERY:
        case CONNECTION_ANSWER:
        case CONNECTION_LINGER:
        case CONNECTION_PHASES:
                c->state = STATE_ENDED;
                break;
        }
        settle(c);
        return 0;
}

static int add_sources(Connection *c)
{
        sd_event *event = c->context->event;
        int r;

        r = sd_event_add_io(event, &c->io, c->fd, EPOLLIN, on_io, c);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &c->timer, CLOCK_BOOTTIME, UINT64_MAX, 0, on_timer, c);
        return r < 0 ? r : set_deadline(c);
}

int connection_new(ConnectionContext *context, int fd, const char *peer, Connection **ret)
{
        Connection *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        c->context = context;
        c->fd = fd;
        c->state = STATE_READING;
        c->new_request = true;
        (void)snprintf(c->peer, sizeof(c->peer), "%s", peer);
        buffer_init(&c->input, INPUT_MAX);
        buffer_init(&c->output, OUTPUT_MAX);
        request_init(&c->request, &policy);
        r = add_sources(c);
        if (r < 0) {
                c->fd = -EBADF; /* remains the caller's */
                (void)connection_free(c);
                return r;
        }
        *ret = c;
        return 0;
}

Connection *connection_free(Connection *c)
{
        if (!c)
                return NULL;
        if (c->parcel)
                parcel_forget(c->parcel);
        if (c->root)
                open_root_release(c->root);
        (void)sd_event_source_disable_unref(c->io);
        (void)sd_event_source_disable_unref(c->timer);
        end_request(c);
        buffer_done(&c->input);
        buffer_done(&c->output);
        fd_close(c->fd);
        free(c);
        return NULL;
}

ConnectionLinks *connection_links(Connection *c)
{
        return &c->links;
}

nsec_t connection_idle_since(const Connection *c)
{
        return c->phase == CONNECTION_IDLE && !c->root ? c->phase_start : NSEC_INFINITY;
}

void connection_retry(Connection *c)
{
        if (c->state != STATE_WAITING)
                return;
        claim_memory(c);
        process(c);
        settle(c);
}

void connection_stop(Connection *c)
{
        settle(c);
}
