/* The crash handler of PID 1. It runs on a stack of its own, since a full stack may be the fault,
 * and calls only what is safe in a signal handler (signal-safety(7)). A second fault within it
 * meets the default action, a kernel panic, which `panic=` turns into a restart. */

#include "init/crash.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/macro.h"
#include "base/parse.h"
#include "init/ending.h"
#include "init/shutdown.h"
#include "init/vmm.h"

enum { STACK_SIZE = 16 * 1024 };

#define LAST_STEPS_TIMEOUT NSEC_PER_SEC

static const Config *crash_config;

static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};

static char *append(char *to, const char *text)
{
        size_t n = strlen(text);

        memcpy(to, text, n);
        return to + n;
}

static void write_lines(int signal, const siginfo_t *info)
{
        struct pollfd console = {.fd = STDERR_FILENO, .events = POLLOUT};
        uintptr_t address = (uintptr_t)info->si_addr;
        char text[256], hex[2 * sizeof(address) + 1], *end;
        uint8_t bytes[sizeof(address)];
        int fd;

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t)(address >> (8 * (sizeof(bytes) - 1 - i)));
        format_hex(bytes, sizeof(bytes), hex);
        end = append(text, "rootspan: PID 1 is at fault: signal ");
        *end++ = (char)('0' + signal / 10);
        *end++ = (char)('0' + signal % 10);
        if (info->si_code > 0) { /* else a process sent it, and there is no address */
                end = append(end, " at address 0x");
                end = append(end, hex);
        }
        end = append(end, "\nrootspan: end reason=init-fault code=125 signal=0 core=no flush=none\n");

        if (poll(&console, 1, 0) == 1) /* one that is stopped would stop us, too */
                (void)fd_write_all(STDERR_FILENO, text, (size_t)(end - text));
        fd = open("/dev/kmsg", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0)
                (void)fd_write_all(fd, text, (size_t)(end - text));
        (void)fd_close(fd);
}

static void notify(void)
{
        if (address_is_set(&crash_config->notify_socket))
                (void)vmm_notify(&crash_config->notify_socket,
                                 "EXIT_STATUS=125\nX_ROOTSPAN_REASON=init-fault\n",
                                 nsec_add(clock_boottime(), LAST_STEPS_TIMEOUT));
}

/* Either may hang, so children do it, for a second at most. */
static void sync_and_notify(void)
{
        static void (*const steps[])(void) = {sync, notify};
        nsec_t deadline = nsec_add(clock_boottime(), LAST_STEPS_TIMEOUT), left;
        pid_t pids[ARRAY_SIZE(steps)];
        sigset_t set;

        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                pids[i] = fork();
                if (pids[i] == 0) {
                        steps[i]();
                        _exit(0);
                }
        }
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGCHLD);
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
                while (pids[i] > 0 && waitpid(pids[i], NULL, WNOHANG) == 0 &&
                       (left = nsec_left(deadline, clock_boottime())) > 0)
                        (void)sigtimedwait(&set, NULL,
                                           &(struct timespec){(time_t)(left / NSEC_PER_SEC),
                                                              (long)(left % NSEC_PER_SEC)});
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
        (void)context;
        if (getpid() != 1) /* a child of ours, before it executed its program */
                _exit(127);
        write_lines(signal, info);
        sync_and_notify();
        if (crash_config->debug_exit != 0)
                (void)vmm_debug_exit((uint16_t)crash_config->debug_exit, ENDING_CODE_OWN);
        shutdown_end_vm((ShutdownMode)crash_config->shutdown);
}

void crash_install(const Config *config)
{
        static char stack[STACK_SIZE];
        struct sigaction action = {
                .sa_sigaction = on_fault,
                .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND,
        };

        crash_config = config;
        (void)sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof(stack)}, NULL);
        (void)sigfillset(&action.sa_mask);
        for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
                (void)sigdelset(&action.sa_mask, faults[i]);
        for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
                (void)sigaction(faults[i], &action, NULL);
}
