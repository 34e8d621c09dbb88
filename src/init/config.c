/* Options. The table below is the one place that knows key, type, default and help; reading,
 * --help, --dump-config and the test of the man page all walk it. */

#include "init/config.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/macro.h"
#include "base/parse.h"
#include "init/debug-console.h"
#include "init/vmm.h"
#include "init/words.h"

#define PREFIX "rootspan."

typedef enum OptionType {
        OPTION_BOOL,
        OPTION_DURATION,
        OPTION_ADDRESS,
        OPTION_CHOICE,
        OPTION_TRACE,
        OPTION_TRACEPARENT,
        OPTION_NOTIFY,
        OPTION_CREDENTIAL,
        OPTION_DEBUG_CONSOLE,
        OPTION_PORT,
        OPTION_AGENT,
} OptionType;

typedef struct Choice {
        const char *name;
        int value;
} Choice;

typedef struct Option {
        const char *key;
        OptionType type;
        size_t offset;         /* into Config */
        const Choice *choices; /* of OPTION_CHOICE, ends with a NULL name */
        const char *bare;      /* what the key alone means, NULL if it needs a value */
        const char *value;     /* the default */
        const char *help;
} Option;

static const Choice trace_mode_choices[] = {
        {"static", TRACE_STATIC},
        {"dynamic", TRACE_DYNAMIC},
        {NULL, 0},
};
static const Choice trace_type_choices[] = {
        {"isolated", TRACE_ISOLATED},
        {"collated", TRACE_COLLATED},
        {NULL, 0},
};
static const Choice shutdown_choices[] = {
        {"auto", SHUTDOWN_AUTO},     {"poweroff", SHUTDOWN_POWEROFF},
        {"reboot", SHUTDOWN_REBOOT}, {"halt", SHUTDOWN_HALT},
        {NULL, 0},
};
static const Choice on_agent_exit_choices[] = {
        {"auto", ON_AGENT_EXIT_AUTO},
        {"end", ON_AGENT_EXIT_END},
        {"wait", ON_AGENT_EXIT_WAIT},
        {NULL, 0},
};
static const Choice log_level_choices[] = {
        {"error", LOG_LEVEL_ERROR},
        {"warning", LOG_LEVEL_WARNING},
        {"info", LOG_LEVEL_INFO},
        {"debug", LOG_LEVEL_DEBUG},
        {NULL, 0},
};

#define FIELD(name) offsetof(Config, name)

