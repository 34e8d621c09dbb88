#include "test.h"

#include <stdio.h>

#include "base/macro.h"
#include "init/config.h"

static Config config;
static ConfigReport report;
static char text[CONFIG_TEXT_MAX];

static void start(void)
{
        config_defaults(&config);
        report = (ConfigReport){0};
}

static void cmdline(const char *words)
{
        start();
        (void)snprintf(text, sizeof(text), "%s", words);
        config_read_cmdline(&config, text, &report);
}

static void file(const char *lines)
{
        start();
        (void)snprintf(text, sizeof(text), "%s", lines);
        config_read_file(&config, text, &report);
}

static void test_defaults(void **state)
{
        cmdline("root=/dev/vda1 quiet agent.log=debug");
        assert_int_equal(report.n, 0);
        assert_int_equal(config_trace_mode(&config), TRACE_OFF);
        assert_true(config.trace_require);
        assert_int_equal(config.trace_endpoint.cid, 2);
        assert_int_equal(config.trace_endpoint.port, 10240);
        assert_true(config.flush_timeout == 2 * NSEC_PER_SEC);
        assert_string_equal(config.agent[0], "/usr/bin/kata-agent");
        assert_null(config.agent[1]);
}

static void test_kata_forms_of_trace(void **state)
{
        cmdline("agent.trace");
        assert_int_equal(config_trace_mode(&config), TRACE_STATIC);
        cmdline("agent.trace=true");
        assert_int_equal(config_trace_mode(&config), TRACE_STATIC);
        cmdline("agent.trace agent.trace=false"); /* the last wins */
        assert_int_equal(config_trace_mode(&config), TRACE_OFF);
        cmdline("agent.trace=2");
        assert_int_equal(config_trace_mode(&config), TRACE_STATIC);
        cmdline("agent.trace=0");
        assert_int_equal(config_trace_mode(&config), TRACE_OFF);
        cmdline("agent.trace=isolated");
        assert_int_equal(config_trace_mode(&config), TRACE_STATIC);
        cmdline("agent.trace=static agent.trace=disabled");
        assert_int_equal(config_trace_mode(&config), TRACE_OFF);
        cmdline("agent.trace agent.trace_mode=dynamic");
        assert_int_equal(config_trace_mode(&config), TRACE_DYNAMIC);
        cmdline("agent.trace_mode=static"); /* no effect while tracing is off */
        assert_int_equal(config_trace_mode(&config), TRACE_OFF);
        assert_int_equal(report.n, 0);
        cmdline("agent.trace_mode=both");
        assert_true(report.fatal);
}

static void test_collated_needs_a_parent(void **state)
{
        static const char parent[] = "rootspan.traceparent=00-0af7651916cd43dd8448eb211c80319c-"
                                     "b7ad6b7169203331-01";
        char words[256];

        cmdline("agent.trace=collated");
        assert_false(config_is_collated(&config));
        (void)snprintf(words, sizeof(words), "agent.trace agent.trace_type=collated %s", parent);
        cmdline(words);
        assert_true(config_is_collated(&config));
        (void)snprintf(words, sizeof(words), "agent.trace=dynamic agent.trace_type=collated %s",
                       parent);
        cmdline(words);
        assert_false(config_is_collated(&config));
        (void)snprintf(words, sizeof(words), "agent.trace %s", parent);
        cmdline(words);
        assert_false(config_is_collated(&config));
        cmdline("rootspan.traceparent=00-00-00-00");
        assert_true(report.fatal);
}

static void test_errors_name_key_value_and_what_is_accepted(void **state)
{
        cmdline("rootspan.shutdown=explode rootspan.flush_timeout rootspan.color=red");
        assert_true(report.fatal);
        assert_int_equal(report.n, 3);
        assert_string_equal(report.issues[0].text, "rootspan.shutdown=explode is not valid, "
                                                   "accepted: auto, poweroff, reboot, halt");
        assert_true(report.issues[0].fatal);
        assert_string_equal(report.issues[1].text, "rootspan.flush_timeout needs a value: "
                                                   "a duration such as 2s or 500ms");
        assert_true(report.issues[1].fatal);
        assert_string_equal(report.issues[2].text, "unknown option rootspan.color ignored");
        assert_false(report.issues[2].fatal);
}

