/* Version 1 cgroup trees. A kernel has some of the controllers, and the command line may disable
 * more (cgroup_disable=), so what to mount is read from /proc/cgroups. */

#include "init/cgroup.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"

#define TREE "/sys/fs/cgroup"

enum { CONTROLLER_NAME_MAX = 32 };

char *cgroup_next_controller(char **cursor)
{
        char *line;

        while ((line = strsep(cursor, "\n"))) {
                char *name = strsep(&line, "\t"), *hierarchy = strsep(&line, "\t"),
                     *cgroups = strsep(&line, "\t");

                if (!hierarchy || !cgroups || !line || strcmp(line, "1") != 0)
                        continue;
                if (*name != '\0' && strlen(name) < CONTROLLER_NAME_MAX && !strpbrk(name, "#/., "))
                        return name;
        }
        return NULL;
}

static int mount_controller(const char *name)
{
        char path[sizeof(TREE "/") + CONTROLLER_NAME_MAX];

        (void)snprintf(path, sizeof(path), TREE "/%s", name);
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                return -errno;
        return RET_ERRNO(mount("cgroup", path, "cgroup",
                               MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME, name));
}

int cgroup_mount_controllers(void)
{
        static char text[4096];
        char *cursor = text, *name;
        struct statfs tree;
        int error = 0;
        ssize_t n;

        if (statfs(TREE, &tree) < 0)
                return -errno;
        if (tree.f_type != TMPFS_MAGIC)
                return -EBUSY;
        n = file_read("/proc/cgroups", text, sizeof(text));
        if (n < 0)
                return (int)n;
        while ((name = cgroup_next_controller(&cursor))) {
                int r = mount_controller(name);

                if (r < 0 && r != -EBUSY) {
                        log_warning_errno(r, "Cannot mount cgroup controller %s", name);
                        error = r;
                }
        }
        /* Limits that count for a group's children, too: so since Linux 5.11, to be asked for before. */
        (void)file_write(TREE "/memory/memory.use_hierarchy", "1");
        (void)mount(NULL, TREE, NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                    "mode=0755"); /* as the agent does; of no use to anybody if it fails */
        return error;
}
