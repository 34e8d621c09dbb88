#pragma once

/* The life of the guest between boot and its end: one loop that starts tracer and agent, reaps
 * everything, and acts on the table of init/lifecycle.h. */

#include "init/boot.h"
#include "init/config.h"
#include "init/ending.h"
#include "init/guest-trace.h"
#include "init/role.h"

/* Returns when the VM is to be ended, or the service of systemd that @role says we are, with
 * everything about it in *ending. Borrows everything;
 * @log grows by the steps made here. @signal_fd is a non-blocking signalfd(2) of SIGCHLD and the
 * signals that ask for the end. @environment is what the agent inherits. */
void supervise(const Role *role, const Config *config, BootLog *log, GuestTrace *trace,
               int signal_fd, char *const *environment, Ending *ending);
