#include "test.h"

#include "trace/timeline.h"

enum { SECOND = 1000 * 1000 * 1000 };

static const TraceId told = {{1, 2}}, second = {{3, 4}}, third = {{5, 6}};
static const ClockAnchor anchor = {.boottime = 100, .realtime = 1000 * (nsec_t)SECOND};

/* @boottime after the anchor, with a wall clock that has been stepped by @step since. */
static ClockAnchor now(nsec_t boottime, int64_t step)
{
        return (ClockAnchor){anchor.boottime + boottime,
                             anchor.realtime + boottime + (nsec_t)step};
}

static void check_clock(Timeline *timeline, nsec_t boottime, int64_t step)
{
        ClockAnchor clocks = now(boottime, step);

        timeline_check_clock(timeline, &clocks);
}

static void resume(Timeline *timeline, ResumeSign sign, nsec_t boottime, const TraceId *former,
                   bool used)
{
        ClockAnchor clocks = now(boottime, 0);

        timeline_resume(timeline, sign, &clocks, former, used);
}

/* How init tells a span, in time after the anchor, and where it is placed, likewise. */
static void assert_placed(const Timeline *timeline, nsec_t start, nsec_t end, int64_t placed_start,
                          int64_t placed_end)
{
        Span span = {.start = anchor.realtime + start, .end = anchor.realtime + end};

        timeline_place(timeline, &span);
        assert_int_equal(span.start, anchor.realtime + (nsec_t)placed_start);
        assert_int_equal(span.end, anchor.realtime + (nsec_t)placed_end);
}

static void test_no_step(void **state)
{
        Timeline timeline;

        timeline_init(&timeline, &told, &anchor);
        check_clock(&timeline, 5 * (nsec_t)SECOND, 0);
        check_clock(&timeline, 6 * (nsec_t)SECOND, 999999);
        check_clock(&timeline, 7 * (nsec_t)SECOND, -999999);
        assert_int_equal(timeline.n_events, 0);
        assert_placed(&timeline, 0, 10, 0, 10);
}

static void test_step_forward(void **state)
{
        Timeline timeline;

        timeline_init(&timeline, &told, &anchor);
        check_clock(&timeline, 50, 7 * (int64_t)SECOND);
        check_clock(&timeline, 60, 7 * (int64_t)SECOND); /* told twice, happened once */
        assert_int_equal(timeline.n_events, 1);
        assert_string_equal(timeline.events[0].name, "rootspan.clock_step");
        assert_int_equal(timeline.events[0].time, anchor.realtime + 50 + 7 * (nsec_t)SECOND);
        assert_string_equal(timeline.events[0].attributes.items[0].key, "rootspan.clock_step_ns");
        assert_int_equal(timeline.events[0].attributes.items[0].integer, 7 * (int64_t)SECOND);

        assert_placed(&timeline, 10, 49, 10, 49);
        assert_placed(&timeline, 0, 100, 0, 100 + 7 * (int64_t)SECOND);
        assert_placed(&timeline, 50, 100, 50 + 7 * (int64_t)SECOND, 100 + 7 * (int64_t)SECOND);
}

/* What the clock said before and after it was set back is all within the span. */
static void test_step_back(void **state)
{
        Timeline timeline;

        timeline_init(&timeline, &told, &anchor);
        check_clock(&timeline, 50, -7 * (int64_t)SECOND);
        assert_int_equal(timeline.events[0].attributes.items[0].integer, -7 * (int64_t)SECOND);
        assert_placed(&timeline, 10, 49, 10, 49);
        assert_placed(&timeline, 0, 100, -7 * (int64_t)SECOND, 100);
        assert_placed(&timeline, 50, 100, 50 - 7 * (int64_t)SECOND, 100 - 7 * (int64_t)SECOND);

        check_clock(&timeline, 80, 3 * (int64_t)SECOND);
        assert_int_equal(timeline.events[1].attributes.items[0].integer, 10 * (int64_t)SECOND);
        assert_placed(&timeline, 0, 100, -7 * (int64_t)SECOND, 100 + 3 * (int64_t)SECOND);
        assert_placed(&timeline, 60, 90, 60 - 7 * (int64_t)SECOND, 90 + 3 * (int64_t)SECOND);
        assert_placed(&timeline, 90, 100, 90 + 3 * (int64_t)SECOND, 100 + 3 * (int64_t)SECOND);
}

