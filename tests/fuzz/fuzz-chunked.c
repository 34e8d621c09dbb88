/* However the input is cut into pieces, the body, the outcome and the end are the same. */

#include "base/macro.h"
#include "fuzz.h"
#include "http/chunked.h"

typedef struct Decoded {
        uint8_t *body; /* freed by the caller */
        size_t n;
        size_t used;
        int r;
} Decoded;

static Decoded decode(const uint8_t *data, size_t n, size_t step)
{
        Decoded decoded = {.body = malloc(n + 1), .r = CHUNKED_E_MORE};
        ChunkedDecoder decoder;

        assert(decoded.body);
        chunked_init(&decoder);
        while (decoded.r == CHUNKED_E_MORE && decoded.used < n) {
                const uint8_t *piece, *at = data + decoded.used;
                size_t at_n = MIN(step, n - decoded.used), used, piece_n;

                decoded.r = chunked_decode(&decoder, at, at_n, &used, &piece, &piece_n);
                if (decoded.r == CHUNKED_E_BAD)
                        break;
                assert(used > 0 && used <= at_n);
                decoded.used += used;
                if (piece_n == 0)
                        continue;
                assert(piece >= at && piece + piece_n == at + used);
                memcpy(decoded.body + decoded.n, piece, piece_n);
                decoded.n += piece_n;
        }
        return decoded;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const size_t steps[] = {1, 2, 3, 7, 64};
        Decoded whole = decode(data, n, SIZE_MAX);

        assert(whole.n <= n);
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                Decoded cut = decode(data, n, steps[i]);

                assert(cut.r == whole.r);
                if (whole.r != CHUNKED_E_BAD) {
                        assert(cut.used == whole.used && cut.n == whole.n);
                        assert(memcmp(cut.body, whole.body, whole.n) == 0);
                }
                free(cut.body);
        }
        free(whole.body);
        return 0;
}
