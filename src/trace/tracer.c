/* The wiring of rootspan-tracer, and the only module that knows all others:
 *   link -> encode ----v
 *   receiver -> intake -> store -> exporter -> host, and what the exporter learns back to the link;
 *   the open root span by the lifeline, once the host has acknowledged spans.
 * When the VM was resumed from a snapshot, others may have been resumed from the same: the trace
 * goes on under a new id, so that no two of them send a span with the same ids.
 * Its life is the link's: when init is gone there is nobody left to flush for. */

#include "trace/tracer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/random.h"
#include "link/record.h"
#include "otlp/encode.h"
#include "otlp/retrace.h"
#include "trace/exporter.h"
#include "trace/intake.h"
#include "trace/jump-watch.h"
#include "trace/lifeline.h"
#include "trace/loop.h"
#include "trace/store.h"
#include "trace/timeline.h"

#define BEARER "Bearer "

enum {
        STORE_MAX = 16 * 1024 * 1024,
        STORE_RESERVED = 256 * 1024,
        ENCODED_MAX = 8 * LINK_RECORD_MAX, /* more than a record and a resource can become */
        ANSWER_RECORD_MAX = 64,            /* what we send has no strings */
        AUTHORIZATION_MAX = 256,
};

typedef enum TracerState {
        TRACER_UNTOLD,       /* of the trace */
        TRACER_EXPORTING,    /* spans come in and go out */
        TRACER_FINISHING,    /* what programs are about to hand in still comes in */
        TRACER_DRAINING,     /* no span comes in any more */
        TRACER_SENDING_ROOT, /* the root span is out, alone */
        TRACER_FLUSHED,
} TracerState;

/* A record with the datagram that its strings point into. */
typedef struct KeptRecord {
        LinkRecord record;
        uint8_t data[LINK_RECORD_MAX];
} KeptRecord;

struct Tracer {
        TracerState state;
        Loop loop;
        int link_fd;
        LoopWatch link;
        SpanStore *store;
        Exporter *exporter;
        Lifeline *lifeline;
        Intake intake;
        Receiver *receiver;
        JumpWatch jumps;
        Timeline timeline;
        char authorization[AUTHORIZATION_MAX];
        Buffer encoded;   /* one request, on its way into the store */
        KeptRecord trace; /* once told; but its trace id is the one in use */
        KeptRecord open;  /* likewise */
        KeptRecord root;  /* from the flush on */
        nsec_t drain_deadline;
        nsec_t root_deadline;
        bool store_full; /* as the last line logged says */
        char endpoint[ADDRESS_TEXT_MAX];
};

static void answer(Tracer *tracer, const LinkRecord *record)
{
        uint8_t data[ANSWER_RECORD_MAX];
        ptrdiff_t n = link_record_encode(record, data, sizeof(data));
        int r = (int)n;

        if (n >= 0)
                r = (int)RET_ERRNO(
                        send(tracer->link_fd, data, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL));
        if (r < 0 && r != -EPIPE) /* the end of the link is for on_link() to find */
                log_warning_errno(r, "Cannot answer init");
}

/* @span is one of init's. */
static int add_span(Tracer *tracer, Span *span)
{
        const LinkRecord *trace = &tracer->trace.record;
        int r;

        timeline_place(&tracer->timeline, span);
        buffer_clear(&tracer->encoded);
        r = otlp_encode_request(&trace->trace.trace_id, &trace->trace.resource, span, 1,
                                &tracer->encoded);
        if (r < 0) {
                log_error_errno(r, "Cannot encode a span");
                return r;
        }
        r = span_store_add(tracer->store, LANE_GUEST, buffer_data(&tracer->encoded),
                           buffer_length(&tracer->encoded), 1);
        if (r < 0 && !tracer->store_full)
                log_warning_errno(r, "The store is full: dropping spans");
        tracer->store_full = r < 0;
        return r;
}

