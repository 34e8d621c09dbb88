/* The end of the VM. */

#include "init/shutdown.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"
#include "init/mountinfo.h"
#include "init/vmm.h"

/* What each step gets even when the budget is used up: with what the last line may take, less than
 * half a second in all. */
#define KILL_MIN (100 * NSEC_PER_MSEC)
#define NOTIFY_MIN (50 * NSEC_PER_MSEC)
#define SYNC_MIN (200 * NSEC_PER_MSEC)

/* The inode of /proc/self/ns/pid in the first PID namespace: PROC_PID_INIT_INO of the kernel. */
#define INITIAL_PID_NAMESPACE "pid:[4026531836]"

/* How Linux restarts the machine: on x86, since 5.11 (sysfs-kernel-reboot in Documentation/ABI). */
#define REBOOT_TYPE "/sys/kernel/reboot/type"

/* Waits until @child is reaped, or until all children are with @child -1; reaps others by the
 * way, but even if they never end, no longer than until @deadline. Returns 0 or -ETIMEDOUT. */
static int wait_for_children(int signal_fd, pid_t child, nsec_t deadline)
{
        for (;;) {
                struct pollfd poll_fd = {.fd = signal_fd, .events = POLLIN};
                struct signalfd_siginfo infos[4];
                pid_t pid = waitpid(-1, NULL, WNOHANG);
                nsec_t left;

                if (pid < 0 || pid == child) /* ECHILD: nobody is left */
                        return 0;
                left = nsec_left(deadline, clock_boottime());
                if (left == 0)
                        return -ETIMEDOUT;
                if (pid > 0)
                        continue;
                (void)poll(&poll_fd, 1, nsec_to_poll(left));
                (void)!read(signal_fd, infos, sizeof(infos)); /* the next round asks who died */
        }
}

static void terminate_all(int signal_fd, nsec_t deadline)
{
        nsec_t now = clock_boottime();

        assert(getpid() == 1);
        if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
                return; /* everything in a PID namespace is a descendant of PID 1 */
        (void)kill(-1, SIGTERM);
        (void)kill(-1, SIGCONT); /* a stopped process cannot act on SIGTERM */
        if (wait_for_children(signal_fd, -1, nsec_add(now, nsec_left(deadline, now) / 2)) == 0)
                return;
        log_warning("Some processes did not stop in time: killing them");
        (void)kill(-1, SIGKILL);
        now = clock_boottime();
        deadline = nsec_add(now, MAX(nsec_left(deadline, now) / 2, KILL_MIN));
        if (wait_for_children(signal_fd, -1, deadline) < 0)
                log_warning("Some killed processes are still there, going on");
}

static bool in_initial_pid_namespace(void)
{
        char text[sizeof(INITIAL_PID_NAMESPACE) + 8];
        ssize_t n = readlink("/proc/self/ns/pid", text, sizeof(text));

        return n == (ssize_t)strlen(INITIAL_PID_NAMESPACE) &&
               memcmp(text, INITIAL_PID_NAMESPACE, (size_t)n) == 0;
}

/* What may hang is a function run by a child that is left behind when its time is over. Returns 0
 * or -ETIMEDOUT or another -errno. */
static int run_in_child(int signal_fd, nsec_t deadline, void (*function)(const void *argument),
                        const void *argument)
{
        pid_t pid = fork();

        if (pid == 0) {
                function(argument);
                _exit(EXIT_SUCCESS);
        }
        return pid < 0 ? -errno : wait_for_children(signal_fd, pid, deadline);
}

static void run_unmount(const void *argument)
{
        const UnmountAction *action = argument;
        /* In a container the superblock belongs to the host, too. */
        bool may_remount = in_initial_pid_namespace();
        int r = -EBUSY;

        if (!action->remount)
                r = RET_ERRNO(umount2(action->target, UMOUNT_NOFOLLOW));
        if (r == -EBUSY && may_remount)
                r = RET_ERRNO(mount(NULL, action->target, NULL, MS_REMOUNT | MS_RDONLY, NULL));
        if (r < 0 && (may_remount || !action->remount))
                log_warning_errno(r, "Cannot unmount %s", action->target);
}

static void run_sync(const void *argument)
{
        (void)argument;
        sync();
}

/* Half of the time that is left until @deadline: each of several steps gets a part, and none can
 * take that of all others. */
static nsec_t half_way(nsec_t deadline)
{
        nsec_t now = clock_boottime();

        return nsec_add(now, nsec_left(deadline, now) / 2);
}

