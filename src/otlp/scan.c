/* The scanner over untrusted ExportTraceServiceRequests. The messages are described by a table,
 * which must agree with proto/otlp.proto; one loop walks the input along it, with a stack of its
 * own. Unknown fields are skipped, as protobuf wants it. Known fields with one value may come only
 * once: protobuf would let the last one win, which only helps to hide something from a scanner. */

#include "otlp/scan.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/macro.h"
#include "base/utf8.h"
#include "otlp/span.h"

enum {
        SPAN_FRAME = 3, /* the span's place on the stack, below its request, resource and scope */
        VARINT_MAX = 10,
        SHORT_VARINT_MAX = 5, /* bytes of a tag and of a length, as protobuf-c reads them */
};

enum {
        WIRE_VARINT = 0,
        WIRE_FIXED64 = 1,
        WIRE_LENGTH = 2,
        WIRE_FIXED32 = 5,
};

typedef enum Kind {
        KIND_VARINT,
        KIND_FIXED32,
        KIND_FIXED64,
        KIND_BYTES,
        KIND_STRING,
        KIND_TRACE_ID,
        KIND_SPAN_ID,
        KIND_PARENT_ID, /* a span id, or empty */
        KIND_MESSAGE,
} Kind;

static const unsigned wire_types[] = {
        [KIND_VARINT] = WIRE_VARINT,    [KIND_FIXED32] = WIRE_FIXED32,
        [KIND_FIXED64] = WIRE_FIXED64,  [KIND_BYTES] = WIRE_LENGTH,
        [KIND_STRING] = WIRE_LENGTH,    [KIND_TRACE_ID] = WIRE_LENGTH,
        [KIND_SPAN_ID] = WIRE_LENGTH,   [KIND_PARENT_ID] = WIRE_LENGTH,
        [KIND_MESSAGE] = WIRE_LENGTH,
};

typedef enum Type {
        TYPE_REQUEST,
        TYPE_RESOURCE_SPANS,
        TYPE_SCOPE_SPANS,
        TYPE_SPAN,
        TYPE_RESOURCE,
        TYPE_SCOPE,
        TYPE_EVENT,
        TYPE_LINK,
        TYPE_STATUS,
        TYPE_KEY_VALUE,
        TYPE_ANY_VALUE,
        TYPE_ARRAY,
        TYPE_KEY_VALUE_LIST,
} Type;

typedef struct Field {
        unsigned number;
        const char *name;
        Kind kind;
        Type type;     /* of KIND_MESSAGE */
        uint32_t max;  /* of a repeated field: how many; 0 for a field with one value */
} Field;

static const Field request_fields[] = {
        {1, "ExportTraceServiceRequest.resource_spans", KIND_MESSAGE, TYPE_RESOURCE_SPANS,
         SCAN_PARTS_MAX},
};

static const Field resource_spans_fields[] = {
        {1, "ResourceSpans.resource", KIND_MESSAGE, TYPE_RESOURCE},
        {2, "ResourceSpans.scope_spans", KIND_MESSAGE, TYPE_SCOPE_SPANS, SCAN_PARTS_MAX},
        {3, "ResourceSpans.schema_url", KIND_STRING},
};

static const Field scope_spans_fields[] = {
        {1, "ScopeSpans.scope", KIND_MESSAGE, TYPE_SCOPE},
        {2, "ScopeSpans.spans", KIND_MESSAGE, TYPE_SPAN, SCAN_SPANS_MAX},
        {3, "ScopeSpans.schema_url", KIND_STRING},
};

