/* The planner of unmounts. Its input comes from the kernel, but mount points in it are named by
 * whoever mounted them. */

#include "init/mountinfo.h"

#include <string.h>

#include "base/macro.h"

/* File systems with nothing to lose. */
static const char *const volatile_types[] = {
        "autofs",   "binfmt_misc", "bpf",        "cgroup",  "cgroup2",    "configfs", "debugfs",
        "devpts",   "devtmpfs",    "efivarfs",   "fusectl", "hugetlbfs",  "mqueue",   "nsfs",
        "proc",     "pstore",      "ramfs",      "rootfs",  "securityfs", "sysfs",    "tmpfs",
        "tracefs",  "erofs",       "squashfs",   "iso9660",
};

/* Never unmounted: what PID 1 itself still needs. */
static const char *const kept[] = {"/", "/proc", "/sys", "/dev", "/run"};

static bool is_volatile(const char *type)
{
        for (size_t i = 0; i < ARRAY_SIZE(volatile_types); i++)
                if (strcmp(type, volatile_types[i]) == 0)
                        return true;
        return false;
}

static bool is_kept(const char *target)
{
        for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
                if (strcmp(target, kept[i]) == 0)
                        return true;
        return false;
}

/* Octal escapes (\040 and the like) to characters, in place. */
static void unescape(char *text)
{
        char *to = text;

        for (char *p = text; *p; p++) {
                bool octal = p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' &&
                             p[2] <= '7' && p[3] >= '0' && p[3] <= '7';

                if (octal) {
                        *to++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
                        p += 3;
                } else {
                        *to++ = *p;
                }
        }
        *to = '\0';
}

/* Takes mount point and type out of one line:
 * ID PARENT MAJOR:MINOR ROOT TARGET OPTIONS [TAG...] - TYPE SOURCE SUPER-OPTIONS */
static bool parse_line(char *line, char **ret_target, char **ret_type)
{
        char *field, *target = NULL, *type;

        for (size_t i = 0; (field = strsep(&line, " ")) && i < 6; i++)
                if (i == 4)
                        target = field;
        while (field && strcmp(field, "-") != 0)
                field = strsep(&line, " ");
        type = strsep(&line, " ");
        if (!target || !type || target[0] != '/')
                return false;
        unescape(target);
        *ret_target = target;
        *ret_type = type;
        return true;
}

void unmount_plan(char *text, UnmountPlan *ret)
{
        bool worthwhile = false, remount_root = false;
        char *line, *target, *type;

        ret->n = 0;
        ret->truncated = false;
        while ((line = strsep(&text, "\n"))) {
                if (!parse_line(line, &target, &type))
                        continue;
                if (strcmp(target, "/") == 0)
                        remount_root = !is_volatile(type); /* the last one lies on top */
                if (is_kept(target))
                        continue;
                worthwhile |= !is_volatile(type);
                if (ret->n == UNMOUNT_ACTIONS_MAX - 1)
                        ret->truncated = true;
                else
                        ret->actions[ret->n++] = (UnmountAction){.target = target};
        }
        if (!worthwhile)
                ret->n = 0;
        for (size_t i = 0; i < ret->n / 2; i++) { /* the latest mount first */
                UnmountAction swapped = ret->actions[i];

                ret->actions[i] = ret->actions[ret->n - 1 - i];
                ret->actions[ret->n - 1 - i] = swapped;
        }
        if (remount_root)
                ret->actions[ret->n++] = (UnmountAction){.target = "/", .remount = true};
}
