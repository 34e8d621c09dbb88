/* rootspan-init: PID 1 of a guest that runs one agent, or a service of systemd that does. This file
 * is the wiring: signals first, then boot, options, the agent's life, and the end. Started by hand
 * it prints its usage and touches nothing. */

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"
#include "init/boot.h"
#include "init/config.h"
#include "init/crash.h"
#include "init/debug-console.h"
#include "init/guest-trace.h"
#include "init/role.h"
#include "init/service.h"
#include "init/shutdown.h"
#include "init/supervise.h"
#include "init/vmm.h"

#define CONFIG_FILE "/etc/rootspan/init.conf"
#define LOG_IDENT "rootspan"
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum {
        EXIT_USAGE = 2,
        CONSOLE_TIMEOUT_MSEC = 50,
        SIGNALS_MAX = 64, /* the kernel's _NSIG */
};

extern char **environ;

static void print_usage(FILE *out)
{
        fputs("Usage: rootspan-init [--service] [-- AGENT [ARGUMENT...]]\n"
              "\n"
              "Runs as PID 1 of a virtual machine: prepares the guest, starts one agent, owns its\n"
              "trace, and ends the machine when the agent has ended. Started by the kernel, as\n"
              "/init of an initrd, or by systemd, as a service; not by hand.\n"
              "\n"
              "  --service      run one agent for systemd, which has prepared the guest\n"
              "  --help         this text\n"
              "  --version      the version\n"
              "  --dump-config  " CONFIG_FILE " and the kernel command line as understood\n"
              "\n"
              "Options on the kernel command line, or in " CONFIG_FILE "\n"
              "without \"rootspan.\":\n",
              out);
        config_print_help(out);
}

static void log_report(const ConfigReport *report)
{
        for (size_t i = 0; i < report->n; i++)
                log_line(report->issues[i].fatal ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "%s",
                         report->issues[i].text);
}

static void add_read_error(ConfigReport *report, const char *path, int error)
{
        ConfigIssue *issue = &report->issues[report->n];

        report->fatal = true;
        if (report->n < CONFIG_ISSUES_MAX) {
                issue->fatal = true;
                (void)snprintf(issue->text, sizeof(issue->text), "cannot read %s: %s", path,
                               strerror(-error));
                report->n++;
        }
}

/* File, then command line, then @agent (NULL for none): the later wins. */
static void read_config(Config *config, char **agent, ConfigReport *report)
{
        static char file[CONFIG_TEXT_MAX], cmdline[CONFIG_TEXT_MAX];
        ssize_t n;

        config_defaults(config);
        n = file_read(CONFIG_FILE, file, sizeof(file));
        if (n >= 0)
                config_read_file(config, file, report);
        else if (n != -ENOENT)
                add_read_error(report, CONFIG_FILE, (int)n);
        n = file_read("/proc/cmdline", cmdline, sizeof(cmdline));
        if (n >= 0)
                config_read_cmdline(config, cmdline, report);
        else
                add_read_error(report, "/proc/cmdline", (int)n);
        if (agent)
                config_set_agent(config, agent, report);
}

/* What follows "--" in the argument vector, or NULL. The kernel passes what follows it on its
 * command line without the "--", mixed with words it did not know itself, so that is read from
 * /proc/cmdline instead. */
static char **agent_arguments(char **argv)
{
        for (; *argv; argv++)
                if (strcmp(*argv, "--") == 0)
                        return argv + 1;
        return NULL;
}

/* Not PID 1: nothing here may touch the machine. */
static int run_by_hand(char **argv)
{
        static Config config;
        static ConfigReport report;

        if (argv[0] && argv[1] && !argv[2]) {
                if (strcmp(argv[1], "--help") == 0) {
                        print_usage(stdout);
                        return EXIT_SUCCESS;
                }
                if (strcmp(argv[1], "--version") == 0) {
                        puts("rootspan-init " ROOTSPAN_VERSION);
                        return EXIT_SUCCESS;
                }
                if (strcmp(argv[1], "--dump-config") == 0) {
                        read_config(&config, NULL, &report);
                        log_report(&report);
                        config_dump(&config, stdout);
                        return report.fatal ? EXIT_FAILURE : EXIT_SUCCESS;
                }
        }
        print_usage(stderr);
        return EXIT_USAGE;
}

/* What an earlier program left open is not for the agent. Kernels before 5.11 cannot do this. */
static void close_others_on_exec(void)
{
        (void)syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

/* Lines go to standard error, but to a console by a description of our own, since the agent
 * shares the other and would be surprised by a non-blocking one. In a guest without a console they
 * go to the kernel's log, which takes few lines at a time from each description: a new one for the
 * last line makes sure of that. */
static void open_log(LogLevel level)
{
        static int fd = -EBADF;
        LogFormat format = LOG_FORMAT_PLAIN;
        struct stat st;

        fd = fd_close(fd);
        if (fstat(STDERR_FILENO, &st) < 0 || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))) {
                fd = open("/dev/kmsg", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
                format = fd >= 0 ? LOG_FORMAT_KMSG : LOG_FORMAT_PLAIN;
        } else if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(5, 1)) {
                fd = open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        }
        log_setup(LOG_IDENT, fd >= 0 ? fd : STDERR_FILENO, format, level);
}

