/* Starting a process: vfork(2), since it needs no copy of the page tables and lets the child
 * report a failed exec by writing to our memory. The child only calls what is safe between vfork
 * and exec, and touches no variable but the one it reports with. */

#include "init/spawn.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"

static int exec_child(const SpawnOptions *options)
{
        sigset_t none;

        if (options->pass_fd >= 0) {
                if (options->pass_fd == SPAWN_PASS_FD || dup2(options->pass_fd, SPAWN_PASS_FD) < 0)
                        return errno; /* descriptors of ours are close-on-exec, its own must not be */
        }
        if (options->new_session) {
                (void)setsid();
                (void)ioctl(STDIN_FILENO, TIOCSCTTY, 0); /* there may be no terminal */
        }
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)execvpe(options->argv[0], (char *const *)options->argv, (char *const *)options->envp);
        return errno;
}

int spawn(const SpawnOptions *options, pid_t *ret_pid)
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
