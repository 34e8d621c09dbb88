#pragma once

/* What rootspan-init is to its machine: PID 1, or a service below systemd. The agent's life is the
 * same for both; all that differs is behind these functions. */

#include <stdbool.h>

#include "init/boot.h"
#include "init/config.h"
#include "init/ending.h"
#include "init/guest-trace.h"
#include "init/lifecycle.h"
#include "init/tracer.h"

typedef struct Role {
        /* First of all. Borrows @config, which is read later, for good. Returns 0 or -errno. */
        int (*begin)(const Config *config, BootLog *log);

        /* The rest of boot, when the options are read. Returns 0 or -errno. */
        int (*boot)(const Config *config, BootLog *log);

        /* Tells a new tracer what was before us. Returns the child that goes on with it by itself,
         * which SIGTERM asks to finish, or 0. */
        pid_t (*tell_past)(const GuestTrace *trace, Tracer *tracer);

        /* The life has come to rest in @state, which has until @deadline or NSEC_INFINITY. */
        void (*entered)(LifeState state, nsec_t deadline);

        /* Does what is due at @now. Returns when it is to be called again. */
        nsec_t (*tick)(nsec_t now);

        /* Is there something left to do while the VM waits for the host to end it? */
        bool awaits_host;

        /* After the agent's life, before the last line: see shutdown_run(). */
        void (*clean_up)(int signal_fd, nsec_t deadline, const Address *notify_socket,
                         Ending *ending);

        /* The last of all. Returns the exit status, if it returns. */
        int (*end)(const Config *config, const Ending *ending);
} Role;

extern const Role role_pid1;