static const Field span_fields[] = {
        {1, "Span.trace_id", KIND_TRACE_ID},
        {2, "Span.span_id", KIND_SPAN_ID},
        {3, "Span.trace_state", KIND_STRING},
        {4, "Span.parent_span_id", KIND_PARENT_ID},
        {5, "Span.name", KIND_STRING},
        {6, "Span.kind", KIND_VARINT},
        {7, "Span.start_time_unix_nano", KIND_FIXED64},
        {8, "Span.end_time_unix_nano", KIND_FIXED64},
        {9, "Span.attributes", KIND_MESSAGE, TYPE_KEY_VALUE, SCAN_ATTRIBUTES_MAX},
        {10, "Span.dropped_attributes_count", KIND_VARINT},
        {11, "Span.events", KIND_MESSAGE, TYPE_EVENT, SCAN_EVENTS_MAX},
        {12, "Span.dropped_events_count", KIND_VARINT},
        {13, "Span.links", KIND_MESSAGE, TYPE_LINK, SCAN_LINKS_MAX},
        {14, "Span.dropped_links_count", KIND_VARINT},
        {15, "Span.status", KIND_MESSAGE, TYPE_STATUS},
        {16, "Span.flags", KIND_FIXED32},
};

static const Field resource_fields[] = {
        {1, "Resource.attributes", KIND_MESSAGE, TYPE_KEY_VALUE, SCAN_ATTRIBUTES_MAX},
        {2, "Resource.dropped_attributes_count", KIND_VARINT},
};

static const Field scope_fields[] = {
        {1, "InstrumentationScope.name", KIND_STRING},
        {2, "InstrumentationScope.version", KIND_STRING},
        {3, "InstrumentationScope.attributes", KIND_MESSAGE, TYPE_KEY_VALUE, SCAN_ATTRIBUTES_MAX},
        {4, "InstrumentationScope.dropped_attributes_count", KIND_VARINT},
};

static const Field event_fields[] = {
        {1, "Event.time_unix_nano", KIND_FIXED64},
        {2, "Event.name", KIND_STRING},
        {3, "Event.attributes", KIND_MESSAGE, TYPE_KEY_VALUE, SCAN_ATTRIBUTES_MAX},
        {4, "Event.dropped_attributes_count", KIND_VARINT},
};

static const Field link_fields[] = {
        {1, "Link.trace_id", KIND_TRACE_ID},
        {2, "Link.span_id", KIND_SPAN_ID},
        {3, "Link.trace_state", KIND_STRING},
        {4, "Link.attributes", KIND_MESSAGE, TYPE_KEY_VALUE, SCAN_ATTRIBUTES_MAX},
        {5, "Link.dropped_attributes_count", KIND_VARINT},
        {6, "Link.flags", KIND_FIXED32},
};

static const Field status_fields[] = {
        {2, "Status.message", KIND_STRING},
        {3, "Status.code", KIND_VARINT},
};

static const Field key_value_fields[] = {
        {1, "KeyValue.key", KIND_STRING},
        {2, "KeyValue.value", KIND_MESSAGE, TYPE_ANY_VALUE},
};

static const Field any_value_fields[] = {
        {1, "AnyValue.string_value", KIND_STRING},
        {2, "AnyValue.bool_value", KIND_VARINT},
        {3, "AnyValue.int_value", KIND_VARINT},
        {4, "AnyValue.double_value", KIND_FIXED64},
        {5, "AnyValue.array_value", KIND_MESSAGE, TYPE_ARRAY},
        {6, "AnyValue.kvlist_value", KIND_MESSAGE, TYPE_KEY_VALUE_LIST},
        {7, "AnyValue.bytes_value", KIND_BYTES},
};

static const Field array_fields[] = {
        {1, "ArrayValue.values", KIND_MESSAGE, TYPE_ANY_VALUE, SCAN_VALUES_MAX},
};

static const Field key_value_list_fields[] = {
        {1, "KeyValueList.values", KIND_MESSAGE, TYPE_KEY_VALUE, SCAN_ATTRIBUTES_MAX},
};

_Static_assert(ARRAY_SIZE(span_fields) == SCAN_FIELDS_MAX, "Span has the most fields");

