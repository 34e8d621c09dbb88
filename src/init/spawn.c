/* Starting a process: vfork(2), since it needs no copy of the page tables and lets the child
 * report a failed exec by writing to our memory. The child only calls what is safe between vfork
 * and exec, and touches no variable but the one it reports with. */

#include "init/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"

/* In the child: a mount namespace whose changes stay there, and a /proc of the new processes. A
 * program that is PID 1 mounts /sys and the cgroups in it by itself, which the kernel refuses where
 * the same is mounted already, and agents of Kata Containers give up over that. */
static int enter_mount_namespace(void)
{
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
            mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
                return errno;
        (void)umount2("/sys", MNT_DETACH); /* EINVAL: it was not mounted */
        return 0;
}

/* In the child: descriptors of ours are close-on-exec, dup2() makes one that is not. They are moved
 * out of the way first, as one of them may have a number that another is to get. */
static int pass_fds(const SpawnOptions *options)
{
        int fds[SPAWN_PASS_MAX];

        for (size_t i = 0; i < options->n_pass_fds; i++) {
                fds[i] = fcntl(options->pass_fds[i], F_DUPFD_CLOEXEC,
                               SPAWN_PASS_FD + SPAWN_PASS_MAX);
                if (fds[i] < 0)
                        return -1;
        }
        for (size_t i = 0; i < options->n_pass_fds; i++)
                if (dup2(fds[i], SPAWN_PASS_FD + (int)i) < 0)
                        return -1;
        return 0;
}

static int exec_child(const SpawnOptions *options)
{
        sigset_t blocked;
        int error;

        if (options->pid1 && (error = enter_mount_namespace()) != 0)
                return error;
        if (pass_fds(options) < 0)
                return errno;
        if (options->new_session)
                (void)setsid();
        if (options->own_terminal)
                (void)ioctl(STDIN_FILENO, TIOCSCTTY, 0); /* there may be no terminal */
        if (options->oom_score)
                (void)file_write("/proc/self/oom_score_adj", options->oom_score); /* best effort */
        (void)sigemptyset(&blocked);
        if (options->blocked_signal != 0)
                (void)sigaddset(&blocked, options->blocked_signal);
        (void)sigprocmask(SIG_SETMASK, &blocked, NULL);
        (void)execvpe(options->argv[0], (char *const *)options->argv, (char *const *)options->envp);
        return errno;
}

static int run_child(const SpawnOptions *options, pid_t *ret_pid)
{
        volatile int error = 0;
        pid_t pid = vfork();

        if (pid < 0)
                return -errno;
        if (pid == 0) {
                error = exec_child(options);
                _exit(127);
        }
        if (error != 0) {
                while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                        ;
                return -error;
        }
        *ret_pid = pid;
        return 0;
}

int spawn(const SpawnOptions *options, pid_t *ret_pid)
{
        _cleanup_(fd_closep) int ours = -EBADF;
        int r;

        assert(options->n_pass_fds <= SPAWN_PASS_MAX);
        if (!options->pid1)
                return run_child(options, ret_pid);

        ours = RET_ERRNO(open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
        if (ours < 0)
                return ours;
        r = RET_ERRNO(unshare(CLONE_NEWPID)); /* for children only, from now on */
        if (r < 0)
                return r;
        r = run_child(options, ret_pid);
        (void)setns(ours, CLONE_NEWPID); /* a namespace of our own cannot refuse us */
        return r;
}
