/* A kernel whose generator of random numbers is not seeded yet: getrandom(2) is replaced. */

#include "test.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/random.h>

#include "base/random.h"

static bool seeded;

ssize_t __real_getrandom(void *data, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *data, size_t n, unsigned flags);

ssize_t __wrap_getrandom(void *data, size_t n, unsigned flags)
{
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

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_random_id),
                UNIT_TEST(test_before_the_seed),
        };

        return RUN_TESTS(tests);
}
