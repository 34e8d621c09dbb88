#include "test.h"

#include <stdio.h>

#include "init/mountinfo.h"

static UnmountPlan plan;

static void make_plan(const char *mounts)
{
        static char text[256 * 1024];

        assert_true(strlen(mounts) < sizeof(text));
        strcpy(text, mounts);
        unmount_plan(text, &plan);
}

static void test_initrd_has_nothing_to_unmount(void **state)
{
        make_plan("1 0 0:2 / / rw - rootfs rootfs rw\n"
                  "20 1 0:20 / /proc rw,nosuid - proc proc rw\n"
                  "21 1 0:21 / /run rw shared:5 - tmpfs tmpfs rw\n"
                  "22 21 0:22 / /run/x rw shared:5 - tmpfs tmpfs rw\n");
        assert_int_equal(plan.n, 0);
}

static void test_latest_first_and_root_read_only_last(void **state)
{
        make_plan("1 0 8:1 / / rw - ext4 /dev/vda1 rw\n"
                  "20 1 0:20 / /proc rw - proc proc rw\n"
                  "30 1 8:2 / /data rw - ext4 /dev/vdb rw\n"
                  "31 30 8:3 / /data/a\\040b rw master:1 propagate_from:2 - xfs /dev/vdc rw\n"
                  "32 30 0:40 / /data/tmp rw - tmpfs tmpfs rw\n");
        assert_int_equal(plan.n, 4);
        assert_string_equal(plan.actions[0].target, "/data/tmp");
        assert_string_equal(plan.actions[1].target, "/data/a b");
        assert_string_equal(plan.actions[2].target, "/data");
        assert_string_equal(plan.actions[3].target, "/");
        assert_true(plan.actions[3].remount);
        assert_false(plan.actions[2].remount);
}

static void test_lines_that_are_none(void **state)
{
        make_plan("\n1\n1 0 8:1 / /x\n1 0 8:1 / /x rw\n1 0 8:1 / /x rw -\n"
                  "1 0 8:1 / relative rw - ext4 x rw\n1 0 8:1 / /ok rw - ext4\n\\");
        assert_int_equal(plan.n, 1);
        assert_string_equal(plan.actions[0].target, "/ok");
}

static void test_more_mounts_than_room(void **state)
{
        static char many[200 * 1024];

        for (size_t i = 0, n = 0; i < UNMOUNT_ACTIONS_MAX + 10; i++)
                n += (size_t)sprintf(many + n, "%zu 1 8:1 / /m%zu rw - ext4 x rw\n", i, i);
        strcat(many, "1 0 8:1 / / rw - ext4 /dev/vda1 rw\n");
        make_plan(many);
        assert_true(plan.truncated);
        assert_int_equal(plan.n, UNMOUNT_ACTIONS_MAX);
        assert_true(plan.actions[plan.n - 1].remount);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_initrd_has_nothing_to_unmount),
                UNIT_TEST(test_latest_first_and_root_read_only_last),
                UNIT_TEST(test_lines_that_are_none),
                UNIT_TEST(test_more_mounts_than_room),
        };

        return RUN_TESTS(tests);
}
