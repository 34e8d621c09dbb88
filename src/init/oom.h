#pragma once

/* Did the kernel's out-of-memory killer have a hand in it? Both answers cost nothing until they
 * are asked for: no cgroup needs a memory controller for them, and they hold under cgroup v1, v2
 * and for a shortage of the whole VM alike. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* How many processes it has killed since the kernel started, from /proc/vmstat. 0 if unknown. */
uint64_t oom_count_kills(void);

/* Is the kernel's log (/dev/kmsg) still telling of @pid being killed by it? */
bool oom_was_killed(pid_t pid);

/* Pure halves of the above: the number in the text of /proc/vmstat; whether one record of
 * /dev/kmsg (a read(2) of it) is the kernel's own word of that kill. */
uint64_t oom_parse_vmstat(const char *text);
bool oom_record_names(const char *record, size_t n, pid_t pid);
