/* The wire format. Lengths that are not known in advance are written with four bytes, however
 * small they turn out: protobuf allows a varint to have more digits than it needs. */

#include "otlp/wire.h"

#include <errno.h>

#include "base/macro.h"

enum {
        VARINT_MAX = 10,
        SHORT_VARINT_MAX = 5, /* bytes of a tag and of a length, as protobuf-c reads them */
        OPEN_LENGTH = 4,      /* bytes of a length written in advance */
};

static size_t read_varint(const uint8_t *data, size_t n, uint64_t *ret)
{
        uint64_t value = 0;

        for (size_t i = 0; i < n; i++) {
                if (i == VARINT_MAX - 1 && data[i] > 1)
                        return 0;
                value |= (uint64_t)(data[i] & 0x7f) << (7 * i);
                if (data[i] < 0x80) {
                        *ret = value;
                        return i + 1;
                }
        }
        return 0;
}

size_t wire_read_tag(const uint8_t *data, size_t n, uint32_t *ret_number, unsigned *ret_type)
{
        uint64_t tag;
        size_t used = read_varint(data, MIN(n, (size_t)SHORT_VARINT_MAX), &tag);

        if (used == 0 || tag > UINT32_MAX || tag >> 3 == 0)
                return 0;
        *ret_number = (uint32_t)tag >> 3;
        *ret_type = tag & 7;
        return used;
}

size_t wire_read_value(const uint8_t *data, size_t n, unsigned type, WireSlice *ret)
{
        uint64_t length;
        size_t used = 0;

        switch (type) {
        case WIRE_VARINT:
                used = read_varint(data, MIN(n, (size_t)VARINT_MAX), &length);
                *ret = (WireSlice){data, used};
                return used;
        case WIRE_FIXED64:
                length = 8;
                break;
        case WIRE_FIXED32:
                length = 4;
                break;
        case WIRE_LENGTH:
                used = read_varint(data, MIN(n, (size_t)SHORT_VARINT_MAX), &length);
                if (used == 0)
                        return 0;
                break;
        default: /* the groups of old, and two types that never were */
                return 0;
        }
        if (length > n - used)
                return 0;
        *ret = (WireSlice){data + used, length};
        return used + length;
}

bool wire_next(WireSlice *rest, WireField *ret)
{
        size_t tag_n, value_n;

        tag_n = wire_read_tag(rest->data, rest->n, &ret->number, &ret->type);
        if (tag_n == 0)
                return false;
        value_n = wire_read_value(rest->data + tag_n, rest->n - tag_n, ret->type, &ret->value);
        if (value_n == 0)
                return false;
        ret->whole = (WireSlice){rest->data, tag_n + value_n};
        *rest = (WireSlice){rest->data + ret->whole.n, rest->n - ret->whole.n};
        return true;
}

void wire_put_raw(WireWriter *w, WireSlice bytes)
{
        if (w->error == 0)
                w->error = buffer_append(w->out, bytes.data, bytes.n);
}

static void put_number(WireWriter *w, uint64_t value)
{
        uint8_t bytes[VARINT_MAX];
        size_t n = 0;

        for (; value >= 0x80; value >>= 7)
                bytes[n++] = (uint8_t)(value | 0x80);
        bytes[n++] = (uint8_t)value;
        wire_put_raw(w, (WireSlice){bytes, n});
}

static void put_tag(WireWriter *w, uint32_t number, WireType type)
{
        put_number(w, number << 3 | type);
}

static void put_little_endian(WireWriter *w, uint64_t value, size_t n)
{
        uint8_t bytes[8];

        for (size_t i = 0; i < n; i++)
                bytes[i] = (uint8_t)(value >> (8 * i));
        wire_put_raw(w, (WireSlice){bytes, n});
}

void wire_put_varint(WireWriter *w, uint32_t number, uint64_t value)
{
        put_tag(w, number, WIRE_VARINT);
        put_number(w, value);
}

void wire_put_fixed32(WireWriter *w, uint32_t number, uint32_t value)
{
        put_tag(w, number, WIRE_FIXED32);
        put_little_endian(w, value, 4);
}

void wire_put_fixed64(WireWriter *w, uint32_t number, uint64_t value)
{
        put_tag(w, number, WIRE_FIXED64);
        put_little_endian(w, value, 8);
}

void wire_put_bytes(WireWriter *w, uint32_t number, const void *data, size_t n)
{
        put_tag(w, number, WIRE_LENGTH);
        put_number(w, n);
        wire_put_raw(w, (WireSlice){data, n});
}

size_t wire_open(WireWriter *w, uint32_t number)
{
        static const uint8_t unknown[OPEN_LENGTH];

        put_tag(w, number, WIRE_LENGTH);
        wire_put_raw(w, (WireSlice){unknown, OPEN_LENGTH});
        return buffer_length(w->out);
}

void wire_close(WireWriter *w, size_t start)
{
        size_t n = buffer_length(w->out) - start;
        uint8_t *length;

        if (w->error == 0 && n >> (7 * OPEN_LENGTH) != 0)
                w->error = -ENOBUFS;
        if (w->error < 0)
                return;
        length = buffer_data(w->out) + start - OPEN_LENGTH;
        for (size_t i = 0; i < OPEN_LENGTH - 1; i++, n >>= 7)
                length[i] = (uint8_t)(n | 0x80);
        length[OPEN_LENGTH - 1] = (uint8_t)n;
}