static void test_more_errors_than_room(void **state)
{
        char many[4096] = "";

        for (int i = 0; i < 40; i++)
                strcat(many, "rootspan.unknown ");
        strcat(many, "rootspan.trace=maybe");
        cmdline(many);
        assert_int_equal(report.n, CONFIG_ISSUES_MAX);
        assert_true(report.fatal);
}

static void test_agent_behind_dashes_wins(void **state)
{
        cmdline("rootspan.agent=/bin/a -- /bin/b \"c d\" rootspan.trace=static");
        assert_string_equal(config.agent[0], "/bin/b");
        assert_string_equal(config.agent[1], "c d");
        assert_string_equal(config.agent[2], "rootspan.trace=static");
        assert_null(config.agent[3]);
        assert_int_equal(config_trace_mode(&config), TRACE_OFF);

        cmdline("--");
        assert_true(report.fatal);
}

static void test_too_many_agent_words(void **state)
{
        char many[2048] = "--";

        for (int i = 0; i < CONFIG_AGENT_WORDS_MAX - 1; i++)
                strcat(many, " x");
        cmdline(many);
        assert_false(report.fatal);
        assert_null(config.agent[CONFIG_AGENT_WORDS_MAX - 1]);
        strcat(many, " x");
        cmdline(many);
        assert_true(report.fatal);
}

static void test_file(void **state)
{
        file("# comment\n\n  trace = static\r\nagent= /bin/sh -c 'exit 7'\nagent.trace=off\n"
             "trace_require\nunknown = 1\nno equals\n");
        assert_int_equal(config_trace_mode(&config), TRACE_OFF);
        assert_string_equal(config.agent[2], "exit 7");
        assert_null(config.agent[3]);
        assert_false(report.fatal);
        assert_int_equal(report.n, 2);
        assert_string_equal(report.issues[1].text, "unknown option no equals ignored");

        file("agent = 'open\n");
        assert_true(report.fatal);
        file("agent =\n");
        assert_true(report.fatal);
}

static void test_vmm(void **state)
{
        cmdline("systemd.set_credential=foo:bar systemd.set_credential=vmm.notify_socket:vsock:2:9 "
                "rootspan.debug_exit=0x501");
        assert_int_equal(report.n, 0);
        assert_int_equal(config.notify_socket.port, 9);
        assert_int_equal(config.debug_exit, 0x501);
        cmdline("rootspan.debug_exit=1281");
        assert_int_equal(config.debug_exit, 0x501);

        static const char *const bad[] = {
                "rootspan.debug_exit=0", "rootspan.debug_exit=65535", "rootspan.debug_exit=0x",
                "rootspan.debug_exit=0x12345", "rootspan.debug_exit=0xfffg",
                "systemd.set_credential=vmm.notify_socket:here", "rootspan.notify_socket=there",
        };
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                cmdline(bad[i]);
                assert_true(report.fatal);
        }
}

/* What --dump-config prints is a file that means the same. */
static void test_dump_reads_back(void **state)
{
        char first[4096], second[4096];
        FILE *out;

        cmdline("rootspan.trace=static rootspan.flush_timeout=1500ms rootspan.trace_require=no "
                "rootspan.trace_endpoint=unix:/x -- it's \"a b\"");
        out = fmemopen(first, sizeof(first), "w");
        config_dump(&config, out);
        fclose(out);
        file(first);
        assert_int_equal(report.n, 0);
        assert_string_equal(config.agent[0], "it's");
        assert_string_equal(config.agent[1], "a b");
        out = fmemopen(second, sizeof(second), "w");
        config_dump(&config, out);
        fclose(out);
        assert_string_equal(first, second);
        assert_non_null(strstr(first, "flush_timeout = 1500ms\n"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_defaults),
                UNIT_TEST(test_kata_forms_of_trace),
                UNIT_TEST(test_collated_needs_a_parent),
                UNIT_TEST(test_errors_name_key_value_and_what_is_accepted),
                UNIT_TEST(test_more_errors_than_room),
                UNIT_TEST(test_agent_behind_dashes_wins),
                UNIT_TEST(test_too_many_agent_words),
                UNIT_TEST(test_file),
                UNIT_TEST(test_vmm),
                UNIT_TEST(test_dump_reads_back),
        };

        return RUN_TESTS(tests);
}
