/* Environment variables, by name and format. The token goes nowhere else. */

#include "init/agent-environment.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Long enough for a batch, short enough for an agent that dies without a word. */
#define SCHEDULE_DELAY_MSEC "200"

static bool is_set(const AgentEnvironment *e, const char *name)
{
        size_t n = strlen(name);

        for (size_t i = 0; i < e->n; i++)
                if (strncmp(e->variables[i], name, n) == 0 && e->variables[i][n] == '=')
                        return true;
        return false;
}

static void _printf_(3, 4) add(AgentEnvironment *e, const char *name, const char *format, ...)
{
        char *text = e->texts[e->n_texts];
        int n = snprintf(text, ENVIRONMENT_TEXT_MAX, "%s=", name);
        va_list args;

        if (is_set(e, name))
                return;
        va_start(args, format);
        (void)vsnprintf(text + n, ENVIRONMENT_TEXT_MAX - n, format, args);
        va_end(args);
        e->variables[e->n++] = text;
        e->n_texts++;
}

/* Appends NAME=VALUE as the SDKs read it: percent-encoded, and after a comma unless it is first. */
static void append_resource(char text[static ENVIRONMENT_TEXT_MAX], const char *name,
                            const char *value)
{
        static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                    "0123456789-._~";
        size_t n = strlen(text);

        n += (size_t)snprintf(text + n, ENVIRONMENT_TEXT_MAX - n, "%s%s=", n > 0 ? "," : "", name);
        for (; *value && n + 4 <= ENVIRONMENT_TEXT_MAX; value++)
                n += (size_t)snprintf(text + n, ENVIRONMENT_TEXT_MAX - n,
                                      strchr(plain, *value) ? "%c" : "%%%02X",
                                      (unsigned char)*value);
}

static void add_resource(AgentEnvironment *e, const Config *config, const GuestTrace *trace)
{
        const char *path = config->agent[0], *slash = strrchr(path, '/');
        char text[ENVIRONMENT_TEXT_MAX] = "";

        append_resource(text, "service.name", slash ? slash + 1 : path);
        if (trace->host_id[0] != '\0')
                append_resource(text, "host.id", trace->host_id);
        append_resource(text, "host.name", trace->host_name);
        add(e, "OTEL_RESOURCE_ATTRIBUTES", "%s", text);
}

/* An endpoint of the user's own is none to send our token to. */
static void add_receiver(AgentEnvironment *e, const Receiver *receiver)
{
        char endpoint[ADDRESS_TEXT_MAX];

        if (!address_is_set(&receiver->address) || is_set(e, "OTEL_EXPORTER_OTLP_ENDPOINT") ||
            is_set(e, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
                return;
        address_format(&receiver->address, endpoint);
        add(e, "OTEL_EXPORTER_OTLP_ENDPOINT", "%s", endpoint);
        add(e, "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
        add(e, "OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%%20%s", receiver->token);
}

void agent_environment_fill(AgentEnvironment *e, char *const *inherited, const Config *config,
                            const GuestTrace *trace, const Receiver *receiver)
{
        char traceparent[TRACEPARENT_TEXT_MAX];

        *e = (AgentEnvironment){0};
        for (; inherited[e->n] && e->n < ENVIRONMENT_MAX - ENVIRONMENT_OWN_MAX - 1; e->n++)
                e->variables[e->n] = inherited[e->n];
        if (!trace)
                return;
        guest_trace_parent_text(trace, traceparent);
        add(e, "TRACEPARENT", "%s", traceparent);
        add_receiver(e, receiver);
        add(e, "OTEL_BSP_SCHEDULE_DELAY", SCHEDULE_DELAY_MSEC);
        add_resource(e, config, trace);
}
