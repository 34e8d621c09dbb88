#pragma once

/* A shell in the guest for whoever owns its host: off unless asked for. */

#include <stdint.h>

/* Where it is; anything else is the VSOCK port to listen on. */
#define DEBUG_CONSOLE_OFF 0U
#define DEBUG_CONSOLE_TTY UINT32_MAX /* the guest's own console */

/* Starts the process that offers it, a child that needs no care; it ends with all other processes.
 * Returns 0 or -errno. */
int debug_console_start(uint32_t where);
