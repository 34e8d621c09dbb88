/* A service of systemd: readiness, status and watchdog as in sd_notify(3), which is a datagram and
 * needs no library. It mounts nothing and ends no machine; what it leaves in /run is for the unit's
 * ExecStop=, which does. */

#include "init/service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/parse.h"
#include "init/shutdown.h"
#include "init/spawn.h"

#define REPORTER_PATH "/sbin/rootspan-systemd"
#define RECORD_DIR "/run/rootspan"
#define RECORD_PATH RECORD_DIR "/ending"

/* For systemd to take a message, before it is given up. */
#define SEND_TIMEOUT_USEC 250000

/* Between a deadline of ours and systemd's, so that ours comes first. */
#define EXTEND_MARGIN NSEC_PER_SEC

/* There is one; functions of a role have no argument for it. */
static struct {
        const Config *config;
        int fd; /* connected to systemd's notification socket */
        nsec_t watchdog_interval; /* NSEC_INFINITY without a watchdog */
        nsec_t watchdog_next;
} service;

bool service_is_wanted(char **argv)
{
        return argv[0] && argv[1] && strcmp(argv[1], "--service") == 0 && getppid() == 1 &&
               getenv("INVOCATION_ID") && getenv("NOTIFY_SOCKET");
}

/* @name is a path, or an abstract name behind an "@". Returns a descriptor or -errno. */
static int connect_notify(const char *name)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct timeval timeout = {.tv_usec = SEND_TIMEOUT_USEC};
        _cleanup_(fd_closep) int fd = -EBADF;
        size_t n = strlen(name);
        int r;

        if (n < 2 || n >= sizeof(address.sun_path))
                return -EINVAL;
        memcpy(address.sun_path, name, n);
        if (name[0] == '@')
                address.sun_path[0] = '\0';
        else
                n++; /* its NUL */
        fd = RET_ERRNO(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        if (fd < 0)
                return fd;
        r = RET_ERRNO(connect(fd, (struct sockaddr *)&address,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)));
        if (r < 0)
                return r;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
        return TAKE_FD(fd);
}

static void notify(const char *text)
{
        int r = (int)RET_ERRNO(send(service.fd, text, strlen(text), MSG_NOSIGNAL));

        if (r < 0)
                log_warning_errno(r, "Cannot notify systemd");
}

/* 0 for none. */
static uint64_t environment_number(const char *name, uint64_t max)
{
        const char *text = getenv(name);
        uint64_t value;

        return text && parse_u64(text, strlen(text), max, &value) == 0 ? value : 0;
}

/* Half of what systemd waits for, as it recommends. */
static nsec_t find_watchdog_interval(void)
{
        uint64_t usec = environment_number("WATCHDOG_USEC", UINT64_MAX / NSEC_PER_USEC);
        uint64_t pid = environment_number("WATCHDOG_PID", INT32_MAX);

        if (usec == 0 || (pid != 0 && pid != (uint64_t)getpid()))
                return NSEC_INFINITY;
        return usec * NSEC_PER_USEC / 2;
}

static int begin(const Config *config, BootLog *log)
{
        /* Between systemd and us only: the agent would take them for its own. */
        static const char *const ours[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};

        service.config = config;
        service.watchdog_interval = find_watchdog_interval();
        service.fd = connect_notify(getenv("NOTIFY_SOCKET"));
        for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
                (void)unsetenv(ours[i]);
        if (service.fd < 0) {
                log_error_errno(service.fd, "Cannot reach systemd");
                return service.fd;
        }
        (void)unlink(RECORD_PATH); /* of an earlier life */
        /* Orphans of the agent come to us, as they would to PID 1. */
        return RET_ERRNO(prctl(PR_SET_CHILD_SUBREAPER, 1));
}

static int boot(const Config *config, BootLog *log)
{
        return 0; /* systemd has done it all */
}

/* Only systemd knows, and only sd-bus can ask it: a program of its own does, which writes its
 * records into the same link. */