/* From now on the receiver can tell who may hand in spans, and what becomes of them. */
static void start_receiver(Tracer *tracer)
{
        const LinkRecord *trace = &tracer->trace.record;

        tracer->intake.adoption.enabled = trace->trace.adopt;
        tracer->intake.adoption.trace_id = trace->trace.trace_id;
        tracer->intake.adoption.parent = trace->trace.agent;
        if (!trace->trace.token || strlen(trace->trace.token) >= AUTHORIZATION_MAX - sizeof(BEARER))
                return;
        (void)snprintf(tracer->authorization, AUTHORIZATION_MAX, BEARER "%s", trace->trace.token);
        receiver_start(tracer->receiver, tracer->authorization);
}

static void retrace(void *owner, uint8_t *data, size_t n)
{
        const TraceId *ids = owner; /* from, to */

        otlp_retrace(data, n, &ids[0], &ids[1]);
}

/* The parent of the open root span is of the trace that the VM had before it was resumed. */
static void leave_parent(Tracer *tracer)
{
        if (tracer->timeline.resumed)
                tracer->open.record.span.parent = (SpanId){0};
}

/* The VM was resumed. What has not been sent goes out under a new trace id, and so does all that
 * comes. Span ids stay: no pair of trace id and span id can appear twice. (Should the root span be
 * on its way already, it gets the new id, too, but does not tell of it.) */
static void resume(Tracer *tracer, ResumeSign sign)
{
        TraceId *trace_id = &tracer->trace.record.trace.trace_id;
        TraceId ids[2] = {*trace_id};
        ClockAnchor now = clock_anchor();
        bool used = sign == RESUME_BEFORE_RESTART;
        int r;

        if (tracer->state == TRACER_UNTOLD || tracer->state == TRACER_FLUSHED)
                return;
        r = random_id(ids[1].bytes, TRACE_ID_SIZE);
        if (r < 0) {
                log_error_errno(r, "The VM was resumed, but there is no new trace id");
                return;
        }
        *trace_id = ids[1];
        tracer->intake.adoption.trace_id = *trace_id;
        tracer->intake.adoption.former = tracer->timeline.told;
        used |= exporter_interrupt(tracer->exporter);
        used |= lifeline_renew(tracer->lifeline);
        span_store_change(tracer->store, retrace, ids);
        timeline_check_clock(&tracer->timeline, &now);
        timeline_resume(&tracer->timeline, sign, &now, &ids[0], used);
        leave_parent(tracer);
        log_info("The VM was resumed: the trace goes on under a new id");
        answer(tracer, &(LinkRecord){.type = LINK_RESUMED});
}

static void on_reset(void *owner)
{
        resume(owner, RESUME_VSOCK_RESET);
}

static void on_vmgenid(void *owner)
{
        resume(owner, RESUME_VMGENID);
}

/* By itself no sign of a resume: Kata's runtime sets the clock of every guest. */
static void on_clock_set(void *owner)
{
        Tracer *tracer = owner;
        ClockAnchor now = clock_anchor();

        timeline_check_clock(&tracer->timeline, &now);
}

static void keep(KeptRecord *kept, const uint8_t *data, size_t n)
{
        memcpy(kept->data, data, n);
        (void)link_record_decode(kept->data, n, &kept->record); /* a copy of what was decoded */
}

static void begin_flush(Tracer *tracer, nsec_t deadline)
{
        nsec_t now = clock_boottime();
        nsec_t left = nsec_left(deadline, now);

        /* Of what is left, a quarter is for programs to finish their requests, and a quarter is
         * kept for the root span, without which the trace is worth little; and at the end some time
         * for the answer to reach init. */
        tracer->drain_deadline = nsec_add(now, left - left / 4);
        tracer->root_deadline = nsec_add(now, left - left / 20);
        tracer->state = TRACER_FINISHING;
        lifeline_end(tracer->lifeline);
        receiver_finish(tracer->receiver, nsec_add(now, left / 4));
}

static void on_received(void *owner)
{
        Tracer *tracer = owner;

        exporter_kick(tracer->exporter);
}

static void on_finished(void *owner)
{
        Tracer *tracer = owner;

        tracer->state = TRACER_DRAINING;
        exporter_drain(tracer->exporter, tracer->drain_deadline);
}

