/* Drawing a trace: what it is, then a row for each span, with its place in the tree, its times, and
 * a bar on the time line of the whole. Every string but our own passes through
 * terminal_append(). */

#include "forward/tree.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/parse.h"
#include "forward/terminal.h"
#include "forward/tree-order.h"

enum {
        INDENT = 3,     /* columns of a level */
        TIME = 9,       /* columns of a time */
        GAP = 2,        /* between columns */
        FIXED = GAP + TIME + GAP + TIME + GAP,
        BAR_MIN = 10,
        BAR_MAX = 60,
        NAME_MIN = 12,  /* columns left for a name in the deepest row that is still indented */
        ERROR_MARK_COLUMNS = 2,
        TEXT_MAX = 1024, /* bytes of a suffix or a detail */
};

#define NO_ROOT "<trace-without-root-span>"
#define ERROR_MARK "✗ "

typedef enum Color {
        COLOR_NONE,
        COLOR_BOLD,
        COLOR_DIM,
        COLOR_RED,
        COLOR_CYAN,
} Color;

typedef struct Printer {
        const TreeStyle *style;
        Buffer *out;
        int error; /* sticky */
        nsec_t start;
        nsec_t length; /* of the whole trace */
        size_t label;  /* columns of the tree and names */
        size_t bar;
        const char *service; /* of the root: not repeated in each row */
} Printer;

static void put_n(Printer *p, const char *text, size_t n)
{
        if (p->error == 0)
                p->error = buffer_append(p->out, text, n);
}

static void put(Printer *p, const char *text)
{
        put_n(p, text, strlen(text));
}

static void put_spaces(Printer *p, size_t n)
{
        while (n-- > 0)
                put(p, " ");
}

static void _printf_(2, 3) put_format(Printer *p, const char *format, ...)
{
        char text[128];
        va_list args;

        va_start(args, format);
        (void)vsnprintf(text, sizeof(text), format, args); /* what is too long is ours, and cut */
        va_end(args);
        put(p, text);
}

/* Returns how many columns the text took. */
static size_t put_untrusted(Printer *p, const char *text, size_t columns)
{
        size_t taken = 0;

        if (p->error == 0)
                p->error = terminal_append(p->out, text, columns, &taken);
        return taken;
}

static void set_color(Printer *p, Color color)
{
        static const char *const codes[] = {
                [COLOR_NONE] = "\033[0m",  [COLOR_BOLD] = "\033[1m",  [COLOR_DIM] = "\033[2m",
                [COLOR_RED] = "\033[31m", [COLOR_CYAN] = "\033[36m",
        };

        if (p->style->color)
                put(p, codes[color]);
}

/* Three digits and a unit. */
static void format_time(nsec_t t, char *ret, size_t size)
{
        static const struct {
                nsec_t nsec;
                const char *unit;
        } units[] = {
                {NSEC_PER_SEC, "s"},
                {NSEC_PER_MSEC, "ms"},
                {NSEC_PER_USEC, "µs"},
        };
        nsec_t seconds = t / NSEC_PER_SEC;
        size_t i = 0;
        double value;

        if (seconds >= 100 * 3600) {
                (void)snprintf(ret, size, "%" PRIu64 "d", seconds / (24 * 3600));
                return;
        }
        if (seconds >= 3600) {
                (void)snprintf(ret, size, "%" PRIu64 "h%02" PRIu64 "m", seconds / 3600,
                               seconds % 3600 / 60);
                return;
        }
        if (seconds >= 60) {
                (void)snprintf(ret, size, "%" PRIu64 "m%02" PRIu64 "s", seconds / 60, seconds % 60);
                return;
        }
        while (i < ARRAY_SIZE(units) && t < units[i].nsec)
                i++;
        if (i == ARRAY_SIZE(units)) {
                (void)snprintf(ret, size, t == 0 ? "%" PRIu64 : "%" PRIu64 "ns", t);
                return;
        }
        value = (double)t / (double)units[i].nsec;
        (void)snprintf(ret, size, "%.*f%s", value < 10 ? 2 : value < 100 ? 1 : 0, value,
                       units[i].unit);
}

static void put_time(Printer *p, nsec_t t)
{
        char text[32];
        size_t columns;

        format_time(t, text, sizeof(text));
        columns = terminal_columns(text);
        put_spaces(p, GAP + (columns < TIME ? TIME - columns : 0));
        put(p, text);
}

