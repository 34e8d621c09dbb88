/* JSON to protobuf along the schema, in one pass and without a tree: an object opens a message, a
 * key names the field that the values until the next key are for. yajl reads the JSON; it has a
 * stack of its own and does not recurse, and neither do we. */

#include "otlp/from-json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/macro.h"
#include "base/parse.h"
#include "otlp/scan.h"
#include "otlp/span.h"
#include "otlp/wire.h"

enum {
        DEPTH_MAX = SCAN_DEPTH_MAX,
        NUMBER_MAX = 64, /* characters of a number */
};

/* Of yajl's callbacks. */
enum { STOP = 0, GO_ON = 1 };

/* An object that is open, and the message it becomes. */
typedef struct Frame {
        SchemaType type;
        size_t start;             /* of wire_close() */
        const SchemaField *field; /* that the next value is for; NULL if it is unknown */
        bool in_array;            /* of the values of @field */
} Frame;

typedef struct Converter {
        WireWriter w;
        const char *where; /* the field at fault */
        size_t skipping;   /* objects and arrays that are open below an unknown field */
        size_t depth;
        Frame stack[DEPTH_MAX];
} Converter;

static Frame *top(Converter *c)
{
        return c->depth > 0 ? &c->stack[c->depth - 1] : NULL;
}

static int fail(Converter *c)
{
        const Frame *frame = top(c);

        c->where = frame && frame->field ? frame->field->name : "JSON";
        return STOP;
}

static int go_on(const Converter *c)
{
        return c->w.error == 0 ? GO_ON : STOP;
}

/* The field that a value is for, if it is of interest. */
static const SchemaField *wanted(Converter *c)
{
        return c->skipping == 0 && c->depth > 0 ? top(c)->field : NULL;
}

/* May a value of this kind stand here? A field with many values has them in an array. */
static bool is_in_place(Converter *c)
{
        return top(c)->in_array == (top(c)->field->max > 0);
}

/* "trace_id" is "traceId" in JSON. */
static bool is_called(const SchemaField *field, const char *key, size_t n)
{
        const char *name = strchr(field->name, '.') + 1;
        size_t i = 0;

        for (; *name && i < n; name++, i++) {
                char expected = *name;

                if (expected == '_')
                        expected = (char)(*++name - 'a' + 'A');
                if (key[i] != expected)
                        return false;
        }
        return *name == '\0' && i == n;
}

static int on_key(void *context, const unsigned char *key, size_t n)
{
        Converter *c = context;
        Frame *frame = top(c);
        const SchemaMessage *message;

        if (c->skipping > 0)
                return GO_ON;
        message = &schema_messages[frame->type];
        frame->field = NULL;
        for (size_t i = 0; i < message->n; i++)
                if (is_called(&message->fields[i], (const char *)key, n))
                        frame->field = &message->fields[i];
        return GO_ON;
}

static int on_start_map(void *context)
{
        Converter *c = context;
        const SchemaField *field = wanted(c);
        Frame frame = {.type = SCHEMA_TYPE_REQUEST};

        if (c->depth > 0 && !field) {
                c->skipping++;
                return GO_ON;
        }
        if (field) {
                if (field->kind != SCHEMA_MESSAGE || !is_in_place(c) || c->depth == DEPTH_MAX)
                        return fail(c);
                frame.type = field->type;
                frame.start = wire_open(&c->w, field->number);
        }
        c->stack[c->depth++] = frame;
        return go_on(c);
}

static int on_end_map(void *context)
{
        Converter *c = context;

        if (c->skipping > 0) {
                c->skipping--;
                return GO_ON;
        }
        c->depth--;
        if (c->depth > 0)
                wire_close(&c->w, c->stack[c->depth].start);
        return go_on(c);
}

static int on_start_array(void *context)
{
        Converter *c = context;

        if (c->depth == 0)
                return fail(c);
        if (!wanted(c)) {
                c->skipping++;
                return GO_ON;
        }
        if (top(c)->in_array || top(c)->field->max == 0)
                return fail(c);
        top(c)->in_array = true;
        return GO_ON;
}

