#pragma once

/* What happened to the VM behind its back: resumes from a snapshot and steps of the wall clock, as
 * the spans of init are to show them. It reads no clock. */

#include <stdbool.h>

#include "base/clock.h"
#include "otlp/span.h"

typedef enum ResumeSign {
        RESUME_VSOCK_RESET,    /* the VSOCK device was reset */
        RESUME_VMGENID,        /* the kernel says that the VM has a new id */
        RESUME_BEFORE_RESTART, /* an earlier tracer said so */
} ResumeSign;

enum {
        TIMELINE_STEPS_MAX = 8,
        TIMELINE_FORMER_MAX = SPAN_LINKS_MAX - 1, /* one is for the root span's parent */
};

typedef struct ClockStep {
        nsec_t at;      /* as init, which knows of no step, would say it */
        int64_t offset; /* of the wall clock from what init would say, from then on; in ns */
} ClockStep;

typedef struct Timeline {
        ClockAnchor anchor; /* init's */
        TraceId told;       /* likewise: the trace id that it knows */
        ClockStep steps[TIMELINE_STEPS_MAX];
        size_t n_steps;
        SpanEvent events[SPAN_EVENTS_MAX];
        char trace_ids[SPAN_EVENTS_MAX][2 * TRACE_ID_SIZE + 1]; /* texts of the events' attributes */
        size_t n_events;
        uint32_t dropped_events;
        TraceId former[TIMELINE_FORMER_MAX]; /* trace ids that the host may have seen */
        size_t n_former;
        uint32_t dropped_former;
        bool resumed;
        ResumeSign last_sign;
} Timeline;

/* Begins with what init says: @anchor is behind all of its times. */
void timeline_init(Timeline *timeline, const TraceId *told, const ClockAnchor *anchor);

/* Compares the clocks with what is known of them: notes a step of at least a millisecond. */
void timeline_check_clock(Timeline *timeline, const ClockAnchor *now);

/* Notes a resume. @former is the trace id until then; @used: the host may have seen it. If it has
 * not, and the sign is the one before, it is the same resume once more. */
void timeline_resume(Timeline *timeline, ResumeSign sign, const ClockAnchor *now,
                     const TraceId *former, bool used);

/* Puts @span, as told by init, on the wall clock. A span that a step falls into begins as early and
 * ends as late as both readings of the clock say, so that it holds whatever happened within it. */
void timeline_place(const Timeline *timeline, Span *span);

/* Gives @root the events, and a link to the root span of each former trace (which had the same span
 * id). Once resumed, its parent, which is of the trace that init knows, becomes a link, too. @root
 * borrows from both: @ret_links has room for SPAN_LINKS_MAX. */
void timeline_mark_root(const Timeline *timeline, Span *root, SpanLink *ret_links);
