#include "test.h"

#include "base/secret.h"

static void test_secret_equal(void **state)
{
        assert_true(secret_equal("abc", 3, "abc"));
        assert_true(secret_equal("abcd", 3, "abc"));
        assert_false(secret_equal("abc", 2, "abc"));
        assert_false(secret_equal("xbc", 3, "abc"));
        assert_false(secret_equal("abx", 3, "abc"));
        assert_false(secret_equal(NULL, 0, "abc"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_secret_equal),
        };

        return RUN_TESTS(tests);
}
