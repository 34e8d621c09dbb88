#pragma once

/* When PID 1 itself is at fault: the kernel would panic silently, so a handler says what happened
 * and ends the VM. */

#include "init/config.h"

/* Installs the handler for the signals a fault raises. @config is borrowed for good: its way of
 * ending the VM is used once it is read. */
void crash_install(const Config *config);
