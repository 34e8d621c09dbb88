/* The traces that the out-of-memory killer leaves. */

#include "init/oom.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "base/parse.h"

enum { RECORDS_MAX = 100000 }; /* more than any kernel's log holds */

uint64_t oom_parse_vmstat(const char *text)
{
        static const char key[] = "\noom_kill ";
        const char *found = strstr(text, key);
        uint64_t value;

        if (!found)
                return 0;
        found += strlen(key);
        return parse_u64(found, strcspn(found, "\n"), UINT64_MAX, &value) < 0 ? 0 : value;
}

uint64_t oom_count_kills(void)
{
        static char text[16 * 1024];

        return file_read("/proc/vmstat", text, sizeof(text)) < 0 ? 0 : oom_parse_vmstat(text);
}

/* A record is "PRIORITY,SEQUENCE,TIME,FLAGS;TEXT\n" and more lines. The kernel's own have facility
 * 0, a priority below 8, which it lets nobody else write (Documentation/ABI/testing/dev-kmsg). */
bool oom_record_names(const char *record, size_t n, pid_t pid)
{
        static const char key[] = "Killed process ";
        const char *text, *found, *end;
        uint64_t value;

        if (n < 2 || record[0] < '0' || record[0] > '7' || record[1] != ',')
                return false;
        text = memchr(record, ';', n);
        if (!text)
                return false;
        found = memmem(text, n - (size_t)(text - record), key, strlen(key));
        if (!found)
                return false;
        found += strlen(key);
        end = found;
        while (end < record + n && *end >= '0' && *end <= '9')
                end++;
        return parse_u64(found, (size_t)(end - found), INT32_MAX, &value) == 0 &&
               value == (uint64_t)pid;
}

bool oom_was_killed(pid_t pid)
{
        _cleanup_(fd_closep) int fd = -EBADF;
        char record[2048];

        fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        for (int i = 0; fd >= 0 && i < RECORDS_MAX; i++) {
                ssize_t n = read(fd, record, sizeof(record));

                if (n < 0 && (errno == EPIPE || errno == EINVAL || errno == EINTR))
                        continue; /* overwritten meanwhile, or too long for us: the next one */
                if (n <= 0)
                        return false;
                if (oom_record_names(record, (size_t)n, pid))
                        return true;
        }
        return false;
}
