#pragma once

/* What rootspan-init was told to do: one table of options, read from /etc/rootspan/init.conf and
 * from the kernel command line, which wins. Pure: text in, struct out. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/log.h"
#include "otlp/traceparent.h"

enum {
        CONFIG_TEXT_MAX = 16 * 1024, /* of the file and of the command line, each, with its NUL */
        CONFIG_AGENT_WORDS_MAX = 256, /* with the NULL at the end */
        CONFIG_ISSUES_MAX = 16,
        CONFIG_ISSUE_TEXT_MAX = 320,
};

typedef enum TraceMode {
        TRACE_OFF,
        TRACE_STATIC,  /* from boot to the agent's exit; then the guest ends the VM */
        TRACE_DYNAMIC, /* only while the host asks for it; the host ends the VM */
} TraceMode;

typedef enum TraceType {
        TRACE_ISOLATED, /* a trace of our own */
        TRACE_COLLATED, /* the root span's parent is a span of the host, see @traceparent */
} TraceType;

typedef enum ShutdownMode {
        SHUTDOWN_AUTO, /* power off where there is ACPI, else restart */
        SHUTDOWN_POWEROFF,
        SHUTDOWN_REBOOT,
        SHUTDOWN_HALT,
} ShutdownMode;

typedef enum OnAgentExit {
        ON_AGENT_EXIT_AUTO, /* end the VM in static mode or when the agent failed, else wait */
        ON_AGENT_EXIT_END,
        ON_AGENT_EXIT_WAIT, /* for the host to end the VM */
} OnAgentExit;

typedef struct Config {
        bool trace;     /* on or off; use config_trace_mode() */
        int trace_mode; /* TraceMode; enums are stored as int so that the table can point to them */
        int trace_type; /* TraceType */
        Traceparent traceparent; /* of the host's span; all zeroes if there is none */
        bool trace_require;
        bool adopt; /* other traces of programs in the guest become part of ours */
        Address trace_endpoint;
        nsec_t trace_connect_timeout;
        nsec_t flush_timeout;
        nsec_t stop_timeout;
        nsec_t end_timeout;
        bool agent_pid1;   /* the agent runs as PID 1 of a namespace */
        bool unified_cgroups; /* version 2; else version 1 */
        int shutdown;      /* ShutdownMode */
        int on_agent_exit; /* OnAgentExit */
        Address notify_socket;   /* of the VMM; without port and path if there is none */
        uint32_t debug_console;  /* as debug_console_start() takes it */
        uint32_t debug_exit;     /* the I/O port of isa-debug-exit, 0 for none */
        int log_level;     /* LogLevel */
        const char *agent[CONFIG_AGENT_WORDS_MAX]; /* argv of the agent, NULL at the end */
        char agent_text[CONFIG_TEXT_MAX];          /* holds the words of @agent */
} Config;

typedef struct ConfigIssue {
        bool fatal; /* a bad value of a known key; else an unknown key, to be warned about */
        char text[CONFIG_ISSUE_TEXT_MAX];
} ConfigIssue;

typedef struct ConfigReport {
        ConfigIssue issues[CONFIG_ISSUES_MAX];
        size_t n;
        bool fatal; /* whether any issue is, also one that did not fit */
} ConfigReport;

void config_defaults(Config *ret);

/* What is traced, all keys taken together. */
TraceMode config_trace_mode(const Config *config);

/* Whether the root span has a parent on the host: only in static mode, and only if one is known. */
bool config_is_collated(const Config *config);

/* Each reads its text into @config, which holds the defaults or what was read before, and adds to
 * @report what it did not understand. @text is changed. The command line is /proc/cmdline; what
 * follows a lone `--` there is the agent. The file has `key = value` lines and # comments, its
 * keys without "rootspan.". */
void config_read_cmdline(Config *config, char *text, ConfigReport *report);
void config_read_file(Config *config, char *text, ConfigReport *report);

/* Takes the agent from an argument vector (NULL at the end) instead. */
void config_set_agent(Config *config, char **words, ConfigReport *report);

/* Lines for --help, and @config in the form of the file for --dump-config. */
void config_print_help(FILE *out);
void config_dump(const Config *config, FILE *out);
