/* Prints a trace when its root span has come. Nobody's spans are refused because nobody can read
 * them: errors are logged once, and that is all. */

#include "forward/tree-sink.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"
#include "forward/trace-set.h"

enum {
        TRACES_MAX = 4096,
        TRACES_BYTES_MAX = 64 * 1024 * 1024,
        TEXT_MAX = 256 * 1024 * 1024, /* of one trace */
};

typedef struct TreeSink {
        Sink sink;
        int fd;
        TreeStyle style;
        TraceSet *traces;
        bool failing; /* and that has been logged */
} TreeSink;

static void log_outcome(TreeSink *tree_sink, int r)
{
        if (r < 0 && !tree_sink->failing)
                log_error_errno(r, "cannot print traces");
        tree_sink->failing = r < 0;
}

static int print_trace(TreeSink *tree_sink, const Trace *trace)
{
        _cleanup_(buffer_done) Buffer text;
        int r;

        buffer_init(&text, TEXT_MAX);
        r = tree_append(&trace->tree, &tree_sink->style, &text);
        if (r < 0)
                return r;
        return fd_write_all(tree_sink->fd, buffer_data(&text), buffer_length(&text));
}

static void print_ready(TreeSink *tree_sink, bool all)
{
        Trace *trace;

        while ((trace = trace_set_take(tree_sink->traces, all))) {
                log_outcome(tree_sink, print_trace(tree_sink, trace));
                (void)trace_free(trace);
        }
}

static int tree_sink_write(Sink *sink, const Batch *batch)
{
        TreeSink *tree_sink = (TreeSink *)sink;

        if (trace_set_add(tree_sink->traces, batch) < 0)
                log_outcome(tree_sink, -ENOMEM);
        return 0;
}

/* Only here, since the root span may come before its children in a group. */
static int tree_sink_commit(Sink *sink)
{
        print_ready((TreeSink *)sink, false);
        return 0;
}

void tree_sink_finish(Sink *sink)
{
        print_ready((TreeSink *)sink, true);
}

int tree_sink_new(int fd, const TreeStyle *style, Sink **ret)
{
        static const SinkOps ops = {tree_sink_write, tree_sink_commit};
        TreeSink *tree_sink = malloc(sizeof(*tree_sink));
        int r;

        if (!tree_sink)
                return -ENOMEM;
        *tree_sink = (TreeSink){
                .sink = {.ops = &ops, .name = "the tree"},
                .fd = fd,
                .style = *style,
        };
        r = trace_set_new(TRACES_BYTES_MAX, TRACES_MAX, &tree_sink->traces);
        if (r < 0) {
                free(tree_sink);
                return r;
        }
        *ret = &tree_sink->sink;
        return 0;
}

Sink *tree_sink_free(Sink *sink)
{
        TreeSink *tree_sink = (TreeSink *)sink;

        if (tree_sink)
                tree_sink->traces = trace_set_free(tree_sink->traces);
        free(tree_sink);
        return NULL;
}
