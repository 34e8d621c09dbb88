/* The chunked transfer coding, byte by byte between the pieces of data: a few bytes in a chunk,
 * and no way for a split of the input to make a difference. */

#include "http/chunked.h"

#include <stdbool.h>

#include "base/macro.h"

enum { DIGITS_MAX = 16 }; /* of a chunk's size: as many as a uint64_t holds */

void chunked_init(ChunkedDecoder *decoder)
{
        *decoder = (ChunkedDecoder){.state = CHUNKED_SIZE};
}

static int hex_digit(uint8_t c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -EINVAL;
}

/* A byte of an extension or a trailer: refused if it is a control character, or one too many. */
static bool ignore(ChunkedDecoder *decoder, uint8_t c)
{
        if ((c < ' ' && c != '\t') || c == 0x7f || decoder->ignored == CHUNKED_IGNORED_MAX)
                return false;
        decoder->ignored++;
        return true;
}

static ChunkedState read_size(ChunkedDecoder *decoder, uint8_t c)
{
        int digit = hex_digit(c);

        if (digit >= 0 && decoder->digits < DIGITS_MAX) {
                decoder->left = decoder->left << 4 | (uint64_t)digit;
                decoder->digits++;
                return CHUNKED_SIZE;
        }
        if (decoder->digits == 0)
                return CHUNKED_BAD;
        if (c == ';')
                return CHUNKED_EXTENSION;
        return c == '\r' ? CHUNKED_SIZE_LF : CHUNKED_BAD;
}

/* The state behind the byte @c. Not for CHUNKED_DATA. */
static ChunkedState step(ChunkedDecoder *decoder, uint8_t c)
{
        switch (decoder->state) {
        case CHUNKED_SIZE:
                return read_size(decoder, c);
        case CHUNKED_EXTENSION:
                if (c == '\r')
                        return CHUNKED_SIZE_LF;
                return ignore(decoder, c) ? CHUNKED_EXTENSION : CHUNKED_BAD;
        case CHUNKED_SIZE_LF:
                if (c != '\n')
                        return CHUNKED_BAD;
                decoder->digits = 0;
                return decoder->left > 0 ? CHUNKED_DATA : CHUNKED_TRAILER_START;
        case CHUNKED_DATA_CR:
                return c == '\r' ? CHUNKED_DATA_LF : CHUNKED_BAD;
        case CHUNKED_DATA_LF:
                return c == '\n' ? CHUNKED_SIZE : CHUNKED_BAD;
        case CHUNKED_TRAILER_START:
                if (c == '\r')
                        return CHUNKED_END_LF;
                return ignore(decoder, c) ? CHUNKED_TRAILER : CHUNKED_BAD;
        case CHUNKED_TRAILER:
                if (c == '\r')
                        return CHUNKED_TRAILER_LF;
                return ignore(decoder, c) ? CHUNKED_TRAILER : CHUNKED_BAD;
        case CHUNKED_TRAILER_LF:
                return c == '\n' ? CHUNKED_TRAILER_START : CHUNKED_BAD;
        case CHUNKED_END_LF:
                return c == '\n' ? CHUNKED_DONE : CHUNKED_BAD;
        case CHUNKED_DATA:
        case CHUNKED_DONE:
        case CHUNKED_BAD:
                break;
        }
        return decoder->state;
}

int chunked_decode(ChunkedDecoder *decoder, const uint8_t *data, size_t n, size_t *ret_used,
                   const uint8_t **ret_data, size_t *ret_data_n)
{
        const uint8_t *piece = NULL;
        size_t used = 0, piece_n = 0;

        while (used < n && decoder->state != CHUNKED_DATA && decoder->state != CHUNKED_DONE &&
               decoder->state != CHUNKED_BAD)
                decoder->state = step(decoder, data[used++]);
        if (decoder->state == CHUNKED_BAD)
                return CHUNKED_E_BAD;
        if (decoder->state == CHUNKED_DATA && used < n) {
                piece = data + used;
                piece_n = MIN(decoder->left, n - used);
                decoder->left -= piece_n;
                used += piece_n;
                if (decoder->left == 0)
                        decoder->state = CHUNKED_DATA_CR;
        }
        *ret_used = used;
        *ret_data = piece;
        *ret_data_n = piece_n;
        return decoder->state == CHUNKED_DONE ? 0 : CHUNKED_E_MORE;
}
