#include "test.h"

#include <errno.h>

#include "vhost/hello.h"

static int parse(const char *line, uint32_t *ret_port)
{
        return hello_parse((const uint8_t *)line, strlen(line), ret_port);
}

static void test_good(void **state)
{
        uint32_t port;

        assert_int_equal(parse("CONNECT 0\n", &port), 0);
        assert_int_equal(port, 0);
        assert_int_equal(parse("CONNECT 1024\n", &port), 0);
        assert_int_equal(port, 1024);
        assert_int_equal(parse("CONNECT 4294967295\n", &port), 0);
        assert_int_equal(port, UINT32_MAX);
}

static void test_bad(void **state)
{
        static const char *const lines[] = {
                "", "\n", "CONNECT", "CONNECT \n", "CONNECT 1", "CONNECT 1 \n", "CONNECT  1\n",
                "CONNECT -1\n", "CONNECT 1\r\n", "connect 1\n", "CONNECT 1\n\n", "CONNECT x\n",
        };
        uint32_t port = 7;

        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
                assert_int_equal(parse(lines[i], &port), -EINVAL);
        assert_int_equal(parse("CONNECT 4294967296\n", &port), -ERANGE);
        assert_int_equal(port, 7);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_good),
                UNIT_TEST(test_bad),
        };

        return RUN_TESTS(tests);
}
