/* The lifeline. It has a connection of its own, so that a host that is stuck here holds up no
 * span, and so that the exporter may lose its connection as it likes. A host that declines is not
 * asked again: a plain collector answers 404, and that is fine. */

#include "trace/lifeline.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/macro.h"
#include "otlp/encode.h"
#include "trace/backoff.h"
#include "trace/client.h"

enum { REQUEST_MAX = 8 * LINK_RECORD_MAX }; /* more than two records can become */

static const nsec_t ATTEMPT_TIMEOUT = 5 * NSEC_PER_SEC;

struct Lifeline {
        Loop *loop;
        Address endpoint;
        Client client;
        LoopTimer retry;
        Backoff backoff;
        Buffer request;
        void (*reset)(void *owner);
        void *owner;
        const LinkRecord *trace;
        const LinkRecord *open; /* NULL: nothing is told */
        bool touched;           /* a byte was sent by an earlier attempt, since lifeline_renew() */
};

/* The span's end is the time now: so the host learns the guest's clock, which need not be its own,
 * and can say later when the guest was last alive. */
static int write_request(Lifeline *lifeline)
{
        _cleanup_(buffer_done) Buffer body;
        Span span = lifeline->open->span;
        int r;

        span.end = nsec_add(span.start, clock_boottime());
        buffer_init(&body, REQUEST_MAX);
        r = otlp_encode_request(&lifeline->trace->trace.trace_id, &lifeline->trace->trace.resource,
                                &span, 1, &body);
        if (r < 0)
                return r;
        buffer_clear(&lifeline->request);
        r = client_append_head(&lifeline->client, "/rootspan/v1/open", buffer_length(&body),
                               &lifeline->request);
        if (r < 0)
                return r;
        return buffer_append(&lifeline->request, buffer_data(&body), buffer_length(&body));
}

static void retry_later(Lifeline *lifeline)
{
        lifeline->retry.deadline = nsec_add(clock_boottime(), backoff_next(&lifeline->backoff));
}

static void tell(void *owner)
{
        Lifeline *lifeline = owner;
        int r = write_request(lifeline);

        lifeline->touched |= lifeline->client.touched;
        if (r == 0)
                r = client_send(&lifeline->client, buffer_data(&lifeline->request),
                                buffer_length(&lifeline->request),
                                nsec_add(clock_boottime(), ATTEMPT_TIMEOUT));
        if (r < 0)
                retry_later(lifeline);
}

static void on_exchanged(void *owner, int error, const Response *response)
{
        Lifeline *lifeline = owner;

        if (response && response_is_success(response) && lifeline->client.state == CLIENT_IDLE) {
                backoff_reset(&lifeline->backoff);
        } else if (!response || response_is_success(response) || response_is_retryable(response)) {
                retry_later(lifeline); /* a host that took it may still have closed, to restart */
        } else {
                log_debug("The host does not take open root spans: HTTP status %u",
                          response->status);
                lifeline->open = NULL;
                client_cancel(&lifeline->client);
        }
}

static void on_lost(void *owner)
{
        Lifeline *lifeline = owner;

        if (lifeline->open)
                retry_later(lifeline);
}

static void on_reset(void *owner)
{
        Lifeline *lifeline = owner;

        lifeline->reset(lifeline->owner);
}

int lifeline_new(Loop *loop, const Address *endpoint, void (*reset)(void *owner), void *owner,
                 Lifeline **ret)
{
        Lifeline *lifeline = malloc(sizeof(*lifeline));

        if (!lifeline)
                return -ENOMEM;
        *lifeline = (Lifeline){
                .loop = loop, .endpoint = *endpoint, .reset = reset, .owner = owner};
        client_init(&lifeline->client, loop, &lifeline->endpoint, on_exchanged, lifeline);
        lifeline->client.lost = on_lost;
        lifeline->client.reset = on_reset;
        loop_add_timer(loop, &lifeline->retry, tell, lifeline);
        backoff_reset(&lifeline->backoff);
        buffer_init(&lifeline->request, REQUEST_MAX);
        *ret = lifeline;
        return 0;
}

Lifeline *lifeline_free(Lifeline *lifeline)
{
        if (!lifeline)
                return NULL;
        client_done(&lifeline->client);
        loop_remove_timer(lifeline->loop, &lifeline->retry);
        buffer_done(&lifeline->request);
        free(lifeline);
        return NULL;
}

void lifeline_tell(Lifeline *lifeline, const LinkRecord *trace, const LinkRecord *open)
{
        lifeline->trace = trace;
        lifeline->open = open;
        tell(lifeline);
}

bool lifeline_renew(Lifeline *lifeline)
{
        bool touched = lifeline->touched || lifeline->client.touched;

        lifeline->touched = lifeline->client.touched = false;
        if (lifeline->open) {
                client_cancel(&lifeline->client);
                retry_later(lifeline);
        }
        return touched;
}

void lifeline_end(Lifeline *lifeline)
{
        lifeline->open = NULL;
        lifeline->retry.deadline = NSEC_INFINITY;
        if (lifeline->client.state != CLIENT_IDLE)
                client_cancel(&lifeline->client);
}
