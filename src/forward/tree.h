#pragma once

/* A trace as people like to read it: spans in, text out. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "otlp/span.h"

/* A span, as much of it as is shown. Strings are untrusted and never NULL. */
typedef struct TreeSpan {
        SpanId id;
        SpanId parent; /* all zeroes: none */
        bool is_root;  /* of the trace, even if it has a parent elsewhere */
        bool is_error;
        nsec_t start;
        nsec_t end;
        const char *name;
        const char *service; /* service.name of its resource */
        const char *host;    /* host.name of its resource */
        const char *message; /* of its status */
        const char *process; /* "exit code 3", "signal 9", or "" */
} TreeSpan;

typedef struct Tree {
        TraceId id;
        const TreeSpan *spans; /* in any order; of those with the same id the first counts */
        size_t n;
        bool is_early; /* its root span has not come, but memory is needed */
        bool is_rest;  /* of a trace that was printed before */
} Tree;

typedef struct TreeStyle {
        size_t width; /* in columns, TREE_WIDTH_MIN to TREE_WIDTH_MAX */
        bool color;
} TreeStyle;

enum {
        TREE_WIDTH_MIN = 60,
        TREE_WIDTH_MAX = 400,
};

/* Appends the trace, with an empty line behind it. Needs a UTF-8 locale, see forward/terminal.h.
 * Returns 0, -ENOBUFS above the buffer's cap, or -ENOMEM. */
int tree_append(const Tree *tree, const TreeStyle *style, Buffer *ret);
