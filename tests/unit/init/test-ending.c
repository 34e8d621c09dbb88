#include "test.h"

#include "init/ending.h"

static void test_last_line(void **state)
{
        Ending ending = {
                .reason = END_AGENT_EXIT,
                .agent_ran = true,
                .flushed = true,
                .flush_outcome = FLUSH_DELIVERED,
                .spans_sent = 23,
                .agent_end = 1000 * NSEC_PER_MSEC,
                .flush_end = 1012 * NSEC_PER_MSEC,
                .stop_end = 1013 * NSEC_PER_MSEC,
                .sync_end = 1016 * NSEC_PER_MSEC,
        };
        struct rusage usage = {0};
        char line[ENDING_LINE_MAX];

        ending_set_status(&ending, 7 << 8, &usage);
        ending_format(&ending, line);
        assert_string_equal(line, "end reason=agent-exit code=7 signal=0 core=no flush=delivered "
                                  "sent=23 dropped=0 flush_ms=12 stop_ms=1 sync_ms=3 total_ms=16");
        assert_false(ending_is_success(&ending));
}

static void test_longest_line_fits(void **state)
{
        Ending ending = {
                .reason = END_AGENT_START_FAILURE,
                .exit_code = -2147483647,
                .exit_signal = -2147483647,
                .flushed = true,
                .flush_outcome = FLUSH_UNREACHABLE,
                .spans_sent = UINT64_MAX,
                .spans_dropped = UINT64_MAX,
                .agent_end = 1,
                .flush_end = UINT64_MAX - 1,
                .stop_end = UINT64_MAX - 1,
                .sync_end = UINT64_MAX - 1,
        };
        char line[ENDING_LINE_MAX];

        ending_format(&ending, line);
        assert_true(strlen(line) < sizeof(line) - 1);
        assert_non_null(strstr(line, "total_ms=18446744073709"));
}

static void test_signals(void **state)
{
        struct rusage usage = {0};
        Ending ending = {.agent_ran = true};

        ending_set_status(&ending, 11 | 0x80, &usage);
        assert_int_equal(ending.exit_signal, 11);
        assert_int_equal(ending.exit_code, 139);
        assert_true(ending.core_dumped);
        ending = (Ending){.agent_ran = true};
        ending_set_status(&ending, 9, &usage);
        assert_false(ending.core_dumped);
        assert_false(ending_is_success(&ending));
        ending_set_status(&ending, 0, &usage); /* the later one tells the truth */
        assert_int_equal(ending.exit_signal, 0);
        assert_true(ending_is_success(&ending));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_last_line),
                UNIT_TEST(test_longest_line_fits),
                UNIT_TEST(test_signals),
        };

        return RUN_TESTS(tests);
}
