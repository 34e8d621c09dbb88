/* The body of a request that tells of an open root span: what is taken is ended, when nobody holds it,
 * by one span that is an error and not inside out, and that can be stored. */

#include <stdbool.h>

#include "base/buffer.h"
#include "forward/open-roots.h"
#include "forward/otlp-json.h"
#include "fuzz.h"

static size_t n_written;

static int sink_write(Sink *sink, const Batch *batch)
{
        const Otlp__Span *span = batch->request->resource_spans[0]->scope_spans[0]->spans[0];
        Buffer text;

        assert(span->status->code == 2);
        assert(span->end_time_unix_nano >= span->start_time_unix_nano);
        buffer_init(&text, SIZE_MAX);
        assert(otlp_json_append(batch->request, &text) == 0);
        buffer_done(&text);
        n_written++;
        return 0;
}

static int sink_commit(Sink *sink)
{
        return 0;
}

static bool hold(OpenRoots *roots, const uint8_t *data, size_t n, OpenRoot **holder)
{
        char fault[BATCH_FAULT_MAX];
        Batch *batch;
        int r;

        if (batch_decode(data, n, &batch, fault) != 0)
                return false;
        r = open_roots_hold(roots, batch, holder);
        assert(r >= 0);
        assert((r == 0) == (*holder != NULL));
        batch_free(batch);
        return r == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const SinkOps ops = {sink_write, sink_commit};
        Sink sink = {&ops, "nothing"}, *sinks[] = {&sink, NULL};
        OpenRoot *holder = NULL;
        Delivery *delivery;
        OpenRoots *roots;
        sd_event *event;
        size_t n_ended = 0;

        n_written = 0;
        assert(sd_event_new(&event) >= 0);
        assert(open_roots_new(event, 1, OPEN_ROOTS_GRACE, &roots) == 0);
        sinks[1] = open_roots_sink(roots);
        assert(delivery_new(event, sinks, 2, &delivery) == 0);
        open_roots_set_delivery(roots, delivery);
        if (hold(roots, data, n, &holder)) {
                open_root_release(holder);
                n_ended = 1;
        }
        open_roots_finish(roots);
        assert(n_written == n_ended);
        open_roots_finish(roots);
        assert(n_written == n_ended);
        open_roots_free(roots);
        delivery_free(delivery);
        sd_event_unref(event);
        return 0;
}
