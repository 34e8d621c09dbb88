/* Open root spans: who holds them, and how they end. A test that asks whether nothing is ended lets
 * the program stop, upon which all ends that nobody holds. */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/macro.h"
#include "forward/open-roots.h"
#include "otlp/encode.h"

#define PATIENCE (20 * NSEC_PER_SEC)

enum { ROOTS_MAX = 2 };

typedef struct TestSink {
        Sink sink;
        int result;
        size_t n; /* spans written; what follows is of the last one */
        SpanId id;
        nsec_t start, end;
        int status;
        char message[128];
        char attributes[256]; /* "key=value," for each */
} TestSink;

typedef struct Fixture {
        sd_event *event;
        TestSink sink;
        Delivery *delivery;
        OpenRoots *roots;
} Fixture;

static int test_sink_write(Sink *sink, const Batch *batch)
{
        TestSink *s = (TestSink *)sink;
        const Otlp__Span *span = batch->request->resource_spans[0]->scope_spans[0]->spans[0];
        size_t at = 0;

        if (s->result < 0)
                return s->result;
        s->n++;
        memcpy(s->id.bytes, span->span_id.data, SPAN_ID_SIZE);
        s->start = span->start_time_unix_nano;
        s->end = span->end_time_unix_nano;
        s->status = span->status ? span->status->code : 0;
        (void)snprintf(s->message, sizeof(s->message), "%s",
                       span->status ? span->status->message : "");
        for (size_t i = 0; i < span->n_attributes; i++)
                at += (size_t)snprintf(s->attributes + at, sizeof(s->attributes) - at, "%s=%s,",
                                       span->attributes[i]->key,
                                       span->attributes[i]->value->string_value);
        return 0;
}

static int test_sink_commit(Sink *sink)
{
        return 0;
}

static void setup(Fixture *f, nsec_t grace)
{
        static const SinkOps ops = {test_sink_write, test_sink_commit};
        Sink *sinks[] = {&f->sink.sink, NULL};

        *f = (Fixture){.sink = {.sink = {.ops = &ops, .name = "the test"}}};
        assert_true(sd_event_new(&f->event) >= 0);
        assert_int_equal(open_roots_new(f->event, ROOTS_MAX, grace, &f->roots), 0);
        sinks[1] = open_roots_sink(f->roots);
        assert_int_equal(delivery_new(f->event, sinks, 2, &f->delivery), 0);
        open_roots_set_delivery(f->roots, f->delivery);
}

static void teardown(Fixture *f)
{
        f->roots = open_roots_free(f->roots);
        f->delivery = delivery_free(f->delivery);
        f->event = sd_event_unref(f->event);
}

/* How many were ended, with those that end since nobody holds them. */
static size_t count_ended(Fixture *f)
{
        open_roots_finish(f->roots);
        return f->sink.n;
}

static void wait_for_end(Fixture *f)
{
        nsec_t deadline = nsec_add(clock_boottime(), PATIENCE);

        while (f->sink.n == 0) {
                assert_true(clock_boottime() < deadline);
                assert_true(sd_event_run(f->event, 10000) >= 0);
        }
}

static Batch *make_batch(const Span *spans, size_t n)
{
        static const Attributes resource = {0};
        const TraceId trace = {{9}};
        char fault[BATCH_FAULT_MAX];
        Buffer request;
        Batch *batch;

        buffer_init(&request, SIZE_MAX);
        assert_int_equal(otlp_encode_request(&trace, &resource, spans, n, &request), 0);
        assert_int_equal(batch_decode(buffer_data(&request), buffer_length(&request), &batch,
                                      fault),
                         0);
        buffer_done(&request);
        return batch;
}

static Span make_root(uint8_t id)
{
        return (Span){
                .id = {{id}}, .name = "guest", .kind = SPAN_KIND_INTERNAL, .start = 50, .end = 70};
}

