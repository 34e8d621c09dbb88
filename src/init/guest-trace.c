/* The guest's own trace. Attribute names are those of the OpenTelemetry semantic conventions where
 * there is one; what they lack (boot phases, death by signal) is `rootspan.*`. */

#include "init/guest-trace.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "base/macro.h"
#include "base/random.h"
#include "init/signal-name.h"

/* 2020-01-01: earlier than any guest of ours, later than a clock that was never set. */
#define CLOCK_PLAUSIBLE (UINT64_C(1577836800) * NSEC_PER_SEC)

static void read_host(GuestTrace *trace)
{
        struct utsname name;
        ssize_t n;

        if (uname(&name) == 0) {
                (void)snprintf(trace->host_name, sizeof(trace->host_name), "%s", name.nodename);
                (void)snprintf(trace->os_description, sizeof(trace->os_description), "%s %s %s %s",
                               name.sysname, name.release, name.version, name.machine);
        }
        n = file_read("/proc/sys/kernel/random/boot_id", trace->host_id, sizeof(trace->host_id));
        if (n == -EFBIG) /* the newline did not fit */
                trace->host_id[sizeof(trace->host_id) - 1] = '\0';
}

int guest_trace_begin(GuestTrace *trace, const Traceparent *parent, nsec_t init_start)
{
        struct {
                uint8_t *bytes;
                size_t n;
        } ids[] = {
                {trace->trace_id.bytes, TRACE_ID_SIZE}, {trace->root.bytes, SPAN_ID_SIZE},
                {trace->kernel.bytes, SPAN_ID_SIZE},    {trace->boot.bytes, SPAN_ID_SIZE},
                {trace->agent.bytes, SPAN_ID_SIZE},
        };

        trace->anchor = clock_anchor();
        trace->clock_unset = trace->anchor.realtime < CLOCK_PLAUSIBLE;
        trace->init_start = init_start;
        read_host(trace);
        for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
                int r = random_id(ids[i].bytes, ids[i].n);

                if (r < 0)
                        return r;
        }
        if (parent) {
                trace->trace_id = parent->trace_id;
                trace->parent = parent->span_id;
        }
        return 0;
}

void guest_trace_resource(const GuestTrace *trace, LinkRecord *ret)
{
        Attributes *resource = &ret->trace.resource;

        *ret = (LinkRecord){.type = LINK_TRACE, .trace = {.trace_id = trace->trace_id,
                                                          .agent = trace->agent,
                                                          .resumed = trace->resumed,
                                                          .anchor = trace->anchor}};
        attributes_add_string(resource, "service.name", "rootspan");
        attributes_add_string(resource, "service.version", ROOTSPAN_VERSION);
        attributes_add_string(resource, "telemetry.sdk.name", "rootspan");
        attributes_add_string(resource, "telemetry.sdk.language", "c");
        attributes_add_string(resource, "telemetry.sdk.version", ROOTSPAN_VERSION);
        if (trace->host_id[0] != '\0')
                attributes_add_string(resource, "host.id", trace->host_id);
        attributes_add_string(resource, "host.name", trace->host_name);
#if defined(__x86_64__)
        attributes_add_string(resource, "host.arch", "amd64");
#elif defined(__aarch64__)
        attributes_add_string(resource, "host.arch", "arm64");
#endif
        attributes_add_string(resource, "os.type", "linux");
        attributes_add_string(resource, "os.description", trace->os_description);
        if (trace->clock_unset)
                attributes_add_bool(resource, "rootspan.clock_unset", true);
}

static Span *fill_span(const GuestTrace *trace, LinkRecord *ret, LinkType type, const char *name,
                       SpanId id, SpanId parent, nsec_t start, nsec_t end)
{
        *ret = (LinkRecord){
                .type = type,
                .span = {
                        .id = id,
                        .parent = parent,
                        .name = name,
                        .kind = SPAN_KIND_INTERNAL,
                        .start = clock_anchor_realtime(&trace->anchor, start),
                        .end = clock_anchor_realtime(&trace->anchor, MAX(start, end)),
                },
        };
        return &ret->span;
}

void guest_trace_open(const GuestTrace *trace, LinkRecord *ret)
{
        (void)fill_span(trace, ret, LINK_OPEN, "guest", trace->root, trace->parent, 0, 0);
}

/* Descriptions of errors, good until the next call: a record is sent before the next is filled. */
static char message[256];

static void set_error(Span *span, const char *type, const char *text)
{
        span->status = SPAN_STATUS_ERROR;
        span->status_message = text;
        attributes_add_string(&span->attributes, "error.type", type);
}

void guest_trace_kernel(const GuestTrace *trace, LinkRecord *ret)
{
        (void)fill_span(trace, ret, LINK_SPAN, "kernel", trace->kernel, trace->root, 0,
                        trace->init_start);
}

