#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "base/macro.h"
#include "init/words.h"

/* The words of @text with '|' between them. */
static const char *kernel_words(const char *text)
{
        static char joined[256];
        char copy[256], *cursor = copy, *word;

        (void)snprintf(copy, sizeof(copy), "%s", text);
        joined[0] = '\0';
        while ((word = words_next_kernel(&cursor))) {
                strcat(joined, word);
                strcat(joined, "|");
        }
        return joined;
}

static void test_kernel_rules(void **state)
{
        assert_string_equal(kernel_words(""), "");
        assert_string_equal(kernel_words(" \t\n"), "");
        assert_string_equal(kernel_words("a b\tc\n"), "a|b|c|");
        assert_string_equal(kernel_words("-- /bin/sh -c \"exit 7\""), "--|/bin/sh|-c|exit 7|");
        assert_string_equal(kernel_words("a=\"b c\" d"), "a=b c|d|");
        assert_string_equal(kernel_words("\"a=b c\" d"), "a=b c|d|");
        assert_string_equal(kernel_words("a=b\" \"c d"), "a=b\" \"c|d|");
        assert_string_equal(kernel_words("a=\"\""), "a=|");
        assert_string_equal(kernel_words("\"\""), "|");
        assert_string_equal(kernel_words("\"never closed"), "never closed|");
        assert_string_equal(kernel_words("a=\"never closed"), "a=never closed|");
        assert_string_equal(kernel_words("a=\""), "a=|");
        assert_string_equal(kernel_words("'a b'"), "'a|b'|");
}

static const char *shell_words(const char *text, int *ret)
{
        static char joined[256];
        char copy[256], *words[6];

        (void)snprintf(copy, sizeof(copy), "%s", text);
        joined[0] = '\0';
        *ret = words_split_shell(copy, words, ARRAY_SIZE(words));
        for (int i = 0; i < *ret; i++) {
                strcat(joined, words[i]);
                strcat(joined, "|");
        }
        return joined;
}

static void test_shell_rules(void **state)
{
        static const struct {
                const char *text, *words;
                int r;
        } cases[] = {
                {"", "", 0},
                {"/bin/sh -c 'exit 7'", "/bin/sh|-c|exit 7|", 3},
                {"a\\ b \"c \\\"d\\\" \\\\ \\x\" ''", "a b|c \"d\" \\ \\x||", 3},
                {"'a'\"b\"c", "abc|", 1},
                {"'it'\\''s'", "it's|", 1},
                {"'\\'", "\\|", 1},
                {"'open", "", -EINVAL},
                {"\"open", "", -EINVAL},
                {"end\\", "", -EINVAL},
                {"a b c d e", "a|b|c|d|e|", 5},
                {"a b c d e f", "", -E2BIG},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                int r;

                assert_string_equal(shell_words(cases[i].text, &r), cases[i].words);
                assert_int_equal(r, cases[i].r);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_kernel_rules),
                UNIT_TEST(test_shell_rules),
        };

        return RUN_TESTS(tests);
}
