#include "test.h"

#include <errno.h>
#include <stdbool.h>

#include "base/macro.h"
#include "base/parse.h"

static int u64(const char *text, uint64_t max, uint64_t *ret)
{
        return parse_u64(text, strlen(text), max, ret);
}

static void test_integers(void **state)
{
        static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "0x1", "1_000", "1.0"};
        uint64_t value = 99;

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(u64(bad[i], UINT64_MAX, &value), -EINVAL);
        assert_int_equal(u64("256", 255, &value), -ERANGE);
        assert_int_equal(u64("18446744073709551616", UINT64_MAX, &value), -ERANGE);
        assert_int_equal(u64("99999999999999999999999", UINT64_MAX, &value), -ERANGE);
        assert_int_equal(u64("7", 5, &value), -ERANGE);
        assert_true(value == 99);
        assert_int_equal(u64("255", 255, &value), 0);
        assert_true(value == 255);
        assert_int_equal(u64("18446744073709551615", UINT64_MAX, &value), 0);
        assert_true(value == UINT64_MAX);
        assert_int_equal(u64("0000", 0, &value), 0);
        assert_true(value == 0);
}

static void test_booleans(void **state)
{
        bool value = false;

        assert_int_equal(parse_bool("yes", 3, &value), 0);
        assert_true(value);
        assert_int_equal(parse_bool("0", 1, &value), 0);
        assert_false(value);
        assert_int_equal(parse_bool("2", 1, &value), -EINVAL);
        assert_int_equal(parse_bool("", 0, &value), -EINVAL);
        assert_int_equal(parse_bool("yesno", 5, &value), -EINVAL);
}

static void test_durations(void **state)
{
        static const struct {
                const char *text;
                nsec_t nsec;
        } good[] = {
                {"2", 2 * NSEC_PER_SEC},      {"2s", 2 * NSEC_PER_SEC}, {"500ms", 500000000},
                {"3us", 3000},                {"7ns", 7},               {"1m", 60 * NSEC_PER_SEC},
                {"1h", 3600 * NSEC_PER_SEC},  {"0", 0},
        };
        static const char *const bad[] = {"", "s", "2 s", "2sec", "-1s", "1.5s", "2s1"};
        nsec_t value;

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                assert_int_equal(parse_duration(good[i].text, strlen(good[i].text), &value), 0);
                assert_true(value == good[i].nsec);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(parse_duration(bad[i], strlen(bad[i]), &value), -EINVAL);
        assert_int_equal(parse_duration("9999999999999h", 14, &value), -ERANGE);
}

static void test_hex(void **state)
{
        uint8_t bytes[3] = {0};
        char text[7];

        assert_int_equal(parse_hex("00a1ff", 6, bytes, 3), 0);
        assert_memory_equal(bytes, "\x00\xa1\xff", 3);
        format_hex(bytes, 3, text);
        assert_string_equal(text, "00a1ff");
        assert_int_equal(parse_hex("00A1ff", 6, bytes, 3), -EINVAL);
        assert_int_equal(parse_hex("00a1f", 5, bytes, 3), -EINVAL);
        assert_int_equal(parse_hex("00a1fg", 6, bytes, 3), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_integers),
                UNIT_TEST(test_booleans),
                UNIT_TEST(test_durations),
                UNIT_TEST(test_hex),
        };

        return RUN_TESTS(tests);
}
