#include "test.h"

#include <errno.h>

#include "base/macro.h"
#include "otlp/traceparent.h"

#define IDS "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"

static void test_round_trip(void **state)
{
        static const char text[] = "00-" IDS "-03";
        char formatted[TRACEPARENT_TEXT_MAX];
        Traceparent traceparent;

        assert_int_equal(traceparent_parse(text, strlen(text), &traceparent), 0);
        assert_int_equal(traceparent.trace_id.bytes[0], 0x0a);
        assert_int_equal(traceparent.span_id.bytes[7], 0x31);
        assert_int_equal(traceparent.flags, 3);
        traceparent_format(&traceparent, formatted);
        assert_string_equal(formatted, text);
}

static void test_versions(void **state)
{
        static const struct {
                const char *text;
                int r;
        } cases[] = {
                {"01-" IDS "-01", 0},
                {"cc-" IDS "-01-what.comes", 0},
                {"00-" IDS "-01-x", -EINVAL},
                {"cc-" IDS "-01x", -EINVAL},
                {"ff-" IDS "-01", -EINVAL},
                {"00-" IDS "-0", -EINVAL},
                {"00-" IDS "-0X", -EINVAL},
                {"00-" IDS "_01", -EINVAL},
                {"00-00000000000000000000000000000000-b7ad6b7169203331-01", -EINVAL},
                {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", -EINVAL},
                {"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", -EINVAL},
                {"", -EINVAL},
        };
        Traceparent traceparent;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                assert_int_equal(
                        traceparent_parse(cases[i].text, strlen(cases[i].text), &traceparent),
                        cases[i].r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_round_trip),
                UNIT_TEST(test_versions),
        };

        return RUN_TESTS(tests);
}