static int hold_span(Fixture *f, Span span, OpenRoot **holder)
{
        Batch *batch = make_batch(&span, 1);
        int r = open_roots_hold(f->roots, batch, holder);

        (void)batch_free(batch);
        return r;
}

static int hold(Fixture *f, uint8_t id, OpenRoot **holder)
{
        return hold_span(f, make_root(id), holder);
}

/* A span with this id comes from the guest. */
static void receive(Fixture *f, uint8_t id)
{
        Span spans[] = {make_root(77), make_root(id)};
        Parcel *parcel;

        assert_int_equal(delivery_add(f->delivery, make_batch(spans, 2), NULL, NULL, &parcel), 0);
        delivery_run(f->delivery);
        f->sink.n = 0;
}

static void test_lost(void **state)
{
        Span span = make_root(1);
        OpenRoot *root = NULL;
        nsec_t before_told, told, before_lost, lost;
        Fixture f;

        setup(&f, 20 * NSEC_PER_MSEC);
        attributes_add_string(&span.attributes, "known", "yes");
        before_told = clock_boottime();
        assert_int_equal(hold_span(&f, span, &root), 0);
        told = clock_boottime();
        assert_int_equal(usleep(2000), 0);
        before_lost = clock_boottime();
        open_root_release(root);
        lost = clock_boottime();
        wait_for_end(&f);
        assert_int_equal(f.sink.id.bytes[0], 1);
        assert_true(f.sink.start == 50);
        assert_in_range(f.sink.end, 70 + (before_lost - told), 70 + (lost - before_told));
        assert_int_equal(f.sink.status, SPAN_STATUS_ERROR);
        assert_string_equal(f.sink.message, "the VM was lost before its root span came");
        assert_string_equal(f.sink.attributes,
                            "known=yes,rootspan.reason=vm-lost,error.type=vm-lost,");
        assert_int_equal(count_ended(&f), 1);
        teardown(&f);
}

/* As long as it is held, it lives. */
static void test_held(void **state)
{
        OpenRoot *first = NULL, *second = NULL;
        Fixture f;

        setup(&f, 0);
        assert_int_equal(hold(&f, 1, &first), 0);
        assert_int_equal(sd_event_run(f.event, 0), 0);
        assert_int_equal(count_ended(&f), 0);

        /* A new connection comes before the old one has gone. */
        assert_int_equal(hold(&f, 1, &second), 0);
        assert_null(first);
        assert_non_null(second);
        assert_int_equal(count_ended(&f), 0);
        open_root_release(second);
        assert_int_equal(count_ended(&f), 1);
        teardown(&f);
}

static void test_held_again(void **state)
{
        OpenRoot *first = NULL, *second = NULL, *later = NULL;
        Fixture f;

        setup(&f, 0); /* but the loop does not run yet */
        assert_int_equal(hold(&f, 1, &first), 0);
        open_root_release(first);
        assert_int_equal(hold(&f, 1, &second), 0);
        assert_int_equal(hold(&f, 2, &later), 0);
        open_root_release(later);
        wait_for_end(&f);
        assert_int_equal(f.sink.id.bytes[0], 2);
        assert_int_equal(count_ended(&f), 1);
        assert_non_null(second);
        teardown(&f);
}

/* The guest ends its root span itself. */
static void test_received(void **state)
{
        OpenRoot *held = NULL, *lost = NULL;
        Fixture f;

        setup(&f, PATIENCE);
        assert_int_equal(hold(&f, 1, &held), 0);
        assert_int_equal(hold(&f, 2, &lost), 0);
        open_root_release(lost);
        receive(&f, 3);
        assert_non_null(held);
        receive(&f, 1);
        assert_null(held);
        receive(&f, 2);
        assert_int_equal(count_ended(&f), 0);
        teardown(&f);
}

