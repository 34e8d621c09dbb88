#include "test.h"

#include "base/macro.h"
#include "init/oom.h"

static void test_records(void **state)
{
        static const struct {
                const char *record;
                bool names;
        } cases[] = {
                {"3,1000,5000000,-;Out of memory: Killed process 42 (agent) total-vm:1kB\n", true},
                {"3,1,5,-,caller=T1;Memory cgroup out of memory: Killed process 42 (a) x\n", true},
                {"3,1,5,-;Out of memory: Killed process 421 (agent) total-vm:1kB\n", false},
                {"3,1,5,-;Out of memory: Killed process 4 (agent) total-vm:1kB\n", false},
                /* Written by somebody into /dev/kmsg: facility 1. */
                {"11,1,5,-;Out of memory: Killed process 42 (agent) total-vm:1kB\n", false},
                {"12,1,5,-;Killed process 42\n", false},
                {"3,1,5,-;Killed process ", false},
                {"3,1,5,- Killed process 42", false},
                {"", false},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                assert_int_equal(oom_record_names(cases[i].record, strlen(cases[i].record), 42),
                                 cases[i].names);
}

static void test_vmstat(void **state)
{
        assert_int_equal(oom_parse_vmstat("nr_free_pages 1\noom_kill 3\nzone 4\n"), 3);
        assert_int_equal(oom_parse_vmstat("nr_free_pages 1\n"), 0);
        assert_int_equal(oom_parse_vmstat("x 1\noom_kill x\n"), 0);
        assert_int_equal(oom_parse_vmstat(""), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_records),
                UNIT_TEST(test_vmstat),
        };

        return RUN_TESTS(tests);
}
