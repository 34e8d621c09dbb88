#include "test.h"

#include "init/agent-environment.h"

/* The value of @name, or NULL. There must be one only. */
static const char *get(const AgentEnvironment *e, const char *name)
{
        const char *value = NULL;
        size_t n = strlen(name);

        assert_null(e->variables[e->n]);
        for (size_t i = 0; i < e->n; i++)
                if (strncmp(e->variables[i], name, n) == 0 && e->variables[i][n] == '=') {
                        assert_null(value);
                        value = e->variables[i] + n + 1;
                }
        return value;
}

static const GuestTrace trace = {
        .trace_id = {{1}}, .agent = {{2}}, .host_id = "an-id", .host_name = "vm, 1=%\xc3\xbc"};
static const Receiver receiver = {
        .address = {.kind = ADDRESS_INET, .ip = 0x7f000001, .port = 4318}, .token = "0123"};

static AgentEnvironment e;

static void fill(const char *const *inherited, const GuestTrace *traced, const Receiver *there)
{
        static Config config;

        config_defaults(&config);
        config.agent[0] = "/usr/bin/the agent";
        agent_environment_fill(&e, (char *const *)inherited, &config, traced, there);
}

static void test_all(void **state)
{
        fill((const char *[]){"PATH=/bin", "TRACEPARENTS=x", NULL}, &trace, &receiver);
        assert_string_equal(get(&e, "PATH"), "/bin");
        assert_string_equal(get(&e, "TRACEPARENT"),
                            "00-01000000000000000000000000000000-0200000000000000-01");
        assert_string_equal(get(&e, "OTEL_EXPORTER_OTLP_ENDPOINT"), "http://127.0.0.1:4318");
        assert_string_equal(get(&e, "OTEL_EXPORTER_OTLP_PROTOCOL"), "http/protobuf");
        assert_string_equal(get(&e, "OTEL_EXPORTER_OTLP_HEADERS"), "Authorization=Bearer%200123");
        assert_string_equal(get(&e, "OTEL_BSP_SCHEDULE_DELAY"), "200");
        assert_string_equal(get(&e, "OTEL_RESOURCE_ATTRIBUTES"),
                            "service.name=the%20agent,host.id=an-id,"
                            "host.name=vm%2C%201%3D%25%C3%BC");
        assert_int_equal(e.n, 8);
}

static void test_not_traced(void **state)
{
        fill((const char *[]){"A=b", NULL}, NULL, &receiver);
        assert_int_equal(e.n, 1);
}

static void test_what_is_set_stays(void **state)
{
        fill((const char *[]){"TRACEPARENT=mine", "OTEL_BSP_SCHEDULE_DELAY=",
                               "OTEL_RESOURCE_ATTRIBUTES=a=b",
                               "OTEL_EXPORTER_OTLP_PROTOCOL=http/json", NULL}, &trace, &receiver);
        assert_string_equal(get(&e, "TRACEPARENT"), "mine");
        assert_string_equal(get(&e, "OTEL_BSP_SCHEDULE_DELAY"), "");
        assert_string_equal(get(&e, "OTEL_RESOURCE_ATTRIBUTES"), "a=b");
        assert_string_equal(get(&e, "OTEL_EXPORTER_OTLP_PROTOCOL"), "http/json");
        assert_non_null(get(&e, "OTEL_EXPORTER_OTLP_HEADERS"));
}

/* The token is not for others. */
static void test_endpoint_of_another(void **state)
{
        static const char *const endpoints[] = {"OTEL_EXPORTER_OTLP_ENDPOINT=http://10.0.0.1",
                                          "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://10.0.0.1"};

        for (size_t i = 0; i < 2; i++) {
                fill((const char *[]){endpoints[i], NULL}, &trace, &receiver);
                assert_null(get(&e, "OTEL_EXPORTER_OTLP_HEADERS"));
                assert_null(get(&e, "OTEL_EXPORTER_OTLP_PROTOCOL"));
                assert_non_null(get(&e, "TRACEPARENT"));
        }
        fill((const char *[]){NULL}, &trace, &(Receiver){0});
        assert_null(get(&e, "OTEL_EXPORTER_OTLP_ENDPOINT"));
        assert_null(get(&e, "OTEL_EXPORTER_OTLP_HEADERS"));
}

static void test_bounds(void **state)
{
        static const char *many[200];
        GuestTrace named = trace;

        for (size_t i = 0; i < 199; i++)
                many[i] = "A=b";
        fill(many, &trace, &receiver);
        assert_non_null(get(&e, "OTEL_RESOURCE_ATTRIBUTES"));
        assert_in_range(e.n, 50, ENVIRONMENT_MAX - 1);

        memset(named.host_name, '=', sizeof(named.host_name) - 1);
        fill((const char *[]){NULL}, &named, &receiver);
        assert_string_equal(strstr(get(&e, "OTEL_RESOURCE_ATTRIBUTES"), "host.name=") + 10 + 61 * 3,
                            "%3D%3D%3D");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_all),
                UNIT_TEST(test_not_traced),
                UNIT_TEST(test_what_is_set_stays),
                UNIT_TEST(test_endpoint_of_another),
                UNIT_TEST(test_bounds),
        };

        return RUN_TESTS(tests);
}
