#include "test.h"

#include <errno.h>

#include "base/macro.h"
#include "trace/retry-after.h"

static int parse(const char *text, nsec_t realtime_sec, nsec_t *ret)
{
        return retry_after_parse(text, strlen(text), realtime_sec * NSEC_PER_SEC, ret);
}

static void test_seconds(void **state)
{
        nsec_t wait;

        assert_int_equal(parse("0", 0, &wait), 0);
        assert_true(wait == 0);
        assert_int_equal(parse("120", 7, &wait), 0);
        assert_true(wait == 120 * NSEC_PER_SEC);
}

static void test_dates(void **state)
{
        /* The times are those of date -u -d DATE +%s. */
        static const struct {
                const char *text;
                nsec_t epoch;
        } dates[] = {
                {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
                {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
                {"Tue, 29 Feb 2000 23:59:59 GMT", 951868799},
                {"Wed, 01 Mar 2000 00:00:00 GMT", 951868800},
                {"Thu, 31 Dec 2026 23:59:59 GMT", 1798761599},
                {"Mon, 01 Mar 2100 00:00:00 GMT", 4107542400},
        };
        nsec_t wait;

        for (size_t i = 0; i < ARRAY_SIZE(dates); i++) {
                assert_int_equal(parse(dates[i].text, 0, &wait), 0);
                assert_true(wait == dates[i].epoch * NSEC_PER_SEC);
        }
        assert_int_equal(parse("Sun, 06 Nov 1994 08:49:37 GMT", 784111770, &wait), 0);
        assert_true(wait == 7 * NSEC_PER_SEC);
        assert_int_equal(parse("Sun, 06 Nov 1994 08:49:37 GMT", 1798761599, &wait), 0);
        assert_true(wait == 0);
}

static void test_refused(void **state)
{
        static const char *const refused[] = {
                "", " 1", "1 ", "-1", "+1", "1.5", "0x10", "99999999999999999999", "soon",
                "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
                "Sun, 06 Non 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
                "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
                "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1969 08:49:37 GMT",
                "Sun, 06 Nov 9999 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMTx",
                "Sun,  6 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        };
        nsec_t wait;

        for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
                if (parse(refused[i], 0, &wait) != -EINVAL)
                        fail_msg("\"%s\" was accepted", refused[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_seconds),
                UNIT_TEST(test_dates),
                UNIT_TEST(test_refused),
        };

        return RUN_TESTS(tests);
}