static nsec_t duration(const TreeSpan *span)
{
        return nsec_left(span->end, span->start);
}

static void put_bar(Printer *p, const TreeSpan *span)
{
        double scale = p->length > 0 ? (double)p->bar / (double)p->length : 0;
        double from = (double)(span->start - p->start) * scale;
        double columns = (double)duration(span) * scale;
        size_t first = MIN((size_t)from, p->bar - 1);
        size_t last = MIN((size_t)(from + columns + 0.5), p->bar);

        put_spaces(p, GAP + first);
        set_color(p, span->is_error ? COLOR_RED : COLOR_CYAN);
        if (columns < 0.5)
                put(p, "╸");
        for (size_t i = first; columns >= 0.5 && (i == first || i < last); i++)
                put(p, "━");
        set_color(p, COLOR_NONE);
}

/* Are the rows of this depth indented, or is there no room left for names? */
static bool is_indented(const Printer *p, size_t depth)
{
        return depth * INDENT + NAME_MIN <= p->label;
}

/* The lines from @row's ancestors and itself to what comes below, as far as level @n. */
static void put_lines(Printer *p, const TreeRow *row, size_t n)
{
        bool runs[TREE_WIDTH_MAX / INDENT] = {0};

        for (const TreeRow *r = row; r && r->depth > 0; r = r->parent)
                runs[r->depth - 1] = !r->is_last;
        for (size_t i = 0; i < n; i++)
                put(p, runs[i] ? "│  " : "   ");
}

/* Returns the columns taken. */
static size_t put_branch(Printer *p, const TreeRow *row)
{
        size_t columns = row->depth * INDENT;
        char text[32];

        if (row->depth == 0)
                return 0;
        set_color(p, COLOR_DIM);
        if (is_indented(p, row->depth)) {
                put_lines(p, row, row->depth - 1);
                put(p, row->is_last ? "└─ " : "├─ ");
        } else {
                (void)snprintf(text, sizeof(text), "⋯ %zu ", row->depth);
                put(p, text);
                columns = terminal_columns(text);
        }
        set_color(p, COLOR_NONE);
        return columns;
}

/* What makes a span special, behind its name: a service that is not the root's, a parent that is
 * not here. The result is as untrusted as its parts. */
static void format_suffix(const Printer *p, const TreeRow *row, char ret[static TEXT_MAX])
{
        const char *service = row->span->service;
        bool other_service = service[0] != '\0' && strcmp(service, p->service) != 0;

        (void)snprintf(ret, TEXT_MAX, "%s%s%s%s", other_service ? " [" : "",
                       other_service ? service : "", other_service ? "]" : "",
                       row->is_orphan ? " (parent not seen)" : "");
}

static size_t label_columns(const Printer *p, const TreeRow *row)
{
        char suffix[TEXT_MAX];

        format_suffix(p, row, suffix);
        return row->depth * INDENT + (row->span->is_error ? ERROR_MARK_COLUMNS : 0) +
               terminal_columns(row->span->name) + terminal_columns(suffix);
}

/* A name that is too long is cut; what stands behind it is cut only if it takes more than half. */
static void put_label(Printer *p, const TreeRow *row)
{
        size_t left = p->label - put_branch(p, row), taken;
        const TreeSpan *span = row->span;
        char suffix[TEXT_MAX];

        if (span->is_error) {
                set_color(p, COLOR_RED);
                put(p, ERROR_MARK);
                left -= ERROR_MARK_COLUMNS;
        }
        format_suffix(p, row, suffix);
        taken = put_untrusted(p, span->name, left - MIN(terminal_columns(suffix), left / 2));
        if (suffix[0] != '\0') {
                set_color(p, COLOR_NONE);
                set_color(p, COLOR_DIM);
                taken += put_untrusted(p, suffix, left - taken);
        }
        if (span->is_error || suffix[0] != '\0')
                set_color(p, COLOR_NONE);
        put_spaces(p, left - taken);
}

static void put_row(Printer *p, const TreeRow *row)
{
        put_label(p, row);
        put_time(p, row->span->start - p->start);
        put_time(p, duration(row->span));
        put_bar(p, row->span);
        put(p, "\n");
}

