/* The debug console: a child of PID 1 that gives a shell to the console, or one with a terminal of
 * its own to each connection from the host. Nobody else may connect: containers of the guest can
 * have VSOCK sockets, too. When the child is terminated its terminals hang up, and with them the
 * shells, which ignore SIGTERM. */

#include "init/debug-console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vm_sockets.h> /* needs what sys/socket.h declares */

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"

enum { SESSIONS_MAX = 8 };

static void exec_shell(void)
{
        static const char *const shells[] = {"/bin/bash", "/bin/sh"};

        (void)setenv("TERM", "linux", 0);
        (void)setenv("HOME", "/", 0);
        for (size_t i = 0; i < ARRAY_SIZE(shells); i++)
                (void)execl(shells[i], shells[i], (char *)NULL);
        log_warning_errno(-errno, "There is no shell for the debug console");
        _exit(127);
}

/* Each line typed while no shell runs starts one: a shell that fails cannot become a loop. */
static void serve_tty(void)
{
        static const char prompt[] = "rootspan: debug console: press Enter for a shell\n";
        char line[256];

        (void)setsid();
        (void)ioctl(STDIN_FILENO, TIOCSCTTY, 1); /* even from an agent that was faster */
        while (fd_write_all(STDOUT_FILENO, prompt, strlen(prompt)) == 0 &&
               read(STDIN_FILENO, line, sizeof(line)) > 0) {
                pid_t pid = fork();

                if (pid == 0)
                        exec_shell();
                if (pid > 0)
                        (void)waitpid(pid, NULL, 0);
        }
}

/* Copies what there is. Returns 0, or -errno when one of the two has ended. */
static int copy(int from, int to)
{
        char data[4096];
        ssize_t n = RET_ERRNO(read(from, data, sizeof(data)));

        if (n == 0)
                return -EPIPE;
        return n < 0 ? (int)n : fd_write_all(to, data, (size_t)n);
}

static void serve_connection(int connection)
{
        struct winsize size = {.ws_row = 24, .ws_col = 80};
        struct pollfd fds[2];
        int terminal;
        pid_t pid = forkpty(&terminal, NULL, NULL, &size);

        if (pid == 0)
                exec_shell();
        if (pid < 0) {
                log_warning_errno(-errno, "Cannot make a terminal for the debug console");
                return;
        }
        fds[0] = (struct pollfd){.fd = connection, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = terminal, .events = POLLIN};
        while (poll(fds, 2, -1) > 0)
                if ((fds[0].revents != 0 && copy(connection, terminal) < 0) ||
                    (fds[1].revents != 0 && copy(terminal, connection) < 0))
                        return;
}

static int listen_on(uint32_t port)
{
        struct sockaddr_vm address = {
                .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port};
        _cleanup_(fd_closep) int fd = -EBADF;

        fd = RET_ERRNO(socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (fd < 0)
                return fd;
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(fd, SESSIONS_MAX) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static void serve_connections(int fd)
{
        for (int sessions = 0;;) {
                struct sockaddr_vm peer = {0};
                _cleanup_(fd_closep) int connection = -EBADF;
                pid_t pid;

                connection = accept4(fd, (struct sockaddr *)&peer, &(socklen_t){sizeof(peer)},
                                     SOCK_CLOEXEC);
                if (connection < 0 && errno != EINTR && errno != ECONNABORTED) {
                        log_warning_errno(-errno, "The debug console ends");
                        return; /* it would fail again at once, and for ever */
                }
                while (sessions > 0 && waitpid(-1, NULL, WNOHANG) > 0)
                        sessions--;
                if (connection < 0 || peer.svm_cid != VMADDR_CID_HOST || sessions == SESSIONS_MAX)
                        continue;
                pid = fork();
                if (pid == 0) {
                        serve_connection(connection);
                        _exit(EXIT_SUCCESS);
                }
                if (pid > 0)
                        sessions++;
        }
}

int debug_console_start(uint32_t where)
{
        _cleanup_(fd_closep) int fd = -EBADF;
        sigset_t none;
        pid_t pid;

        if (where != DEBUG_CONSOLE_TTY) { /* here, so that it listens before the agent runs */
                fd = listen_on(where);
                if (fd < 0)
                        return fd;
        }
        pid = fork();
        if (pid != 0)
                return pid < 0 ? -errno : 0;
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        if (where == DEBUG_CONSOLE_TTY)
                serve_tty();
        else
                serve_connections(fd);
        _exit(EXIT_SUCCESS);
}
