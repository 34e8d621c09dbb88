/* The scanner over untrusted ExportTraceServiceRequests. One loop walks the input along the schema,
 * with a stack of its own. Unknown fields are skipped, as protobuf wants it. Known fields with one
 * value may come only once: protobuf would let the last one win, which only helps to hide something
 * from a scanner. */

#include "otlp/scan.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/utf8.h"
#include "otlp/span.h"

/* The span's place on the stack, below its request, resource and scope. */
enum { SPAN_FRAME = 3 };

static ScanFrame *top(Scan *scan)
{
        return &scan->stack[scan->depth - 1];
}

static void push(Scan *scan, SchemaType type, size_t start, size_t end)
{
        assert(scan->depth < SCAN_DEPTH_MAX);
        scan->stack[scan->depth++] = (ScanFrame){.type = type, .start = start, .end = end};
        scan->at = start;
}

static bool is_id(WireSlice value, size_t size)
{
        static const uint8_t zeroes[TRACE_ID_SIZE];

        return value.n == size && memcmp(value.data, zeroes, size) != 0;
}

static int check_value(SchemaKind kind, WireSlice value)
{
        switch (kind) {
        case SCHEMA_TRACE_ID:
                return is_id(value, TRACE_ID_SIZE) ? 0 : SCAN_E_ID;
        case SCHEMA_SPAN_ID:
                return is_id(value, SPAN_ID_SIZE) ? 0 : SCAN_E_ID;
        case SCHEMA_PARENT_ID:
                return value.n == 0 || value.n == SPAN_ID_SIZE ? 0 : SCAN_E_ID;
        case SCHEMA_STRING:
                return utf8_is_valid(value.data, value.n) ? 0 : SCAN_E_UTF8;
        case SCHEMA_BOOL:
        case SCHEMA_ENUM:
        case SCHEMA_UINT32:
        case SCHEMA_INT64:
        case SCHEMA_FIXED32:
        case SCHEMA_FIXED64:
        case SCHEMA_DOUBLE:
        case SCHEMA_BYTES:
        case SCHEMA_MESSAGE:
                break;
        }
        return 0;
}

static int count_part(Scan *scan)
{
        return ++scan->parts > SCHEMA_PARTS_MAX ? SCAN_E_COUNT : 0;
}

static int enter(Scan *scan, SchemaType type, WireSlice message)
{
        size_t start = (size_t)(message.data - scan->data);

        if (scan->depth == SCAN_DEPTH_MAX)
                return SCAN_E_DEPTH;
        if (type == SCHEMA_TYPE_SPAN && ++scan->spans > SCHEMA_SPANS_MAX)
                return SCAN_E_COUNT;
        push(scan, type, start, start + message.n);
        return count_part(scan);
}

static int count_value(ScanFrame *frame, const SchemaField *field)
{
        uint32_t *count = &frame->counts[field - schema_messages[frame->type].fields];

        return ++*count > MAX(field->max, 1u) ? SCAN_E_COUNT : 0;
}

static int read_field(Scan *scan)
{
        ScanFrame *frame = top(scan);
        const SchemaField *field;
        unsigned wire_type;
        uint32_t number;
        WireSlice value;
        size_t n;
        int r;

        scan->offset = scan->at;
        scan->where = schema_messages[frame->type].name;
        n = wire_read_tag(scan->data + scan->at, frame->end - scan->at, &number, &wire_type);
        if (n == 0)
                return SCAN_E_WIRE;
        scan->at += n;
        field = schema_find(frame->type, number);
        if (field) {
                scan->where = field->name;
                if (wire_type != schema_wire_type(field->kind))
                        return SCAN_E_TYPE;
                r = count_value(frame, field);
                if (r != 0)
                        return r;
        }
        n = wire_read_value(scan->data + scan->at, frame->end - scan->at, wire_type, &value);
        if (n == 0)
                return SCAN_E_WIRE;
        scan->at += n;
        if (!field)
                return count_part(scan);
        if (field->kind == SCHEMA_MESSAGE)
                return enter(scan, field->type, value);
        return check_value(field->kind, value);
}

/* At the end of a message: is everything there that must be? */
static int check_complete(Scan *scan)
{
        const ScanFrame *frame = top(scan);

        for (size_t i = 0; i < schema_messages[frame->type].n; i++) {
                const SchemaField *field = &schema_messages[frame->type].fields[i];

                if ((field->kind == SCHEMA_TRACE_ID || field->kind == SCHEMA_SPAN_ID) &&
                    frame->counts[i] == 0) {
                        scan->offset = frame->start;
                        scan->where = field->name;
                        return SCAN_E_ID;
                }
        }
        return 0;
}

static WireSlice frame_slice(const Scan *scan, size_t i)
{
        const ScanFrame *frame = &scan->stack[i];

        return (WireSlice){scan->data + frame->start, frame->end - frame->start};
}

/* Leaves the span that is on the stack, and all that is in it. */
static void leave_span(Scan *scan, int fault, ScanSpan *ret)
{
        *ret = (ScanSpan){
                .resource_spans = frame_slice(scan, SPAN_FRAME - 2),
                .scope_spans = frame_slice(scan, SPAN_FRAME - 1),
                .span = frame_slice(scan, SPAN_FRAME),
                .fault = fault,
        };
        scan->at = scan->stack[SPAN_FRAME].end;
        scan->depth = SPAN_FRAME;
}

void scan_init(Scan *scan, const uint8_t *data, size_t n)
{
        *scan = (Scan){.data = data};
        push(scan, SCHEMA_TYPE_REQUEST, 0, n);
}

int scan_next(Scan *scan, ScanSpan *ret)
{
        for (;;) {
                const ScanFrame *frame = top(scan);
                bool complete = scan->at == frame->end;
                int r = complete ? check_complete(scan) : read_field(scan);
                bool in_span = scan->depth > SPAN_FRAME &&
                               scan->stack[SPAN_FRAME].type == SCHEMA_TYPE_SPAN;

                if (in_span && (r != 0 || (complete && scan->depth == SPAN_FRAME + 1))) {
                        leave_span(scan, r, ret);
                        return SCAN_SPAN;
                }
                if (r != 0 || (complete && scan->depth == 1))
                        return r;
                if (complete)
                        scan->depth--;
        }
}

int scan_request(Scan *scan, const uint8_t *data, size_t n)
{
        ScanSpan span;
        int r;

        scan_init(scan, data, n);
        do
                r = scan_next(scan, &span);
        while (r == SCAN_SPAN && span.fault == 0);
        return r == SCAN_SPAN ? span.fault : r;
}

static const char *fault_text(int fault)
{
        switch (fault) {
        case SCAN_E_WIRE:
                return "not protobuf";
        case SCAN_E_TYPE:
                return "wrong wire type";
        case SCAN_E_DEPTH:
                return "nested too deeply";
        case SCAN_E_COUNT:
                return "too many";
        case SCAN_E_ID:
                return "missing, all zero or of the wrong length";
        case SCAN_E_UTF8:
                return "not UTF-8";
        }
        return "";
}

void scan_describe(const Scan *scan, int fault, char ret[static SCAN_TEXT_MAX])
{
        (void)snprintf(ret, SCAN_TEXT_MAX, "%s at byte %zu: %s", scan->where, scan->offset,
                       fault_text(fault));
}