static const struct {
        const char *name;
        const Field *fields;
        size_t n;
} messages[] = {
#define MESSAGE(name, fields) {name, fields, ARRAY_SIZE(fields)}
        [TYPE_REQUEST] = MESSAGE("ExportTraceServiceRequest", request_fields),
        [TYPE_RESOURCE_SPANS] = MESSAGE("ResourceSpans", resource_spans_fields),
        [TYPE_SCOPE_SPANS] = MESSAGE("ScopeSpans", scope_spans_fields),
        [TYPE_SPAN] = MESSAGE("Span", span_fields),
        [TYPE_RESOURCE] = MESSAGE("Resource", resource_fields),
        [TYPE_SCOPE] = MESSAGE("InstrumentationScope", scope_fields),
        [TYPE_EVENT] = MESSAGE("Event", event_fields),
        [TYPE_LINK] = MESSAGE("Link", link_fields),
        [TYPE_STATUS] = MESSAGE("Status", status_fields),
        [TYPE_KEY_VALUE] = MESSAGE("KeyValue", key_value_fields),
        [TYPE_ANY_VALUE] = MESSAGE("AnyValue", any_value_fields),
        [TYPE_ARRAY] = MESSAGE("ArrayValue", array_fields),
        [TYPE_KEY_VALUE_LIST] = MESSAGE("KeyValueList", key_value_list_fields),
#undef MESSAGE
};

static ScanFrame *top(Scan *scan)
{
        return &scan->stack[scan->depth - 1];
}

static void push(Scan *scan, Type type, size_t start, size_t end)
{
        assert(scan->depth < SCAN_DEPTH_MAX);
        scan->stack[scan->depth++] = (ScanFrame){.type = type, .start = start, .end = end};
        scan->at = start;
}

/* Reads a varint of at most @max bytes and 64 bits. */
static int read_varint(Scan *scan, size_t max, uint64_t *ret)
{
        size_t limit = MIN(max, top(scan)->end - scan->at);
        uint64_t value = 0;

        for (size_t i = 0; i < limit; i++) {
                uint8_t byte = scan->data[scan->at + i];

                if (i == VARINT_MAX - 1 && byte > 1)
                        return SCAN_E_WIRE;
                value |= (uint64_t)(byte & 0x7f) << (7 * i);
                if (byte < 0x80) {
                        scan->at += i + 1;
                        *ret = value;
                        return 0;
                }
        }
        return SCAN_E_WIRE;
}

/* Steps over the value of a field; *ret is its bytes, without the length before them. */
static int read_value(Scan *scan, unsigned wire_type, ScanSlice *ret)
{
        size_t start = scan->at;
        uint64_t n;
        int r;

        switch (wire_type) {
        case WIRE_VARINT:
                r = read_varint(scan, VARINT_MAX, &n);
                if (r != 0)
                        return r;
                *ret = (ScanSlice){scan->data + start, scan->at - start};
                return 0;
        case WIRE_FIXED64:
                n = 8;
                break;
        case WIRE_FIXED32:
                n = 4;
                break;
        case WIRE_LENGTH:
                r = read_varint(scan, SHORT_VARINT_MAX, &n);
                if (r != 0)
                        return r;
                break;
        default: /* the groups of old, and two types that never were */
                return SCAN_E_WIRE;
        }
        if (n > top(scan)->end - scan->at)
                return SCAN_E_WIRE;
        *ret = (ScanSlice){scan->data + scan->at, n};
        scan->at += n;
        return 0;
}

static bool is_id(ScanSlice value, size_t size)
{
        static const uint8_t zeroes[TRACE_ID_SIZE];

        return value.n == size && memcmp(value.data, zeroes, size) != 0;
}

