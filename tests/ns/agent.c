/* An agent that ends in a chosen way: agent exit CODE | agent signal NUMBER [core]. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
        int number = argc > 2 ? atoi(argv[2]) : 0;

        if (argc > 2 && strcmp(argv[1], "exit") == 0)
                return number;
        if (argc > 2 && strcmp(argv[1], "signal") == 0) {
                rlim_t core = argc > 3 ? 1 << 20 : 0;

                (void)setrlimit(RLIMIT_CORE, &(struct rlimit){.rlim_cur = core, .rlim_max = core});
                (void)signal(number, SIG_DFL); /* not possible for the two that libc keeps */
                (void)syscall(SYS_tgkill, getpid(), getpid(), number);
                for (;;)
                        (void)pause();
        }
        fprintf(stderr, "Usage: agent exit CODE | agent signal NUMBER [core]\n");
        return 2;
}
