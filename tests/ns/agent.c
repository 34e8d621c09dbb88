/* An agent that ends in a chosen way:
 *   agent exit CODE | agent signal NUMBER [core] | agent reboot poweroff|restart
 * The last refuses unless it is PID 1, so that it can only ever end a namespace of its own. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

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

int main(int argc, char **argv)
{
        int number = argc > 2 ? atoi(argv[2]) : 0;

        if (argc > 2 && strcmp(argv[1], "exit") == 0)
                return number;
        if (argc > 2 && strcmp(argv[1], "signal") == 0) {
                rlim_t core = argc > 3 ? 1 << 20 : 0;

                (void)setrlimit(RLIMIT_CORE, &(struct rlimit){.rlim_cur = core, .rlim_max = core});
                reset_signal(number);
                (void)syscall(SYS_tgkill, getpid(), getpid(), number);
                for (;;)
                        (void)pause();
        }
        if (argc > 2 && strcmp(argv[1], "reboot") == 0 && getpid() == 1) {
                printf("agent is PID 1\n");
                (void)fflush(stdout);
                (void)reboot(strcmp(argv[2], "restart") == 0 ? RB_AUTOBOOT : RB_POWER_OFF);
        }
        fprintf(stderr, "Usage: agent exit CODE | agent signal NUMBER [core] |\n"
                        "       agent reboot poweroff|restart (as PID 1)\n");
        return 2;
}