/* What could not be stored is tried again. */
static void test_failing_sink(void **state)
{
        nsec_t deadline = nsec_add(clock_boottime(), PATIENCE);
        OpenRoot *root = NULL;
        Fixture f;

        setup(&f, NSEC_PER_MSEC);
        f.sink.result = -ENOSPC;
        assert_int_equal(hold(&f, 1, &root), 0);
        open_root_release(root);
        for (int i = 0; i < 6; i++) { /* the time-out and the delivery, three times */
                assert_true(sd_event_run(f.event, PATIENCE / NSEC_PER_USEC) > 0);
                assert_true(clock_boottime() < deadline);
        }
        f.sink.result = 0;
        wait_for_end(&f);
        assert_int_equal(count_ended(&f), 1);
        teardown(&f);
}

static void test_refused(void **state)
{
        Span two[] = {make_root(1), make_root(2)}, inside_out = make_root(1), large = make_root(1);
        OpenRoot *holders[ROOTS_MAX + 1] = {0}, *same = NULL;
        static char text[OPEN_ROOT_SIZE_MAX];
        Batch *batch;
        Fixture f;

        setup(&f, PATIENCE);
        batch = make_batch(two, 2);
        assert_int_equal(open_roots_hold(f.roots, batch, &holders[0]), OPEN_ROOTS_E_BAD);
        (void)batch_free(batch);
        batch = make_batch(two, 0);
        assert_int_equal(open_roots_hold(f.roots, batch, &holders[0]), OPEN_ROOTS_E_BAD);
        (void)batch_free(batch);
        inside_out.end = inside_out.start - 1;
        assert_int_equal(hold_span(&f, inside_out, &holders[0]), OPEN_ROOTS_E_BAD);
        memset(text, 'x', sizeof(text) - 1);
        large.name = text;
        assert_int_equal(hold_span(&f, large, &holders[0]), OPEN_ROOTS_E_TOO_LARGE);
        assert_null(holders[0]);

        for (uint8_t i = 0; i < ROOTS_MAX; i++)
                assert_int_equal(hold(&f, i + 1, &holders[i]), 0);
        assert_int_equal(hold(&f, ROOTS_MAX + 1, &holders[ROOTS_MAX]), OPEN_ROOTS_E_FULL);
        assert_null(holders[ROOTS_MAX]);
        assert_int_equal(hold(&f, 1, &same), 0); /* needs no more room */
        receive(&f, 1);
        assert_int_equal(hold(&f, ROOTS_MAX + 1, &holders[ROOTS_MAX]), 0);
        assert_int_equal(count_ended(&f), 0);
        teardown(&f);
}

/* A connection stands for the last root span that it told of. */
static void test_another(void **state)
{
        OpenRoot *root = NULL;
        Fixture f;

        setup(&f, PATIENCE);
        assert_int_equal(hold(&f, 1, &root), 0);
        assert_int_equal(hold(&f, 2, &root), 0);
        assert_int_equal(count_ended(&f), 1);
        assert_int_equal(f.sink.id.bytes[0], 1);
        assert_non_null(root);
        open_root_release(root);
        assert_int_equal(count_ended(&f), 2);
        assert_int_equal(f.sink.id.bytes[0], 2);
        teardown(&f);
}

/* An end is under way when everything goes. */
static void test_freed(void **state)
{
        OpenRoot *root = NULL;
        Fixture f;

        setup(&f, 0);
        assert_int_equal(hold(&f, 1, &root), 0);
        open_root_release(root);
        assert_true(sd_event_run(f.event, PATIENCE / NSEC_PER_USEC) > 0);
        f.roots = open_roots_free(f.roots);
        teardown(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_lost),         UNIT_TEST(test_held),    UNIT_TEST(test_held_again),
                UNIT_TEST(test_received),     UNIT_TEST(test_refused), UNIT_TEST(test_another),
                UNIT_TEST(test_failing_sink), UNIT_TEST(test_freed),
        };

        return RUN_TESTS(tests);
}
