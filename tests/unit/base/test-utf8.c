#include "test.h"

#include "base/macro.h"
#include "base/utf8.h"

/* Checks a copy of exactly that size, so that the sanitizers see a read beyond it. */
static bool valid(const char *text, size_t n)
{
        uint8_t *exact = malloc(n + 1);
        bool is;

        assert_non_null(exact);
        memcpy(exact + 1, text, n);
        is = utf8_is_valid(exact + 1, n);
        free(exact);
        return is;
}

static size_t encode(uint32_t c, char *ret)
{
        if (c < 0x80) {
                ret[0] = (char)c;
                return 1;
        }
        if (c < 0x800) {
                ret[0] = (char)(0xc0 | c >> 6);
                ret[1] = (char)(0x80 | (c & 0x3f));
                return 2;
        }
        if (c < 0x10000) {
                ret[0] = (char)(0xe0 | c >> 12);
                ret[1] = (char)(0x80 | (c >> 6 & 0x3f));
                ret[2] = (char)(0x80 | (c & 0x3f));
                return 3;
        }
        ret[0] = (char)(0xf0 | c >> 18);
        ret[1] = (char)(0x80 | (c >> 12 & 0x3f));
        ret[2] = (char)(0x80 | (c >> 6 & 0x3f));
        ret[3] = (char)(0x80 | (c & 0x3f));
        return 4;
}

static void test_every_character(void **state)
{
        for (uint32_t c = 0; c < 0x200000; c++) {
                bool character = c < 0x110000 && !(c >= 0xd800 && c < 0xe000);
                uint8_t text[4];
                size_t n = encode(c, (char *)text);

                if (utf8_is_valid(text, n) != character)
                        fail_msg("U+%X", c);
        }
}

static void test_cut_off(void **state)
{
        static const uint32_t characters[] = {0xe4, 0x20ac, 0x1f600};

        for (size_t i = 0; i < ARRAY_SIZE(characters); i++) {
                char text[4];
                size_t n = encode(characters[i], text);

                assert_true(valid(text, n));
                for (size_t cut = 1; cut < n; cut++)
                        assert_false(valid(text, cut));
        }
}

static void test_ill_formed(void **state)
{
        static const char *const bad[] = {
                "\x80", "a\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf",
                "\xf0\x8f\xbf\xbf", "\xf5\x80\x80\x80", "\xfe", "\xff", "\xc3(", "\xe2\x82(",
                "\xf0\x9f\x98(", "\xc3\xa4\xa4",
        };

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_false(valid(bad[i], strlen(bad[i])));
        assert_true(utf8_is_valid(NULL, 0));
        assert_true(valid("a\0b", 3));
}

static void test_clean(void **state)
{
        static const struct {
                const char *text, *clean;
        } cases[] = {
                {"", ""},
                {"plain \xe2\x82\xac", "plain \xe2\x82\xac"},
                {"\xff", "?"},
                {"caf\xe9", "caf?"},
                {"\xe9t\xe9", "?t?"},
                {"\xe2\x82", "??"},
                {"\xe2\x82\xe2\x82\xac", "??\xe2\x82\xac"},
                {"\xed\xa0\x80", "???"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char text[16];

                strcpy(text, cases[i].text);
                utf8_clean((uint8_t *)text, strlen(text));
                assert_string_equal(text, cases[i].clean);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_every_character),
                UNIT_TEST(test_cut_off),
                UNIT_TEST(test_ill_formed),
                UNIT_TEST(test_clean),
        };

        return RUN_TESTS(tests);
}
