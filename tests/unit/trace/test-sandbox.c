#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"
#include "trace/sandbox.h"

enum { CLIENT_STREAM = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK };

/* Runs @body in a child within the sandbox and returns the child's wait status. The child exits
 * with 0 when it gets to the end, with 99 when it does not get into the sandbox. */
static int run_inside(AddressKind endpoint, void (*body)(void))
{
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0) {
                if (sandbox_enter(endpoint) < 0)
                        _exit(99);
                body();
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status;
}

/* None of these could do harm if it were allowed. */
static void try_open(void)
{
        (void)!open("/dev/null", O_RDONLY);
}

static void try_stat(void)
{
        (void)!access("/", F_OK);
}

static void try_packet_socket(void)
{
        (void)socket(AF_PACKET, SOCK_RAW, 0);
}

static void try_inet_socket(void)
{
        (void)socket(AF_INET, CLIENT_STREAM, 0);
}

static void try_datagram_socket(void)
{
        (void)socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static void try_listen(void)
{
        (void)listen(-1, 1);
}

static void try_bind(void)
{
        (void)bind(-1, NULL, 0);
}

static void try_ptrace(void)
{
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void try_execve(void)
{
        (void)execl("/nonexistent", "nonexistent", NULL);
}

static void try_fork(void)
{
        if (syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) == 0)
                _exit(0);
}

static void try_mount(void)
{
        (void)mount("none", "/nonexistent", "none", 0, NULL);
}

static void try_reboot(void)
{
        (void)syscall(SYS_reboot, 0, 0, 0, NULL); /* without its magic numbers */
}

static void try_kill(void)
{
        (void)kill(getppid(), 0);
}

static void try_signal_by_number(void)
{
        (void)syscall(SYS_kill, 1, 0);
}

static void try_setuid(void)
{
        (void)!setuid(0);
}

static void try_executable_memory(void)
{
        (void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void try_make_executable(void)
{
        (void)mprotect(NULL, 4096, PROT_EXEC);
}

static void try_prctl(void)
{
        (void)syscall(SYS_prctl, 0, 0, 0, 0, 0);
}

static void test_forbidden(void **state)
{
        static const struct {
                const char *name;
                void (*body)(void);
        } forbidden[] = {
                {"open", try_open},
                {"access", try_stat},
                {"packet socket", try_packet_socket},
                {"inet socket", try_inet_socket},
                {"datagram socket", try_datagram_socket},
                {"listen", try_listen},
                {"bind", try_bind},
                {"ptrace", try_ptrace},
                {"execve", try_execve},
                {"clone", try_fork},
                {"mount", try_mount},
                {"reboot", try_reboot},
                {"kill", try_kill},
                {"kill init", try_signal_by_number},
                {"setuid", try_setuid},
                {"executable memory", try_executable_memory},
                {"mprotect", try_make_executable},
                {"prctl", try_prctl},
        };

        for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
                int status = run_inside(ADDRESS_UNIX, forbidden[i].body);

                if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
                        fail_msg("%s was possible: wait status %#x", forbidden[i].name, status);
        }
}

static void use_what_is_needed(void)
{
        void *volatile p;
        uint8_t random[8];
        int fd;

        for (size_t size = 1; size < 64 * 1024 * 1024; size *= 4) {
                p = malloc(size);
                memset(p, 1, size);
                p = realloc(p, 2 * size);
                free(p);
        }
        if (clock_boottime() == 0 || getrandom(random, sizeof(random), 0) != sizeof(random))
                _exit(1);
        /* As where there is no vDSO. */
        if (syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &(struct timespec){0}) < 0)
                _exit(2);
        fd = socket(AF_UNIX, CLIENT_STREAM, 0);
        if (fd < 0)
                _exit(3);
        fd_close(fd);
        log_setup("test-sandbox", -1, LOG_FORMAT_PLAIN, LOG_LEVEL_DEBUG);
        log_error_errno(-EIO, "A line of %s", "log");
}

/* What the receiver does with a socket that listened before, and with a client's. */
static void receive_from_a_client(int listening)
{
        char byte;
        int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0)
                _exit(4);
        if (recv(fd, &byte, 1, 0) != 1 || send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
                _exit(5);
        fd_close(fd);
}

static void test_receiver(void **state)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX}; /* without a name, it gets one */
        socklen_t n = sizeof(sa_family_t);
        int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), client, status;
        char byte = 'x';
        pid_t pid;

        assert_int_equal(bind(listening, (struct sockaddr *)&address, n), 0);
        assert_int_equal(listen(listening, 1), 0);
        n = sizeof(address);
        assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &n), 0);
        client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(client, (struct sockaddr *)&address, n), 0);
        assert_int_equal(send(client, &byte, 1, 0), 1);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                if (sandbox_enter(ADDRESS_VSOCK) < 0)
                        _exit(99);
                receive_from_a_client(listening);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(recv(client, &byte, 1, 0), 1);
        fd_close(client);
        fd_close(listening);
}

