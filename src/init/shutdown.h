#pragma once

/* The end of the VM: what is left is terminated, file systems are synced and unmounted, and the
 * kernel is told to stop. Each step may fail, none stops the next. */

#include "init/config.h"
#include "init/ending.h"

/* Terminates every other process, tells the VMM at @notify_socket (NULL for none) how the agent
 * ended, and makes the file systems safe, all before @deadline (CLOCK_BOOTTIME) or, when that is
 * near, each within a small minimum of its own. Writes stop_end and sync_end of *ending.
 * @signal_fd is a non-blocking signalfd(2) of at least SIGCHLD. Only as PID 1: it signals
 * everything. */
void shutdown_run(int signal_fd, nsec_t deadline, const Address *notify_socket, Ending *ending);

/* Waits until the terminal that is standard error, if it is one, has put out what was written to it,
 * at most @timeout. */
void shutdown_drain_console(int signal_fd, nsec_t timeout);

/* Tells the VMM at @address how the agent ended; gives up at @deadline. */
void shutdown_tell_vmm(int signal_fd, nsec_t deadline, const Address *address,
                       const Ending *ending);

/* The reboot(2) command that @mode stands for, and its name: "poweroff", "reboot" or "halt". */
int shutdown_command(ShutdownMode mode, bool has_acpi);
const char *shutdown_command_name(int command);

/* Whether this machine can be powered off by ACPI. */
bool shutdown_has_acpi(void);

/* Ends the VM, or the PID namespace. Never returns. */
_Noreturn void shutdown_end_vm(ShutdownMode mode);
