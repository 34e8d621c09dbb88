/* Collecting traces. A trace is complete with its root span: clients send that last. What still
 * comes behind it makes a trace of its own, which says so. */

#include "forward/trace-set.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

enum {
        NAME_MAX_BYTES = 256,
        MESSAGE_MAX_BYTES = 512,
        SHOWN_MAX = 256, /* how many traces already let go are remembered */
};

struct TraceSet {
        size_t max_bytes, max_traces;
        size_t n_bytes, n_traces;
        Trace *oldest, **end;
        TraceId shown[SHOWN_MAX]; /* a ring */
        size_t n_shown;
};

/* What all spans of a resource have in common, copied into the trace they belong to. */
typedef struct Origin {
        const Trace *trace;
        const char *service;
        const char *host;
} Origin;

static size_t trace_bytes(const Trace *trace)
{
        return sizeof(*trace) + trace->strings.size + trace->size * sizeof(TreeSpan);
}

static const char *copy_text(Trace *trace, const char *text, size_t max)
{
        return arena_strndup(&trace->strings, text, strnlen(text, max));
}

static const Otlp__AnyValue *find_attribute(Otlp__KeyValue *const *attributes, size_t n,
                                            const char *key)
{
        for (size_t i = 0; i < n; i++)
                if (attributes[i]->value && strcmp(attributes[i]->key, key) == 0)
                        return attributes[i]->value;
        return NULL;
}

static const char *find_string(const Otlp__Resource *resource, const char *key)
{
        const Otlp__AnyValue *value = NULL;

        if (resource)
                value = find_attribute(resource->attributes, resource->n_attributes, key);
        return value && value->value_case == OTLP__ANY_VALUE__VALUE_STRING_VALUE
                       ? value->string_value
                       : "";
}

static int64_t find_int(const Otlp__Span *span, const char *key)
{
        const Otlp__AnyValue *value = find_attribute(span->attributes, span->n_attributes, key);

        return value && value->value_case == OTLP__ANY_VALUE__VALUE_INT_VALUE ? value->int_value
                                                                              : 0;
}

/* The guest's root span is one even if its parent is a span of the host. */
static bool is_root(const Otlp__Span *span, const SpanId *parent)
{
        return !span_id_is_valid(parent) ||
               find_attribute(span->attributes, span->n_attributes, "rootspan.reason");
}

/* How the process behind the span ended, if not well. */
static void format_process(const Otlp__Span *span, char *ret, size_t size)
{
        int64_t signal = find_int(span, "rootspan.agent.signal");
        int64_t code = find_int(span, "process.exit.code");

        ret[0] = '\0';
        if (signal != 0)
                (void)snprintf(ret, size, "signal %" PRId64, signal);
        else if (code != 0)
                (void)snprintf(ret, size, "exit code %" PRId64, code);
}

static int set_origin(Trace *trace, const Otlp__Resource *resource, Origin *origin)
{
        if (origin->trace == trace)
                return 0;
        origin->service = copy_text(trace, find_string(resource, "service.name"), NAME_MAX_BYTES);
        origin->host = copy_text(trace, find_string(resource, "host.name"), NAME_MAX_BYTES);
        if (!origin->service || !origin->host)
                return -ENOMEM;
        origin->trace = trace;
        return 0;
}

static int reserve_span(Trace *trace)
{
        size_t size = trace->size > 0 ? 2 * trace->size : 16;
        TreeSpan *spans;

        if (trace->tree.n < trace->size)
                return 0;
        spans = reallocarray(trace->spans, size, sizeof(*spans));
        if (!spans)
                return -ENOMEM;
        trace->tree.spans = trace->spans = spans;
        trace->size = size;
        return 0;
}

static int add_span(Trace *trace, const Otlp__Span *span, const Origin *origin)
{
        TreeSpan copy = {
                .is_error = span->status && span->status->code == SPAN_STATUS_ERROR,
                .start = span->start_time_unix_nano,
                .end = span->end_time_unix_nano,
                .service = origin->service,
                .host = origin->host,
        };
        char process[32];

        memcpy(copy.id.bytes, span->span_id.data, SPAN_ID_SIZE);
        if (span->parent_span_id.len == SPAN_ID_SIZE)
                memcpy(copy.parent.bytes, span->parent_span_id.data, SPAN_ID_SIZE);
        copy.is_root = is_root(span, &copy.parent);
        format_process(span, process, sizeof(process));
        copy.name = copy_text(trace, span->name, NAME_MAX_BYTES);
        copy.message = copy_text(trace, span->status ? span->status->message : "",
                                 MESSAGE_MAX_BYTES);
        copy.process = copy_text(trace, process, sizeof(process));
        if (!copy.name || !copy.message || !copy.process || reserve_span(trace) < 0)
                return -ENOMEM;
        trace->spans[trace->tree.n++] = copy;
        trace->has_root |= copy.is_root;
        return 0;
}

