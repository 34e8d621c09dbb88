#include "test.h"

#include <assert.h>
#include <locale.h>

#include "forward/terminal.h"

static void check(const char *text, size_t columns, const char *expected, size_t expected_columns)
{
        Buffer out;
        size_t taken;

        buffer_init(&out, SIZE_MAX);
        assert_int_equal(terminal_append(&out, text, columns, &taken), 0);
        assert_int_equal(taken, expected_columns);
        assert_int_equal(buffer_append(&out, "", 1), 0);
        assert_string_equal((char *)buffer_data(&out), expected);
        buffer_done(&out);
}

static void test_plain(void **state)
{
        check("", 10, "", 0);
        check("GET /", 10, "GET /", 5);
        check("grün", 10, "grün", 4);
        check("日本", 10, "日本", 4);
        check("e\u0301t\u00e9", 10, "e\u0301t\u00e9", 3);
        check("a\tb\nc\r", 10, "a b c ", 6);
        assert_int_equal(terminal_columns("日本 x"), 6);
}

/* Cut, the ellipsis included, and never within a character or beyond the columns. */
static void test_cut(void **state)
{
        check("abcdef", 6, "abcdef", 6);
        check("abcdef", 5, "abcd…", 5);
        check("abcdef", 1, "…", 1);
        check("abcdef", 0, "", 0);
        check("日本語", 6, "日本語", 6);
        check("日本語", 5, "日本…", 5);
        check("日本語", 4, "日…", 3);
}

static void test_commands(void **state)
{
        check("\033[2J", 10, "\ufffd[2J", 4);
        check("\a\b\x7f", 10, "\ufffd\ufffd\ufffd", 3);
        check("\xc2\x9b" "2J", 10, "\ufffd" "2J", 3); /* CSI as one C1 character */
        check("\x9b", 10, "\ufffd", 1);
        check("\xc3", 10, "\ufffd", 1);
        check("\xc0\x9b", 10, "\ufffd\ufffd", 2);
        check("abc\u202ecba", 10, "abc\ufffd" "cba", 7);
        check("\u2066\u200b\ufeff\u2028", 10, "\ufffd\ufffd\ufffd\ufffd", 4);
        check("\U000e0041", 10, "\ufffd", 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_plain),
                UNIT_TEST(test_cut),
                UNIT_TEST(test_commands),
        };

        assert(setlocale(LC_CTYPE, "C.UTF-8"));
        return RUN_TESTS(tests);
}
