/* gzip by zlib. A few bytes may hold gigabytes, so the output grows piece by piece against the
 * cap of the caller's buffer. */

#include "http/gunzip.h"

#include <errno.h>
#include <zlib.h>

#include "base/macro.h"

enum {
        PIECE = 64 * 1024,
        GZIP_ONLY = 16 + MAX_WBITS, /* inflateInit2(): a gzip header, and no zlib one */
};

/* Room for one more byte at least. */
static int offer_output(z_stream *stream, Buffer *ret)
{
        size_t n = MIN((size_t)PIECE, ret->max - buffer_length(ret));
        uint8_t *room;
        int r;

        r = buffer_reserve(ret, MAX(n, (size_t)1), &room);
        if (r < 0)
                return r;
        stream->next_out = room;
        stream->avail_out = (uInt)n;
        return 0;
}

static int inflate_all(z_stream *stream, Buffer *ret)
{
        for (;;) {
                uInt offered;
                int r = offer_output(stream, ret), z;

                if (r < 0)
                        return r;
                offered = stream->avail_out;
                z = inflate(stream, Z_NO_FLUSH);
                buffer_commit(ret, offered - stream->avail_out);
                if (z == Z_STREAM_END) {
                        if (stream->avail_in == 0)
                                return 0;
                        z = inflateReset(stream); /* another member follows, RFC 1952, 2.2 */
                }
                if (z == Z_MEM_ERROR)
                        return -ENOMEM;
                /* Output space left means that the input was not enough. */
                if (z != Z_OK || (stream->avail_in == 0 && stream->avail_out > 0))
                        return -EBADMSG;
        }
}

int gunzip(const uint8_t *data, size_t n, Buffer *ret)
{
        z_stream stream = {.next_in = (Bytef *)data, .avail_in = (uInt)n};
        int r;

        if (n > UINT32_MAX)
                return -ENOBUFS;
        if (inflateInit2(&stream, GZIP_ONLY) != Z_OK)
                return -ENOMEM;
        r = inflate_all(&stream, ret);
        (void)inflateEnd(&stream); /* fails for a stream in another state only */
        return r;
}
