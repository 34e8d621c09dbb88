/* The records between init and tracer. One writer and one reader, both with a sticky error, so
 * that the code below reads like the format:
 *   record     = type:u8 body
 *   string     = length:u16 bytes NUL        (UTF-8; length without the NUL; 0xffff: no string)
 *   attributes = dropped:u32 count:u8 { type:u8 key:string value }
 */

#include "link/record.h"

#include <errno.h>
#include <string.h>

#include "base/macro.h"
#include "base/utf8.h"

enum { NO_STRING = 0xffff };

typedef struct Writer {
        uint8_t *data;
        size_t n;
        size_t size;
        bool full;
} Writer;

static void put_bytes(Writer *w, const void *bytes, size_t n)
{
        if (w->full || n > w->size - w->n) {
                w->full = true;
                return;
        }
        memcpy(w->data + w->n, bytes, n);
        w->n += n;
}

static void put_uint(Writer *w, uint64_t value, size_t n)
{
        uint8_t bytes[8];

        for (size_t i = 0; i < n; i++)
                bytes[i] = (uint8_t)(value >> (8 * i));
        put_bytes(w, bytes, n);
}

static void put_string(Writer *w, const char *string)
{
        size_t n;

        if (!string) {
                put_uint(w, NO_STRING, 2);
                return;
        }
        n = strlen(string);
        if (n >= NO_STRING) {
                w->full = true;
                return;
        }
        put_uint(w, n, 2);
        put_bytes(w, string, n + 1);
        /* Names of programs and files are bytes, strings in OTLP are UTF-8: one that is not would
         * cost the whole request. */
        if (!w->full)
                utf8_clean(w->data + w->n - n - 1, n);
}

static void put_attributes(Writer *w, const Attributes *attributes)
{
        put_uint(w, attributes->dropped, 4);
        put_uint(w, attributes->n, 1);
        for (size_t i = 0; i < attributes->n; i++) {
                const Attribute *attribute = &attributes->items[i];

                put_uint(w, attribute->type, 1);
                put_string(w, attribute->key);
                switch (attribute->type) {
                case ATTRIBUTE_STRING:
                        put_string(w, attribute->string);
                        break;
                case ATTRIBUTE_INT:
                        put_uint(w, (uint64_t)attribute->integer, 8);
                        break;
                case ATTRIBUTE_BOOL:
                        put_uint(w, attribute->boolean, 1);
                        break;
                }
        }
}

static void put_span(Writer *w, const Span *span)
{
        put_bytes(w, span->id.bytes, SPAN_ID_SIZE);
        put_bytes(w, span->parent.bytes, SPAN_ID_SIZE);
        put_string(w, span->name);
        put_uint(w, span->kind, 1);
        put_uint(w, span->start, 8);
        put_uint(w, span->end, 8);
        put_uint(w, span->status, 1);
        put_string(w, span->status_message);
        put_attributes(w, &span->attributes);
}

ptrdiff_t link_record_encode(const LinkRecord *record, uint8_t *data, size_t size)
{
        Writer w = {.data = data, .size = MIN(size, (size_t)LINK_RECORD_MAX)};

        put_uint(&w, record->type, 1);
        switch (record->type) {
        case LINK_TRACE:
                put_bytes(&w, record->trace.trace_id.bytes, TRACE_ID_SIZE);
                put_bytes(&w, record->trace.agent.bytes, SPAN_ID_SIZE);
                put_uint(&w, record->trace.adopt, 1);
                put_uint(&w, record->trace.resumed, 1);
                put_uint(&w, record->trace.anchor.boottime, 8);
                put_uint(&w, record->trace.anchor.realtime, 8);
                put_string(&w, record->trace.token);
                put_attributes(&w, &record->trace.resource);
                break;
        case LINK_SPAN:
        case LINK_OPEN:
                put_span(&w, &record->span);
                break;
        case LINK_FLUSH:
                put_uint(&w, record->deadline, 8);
                put_span(&w, &record->span);
                break;
        case LINK_ACKED:
        case LINK_RESUMED:
                break;
        case LINK_FAILED:
                put_uint(&w, (uint64_t)record->failed.error, 4);
                put_uint(&w, record->failed.http_status, 4);
                break;
        case LINK_FLUSHED:
                put_uint(&w, record->flushed.outcome, 1);
                put_uint(&w, record->flushed.spans_sent, 8);
                put_uint(&w, record->flushed.spans_dropped, 8);
                break;
        }
        return w.full ? -EMSGSIZE : (ptrdiff_t)w.n;
}

typedef struct Reader {
        const uint8_t *data;
        size_t n;
        bool bad;
} Reader;

static const uint8_t *get_bytes(Reader *r, size_t n)
{
        const uint8_t *bytes = r->data;

        if (r->bad || n > r->n) {
                r->bad = true;
                return NULL;
        }
        r->data += n;
        r->n -= n;
        return bytes;
}

static void get_id(Reader *r, uint8_t *ret, size_t n)
{
        const uint8_t *bytes = get_bytes(r, n);

        if (bytes)
                memcpy(ret, bytes, n);
}

