/* The span model. Only libc, so that PID 1 can link it without the codec. */

#include "otlp/span.h"

static bool any_set(const uint8_t *bytes, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (bytes[i] != 0)
                        return true;
        return false;
}

bool trace_id_is_valid(const TraceId *id)
{
        return any_set(id->bytes, sizeof(id->bytes));
}

bool span_id_is_valid(const SpanId *id)
{
        return any_set(id->bytes, sizeof(id->bytes));
}

static void add(Attributes *attributes, Attribute attribute)
{
        if (attributes->n < SPAN_ATTRIBUTES_MAX)
                attributes->items[attributes->n++] = attribute;
        else
                attributes->dropped++;
}

void attributes_add_string(Attributes *attributes, const char *key, const char *value)
{
        add(attributes, (Attribute){.key = key, .type = ATTRIBUTE_STRING, .string = value});
}

void attributes_add_int(Attributes *attributes, const char *key, int64_t value)
{
        add(attributes, (Attribute){.key = key, .type = ATTRIBUTE_INT, .integer = value});
}

void attributes_add_bool(Attributes *attributes, const char *key, bool value)
{
        add(attributes, (Attribute){.key = key, .type = ATTRIBUTE_BOOL, .boolean = value});
}
