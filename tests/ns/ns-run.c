/* Runs a program as PID 1 of new user, PID, mount, network, UTS, IPC and cgroup namespaces, with
 * a directory as its root and a file in the place of /proc/cmdline:
 *
 *   ns-run [--see DIRECTORY]... ROOT CMDLINE-FILE PROGRAM [ARGUMENT...]
 *
 * Each DIRECTORY of the machine is seen at its own path inside.
 *
 * In a user namespace the program cannot load modules, mount devtmpfs or touch the machine's file
 * systems, and its reboot(2) only ends the namespace, which the kernel reports as a death by
 * SIGINT (power off, halt) or SIGHUP (restart). ns-run prints how PID 1 ended as its last line,
 * "ns-run: poweroff", "ns-run: reboot", "ns-run: signal N" or "ns-run: exit N", to descriptor 3.
 * When ns-run dies, PID 1 is killed, and with it the namespace. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

enum { RESULT_FD = 3 };

static void die(const char *what)
{
        fprintf(stderr, "ns-run: %s: %s\n", what, strerror(errno));
        _exit(125);
}

#define TRY(call)                                                                                  \
        do {                                                                                       \
                if ((call) < 0)                                                                    \
                        die(#call);                                                                \
        } while (0)

/* The first 65536 ids, as themselves: enough for root, the tracer and nobody. */
static void write_map(pid_t pid, const char *name)
{
        char path[64];
        int r;

        (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
        r = file_write(path, "0 0 65536\n");
        if (r < 0) {
                errno = -r;
                die(path);
        }
}

/* A file system that a mount in a user namespace is only allowed for while another is visible. */
static void try_mount(const char *type, const char *target)
{
        if (mount(type, target, type, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
                fprintf(stderr, "ns-run: no %s: %s\n", type, strerror(errno));
}

/* devtmpfs is the machine's own: a directory of its harmless devices instead. */
static void make_dev(void)
{
        static const char *const devices[] = {"null", "zero", "full", "random", "urandom"};

        TRY(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=0755"));
        for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
                char from[32], to[32];

                (void)snprintf(from, sizeof(from), "/dev/%s", devices[i]);
                (void)snprintf(to, sizeof(to), "dev/%s", devices[i]);
                TRY(close(open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0666)));
                TRY(mount(from, to, NULL, MS_BIND, NULL));
        }
}

static void make_directories(const char *path)
{
        char part[PATH_MAX];

        for (const char *end = path; *end != '\0';) {
                end = strchrnul(end + 1, '/');
                (void)snprintf(part, sizeof(part), "%.*s", (int)(end - path), path);
                if (mkdir(part, 0755) < 0 && errno != EEXIST)
                        die(part);
        }
}

/* With all that is mounted in it. Nobody inside may write to it: root there owns the same files. */
static void show(const char *directory)
{
        struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};

        make_directories(directory + 1);
        TRY(mount(directory, directory + 1, NULL, MS_BIND | MS_REC, NULL));
        TRY(mount_setattr(AT_FDCWD, directory + 1, AT_RECURSIVE, &read_only, sizeof(read_only)));
}

static void become_pid1(char **seen, const char *root, const char *cmdline, char **argv, int go)
{
        char byte;

        TRY(prctl(PR_SET_PDEATHSIG, SIGKILL));
        if (read(go, &byte, 1) != 1)
                _exit(125);
        TRY(setresgid(0, 0, 0));
        TRY(setresuid(0, 0, 0));
        TRY(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        TRY(mount(root, root, NULL, MS_BIND | MS_REC, NULL));
        TRY(chdir(root));
        if (strcmp(*seen, "--see") == 0) /* what is below /tmp would be hidden by init's mount */
                TRY(mount("tmpfs", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"));
        for (; strcmp(*seen, "--see") == 0; seen += 2)
                show(seen[1]);
        TRY(mount("proc", "proc", "proc", 0, NULL));
        try_mount("sysfs", "sys");
        try_mount("cgroup2", "sys/fs/cgroup");
        make_dev();
        TRY(mount(cmdline, "proc/cmdline", NULL, MS_BIND, NULL));
        TRY(syscall(SYS_pivot_root, ".", "."));
        TRY(umount2(".", MNT_DETACH));
        TRY(prctl(PR_SET_PDEATHSIG, SIGKILL)); /* changed ids cleared it */
        (void)fd_close(go);
        (void)fd_close(RESULT_FD);
        (void)execv(argv[0], argv);
        die(argv[0]);
}

int main(int argc, char **argv)
{
        int flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS |
                    CLONE_NEWIPC | CLONE_NEWCGROUP | SIGCHLD;
        char **seen = argv + 1;
        int go[2], status;
        pid_t pid;

        while (argc > 2 && strcmp(argv[1], "--see") == 0) {
                argc -= 2;
                argv += 2;
        }
        if (argc < 4) {
                fprintf(stderr, "Usage: ns-run [--see DIRECTORY]... ROOT CMDLINE-FILE PROGRAM "
                                "[ARGUMENT...]\n");
                return 2;
        }
        TRY(pipe2(go, O_CLOEXEC));
        pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
        if (pid < 0) {
                fprintf(stderr, "ns-run: cannot make user and other namespaces: %s (see "
                                "user_namespaces(7); a chroot forbids them, too)\n",
                        strerror(errno));
                return 125;
        }
        if (pid == 0) {
                (void)fd_close(go[1]);
                become_pid1(seen, argv[1], argv[2], argv + 3, go[0]);
        }
        (void)fd_close(go[0]);
        write_map(pid, "uid_map");
        write_map(pid, "gid_map");
        TRY(write(go[1], "", 1));
        TRY(waitpid(pid, &status, 0));
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT)
                dprintf(RESULT_FD, "ns-run: poweroff\n");
        else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP)
                dprintf(RESULT_FD, "ns-run: reboot\n");
        else if (WIFSIGNALED(status))
                dprintf(RESULT_FD, "ns-run: signal %d\n", WTERMSIG(status));
        else
                dprintf(RESULT_FD, "ns-run: exit %d\n", WEXITSTATUS(status));
        return 0;
}
