#pragma once

/* systemd's manager over its private socket, which is there without a bus daemon, too. Calls
 * block. */

#include <systemd/sd-bus.h>

#include "base/clock.h"

/* Gives up after @timeout, as does each call that follows. Returns 0 or -errno. */
int manager_open(nsec_t timeout, sd_bus **ret);

/* Calls a method of the manager that takes nothing and whose answer says nothing. Returns 0 or
 * -errno. */
int manager_call(sd_bus *bus, const char *method);

/* A time of the manager, or of the unit at the object path @unit: CLOCK_MONOTONIC, 0 if that did
 * not happen. Returns 0 or -errno. */
int manager_get_time(sd_bus *bus, const char *unit, const char *property, nsec_t *ret);

/* A string property of the manager, or of @unit on the interface of its type @interface ("Service"
 * and so on). The caller frees *ret. Returns 0 or -errno. */
int manager_get_string(sd_bus *bus, const char *unit, const char *interface, const char *property,
                       char **ret);

/* The object path of the unit this process belongs to. The caller frees *ret. Returns 0 or
 * -errno. */
int manager_own_unit(sd_bus *bus, char **ret);

/* The type of the job that @unit has, "start", "restart" and so on, or "" for none. The caller
 * frees *ret. Returns 0 or -errno. */
int manager_get_job(sd_bus *bus, const char *unit, char **ret);

/* All units that are loaded. The caller unrefs *ret. Returns 0 or -errno. */
int manager_list_units(sd_bus *bus, sd_bus_message **ret);

/* The next of them, borrowed from @list: its name, ActiveState and object path. Returns 1, 0 after
 * the last, or -errno. */
int manager_next_unit(sd_bus_message *list, const char **ret_name, const char **ret_state,
                      const char **ret_path);

/* Has @callback called when the boot is complete, by an event loop or sd_bus_process(). Returns 0
 * or -errno. */
int manager_watch_boot(sd_bus *bus, sd_bus_message_handler_t callback, void *userdata);