static int open_signals(void)
{
        static const int wanted[] = {SIGCHLD, SIGTERM, SIGINT, SIGPWR};
        sigset_t set;

        (void)sigemptyset(&set);
        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
                (void)sigaddset(&set, wanted[i]);
        return RET_ERRNO(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

/* A line that finds the console full is lost; the last one is worth a moment before, and another
 * after, since a restart cuts off what a slow console has not put out yet. Standard error is the
 * same console as the log's descriptor. */
static void write_last_line(int signal_fd, const Ending *ending)
{
        struct pollfd poll_fd = {.fd = STDERR_FILENO, .events = POLLOUT};
        char line[ENDING_LINE_MAX];

        ending_format(ending, line);
        open_log(LOG_LEVEL_ERROR); /* shown at every log level */
        (void)poll(&poll_fd, 1, CONSOLE_TIMEOUT_MSEC);
        log_error("%s", line);
        shutdown_drain_console(signal_fd, CONSOLE_TIMEOUT_MSEC * NSEC_PER_MSEC);
}

/* Blocks all but those that a fault of our own raises. None stays ignored, as an earlier program
 * may have left it: the agent would inherit that, and without SIGCHLD there is nothing to reap. */
static void reset_signals(void)
{
        static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
        static const uint64_t default_action[4];
        sigset_t set;

        (void)sigfillset(&set);
        for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
                (void)sigdelset(&set, faults[i]);
        (void)sigprocmask(SIG_SETMASK, &set, NULL);
        /* By hand, since libc keeps two signals for itself and refuses to change them, though make(1)
         * and others leave just these ignored. The kernel's struct sigaction of all zeroes says
         * SIG_DFL; it fails for SIGKILL and SIGSTOP only. */
        for (int i = 1; i <= SIGNALS_MAX; i++)
                (void)syscall(SYS_rt_sigaction, i, default_action, NULL, SIGNALS_MAX / 8);
}

/* The rest of boot and the agent's life. Returns when the VM is to be ended. */
static void run(const Role *role, char **argv, nsec_t start, int signal_fd, BootLog *log,
                Config *config, Ending *ending)
{
        static ConfigReport report;
        static GuestTrace trace;
        int r;

        read_config(config, agent_arguments(argv), &report);
        open_log((LogLevel)config->log_level);
        log_report(&report);
        if (!address_is_set(&config->notify_socket))
                (void)vmm_find_address(&config->notify_socket); /* most machines have none */
        if (report.fatal)
                ending->reason = END_CONFIG_ERROR;
        r = role->boot(config, log); /* even so: it takes modules to tell the VMM */
        if (r < 0 || report.fatal)
                return;
        r = guest_trace_begin(&trace, config_is_collated(config) ? &config->traceparent : NULL,
                              start);
        if (r < 0) {
                log_error_errno(r, "Cannot draw trace ids");
                return;
        }
        if (config_trace_mode(config) == TRACE_DYNAMIC)
                log_warning("Nothing can ask for dynamic traces yet: this guest is not traced");
        if (trace.clock_unset)
                log_warning("The clock of this machine is not set: times count from 1970");
        ending->exit_code = 0;
        ending->reason = END_AGENT_EXIT;
        (void)setenv("PATH", DEFAULT_PATH, 0); /* execvpe(3) looks in ours, not in the agent's */
        if (config->debug_console != DEBUG_CONSOLE_OFF) {
                r = debug_console_start(config->debug_console);
                if (r < 0)
                        log_warning_errno(r, "Cannot start the debug console");
        }
        supervise(role, config, log, &trace, signal_fd, environ, ending);
}

int main(int argc, char **argv)
{
        static Config config;
        static Ending ending = {.reason = END_INIT_FAULT, .exit_code = ENDING_CODE_OWN};
        static BootLog log;
        const Role *role = &role_pid1;
        nsec_t start = clock_boottime();
        int r, signal_fd;

        if (service_is_wanted(argv))
                role = &role_service;
        else if (getpid() != 1)
                return run_by_hand(argv);

        close_others_on_exec();
        reset_signals();
        log_setup(LOG_IDENT, STDERR_FILENO, LOG_FORMAT_PLAIN, LOG_LEVEL_INFO);
        r = role->begin(&config, &log);
        open_log(LOG_LEVEL_INFO);
        signal_fd = open_signals();
        if (signal_fd < 0)
                log_error_errno(signal_fd, "Cannot receive signals");
        else if (r == 0)
                run(role, argv, start, signal_fd, &log, &config, &ending);

        if (ending.agent_end == 0)
                ending.agent_end = clock_boottime();
        role->clean_up(signal_fd, nsec_add(ending_start(&ending), config.end_timeout),
                       address_is_set(&config.notify_socket) ? &config.notify_socket : NULL,
                       &ending);
        write_last_line(signal_fd, &ending);
        return role->end(&config, &ending);
}