static void unmount_all(int signal_fd, nsec_t deadline)
{
        static char text[256 * 1024];
        static UnmountPlan plan;
        ssize_t n = file_read("/proc/self/mountinfo", text, sizeof(text));

        if (n < 0) {
                log_warning_errno((int)n, "Cannot tell what to unmount");
                return;
        }
        unmount_plan(text, &plan);
        if (plan.truncated)
                log_warning("There are more than %d mounts, the latest are left",
                            UNMOUNT_ACTIONS_MAX);
        for (size_t i = 0; i < plan.n; i++)
                if (run_in_child(signal_fd, half_way(deadline), run_unmount, &plan.actions[i]) < 0)
                        log_warning("Could not unmount %s in time, going on",
                                    plan.actions[i].target);
}

typedef struct Notice {
        const Address *address;
        char text[96];
        nsec_t deadline;
} Notice;

static void run_notify(const void *argument)
{
        const Notice *notice = argument;
        int r = vmm_notify(notice->address, notice->text, notice->deadline);

        if (r < 0)
                log_warning_errno(r, "Cannot tell the VMM the exit status");
}

void shutdown_tell_vmm(int signal_fd, nsec_t deadline, const Address *address,
                       const Ending *ending)
{
        Notice notice = {.address = address, .deadline = deadline};

        (void)snprintf(notice.text, sizeof(notice.text), "EXIT_STATUS=%d\nX_ROOTSPAN_REASON=%s\n",
                       ending->exit_code, end_reason_name(ending->reason));
        if (run_in_child(signal_fd, deadline, run_notify, &notice) < 0)
                log_warning("Could not tell the VMM the exit status in time, going on");
}

void shutdown_run(int signal_fd, nsec_t deadline, const Address *notify_socket, Ending *ending)
{
        terminate_all(signal_fd, deadline);
        ending->stop_end = clock_boottime();

        if (notify_socket)
                shutdown_tell_vmm(signal_fd,
                                  MAX(half_way(deadline), nsec_add(ending->stop_end, NOTIFY_MIN)),
                                  notify_socket, ending);

        deadline = MAX(deadline, nsec_add(clock_boottime(), SYNC_MIN));
        if (run_in_child(signal_fd, half_way(deadline), run_sync, NULL) < 0)
                log_warning("File systems did not sync in time, going on");
        unmount_all(signal_fd, deadline);
        ending->sync_end = clock_boottime();
}

static void run_drain(const void *argument)
{
        (void)argument;
        (void)tcdrain(STDERR_FILENO);
}

void shutdown_drain_console(int signal_fd, nsec_t timeout)
{
        if (isatty(STDERR_FILENO))
                (void)run_in_child(signal_fd, nsec_add(clock_boottime(), timeout), run_drain, NULL);
}

int shutdown_command(ShutdownMode mode, bool has_acpi)
{
        switch (mode) {
        case SHUTDOWN_AUTO:
                return has_acpi ? RB_POWER_OFF : RB_AUTOBOOT;
        case SHUTDOWN_POWEROFF:
                return RB_POWER_OFF;
        case SHUTDOWN_REBOOT:
                return RB_AUTOBOOT;
        case SHUTDOWN_HALT:
                return RB_HALT_SYSTEM;
        }
        return RB_POWER_OFF;
}

const char *shutdown_command_name(int command)
{
        switch (command) {
        case RB_AUTOBOOT:
                return "reboot";
        case RB_HALT_SYSTEM:
                return "halt";
        default:
                return "poweroff";
        }
}

bool shutdown_has_acpi(void)
{
        return access("/sys/firmware/acpi", F_OK) == 0;
}

/* By a child: the kernel ends the process that asks, and if that were PID 1 it would panic. Returns
 * only if the kernel refused. */
static void call_reboot(int command)
{
        pid_t pid = vfork();

        if (pid <= 0)
                (void)reboot(command);
        if (pid == 0)
                _exit(EXIT_FAILURE);
}

/* By default Linux asks ACPI and the keyboard controller for a restart, and where it has neither
 * jumps to the firmware, which knows nothing of that and hangs. A triple fault ends a VM for sure.
 * What the kernel command line chose (reboot=k) stands. Safe in a signal handler. */
static void restart_by_triple_fault(void)
{
        char type[16];

        if (file_read(REBOOT_TYPE, type, sizeof(type)) > 0 && strcmp(type, "acpi\n") == 0)
                (void)file_write(REBOOT_TYPE, "triple");
}

_Noreturn void shutdown_end_vm(ShutdownMode mode)
{
        bool has_acpi = shutdown_has_acpi();

        assert(getpid() == 1);
        if (!has_acpi && in_initial_pid_namespace())
                restart_by_triple_fault();
        call_reboot(shutdown_command(mode, has_acpi));
        call_reboot(RB_AUTOBOOT);
        for (;;)
                (void)pause();
}
