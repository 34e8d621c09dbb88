/* The exporter. It pulls batches from the store, one request at a time, and leaves a batch in the
 * store until its fate is known:
 *   accepted (2xx)                 committed, less the spans the host rejects: those never again
 *   429, 502, 503, 504, no answer  tried again after a wait
 *   anything else                  dropped, but see below
 * The wait grows with every failure. A host may ask for another wait by Retry-After. While draining
 * there is a deadline: waits are short and constant, so that a host that comes back in time is
 * used.
 *
 * A batch brings together what different programs said. When the host takes offence at its
 * content, the pieces are sent again one by one, so that only the one at fault is dropped. */

#include "trace/exporter.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/macro.h"
#include "trace/backoff.h"
#include "trace/client.h"
#include "trace/response.h"

enum {
        BATCH_BYTES_MAX = 512 * 1024,
        BATCH_SPANS_MAX = 512,
};

static const nsec_t ATTEMPT_TIMEOUT = 5 * NSEC_PER_SEC;
static const nsec_t RETRY_AFTER_MAX = 30 * NSEC_PER_SEC;
static const nsec_t DRAIN_RETRY = 50 * NSEC_PER_MSEC;

struct Exporter {
        SpanStore *store;
        Loop *loop;
        Address endpoint;
        const ExporterEvents *events;
        void *owner;

        Client client;
        Buffer request;
        SpanBatch batch; /* what @request carries; no pieces: no attempt under way */
        size_t suspects; /* the first pieces of a lane, to be sent one by one */
        SpanLane suspects_lane;

        LoopTimer retry;   /* armed: waiting between two attempts */
        Backoff backoff;
        nsec_t not_before; /* the host asked not to be tried again earlier */

        bool touched;      /* a byte was sent since the last interruption */
        bool acknowledged; /* by the host, at least once */
        int last_error;    /* of the last attempt, as failed() was told; 0 and 0 after a success */
        unsigned last_status;

        bool draining;
        LoopTimer drain_end;
        nsec_t drain_deadline;
        uint64_t drain_dropped; /* the store's count when draining began */
        bool drain_touched;     /* a byte was sent since */
};

static void advance(Exporter *exporter);

static void end_attempt(Exporter *exporter)
{
        if (exporter->batch.pieces > 0) {
                exporter->drain_touched |= exporter->client.touched;
                exporter->touched |= exporter->client.touched;
        }
        exporter->batch = (SpanBatch){0};
        buffer_clear(&exporter->request);
}

static void end_drain(Exporter *exporter)
{
        FlushOutcome outcome = FLUSH_UNREACHABLE;

        if (span_store_counts(exporter->store).dropped == exporter->drain_dropped)
                outcome = FLUSH_DELIVERED;
        else if (exporter->drain_touched)
                outcome = FLUSH_UNACKED;
        exporter->draining = false;
        exporter->drain_end.deadline = NSEC_INFINITY;
        exporter->events->drained(exporter->owner, outcome);
}

/* Tells of a failure once, not with every retry. */
static void report(Exporter *exporter, int error, unsigned http_status)
{
        if (error == exporter->last_error && http_status == exporter->last_status)
                return;
        exporter->last_error = error;
        exporter->last_status = http_status;
        if (error != 0 || http_status != 0)
                exporter->events->failed(exporter->owner, error, http_status);
}

static nsec_t next_attempt(const Exporter *exporter, nsec_t wait)
{
        nsec_t now = clock_boottime();

        if (!exporter->draining)
                return MAX(nsec_add(now, wait), exporter->not_before);
        /* There is nothing to gain from respecting a wait that goes beyond the end. */
        if (exporter->not_before < exporter->drain_deadline)
                return MAX(nsec_add(now, MIN(wait, DRAIN_RETRY)), exporter->not_before);
        return nsec_add(now, MIN(wait, DRAIN_RETRY));
}

static void retry_later(Exporter *exporter)
{
        exporter->retry.deadline = next_attempt(exporter, backoff_next(&exporter->backoff));
}

static void attempt_failed(Exporter *exporter, int error)
{
        end_attempt(exporter);
        report(exporter, -error, 0);
        retry_later(exporter);
}

static void clear_suspect(Exporter *exporter)
{
        if (exporter->suspects > 0 && exporter->batch.lane == exporter->suspects_lane)
                exporter->suspects--;
}

static void attempt_accepted(Exporter *exporter, uint64_t rejected)
{
        span_store_commit(exporter->store, &exporter->batch, rejected);
        clear_suspect(exporter);
        end_attempt(exporter);
        if (rejected > 0)
                log_warning("The host rejected %llu spans", (unsigned long long)rejected);
        backoff_reset(&exporter->backoff);
        report(exporter, 0, 0);
        if (!exporter->acknowledged) {
                exporter->acknowledged = true;
                exporter->events->acknowledged(exporter->owner);
        }
        advance(exporter);
}

static void attempt_refused(Exporter *exporter, unsigned http_status)
{
        if (exporter->batch.pieces > 1 && (http_status == 400 || http_status == 413)) {
                exporter->suspects = exporter->batch.pieces;
                exporter->suspects_lane = exporter->batch.lane;
        } else {
                span_store_drop(exporter->store, &exporter->batch, DROP_REFUSED);
                clear_suspect(exporter);
        }
        end_attempt(exporter);
        report(exporter, 0, http_status);
        advance(exporter);
}

