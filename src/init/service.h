#pragma once

/* rootspan-init as a service of systemd, Type=notify. */

#include <stdbool.h>

#include "init/role.h"

extern const Role role_service;

/* Was the program started by systemd, for a unit that asks for it with --service? */
bool service_is_wanted(char **argv);