/* A parent that holds its child as init tells them holds it in every case. */
static void test_children_stay_within(void **state)
{
        static const int64_t steps[] = {5, -9, 2, -1, 4, 30, -30, 6, -2, 8};
        Timeline timeline;

        timeline_init(&timeline, &told, &anchor);
        for (nsec_t i = 0; i < 10; i++)
                check_clock(&timeline, 10 + 10 * i, steps[i] * SECOND);
        assert_int_equal(timeline.n_steps, TIMELINE_STEPS_MAX);
        assert_int_equal(timeline.dropped_events, 2);
        for (nsec_t start = 0; start < 120; start += 7) {
                for (nsec_t end = start; end < 120; end += 5) {
                        Span root = {.start = anchor.realtime, .end = anchor.realtime + 120};
                        Span child = {.start = anchor.realtime + start,
                                      .end = anchor.realtime + end};

                        timeline_place(&timeline, &root);
                        timeline_place(&timeline, &child);
                        assert_true(root.start <= child.start && child.start <= child.end &&
                                    child.end <= root.end);
                }
        }
        /* More steps than are kept: the last one holds from then on. */
        assert_placed(&timeline, 110, 120, 110 + 8 * (int64_t)SECOND, 120 + 8 * (int64_t)SECOND);
}

/* No clock can overflow anything. */
static void test_absurd_clocks(void **state)
{
        static const ClockAnchor clocks[] = {
                {0, 0}, {0, UINT64_MAX}, {UINT64_MAX, 0}, {UINT64_MAX, UINT64_MAX}, {1, 1ULL << 63}};
        Timeline timeline;
        Span span = {.start = 5, .end = UINT64_MAX};

        for (size_t i = 0; i < 5; i++) {
                timeline_init(&timeline, &told, &clocks[i]);
                for (size_t k = 0; k < 5; k++)
                        timeline_check_clock(&timeline, &clocks[k]);
                timeline_place(&timeline, &span);
                assert_true(span.start <= span.end);
        }
}

static void test_resume(void **state)
{
        Timeline timeline;
        Span root = {.id = {{9}}, .parent = {{8}}};
        SpanLink links[SPAN_LINKS_MAX];

        timeline_init(&timeline, &told, &anchor);
        timeline_mark_root(&timeline, &root, links);
        assert_int_equal(root.n_events, 0);
        assert_int_equal(root.n_links, 0);
        assert_true(span_id_is_valid(&root.parent));

        resume(&timeline, RESUME_VSOCK_RESET, 10, &told, true);
        resume(&timeline, RESUME_VSOCK_RESET, 11, &third, false); /* by another connection */
        resume(&timeline, RESUME_VMGENID, 12, &third, false);     /* by another sign */
        resume(&timeline, RESUME_VSOCK_RESET, 50, &second, true);
        timeline_mark_root(&timeline, &root, links);
        assert_int_equal(root.n_events, 3);
        assert_string_equal(root.events[0].name, "rootspan.resumed");
        assert_int_equal(root.events[0].time, anchor.realtime + 10);
        assert_string_equal(root.events[0].attributes.items[0].key, "rootspan.resume.sign");
        assert_string_equal(root.events[0].attributes.items[0].string, "vsock-reset");
        assert_string_equal(root.events[0].attributes.items[1].key, "rootspan.former_trace_id");
        assert_string_equal(root.events[0].attributes.items[1].string,
                            "01020000000000000000000000000000");
        assert_string_equal(root.events[1].attributes.items[0].string, "vmgenid");
        assert_int_equal(root.events[1].attributes.n, 1);
        assert_string_equal(root.events[2].attributes.items[1].string,
                            "03040000000000000000000000000000");
        assert_int_equal(root.n_links, 3);
        assert_memory_equal(&root.links[0].trace_id, &told, TRACE_ID_SIZE);
        assert_memory_equal(&root.links[0].span_id, &root.id, SPAN_ID_SIZE);
        assert_memory_equal(&root.links[1].trace_id, &second, TRACE_ID_SIZE);
        /* What was the parent, of the trace that init and the host know. */
        assert_memory_equal(&root.links[2].trace_id, &told, TRACE_ID_SIZE);
        assert_int_equal(root.links[2].span_id.bytes[0], 8);
        assert_false(span_id_is_valid(&root.parent));
}

static void test_many_resumes(void **state)
{
        Timeline timeline;
        Span root = {.id = {{9}}, .parent = {{8}}};
        SpanLink links[SPAN_LINKS_MAX];

        timeline_init(&timeline, &told, &anchor);
        for (nsec_t i = 0; i < 20; i++)
                resume(&timeline, RESUME_VMGENID, i, &second, true);
        timeline_mark_root(&timeline, &root, links);
        assert_int_equal(root.n_events, SPAN_EVENTS_MAX);
        assert_int_equal(root.dropped_events, 20 - SPAN_EVENTS_MAX);
        assert_int_equal(root.n_links, SPAN_LINKS_MAX);
        assert_int_equal(root.dropped_links, 20 - TIMELINE_FORMER_MAX);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_no_step),
                UNIT_TEST(test_step_forward),
                UNIT_TEST(test_step_back),
                UNIT_TEST(test_children_stay_within),
                UNIT_TEST(test_absurd_clocks),
                UNIT_TEST(test_resume),
                UNIT_TEST(test_many_resumes),
        };

        return RUN_TESTS(tests);
}