static uint64_t get_uint(Reader *r, size_t n)
{
        const uint8_t *bytes = get_bytes(r, n);
        uint64_t value = 0;

        for (size_t i = 0; bytes && i < n; i++)
                value |= (uint64_t)bytes[i] << (8 * i);
        return value;
}

/* A number that must lie between @min and @max. */
static uint64_t get_uint_in(Reader *r, size_t n, uint64_t min, uint64_t max)
{
        uint64_t value = get_uint(r, n);

        if (value < min || value > max)
                r->bad = true;
        return value;
}

static const char *get_optional_string(Reader *r)
{
        uint64_t n = get_uint(r, 2);
        const uint8_t *bytes;

        if (n == NO_STRING)
                return NULL;
        bytes = get_bytes(r, n + 1);
        if (!bytes)
                return NULL;
        if (memchr(bytes, '\0', n + 1) != bytes + n || !utf8_is_valid(bytes, n))
                r->bad = true;
        return (const char *)bytes;
}

static const char *get_string(Reader *r)
{
        const char *string = get_optional_string(r);

        if (!string)
                r->bad = true;
        return string;
}

static void get_attributes(Reader *r, Attributes *ret)
{
        ret->dropped = (uint32_t)get_uint(r, 4);
        ret->n = get_uint_in(r, 1, 0, SPAN_ATTRIBUTES_MAX);
        for (size_t i = 0; !r->bad && i < ret->n; i++) {
                Attribute *attribute = &ret->items[i];

                attribute->type = (AttributeType)get_uint_in(r, 1, 0, ATTRIBUTE_BOOL);
                attribute->key = get_string(r);
                switch (attribute->type) {
                case ATTRIBUTE_STRING:
                        attribute->string = get_string(r);
                        break;
                case ATTRIBUTE_INT:
                        attribute->integer = (int64_t)get_uint(r, 8);
                        break;
                case ATTRIBUTE_BOOL:
                        attribute->boolean = get_uint_in(r, 1, 0, 1) == 1;
                        break;
                }
        }
}

static void get_span(Reader *r, Span *ret)
{
        get_id(r, ret->id.bytes, SPAN_ID_SIZE);
        get_id(r, ret->parent.bytes, SPAN_ID_SIZE);
        ret->name = get_string(r);
        ret->kind = (SpanKind)get_uint_in(r, 1, SPAN_KIND_INTERNAL, SPAN_KIND_CONSUMER);
        ret->start = get_uint(r, 8);
        ret->end = get_uint(r, 8);
        ret->status = (SpanStatus)get_uint_in(r, 1, SPAN_STATUS_UNSET, SPAN_STATUS_ERROR);
        ret->status_message = get_optional_string(r);
        get_attributes(r, &ret->attributes);
        if (!span_id_is_valid(&ret->id) || ret->end < ret->start)
                r->bad = true;
}

int link_record_decode(const uint8_t *data, size_t n, LinkRecord *ret)
{
        Reader r = {.data = data, .n = n, .bad = n > LINK_RECORD_MAX};
        LinkRecord record = {0};

        record.type = (LinkType)get_uint_in(&r, 1, LINK_TRACE, LINK_RESUMED);
        if (r.bad)
                return -EBADMSG;
        switch (record.type) {
        case LINK_TRACE:
                get_id(&r, record.trace.trace_id.bytes, TRACE_ID_SIZE);
                get_id(&r, record.trace.agent.bytes, SPAN_ID_SIZE);
                record.trace.adopt = get_uint_in(&r, 1, 0, 1) == 1;
                record.trace.resumed = get_uint_in(&r, 1, 0, 1) == 1;
                record.trace.anchor.boottime = get_uint(&r, 8);
                record.trace.anchor.realtime = get_uint(&r, 8);
                record.trace.token = get_optional_string(&r);
                get_attributes(&r, &record.trace.resource);
                if (!trace_id_is_valid(&record.trace.trace_id) ||
                    !span_id_is_valid(&record.trace.agent))
                        r.bad = true;
                break;
        case LINK_SPAN:
        case LINK_OPEN:
                get_span(&r, &record.span);
                break;
        case LINK_FLUSH:
                record.deadline = get_uint(&r, 8);
                get_span(&r, &record.span);
                break;
        case LINK_ACKED:
        case LINK_RESUMED:
                break;
        case LINK_FAILED:
                record.failed.error = (int)get_uint_in(&r, 4, 0, 4095);
                record.failed.http_status = (uint32_t)get_uint_in(&r, 4, 0, 599);
                break;
        case LINK_FLUSHED:
                record.flushed.outcome =
                        (FlushOutcome)get_uint_in(&r, 1, FLUSH_DELIVERED, FLUSH_UNREACHABLE);
                record.flushed.spans_sent = get_uint(&r, 8);
                record.flushed.spans_dropped = get_uint(&r, 8);
                break;
        }
        if (r.bad || r.n > 0)
                return -EBADMSG;
        *ret = record;
        return 0;
}

const char *flush_outcome_name(FlushOutcome outcome)
{
        switch (outcome) {
        case FLUSH_DELIVERED:
                return "delivered";
        case FLUSH_UNACKED:
                return "unacked";
        case FLUSH_UNREACHABLE:
                return "unreachable";
        }
        return "unknown";
}
