#include "test.h"

#include <linux/vm_sockets.h>
#include <stdbool.h>

#include "base/macro.h"
#include "forward/options.h"

enum { ARGUMENTS_MAX = 6 };

static int parse(const char *const *arguments, Options *ret, char *ret_error)
{
        char *argv[ARGUMENTS_MAX + 2] = {(char *)"rootspan-forwarder"};
        int argc = 1;

        ret_error[0] = '\0';
        for (; *arguments; arguments++)
                argv[argc++] = (char *)*arguments;
        return options_parse(argc, argv, ret, ret_error);
}

#define PARSE(options, error, ...) parse((const char *const[]){__VA_ARGS__, NULL}, options, error)

static void test_defaults(void **state)
{
        char error[OPTIONS_ERROR_MAX];
        Options options;

        assert_int_equal(parse((const char *const[]){NULL}, &options, error), 0);
        assert_int_equal(options.n_listen, 1);
        assert_int_equal(options.listen[0].kind, ADDRESS_VSOCK);
        assert_int_equal(options.listen[0].cid, VMADDR_CID_ANY);
        assert_int_equal(options.listen[0].port, 10240);
        assert_null(options.file);
        assert_true(options.tree);
        assert_int_equal(options.color, COLOR_AUTO);
        assert_int_equal(options.log_level, LOG_LEVEL_INFO);
}

static void test_listen(void **state)
{
        char error[OPTIONS_ERROR_MAX];
        Options options;

        assert_int_equal(PARSE(&options, error, "--socket-path=/run/x.sock"), 0);
        assert_int_equal(options.n_listen, 1);
        assert_int_equal(options.listen[0].kind, ADDRESS_UNIX);
        assert_string_equal(options.listen[0].path, "/run/x.sock_10240");

        assert_int_equal(PARSE(&options, error, "--vsock-port", "99", "--socket-path", "y",
                               "--vsock-cid=any"), 0);
        assert_int_equal(options.n_listen, 2);
        assert_string_equal(options.listen[0].path, "y_99");
        assert_int_equal(options.listen[1].kind, ADDRESS_VSOCK);
        assert_int_equal(options.listen[1].cid, VMADDR_CID_ANY);
        assert_int_equal(options.listen[1].port, 99);

        assert_int_equal(PARSE(&options, error, "--vsock-cid=2"), 0);
        assert_int_equal(options.n_listen, 1);
        assert_int_equal(options.listen[0].cid, 2);
}

static void test_sinks(void **state)
{
        char error[OPTIONS_ERROR_MAX];
        Options options;

        assert_int_equal(PARSE(&options, error, "--file=a", "-l", "debug"), 0);
        assert_string_equal(options.file, "a");
        assert_false(options.tree);
        assert_int_equal(options.log_level, LOG_LEVEL_DEBUG);
        assert_int_equal(PARSE(&options, error, "--file=a", "--tree", "--color=never"), 0);
        assert_true(options.tree);
        assert_int_equal(options.color, COLOR_NEVER);
}

static void test_shown(void **state)
{
        char error[OPTIONS_ERROR_MAX];
        Options options;

        assert_int_equal(PARSE(&options, error, "--help"), OPTIONS_E_HELP);
        assert_int_equal(PARSE(&options, error, "-h"), OPTIONS_E_HELP);
        assert_int_equal(PARSE(&options, error, "--version"), OPTIONS_E_VERSION);
}

/* The message names the option, and what it takes. */
static void test_refused(void **state)
{
        static const char long_path[] = /* 102 bytes */
                "/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/"
                "0123456789/0123456789012";
        static const struct {
                const char *arguments[3];
                const char *named;
                const char *accepted;
        } cases[] = {
                {{"--vsock-port=x"}, "--vsock-port=x", "a number from 0 to 4294967294"},
                {{"--vsock-port", "4294967295"}, "--vsock-port=4294967295", "a number"},
                {{"--vsock-port="}, "--vsock-port", "a number"},
                {{"--vsock-cid=-3"}, "--vsock-cid=-3", "any"},
                {{"--socket-path="}, "--socket-path", "a path"},
                {{"--socket-path", long_path}, "--socket-path", "at most 107 bytes"},
                {{"--file="}, "--file", "a path"},
                {{"--color=yes"}, "--color=yes", "auto, always or never"},
                {{"-l", "loud"}, "--log-level=loud", "error, warning, info or debug"},
                {{"--file"}, "--file", "an argument is missing"},
                {{"--none"}, "--none", "no such option"},
                {{"-x"}, "-x", "no such option"},
                {{"--tree=yes"}, "--tree=yes", ""},
                {{"word"}, "word", "no arguments"},
        };
        char error[OPTIONS_ERROR_MAX];
        Options options;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                assert_int_equal(parse(cases[i].arguments, &options, error), OPTIONS_E_USAGE);
                assert_non_null(strstr(error, cases[i].named));
                assert_non_null(strstr(error, cases[i].accepted));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_defaults),
                UNIT_TEST(test_listen),
                UNIT_TEST(test_sinks),
                UNIT_TEST(test_shown),
                UNIT_TEST(test_refused),
        };

        return RUN_TESTS(tests);
}
