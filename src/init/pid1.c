/* PID 1 of the machine: boot is its own work, and so is the end. */

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "init/crash.h"
#include "init/role.h"
#include "init/shutdown.h"
#include "init/vmm.h"

#define MODULES_FILE "/etc/rootspan/modules"

/* An initrd without /dev/console leaves PID 1 without standard descriptors. Something must take
 * their numbers, if only a directory: otherwise the next descriptor that is opened gets one. */
static void open_stdio(void)
{
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (fcntl(fd, F_GETFD) < 0 && open("/dev/console", O_RDWR | O_NOCTTY) < 0 &&
                    open("/dev/null", O_RDWR) < 0)
                        (void)open("/", O_PATH);
}

static int begin(const Config *config, BootLog *log)
{
        int r;

        crash_install(config);
        r = boot_run(&boot_early, log);
        open_stdio(); /* there is a /dev now */
        return r;
}

static int boot(const Config *config, BootLog *log)
{
        int r;

        boot_load_modules(MODULES_FILE, log);
        r = boot_run(config->unified_cgroups ? &boot_cgroup2 : &boot_cgroup1, log);
        return r == 0 ? boot_run(&boot_late, log) : r;
}

/* There was only the kernel. */
static pid_t tell_past(const GuestTrace *trace, Tracer *tracer)
{
        LinkRecord record;

        guest_trace_kernel(trace, &record);
        (void)tracer_send(tracer, &record); /* counted if lost */
        return 0;
}

/* Nobody is told how far PID 1 is, or whether it lives. */
static void entered(LifeState state, nsec_t deadline)
{
        (void)state;
        (void)deadline;
}

static nsec_t tick(nsec_t now)
{
        (void)now;
        return NSEC_INFINITY;
}

static int end(const Config *config, const Ending *ending)
{
        if (config->debug_exit != 0)
                log_error_errno(vmm_debug_exit((uint16_t)config->debug_exit, ending->exit_code),
                                "There is no isa-debug-exit at port %u", config->debug_exit);
        shutdown_end_vm((ShutdownMode)config->shutdown);
}

const Role role_pid1 = {
        .begin = begin,
        .boot = boot,
        .tell_past = tell_past,
        .entered = entered,
        .tick = tick,
        .awaits_host = true,
        .clean_up = shutdown_run,
        .end = end,
};
