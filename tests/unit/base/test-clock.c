#include "test.h"

#include <limits.h>

#include "base/clock.h"

static void test_saturation(void **state)
{
        assert_true(nsec_add(1, 2) == 3);
        assert_true(nsec_add(NSEC_INFINITY, 1) == NSEC_INFINITY);
        assert_true(nsec_add(NSEC_INFINITY - 1, 2) == NSEC_INFINITY);
        assert_true(nsec_left(10, 4) == 6);
        assert_true(nsec_left(4, 10) == 0);
        assert_true(nsec_left(NSEC_INFINITY, 10) == NSEC_INFINITY);
}

static void test_poll_never_wakes_early(void **state)
{
        assert_int_equal(nsec_to_poll(0), 0);
        assert_int_equal(nsec_to_poll(1), 1);
        assert_int_equal(nsec_to_poll(NSEC_PER_MSEC), 1);
        assert_int_equal(nsec_to_poll(NSEC_PER_MSEC + 1), 2);
        assert_int_equal(nsec_to_poll(NSEC_INFINITY - 1), INT_MAX);
        assert_int_equal(nsec_to_poll(NSEC_INFINITY), -1);
}

static void test_anchor(void **state)
{
        ClockAnchor anchor = {.boottime = 1000, .realtime = 5000};

        assert_true(clock_anchor_realtime(&anchor, 1500) == 5500);
        assert_true(clock_anchor_realtime(&anchor, 400) == 4400);
        anchor.realtime = 300; /* a guest without a clock: 1970 */
        assert_true(clock_anchor_realtime(&anchor, 400) == 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_saturation),
                UNIT_TEST(test_poll_never_wakes_early),
                UNIT_TEST(test_anchor),
        };

        return RUN_TESTS(tests);
}
