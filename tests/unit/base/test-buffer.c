#include "test.h"

#include <errno.h>

#include "base/buffer.h"

static void test_stream_through_a_small_buffer(void **state)
{
        uint8_t in = 0, out = 0;
        Buffer buffer;

        buffer_init(&buffer, 1000);
        for (int i = 0; i < 10000; i++) {
                uint8_t piece[7];

                for (size_t k = 0; k < sizeof(piece); k++)
                        piece[k] = in++;
                assert_int_equal(buffer_append(&buffer, piece, sizeof(piece)), 0);
                while (buffer_length(&buffer) > (size_t)(i % 300)) {
                        assert_int_equal(buffer_data(&buffer)[0], out++);
                        buffer_consume(&buffer, 1);
                }
        }
        assert_true(buffer.size <= 1000);
        buffer_done(&buffer);
}

static void test_cap(void **state)
{
        uint8_t bytes[64] = {0}, *room;
        Buffer buffer;

        buffer_init(&buffer, 64);
        assert_int_equal(buffer_append(&buffer, bytes, 60), 0);
        assert_int_equal(buffer_append(&buffer, bytes, 5), -ENOBUFS);
        assert_int_equal(buffer_length(&buffer), 60);
        assert_int_equal(buffer_append(&buffer, bytes, 4), 0);
        assert_int_equal(buffer_reserve(&buffer, 1, &room), -ENOBUFS);
        assert_int_equal(buffer_reserve(&buffer, SIZE_MAX, &room), -ENOBUFS);
        buffer_consume(&buffer, 10);
        assert_int_equal(buffer_append(&buffer, bytes, 10), 0);
        buffer_done(&buffer);
        assert_int_equal(buffer_length(&buffer), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_stream_through_a_small_buffer),
                UNIT_TEST(test_cap),
        };

        return RUN_TESTS(tests);
}
