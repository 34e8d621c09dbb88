/* The end of a systemd guest. The agent's life comes first: on `systemctl stop` it is not over when
 * this starts. Nothing here has a deadline for it but systemd, whose TimeoutStopSec= rootspan-init
 * extends while it is at it. */

#include "systemd/exec-stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"
#include "systemd/ending-record.h"
#include "systemd/manager.h"

#define RECORD_PATH "/run/rootspan/ending"

/* For the manager's answer. */
#define MANAGER_TIMEOUT NSEC_PER_SEC

/* For what the manager was asked to do to happen, and for a sync. */
#define PATIENCE (2 * NSEC_PER_SEC)

/* A way to end the VM: the manager's method, and the signal that asks for the same (systemd(1)). */
typedef struct Way {
        int command;
        const char *method;
        int signal_offset; /* from SIGRTMIN */
} Way;

static const Way ways[] = {
        {RB_POWER_OFF, "PowerOff", 14},
        {RB_AUTOBOOT, "Reboot", 15},
        {RB_HALT_SYSTEM, "Halt", 13},
};

static void freep(char **text)
{
        free(*text);
}

static void end_life(pid_t pid)
{
        struct pollfd main_process = {.fd = pidfd_open(pid, 0), .events = POLLIN};

        if (main_process.fd < 0)
                return; /* it is gone */
        (void)pidfd_send_signal(main_process.fd, SIGTERM, NULL, 0); /* it may be gone now, too */
        while (poll(&main_process, 1, -1) < 0 && errno == EINTR)
                ;
        (void)fd_close(main_process.fd);
}

/* Returns 0 or -errno. */
static int read_record(EndingRecord *ret)
{
        char text[1024];
        ssize_t n = file_read(RECORD_PATH, text, sizeof(text));

        return n < 0 ? (int)n : ending_record_parse((const uint8_t *)text, (size_t)n, ret);
}

/* A stop that is half of a restart is not the end of the VM, and one that is part of a shutdown is
 * systemd's own. Returns -errno, 0 or 1. */
static int is_left_to_manager(sd_bus *bus)
{
        _cleanup_(freep) char *state = NULL, *unit = NULL, *job = NULL;
        int r;

        r = manager_get_string(bus, NULL, NULL, "SystemState", &state);
        if (r < 0)
                return r;
        r = manager_own_unit(bus, &unit);
        if (r < 0)
                return r;
        r = manager_get_job(bus, unit, &job);
        if (r < 0)
                return r;
        return strcmp(state, "stopping") == 0 || strcmp(job, "restart") == 0;
}

static void run_sync(void)
{
        pid_t pid = fork();
        struct pollfd child;

        if (pid == 0) {
                sync();
                _exit(EXIT_SUCCESS);
        }
        if (pid < 0)
                return;
        child = (struct pollfd){.fd = pidfd_open(pid, 0), .events = POLLIN};
        (void)poll(&child, 1, nsec_to_poll(PATIENCE)); /* one that hangs is left behind */
        (void)fd_close(child.fd);
}

/* A failure of the manager is not tried twice: each takes MANAGER_TIMEOUT. Returns 0 or -errno. */
static int ask_manager(const Way *way)
{
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        r = manager_open(MANAGER_TIMEOUT, &bus);
        if (r < 0)
                return r;
        r = is_left_to_manager(bus);
        if (r != 0)
                return MIN(r, 0);
        return manager_call(bus, way->method); /* which kills us on its way */
}

static int end_vm(const Way *way)
{
        const struct timespec patience = {.tv_sec = PATIENCE / NSEC_PER_SEC};
        int r = ask_manager(way);

        if (r == 0)
                return 0;
        log_warning_errno(r, "systemd does not answer, sending it a signal");
        (void)kill(1, SIGRTMIN + way->signal_offset);
        (void)nanosleep(&patience, NULL);
        log_error("systemd does not react: ending the VM without it");
        run_sync();
        return RET_ERRNO(reboot(way->command));
}

int exec_stop(int main_pid)
{
        EndingRecord record;
        int r;

        if (main_pid > 0)
                end_life(main_pid);
        r = read_record(&record);
        if (r < 0) {
                log_error_errno(r, "%s does not say how the agent ended: not ending the VM",
                                RECORD_PATH);
                return 0;
        }
        if (!record.end_vm) {
                log_info("It is for the host to end the VM");
                return 0;
        }
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
                if (ways[i].command == record.command)
                        return end_vm(&ways[i]);
        return -EINVAL; /* not after ending_record_parse() */
}
