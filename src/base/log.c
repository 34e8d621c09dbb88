/* Log lines. A line is built on the stack, cut at LINE_MAX_BYTES, and offered to the descriptor
 * once: if that would block, the line is lost and the next one that gets through says how many
 * were. A writer of logs must never be able to stop PID 1. */

#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1000 }; /* the kernel cuts a /dev/kmsg record near 1 KiB */

static struct {
        const char *ident;
        int fd;
        LogFormat format;
        LogLevel max;
        unsigned lost;
} sink = {.fd = STDERR_FILENO, .max = LOG_LEVEL_INFO};

void log_setup(const char *ident, int fd, LogFormat format, LogLevel max)
{
        sink.ident = ident;
        sink.fd = fd;
        sink.format = format;
        sink.max = max;
}

/* Adds to the line what fits; returns the new length. */
static size_t _printf_(3, 0) add_v(char *line, size_t n, const char *format, va_list args)
{
        int r = vsnprintf(line + n, LINE_MAX_BYTES - n, format, args);

        return r < 0 ? n : MIN(n + (size_t)r, (size_t)LINE_MAX_BYTES - 1);
}

static size_t _printf_(3, 4) add(char *line, size_t n, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        n = add_v(line, n, format, args);
        va_end(args);
        return n;
}

static bool is_ready(void)
{
        struct pollfd poll_fd = {.fd = sink.fd, .events = POLLOUT};

        return sink.format == LOG_FORMAT_KMSG ||
               (poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLOUT));
}

static void _printf_(3, 0) write_line(LogLevel level, int error, const char *format, va_list args)
{
        char line[LINE_MAX_BYTES];
        size_t n = 0;

        if (sink.format != LOG_FORMAT_PLAIN)
                n = add(line, n, "<%d>", (int)level);
        if (sink.ident)
                n = add(line, n, "%s: ", sink.ident);
        if (sink.lost > 0)
                n = add(line, n, "[%u lines lost] ", sink.lost);
        n = add_v(line, n, format, args);
        if (error != 0)
                n = add(line, n, ": %s", strerror(-error));
        /* Text from outside must not start a line of its own, least of all one with a level. */
        for (size_t i = 0; i < n; i++)
                if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
                        line[i] = '?';
        line[n++] = '\n';

        if (is_ready() && write(sink.fd, line, n) == (ssize_t)n)
                sink.lost = 0;
        else
                sink.lost++;
}

void log_line(LogLevel level, const char *format, ...)
{
        int saved = errno;
        va_list args;

        if (level > sink.max)
                return;
        va_start(args, format);
        write_line(level, 0, format, args);
        va_end(args);
        errno = saved;
}

void log_line_errno(LogLevel level, int error, const char *format, ...)
{
        int saved = errno;
        va_list args;

        if (level > sink.max)
                return;
        va_start(args, format);
        write_line(level, error, format, args);
        va_end(args);
        errno = saved;
}