static int check_value(Kind kind, ScanSlice value)
{
        switch (kind) {
        case KIND_TRACE_ID:
                return is_id(value, TRACE_ID_SIZE) ? 0 : SCAN_E_ID;
        case KIND_SPAN_ID:
                return is_id(value, SPAN_ID_SIZE) ? 0 : SCAN_E_ID;
        case KIND_PARENT_ID:
                return value.n == 0 || value.n == SPAN_ID_SIZE ? 0 : SCAN_E_ID;
        case KIND_STRING:
                return utf8_is_valid(value.data, value.n) ? 0 : SCAN_E_UTF8;
        case KIND_VARINT:
        case KIND_FIXED32:
        case KIND_FIXED64:
        case KIND_BYTES:
        case KIND_MESSAGE:
                break;
        }
        return 0;
}

static int count_part(Scan *scan)
{
        return ++scan->parts > SCAN_PARTS_MAX ? SCAN_E_COUNT : 0;
}

static int enter(Scan *scan, Type type, ScanSlice message)
{
        size_t start = (size_t)(message.data - scan->data);

        if (scan->depth == SCAN_DEPTH_MAX)
                return SCAN_E_DEPTH;
        if (type == TYPE_SPAN && ++scan->spans > SCAN_SPANS_MAX)
                return SCAN_E_COUNT;
        push(scan, type, start, start + message.n);
        return count_part(scan);
}

static const Field *find_field(const ScanFrame *frame, uint64_t number)
{
        const Field *fields = messages[frame->type].fields;

        for (size_t i = 0; i < messages[frame->type].n; i++)
                if (fields[i].number == number)
                        return &fields[i];
        return NULL;
}

static int count_value(ScanFrame *frame, const Field *field)
{
        uint32_t *count = &frame->counts[field - messages[frame->type].fields];

        return ++*count > MAX(field->max, 1u) ? SCAN_E_COUNT : 0;
}

static int read_field(Scan *scan)
{
        ScanFrame *frame = top(scan);
        const Field *field;
        unsigned wire_type;
        ScanSlice value;
        uint64_t tag;
        int r;

        scan->offset = scan->at;
        scan->where = messages[frame->type].name;
        r = read_varint(scan, SHORT_VARINT_MAX, &tag);
        if (r != 0)
                return r;
        if (tag > UINT32_MAX || tag >> 3 == 0)
                return SCAN_E_WIRE;
        wire_type = tag & 7;
        field = find_field(frame, tag >> 3);
        if (field) {
                scan->where = field->name;
                if (wire_type != wire_types[field->kind])
                        return SCAN_E_TYPE;
                r = count_value(frame, field);
                if (r != 0)
                        return r;
        }
        r = read_value(scan, wire_type, &value);
        if (r != 0)
                return r;
        if (!field)
                return count_part(scan);
        if (field->kind == KIND_MESSAGE)
                return enter(scan, field->type, value);
        return check_value(field->kind, value);
}

/* At the end of a message: is everything there that must be? */
static int check_complete(Scan *scan)
{
        const ScanFrame *frame = top(scan);

        for (size_t i = 0; i < messages[frame->type].n; i++) {
                const Field *field = &messages[frame->type].fields[i];

                if ((field->kind == KIND_TRACE_ID || field->kind == KIND_SPAN_ID) &&
                    frame->counts[i] == 0) {
                        scan->offset = frame->start;
                        scan->where = field->name;
                        return SCAN_E_ID;
                }
        }
        return 0;
}

static ScanSlice frame_slice(const Scan *scan, size_t i)
{
        const ScanFrame *frame = &scan->stack[i];

        return (ScanSlice){scan->data + frame->start, frame->end - frame->start};
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
        push(scan, TYPE_REQUEST, 0, n);
}

int scan_next(Scan *scan, ScanSpan *ret)
{
        for (;;) {
                const ScanFrame *frame = top(scan);
                bool complete = scan->at == frame->end;
                int r = complete ? check_complete(scan) : read_field(scan);
                bool in_span = scan->depth > SPAN_FRAME && scan->stack[SPAN_FRAME].type == TYPE_SPAN;

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

const char *scan_fault_text(int fault)
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
