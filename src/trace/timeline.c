/* The timeline. The wall clock is always boot time plus a distance; a step changes that distance,
 * and nothing else does. */

#include "trace/timeline.h"

#include "base/macro.h"
#include "base/parse.h"

/* What reading two clocks one after the other may be wrong by. Smaller steps add up until seen. */
static const int64_t STEP_MIN = 1000 * 1000;

/* Modulo 2^64, so that no two clocks can overflow it. */
static int64_t distance(const ClockAnchor *anchor)
{
        return (int64_t)(anchor->realtime - anchor->boottime);
}

static nsec_t move(nsec_t time, int64_t by)
{
        return by < 0 ? nsec_left(time, -(nsec_t)by) : nsec_add(time, (nsec_t)by);
}

static int64_t present_offset(const Timeline *timeline)
{
        return timeline->n_steps > 0 ? timeline->steps[timeline->n_steps - 1].offset : 0;
}

/* A new event, or NULL when there is no room. */
static SpanEvent *add_event(Timeline *timeline, const char *name, nsec_t time)
{
        SpanEvent *event;

        if (timeline->n_events == SPAN_EVENTS_MAX) {
                timeline->dropped_events++;
                return NULL;
        }
        event = &timeline->events[timeline->n_events++];
        *event = (SpanEvent){.name = name, .time = time};
        return event;
}

void timeline_init(Timeline *timeline, const TraceId *told, const ClockAnchor *anchor)
{
        *timeline = (Timeline){.anchor = *anchor, .told = *told};
}

void timeline_check_clock(Timeline *timeline, const ClockAnchor *now)
{
        int64_t offset = (int64_t)((uint64_t)distance(now) - (uint64_t)distance(&timeline->anchor));
        int64_t step = (int64_t)((uint64_t)offset - (uint64_t)present_offset(timeline));
        SpanEvent *event;

        if (step > -STEP_MIN && step < STEP_MIN)
                return;
        if (timeline->n_steps < TIMELINE_STEPS_MAX)
                timeline->n_steps++; /* else the last one stands for all that follow */
        timeline->steps[timeline->n_steps - 1] = (ClockStep){
                .at = clock_anchor_realtime(&timeline->anchor, now->boottime), .offset = offset};
        event = add_event(timeline, "rootspan.clock_step", now->realtime);
        if (event)
                attributes_add_int(&event->attributes, "rootspan.clock_step_ns", step);
}

static void add_former(Timeline *timeline, const TraceId *former)
{
        if (timeline->n_former < TIMELINE_FORMER_MAX)
                timeline->former[timeline->n_former++] = *former;
        else
                timeline->dropped_former++;
}

void timeline_resume(Timeline *timeline, ResumeSign sign, const ClockAnchor *now,
                     const TraceId *former, bool used)
{
        static const char *const names[] = {
                [RESUME_VSOCK_RESET] = "vsock-reset",
                [RESUME_VMGENID] = "vmgenid",
                [RESUME_BEFORE_RESTART] = "before-restart",
        };
        bool again = timeline->resumed && timeline->last_sign == sign;
        SpanEvent *event;

        if (!used && again)
                return;
        timeline->resumed = true;
        timeline->last_sign = sign;
        event = add_event(timeline, "rootspan.resumed", now->realtime);
        if (event)
                attributes_add_string(&event->attributes, "rootspan.resume.sign", names[sign]);
        if (!used)
                return;
        add_former(timeline, former);
        if (event) {
                char *text = timeline->trace_ids[event - timeline->events];

                format_hex(former->bytes, TRACE_ID_SIZE, text);
                attributes_add_string(&event->attributes, "rootspan.former_trace_id", text);
        }
}

void timeline_place(const Timeline *timeline, Span *span)
{
        int64_t low = 0, high = 0;

        for (size_t i = 0; i < timeline->n_steps; i++) {
                const ClockStep *step = &timeline->steps[i];

                if (step->at > span->end)
                        break;
                if (step->at <= span->start)
                        low = high = step->offset;
                low = MIN(low, step->offset);
                high = MAX(high, step->offset);
        }
        span->start = move(span->start, low);
        span->end = move(span->end, high);
}

void timeline_mark_root(const Timeline *timeline, Span *root, SpanLink *ret_links)
{
        size_t n = timeline->n_former;

        for (size_t i = 0; i < n; i++)
                ret_links[i] = (SpanLink){timeline->former[i], root->id};
        if (timeline->resumed && span_id_is_valid(&root->parent)) {
                ret_links[n++] = (SpanLink){timeline->told, root->parent};
                root->parent = (SpanId){0};
        }
        root->events = timeline->events;
        root->n_events = timeline->n_events;
        root->dropped_events = timeline->dropped_events;
        root->links = ret_links;
        root->n_links = n;
        root->dropped_links = timeline->dropped_former;
}