static const Option options[] = {
        {PREFIX "agent", OPTION_AGENT, 0, NULL, NULL, "/usr/bin/kata-agent",
         "the agent and its arguments, quoted as for a shell; `-- AGENT ARGS` wins"},
        {PREFIX "agent_pid1", OPTION_BOOL, FIELD(agent_pid1), NULL, "yes", "no",
         "run the agent as PID 1 of a namespace, for one that was built to be that"},
        {PREFIX "trace", OPTION_TRACE, 0, NULL, "yes", "no",
         "static: trace from boot to the agent's exit, then end the VM; dynamic: not traced yet"},
        {"agent.trace", OPTION_TRACE, 0, NULL, "yes", NULL,
         "the same, as Kata Containers writes it"},
        {"agent.trace_mode", OPTION_CHOICE, FIELD(trace_mode), trace_mode_choices, NULL, "static",
         "what agent.trace turns on"},
        {PREFIX "trace_type", OPTION_CHOICE, FIELD(trace_type), trace_type_choices, NULL,
         "isolated", "collated: the root span becomes a child of rootspan.traceparent"},
        {"agent.trace_type", OPTION_CHOICE, FIELD(trace_type), trace_type_choices, NULL, NULL,
         "the same, as Kata Containers writes it"},
        {PREFIX "traceparent", OPTION_TRACEPARENT, FIELD(traceparent), NULL, NULL, NULL,
         "the host's span that a collated trace belongs to"},
        {PREFIX "trace_endpoint", OPTION_ADDRESS, FIELD(trace_endpoint), NULL, NULL,
         "vsock://2:10240", "where spans go: an OTLP/HTTP receiver"},
        {PREFIX "trace_require", OPTION_BOOL, FIELD(trace_require), NULL, "yes", "yes",
         "start the agent only after the receiver acknowledged the first spans"},
        {PREFIX "trace_connect_timeout", OPTION_DURATION, FIELD(trace_connect_timeout), NULL, NULL,
         "3s", "how long to wait for that acknowledgement"},
        {PREFIX "adopt", OPTION_BOOL, FIELD(adopt), NULL, "yes", "yes",
         "make spans of other traces, of programs in the guest, part of the guest's trace"},
        {PREFIX "flush_timeout", OPTION_DURATION, FIELD(flush_timeout), NULL, NULL, "2s",
         "how long the last spans may take after the agent's exit"},
        {PREFIX "stop_timeout", OPTION_DURATION, FIELD(stop_timeout), NULL, NULL, "5s",
         "how long an agent asked to stop may take before it is killed"},
        {PREFIX "end_timeout", OPTION_DURATION, FIELD(end_timeout), NULL, NULL, "2800ms",
         "how long all may take from the agent's exit to the end of the VM"},
        {PREFIX "shutdown", OPTION_CHOICE, FIELD(shutdown), shutdown_choices, NULL, "auto",
         "how to end the VM; auto: power off where there is ACPI, else restart"},
        {PREFIX "on_agent_exit", OPTION_CHOICE, FIELD(on_agent_exit), on_agent_exit_choices, NULL,
         "auto", "end the VM or wait for the host; auto: end it in static mode or on failure"},
        {PREFIX "unified_cgroup_hierarchy", OPTION_BOOL, FIELD(unified_cgroups), NULL, "yes", "yes",
         "mount version 2 cgroups; no: version 1, a tree for each controller"},
        {"systemd.unified_cgroup_hierarchy", OPTION_BOOL, FIELD(unified_cgroups), NULL, "yes", NULL,
         "the same, as for a guest with systemd"},
        {"agent.unified_cgroup_hierarchy", OPTION_BOOL, FIELD(unified_cgroups), NULL, "yes", NULL,
         "the same, as agents of Kata Containers before 3.4 read it"},
        {PREFIX "notify_socket", OPTION_NOTIFY, FIELD(notify_socket), NULL, NULL, NULL,
         "where READY=1 and EXIT_STATUS= are sent, as by systemd; else the SMBIOS credential"},
        {"systemd.set_credential", OPTION_CREDENTIAL, FIELD(notify_socket), NULL, NULL, NULL,
         "vmm.notify_socket:ADDRESS says the same, other credentials are not read"},
        {PREFIX "debug_console", OPTION_DEBUG_CONSOLE, FIELD(debug_console), NULL, "1026", "no",
         "offer whoever owns the host a shell: on a VSOCK port, or on the guest's console"},
        {PREFIX "debug_exit", OPTION_PORT, FIELD(debug_exit), NULL, NULL, NULL,
         "the I/O port of QEMU's isa-debug-exit, to end QEMU with the agent's exit code"},
        {PREFIX "log_level", OPTION_CHOICE, FIELD(log_level), log_level_choices, NULL, "info",
         "the least important lines still written to the console"},
};

static void _printf_(3, 4) report_issue(ConfigReport *report, bool fatal, const char *format, ...)
{
        va_list args;

        report->fatal |= fatal;
        if (report->n == CONFIG_ISSUES_MAX)
                return;
        report->issues[report->n].fatal = fatal;
        va_start(args, format);
        (void)vsnprintf(report->issues[report->n].text, CONFIG_ISSUE_TEXT_MAX, format, args);
        va_end(args);
        report->n++;
}