static bool was_shown(const TraceSet *set, const TraceId *id)
{
        for (size_t i = 0; i < MIN(set->n_shown, (size_t)SHOWN_MAX); i++)
                if (memcmp(&set->shown[i], id, sizeof(*id)) == 0)
                        return true;
        return false;
}

static int find_trace(TraceSet *set, const TraceId *id, Trace **ret)
{
        Trace *trace;

        for (trace = set->oldest; trace; trace = trace->next)
                if (memcmp(&trace->tree.id, id, sizeof(*id)) == 0) {
                        *ret = trace;
                        return 0;
                }
        trace = calloc(1, sizeof(*trace));
        if (!trace)
                return -ENOMEM;
        trace->tree.id = *id;
        trace->tree.is_rest = was_shown(set, id);
        arena_init(&trace->strings, SIZE_MAX);
        *set->end = trace;
        set->end = &trace->next;
        set->n_traces++;
        set->n_bytes += trace_bytes(trace);
        *ret = trace;
        return 0;
}

static int add_to_set(TraceSet *set, const Otlp__Span *span, const Otlp__Resource *resource,
                      Origin *origin)
{
        TraceId id;
        Trace *trace;
        int r;

        memcpy(id.bytes, span->trace_id.data, TRACE_ID_SIZE);
        r = find_trace(set, &id, &trace);
        if (r < 0)
                return r;
        set->n_bytes -= trace_bytes(trace);
        r = set_origin(trace, resource, origin);
        if (r == 0)
                r = add_span(trace, span, origin);
        set->n_bytes += trace_bytes(trace);
        return r;
}

int trace_set_add(TraceSet *set, const Batch *batch)
{
        int first_error = 0;

        for (size_t i = 0; i < batch->request->n_resource_spans; i++) {
                const Otlp__ResourceSpans *resource_spans = batch->request->resource_spans[i];
                Origin origin = {0};

                for (size_t k = 0; k < resource_spans->n_scope_spans; k++) {
                        const Otlp__ScopeSpans *scope_spans = resource_spans->scope_spans[k];

                        for (size_t m = 0; m < scope_spans->n_spans; m++) {
                                int r = add_to_set(set, scope_spans->spans[m],
                                                   resource_spans->resource, &origin);

                                first_error = first_error ?: r;
                        }
                }
        }
        return first_error;
}

/* The link that leads to the trace to let go, or NULL. */
static Trace **find_next(TraceSet *set, bool all)
{
        for (Trace **link = &set->oldest; *link; link = &(*link)->next)
                if ((*link)->has_root)
                        return link;
        if (!set->oldest)
                return NULL;
        if (set->n_bytes > set->max_bytes || set->n_traces > set->max_traces) {
                set->oldest->tree.is_early = true;
                return &set->oldest;
        }
        return all ? &set->oldest : NULL;
}

Trace *trace_set_take(TraceSet *set, bool all)
{
        Trace **link = find_next(set, all), *trace;

        if (!link)
                return NULL;
        trace = *link;
        *link = trace->next;
        if (set->end == &trace->next)
                set->end = link;
        trace->next = NULL;
        set->n_traces--;
        set->n_bytes -= trace_bytes(trace);
        set->shown[set->n_shown++ % SHOWN_MAX] = trace->tree.id;
        return trace;
}

Trace *trace_free(Trace *trace)
{
        if (trace) {
                arena_done(&trace->strings);
                free(trace->spans);
        }
        free(trace);
        return NULL;
}

int trace_set_new(size_t max_bytes, size_t max_traces, TraceSet **ret)
{
        TraceSet *set = calloc(1, sizeof(*set));

        if (!set)
                return -ENOMEM;
        set->max_bytes = max_bytes;
        set->max_traces = max_traces;
        set->end = &set->oldest;
        *ret = set;
        return 0;
}

TraceSet *trace_set_free(TraceSet *set)
{
        while (set && set->oldest) {
                Trace *trace = set->oldest;

                set->oldest = trace->next;
                (void)trace_free(trace);
        }
        free(set);
        return NULL;
}
