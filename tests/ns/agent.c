/* An agent that behaves in a chosen way, most of them bad:
 *   agent exit CODE                  | agent signal NUMBER [core]
 *   agent reboot poweroff|restart    only as PID 1, so that it can only end a namespace of its own
 *   agent inherited FILE             writes to FILE what it got from its parent
 *   agent orphans COUNT              leaves that many to PID 1, all dying at once
 *   agent signals COUNT              sends PID 1 a round of signals each millisecond
 *   agent storm CODE                 exits and leaves processes that fork and ignore SIGTERM
 *   agent deaf PROGRAM [ARGUMENT...] executes it, ignoring all signals below 32
 *   agent post COUNT                 hands in that many spans, each on a connection of its own, as
 *                                    its environment says, and exits without waiting for answers
 *   agent clutched                   asks for a stop, and cannot be reaped even when killed */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
        DESCRIPTORS_MAX = 1024,
        ORPHANS_MAX = 8192,
        PATIENCE_SEC = 20,
        SIGNALS_MAX = 64,
        SIGRTMIN_KERNEL = 32,
        STORMS = 4,
};

static _Noreturn void die(const char *what)
{
        fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
        exit(99);
}

static int do_exit(char **arguments)
{
        return atoi(arguments[0]);
}

/* By hand: libc refuses for the two that it keeps for itself, and posix_spawn(3), say of make(1),
 * leaves just these two ignored. */
static void reset_signal(int number)
{
        struct {
                void (*handler)(int);
                unsigned long flags;
                void (*restorer)(void);
                unsigned long mask;
        } action = {.handler = SIG_DFL};

        (void)syscall(SYS_rt_sigaction, number, &action, NULL, sizeof(action.mask));
}

static int do_signal(char **arguments)
{
        int number = atoi(arguments[0]);
        rlim_t core = arguments[1] ? 1 << 20 : 0;

        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){.rlim_cur = core, .rlim_max = core});
        reset_signal(number);
        (void)syscall(SYS_tgkill, getpid(), getpid(), number);
        return pause();
}

static int do_reboot(char **arguments)
{
        if (getpid() != 1)
                return 2;
        printf("agent is PID 1\n");
        (void)fflush(stdout);
        return reboot(strcmp(arguments[0], "restart") == 0 ? RB_AUTOBOOT : RB_POWER_OFF);
}

static int do_inherited(char **arguments)
{
        char line[256];
        FILE *status, *out;
        int open_before[DESCRIPTORS_MAX];

        for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
                open_before[fd] = fcntl(fd, F_GETFD) >= 0;
        out = fopen(arguments[0], "we");
        status = fopen("/proc/self/status", "re");
        if (!out || !status)
                die(arguments[0]);
        fputs("descriptors:", out);
        for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
                if (open_before[fd])
                        fprintf(out, " %d", fd);
        fputc('\n', out);
        while (fgets(line, sizeof(line), status))
                if (strncmp(line, "SigBlk:", 7) == 0 || strncmp(line, "SigIgn:", 7) == 0)
                        fputs(line, out);
        return fclose(out);
}

static void nap(void)
{
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
}

/* A child makes them and exits; then the end of a pipe lets all go. They are reaped when not even
 * a zombie answers to their pids. */
static int do_orphans(char **arguments)
{
        static pid_t pids[ORPHANS_MAX];
        int count = atoi(arguments[0]), gate[2], news[2];
        char byte;

        (void)alarm(PATIENCE_SEC);
        if (count > ORPHANS_MAX || pipe(gate) < 0 || pipe(news) < 0)
                die("orphans");
        if (fork() == 0) {
                (void)close(gate[1]);
                for (int i = 0; i < count; i++) {
                        pids[0] = fork();
                        if (pids[0] == 0)
                                _exit((int)read(gate[0], &byte, 1));
                        if (pids[0] < 0 || write(news[1], pids, sizeof(*pids)) < 0)
                                die("fork");
                }
                _exit(0);
        }
        (void)close(news[1]);
        (void)wait(NULL);
        for (int i = 0; i < count; i++)
                if (read(news[0], &pids[i], sizeof(*pids)) != (ssize_t)sizeof(*pids))
                        die("read");
        (void)close(gate[1]);
        for (int i = 0; i < count; i++)
                while (kill(pids[i], 0) == 0)
                        nap();
        return 4;
}