static pid_t tell_past(const GuestTrace *trace, Tracer *tracer)
{
        char parent[sizeof("--parent=") + TRACEPARENT_TEXT_MAX] = "--parent=";
        /* Half of the flush, in whole seconds. */
        nsec_t grace = service.config->flush_timeout / NSEC_PER_SEC / 2;
        char epoch_option[40], grace_option[40];
        const char *argv[] = {REPORTER_PATH, "boot-spans", "--link-fd=3", parent, epoch_option,
                              grace_option, NULL};
        pid_t pid;
        int r;

        _Static_assert(SPAWN_PASS_FD == 3, "--link-fd");
        traceparent_format(&(Traceparent){.trace_id = trace->trace_id,
                                          .span_id = trace->root,
                                          .flags = TRACEPARENT_SAMPLED},
                           parent + strlen(parent));
        (void)snprintf(epoch_option, sizeof(epoch_option), "--epoch=%llu",
                       (unsigned long long)clock_anchor_realtime(&trace->anchor, 0));
        (void)snprintf(grace_option, sizeof(grace_option), "--grace=%llu",
                       (unsigned long long)MIN(MAX(grace, 1U), 60U));
        r = spawn(&(SpawnOptions){.argv = argv,
                                  .envp = (const char *const[]){NULL},
                                  .pass_fds = &tracer->link,
                                  .n_pass_fds = 1,
                                  .blocked_signal = SIGTERM, /* or it could come too early */
                                  .new_session = true},
                  &pid);
        if (r < 0) {
                log_warning_errno(r, "Cannot start %s, systemd's boot is not traced",
                                  REPORTER_PATH);
                return 0;
        }
        return pid;
}

/* STOPPING=1 only once systemd has asked for it: a service that says so by itself forgoes its
 * ExecStop=, which systemd then does not run. */
static void entered(LifeState state, nsec_t deadline)
{
        static const char *const texts[LIFE_STATES_N] = {
                [LIFE_CONNECT] = "STATUS=Waiting for the receiver of spans\n",
                [LIFE_RUN] = "READY=1\nSTATUS=The agent runs\n",
                [LIFE_STOP] = "STOPPING=1\nSTATUS=Waiting for the agent to stop\n",
                [LIFE_KILL] = "STATUS=The agent did not stop in time and was killed\n",
                [LIFE_FLUSH] = "STATUS=The agent has ended, sending the last spans\n",
                [LIFE_END] = "STATUS=The agent has ended\n",
        };
        nsec_t left = nsec_left(deadline, clock_boottime());
        char text[256];

        if (!texts[state])
                return;
        if (deadline == NSEC_INFINITY)
                (void)snprintf(text, sizeof(text), "%s", texts[state]);
        else
                (void)snprintf(text, sizeof(text), "%sEXTEND_TIMEOUT_USEC=%llu\n", texts[state],
                               (unsigned long long)(nsec_add(left, EXTEND_MARGIN) / NSEC_PER_USEC));
        notify(text);
}

static nsec_t tick(nsec_t now)
{
        if (service.watchdog_interval == NSEC_INFINITY)
                return NSEC_INFINITY;
        if (now >= service.watchdog_next) {
                notify("WATCHDOG=1\n");
                service.watchdog_next = nsec_add(now, service.watchdog_interval);
        }
        return service.watchdog_next;
}

/* What is left of the agent's processes is systemd's to kill, as are file systems to unmount. */
static void clean_up(int signal_fd, nsec_t deadline, const Address *notify_socket, Ending *ending)
{
        if (notify_socket)
                shutdown_tell_vmm(signal_fd, deadline, notify_socket, ending);
        ending->stop_end = ending->sync_end = clock_boottime();
}

/* Whether ExecStop= is to end the VM; after a failure, the unit's FailureAction= does. */
static bool ends_vm(const Config *config)
{
        switch ((OnAgentExit)config->on_agent_exit) {
        case ON_AGENT_EXIT_END:
                return true;
        case ON_AGENT_EXIT_WAIT:
                return false;
        case ON_AGENT_EXIT_AUTO:
                return config_trace_mode(config) == TRACE_STATIC;
        }
        return false;
}

static int write_record(const Config *config, const Ending *ending)
{
        int command = shutdown_command((ShutdownMode)config->shutdown, shutdown_has_acpi());
        _cleanup_(fd_closep) int fd = -EBADF;
        char text[160];

        (void)snprintf(text, sizeof(text), "reason=%s\ncode=%d\nend_vm=%s\nshutdown=%s\n",
                       end_reason_name(ending->reason), ending->exit_code,
                       ends_vm(config) ? "yes" : "no", shutdown_command_name(command));
        (void)mkdir(RECORD_DIR, 0755); /* made by the unit's RuntimeDirectory= */
        fd = RET_ERRNO(open(RECORD_PATH, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
                            0644));
        return fd < 0 ? fd : fd_write_all(fd, text, strlen(text));
}

static int end(const Config *config, const Ending *ending)
{
        int r = write_record(config, ending);

        if (r < 0)
                log_error_errno(r, "Cannot write %s: the VM is left to the host", RECORD_PATH);
        return ending->exit_code;
}

const Role role_service = {
        .begin = begin,
        .boot = boot,
        .tell_past = tell_past,
        .entered = entered,
        .tick = tick,
        .awaits_host = false,
        .clean_up = clean_up,
        .end = end,
};
