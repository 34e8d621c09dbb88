#include "test.h"

#include "base/macro.h"
#include "systemd/boot.h"

static const Interval userspace = {1000, 2000};

static void test_phases(void **state)
{
        BootTimes times = {.initrd = 500, .userspace = 1000, .finish = 2000};
        Interval interval;

        assert_true(boot_phase_interval(&times, BOOT_KERNEL, 9000, &interval));
        assert_true(interval.start == 0 && interval.end == 500);
        assert_true(boot_phase_interval(&times, BOOT_INITRD, 9000, &interval));
        assert_true(interval.start == 500 && interval.end == 1000);
        assert_true(boot_phase_interval(&times, BOOT_USERSPACE, 9000, &interval));
        assert_true(interval.start == 1000 && interval.end == 2000);
        assert_string_equal(boot_phase_name(BOOT_INITRD), "initrd");
}

static void test_no_systemd_in_the_initrd(void **state)
{
        BootTimes times = {.userspace = 1000, .finish = 2000};
        Interval interval;

        assert_true(boot_phase_interval(&times, BOOT_KERNEL, 9000, &interval));
        assert_true(interval.end == 1000);
        assert_false(boot_phase_interval(&times, BOOT_INITRD, 9000, &interval));
}

static void test_boot_that_is_not_complete(void **state)
{
        BootTimes times = {.userspace = 1000};
        Interval interval;

        assert_true(boot_phase_interval(&times, BOOT_USERSPACE, 1500, &interval));
        assert_true(interval.start == 1000 && interval.end == 1500);
}

static void test_units(void **state)
{
        static const struct {
                UnitTimes times;
                bool told;
                Interval interval;
        } cases[] = {
                {{1100, 1200, 0}, true, {1100, 1200}},
                {{1100, 1100, 0}, true, {1100, 1100}},    /* a target */
                {{1100, 1200, 900}, true, {1100, 1200}},  /* inactive in the initrd, too */
                {{1100, 0, 1300}, true, {1100, 1300}},    /* a oneshot, or a failure */
                {{1100, 1050, 1300}, true, {1100, 1300}}, /* active once, then tried again */
                {{0, 0, 0}, false, {0}},                  /* never tried */
                {{1100, 0, 0}, false, {0}},               /* still at it */
                {{1100, 1050, 1000}, false, {0}},         /* again at it */
                {{500, 600, 0}, false, {0}},              /* in the initrd */
                {{1900, 2100, 0}, false, {0}},            /* after the boot */
                {{3000, 3100, 0}, false, {0}},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Interval interval = {0};

                assert_int_equal(boot_unit_interval(&cases[i].times, &userspace, &interval),
                                 cases[i].told);
                assert_true(interval.start == cases[i].interval.start &&
                            interval.end == cases[i].interval.end);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_phases),
                UNIT_TEST(test_no_systemd_in_the_initrd),
                UNIT_TEST(test_boot_that_is_not_complete),
                UNIT_TEST(test_units),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