/* What a value of @option may look like, for error messages and --help. */
static const char *accepted(const Option *option, char *text, size_t size)
{
        switch (option->type) {
        case OPTION_BOOL:
                return "yes or no";
        case OPTION_DURATION:
                return "a duration such as 2s or 500ms";
        case OPTION_ADDRESS:
                return "vsock://CID:PORT, unix:/PATH or http://IPV4:PORT";
        case OPTION_TRACE:
                return "yes, no, static, dynamic, isolated, collated, disabled or a number";
        case OPTION_TRACEPARENT:
                return "a W3C traceparent such as 00-<32 hex digits>-<16 hex digits>-01";
        case OPTION_NOTIFY:
                return "vsock:CID:PORT, vsock-stream:CID:PORT or unix:/PATH";
        case OPTION_CREDENTIAL:
                return "NAME:VALUE, for vmm.notify_socket the value vsock:CID:PORT";
        case OPTION_DEBUG_CONSOLE:
                return "no, console or a VSOCK port";
        case OPTION_PORT:
                return "an I/O port from 1 to 65532, such as 1281 or 0x501";
        case OPTION_AGENT:
                return "a command with closed quotes and fewer than 256 words";
        case OPTION_CHOICE:
                break;
        }
        *text = '\0';
        for (const Choice *choice = option->choices; choice->name; choice++) {
                size_t n = strlen(text);

                (void)snprintf(text + n, size - n, "%s%s", n > 0 ? ", " : "", choice->name);
        }
        return text;
}

static int set_agent_text(Config *config, const char *value)
{
        char *words[CONFIG_AGENT_WORDS_MAX];
        int n;

        if (strlen(value) >= sizeof(config->agent_text))
                return -E2BIG;
        memcpy(config->agent_text, value, strlen(value) + 1);
        n = words_split_shell(config->agent_text, words, ARRAY_SIZE(words));
        if (n <= 0)
                return n < 0 ? n : -EINVAL;
        for (int i = 0; i <= n; i++)
                config->agent[i] = words[i];
        return 0;
}

static int set_choice(const Choice *choice, const char *value, int *ret)
{
        for (; choice->name; choice++)
                if (strcmp(choice->name, value) == 0) {
                        *ret = choice->value;
                        return 0;
                }
        return -EINVAL;
}

/* What agents since Kata 1.x took for a value: a mode or type says that tracing is on. */
static int set_trace(Config *config, const char *value)
{
        uint64_t number;

        if (strcmp(value, "disabled") == 0) {
                config->trace = false;
                return 0;
        }
        if (set_choice(trace_mode_choices, value, &config->trace_mode) == 0 ||
            set_choice(trace_type_choices, value, &config->trace_type) == 0) {
                config->trace = true;
                return 0;
        }
        if (parse_u64(value, strlen(value), UINT64_MAX, &number) == 0) {
                config->trace = number != 0;
                return 0;
        }
        return parse_bool(value, strlen(value), &config->trace);
}

static int set_credential(const char *value, Address *ret)
{
        static const char name[] = "vmm.notify_socket:";

        if (strncmp(value, name, strlen(name)) != 0)
                return strchr(value, ':') ? 0 : -EINVAL; /* somebody else's */
        return vmm_parse_address(value + strlen(name), ret);
}

static int set_debug_console(const char *value, uint32_t *ret)
{
        uint32_t port;

        if (strcmp(value, "no") == 0)
                port = DEBUG_CONSOLE_OFF;
        else if (strcmp(value, "console") == 0)
                port = DEBUG_CONSOLE_TTY;
        else if (parse_u32(value, strlen(value), UINT32_MAX - 1, &port) < 0 || port == 0)
                return -EINVAL;
        *ret = port;
        return 0;
}

static int set_port(const char *value, uint32_t *ret)
{
        uint8_t bytes[2];
        uint32_t port;

        if (strncmp(value, "0x", 2) == 0 && strlen(value) <= 6) {
                size_t n = strlen(value) - 2;
                char digits[] = "0000";

                memcpy(digits + (4 - n), value + 2, n);
                if (n == 0 || parse_hex(digits, 4, bytes, 2) < 0)
                        return -EINVAL;
                port = (uint32_t)(bytes[0] << 8 | bytes[1]);
        } else if (parse_u32(value, strlen(value), UINT16_MAX, &port) < 0) {
                return -EINVAL;
        }
        if (port == 0 || port > UINT16_MAX - 3) /* the device takes four ports */
                return -EINVAL;
        *ret = port;
        return 0;
}

