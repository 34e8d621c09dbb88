#pragma once

/* The guest's own trace: root span `guest`, its children `kernel`, `boot` and `agent`, and a
 * child of `boot` for each step. It only fills link records; who sends them is not its business. */

#include "base/clock.h"
#include "init/boot.h"
#include "init/config.h"
#include "init/ending.h"
#include "link/record.h"
#include "otlp/traceparent.h"

typedef struct GuestTrace {
        ClockAnchor anchor;
        TraceId trace_id;
        SpanId parent; /* of the root span: all zeroes, or a span of the host */
        SpanId root;
        SpanId kernel;
        SpanId boot;
        SpanId agent;
        SpanId steps[BOOT_RECORDS_MAX]; /* drawn when first told */
        nsec_t init_start;  /* CLOCK_BOOTTIME, as all below */
        nsec_t agent_start; /* and the end of `boot`; 0 as long as the agent was not started */
        bool resumed;     /* as the tracer says: a new one must not use @trace_id */
        bool clock_unset; /* the guest has no clock: its times count from 1970 */
        char host_name[65];
        char host_id[37];
        char os_description[4 * 65]; /* what fits of uname(2) */
} GuestTrace;

/* Draws the ids. @parent is the host's span that this trace belongs to, NULL for a trace of its
 * own; @init_start is when main began. Returns 0 or -errno. */
int guest_trace_begin(GuestTrace *trace, const Traceparent *parent, nsec_t init_start);

/* Each fills one record, which borrows from @trace and the other arguments. */
void guest_trace_resource(const GuestTrace *trace, LinkRecord *ret);
void guest_trace_open(const GuestTrace *trace, LinkRecord *ret);
void guest_trace_kernel(const GuestTrace *trace, LinkRecord *ret);
int guest_trace_step(GuestTrace *trace, const BootLog *log, size_t i, LinkRecord *ret);
void guest_trace_boot(const GuestTrace *trace, nsec_t end, const Ending *ending, LinkRecord *ret);
void guest_trace_agent(const GuestTrace *trace, const Config *config, pid_t pid,
                       const Ending *ending, LinkRecord *ret);
void guest_trace_root(const GuestTrace *trace, const Ending *ending, nsec_t deadline,
                      LinkRecord *ret);

/* The value of TRACEPARENT for the agent. */
void guest_trace_parent_text(const GuestTrace *trace, char ret[static TRACEPARENT_TEXT_MAX]);
