#pragma once

/* The ExecStop= of a unit that runs rootspan-init as a service. */

/* Has the agent's life end, if it has not, and then ends the VM if that is for the guest to do.
 * @main_pid is the service's main process, 0 when it is gone. Returns 0, or -errno when the VM
 * should have ended and has not. */
int exec_stop(int main_pid);
