/* A growing byte buffer with a cap. It moves its content to the front before it grows, so a
 * stream that is consumed as it arrives stays in one small allocation. */

#include "base/buffer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

enum { BUFFER_SIZE_MIN = 512 };

void buffer_init(Buffer *buffer, size_t max)
{
        *buffer = (Buffer){.max = max};
}

void buffer_done(Buffer *buffer)
{
        free(buffer->memory);
        *buffer = (Buffer){.max = buffer->max};
}

uint8_t *buffer_data(const Buffer *buffer)
{
        return buffer->memory ? buffer->memory + buffer->start : NULL;
}

size_t buffer_length(const Buffer *buffer)
{
        return buffer->end - buffer->start;
}

int buffer_reserve(Buffer *buffer, size_t n, uint8_t **ret)
{
        size_t length = buffer_length(buffer);

        if (length > buffer->max || n > buffer->max - length)
                return -ENOBUFS;
        if (n > buffer->size - buffer->end && buffer->start > 0) {
                memmove(buffer->memory, buffer_data(buffer), length);
                buffer->start = 0;
                buffer->end = length;
        }
        if (n > buffer->size - buffer->end) {
                size_t size = MAX(length + n, MIN(buffer->size * 2, buffer->max));
                uint8_t *memory = realloc(buffer->memory, MAX(size, (size_t)BUFFER_SIZE_MIN));

                if (!memory)
                        return -ENOMEM;
                buffer->memory = memory;
                buffer->size = MAX(size, (size_t)BUFFER_SIZE_MIN);
        }
        *ret = buffer->memory + buffer->end;
        return 0;
}

void buffer_commit(Buffer *buffer, size_t n)
{
        assert(n <= buffer->size - buffer->end);
        buffer->end += n;
}

int buffer_append(Buffer *buffer, const void *data, size_t n)
{
        uint8_t *room;
        int r;

        if (n == 0)
                return 0;
        r = buffer_reserve(buffer, n, &room);
        if (r < 0)
                return r;
        memcpy(room, data, n);
        buffer_commit(buffer, n);
        return 0;
}

void buffer_consume(Buffer *buffer, size_t n)
{
        assert(n <= buffer_length(buffer));
        buffer->start += n;
        if (buffer->start == buffer->end)
                buffer->start = buffer->end = 0;
}

void buffer_clear(Buffer *buffer)
{
        buffer->start = buffer->end = 0;
}