static void attempt_put_off(Exporter *exporter, const Response *answer)
{
        end_attempt(exporter);
        if (answer->has_retry_after)
                exporter->not_before = nsec_add(clock_boottime(),
                                                MIN(answer->retry_after, RETRY_AFTER_MAX));
        report(exporter, 0, answer->status);
        retry_later(exporter);
}

static void on_exchanged(void *owner, int error, const Response *answer)
{
        Exporter *exporter = owner;

        if (!answer)
                attempt_failed(exporter, error);
        else if (response_is_success(answer))
                attempt_accepted(exporter, answer->rejected);
        else if (response_is_retryable(answer))
                attempt_put_off(exporter, answer);
        else
                attempt_refused(exporter, answer->status);
}

static int start_attempt(Exporter *exporter)
{
        size_t spans = exporter->suspects > 0 ? 0 : BATCH_SPANS_MAX; /* 0: a single piece */
        SpanBatch batch = span_store_peek(exporter->store, BATCH_BYTES_MAX, spans);
        nsec_t deadline = nsec_add(clock_boottime(), ATTEMPT_TIMEOUT);
        int r;

        r = client_append_head(&exporter->client, "/v1/traces", batch.bytes, &exporter->request);
        if (r == 0)
                r = span_store_read(exporter->store, &batch, &exporter->request);
        if (r < 0)
                return r;
        exporter->batch = batch;
        return client_send(&exporter->client, buffer_data(&exporter->request),
                           buffer_length(&exporter->request), deadline);
}

/* Does what is next, if it is not under way already. */
static void advance(Exporter *exporter)
{
        int r;

        if (exporter->batch.pieces > 0 || exporter->retry.deadline != NSEC_INFINITY)
                return;
        if (span_store_counts(exporter->store).held == 0) {
                if (exporter->draining)
                        end_drain(exporter);
                return;
        }
        r = start_attempt(exporter);
        if (r < 0)
                attempt_failed(exporter, r);
}

static void on_retry(void *owner)
{
        advance(owner);
}

static void cancel_attempt(Exporter *exporter)
{
        client_cancel(&exporter->client);
        end_attempt(exporter);
}

static void on_reset(void *owner)
{
        Exporter *exporter = owner;

        exporter->events->reset(exporter->owner);
}

static void on_drain_end(void *owner)
{
        Exporter *exporter = owner;

        if (exporter->batch.pieces > 0) {
                cancel_attempt(exporter);
                report(exporter, ETIMEDOUT, 0);
        }
        exporter->retry.deadline = NSEC_INFINITY;
        while (span_store_counts(exporter->store).held > 0) {
                SpanBatch rest = span_store_peek(exporter->store, SIZE_MAX, SIZE_MAX);

                span_store_drop(exporter->store, &rest, DROP_LATE);
        }
        exporter->suspects = 0;
        end_drain(exporter);
}

int exporter_new(Loop *loop, SpanStore *store, const Address *endpoint,
                 const ExporterEvents *events, void *owner, Exporter **ret)
{
        Exporter *exporter = malloc(sizeof(*exporter));

        if (!exporter)
                return -ENOMEM;
        *exporter = (Exporter){
                .store = store,
                .loop = loop,
                .endpoint = *endpoint,
                .events = events,
                .owner = owner,
        };
        client_init(&exporter->client, loop, &exporter->endpoint, on_exchanged, exporter);
        exporter->client.reset = on_reset;
        loop_add_timer(loop, &exporter->retry, on_retry, exporter);
        loop_add_timer(loop, &exporter->drain_end, on_drain_end, exporter);
        backoff_reset(&exporter->backoff);
        buffer_init(&exporter->request, SIZE_MAX); /* bounded by the batch and by the store */
        *ret = exporter;
        return 0;
}

Exporter *exporter_free(Exporter *exporter)
{
        if (!exporter)
                return NULL;
        client_done(&exporter->client);
        loop_remove_timer(exporter->loop, &exporter->retry);
        loop_remove_timer(exporter->loop, &exporter->drain_end);
        buffer_done(&exporter->request);
        free(exporter);
        return NULL;
}

void exporter_freep(Exporter **exporter)
{
        *exporter = exporter_free(*exporter);
}

void exporter_kick(Exporter *exporter)
{
        advance(exporter);
}

bool exporter_interrupt(Exporter *exporter)
{
        bool touched;

        if (exporter->batch.pieces > 0) {
                cancel_attempt(exporter);
                retry_later(exporter);
        }
        touched = exporter->touched;
        exporter->touched = false;
        return touched;
}

void exporter_drain(Exporter *exporter, nsec_t deadline)
{
        exporter->draining = true;
        exporter->drain_deadline = deadline;
        exporter->drain_end.deadline = deadline;
        exporter->drain_dropped = span_store_counts(exporter->store).dropped;
        exporter->drain_touched = false;
        /* A wait that is under way was chosen without a deadline. */
        if (exporter->retry.deadline != NSEC_INFINITY)
                exporter->retry.deadline = next_attempt(exporter, 0);
        advance(exporter);
}