static int set_value(Config *config, const Option *option, const char *value)
{
        void *field = (char *)config + option->offset;

        switch (option->type) {
        case OPTION_BOOL:
                return parse_bool(value, strlen(value), field);
        case OPTION_DURATION:
                return parse_duration(value, strlen(value), field);
        case OPTION_ADDRESS:
                return address_parse(value, strlen(value), field);
        case OPTION_CHOICE:
                return set_choice(option->choices, value, field);
        case OPTION_TRACE:
                return set_trace(config, value);
        case OPTION_TRACEPARENT:
                return traceparent_parse(value, strlen(value), field);
        case OPTION_NOTIFY:
                return vmm_parse_address(value, field);
        case OPTION_CREDENTIAL:
                return set_credential(value, field);
        case OPTION_DEBUG_CONSOLE:
                return set_debug_console(value, field);
        case OPTION_PORT:
                return set_port(value, field);
        case OPTION_AGENT:
                return set_agent_text(config, value);
        }
        return -EINVAL;
}

/* One `key=value`; @value is NULL for a bare key. @prefix is what @key lacks of a full key. */
static void set_key(Config *config, const char *prefix, const char *key, const char *value,
                    ConfigReport *report)
{
        size_t prefix_n = strlen(prefix);
        char text[160];

        for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
                const Option *option = &options[i];
                bool named = strcmp(option->key, key) == 0 ||
                             (strncmp(option->key, prefix, prefix_n) == 0 &&
                              strcmp(option->key + prefix_n, key) == 0);

                if (!named)
                        continue;
                if (!value)
                        value = option->bare;
                if (!value)
                        report_issue(report, true, "%s needs a value: %s", key,
                                     accepted(option, text, sizeof(text)));
                else if (set_value(config, option, value) < 0)
                        report_issue(report, true, "%s=%.80s is not valid, accepted: %s", key,
                                     value, accepted(option, text, sizeof(text)));
                return;
        }
        if (prefix_n > 0 || strncmp(key, PREFIX, strlen(PREFIX)) == 0)
                report_issue(report, false, "unknown option %.80s ignored", key);
}

void config_defaults(Config *ret)
{
        memset(ret, 0, offsetof(Config, agent_text));
        for (size_t i = 0; i < ARRAY_SIZE(options); i++)
                if (options[i].value)
                        (void)set_value(ret, &options[i], options[i].value); /* tested */
}

TraceMode config_trace_mode(const Config *config)
{
        return config->trace ? (TraceMode)config->trace_mode : TRACE_OFF;
}

bool config_is_collated(const Config *config)
{
        return config_trace_mode(config) == TRACE_STATIC && config->trace_type == TRACE_COLLATED &&
               trace_id_is_valid(&config->traceparent.trace_id);
}

void config_set_agent(Config *config, char **words, ConfigReport *report)
{
        size_t n = 0;

        while (words[n])
                n++;
        if (n == 0 || n >= CONFIG_AGENT_WORDS_MAX) {
                report_issue(report, true, "-- must be followed by 1 to %d words, the agent and "
                                           "its arguments", CONFIG_AGENT_WORDS_MAX - 1);
                return;
        }
        for (size_t i = 0; i <= n; i++)
                config->agent[i] = words[i];
}

void config_read_cmdline(Config *config, char *text, ConfigReport *report)
{
        char *word;

        while ((word = words_next_kernel(&text))) {
                char *equals = strchr(word, '=');

                if (strcmp(word, "--") == 0)
                        break;
                if (equals)
                        *equals = '\0';
                set_key(config, "", word, equals ? equals + 1 : NULL, report);
        }
        if (word) {
                char *words[CONFIG_AGENT_WORDS_MAX + 1];
                size_t n = 0;

                while (n < CONFIG_AGENT_WORDS_MAX && (words[n] = words_next_kernel(&text)))
                        n++;
                words[n] = NULL;
                config_set_agent(config, words, report);
        }
}

static char *trim(char *text)
{
        size_t n;

        text += strspn(text, " \t\r");
        n = strlen(text);
        while (n > 0 && strchr(" \t\r", text[n - 1]))
                text[--n] = '\0';
        return text;
}

void config_read_file(Config *config, char *text, ConfigReport *report)
{
        char *line;

        while ((line = strsep(&text, "\n"))) {
                char *equals;

                line = trim(line);
                if (*line == '\0' || *line == '#')
                        continue;
                equals = strchr(line, '=');
                if (equals)
                        *equals = '\0';
                set_key(config, PREFIX, trim(line), equals ? trim(equals + 1) : NULL, report);
        }
}

