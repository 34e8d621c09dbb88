#include "test.h"

#include <errno.h>
#include <zlib.h>

#include "http/gunzip.h"

/* One gzip member that holds @n bytes. */
static size_t gzip(const uint8_t *data, size_t n, uint8_t *ret, size_t size)
{
        z_stream stream = {0};

        assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8,
                                      Z_DEFAULT_STRATEGY), Z_OK);
        stream.next_in = (Bytef *)data;
        stream.avail_in = (uInt)n;
        stream.next_out = ret;
        stream.avail_out = (uInt)size;
        assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
        n = size - stream.avail_out;
        deflateEnd(&stream);
        return n;
}

static void check(const uint8_t *data, size_t n, size_t max, int expected, size_t expected_n)
{
        Buffer out;

        buffer_init(&out, max);
        assert_int_equal(gunzip(data, n, &out), expected);
        if (expected == 0)
                assert_int_equal(buffer_length(&out), expected_n);
        buffer_done(&out);
}

static void test_members(void **state)
{
        uint8_t data[256];
        size_t n = gzip((const uint8_t *)"hello", 5, data, sizeof(data));
        Buffer out;

        n += gzip((const uint8_t *)" world", 6, data + n, sizeof(data) - n);
        buffer_init(&out, 100);
        assert_int_equal(gunzip(data, n, &out), 0);
        assert_int_equal(buffer_length(&out), 11);
        assert_memory_equal(buffer_data(&out), "hello world", 11);
        buffer_done(&out);

        n = gzip((const uint8_t *)"", 0, data, sizeof(data));
        check(data, n, 100, 0, 0);
}

/* Cut off anywhere, followed by something else, changed, or no gzip at all. */
static void test_bad(void **state)
{
        uint8_t data[256];
        size_t n = gzip((const uint8_t *)"hello", 5, data, sizeof(data));

        for (size_t i = 0; i < n; i++)
                check(data, i, 100, -EBADMSG, 0);
        data[n] = 'x';
        check(data, n + 1, 100, -EBADMSG, 0);
        data[n - 8] ^= 1; /* the checksum */
        check(data, n, 100, -EBADMSG, 0);
        check((const uint8_t *)"hello", 5, 100, -EBADMSG, 0);
        check((const uint8_t *)"x\x9c\x03\x00\x00\x00\x00\x01", 8, 100, -EBADMSG, 0); /* zlib */
}

/* Ten megabytes of zeroes in ten kilobytes. */
static void test_bomb(void **state)
{
        enum { SIZE = 10 * 1024 * 1024 };
        uint8_t *zeroes = calloc(1, SIZE), data[16 * 1024];
        size_t n = gzip(zeroes, SIZE, data, sizeof(data));

        free(zeroes);
        check(data, n, SIZE / 2, -ENOBUFS, 0);
        check(data, n, 2 * SIZE, 0, SIZE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_members),
                UNIT_TEST(test_bad),
                UNIT_TEST(test_bomb),
        };

        return RUN_TESTS(tests);
}