/* What went wrong, below the row it belongs to. */
static void put_details(Printer *p, const TreeRow *row)
{
        const TreeSpan *span = row->span;
        bool has_process = span->process[0] != '\0' && !strstr(span->message, span->process);
        bool has_message = span->is_error && span->message[0] != '\0';
        size_t indent = is_indented(p, row->depth + 1) ? row->depth : 0;
        char text[TEXT_MAX];

        if (!has_process && !has_message)
                return;
        set_color(p, COLOR_DIM);
        put_lines(p, row, indent);
        put(p, row->first_child ? "│  " : "   ");
        set_color(p, COLOR_NONE);
        if (span->is_error)
                set_color(p, COLOR_RED);
        (void)snprintf(text, sizeof(text), "%s%s%s", has_process ? span->process : "",
                       has_process && has_message ? ": " : "", has_message ? span->message : "");
        (void)put_untrusted(p, text, p->style->width - (indent + 1) * INDENT);
        set_color(p, COLOR_NONE);
        put(p, "\n");
}

/* Divides the width among names and bars. */
static void set_columns(Printer *p, const TreeOrder *order)
{
        size_t width = p->style->width - FIXED, longest = sizeof(NO_ROOT) - 1;

        for (size_t i = 0; i < order->n; i++)
                longest = MAX(longest, label_columns(p, order->rows[i]));
        p->label = MIN(longest, width - MAX(width / 3, (size_t)BAR_MIN));
        p->bar = MIN(width - p->label, (size_t)BAR_MAX);
}

static void put_head(Printer *p, const Tree *tree, const TreeOrder *order)
{
        const TreeSpan *first = order->rows[0]->span;
        char id[2 * TRACE_ID_SIZE + 1], length[32];
        size_t errors = 0, taken;

        for (size_t i = 0; i < order->n; i++)
                errors += order->rows[i]->span->is_error;
        format_hex(tree->id.bytes, TRACE_ID_SIZE, id);
        format_time(p->length, length, sizeof(length));
        set_color(p, COLOR_BOLD);
        put_format(p, "Trace %s", id);
        set_color(p, COLOR_NONE);
        put_format(p, ": %zu span%s, ", order->n, order->n == 1 ? "" : "s");
        if (errors > 0)
                set_color(p, COLOR_RED);
        put_format(p, "%zu error%s", errors, errors == 1 ? "" : "s");
        set_color(p, COLOR_NONE);
        put_format(p, ", %s\n", length);

        put(p, "service.name=");
        taken = put_untrusted(p, first->service, p->style->width / 2);
        put(p, " host.name=");
        (void)put_untrusted(p, first->host, p->style->width - taken - sizeof("service.name= host.name="));
        put(p, "\n");
        if (tree->is_rest)
                put(p, "(more spans of a trace printed above)\n");
        if (tree->is_early)
                put(p, "(printed before it was complete, for want of memory)\n");

        set_color(p, COLOR_DIM);
        put_spaces(p, p->label + GAP + TIME - strlen("START"));
        put(p, "START");
        put_spaces(p, GAP + TIME - strlen("DURATION"));
        put(p, "DURATION");
        set_color(p, COLOR_NONE);
        put(p, "\n");
}

static void find_times(Printer *p, const TreeOrder *order)
{
        nsec_t end = 0;

        p->start = NSEC_INFINITY;
        for (size_t i = 0; i < order->n; i++) {
                p->start = MIN(p->start, order->rows[i]->span->start);
                end = MAX(end, order->rows[i]->span->end);
        }
        p->length = nsec_left(end, p->start);
}

int tree_append(const Tree *tree, const TreeStyle *style, Buffer *ret)
{
        Printer p = {.style = style, .out = ret};
        TreeOrder order;
        int r;

        r = tree_order(tree, &order);
        if (r < 0 || order.n == 0)
                return r;
        p.service = order.rows[0]->span->service;
        find_times(&p, &order);
        set_columns(&p, &order);
        put_head(&p, tree, &order);
        if (!order.has_root)
                put(&p, tree->is_rest ? "⋯\n" : NO_ROOT "\n");
        for (size_t i = 0; i < order.n; i++) {
                put_row(&p, order.rows[i]);
                put_details(&p, order.rows[i]);
        }
        put(&p, "\n");
        tree_order_done(&order);
        return p.error;
}
