#include "test.h"

#include <string.h>

#include "init/cgroup.h"

static void test_enabled_controllers(void **state)
{
        char text[] = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
                      "cpuset\t0\t1\t1\n"
                      "memory\t0\t70\t0\n" /* cgroup_disable=memory */
                      "devices\t3\t1\t1\n"
                      "pids\t3\n"
                      "../up\t0\t1\t1\n"
                      "\t0\t1\t1\n"
                      "a-name-that-is-far-too-long-to-be-one\t0\t1\t1\n"
                      "rdma\t0\t1\t1"; /* and no newline */
        char *cursor = text;

        assert_string_equal(cgroup_next_controller(&cursor), "cpuset");
        assert_string_equal(cgroup_next_controller(&cursor), "devices");
        assert_string_equal(cgroup_next_controller(&cursor), "rdma");
        assert_null(cgroup_next_controller(&cursor));
        assert_null(cgroup_next_controller(&cursor));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_enabled_controllers),
        };

        return RUN_TESTS(tests);
}
