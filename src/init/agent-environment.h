#pragma once

/* The environment of the agent: ours, and what tells a stock OpenTelemetry SDK of the trace and of
 * the receiver. What is set already stays as it is. */

#include "init/config.h"
#include "init/guest-trace.h"
#include "init/receiver.h"

enum {
        ENVIRONMENT_MAX = 1024, /* the kernel passes at most 32, systemd what the unit has */
        ENVIRONMENT_OWN_MAX = 6,
        ENVIRONMENT_TEXT_MAX = 1024,
};

typedef struct AgentEnvironment {
        const char *variables[ENVIRONMENT_MAX]; /* NULL at the end */
        size_t n;
        char texts[ENVIRONMENT_OWN_MAX][ENVIRONMENT_TEXT_MAX];
        size_t n_texts;
} AgentEnvironment;

/* Borrows @inherited. @trace is NULL when the agent is not traced. */
void agent_environment_fill(AgentEnvironment *environment, char *const *inherited,
                            const Config *config, const GuestTrace *trace,
                            const Receiver *receiver);