static int on_end_array(void *context)
{
        Converter *c = context;

        if (c->skipping > 0)
                c->skipping--;
        else
                top(c)->in_array = false;
        return GO_ON;
}

static int on_null(void *context)
{
        Converter *c = context;

        return c->depth > 0 ? GO_ON : fail(c); /* the same as an absent field */
}

static int on_boolean(void *context, int value)
{
        Converter *c = context;
        const SchemaField *field = wanted(c);

        if (!field)
                return c->depth > 0 ? GO_ON : fail(c);
        if (field->kind != SCHEMA_BOOL)
                return fail(c);
        wire_put_varint(&c->w, field->number, (uint64_t)(value != 0));
        return go_on(c);
}

/* The two's complement of a number from @min to @max, of which the former is not positive. */
static int parse_integer(const char *text, size_t n, uint64_t min, uint64_t max, uint64_t *ret)
{
        bool negative = n > 0 && text[0] == '-';
        uint64_t value;
        int r = parse_u64(text + negative, n - negative, negative ? 0 - min : max, &value);

        if (r == 0)
                *ret = negative ? 0 - value : value;
        return r;
}

static int parse_double(const char *text, size_t n, uint64_t *ret)
{
        char copy[NUMBER_MAX], *end;
        double value;

        if (n == 0 || n >= sizeof(copy))
                return -EINVAL;
        memcpy(copy, text, n);
        copy[n] = '\0';
        value = strtod(copy, &end); /* also reads NaN and Infinity, which JSON has as strings */
        if (end != copy + n)
                return -EINVAL;
        memcpy(ret, &value, sizeof(value));
        return 0;
}

/* Numbers, be they numbers or strings in JSON. */
static int put_number(Converter *c, const SchemaField *field, const char *text, size_t n)
{
        uint64_t value = 0;
        int r = -EINVAL;

        switch (field->kind) {
        case SCHEMA_ENUM:
                r = parse_integer(text, n, (uint64_t)INT32_MIN, INT32_MAX, &value);
                break;
        case SCHEMA_UINT32:
        case SCHEMA_FIXED32:
                r = parse_integer(text, n, 0, UINT32_MAX, &value);
                break;
        case SCHEMA_INT64:
                r = parse_integer(text, n, (uint64_t)INT64_MIN, INT64_MAX, &value);
                break;
        case SCHEMA_FIXED64:
                r = parse_integer(text, n, 0, UINT64_MAX, &value);
                break;
        case SCHEMA_DOUBLE:
                r = parse_double(text, n, &value);
                break;
        case SCHEMA_BOOL:
        case SCHEMA_BYTES:
        case SCHEMA_STRING:
        case SCHEMA_TRACE_ID:
        case SCHEMA_SPAN_ID:
        case SCHEMA_PARENT_ID:
        case SCHEMA_MESSAGE:
                break;
        }
        if (r < 0)
                return fail(c);
        if (field->kind == SCHEMA_FIXED32)
                wire_put_fixed32(&c->w, field->number, (uint32_t)value);
        else if (schema_wire_type(field->kind) == WIRE_FIXED64)
                wire_put_fixed64(&c->w, field->number, value);
        else
                wire_put_varint(&c->w, field->number, value);
        return go_on(c);
}

static int on_number(void *context, const char *text, size_t n)
{
        Converter *c = context;
        const SchemaField *field = wanted(c);

        if (!field)
                return c->depth > 0 ? GO_ON : fail(c);
        return put_number(c, field, text, n);
}

