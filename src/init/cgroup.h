#pragma once

/* Version 1 cgroup trees, one for each controller, as Kata's agent mounts them as PID 1. */

/* The next controller that is enabled in @cursor's rest of /proc/cgroups (cgroups(7)), which is
 * changed; NULL at the end. A name that is no plain word is passed over. */
char *cgroup_next_controller(char **cursor);

/* Mounts each controller below /sys/fs/cgroup, which must be a tmpfs and is read-only afterwards.
 * Returns 0, -EBUSY if something else is mounted there, or the -errno of the last one that failed. */
int cgroup_mount_controllers(void);
