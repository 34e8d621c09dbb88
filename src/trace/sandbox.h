#pragma once

/* What the process gives up before it reads the first byte from anybody. */

#include "base/address.h"

enum { SANDBOX_UID = 59990 }; /* and group; belongs to nobody else in the guest */

/* Gives up, for good: user and groups (where there is root to give up), all capabilities, new
 * privileges, dumps, resources, and every system call but those the loop, the link and connections
 * to an endpoint of the kind @endpoint need. Any other one kills the process. Logs the step that
 * fails. Returns 0 or -errno, upon which the process is to end. */
int sandbox_enter(AddressKind endpoint);