static void end_flush(Tracer *tracer, FlushOutcome outcome)
{
        SpanCounts counts = span_store_counts(tracer->store);
        LinkRecord record = {.type = LINK_FLUSHED,
                             .flushed = {.outcome = outcome,
                                         .spans_sent = counts.sent,
                                         .spans_dropped = counts.dropped}};

        tracer->state = TRACER_FLUSHED;
        log_debug("Root span %s, %llu spans sent, %llu dropped", flush_outcome_name(outcome),
                  (unsigned long long)counts.sent, (unsigned long long)counts.dropped);
        answer(tracer, &record);
}

/* What the store and the intake counted is what the root span can tell of all the others. */
static void add_counts(const Tracer *tracer, Attributes *attributes)
{
        static const char *const names[] = {
                [DROP_FULL] = "rootspan.spans.dropped.full",
                [DROP_REFUSED] = "rootspan.spans.dropped.refused",
                [DROP_LATE] = "rootspan.spans.dropped.late",
        };
        SpanCounts counts = span_store_counts(tracer->store);

        attributes_add_int(attributes, "rootspan.spans.sent", (int64_t)counts.sent);
        attributes_add_int(attributes, "rootspan.spans.dropped", (int64_t)counts.dropped);
        for (size_t i = 0; i < DROP_CAUSES; i++)
                if (counts.by_cause[i] > 0)
                        attributes_add_int(attributes, names[i], (int64_t)counts.by_cause[i]);
        if (tracer->intake.rejected > 0)
                attributes_add_int(attributes, "rootspan.spans.rejected",
                                   (int64_t)tracer->intake.rejected);
}

static void send_root(Tracer *tracer)
{
        Span root = tracer->root.record.span;
        SpanLink links[SPAN_LINKS_MAX];

        timeline_mark_root(&tracer->timeline, &root, links);
        add_counts(tracer, &root.attributes);
        tracer->state = TRACER_SENDING_ROOT;
        if (add_span(tracer, &root) < 0)
                end_flush(tracer, FLUSH_UNREACHABLE);
        else
                exporter_drain(tracer->exporter, tracer->root_deadline);
}

static void on_drained(void *owner, FlushOutcome outcome)
{
        Tracer *tracer = owner;

        if (tracer->state == TRACER_DRAINING)
                send_root(tracer);
        else
                end_flush(tracer, outcome);
}

static void on_acknowledged(void *owner)
{
        Tracer *tracer = owner;

        log_debug("%s acknowledges spans", tracer->endpoint);
        answer(tracer, &(LinkRecord){.type = LINK_ACKED});
        if (tracer->state == TRACER_EXPORTING && tracer->open.record.type == LINK_OPEN)
                lifeline_tell(tracer->lifeline, &tracer->trace.record, &tracer->open.record);
}

static void on_failed(void *owner, int error, unsigned http_status)
{
        Tracer *tracer = owner;
        LinkRecord record = {.type = LINK_FAILED,
                             .failed = {.error = error, .http_status = http_status}};

        if (error != 0)
                log_warning_errno(-error, "Cannot export to %s", tracer->endpoint);
        else
                log_warning("Cannot export to %s: HTTP status %u", tracer->endpoint, http_status);
        answer(tracer, &record);
}

/* What happened before this tracer was there, and what will. */
static void start_timeline(Tracer *tracer)
{
        const LinkRecord *trace = &tracer->trace.record;
        int r;

        timeline_init(&tracer->timeline, &trace->trace.trace_id, &trace->trace.anchor);
        on_clock_set(tracer);
        if (trace->trace.resumed)
                resume(tracer, RESUME_BEFORE_RESTART);
        r = jump_watch_start(&tracer->jumps);
        if (r < 0)
                log_warning_errno(r, "Cannot watch for a resume of the VM");
}