/* All that PID 1 should pass over, and a child that dies by each round. */
static int do_signals(char **arguments)
{
        static const int kept[] = {SIGTERM, SIGINT, SIGPWR,  SIGKILL, SIGSTOP, SIGSEGV,
                                   SIGBUS,  SIGFPE, SIGILL,  SIGTRAP, SIGABRT, SIGSYS};

        for (int i = atoi(arguments[0]); i > 0; i--) {
                pid_t pid = fork();

                if (pid == 0)
                        _exit(fork() < 0);
                for (int number = 1; number <= SIGNALS_MAX; number++) {
                        size_t k = 0;

                        while (k < sizeof(kept) / sizeof(*kept) && kept[k] != number)
                                k++;
                        if (k == sizeof(kept) / sizeof(*kept))
                                (void)kill(1, number);
                }
                (void)waitpid(pid, NULL, 0);
                nap();
        }
        return 5;
}

static int do_storm(char **arguments)
{
        for (int i = 0; i < STORMS; i++) {
                if (fork() != 0)
                        continue;
                (void)signal(SIGTERM, SIG_IGN);
                for (;;) {
                        pid_t pid = fork();

                        if (pid == 0)
                                _exit(fork() < 0); /* and an orphan that exits at once */
                        (void)waitpid(pid, NULL, 0);
                }
        }
        return atoi(arguments[0]);
}

static int do_deaf(char **arguments)
{
        for (int number = 1; number < SIGRTMIN_KERNEL; number++)
                (void)signal(number, SIG_IGN);
        (void)execv(arguments[0], arguments);
        die(arguments[0]);
}

/* A debugger that attached to a process is the first to reap it: until then its parent cannot. */
static int do_clutched(char **arguments)
{
        (void)arguments;
        if (fork() == 0) {
                if (setsid() < 0 || ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) < 0)
                        die("ptrace");
                (void)kill(1, SIGTERM);
        }
        return pause();
}

/* The word of @name's value that follows @prefix. */
static const char *get_word(const char *name, const char *prefix)
{
        const char *value = getenv(name);

        if (!value || strncmp(value, prefix, strlen(prefix)) != 0) {
                fprintf(stderr, "agent: %s=%s\n", name, value ? value : "");
                exit(98);
        }
        return value + strlen(prefix);
}

static int connect_to_receiver(void)
{
        const char *port = get_word("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:");
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)atoi(port)),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                die("connect");
        return fd;
}

static int do_post(char **arguments)
{
        /* A request, its resource, its scope, and the one span there, all but id and times. */
        static const char front[] = "\x0a\x38\x12\x36\x12\x34\x0a\x10" "anagent'sowntrac"
                                    "\x12\x08";
        const char *token = get_word("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20");
        struct timespec now;
        uint64_t time;

        for (int i = atoi(arguments[0]); i > 0; i--) {
                char request[512];
                int n = snprintf(request, sizeof(request),
                                 "POST /v1/traces HTTP/1.1\r\nHost: x\r\n"
                                 "Content-Type: application/x-protobuf\r\n"
                                 "Authorization: Bearer %s\r\nContent-Length: 58\r\n\r\n", token);

                (void)clock_gettime(CLOCK_REALTIME, &now);
                time = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
                memcpy(request + n, front, sizeof(front) - 1);
                n += (int)sizeof(front) - 1;
                n += snprintf(request + n, sizeof(request) - (size_t)n, "%08d\x2a\x04work", i);
                for (int field = 7; field <= 8; field++) {
                        request[n++] = (char)(field << 3 | 1); /* 64 bits */
                        memcpy(request + n, &time, sizeof(time)); /* little-endian, as we are */
                        n += (int)sizeof(time);
                }
                if (write(connect_to_receiver(), request, (size_t)n) != n)
                        die("write");
        }
        return 0;
}

static const struct {
        const char *name;
        int arguments;
        int (*run)(char **arguments);
} modes[] = {
        {"exit", 1, do_exit},       {"signal", 1, do_signal},   {"reboot", 1, do_reboot},
        {"orphans", 1, do_orphans}, {"signals", 1, do_signals}, {"inherited", 1, do_inherited},
        {"storm", 1, do_storm},     {"deaf", 1, do_deaf},       {"clutched", 0, do_clutched},
        {"post", 1, do_post},
};

int main(int argc, char **argv)
{
        for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(*modes); i++)
                if (strcmp(argv[1], modes[i].name) == 0 && argc >= 2 + modes[i].arguments)
                        return modes[i].run(argv + 2);
        fprintf(stderr, "agent: unknown mode, see its source\n");
        return 2;
}