int guest_trace_step(GuestTrace *trace, const BootLog *log, size_t i, LinkRecord *ret)
{
        const BootRecord *record = &log->records[i];
        Span *span;

        if (!span_id_is_valid(&trace->steps[i])) {
                int r = random_id(trace->steps[i].bytes, SPAN_ID_SIZE);

                if (r < 0)
                        return r;
        }
        span = fill_span(trace, ret, LINK_SPAN, record->name, trace->steps[i], trace->boot,
                         record->start, record->end);
        if (record->error < 0)
                set_error(span, "errno", strerror(-record->error));
        return 0;
}

void guest_trace_boot(const GuestTrace *trace, nsec_t end, const Ending *ending, LinkRecord *ret)
{
        Span *span = fill_span(trace, ret, LINK_SPAN, "boot", trace->boot, trace->root,
                               trace->init_start, end);

        if (trace->agent_start == 0)
                set_error(span, end_reason_name(ending->reason), "the agent was not started");
}

/* What went wrong with the agent, as the status of its span and of the root span. */
static void set_agent_error(Span *span, const Ending *ending)
{
        char type[16];

        if (ending->reason == END_AGENT_START_FAILURE) {
                (void)snprintf(message, sizeof(message), "the agent could not be executed: %s",
                               strerror(-ending->start_error));
                set_error(span, end_reason_name(ending->reason), message);
        } else if (!ending->agent_ran) {
                set_error(span, end_reason_name(ending->reason), "the agent was not started");
        } else if (ending->exit_signal != 0) {
                (void)snprintf(message, sizeof(message), "killed by signal %d (%s)%s%s",
                               ending->exit_signal, signal_name(ending->exit_signal),
                               ending->core_dumped ? ", core dumped" : "",
                               ending->reason == END_AGENT_OOM ? ", out of memory" : "");
                set_error(span, signal_name(ending->exit_signal), message);
        } else if (ending->exit_code != 0) {
                int n = snprintf(type, sizeof(type), "%d", ending->exit_code);

                /* Both texts live in @message, one behind the other. */
                (void)snprintf(message, sizeof(message), "%s%cexit code %s", type, '\0', type);
                set_error(span, message, message + n + 1);
        }
}

static int64_t timeval_to_ns(struct timeval tv)
{
        return (int64_t)tv.tv_sec * (int64_t)NSEC_PER_SEC + (int64_t)tv.tv_usec * 1000;
}

void guest_trace_agent(const GuestTrace *trace, const Config *config, pid_t pid,
                       const Ending *ending, LinkRecord *ret)
{
        const char *path = config->agent[0], *slash = strrchr(path, '/');
        Span *span = fill_span(trace, ret, LINK_SPAN, "agent", trace->agent, trace->root,
                               trace->agent_start, ending->agent_end);
        Attributes *attributes = &span->attributes;

        attributes_add_string(attributes, "process.executable.name", slash ? slash + 1 : path);
        attributes_add_string(attributes, "process.executable.path", path);
        attributes_add_int(attributes, "process.exit.code", ending->exit_code);
        if (ending->agent_ran) {
                attributes_add_int(attributes, "process.pid", pid);
                attributes_add_int(attributes, "rootspan.agent.cpu.user_ns",
                                   timeval_to_ns(ending->usage.ru_utime));
                attributes_add_int(attributes, "rootspan.agent.cpu.system_ns",
                                   timeval_to_ns(ending->usage.ru_stime));
                attributes_add_int(attributes, "rootspan.agent.max_rss_bytes",
                                   (int64_t)ending->usage.ru_maxrss * 1024);
        }
        if (ending->exit_signal != 0) {
                attributes_add_int(attributes, "rootspan.agent.signal", ending->exit_signal);
                attributes_add_bool(attributes, "rootspan.agent.core_dumped", ending->core_dumped);
        }
        if (ending->oom_kills > 0)
                attributes_add_int(attributes, "rootspan.oom_kills", (int64_t)ending->oom_kills);
        set_agent_error(span, ending);
}

void guest_trace_root(const GuestTrace *trace, const Ending *ending, nsec_t deadline,
                      LinkRecord *ret)
{
        Span *span = fill_span(trace, ret, LINK_FLUSH, "guest", trace->root, trace->parent, 0,
                               MAX(ending->agent_end, ending->told_end));

        ret->deadline = deadline;
        attributes_add_string(&span->attributes, "rootspan.reason",
                              end_reason_name(ending->reason));
        attributes_add_int(&span->attributes, "process.exit.code", ending->exit_code);
        if (ending->tracer_restarts > 0)
                attributes_add_int(&span->attributes, "rootspan.tracer.restarts",
                                   ending->tracer_restarts);
        set_agent_error(span, ending);
}

void guest_trace_parent_text(const GuestTrace *trace, char ret[static TRACEPARENT_TEXT_MAX])
{
        traceparent_format(&(Traceparent){.trace_id = trace->trace_id,
                                          .span_id = trace->agent,
                                          .flags = TRACEPARENT_SAMPLED},
                           ret);
}
