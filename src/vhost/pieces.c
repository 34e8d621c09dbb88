/* Memory in pieces. */

#include "vhost/pieces.h"

#include <stdint.h>
#include <string.h>

#include "base/macro.h"

void pieces_read(const struct iovec *pieces, void *ret, size_t size)
{
        uint8_t *to = ret;

        for (; size > 0; pieces++) {
                size_t part = MIN(pieces->iov_len, size);

                memcpy(to, pieces->iov_base, part);
                to += part;
                size -= part;
        }
}

void pieces_write(const struct iovec *pieces, const void *data, size_t size)
{
        const uint8_t *from = data;

        for (; size > 0; pieces++) {
                size_t part = MIN(pieces->iov_len, size);

                memcpy(pieces->iov_base, from, part);
                from += part;
                size -= part;
        }
}

size_t pieces_skip(const struct iovec *pieces, size_t n, size_t bytes, struct iovec *ret)
{
        size_t left = 0;

        for (size_t i = 0; i < n; i++) {
                size_t part = MIN(pieces[i].iov_len, bytes);

                bytes -= part;
                if (part < pieces[i].iov_len)
                        ret[left++] = (struct iovec){(uint8_t *)pieces[i].iov_base + part,
                                                     pieces[i].iov_len - part};
        }
        return left;
}

size_t pieces_cut(struct iovec *pieces, size_t n, size_t bytes)
{
        size_t i;

        for (i = 0; i < n && bytes > 0; i++) {
                pieces[i].iov_len = MIN(pieces[i].iov_len, bytes);
                bytes -= pieces[i].iov_len;
        }
        return i;
}