void config_print_help(FILE *out)
{
        char text[160];

        for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
                const Option *option = &options[i];

                fprintf(out, "  %s=VALUE\n      %s\n      VALUE: %s", option->key, option->help,
                        accepted(option, text, sizeof(text)));
                if (option->value)
                        fprintf(out, "; default %s", option->value);
                fputc('\n', out);
        }
}

static void dump_words(const char *const *words, FILE *out)
{
        for (size_t i = 0; words[i]; i++) {
                fputs(i > 0 ? " '" : "'", out);
                for (const char *p = words[i]; *p; p++)
                        if (*p == '\'')
                                fputs("'\\''", out);
                        else
                                fputc(*p, out);
                fputc('\'', out);
        }
}

static void dump_duration(nsec_t value, FILE *out)
{
        if (value % NSEC_PER_SEC == 0)
                fprintf(out, "%llus", (unsigned long long)(value / NSEC_PER_SEC));
        else if (value % NSEC_PER_MSEC == 0)
                fprintf(out, "%llums", (unsigned long long)(value / NSEC_PER_MSEC));
        else
                fprintf(out, "%lluns", (unsigned long long)value);
}

static void dump_trace(TraceMode mode, FILE *out)
{
        switch (mode) {
        case TRACE_OFF:
                fputs("no", out);
                break;
        case TRACE_STATIC:
                fputs("static", out);
                break;
        case TRACE_DYNAMIC:
                fputs("dynamic", out);
                break;
        }
}

static void dump_debug_console(uint32_t where, FILE *out)
{
        if (where == DEBUG_CONSOLE_OFF)
                fputs("no", out);
        else if (where == DEBUG_CONSOLE_TTY)
                fputs("console", out);
        else
                fprintf(out, "%u", where);
}

static void dump_value(const Config *config, const Option *option, FILE *out)
{
        const void *field = (const char *)config + option->offset;
        char text[ADDRESS_TEXT_MAX];

        switch (option->type) {
        case OPTION_BOOL:
                fputs(*(const bool *)field ? "yes" : "no", out);
                break;
        case OPTION_DURATION:
                dump_duration(*(const nsec_t *)field, out);
                break;
        case OPTION_DEBUG_CONSOLE:
                dump_debug_console(*(const uint32_t *)field, out);
                break;
        case OPTION_PORT:
                fprintf(out, "%u", *(const uint32_t *)field);
                break;
        case OPTION_CREDENTIAL:
        case OPTION_NOTIFY:
        case OPTION_ADDRESS:
                address_format(field, text);
                fputs(text, out);
                break;
        case OPTION_CHOICE:
                for (const Choice *choice = option->choices; choice->name; choice++)
                        if (choice->value == *(const int *)field) {
                                fputs(choice->name, out);
                                break;
                        }
                break;
        case OPTION_TRACE:
                dump_trace(config_trace_mode(config), out);
                break;
        case OPTION_TRACEPARENT:
                traceparent_format(&config->traceparent, text);
                fputs(text, out);
                break;
        case OPTION_AGENT:
                dump_words(config->agent, out);
                break;
        }
}

/* Of an option without a default: was it given? */
static bool is_set(const Config *config, const Option *option)
{
        switch (option->type) {
        case OPTION_TRACEPARENT:
                return trace_id_is_valid(&config->traceparent.trace_id);
        case OPTION_NOTIFY:
        case OPTION_CREDENTIAL:
                return address_is_set(&config->notify_socket);
        case OPTION_PORT:
                return config->debug_exit != 0;
        case OPTION_BOOL:
        case OPTION_DURATION:
        case OPTION_ADDRESS:
        case OPTION_CHOICE:
        case OPTION_TRACE:
        case OPTION_DEBUG_CONSOLE:
        case OPTION_AGENT:
                return true;
        }
        return true;
}

void config_dump(const Config *config, FILE *out)
{
        for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
                if (strncmp(options[i].key, PREFIX, strlen(PREFIX)) != 0)
                        continue; /* says the same as a key of ours */
                if (!is_set(config, &options[i]))
                        continue;
                fprintf(out, "%s = ", options[i].key + strlen(PREFIX));
                dump_value(config, &options[i], out);
                fputc('\n', out);
        }
}
