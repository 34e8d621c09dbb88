/* The end of the VM. What may hang (sync, umount) is done by a child that is left behind when its
 * time is over. */

#include "init/shutdown.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"
#include "init/mountinfo.h"

/* What each step gets even when the budget is used up. */
#define KILL_MIN (100 * NSEC_PER_MSEC)
#define SYNC_MIN (200 * NSEC_PER_MSEC)

/* The inode of /proc/self/ns/pid in the first PID namespace: PROC_PID_INIT_INO of the kernel. */
#define INITIAL_PID_NAMESPACE "pid:[4026531836]"

/* Waits until @child is reaped, or until all children are with @child -1; reaps others by the
 * way. Returns 0, or -ETIMEDOUT at @deadline. */
static int wait_for_children(int signal_fd, pid_t child, nsec_t deadline)
{
        for (;;) {
                struct pollfd poll_fd = {.fd = signal_fd, .events = POLLIN};
                struct signalfd_siginfo info;
                nsec_t left;
                pid_t pid;

                while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
                        if (pid == child)
                                return 0;
                if (pid < 0) /* ECHILD: nobody is left */
                        return 0;
                left = nsec_left(deadline, clock_boottime());
                if (left == 0)
                        return -ETIMEDOUT;
                (void)poll(&poll_fd, 1, nsec_to_poll(left));
                while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
                        ; /* only a SIGCHLD matters now, and the next round asks for it */
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

static void run_unmount(const UnmountAction *action)
{
        int r;

        if (action->remount) {
                /* In a container the root's superblock is shared with its host. */
                if (!in_initial_pid_namespace())
                        return;
                r = RET_ERRNO(mount(NULL, action->target, NULL, MS_REMOUNT | MS_RDONLY, NULL));
        } else {
                r = RET_ERRNO(umount2(action->target, UMOUNT_NOFOLLOW));
                if (r == -EBUSY && in_initial_pid_namespace())
                        r = RET_ERRNO(mount(NULL, action->target, NULL, MS_REMOUNT | MS_RDONLY,
                                            NULL));
        }
        if (r < 0)
                log_debug_errno(r, "Cannot unmount %s", action->target);
}

static void sync_and_unmount(void)
{
        static char text[256 * 1024];
        static UnmountPlan plan;

        sync();
        if (file_read("/proc/self/mountinfo", text, sizeof(text)) < 0)
                return;
        unmount_plan(text, &plan);
        for (size_t i = 0; i < plan.n; i++)
                run_unmount(&plan.actions[i]);
}

void shutdown_run(int signal_fd, nsec_t deadline, Ending *ending)
{
        pid_t pid;

        terminate_all(signal_fd, deadline);
        ending->stop_end = clock_boottime();

        pid = fork();
        if (pid == 0) {
                sync_and_unmount();
                _exit(EXIT_SUCCESS);
        }
        if (pid < 0)
                log_warning_errno(-errno, "Cannot start a process to sync file systems");
        else if (wait_for_children(signal_fd, pid,
                                   MAX(deadline, nsec_add(ending->stop_end, SYNC_MIN))) < 0)
                log_warning("File systems did not sync in time, going on");
        ending->sync_end = clock_boottime();
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

_Noreturn void shutdown_end_vm(ShutdownMode mode)
{
        assert(getpid() == 1);
        call_reboot(shutdown_command(mode, access("/sys/firmware/acpi", F_OK) == 0));
        call_reboot(RB_AUTOBOOT);
        for (;;)
                (void)pause();
}
