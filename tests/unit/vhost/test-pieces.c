#include "test.h"

#include "vhost/pieces.h"

static const char letters[] = "abcdefghij";

/* The letters in three pieces. */
static void cut_up(char *text, struct iovec pieces[static 3])
{
        memcpy(text, letters, 10);
        pieces[0] = (struct iovec){text, 1};
        pieces[1] = (struct iovec){text + 1, 4};
        pieces[2] = (struct iovec){text + 5, 5};
}

static void test_read_and_write(void **state)
{
        struct iovec pieces[3];
        char text[10], out[10];

        for (size_t n = 0; n <= sizeof(text); n++) {
                cut_up(text, pieces);
                memset(out, '-', sizeof(out));
                pieces_read(pieces, out, n);
                assert_memory_equal(out, letters, n);
                assert_true(n == sizeof(out) || out[n] == '-');
                pieces_write(pieces, "0123456789", n);
                assert_memory_equal(text, "0123456789", n);
                assert_memory_equal(text + n, &letters[n], sizeof(text) - n);
        }
}

static void test_skip_and_cut(void **state)
{
        struct iovec pieces[3], rest[3];
        char text[10], out[10];

        for (size_t skip = 0; skip <= sizeof(text); skip++)
                for (size_t keep = 0; keep <= sizeof(text) - skip; keep++) {
                        size_t n, total = 0;

                        cut_up(text, pieces);
                        n = pieces_cut(rest, pieces_skip(pieces, 3, skip, rest), keep);
                        for (size_t i = 0; i < n; i++) {
                                assert_true(rest[i].iov_len > 0);
                                total += rest[i].iov_len;
                        }
                        assert_int_equal(total, keep);
                        pieces_read(rest, out, keep);
                        assert_memory_equal(out, &letters[skip], keep);
                }
}

static void test_skip_in_place(void **state)
{
        struct iovec pieces[3];
        char text[10];

        cut_up(text, pieces);
        assert_int_equal(pieces_skip(pieces, 3, 3, pieces), 2);
        assert_ptr_equal(pieces[0].iov_base, text + 3);
        assert_int_equal(pieces[0].iov_len, 2);
        assert_int_equal(pieces[1].iov_len, 5);
        assert_int_equal(pieces_skip(pieces, 2, 100, pieces), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_read_and_write),
                UNIT_TEST(test_skip_and_cut),
                UNIT_TEST(test_skip_in_place),
        };

        return RUN_TESTS(tests);
}
