/* systemd's manager, by sd-bus. */

#include "systemd/manager.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"

#define PRIVATE_SOCKET "unix:path=/run/systemd/private"
#define SERVICE "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER SERVICE ".Manager"

/* The timeout of calls does not count while the connection is made. */
static int await_ready(sd_bus *bus, nsec_t timeout)
{
        nsec_t deadline = nsec_add(clock_boottime(), timeout);
        int r;

        while ((r = sd_bus_is_ready(bus)) == 0) {
                nsec_t left = nsec_left(deadline, clock_boottime());

                if (left == 0)
                        return -ETIMEDOUT;
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, left / NSEC_PER_USEC);
                if (r < 0)
                        return r;
        }
        return MIN(r, 0);
}

int manager_open(nsec_t timeout, sd_bus **ret)
{
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_address(bus, PRIVATE_SOCKET);
        if (r < 0)
                return r;
        r = sd_bus_set_method_call_timeout(bus, timeout / NSEC_PER_USEC);
        if (r < 0)
                return r;
        r = sd_bus_start(bus);
        if (r < 0)
                return r;
        r = await_ready(bus, timeout);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(bus);
        return 0;
}

int manager_call(sd_bus *bus, const char *method)
{
        int r = sd_bus_call_method(bus, SERVICE, MANAGER_PATH, MANAGER, method, NULL, NULL, NULL);

        return MIN(r, 0);
}

int manager_get_time(sd_bus *bus, const char *unit, const char *property, nsec_t *ret)
{
        uint64_t usec;
        int r = sd_bus_get_property_trivial(bus, SERVICE, unit ? unit : MANAGER_PATH,
                                            unit ? SERVICE ".Unit" : MANAGER, property, NULL, 't',
                                            &usec);

        if (r < 0)
                return r;
        *ret = MIN(usec, UINT64_MAX / NSEC_PER_USEC) * NSEC_PER_USEC;
        return 0;
}

int manager_get_string(sd_bus *bus, const char *unit, const char *interface, const char *property,
                       char **ret)
{
        char name[sizeof(SERVICE) + 32];

        (void)snprintf(name, sizeof(name), SERVICE ".%.30s", unit ? interface : "Manager");
        return MIN(sd_bus_get_property_string(bus, SERVICE, unit ? unit : MANAGER_PATH, name,
                                              property, NULL, ret),
                   0);
}

static int copy_string(const char *text, char **ret)
{
        char *copy = strdup(text);

        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

int manager_own_unit(sd_bus *bus, char **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *path;
        int r;

        r = sd_bus_call_method(bus, SERVICE, MANAGER_PATH, MANAGER, "GetUnitByPID", NULL, &reply,
                               "u", (uint32_t)getpid());
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "o", &path);
        return r < 0 ? r : copy_string(path, ret);
}

int manager_get_job(sd_bus *bus, const char *unit, char **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *path;
        uint32_t id;
        int r;

        r = sd_bus_get_property(bus, SERVICE, unit, SERVICE ".Unit", "Job", NULL, &reply, "(uo)");
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "(uo)", &id, &path);
        if (r < 0)
                return r;
        if (id == 0)
                return copy_string("", ret);
        return manager_get_string(bus, path, "Job", "JobType", ret);
}

int manager_list_units(sd_bus *bus, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_call_method(bus, SERVICE, MANAGER_PATH, MANAGER, "ListUnits", NULL, &reply, NULL);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");
        if (r < 0)
                return r;
        *ret = TAKE_PTR(reply);
        return 0;
}

int manager_next_unit(sd_bus_message *list, const char **ret_name, const char **ret_state,
                      const char **ret_path)
{
        return sd_bus_message_read(list, "(ssssssouso)", ret_name, NULL, NULL, ret_state, NULL, NULL,
                                   ret_path, NULL, NULL, NULL);
}

int manager_watch_boot(sd_bus *bus, sd_bus_message_handler_t callback, void *userdata)
{
        int r = sd_bus_match_signal(bus, NULL, NULL, MANAGER_PATH, MANAGER, "StartupFinished",
                                    callback, userdata);

        if (r < 0)
                return r;
        return manager_call(bus, "Subscribe"); /* for any signal to be sent */
}
