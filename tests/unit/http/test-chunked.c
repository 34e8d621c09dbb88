#include "test.h"

#include <stdio.h>

#include "base/macro.h"
#include "http/chunked.h"

typedef struct Decoded {
        char body[64];
        size_t n;
        size_t used; /* of the input */
} Decoded;

/* Decodes @text given in pieces of @step bytes, each in a buffer of its own size. Returns the last
 * outcome. */
static int decode(const char *text, size_t n, size_t step, Decoded *ret)
{
        ChunkedDecoder decoder;
        int r = CHUNKED_E_MORE;

        *ret = (Decoded){0};
        chunked_init(&decoder);
        while (r == CHUNKED_E_MORE && ret->used < n) {
                size_t piece_n = MIN(step, n - ret->used), used, data_n;
                uint8_t *piece = malloc(piece_n);
                const uint8_t *data;

                assert_non_null(piece);
                memcpy(piece, text + ret->used, piece_n);
                r = chunked_decode(&decoder, piece, piece_n, &used, &data, &data_n);
                if (r != CHUNKED_E_BAD) {
                        assert_in_range(used, 1, piece_n);
                        assert_in_range(data_n, 0, sizeof(ret->body) - ret->n);
                        if (data_n > 0)
                                memcpy(ret->body + ret->n, data, data_n);
                        ret->n += data_n;
                        ret->used += used;
                }
                free(piece);
        }
        return r;
}

static void test_bodies(void **state)
{
        static const struct {
                const char *text, *body;
        } cases[] = {
                {"0\r\n\r\n", ""},
                {"5\r\nhello\r\n0\r\n\r\n", "hello"},
                {"5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n", "hello, world"},
                {"1\r\n\r\r\n1\r\n\n\r\n00\r\n\r\n", "\r\n"},
                {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
                {"a\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
                {"000000000000000A\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
                {"2;a=b;c=\"d e\"\r\nxy\r\n0;last\r\n\r\n", "xy"},
                {"2\r\nxy\r\n0\r\nA: b\r\nC: d\te\r\n\r\n", "xy"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                for (size_t step = 1; step < 64; step++) {
                        char text[128];
                        Decoded decoded;

                        /* What follows the body is the next message's. */
                        (void)snprintf(text, sizeof(text), "%sPOST", cases[i].text);
                        assert_int_equal(decode(text, strlen(text), step, &decoded), 0);
                        assert_int_equal(decoded.used, strlen(cases[i].text));
                        assert_int_equal(decoded.n, strlen(cases[i].body));
                        assert_memory_equal(decoded.body, cases[i].body, decoded.n);
                }
}

static void test_refused(void **state)
{
        static const char *const bad[] = {
                "\r\n", "x\r\n", ";a\r\n", " 1\r\n", "1 \r\nx", "+1\r\nx", "-1\r\n", "0x1\r\n",
                "1\nx", "1\rx", "1\r\nxy", "1\r\nx\n", "1\r\nx\ry", "1\r\nx\r\n\r\n",
                "1;a\nx", "1;\x01\r\n", "1;a\r\r\n", "1;\x7f\r\n",
                "0\r\n\n", "0\r\nA: b\n", "0\r\nA: b\r\r", "0\r\n\r\r", "0\r\nA\x01:\r\n",
                "00000000000000001\r\n", "10000000000000000\r\n",
        };

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                for (size_t step = 1; step < 16; step++) {
                        Decoded decoded;

                        assert_int_equal(decode(bad[i], strlen(bad[i]), step, &decoded),
                                         CHUNKED_E_BAD);
                }
}

/* Bad once is bad for good, and complete once is complete: the next message stays untouched. */
static void test_ends_are_final(void **state)
{
        static const uint8_t bad[] = "g", good[] = "0\r\n\r\n";
        ChunkedDecoder decoder;
        const uint8_t *data;
        size_t used, n;

        chunked_init(&decoder);
        assert_int_equal(chunked_decode(&decoder, bad, 1, &used, &data, &n), CHUNKED_E_BAD);
        assert_int_equal(chunked_decode(&decoder, good, 5, &used, &data, &n), CHUNKED_E_BAD);

        chunked_init(&decoder);
        assert_int_equal(chunked_decode(&decoder, good, 5, &used, &data, &n), 0);
        assert_int_equal(chunked_decode(&decoder, good, 5, &used, &data, &n), 0);
        assert_int_equal(used, 0);
        assert_int_equal(n, 0);
}

static void test_no_input(void **state)
{
        ChunkedDecoder decoder;
        const uint8_t *data;
        size_t used, n;

        chunked_init(&decoder);
        assert_int_equal(chunked_decode(&decoder, NULL, 0, &used, &data, &n), CHUNKED_E_MORE);
        assert_int_equal(used, 0);
        assert_int_equal(n, 0);
}

/* The largest size there is does not overflow anything: all that comes is body. */
static void test_largest_chunk(void **state)
{
        static const char start[] = "ffffffffffffffff\r\n";
        ChunkedDecoder decoder;
        const uint8_t *data;
        size_t used, n;

        chunked_init(&decoder);
        assert_int_equal(chunked_decode(&decoder, (const uint8_t *)start, strlen(start), &used,
                                        &data, &n),
                         CHUNKED_E_MORE);
        assert_int_equal(used, strlen(start));
        assert_int_equal(n, 0);
        assert_int_equal(chunked_decode(&decoder, (const uint8_t *)start, strlen(start), &used,
                                        &data, &n),
                         CHUNKED_E_MORE);
        assert_int_equal(n, strlen(start));
        assert_true(decoder.left == UINT64_MAX - strlen(start));
}

/* What is ignored is limited over the body, not in each line: decodes @line over and over and
 * returns how many went through. */
static size_t lines_until_refused(const char *start, const char *line)
{
        ChunkedDecoder decoder;
        const uint8_t *data;
        size_t used, n;

        chunked_init(&decoder);
        (void)chunked_decode(&decoder, (const uint8_t *)start, strlen(start), &used, &data, &n);
        for (size_t count = 0; count < 2 * CHUNKED_IGNORED_MAX; count++)
                for (size_t i = 0; line[i]; i++)
                        if (chunked_decode(&decoder, (const uint8_t *)line + i, 1, &used, &data,
                                           &n) == CHUNKED_E_BAD)
                                return count;
        return SIZE_MAX;
}

static void test_ignored_is_limited(void **state)
{
        assert_int_equal(lines_until_refused("0;", "x"), CHUNKED_IGNORED_MAX);
        assert_int_equal(lines_until_refused("", "1;abcd\r\nx\r\n"), CHUNKED_IGNORED_MAX / 4);
        assert_int_equal(lines_until_refused("0\r\n", "x: yz\r\n"), CHUNKED_IGNORED_MAX / 5);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_bodies),
                UNIT_TEST(test_refused),
                UNIT_TEST(test_ends_are_final),
                UNIT_TEST(test_no_input),
                UNIT_TEST(test_largest_chunk),
                UNIT_TEST(test_ignored_is_limited),
        };

        return RUN_TESTS(tests);
}
