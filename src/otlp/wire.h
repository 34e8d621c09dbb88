#pragma once

/* Protobuf's wire format: fields off a message, and fields onto one. Nothing here knows what they
 * mean. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

typedef enum WireType {
        WIRE_VARINT = 0,
        WIRE_FIXED64 = 1,
        WIRE_LENGTH = 2,
        WIRE_FIXED32 = 5,
} WireType;

typedef struct WireSlice {
        const uint8_t *data;
        size_t n;
} WireSlice;

/* Each reads what @data begins with, within its @n bytes, and returns how many bytes that takes, or
 * 0 if it is malformed or cut off. Groups, which protobuf gave up, are malformed. */
size_t wire_read_tag(const uint8_t *data, size_t n, uint32_t *ret_number, unsigned *ret_type);
size_t wire_read_value(const uint8_t *data, size_t n, unsigned type, WireSlice *ret);

typedef struct WireField {
        uint32_t number;
        unsigned type;
        WireSlice value; /* without the length before it */
        WireSlice whole; /* with tag and length */
} WireField;

/* Takes the next field off @rest. False at the end, and where @rest is malformed: it is not empty
 * then. */
bool wire_next(WireSlice *rest, WireField *ret);

/* Appends fields to a buffer. The first error sticks, and nothing is written after it. */
typedef struct WireWriter {
        Buffer *out;
        int error; /* 0, -ENOBUFS or -ENOMEM */
} WireWriter;

void wire_put_raw(WireWriter *w, WireSlice bytes);
void wire_put_varint(WireWriter *w, uint32_t number, uint64_t value);
void wire_put_fixed32(WireWriter *w, uint32_t number, uint32_t value);
void wire_put_fixed64(WireWriter *w, uint32_t number, uint64_t value);
void wire_put_bytes(WireWriter *w, uint32_t number, const void *data, size_t n);

/* A message whose length is not known yet: all that is put between the two is inside. What
 * wire_open() returns is for wire_close(). */
size_t wire_open(WireWriter *w, uint32_t number);
void wire_close(WireWriter *w, size_t start);
