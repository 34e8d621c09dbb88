#pragma once

/* What every unit test includes: cmocka, in TAP, with a check around each test that it leaves as
 * many descriptors open as it found. */

#ifdef NDEBUG
#error "tests need assert()"
#endif

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline size_t count_open_fds(void)
{
        DIR *dir = opendir("/proc/self/fd");
        size_t n = 0;

        assert_non_null(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}

static inline int test_setup_fds(void **state)
{
        static size_t before;

        before = count_open_fds();
        *state = &before;
        return 0;
}

static inline int test_check_fds(void **state)
{
        assert_int_equal(count_open_fds(), *(size_t *)*state);
        return 0;
}

/* A test function of the form void f(void **state); @state is the harness's own. */
#define UNIT_TEST(function)                                                                        \
        cmocka_unit_test_setup_teardown(function, test_setup_fds, test_check_fds)

#define RUN_TESTS(tests)                                                                           \
        (cmocka_set_message_output(CM_OUTPUT_TAP), cmocka_run_group_tests(tests, NULL, NULL))
