/* What the boot benchmark runs in the guest, before and behind the init that it measures. Stamps go
 * to QEMU's debug console (port 0xe9), a line each.
 *
 *   as /init:     "I <tsc>", then executes /bench/init with the arguments of /bench/arguments
 *   as the agent: "A <tsc>", after 50 ms "K <tsc> <microseconds of the kernel's log at that time>"
 *                 and "E <tsc>" at its exit
 *
 * Under -icount shift=0 the time stamp counter counts executed instructions. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

static void write_line(const char *line)
{
        for (; *line; line++)
                outb((unsigned char)*line, 0xe9);
}

static void stamp(char tag, unsigned long long tsc, unsigned long long usec)
{
        char line[80];

        (void)snprintf(line, sizeof(line), "%c %llu %llu\n", tag, tsc, usec);
        write_line(line);
}

/* Where the kernel's log has come to: a line written to it is read back with its time. */
static void stamp_log(void)
{
        static const char text[] = "<7>boot-stamp\n";
        unsigned long long tsc, usec = 0;
        char record[512];
        ssize_t n;
        int fd;

        (void)mknod("/bench/kmsg", S_IFCHR | 0600, makedev(1, 11));
        fd = open("/bench/kmsg", O_RDWR | O_NONBLOCK);
        (void)lseek(fd, 0, SEEK_END);
        tsc = __rdtsc();
        (void)!write(fd, text, sizeof(text) - 1);
        while ((n = read(fd, record, sizeof(record) - 1)) > 0) {
                record[n] = '\0';
                if (strstr(record, ";boot-stamp"))
                        (void)sscanf(record, "%*u,%*u,%llu", &usec);
        }
        stamp('K', tsc, usec);
}

int main(int argc, char **argv)
{
        unsigned long long tsc = __rdtsc();
        static char text[1024], *words[16];
        size_t n = 0;
        ssize_t got;
        int fd;

        (void)argc;
        (void)iopl(3);
        if (getpid() != 1 || access("/bench/arguments", F_OK) != 0) {
                stamp('A', tsc, 0);
                (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
                stamp_log();
                stamp('E', __rdtsc(), 0);
                return 0;
        }
        fd = open("/bench/arguments", O_RDONLY | O_CLOEXEC);
        got = read(fd, text, sizeof(text) - 1);
        for (char *word = strtok(got > 0 ? text : strcpy(text, ""), "\n"); word && n < 15;
             word = strtok(NULL, "\n"))
                words[n++] = word;
        stamp('I', __rdtsc(), 0);
        (void)execv("/bench/init", words);
        (void)argv;
        return 1;
}
