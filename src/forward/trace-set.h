#pragma once

/* The spans of traces that are not complete yet, until their root span comes. */

#include <stdbool.h>
#include <stddef.h>

#include "forward/arena.h"
#include "forward/batch.h"
#include "forward/tree.h"

typedef struct TraceSet TraceSet;

/* A trace taken out of the set. */
typedef struct Trace Trace;
struct Trace {
        Trace *next;
        Tree tree;
        TreeSpan *spans; /* those of @tree */
        size_t size;     /* room in @spans */
        Arena strings;
        bool has_root;
};

/* The set lets traces go early, oldest first, when they are more than @max_traces or take more
 * than @max_bytes. Returns 0 or -ENOMEM. */
int trace_set_new(size_t max_bytes, size_t max_traces, TraceSet **ret);
TraceSet *trace_set_free(TraceSet *set);

/* Copies what is shown of each span. Returns 0, or -ENOMEM, and some of the spans may be missing
 * then. */
int trace_set_add(TraceSet *set, const Batch *batch);

/* Takes out a trace that is complete or has to go; with @all, any. Returns NULL when there is
 * none. */
Trace *trace_set_take(TraceSet *set, bool all);
Trace *trace_free(Trace *trace);