/* Returns 0, or -EPROTO for a record that has no place here. */
static int take_record(Tracer *tracer, LinkRecord *record, const uint8_t *data, size_t n)
{
        switch (record->type) {
        case LINK_TRACE:
                if (tracer->state != TRACER_UNTOLD)
                        return -EPROTO;
                keep(&tracer->trace, data, n);
                tracer->state = TRACER_EXPORTING;
                start_receiver(tracer);
                start_timeline(tracer);
                return 0;
        case LINK_SPAN:
                if (tracer->state != TRACER_EXPORTING)
                        return -EPROTO;
                if (add_span(tracer, &record->span) == 0)
                        exporter_kick(tracer->exporter);
                return 0;
        case LINK_FLUSH:
                if (tracer->state != TRACER_EXPORTING)
                        return -EPROTO;
                keep(&tracer->root, data, n);
                begin_flush(tracer, record->deadline);
                return 0;
        case LINK_OPEN:
                if (tracer->state != TRACER_EXPORTING)
                        return -EPROTO;
                keep(&tracer->open, data, n);
                leave_parent(tracer);
                return 0;
        case LINK_ACKED:
        case LINK_FAILED:
        case LINK_FLUSHED:
        case LINK_RESUMED:
                return -EPROTO;
        }
        return -EPROTO;
}

static void on_link(void *owner, uint32_t events)
{
        Tracer *tracer = owner;
        uint8_t data[LINK_RECORD_MAX + 1]; /* one more, so that a longer record is seen as such */
        LinkRecord record;
        ssize_t n;
        int r;

        n = RET_ERRNO(recv(tracer->link_fd, data, sizeof(data), MSG_DONTWAIT));
        if (n == -EAGAIN || n == -EINTR)
                return;
        if (n <= 0) {
                loop_stop(&tracer->loop);
                return;
        }
        r = link_record_decode(data, (size_t)n, &record);
        if (r == 0)
                r = take_record(tracer, &record, data, (size_t)n);
        if (r < 0)
                log_warning_errno(r, "Ignoring a record of type %u from init", data[0]);
}

int tracer_new(const TracerOptions *options, Tracer **ret)
{
        static const ExporterEvents events = {
                .acknowledged = on_acknowledged,
                .failed = on_failed,
                .drained = on_drained,
                .reset = on_reset,
        };
        static const ReceiverEvents receiver_events = {
                .received = on_received,
                .finished = on_finished,
        };
        _cleanup_(tracer_freep) Tracer *tracer = calloc(1, sizeof(*tracer));
        int r;

        if (!tracer)
                return -ENOMEM;
        buffer_init(&tracer->encoded, ENCODED_MAX);
        address_format(&options->endpoint, tracer->endpoint);
        tracer->link_fd = options->link_fd;
        tracer->link = (LoopWatch){.fd = -EBADF, .ready = on_link, .owner = tracer};
        r = loop_init(&tracer->loop);
        if (r == 0)
                r = loop_watch(&tracer->loop, &tracer->link, tracer->link_fd, EPOLLIN);
        if (r == 0)
                r = span_store_new(STORE_MAX, STORE_RESERVED, &tracer->store);
        if (r == 0)
                r = exporter_new(&tracer->loop, tracer->store, &options->endpoint, &events, tracer,
                                 &tracer->exporter);
        if (r == 0)
                r = lifeline_new(&tracer->loop, &options->endpoint, on_reset, tracer,
                                 &tracer->lifeline);
        if (r == 0)
                jump_watch_init(&tracer->jumps, &tracer->loop, on_vmgenid, on_clock_set, tracer);
        tracer->intake.store = tracer->store;
        if (r == 0)
                r = receiver_new(&tracer->loop, &tracer->intake, options->listen_fds,
                                 options->n_listen_fds, &receiver_events, tracer,
                                 &tracer->receiver);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(tracer);
        return 0;
}

Tracer *tracer_free(Tracer *tracer)
{
        if (!tracer)
                return NULL;
        lifeline_free(tracer->lifeline);
        jump_watch_done(&tracer->jumps);
        receiver_free(tracer->receiver);
        exporter_free(tracer->exporter);
        span_store_free(tracer->store);
        buffer_done(&tracer->encoded);
        loop_done(&tracer->loop);
        free(tracer);
        return NULL;
}

void tracer_freep(Tracer **tracer)
{
        *tracer = tracer_free(*tracer);
}

int tracer_run(Tracer *tracer)
{
        int r = loop_run(&tracer->loop);

        if (r < 0)
                return r;
        return tracer->state == TRACER_FLUSHED ? 0 : TRACER_E_LOST_INIT;
}
