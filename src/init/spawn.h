#pragma once

/* Starting a process from PID 1. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct SpawnOptions {
        const char *const *argv; /* argv[0] is looked up in our PATH if it has no slash */
        const char *const *envp;
        const int *pass_fds; /* become descriptors SPAWN_PASS_FD and up of the process */
        size_t n_pass_fds;   /* at most SPAWN_PASS_MAX */
        const char *oom_score; /* for /proc/self/oom_score_adj, NULL to inherit ours */
        int blocked_signal; /* the only one that the process starts with blocked, 0 for none */
        bool pid1;         /* PID 1 of PID and mount namespaces of its own, with their /proc */
        bool new_session;  /* a session of its own */
        bool own_terminal; /* which descriptor 0, if it is a terminal, then belongs to */
} SpawnOptions;

enum {
        SPAWN_PASS_FD = 3,
        SPAWN_PASS_MAX = 3,
};

/* Starts the process. Returns 0 with the pid of the running program, or -errno, also when the
 * program could not be executed; nothing is left to reap then. */
int spawn(const SpawnOptions *options, pid_t *ret_pid);
