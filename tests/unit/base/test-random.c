/* A kernel whose generator of random numbers is not seeded yet, and one that is a clone and does not
 * know it: getrandom(2) is replaced. */

#include "test.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/random.h>

#include "base/random.h"

static bool seeded, repeats;

ssize_t __real_getrandom(void *data, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *data, size_t n, unsigned flags);

ssize_t __wrap_getrandom(void *data, size_t n, unsigned flags)
{
        if (repeats) {
                memset(data, 0xca, n);
                return (ssize_t)n;
        }
        if (seeded)
                return __real_getrandom(data, n, flags);
        assert_true(flags & GRND_NONBLOCK); /* else this would take minutes */
        errno = EAGAIN;
        return -1;
}

static void check(void)
{
        static const uint8_t zeroes[16];
        uint8_t a[16] = {0}, b[16] = {0};

        assert_int_equal(random_id(a, sizeof(a)), 0);
        assert_int_equal(random_id(b, sizeof(b)), 0);
        assert_memory_not_equal(a, zeroes, sizeof(a));
        assert_memory_not_equal(a, b, sizeof(a));
}

static void test_random_id(void **state)
{
        seeded = true;
        check();
}

static void test_before_the_seed(void **state)
{
        seeded = false;
        check();
}

static void test_clones_differ(void **state)
{
        uint8_t ids[64][16];

        repeats = true;
        for (size_t i = 0; i < 64; i++) {
                assert_int_equal(random_id(ids[i], 16), 0);
                for (size_t k = 0; k < i; k++) {
                        assert_memory_not_equal(ids[i], ids[k], 8);
                        assert_memory_not_equal(ids[i] + 8, ids[k] + 8, 8);
                }
        }
        repeats = false;
}

/* What lies behind the bytes asked for is the caller's. */
static void test_odd_sizes(void **state)
{
        static const uint8_t zeroes[17];

        seeded = true;
        for (size_t n = 1; n <= 16; n++) {
                uint8_t id[17] = {0};

                assert_int_equal(random_id(id, n), 0);
                assert_memory_not_equal(id, zeroes, n);
                assert_memory_equal(id + n, zeroes, sizeof(id) - n);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_random_id),
                UNIT_TEST(test_before_the_seed),
                UNIT_TEST(test_clones_differ),
                UNIT_TEST(test_odd_sizes),
        };

        return RUN_TESTS(tests);
}