static void test_allowed(void **state)
{
        assert_int_equal(run_inside(ADDRESS_UNIX, use_what_is_needed), 0);
}

static void make_inet_socket(void)
{
        _exit(socket(AF_INET, CLIENT_STREAM, 0) >= 0 ? 0 : 1);
}

static void test_socket_by_endpoint(void **state)
{
        int status = run_inside(ADDRESS_VSOCK, make_inet_socket);

        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        assert_int_equal(run_inside(ADDRESS_INET, make_inet_socket), 0);
}

/* Checks the line @name of @status_text, which is /proc/PID/status. */
static void assert_status(const char *status_text, const char *name, const char *value)
{
        const char *line = strstr(status_text, name);

        assert_non_null(line);
        line += strlen(name);
        line += strspn(line, ":\t ");
        if (strncmp(line, value, strlen(value)) != 0 || !strchr("\n \t", line[strlen(value)]))
                fail_msg("%s is not %s: %.40s", name, value, line);
}

/* Something to lose that root does not have by itself. */
static void gain_privileges(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
        gid_t group = 0;

        if (geteuid() != 0)
                return;
        if (syscall(SYS_capget, &header, data) < 0)
                _exit(1);
        data[0].inheritable = data[0].permitted;
        if (syscall(SYS_capset, &header, data) < 0 || setgroups(1, &group) < 0)
                _exit(2);
}

static void test_credentials(void **state)
{
        char path[64], text[8192], id[16], byte;
        int ready[2], end[2];
        pid_t pid;

        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, end), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                close(end[0]);
                gain_privileges();
                if (sandbox_enter(ADDRESS_VSOCK) < 0)
                        _exit(99);
                (void)!write(ready[1], "", 1);
                (void)recv(end[1], &byte, 1, 0); /* until the parent has looked */
                _exit(0);
        }
        close(end[1]);
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        assert_true(file_read(path, text, sizeof(text)) > 0);
        close(end[0]);
        close(ready[0]);
        assert_int_equal(waitpid(pid, NULL, 0), pid);

        (void)snprintf(id, sizeof(id), "%u", geteuid() == 0 ? SANDBOX_UID : (unsigned)geteuid());
        assert_status(text, "\nUid", id);
        (void)snprintf(id, sizeof(id), "%u", geteuid() == 0 ? SANDBOX_UID : (unsigned)getegid());
        assert_status(text, "\nGid", id);
        if (geteuid() == 0) {
                assert_status(text, "\nGroups", "");
                assert_status(text, "\nCapBnd", "0000000000000000");
        }
        assert_status(text, "\nCapInh", "0000000000000000");
        assert_status(text, "\nCapPrm", "0000000000000000");
        assert_status(text, "\nCapEff", "0000000000000000");
        assert_status(text, "\nCapAmb", "0000000000000000");
        assert_status(text, "\nNoNewPrivs", "1");
        assert_status(text, "\nSeccomp", "2");
}

/* Root, but of a user namespace that has no other user and group. */
static void test_user_namespace(void **state)
{
        pid_t pid = fork();
        char map[32];
        int status;

        assert_true(pid >= 0);
        if (pid == 0) {
                (void)snprintf(map, sizeof(map), "0 %u 1", (unsigned)geteuid());
                if (unshare(CLONE_NEWUSER) < 0 || file_write("/proc/self/uid_map", map) < 0)
                        _exit(77);
                (void)file_write("/proc/self/setgroups", "deny");
                (void)snprintf(map, sizeof(map), "0 %u 1", (unsigned)getegid());
                (void)file_write("/proc/self/gid_map", map);
                _exit(sandbox_enter(ADDRESS_UNIX) < 0 ? 99 : 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                skip(); /* this kernel gives no user namespaces to us */
        assert_int_equal(status, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_forbidden),
                UNIT_TEST(test_allowed),
                UNIT_TEST(test_receiver),
                UNIT_TEST(test_socket_by_endpoint),
                UNIT_TEST(test_credentials),
                UNIT_TEST(test_user_namespace),
        };

        return RUN_TESTS(tests);
}