static void put_id(Converter *c, const SchemaField *field, const char *text, size_t n)
{
        static const uint8_t none[1]; /* no id has one byte */
        char digits[2 * TRACE_ID_SIZE];
        uint8_t id[TRACE_ID_SIZE];

        for (size_t i = 0; i < MIN(n, sizeof(digits)); i++) {
                bool upper = text[i] >= 'A' && text[i] <= 'F';

                digits[i] = upper ? (char)(text[i] - 'A' + 'a') : text[i];
        }
        if (n > sizeof(digits) || parse_hex(digits, n, id, n / 2) < 0)
                wire_put_bytes(&c->w, field->number, none, sizeof(none));
        else
                wire_put_bytes(&c->w, field->number, id, n / 2);
}

/* The six bits of a digit of base64 in either alphabet, or -EINVAL. */
static int base64_digit(char digit)
{
        if (digit >= 'A' && digit <= 'Z')
                return digit - 'A';
        if (digit >= 'a' && digit <= 'z')
                return digit - 'a' + 26;
        if (digit >= '0' && digit <= '9')
                return digit - '0' + 52;
        if (digit == '+' || digit == '-')
                return 62;
        if (digit == '/' || digit == '_')
                return 63;
        return -EINVAL;
}

static int put_base64(Converter *c, const SchemaField *field, const char *text, size_t n)
{
        size_t start;
        uint32_t bits = 0;

        for (int padding = 0; padding < 2 && n > 0 && text[n - 1] == '='; padding++)
                n--;
        if (n % 4 == 1)
                return fail(c);
        start = wire_open(&c->w, field->number);
        for (size_t i = 0; i < n; i++) {
                int digit = base64_digit(text[i]);

                if (digit < 0)
                        return fail(c);
                bits = bits << 6 | (uint32_t)digit;
                if (i % 4 != 0) { /* 6, 4 and 2 bits are left over */
                        uint8_t byte = (uint8_t)(bits >> (6 - 2 * (i % 4)));

                        wire_put_raw(&c->w, (WireSlice){&byte, 1});
                }
        }
        wire_close(&c->w, start);
        return go_on(c);
}

static int on_string(void *context, const unsigned char *data, size_t n)
{
        Converter *c = context;
        const SchemaField *field = wanted(c);
        const char *text = (const char *)data;

        if (!field)
                return c->depth > 0 ? GO_ON : fail(c);
        switch (field->kind) {
        case SCHEMA_STRING:
                wire_put_bytes(&c->w, field->number, text, n);
                return go_on(c);
        case SCHEMA_TRACE_ID:
        case SCHEMA_SPAN_ID:
        case SCHEMA_PARENT_ID:
                put_id(c, field, text, n);
                return go_on(c);
        case SCHEMA_BYTES:
                return put_base64(c, field, text, n);
        case SCHEMA_ENUM:
        case SCHEMA_UINT32:
        case SCHEMA_INT64:
        case SCHEMA_FIXED32:
        case SCHEMA_FIXED64:
        case SCHEMA_DOUBLE:
                return put_number(c, field, text, n);
        case SCHEMA_BOOL:
        case SCHEMA_MESSAGE:
                break;
        }
        return fail(c);
}

int otlp_from_json(const uint8_t *data, size_t n, Buffer *ret, const char **ret_where)
{
        static const yajl_callbacks callbacks = {
                .yajl_null = on_null,
                .yajl_boolean = on_boolean,
                .yajl_number = on_number,
                .yajl_string = on_string,
                .yajl_start_map = on_start_map,
                .yajl_map_key = on_key,
                .yajl_end_map = on_end_map,
                .yajl_start_array = on_start_array,
                .yajl_end_array = on_end_array,
        };
        Converter converter = {.w = {.out = ret}, .where = "JSON"};
        yajl_handle parser = yajl_alloc(&callbacks, NULL, &converter);
        yajl_status status;

        if (!parser)
                return -ENOMEM;
        status = yajl_parse(parser, data, n);
        if (status == yajl_status_ok)
                status = yajl_complete_parse(parser);
        yajl_free(parser);
        if (converter.w.error < 0)
                return converter.w.error;
        if (status == yajl_status_ok)
                return 0;
        *ret_where = converter.where;
        return FROM_JSON_E_BAD;
}
