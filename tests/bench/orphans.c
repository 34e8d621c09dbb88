/* Makes orphans for PID 1 to reap and prints how long that took, in microseconds: orphans COUNT.
 * Each is the child of a process that ended before it. They all end at once, and the time runs
 * until the last of them is gone from /proc. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* Processes in /proc, PID 1 and this one among them. */
static int count_processes(void)
{
        DIR *dir = opendir("/proc");
        struct dirent *entry;
        int n = 0;

        while (dir && (entry = readdir(dir)))
                n += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
        (void)closedir(dir);
        return n;
}

int main(int argc, char **argv)
{
        int count = argc > 1 ? atoi(argv[1]) : 0, gate[2];
        double start;
        char byte;

        if (count <= 0 || pipe(gate) < 0) {
                fprintf(stderr, "Usage: orphans COUNT\n");
                return 2;
        }
        if (fork() == 0) {
                for (int i = 0; i < count; i++)
                        if (fork() == 0) {
                                (void)close(gate[1]);
                                _exit((int)read(gate[0], &byte, 1)); /* until the gate closes */
                        }
                _exit(0);
        }
        (void)wait(NULL);
        start = now();
        (void)close(gate[1]);
        while (count_processes() > 2)
                ;
        printf("orphans: %.0f\n", now() - start);
        return 0;
}
